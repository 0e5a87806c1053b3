/* SPDX-License-Identifier: BSD-3-Clause */
/* Print the map of a disk image: map IMAGE [FORMAT] */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <vdisk.h>

static const char *
name_of (enum vdisk_kind kind)
{
  switch (kind) {
  case VDISK_HOLE: return "hole";
  case VDISK_ZERO: return "zero";
  case VDISK_DATA: return "data";
  case VDISK_PACKED: return "packed";
  }
  return "?";
}

static int
print_extent (void *opaque, const struct vdisk_extent *extent)
{
  uint64_t *data = opaque;

  printf ("%" PRIu64 " %" PRIu64 " %s\n",
          extent->offset, extent->length, name_of (extent->kind));
  if (extent->kind == VDISK_DATA || extent->kind == VDISK_PACKED)
    *data += extent->length;
  return 0;
}

static void
print_warning (void *opaque, const char *message)
{
  (void) opaque;
  fprintf (stderr, "warning: %s\n", message);
}

int
main (int argc, char *argv[])
{
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk_error error;
  struct vdisk *vdisk;
  uint64_t data = 0;

  if (argc < 2 || options == NULL) {
    fprintf (stderr, "usage: map IMAGE [FORMAT]\n");
    return EXIT_FAILURE;
  }
  vdisk_options_set_warning_callback (options, print_warning, NULL);
  if (argc > 2 &&
      vdisk_options_set (options, "format", argv[2], &error) == -1)
    goto failed;

  vdisk = vdisk_open (argv[1], options, &error);
  if (vdisk == NULL)
    goto failed;
  if (vdisk_extents (vdisk, 0, vdisk_size (vdisk),
                     print_extent, &data, &error) == -1) {
    vdisk_close (vdisk);
    goto failed;
  }
  printf ("%" PRIu64 " of %" PRIu64 " bytes are data\n",
          data, vdisk_size (vdisk));
  vdisk_close (vdisk);
  vdisk_options_free (options);
  return EXIT_SUCCESS;

 failed:
  fprintf (stderr, "%s\n", error.message);
  vdisk_options_free (options);
  return EXIT_FAILURE;
}
