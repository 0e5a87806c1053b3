/* SPDX-License-Identifier: BSD-3-Clause */
/* library-walk IMAGE [OPTION=VALUE...]: have libvdisk tell the map of a
 * whole disk, to a callback that does next to nothing.
 */

#include <inttypes.h>
#include <string.h>

#include "bench.h"
#include "vdisk.h"

struct totals {
  uint64_t extents, data;
};

static int
count_extent (void *opaque, const struct vdisk_extent *extent)
{
  struct totals *totals = opaque;

  totals->extents++;
  if (extent->kind == VDISK_DATA || extent->kind == VDISK_PACKED)
    totals->data += extent->length;
  return 0;
}

static struct vdisk_options *
options_of (char *argv[])
{
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk_error error;
  char *value;

  if (options == NULL)
    give_up ("options", "out of memory");
  for (; *argv; ++argv) {
    value = strchr (*argv, '=');
    if (value == NULL)
      give_up (*argv, "no value");
    *value++ = '\0';
    if (vdisk_options_set (options, *argv, value, &error) == -1)
      give_up (*argv, error.message);
  }
  return options;
}

int
main (int argc, char *argv[])
{
  struct vdisk_options *options;
  struct totals totals = { 0 };
  struct vdisk_error error;
  struct vdisk *vdisk;
  double began = now (), cpu = cpu_seconds ();

  if (argc < 2)
    give_up ("usage", "library-walk IMAGE [OPTION=VALUE...]");
  options = options_of (&argv[2]);
  vdisk = vdisk_open (argv[1], options, &error);
  if (vdisk == NULL)
    give_up (argv[1], error.message);
  if (vdisk_extents (vdisk, 0, vdisk_size (vdisk), count_extent, &totals,
                     &error) == -1)
    give_up (argv[1], error.message);
  printf ("wall %.6f\ncpu %.6f\n", now () - began, cpu_seconds () - cpu);
  printf ("pieces %" PRIu64 "\ndata %" PRIu64 "\n", totals.extents,
          totals.data);
  vdisk_close (vdisk);
  vdisk_options_free (options);
  return 0;
}
