/* SPDX-License-Identifier: BSD-3-Clause */
/* Random maps of QCOW2 images of every cluster size, asked for in random
 * ranges, against a naive model; and with reads that fail.
 */

#include <stdint.h>

#include "map-model.h"
#include "qcow2-check.h"
#include "qcow2-image.h"
#include "random.h"
#include "support.h"

#define LEN(a) (sizeof (a) / sizeof (a)[0])

#define NONE VDISK_NO_HOST_OFFSET
#define COPIED QCOW2_COPIED
#define ZERO QCOW2_ZERO

struct building {
  struct qcow2_image image;
  struct map_model model;
  struct random random;
  unsigned version;
  uint64_t features;
  uint64_t data;                /* offset of 64 clusters for data */
  uint64_t last;                /* where the last data was */
};

#define DATA_CLUSTERS 64

static uint64_t
random_host (struct building *b)
{
  const uint64_t cluster_size = b->image.cluster_size;

  if (b->features & QCOW2_EXTERNAL_DATA)
    return b->model.end;
  if (random_below (&b->random, 2) &&
      b->last + cluster_size < b->image.size)
    b->last += cluster_size;
  else
    b->last = b->data +
      random_below (&b->random, DATA_CLUSTERS) * cluster_size;
  return b->last;
}

static uint64_t
random_copied (struct building *b)
{
  if (b->features & QCOW2_EXTERNAL_DATA)
    return COPIED;
  return random_below (&b->random, 2) ? COPIED : 0;
}

static void
add_packed_cluster (struct building *b)
{
  const unsigned sector_bits = b->image.cluster_bits - 8;
  uint64_t host = b->data + random_below (&b->random,
                                          b->image.size - b->data);
  uint64_t sectors = random_below (&b->random, UINT64_C (1) << sector_bits);

  qcow2_image_set (&b->image, b->model.end,
                   qcow2_image_packed_sectors (&b->image, host, sectors));
  map_model_add_packed (&b->model, b->image.cluster_size, host,
                        (sectors + 1) * 512 - host % 512);
}

static void
add_standard_cluster (struct building *b)
{
  const uint64_t size = b->image.cluster_size, guest = b->model.end;
  uint64_t host;

  switch (random_below (&b->random, 8)) {
  case 0:
    map_model_add (&b->model, VDISK_HOLE, size, NONE);
    break;
  case 1:
    if (b->version < 3)
      return;
    qcow2_image_set (&b->image, guest, ZERO);
    map_model_add (&b->model, VDISK_ZERO, size, NONE);
    break;
  case 2:
    if (b->version < 3)
      return;
    host = random_host (b);
    qcow2_image_set (&b->image, guest, host | ZERO | random_copied (b));
    map_model_add (&b->model, VDISK_ZERO, size, host);
    break;
  case 3:
    if (!(b->features & QCOW2_EXTERNAL_DATA)) {
      add_packed_cluster (b);
      break;
    }
    /* FALLTHROUGH */
  default:
    host = random_host (b);
    qcow2_image_set (&b->image, guest, host | random_copied (b));
    map_model_add (&b->model, VDISK_DATA, size, host);
  }
}

static void
add_extended_cluster (struct building *b)
{
  const uint64_t size = b->image.cluster_size, guest = b->model.end;
  uint64_t bitmap = qcow2_random_bitmap (&b->random), host = NONE;

  if (!(b->features & QCOW2_EXTERNAL_DATA) &&
      random_below (&b->random, 8) == 0) {
    add_packed_cluster (b);
    return;
  }
  if (random_below (&b->random, 4) == 0)
    bitmap &= ~(uint64_t) UINT32_MAX;
  else
    host = random_host (b);
  qcow2_image_set_extended (&b->image, guest, host == NONE ? 0
                            : host | random_copied (b), bitmap);
  qcow2_add_subclusters (&b->model, size, host, bitmap);
}

/* Add random clusters up to guest cluster 'end'. */
static void
add_clusters (struct building *b, uint64_t end)
{
  while (b->model.end < end * b->image.cluster_size) {
    if (b->features & QCOW2_EXTENDED_L2)
      add_extended_cluster (b);
    else
      add_standard_cluster (b);
  }
}

/* Clusters of every kind where something could go wrong: at the start, at
 * the ends of the pieces in which tables are read, around the end of a
 * table, at the end of the disk. */
static void
build_random (struct building *b)
{
  struct qcow2_image *image = &b->image;
  const uint64_t table = image->cluster_size / image->entry_size;
  const uint64_t clusters = table + table / 2 + 40;
  const uint64_t middles[] = { 20, 512, 1024, table, clusters - 20 };
  const uint64_t size = image->cluster_size;
  size_t i;

  for (i = 0; i < clusters; i += table)
    qcow2_image_l2 (image, i * size);
  b->data = b->last = qcow2_image_append (image, DATA_CLUSTERS * size);
  /* The last one is cut. */
  image->size -= random_below (&b->random, size);
  for (i = 0; i < LEN (middles); ++i) {
    if (middles[i] > clusters)
      continue;
    if (middles[i] * size > b->model.end + 20 * size)
      map_model_add (&b->model, VDISK_HOLE,
                     (middles[i] - 20) * size - b->model.end, NONE);
    add_clusters (b, middles[i] + 20);
  }
}

/* Check the whole map, but not the empty parts of tables so large that it
 * would take long. */
static void
check_whole (const struct building *b, struct layer *layer, uint64_t table)
{
  const uint64_t size = b->image.cluster_size, disk = layer->size;

  if (table <= 8192)
    map_model_check (&b->model, layer, 0, disk);
  else {
    map_model_check (&b->model, layer, 0, 1100 * size);
    map_model_check (&b->model, layer, (table - 30) * size, 1100 * size);
    map_model_check (&b->model, layer, disk - 50 * size, 50 * size);
  }
}

static void
check_random (unsigned version, unsigned cluster_bits, uint64_t features)
{
  const uint64_t size = UINT64_C (1) << cluster_bits;
  const uint64_t table = size / (features & QCOW2_EXTENDED_L2 ? 16 : 8);
  struct building b = {
    .random = { cluster_bits * 1000 + features * 10 + version },
    .version = version, .features = features,
  };
  uint64_t disk = (table + table / 2 + 40) * size;
  struct layer *layer;

  disk -= random_below (&b.random, size);
  qcow2_image_init (&b.image, version, cluster_bits, disk, features);
  build_random (&b);
  layer = features & QCOW2_EXTERNAL_DATA
    ? qcow2_open_external (&b.image, disk + size) : qcow2_open (&b.image);
  check_whole (&b, layer, table);
  map_model_check_random (&b.model, layer, &b.random, 60);
  layer_close (layer);
  map_model_free (&b.model);
  qcow2_image_free (&b.image);
}

START_TEST (test_random)
{
  check_random (2, _i, 0);
  check_random (3, _i, 0);
  check_random (3, _i, QCOW2_EXTERNAL_DATA);
}
END_TEST

START_TEST (test_random_extended)
{
  check_random (3, _i, QCOW2_EXTENDED_L2);
  check_random (3, _i, QCOW2_EXTENDED_L2 | QCOW2_EXTERNAL_DATA);
}
END_TEST

/* A map that takes many reads, each of them failing in turn. */
static void
check_faults (uint64_t features, unsigned cluster_bits, uint64_t disk)
{
  struct building b = { .random = { 7 }, .version = 3, .features = features };
  const uint64_t size = UINT64_C (1) << cluster_bits;

  qcow2_image_init (&b.image, 3, cluster_bits, disk, features);
  b.data = b.last = qcow2_image_append (&b.image, DATA_CLUSTERS * size);
  add_clusters (&b, (disk + size - 1) / size);
  map_model_check_faults (&b.model, &format_qcow2, b.image.bytes,
                          b.image.size);
  map_model_free (&b.model);
  qcow2_image_free (&b.image);
}

START_TEST (test_faulty)
{
  check_faults (0, 9, 10 * 32768);
  check_faults (0, 14, 3000 * 16384 + 100);
  check_faults (QCOW2_EXTENDED_L2, 14, 1500 * 16384 + 100);
}
END_TEST

static void
add_random_tests (Suite *suite)
{
  TCase *tcase = tcase_create ("random");

  tcase_add_loop_test (tcase, test_random, 9, 22);
  tcase_add_loop_test (tcase, test_random_extended, 14, 22);
  tcase_add_test (tcase, test_faulty);
  suite_add_tcase (suite, tcase);
}

int
main (void)
{
  Suite *suite = suite_create ("qcow2-random");

  add_random_tests (suite);
  return run_suite (suite);
}
