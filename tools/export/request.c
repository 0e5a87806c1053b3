/* SPDX-License-Identifier: BSD-3-Clause */
/* Options of 'vdisk export'. */

#include "export/request.h"

#include <ctype.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/request-names.h"
#include "image-options.h"
#include "parse.h"
#include "tool.h"
#include "util/align.h"
#include "util/suggestion.h"
#include "util/uuid.h"
#include "util/zstd-codec.h"

#define THREADS_MAX 64
#define THREADS_DEFAULT_MAX 8

/* Of qcow2. */
#define CLUSTER_SIZE_MIN 512
#define CLUSTER_SIZE_MAX (2 << 20)
#define REFCOUNT_BITS_MAX 64

/* Of VHDs.  Everyone uses 2 MiB. */
#define BLOCK_SIZE_MIN 4096
#define BLOCK_SIZE_MAX (16 << 20)
#define BLOCK_SIZE_DEFAULT (2 << 20)

/* The largest disk is a multiple of the largest. */
#define ROUND_MIN 512
#define ROUND_MAX (1 << 30)

enum {
  OPTION_OUTPUT = OPTION_COMMAND,
  OPTION_MEASURE,
  OPTION_THREADS,
  OPTION_PROGRESS,
  OPTION_HELP,
  OPTION_DETECT_ZEROES,
  OPTION_NO_FLUSH,
  OPTION_RANGE,
  OPTION_SHARD,
  OPTION_RESUME,
  OPTION_MANIFEST,
  OPTION_VERIFY,
  OPTION_PREALLOC,
  OPTION_CLUSTER_SIZE,
  OPTION_REFCOUNT_BITS,
  OPTION_DATA_FILE,
  OPTION_DATA_FILE_RAW,
  OPTION_DIFF,
  OPTION_DIFF_FORMAT,
  OPTION_BACKING,
  OPTION_BACKING_FORMAT,
  OPTION_COMPRESSION,
  OPTION_COMPRESSION_LEVEL,
  OPTION_BLOCK_SIZE,
  OPTION_FIXED,
  OPTION_PARENT,
  OPTION_UUID,
  OPTION_ROUND,
  OPTION_PREFIX,
  OPTION_CHECKSUM,
  OPTION_OVA_XML,
  OPTIONS_END,
};

static const struct option longopts[] = {
  { "output",            required_argument, NULL, OPTION_OUTPUT },
  { "measure",           no_argument,       NULL, OPTION_MEASURE },
  { "threads",           required_argument, NULL, OPTION_THREADS },
  { "progress",          required_argument, NULL, OPTION_PROGRESS },
  { "help",              no_argument,       NULL, OPTION_HELP },
  { "detect-zeroes",     no_argument,       NULL, OPTION_DETECT_ZEROES },
  { "no-flush",          no_argument,       NULL, OPTION_NO_FLUSH },
  { "range",             required_argument, NULL, OPTION_RANGE },
  { "shard",             required_argument, NULL, OPTION_SHARD },
  { "resume",            no_argument,       NULL, OPTION_RESUME },
  { "manifest",          required_argument, NULL, OPTION_MANIFEST },
  { "verify",            required_argument, NULL, OPTION_VERIFY },
  { "prealloc",          no_argument,       NULL, OPTION_PREALLOC },
  { "cluster-size",      required_argument, NULL, OPTION_CLUSTER_SIZE },
  { "refcount-bits",     required_argument, NULL, OPTION_REFCOUNT_BITS },
  { "data-file",         required_argument, NULL, OPTION_DATA_FILE },
  { "data-file-raw",     required_argument, NULL, OPTION_DATA_FILE_RAW },
  { "diff",              required_argument, NULL, OPTION_DIFF },
  { "diff-format",       required_argument, NULL, OPTION_DIFF_FORMAT },
  { "backing",           required_argument, NULL, OPTION_BACKING },
  { "backing-format",    required_argument, NULL, OPTION_BACKING_FORMAT },
  { "compression",       required_argument, NULL, OPTION_COMPRESSION },
  { "compression-level", required_argument, NULL, OPTION_COMPRESSION_LEVEL },
  { "block-size",        required_argument, NULL, OPTION_BLOCK_SIZE },
  { "fixed",             no_argument,       NULL, OPTION_FIXED },
  { "parent",            required_argument, NULL, OPTION_PARENT },
  { "uuid",              required_argument, NULL, OPTION_UUID },
  { "round",             required_argument, NULL, OPTION_ROUND },
  { "prefix",            required_argument, NULL, OPTION_PREFIX },
  { "checksum",          required_argument, NULL, OPTION_CHECKSUM },
  { "ova-xml",           required_argument, NULL, OPTION_OVA_XML },
  IMAGE_OPTIONS,
  { NULL, 0, NULL, 0 }
};

/* Options that only one format has. */
static const struct { int option; const struct exporter *exporter; }
format_options[] = {
  { OPTION_PREALLOC, &exporter_raw },
  { OPTION_CLUSTER_SIZE, &exporter_qcow2 },
  { OPTION_REFCOUNT_BITS, &exporter_qcow2 },
  { OPTION_DATA_FILE, &exporter_qcow2 },
  { OPTION_DATA_FILE_RAW, &exporter_qcow2 },
  { OPTION_DIFF, &exporter_qcow2 },
  { OPTION_DIFF_FORMAT, &exporter_qcow2 },
  { OPTION_BACKING, &exporter_qcow2 },
  { OPTION_BACKING_FORMAT, &exporter_qcow2 },
  { OPTION_COMPRESSION, &exporter_qcow2 },
  { OPTION_COMPRESSION_LEVEL, &exporter_qcow2 },
  { OPTION_BLOCK_SIZE, &exporter_vhd },
  { OPTION_FIXED, &exporter_vhd },
  { OPTION_PARENT, &exporter_vhd },
  { OPTION_UUID, &exporter_vhd },
  { OPTION_ROUND, &exporter_vhd },
  { OPTION_PREFIX, &exporter_xva },
  { OPTION_CHECKSUM, &exporter_xva },
  { OPTION_OVA_XML, &exporter_xva },
};

#define FORMAT_OPTIONS (sizeof format_options / sizeof format_options[0])

/* Parsing under way. */
struct parsing {
  struct export_request *request;
  bool given[OPTIONS_END];
  struct export_prefixes prefixes;
};

static bool
wrong (const char *option, const char *rule)
{
  usage_error ("export", "--%s: '%s' is not %s", option, optarg, rule);
  return false;
}

/* The same of one of a few words. */
static bool
wrong_word (const char *option, const char *rule,
            struct suggestion *suggestion)
{
  usage_error ("export", "--%s: '%s' is not %s%s", option, optarg, rule,
               suggestion_text (suggestion));
  return false;
}

/* Take a whole number from min to max. */
static bool
take_number (const char *option, uint64_t min, uint64_t max, uint64_t *n)
{
  char rule[96];

  if (parse_bytes (optarg, n) && isdigit (optarg[strlen (optarg) - 1]) &&
      *n >= min && *n <= max)
    return true;
  snprintf (rule, sizeof rule, "a number from %" PRIu64 " to %" PRIu64, min,
            max);
  return wrong (option, rule);
}

/* Take a number of bytes that is a power of two. */
static bool
take_power (const char *option, uint64_t min, uint64_t max, uint64_t *n)
{
  char rule[96];

  if (parse_bytes (optarg, n) && is_power_of_2 (*n) && *n >= min &&
      *n <= max)
    return true;
  snprintf (rule, sizeof rule, "a power of two from %" PRIu64 " to %" PRIu64,
            min, max);
  return wrong (option, rule);
}

/* Take one of the words, of which there are 'count'. */
static bool
take_word (const char *option, const char *const *words, size_t count,
           size_t *found)
{
  struct suggestion suggestion;
  char rule[128] = "one of";
  size_t i;

  suggestion_start (&suggestion, optarg);
  for (i = 0; i < count; ++i) {
    if (strcmp (optarg, words[i]) == 0) {
      *found = i;
      return true;
    }
    strcat (strcat (rule, i > 0 ? ", " : " "), words[i]);
    suggestion_consider (&suggestion, words[i]);
  }
  return wrong_word (option, rule, &suggestion);
}

static bool
take_output (struct export_request *request)
{
  struct suggestion suggestion;
  size_t i;

  request->exporter = exporter_by_name (optarg);
  if (request->exporter)
    return true;
  suggestion_start (&suggestion, optarg);
  for (i = 0; exporters[i]; ++i)
    suggestion_consider (&suggestion, exporters[i]->name);
  return wrong_word ("output", "raw, qcow2, vhd, xva or chunked",
                     &suggestion);
}

static bool
take_progress (struct export_request *request)
{
  static const char *const words[] = { "none", "bar", "machine", "json" };
  size_t i;

  if (!take_word ("progress", words, 4, &i))
    return false;
  request->has_progress = true;
  request->progress = i;
  return true;
}

static bool
take_threads (struct export_request *request)
{
  uint64_t n;

  if (!take_number ("threads", 1, THREADS_MAX, &n))
    return false;
  request->options.threads = n;
  return true;
}

static bool
take_refcount_bits (struct export_options *options)
{
  uint64_t n;

  if (!take_power ("refcount-bits", 1, REFCOUNT_BITS_MAX, &n))
    return false;
  options->refcount_bits = n;
  return true;
}

static bool
take_compression (struct export_options *options, const char *word)
{
  if (strcmp (word, "zlib") == 0)
    options->compression = COMPRESSION_ZLIB;
  else if (strcmp (word, "zstd") == 0)
    options->compression = COMPRESSION_ZSTD;
  else
    return wrong ("compression", "zlib or zstd");
  if (options->compression == COMPRESSION_ZSTD && !zstd_is_built_in) {
    usage_error ("export", "--compression=zstd cannot be written: built "
                 "without libzstd");
    return false;
  }
  return true;
}

static bool
take_compression_level (struct export_options *options)
{
  uint64_t n;

  /* zstd's highest; zlib's is checked when it is known which it is. */
  if (!take_number ("compression-level", 1, 22, &n))
    return false;
  options->compression_level = n;
  return true;
}

static bool
take_checksum (struct export_options *options)
{
  static const char *const words[] = { "xxhash", "sha1" };
  size_t i;

  if (!take_word ("checksum", words, 2, &i))
    return false;
  options->sha1 = i == 1;
  return true;
}

static bool
take_uuid (struct export_options *options)
{
  uint8_t uuid[16];

  options->uuid = optarg;
  return uuid_parse (optarg, uuid) || wrong ("uuid", "a UUID");
}

static bool
take_diff_format (struct export_request *request)
{
  struct suggestion suggestion;
  const char *const *name;

  request->base_format = optarg;
  if (strcmp (optarg, "vpc") == 0)
    return true;
  for (name = vdisk_formats (); *name; ++name)
    if (strcmp (optarg, *name) == 0)
      return true;
  suggestion_among (&suggestion, optarg, vdisk_formats ());
  return wrong_word ("diff-format", "vhd, qcow2, qed or raw", &suggestion);
}

static bool
take_prefix (struct export_prefixes *prefixes)
{
  char **at;

  if (!is_export_prefix (optarg))
    return wrong ("prefix", "letters, a colon and a number, as in Ref:7");
  at = reallocarray (prefixes->at, prefixes->count + 1, sizeof *at);
  if (at == NULL) {
    complain ("out of memory");
    return false;
  }
  prefixes->at = at;
  at[prefixes->count++] = optarg;
  return true;
}

/* Take the value of the option number 'index' as it is. */
static bool
take_name (int index, const char **name)
{
  *name = optarg;
  return *optarg != '\0' || wrong (longopts[index].name, "a name");
}

static bool
take_part (struct export_request *request,
           int (*take) (struct export_parts *parts, const char *text,
                        struct vdisk_error *error))
{
  struct vdisk_error error = { 0 };

  if (take (&request->parts, optarg, &error) == 0)
    return true;
  usage_error ("export", "%s", error.message);
  return false;
}

static bool
take_option (struct parsing *parsing, int opt, int index)
{
  struct export_request *request = parsing->request;
  struct export_options *options = &request->options;

  if (opt < OPTIONS_END)
    parsing->given[opt] = true;
  switch (opt) {
  case 'O':
  case OPTION_OUTPUT:         return take_output (request);
  case OPTION_MEASURE:        return request->measure = true;
  case OPTION_THREADS:        return take_threads (request);
  case OPTION_PROGRESS:       return take_progress (request);
  case OPTION_HELP:           return request->help = true;
  case OPTION_DETECT_ZEROES:  return options->detect_zeroes = true;
  case OPTION_NO_FLUSH:       return options->no_flush = true;
  case OPTION_RANGE:          return take_part (request, parts_take_range);
  case OPTION_SHARD:          return take_part (request, parts_take_shard);
  case OPTION_RESUME:         return request->parts.resume = true;
  case OPTION_MANIFEST:
    return take_name (index, &request->parts.manifest);
  case OPTION_VERIFY:
    return take_name (index, &request->parts.verify);
  case OPTION_PREALLOC:       return options->preallocate = true;
  case OPTION_CLUSTER_SIZE:
    return take_power ("cluster-size", CLUSTER_SIZE_MIN, CLUSTER_SIZE_MAX,
                       &options->cluster_size);
  case OPTION_REFCOUNT_BITS:  return take_refcount_bits (options);
  case OPTION_DATA_FILE_RAW:  options->data_file_raw = true;
                              /* fall through */
  case OPTION_DATA_FILE:      return take_name (index, &options->data_file);
  case OPTION_PARENT:
  case OPTION_DIFF:           return take_name (index, &request->base);
  case OPTION_DIFF_FORMAT:    return take_diff_format (request);
  case OPTION_BACKING:        return take_name (index, &options->backing);
  case OPTION_BACKING_FORMAT:
    return take_name (index, &options->backing_format);
  case 'c':
    parsing->given[OPTION_COMPRESSION] = true;
    return take_compression (options, "zlib");
  case OPTION_COMPRESSION:    return take_compression (options, optarg);
  case OPTION_COMPRESSION_LEVEL: return take_compression_level (options);
  case OPTION_BLOCK_SIZE:
    return take_power ("block-size", BLOCK_SIZE_MIN, BLOCK_SIZE_MAX,
                       &options->block_size);
  case OPTION_FIXED:          return options->fixed = true;
  case OPTION_UUID:           return take_uuid (options);
  case OPTION_ROUND:
    return take_power ("round", ROUND_MIN, ROUND_MAX, &options->round);
  case OPTION_PREFIX:         return take_prefix (&parsing->prefixes);
  case OPTION_CHECKSUM:       return take_checksum (options);
  case OPTION_OVA_XML:        return take_name (index, &options->ova_xml);
  case OPTION_IMAGE:
  case OPTION_FORCE_SHARE:
  case OPTION_VERBOSE:
    return image_options_take (request->image_options, "export", opt,
                               longopts, index);
  default:
    return false;
  }
}

static const char *
name_of_option (int option)
{
  size_t i;

  for (i = 0; longopts[i].val != option; ++i)
    ;
  return longopts[i].name;
}

/* Refuse options that would do nothing, rather than ignore them. */
static bool
check_format_options (const struct parsing *parsing)
{
  const struct exporter *exporter = parsing->request->exporter;
  size_t i;

  for (i = 0; i < FORMAT_OPTIONS; ++i)
    if (parsing->given[format_options[i].option] &&
        format_options[i].exporter != exporter) {
      usage_error ("export", "--%s goes with -O %s",
                   name_of_option (format_options[i].option),
                   format_options[i].exporter->name);
      return false;
    }
  return true;
}

static bool
needs (const struct parsing *parsing, int option, int other)
{
  if (!parsing->given[option] || parsing->given[other])
    return true;
  usage_error ("export", "--%s goes with --%s", name_of_option (option),
               name_of_option (other));
  return false;
}

static bool
excludes (const struct parsing *parsing, int option, int other)
{
  if (!parsing->given[option] || !parsing->given[other])
    return true;
  usage_error ("export", "--%s does not go with --%s",
               name_of_option (option), name_of_option (other));
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

/* Parts are of outputs whose every byte has its place before data is read,
 * and of one disk. */
static bool
check_parts (const struct parsing *parsing)
{
  static const int parts[] = {
    OPTION_RANGE, OPTION_SHARD, OPTION_RESUME, OPTION_MANIFEST,
    OPTION_VERIFY,
  };
  static const int others[] = {
    OPTION_MEASURE, OPTION_DETECT_ZEROES, OPTION_PREALLOC,
    OPTION_COMPRESSION, OPTION_DIFF, OPTION_PARENT, OPTION_VERIFY,
  };
  size_t i, j;

  for (i = 0; i < sizeof parts / sizeof parts[0]; ++i)
    for (j = 0; j < sizeof others / sizeof others[0]; ++j)
      if (parts[i] != others[j] && !excludes (parsing, parts[i], others[j]))
        return false;
  return excludes (parsing, OPTION_RANGE, OPTION_SHARD) &&
    excludes (parsing, OPTION_RANGE, OPTION_RESUME) &&
    excludes (parsing, OPTION_RANGE, OPTION_MANIFEST) &&
    excludes (parsing, OPTION_RESUME, OPTION_NO_FLUSH);
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
    needs (parsing, OPTION_DIFF_FORMAT, OPTION_DIFF) &&
    needs (parsing, OPTION_BACKING, OPTION_DIFF) &&
    needs (parsing, OPTION_BACKING_FORMAT, OPTION_BACKING) &&
    needs (parsing, OPTION_COMPRESSION_LEVEL, OPTION_COMPRESSION) &&
    excludes (parsing, OPTION_DATA_FILE, OPTION_DATA_FILE_RAW) &&
    excludes (parsing, OPTION_DATA_FILE, OPTION_COMPRESSION) &&
    excludes (parsing, OPTION_DATA_FILE_RAW, OPTION_COMPRESSION) &&
    excludes (parsing, OPTION_DATA_FILE, OPTION_DETECT_ZEROES) &&
    excludes (parsing, OPTION_DATA_FILE_RAW, OPTION_DETECT_ZEROES) &&
    excludes (parsing, OPTION_DATA_FILE, OPTION_DIFF) &&
    excludes (parsing, OPTION_DATA_FILE_RAW, OPTION_DIFF) &&
    excludes (parsing, OPTION_FIXED, OPTION_PARENT) &&
    excludes (parsing, OPTION_FIXED, OPTION_BLOCK_SIZE) &&
    excludes (parsing, OPTION_ROUND, OPTION_PARENT) &&
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
  request->options.block_size = BLOCK_SIZE_DEFAULT;
  request->options.round = ROUND_MIN;
}

static bool
parse (struct parsing *parsing, int argc, char **argv)
{
  int opt, index = 0;

  while ((opt = next_option (argc, argv, IMAGE_SHORT_OPTIONS "O:c", longopts,
                             &index)) != -1)
    if (!take_option (parsing, opt, index))
      return false;
  return parsing->request->help ||
    (check_combination (parsing) &&
     export_take_names (parsing->request, &parsing->prefixes,
                        argc - optind, argv + optind));
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
