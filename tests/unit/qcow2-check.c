/* SPDX-License-Identifier: BSD-3-Clause */
/* What the suites of QCOW2 maps share. */

#include "qcow2-check.h"

#include "map-model.h"
#include "qcow2-image.h"
#include "random.h"
#include "source/memory.h"
#include "support.h"

struct layer *
qcow2_open (const struct qcow2_image *image)
{
  struct vdisk_error error = { 0 };
  struct layer *layer = open_layer_bytes (&format_qcow2, "disk.qcow2",
                                          image->bytes, image->size, NULL,
                                          &error);

  ck_assert_msg (layer != NULL, "%s", error.message);
  return layer;
}

struct layer *
qcow2_open_external (const struct qcow2_image *image, uint64_t data_size)
{
  struct layer *layer = qcow2_open (image);

  layer->data = source_memory ("data.raw", NULL, data_size);
  ck_assert_ptr_nonnull (layer->data);
  return layer;
}

void
qcow2_add_subclusters (struct map_model *model, uint64_t cluster_size,
                       uint64_t host, uint64_t bitmap)
{
  const uint64_t size = cluster_size / 32;
  unsigned i;

  for (i = 0; i < 32; ++i) {
    uint64_t at = host == VDISK_NO_HOST_OFFSET ? host : host + i * size;

    if (bitmap >> i & 1)
      map_model_add (model, VDISK_DATA, size, at);
    else if (bitmap >> (32 + i) & 1)
      map_model_add (model, VDISK_ZERO, size, at);
    else
      map_model_add (model, VDISK_HOLE, size, at);
  }
}

uint64_t
qcow2_random_bitmap (struct random *random)
{
  uint64_t allocated = random_next (random), zero = random_next (random);

  switch (random_below (random, 4)) {
  case 0:
    allocated &= random_next (random) & random_next (random);
    break;
  case 1:
    allocated = UINT32_MAX << random_below (random, 32);
    break;
  case 2:
    zero = UINT32_MAX >> random_below (random, 32);
  }
  allocated &= UINT32_MAX;
  return allocated | (zero & UINT32_MAX & ~allocated) << 32;
}

