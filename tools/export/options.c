/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of options, what is done with it: taking them, the help, and
 * telling them to outputs; and how values are taken.
 */

#include "export/options.h"

#include <ctype.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image-options.h"
#include "parse.h"
#include "tool.h"
#include "util/align.h"
#include "util/suggestion.h"
#include "util/uuid.h"
#include "util/zstd-codec.h"

#define THREADS_MAX 64
#define LEVEL_MAX 22            /* zstd's; zlib's is checked when it is known
                                   which it is */

static bool
wrong (const struct export_option *option, const char *value,
       const char *rule)
{
  usage_error ("export", "--%s: '%s' is not %s", option->name, value, rule);
  return false;
}

/* The same of one of a few words. */
static bool
wrong_word (const struct export_option *option, const char *value,
            const char *rule, struct suggestion *suggestion)
{
  usage_error ("export", "--%s: '%s' is not %s%s", option->name, value, rule,
               suggestion_text (suggestion));
  return false;
}

static void *
member (struct parsing *parsing, const struct export_option *option)
{
  return (char *) parsing->request + option->at;
}

/* --- Values of some kind ------------------------------------------------ */

/* bool */
static bool
take_flag (struct parsing *parsing, const struct export_option *option,
           const char *value)
{
  (void) value;
  return *(bool *) member (parsing, option) = true;
}

/* const char *, not empty */
static bool
take_name (struct parsing *parsing, const struct export_option *option,
           const char *value)
{
  *(const char **) member (parsing, option) = value;
  return *value != '\0' || wrong (option, value, "a name");
}

/* uint64_t: a whole number */
static bool
take_number (struct parsing *parsing, const struct export_option *option,
             const char *value)
{
  uint64_t *number = member (parsing, option);
  char rule[96];

  if (parse_bytes (value, number) && isdigit (value[strlen (value) - 1]) &&
      *number >= option->min && *number <= option->max)
    return true;
  snprintf (rule, sizeof rule, "a number from %" PRIu64 " to %" PRIu64,
            option->min, option->max);
  return wrong (option, value, rule);
}

/* uint64_t: a number of bytes that is a power of two */
static bool
take_power (struct parsing *parsing, const struct export_option *option,
            const char *value)
{
  uint64_t *number = member (parsing, option);
  char rule[96];

  if (parse_bytes (value, number) && is_power_of_2 (*number) &&
      *number >= option->min && *number <= option->max)
    return true;
  snprintf (rule, sizeof rule, "a power of two from %" PRIu64 " to %" PRIu64,
            option->min, option->max);
  return wrong (option, value, rule);
}

/* unsigned: which of the words */
static bool
take_word (struct parsing *parsing, const struct export_option *option,
           const char *value)
{
  struct suggestion suggestion;
  char rule[128] = "one of";
  unsigned i;

  suggestion_start (&suggestion, value);
  for (i = 0; option->words[i]; ++i) {
    if (strcmp (value, option->words[i]) == 0) {
      *(unsigned *) member (parsing, option) = i;
      return true;
    }
    strcat (strcat (rule, i > 0 ? ", " : " "), option->words[i]);
    suggestion_consider (&suggestion, option->words[i]);
  }
  return wrong_word (option, value, rule, &suggestion);
}

/* --- Values of one option ----------------------------------------------- */

static bool
take_output (struct parsing *parsing, const struct export_option *option,
             const char *value)
{
  struct suggestion suggestion;
  size_t i;

  parsing->request->exporter = exporter_by_name (value);
  if (parsing->request->exporter)
    return true;
  suggestion_start (&suggestion, value);
  for (i = 0; exporters[i]; ++i)
    suggestion_consider (&suggestion, exporters[i]->name);
  return wrong_word (option, value, "raw, qcow2, vhd, xva or chunked",
                     &suggestion);
}

static bool
take_progress (struct parsing *parsing, const struct export_option *option,
               const char *value)
{
  parsing->request->has_progress = true;
  return take_word (parsing, option, value);
}

static bool
take_part (int (*take) (struct export_parts *parts, const char *text,
                        struct vdisk_error *error),
           struct parsing *parsing, const char *value)
{
  struct vdisk_error error = { 0 };

  if (take (&parsing->request->parts, value, &error) == 0)
    return true;
  usage_error ("export", "%s", error.message);
  return false;
}

static bool
take_range (struct parsing *parsing, const struct export_option *option,
            const char *value)
{
  (void) option;
  return take_part (parts_take_range, parsing, value);
}

static bool
take_shard (struct parsing *parsing, const struct export_option *option,
            const char *value)
{
  (void) option;
  return take_part (parts_take_shard, parsing, value);
}

static bool
take_compression (struct parsing *parsing,
                  const struct export_option *option, const char *value)
{
  struct export_options *options = &parsing->request->options;

  if (strcmp (value, "zlib") == 0)
    options->compression = COMPRESSION_ZLIB;
  else if (strcmp (value, "zstd") == 0)
    options->compression = COMPRESSION_ZSTD;
  else
    return wrong (option, value, "zlib or zstd");
  if (options->compression == COMPRESSION_ZSTD && !zstd_is_built_in) {
    usage_error ("export", "--compression=zstd cannot be written: built "
                 "without libzstd");
    return false;
  }
  return true;
}

static bool
take_c (struct parsing *parsing, const struct export_option *option,
        const char *value)
{
  (void) value;
  parsing->given[export_option_number ("compression")] = true;
  return take_compression (parsing, option, "zlib");
}

static bool
take_uuid (struct parsing *parsing, const struct export_option *option,
           const char *value)
{
  uint8_t uuid[16];

  parsing->request->options.uuid = value;
  return uuid_parse (value, uuid) || wrong (option, value, "a UUID");
}

static bool
take_diff_format (struct parsing *parsing,
                  const struct export_option *option, const char *value)
{
  struct suggestion suggestion;
  const char *const *name;

  parsing->request->base_format = value;
  if (strcmp (value, "vpc") == 0)
    return true;
  for (name = vdisk_formats (); *name; ++name)
    if (strcmp (value, *name) == 0)
      return true;
  suggestion_among (&suggestion, value, vdisk_formats ());
  return wrong_word (option, value, "vhd, qcow2, qed or raw", &suggestion);
}

static bool
take_prefix (struct parsing *parsing, const struct export_option *option,
             const char *value)
{
  struct export_prefixes *prefixes = &parsing->prefixes;
  char **at;

  if (!is_export_prefix (value))
    return wrong (option, value,
                  "letters, a colon and a number, as in Ref:7");
  at = reallocarray (prefixes->at, prefixes->count + 1, sizeof *at);
  if (at == NULL) {
    complain ("out of memory");
    return false;
  }
  prefixes->at = at;
  at[prefixes->count++] = (char *) value;
  return true;
}

/* --- The table ---------------------------------------------------------- */

static const char *const progress_words[] = {
  "none", "bar", "machine", "json", NULL,
};
static const char *const checksum_words[] = { "xxhash", "sha1", NULL };

#define AT(name) .at = offsetof (struct export_request, name)
#define QCOW2 .exporter = &exporter_qcow2
#define VHD .exporter = &exporter_vhd
#define XVA .exporter = &exporter_xva

/* Those of one format stand together, in the order of the formats; outputs
 * are told of theirs in this order, which manifests have. */
const struct export_option export_option_table[] = {
  { "output", 'O', "FORMAT", .take = take_output,
    .help = "the format; see below" },
  { "measure", .take = take_flag, AT (measure),
    .help = "print how many bytes it will have, and\nwrite nothing" },
  { "detect-zeroes", .take = take_flag, AT (options.detect_zeroes),
    .help = "leave out data that is all zeros" },
  { "view", 0, "VIEW", .take = take_name, AT (view.view),
    .help = "what of SOURCE: active (default),\nsnapshot/NAME, "
            "bitmap/NAME, layer/N,\ndiff/VIEW..VIEW" },
  { "since", 0, "VIEW|FILE", .take = take_name, AT (view.since),
    .help = "only what has changed since that view, or\nanother image" },
  { "since-format", 0, "FORMAT", .take = take_name, AT (view.since_format),
    .help = "of that file (default: auto)" },
  { "compare", .take = take_flag, AT (view.compare),
    .help = "compare bytes where structures differ" },
  { "range", 0, "A-B", .take = take_range,
    .help = "only the bytes A to B of the output" },
  { "shard", 0, "K/N", .take = take_shard,
    .help = "only the K-th of N parts, in its place in\n"
            "DEST; auto, auto/N: by the number that\n"
            "Slurm, GNU parallel, ... give to a job" },
  { "resume", .take = take_flag, AT (parts.resume),
    .help = "go on where the last one broke off" },
  { "manifest", 0, "FILE", .take = take_name, AT (parts.manifest),
    .help = "write digests of all parts to FILE" },
  { "verify", 0, "MANIFEST", .take = take_name, AT (parts.verify),
    .help = "check DEST against a manifest" },
  { "no-flush", .take = take_flag, AT (options.no_flush),
    .help = "do not wait until it is on the disk" },
  { "threads", 0, "N", .take = take_number, AT (options.threads),
    .min = 1, .max = THREADS_MAX,
    .help = "read with at most so many threads" },
  { "progress", 0, "STYLE", .take = take_progress, AT (progress),
    .words = progress_words,
    .help = "bar, machine, json or none (default: a\n"
            "bar if standard error is a terminal)" },
  { "help", .take = take_flag, AT (help), .help = "this text" },

  { "prealloc", .exporter = &exporter_raw, .take = take_flag,
    AT (options.preallocate),
    .help = "allocate all of the file's space first" },
  { "apply", .exporter = &exporter_raw, .take = take_flag,
    AT (options.apply),
    .help = "with --since: change DEST, which has what\n"
            "was then, in place" },

  { "cluster-size", 0, "N", QCOW2, .take = take_power,
    AT (options.cluster_size), .min = 512, .max = 2 << 20, .is_output = true,
    .help = "512 to 2M (default: 64k)" },
  { "refcount-bits", 0, "N", QCOW2, .take = take_power,
    AT (options.refcount_bits), .min = 1, .max = 64, .is_output = true,
    .help = "1, 2, 4, 8, 16, 32 or 64 (default: 16)" },
  { NULL, 'c', QCOW2, .take = take_c,
    .help = "the same as --compression=zlib" },
  { "compression", 0, "TYPE", QCOW2, .take = take_compression,
    .help = "zlib or zstd" },
  { "compression-level", 0, "N", QCOW2, .take = take_number,
    AT (options.compression_level), .min = 1, .max = LEVEL_MAX,
    .help = "the library's level" },
  { "diff", 0, "BASE", QCOW2, .take = take_name, AT (base),
    .help = "only what differs from the disk BASE" },
  { "diff-format", 0, "FORMAT", QCOW2, .take = take_diff_format,
    .help = "the format of BASE" },
  { "backing", 0, "NAME", QCOW2, .take = take_name, AT (options.backing),
    .is_output = true, .help = "record NAME as the backing file" },
  { "backing-format", 0, "FORMAT", QCOW2, .take = take_name,
    AT (options.backing_format), .is_output = true,
    .help = "and this as its format" },
  { "data-file", 0, "NAME", QCOW2, .take = take_name,
    AT (options.data_file), .is_output = true,
    .help = "write metadata only, for data in the raw\nfile NAME" },
  { "data-file-raw", 0, "NAME", QCOW2, .take = take_name,
    AT (options.data_file_raw), .is_output = true,
    .help = "the same, and NAME is to stay valid raw" },

  { "block-size", 0, "N", VHD, .take = take_power, AT (options.block_size),
    .min = 4096, .max = 16 << 20, .is_output = true,
    .help = "4k to 16M (default: 2M)" },
  { "fixed", VHD, .take = take_flag, AT (options.fixed), .is_output = true,
    .help = "a fixed disk, not a dynamic one" },
  { "parent", 0, "BASE", VHD, .take = take_name, AT (base),
    .help = "a differencing disk on the VHD BASE" },
  { "round", 0, "N", VHD, .take = take_power, AT (options.round),
    .min = 512, .max = 1 << 30, .is_output = true,
    .help = "round the disk's size up to a multiple:\n"
            "512 to 1G (for Azure: 1M)" },
  { "uuid", 0, "UUID", VHD, .take = take_uuid,
    .help = "the disk's UUID (default: random)" },

  { "prefix", 0, "Ref:N", XVA, .take = take_prefix,
    .help = "of the disk's members; repeat it for\n"
            "several disks (default: Ref:0)" },
  { "checksum", 0, "TYPE", XVA, .take = take_word, AT (options.checksum),
    .words = checksum_words, .is_output = true,
    .help = "xxhash or sha1 (default: xxhash)" },
  { "ova-xml", 0, "FILE", XVA, .take = take_name, AT (options.ova_xml),
    .is_output = true, .help = "the first member" },
  { .name = NULL },
};

#define ROWS (sizeof export_option_table / sizeof export_option_table[0] - 1)
_Static_assert (ROWS <= EXPORT_OPTIONS_MAX, "number of options");

size_t
export_option_number (const char *name)
{
  size_t i = 0;

  while (export_option_table[i].name == NULL ||
         strcmp (export_option_table[i].name, name) != 0)
    i++;
  return i;
}

/* --- Taking options ----------------------------------------------------- */

static const struct option image_options[] = { IMAGE_OPTIONS };

#define IMAGE_ROWS (sizeof image_options / sizeof image_options[0])

struct getopt_tables {
  struct option longopts[ROWS + IMAGE_ROWS + 1];
  char letters[2 * ROWS + sizeof IMAGE_SHORT_OPTIONS];
};

/* An option is known by its letter, or by the number of its row. */
static int
value_of_row (size_t i)
{
  return export_option_table[i].letter ? export_option_table[i].letter
    : OPTION_COMMAND + (int) i;
}

static void
make_tables (struct getopt_tables *tables)
{
  struct option *next = tables->longopts;
  char *letter = stpcpy (tables->letters, IMAGE_SHORT_OPTIONS);
  size_t i;

  for (i = 0; i < ROWS; ++i) {
    const struct export_option *row = &export_option_table[i];

    if (row->letter)
      letter += sprintf (letter, "%c%s", row->letter,
                         row->argument ? ":" : "");
    if (row->name)
      *next++ = (struct option) {
        .name = row->name, .val = value_of_row (i),
        .has_arg = row->argument ? required_argument : no_argument,
      };
  }
  memcpy (next, image_options, sizeof image_options);
  next[IMAGE_ROWS] = (struct option) { .name = NULL };
}

static bool
take_option (struct parsing *parsing, int value,
             const struct option *longopts, int index)
{
  size_t i;

  for (i = 0; i < ROWS; ++i)
    if (value_of_row (i) == value) {
      parsing->given[i] = true;
      return export_option_table[i].take (parsing, &export_option_table[i],
                                          optarg);
    }
  return (value == OPTION_IMAGE || value == OPTION_FORCE_SHARE ||
          value == OPTION_VERBOSE) &&
    image_options_take (parsing->request->image_options, "export", value,
                        longopts, index);
}

bool
export_options_take (struct parsing *parsing, int argc, char **argv)
{
  struct getopt_tables tables;
  int value, index = 0;

  make_tables (&tables);
  while ((value = next_option (argc, argv, tables.letters, tables.longopts,
                               &index)) != -1)
    if (!take_option (parsing, value, tables.longopts, index))
      return false;
  return true;
}

/* --- The help ----------------------------------------------------------- */

#define HELP_COLUMN 26

static void
print_row (const struct export_option *row)
{
  const char letter[] = { '-', row->letter, '\0' };
  char left[64];
  const char *line = row->help;
  size_t length;

  snprintf (left, sizeof left, "  %s%s%s%s%s%s", row->letter ? letter : "",
            row->letter && row->name ? ", " : "", row->name ? "--" : "",
            row->name ? row->name : "", row->argument ? "=" : "",
            row->argument ? row->argument : "");
  for (; *line; line += length + (line[length] != '\0'), left[0] = '\0') {
    length = strcspn (line, "\n");
    printf ("%-*s %.*s\n", HELP_COLUMN - 1, left, (int) length, line);
  }
}

static void
print_rows (const struct exporter *exporter)
{
  bool has_any = false;
  size_t i;

  for (i = 0; i < ROWS; ++i) {
    if (export_option_table[i].exporter != exporter)
      continue;
    if (exporter && !has_any)
      printf ("%s:\n", exporter->name);
    has_any = true;
    print_row (&export_option_table[i]);
  }
}

void
export_request_print_help (void)
{
  size_t i;

  puts ("Usage: vdisk export [OPTION]... SOURCE DEST\n"
        "       vdisk export -O xva [OPTION]... SOURCE=Ref:N... DEST\n"
        "       vdisk export --verify=MANIFEST DEST\n"
        "Write what a disk holds, and only that, in another format.  SOURCE\n"
        "is an image or an NBD URI; DEST a file, - for standard output, or\n"
        "for raw an NBD URI.\n");
  print_rows (NULL);
  puts ("Sizes are numbers of bytes, or of k or M (powers of 1024).\n");
  for (i = 0; exporters[i]; ++i)
    print_rows (exporters[i]);
  fputs ("\n" IMAGE_OPTIONS_HELP, stdout);
  puts ("\nFormats:");
  for (i = 0; exporters[i]; ++i)
    printf ("  %-12s %s\n", exporters[i]->name, exporters[i]->help);
}

/* --- Options of outputs ------------------------------------------------- */

/* What an option says; NULL if it says nothing. */
static const char *
value_of (const struct export_option *row,
          const struct export_options *options, char digits[24])
{
  const void *at = (const char *) options +
    (row->at - offsetof (struct export_request, options));

  if (row->take == take_flag)
    return *(const bool *) at ? "true" : NULL;
  if (row->take == take_name)
    return *(const char *const *) at;
  if (row->take == take_word)
    return row->words[*(const unsigned *) at];
  snprintf (digits, 24, "%" PRIu64, *(const uint64_t *) at);
  return *(const uint64_t *) at > 0 ? digits : NULL;
}

void
export_options_of_output (const struct export_options *options,
                          const struct exporter *exporter,
                          void (*add) (void *opaque, const char *name,
                                       const char *value),
                          void *opaque)
{
  size_t i;

  for (i = 0; i < ROWS; ++i) {
    const struct export_option *row = &export_option_table[i];
    char digits[24];

    if (row->is_output && row->exporter == exporter) {
      const char *value = value_of (row, options, digits);

      if (value)
        add (opaque, row->name, value);
    }
  }
}
