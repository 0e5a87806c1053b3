/* SPDX-License-Identifier: BSD-3-Clause */
/* Options of 'vdisk map'. */

#include "map/request.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image-options.h"
#include "parse.h"
#include "tool.h"
#include "util/suggestion.h"

/* As qcow2's and vhd's: no cluster is smaller. */
#define CLUSTER_SIZE_MIN 512

enum {
  OPTION_OUTPUT = OPTION_COMMAND,
  OPTION_START,
  OPTION_LENGTH,
  OPTION_TOTALS,
  OPTION_CLUSTER_SIZE,
  OPTION_QEMU_VERSION,
  OPTION_BIT_ORDER,
  OPTION_HELP,
  OPTION_VIEW,                  /* and those after it */
};

static const struct option map_longopts[] = {
  { "output",       required_argument, NULL, OPTION_OUTPUT },
  { "start",        required_argument, NULL, OPTION_START },
  { "length",       required_argument, NULL, OPTION_LENGTH },
  { "totals",       no_argument,       NULL, OPTION_TOTALS },
  { "cluster-size", required_argument, NULL, OPTION_CLUSTER_SIZE },
  { "qemu-version", required_argument, NULL, OPTION_QEMU_VERSION },
  { "bit-order",    required_argument, NULL, OPTION_BIT_ORDER },
  { "help",         no_argument,       NULL, OPTION_HELP },
  VIEW_OPTIONS (OPTION_VIEW),
  IMAGE_OPTIONS,
  { NULL, 0, NULL, 0 }
};

static const struct option alias_longopts[] = {
  { "cluster-size", required_argument, NULL, OPTION_CLUSTER_SIZE },
  { "help",         no_argument,       NULL, OPTION_HELP },
  VIEW_OPTIONS (OPTION_VIEW),
  IMAGE_OPTIONS,
  { NULL, 0, NULL, 0 }
};

/* Take the value of an option that is a number of bytes. */
static bool
take_bytes (const struct map_request *request, const char *name,
            uint64_t *bytes)
{
  if (parse_bytes (optarg, bytes))
    return true;
  usage_error (request->command, "--%s: '%s' is not a number of bytes: "
               "digits, and perhaps one of k, M, G, T", name, optarg);
  return false;
}

static bool
take_cluster_size (struct map_request *request)
{
  uint64_t *size = &request->cluster_size;

  if (!take_bytes (request, "cluster-size", size))
    return false;
  if (*size >= CLUSTER_SIZE_MIN && (*size & (*size - 1)) == 0)
    return true;
  usage_error (request->command, "--cluster-size: '%s' is not a power of "
               "two of at least %d", optarg, CLUSTER_SIZE_MIN);
  return false;
}

static bool
take_output (struct map_request *request)
{
  struct suggestion suggestion;
  char names[512] = "";
  size_t i;

  request->writer = map_writer_by_name (optarg);
  if (request->writer)
    return true;
  suggestion_start (&suggestion, optarg);
  for (i = 0; map_writers[i]; ++i) {
    suggestion_consider (&suggestion, map_writers[i]->name);
    strcat (names, i > 0 ? ", " : "");
    strcat (names, map_writers[i]->name);
  }
  usage_error (request->command, "--output: '%s' is not a dialect: there "
               "are %s%s", optarg, names, suggestion_text (&suggestion));
  return false;
}

static bool
take_qemu_version (struct map_request *request)
{
  request->qemu_version = optarg;
  if (strcmp (optarg, "7.2") == 0 || strcmp (optarg, "10.0") == 0)
    return true;
  usage_error (request->command, "--qemu-version: '%s' is neither 7.2 nor "
               "10.0", optarg);
  return false;
}

static bool
take_bit_order (struct map_request *request)
{
  request->bit_order = optarg;
  if (strcmp (optarg, "lsb") == 0 || strcmp (optarg, "msb") == 0)
    return true;
  usage_error (request->command, "--bit-order: '%s' is neither lsb nor msb",
               optarg);
  return false;
}

/* Take one option.  False, with a message printed, if it is wrong. */
static bool
take_option (struct map_request *request, int opt,
             const struct option *longopts, int index)
{
  switch (opt) {
  case OPTION_OUTPUT:       return take_output (request);
  case OPTION_START:        return take_bytes (request, "start",
                                               &request->start);
  case OPTION_LENGTH:       request->has_length = true;
                            return take_bytes (request, "length",
                                               &request->length);
  case OPTION_CLUSTER_SIZE: return take_cluster_size (request);
  case OPTION_QEMU_VERSION: return take_qemu_version (request);
  case OPTION_BIT_ORDER:    return take_bit_order (request);
  case OPTION_TOTALS:       return request->totals = true;
  case OPTION_HELP:         return request->help = true;
  case OPTION_IMAGE:
  case OPTION_FORCE_SHARE:
  case OPTION_VERBOSE:
    return image_options_take (request->options, request->command, opt,
                               longopts, index);
  default:
    if (opt < OPTION_VIEW || opt >= OPTION_VIEW + VIEW_COUNT)
      return false;
    view_options_take (&request->view, opt - OPTION_VIEW, optarg);
    return true;
  }
}

/* Refuse options that would do nothing, rather than ignore them. */
static bool
check_combination (struct map_request *request)
{
  const struct map_writer *writer = request->writer;

  if (request->totals && writer != map_writers[0])
    usage_error (request->command, "--totals is a table of its own, and "
                 "goes with no --output");
  else if (request->cluster_size != 0 &&
           writer != &map_writer_clusters &&
           writer != &map_writer_intervals && writer != &map_writer_bitmap)
    usage_error (request->command, "--cluster-size goes with "
                 "--output=intervals, clusters and bitmap");
  else if (request->bit_order && writer != &map_writer_bitmap)
    usage_error (request->command, "--bit-order goes with --output=bitmap");
  else if (request->qemu_version && writer != &map_writer_qemu)
    usage_error (request->command, "--qemu-version goes with "
                 "--output=qemu");
  else
    return true;
  return false;
}

const char *
map_request_parse (struct map_request *request, int argc, char **argv)
{
  const struct option *longopts =
    request->is_alias ? alias_longopts : map_longopts;
  int opt, index = 0;

  while ((opt = next_option (argc, argv, IMAGE_SHORT_OPTIONS, longopts,
                             &index)) != -1)
    if (!take_option (request, opt, longopts, index))
      return NULL;
  if (request->help)
    return NULL;
  if (argc - optind != 1) {
    usage_error (request->command, argc == optind ? "an image is missing"
                 : "there can be only one image");
    return NULL;
  }
  return check_combination (request) ? argv[optind] : NULL;
}
