/* SPDX-License-Identifier: BSD-3-Clause */
/* Raw disks with random holes. */

#include "holey-disk.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "image.h"
#include "options.h"
#include "reference.h"
#include "source/memory.h"
#include "support.h"
#include "util/minmax.h"

static void
fill (struct disk *disk, struct random *random, uint64_t data_max,
      uint64_t hole_max)
{
  uint64_t offset = 0;
  size_t i;

  for (i = 0; i < disk->size; ++i)
    disk->bytes[i] = 1 + random_below (random, 255);
  while (disk->hole_count < HOLES_MAX && offset < disk->size) {
    uint64_t *hole = disk->holes[disk->hole_count];

    hole[0] = offset + random_below (random, data_max);
    hole[1] = hole[0] + 1 + random_below (random, hole_max);
    hole[1] = min_u64 (hole[1], disk->size);
    if (hole[0] >= hole[1])
      break;
    memset (disk->bytes + hole[0], 0, hole[1] - hole[0]);
    offset = hole[1] + 1;
    disk->hole_count++;
  }
}

void
disk_open_runs (struct disk *disk, struct random *random, uint64_t size,
                uint64_t data_max, uint64_t hole_max)
{
  const struct resolver resolver = { .open = NULL };
  struct vdisk_options *options = vdisk_options_new ();

  memset (disk, 0, sizeof *disk);
  disk->size = size;
  disk->bytes = malloc (size + 1);
  ck_assert_ptr_nonnull (disk->bytes);
  fill (disk, random, data_max, hole_max);
  ck_assert_int_eq (vdisk_options_set (options, "format", "raw", NULL), 0);
  disk->vdisk = image_open (
    source_holey (source_memory ("disk", disk->bytes, size),
                  (const uint64_t (*)[2]) disk->holes, disk->hole_count),
    options, &resolver, NULL);
  vdisk_options_free (options);
  ck_assert_ptr_nonnull (disk->vdisk);
}

void
disk_open (struct disk *disk, struct random *random, uint64_t size)
{
  disk_open_runs (disk, random, size, 100000, 200000);
}

void
disk_close (struct disk *disk)
{
  vdisk_close (disk->vdisk);
  free (disk->bytes);
}
