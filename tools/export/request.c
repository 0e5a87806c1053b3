/* SPDX-License-Identifier: BSD-3-Clause */
/* What the options of 'vdisk export' ask for together. */

#include "export/request.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/options.h"
#include "image-options.h"
#include "tool.h"

#define THREADS_DEFAULT_MAX 8

/* Options that do nothing without another. */
static const char *const needs[][3] = {
  { "diff-format", "diff" }, { "backing", "diff", "since" },
  { "backing-format", "backing" }, { "compression-level", "compression" },
  { "since-format", "since" }, { "compare", "since" }, { "apply", "since" },
};

/* Parts are of outputs whose every byte has its place before data is read,
 * and of one disk. */
static const char *const part_options[] = {
  "range", "shard", "resume", "manifest", "verify",
};
static const char *const whole_options[] = {
  "measure", "detect-zeroes", "prealloc", "compression", "diff", "parent",
  "since", "verify",
};

/* Options that exclude each other: of parts, and of formats. */
static const char *const part_exclusions[][2] = {
  { "range", "shard" }, { "range", "resume" }, { "range", "manifest" },
  { "resume", "no-flush" },
};
static const char *const exclusions[][2] = {
  { "data-file", "data-file-raw" }, { "data-file", "compression" },
  { "data-file-raw", "compression" }, { "data-file", "detect-zeroes" },
  { "data-file-raw", "detect-zeroes" }, { "data-file", "diff" },
  { "data-file-raw", "diff" }, { "fixed", "parent" },
  { "fixed", "block-size" }, { "round", "parent" },
  { "since", "diff" }, { "since", "data-file" },
  { "since", "data-file-raw" }, { "apply", "measure" },
  { "apply", "prealloc" },
};

#define COUNT(array) (sizeof (array) / sizeof (array)[0])

static bool
is_given (const struct parsing *parsing, const char *option)
{
  return parsing->given[export_option_number (option)];
}

/* Refuse options that would do nothing, rather than ignore them. */
static bool
check_format_options (const struct parsing *parsing)
{
  const struct export_option *row = export_option_table;

  for (; row->help; ++row)
    if (row->exporter && row->name && is_given (parsing, row->name) &&
        row->exporter != parsing->request->exporter) {
      usage_error ("export", "--%s goes with -O %s", row->name,
                   row->exporter->name);
      return false;
    }
  return true;
}

static bool
check_needs (const struct parsing *parsing)
{
  size_t i;

  for (i = 0; i < COUNT (needs); ++i)
    if (is_given (parsing, needs[i][0]) &&
        !is_given (parsing, needs[i][1]) &&
        (needs[i][2] == NULL || !is_given (parsing, needs[i][2]))) {
      usage_error ("export", "--%s goes with --%s%s%s", needs[i][0],
                   needs[i][1], needs[i][2] ? " or --" : "",
                   needs[i][2] ? needs[i][2] : "");
      return false;
    }
  return true;
}

static bool
excludes (const struct parsing *parsing, const char *option,
          const char *other)
{
  if (!is_given (parsing, option) || !is_given (parsing, other))
    return true;
  usage_error ("export", "--%s does not go with --%s", option, other);
  return false;
}

static bool
check_exclusions (const struct parsing *parsing,
                  const char *const (*pairs)[2], size_t count)
{
  for (; count > 0; ++pairs, --count)
    if (!excludes (parsing, (*pairs)[0], (*pairs)[1]))
      return false;
  return true;
}

static bool
check_parts (const struct parsing *parsing)
{
  size_t i, j;

  for (i = 0; i < COUNT (part_options); ++i)
    for (j = 0; j < COUNT (whole_options); ++j)
      if (strcmp (part_options[i], whole_options[j]) != 0 &&
          !excludes (parsing, part_options[i], whole_options[j]))
        return false;
  return check_exclusions (parsing, part_exclusions,
                           COUNT (part_exclusions));
}

/* Not all formats have a way to say what has not changed. */
static bool
check_since (const struct parsing *parsing)
{
  const struct export_request *request = parsing->request;
  const struct exporter *exporter = request->exporter;

  if (request->view.since == NULL)
    return true;
  if (exporter == &exporter_raw && !request->options.apply)
    usage_error ("export", "--since: a raw disk cannot leave out what has "
                 "not changed: use --apply to change a DEST that has what "
                 "was then, or -O qcow2 or chunked");
  else if (exporter == &exporter_xva)
    usage_error ("export", "--since: an XVA is always imported as a new "
                 "disk, which has nothing of what was then: use -O chunked, "
                 "vhd or qcow2");
  else if (exporter == &exporter_vhd && !is_given (parsing, "parent"))
    usage_error ("export", "--since with -O vhd goes with --parent, the VHD "
                 "that has what was then");
  else if (exporter == &exporter_chunked && request->options.detect_zeroes)
    usage_error ("export", "--detect-zeroes does not go with --since: what "
                 "has become zeros would be left out");
  else
    return true;
  return false;
}

static bool
check_compression (const struct export_options *options)
{
  if (options->compression == COMPRESSION_NONE)
    return true;
  /* Compressed clusters share host clusters, up to some thousands. */
  if (options->refcount_bits < 16)
    usage_error ("export", "--refcount-bits: compression needs 16 at least");
  else if (options->compression == COMPRESSION_ZLIB &&
           options->compression_level > 9)
    usage_error ("export", "--compression-level: zlib's levels are 1 to 9");
  else
    return true;
  return false;
}

static bool
check_combination (const struct parsing *parsing)
{
  const struct export_request *request = parsing->request;

  if (request->measure &&
      request->exporter->is_size_unknown &&
      request->exporter->is_size_unknown (&request->options)) {
    usage_error ("export", "--measure: with --%s the size depends on the "
                 "data", request->options.detect_zeroes
                 ? "detect-zeroes" : "compression");
    return false;
  }
  return check_format_options (parsing) && check_parts (parsing) &&
    check_needs (parsing) && check_since (parsing) &&
    check_exclusions (parsing, exclusions, COUNT (exclusions)) &&
    check_compression (&request->options);
}

static void
set_defaults (struct export_request *request)
{
  const long processors = sysconf (_SC_NPROCESSORS_ONLN);

  request->exporter = exporters[0];
  request->image_options = image_options_new ();
  /* While one writes, others read. */
  request->options.threads = processors < 1 ? 2
    : processors > THREADS_DEFAULT_MAX / 2 ? THREADS_DEFAULT_MAX
    : 2 * processors;
  request->options.cluster_size = 64 << 10;
  request->options.refcount_bits = 16;
  request->options.block_size = 2 << 20;
  request->options.round = 512;
}

static bool
parse (struct parsing *parsing, int argc, char **argv)
{
  struct export_request *request = parsing->request;

  if (!export_options_take (parsing, argc, argv))
    return false;
  if (request->help)
    return true;
  if (!check_combination (parsing))
    return false;
  /* A fixed disk has no blocks. */
  if (request->options.fixed)
    request->options.block_size = 0;
  return export_take_names (request, &parsing->prefixes, argc - optind,
                            argv + optind);
}

bool
export_request_parse (struct export_request *request, int argc, char **argv)
{
  struct parsing parsing = { .request = request };
  bool right;

  set_defaults (request);
  right = parse (&parsing, argc, argv);
  free (parsing.prefixes.at);
  return right;
}

void
export_request_free (struct export_request *request)
{
  size_t i;

  for (i = 0; i < request->source_count; ++i)
    free (request->sources[i].name);
  free (request->sources);
  vdisk_options_free (request->image_options);
}
