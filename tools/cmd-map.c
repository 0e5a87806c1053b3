/* SPDX-License-Identifier: BSD-3-Clause */
/* vdisk map, and its two aliases by the names of vhd-tool's commands: the
 * walk over a disk's extents, which are told to the dialect's writer.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image-options.h"
#include "map/request.h"
#include "map/writer.h"
#include "tool.h"

static void
print_map_help (void)
{
  size_t i;

  puts ("Usage: vdisk map [OPTION]... IMAGE\n"
        "Print what each part of a disk is made of, over its whole chain.\n"
        "\n"
        "  --output=DIALECT        how to print it; see below\n"
        "  --totals                print only bytes and intervals by kind\n"
        "  --start=N               from this offset on\n"
        "  --length=N              so many bytes\n"
        "  --cluster-size=N        of intervals, clusters and bitmap: what to\n"
        "                          count in (default: the image's cluster, or\n"
        "                          a VHD's block)\n"
        "  --bit-order=lsb|msb     of bitmap: which bit of a byte is the first\n"
        "                          (default: lsb, the least significant)\n"
        "  --qemu-version=VERSION  of qemu: 7.2, which does not know the\n"
        "                          key \"compressed\", or 10.0 (default)\n"
        "  --help                  this text\n"
        "N is a number of bytes, or of k, M, G or T (powers of 1024).\n");
  fputs (VIEW_OPTIONS_HELP "\n" IMAGE_OPTIONS_HELP, stdout);
  puts ("\nDialects:");
  for (i = 0; map_writers[i]; ++i)
    printf ("  %-13s %s\n", map_writers[i]->name, map_writers[i]->help);
}

static void
print_alias_help (const struct map_request *request)
{
  printf ("Usage: vdisk %s [OPTION]... IMAGE\n"
          "The same as 'vdisk map --output=%s': JSON %s.\n"
          "\n"
          "  --cluster-size=N        what to count in, in bytes (default:\n"
          "                          the image's cluster, or a VHD's block)\n"
          "  --help                  this text\n"
          "\n", request->command, request->writer->name,
          request->writer->help);
  fputs (VIEW_OPTIONS_HELP "\n" IMAGE_OPTIONS_HELP, stdout);
}

static void
print_help (const struct map_request *request)
{
  if (request->is_alias)
    print_alias_help (request);
  else
    print_map_help ();
}

static bool
check_range (const struct map_request *request, struct map *map)
{
  const uint64_t size = vdisk_size (map->vdisk);

  map->start = request->start;
  map->end = size;
  if (request->start > size) {
    complain ("--start: offset %" PRIu64 " is beyond the end of the disk "
              "(%" PRIu64 " bytes)", request->start, size);
    return false;
  }
  if (!request->has_length)
    return true;
  if (request->length > size - request->start) {
    complain ("--length: %" PRIu64 " bytes at offset %" PRIu64 " reach "
              "beyond the end of the disk (%" PRIu64 " bytes)",
              request->length, request->start, size);
    return false;
  }
  map->end = request->start + request->length;
  return true;
}

/* What each extent of the disk is told to. */
struct walk {
  struct map *map;
  const struct map_writer *writer;
};

static int
take_extent (void *opaque, const struct vdisk_extent *extent)
{
  const struct walk *walk = opaque;

  walk->writer->extent (walk->map, extent);
  return walk->map->out.error != 0;
}

static int
write_map (struct map *map, const struct map_writer *writer)
{
  struct walk walk = { .map = map, .writer = writer };
  struct vdisk_error error;
  int r;

  map->state = calloc (1, writer->state_size);
  if (map->state == NULL) {
    complain ("out of memory");
    return STATUS_ERROR;
  }
  writer->begin (map);
  r = vdisk_extents (map->vdisk, map->start, map->end - map->start,
                     take_extent, &walk, &error);
  if (r == 0)
    writer->end (map);
  out_flush (&map->out);
  free (map->state);
  if (r == -1) {
    complain ("%s", error.message);
    return STATUS_ERROR;
  }
  return STATUS_OK;
}

static int
map_image (const struct map_request *request, const char *image)
{
  const struct map_writer *writer =
    request->totals ? &map_writer_totals : request->writer;
  struct map *map = calloc (1, sizeof *map);
  struct vdisk_error error;
  int status = STATUS_ERROR, output_error = 0;

  if (map == NULL) {
    complain ("out of memory");
    return STATUS_ERROR;
  }
  map->vdisk = view_options_open (&request->view, image, request->options,
                                  &error);
  if (map->vdisk == NULL)
    complain ("%s", error.message);
  else if (check_range (request, map)) {
    map->image = image;
    map->cluster_size = request->cluster_size ? request->cluster_size
      : vdisk_cluster_size (map->vdisk);
    map->msb_first = request->bit_order &&
      strcmp (request->bit_order, "msb") == 0;
    map->qemu_compressed = request->qemu_version == NULL ||
      strcmp (request->qemu_version, "7.2") != 0;
    status = write_map (map, writer);
    output_error = map->out.error;
  }
  vdisk_close (map->vdisk);
  free (map);
  /* For finish_output. */
  errno = output_error;
  return status;
}

static int
run (struct map_request *request, int argc, char **argv)
{
  const char *image;
  int status = STATUS_USAGE;

  request->command = argv[0];
  request->options = image_options_new ();
  image = map_request_parse (request, argc, argv);
  if (image)
    status = map_image (request, image);
  else if (request->help) {
    print_help (request);
    status = STATUS_OK;
  }
  vdisk_options_free (request->options);
  return status;
}

static int
run_map (int argc, char **argv)
{
  struct map_request request = { .writer = map_writers[0] };

  return run (&request, argc, argv);
}

static int
run_read_headers (int argc, char **argv)
{
  struct map_request request = {
    .writer = &map_writer_clusters, .is_alias = true,
  };

  return run (&request, argc, argv);
}

static int
run_read_headers_interval (int argc, char **argv)
{
  struct map_request request = {
    .writer = &map_writer_intervals, .is_alias = true,
  };

  return run (&request, argc, argv);
}

const struct command command_map = {
  .name = "map",
  .summary = "print what each part of the disk is made of",
  .run = run_map,
};

const struct command command_read_headers = {
  .name = "read_headers",
  .summary = "the same as 'map --output=clusters'",
  .run = run_read_headers,
};

const struct command command_read_headers_interval = {
  .name = "read_headers_interval",
  .summary = "the same as 'map --output=intervals'",
  .run = run_read_headers_interval,
};
