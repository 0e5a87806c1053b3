/* SPDX-License-Identifier: BSD-3-Clause */
/* Options from text, each checked and explained. */

#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/error.h"
#include "format/names.h"
#include "bounds.h"
#include "util/suggestion.h"

#define CACHE_SIZE_MIN (64 << 10)

/* Milliseconds. */
#define TIMEOUT_MAX (24 * 60 * 60 * 1000)

struct vdisk_options *
vdisk_options_new (void)
{
  struct vdisk_options *options = calloc (1, sizeof *options);

  if (options) {
    options->host_holes = true;
    options->cache_size = CACHE_SIZE_DEFAULT;
  }
  return options;
}

void
vdisk_options_free (struct vdisk_options *options)
{
  size_t i;

  if (options == NULL)
    return;
  for (i = 0; i < options->backing_dir_count; ++i)
    free (options->backing_dirs[i]);
  free (options->backing_dirs);
  told_layers_free (&options->told);
  free (options);
}

struct vdisk_options *
options_copy (const struct vdisk_options *options)
{
  struct vdisk_options *copy = malloc (sizeof *copy);
  size_t i, count = options->backing_dir_count;

  if (copy == NULL)
    return NULL;
  *copy = *options;
  copy->cancel = NULL;
  copy->backing_dir_count = 0;
  copy->backing_dirs = NULL;
  if (told_layers_copy (&copy->told, &options->told) == -1)
    goto fail;
  if (count > 0) {
    copy->backing_dirs = calloc (count, sizeof *copy->backing_dirs);
    if (copy->backing_dirs == NULL)
      goto fail;
  }
  for (i = 0; i < count; ++i) {
    copy->backing_dirs[i] = strdup (options->backing_dirs[i]);
    if (copy->backing_dirs[i] == NULL)
      goto fail;
    copy->backing_dir_count++;
  }
  return copy;

 fail:
  vdisk_options_free (copy);
  return NULL;
}

void
vdisk_options_set_warning_callback (struct vdisk_options *options,
                                    vdisk_warning_callback *callback,
                                    void *opaque)
{
  options->warning_callback = callback;
  options->warning_opaque = opaque;
}

void
vdisk_options_set_syntax (struct vdisk_options *options,
                          enum vdisk_syntax syntax)
{
  options->syntax = syntax;
}

static bool
is_command_line (const struct vdisk_options *options)
{
  return options && options->syntax == VDISK_SYNTAX_COMMAND_LINE;
}

const char *
options_prefix (const struct vdisk_options *options)
{
  return is_command_line (options) ? "--" : "";
}

const char *
options_on (const struct vdisk_options *options)
{
  return is_command_line (options) ? "" : "=true";
}

void
options_advise_sharing (const struct vdisk_options *options,
                        struct vdisk_error *error)
{
  if (error && error->errnum == EBUSY)
    error_add (error, " (%sforce-share%s opens it all the same, and what is "
               "read may be torn)", options_prefix (options),
               options_on (options));
}

void
vdisk_options_set_debug_callback (struct vdisk_options *options,
                                  vdisk_debug_callback *callback,
                                  void *opaque, unsigned slow_milliseconds)
{
  options->debug_callback = callback;
  options->debug_opaque = opaque;
  options->slow_milliseconds = callback ? slow_milliseconds : 0;
}

void
options_warn (const struct vdisk_options *options, const char *format, ...)
{
  struct vdisk_error printable = { 0 };
  va_list args;

  if (options == NULL || options->warning_callback == NULL)
    return;
  va_start (args, format);
  error_vrecord (&printable, EINVAL, format, args);
  va_end (args);
  options->warning_callback (options->warning_opaque, printable.message);
}

/* One option.  Of those that are a word 'words' has them all, ending in NULL.
 * For the others it is NULL, and 'values' says what they take. */
struct option {
  const char *name;
  const char *values;           /* as in "must be VALUES" */
  const char *summary;
  const char *const *words;
  int (*set) (struct vdisk_options *options, const struct option *option,
              const char *value, struct vdisk_error *error);
  /* The value number 'index', which there is, to be freed.  NULL if out of
   * memory. */
  char *(*get) (const struct vdisk_options *options, size_t index);
  /* How many values there are.  NULL: one. */
  size_t (*count) (const struct vdisk_options *options);
  size_t field;                 /* of those that SWITCH makes */
};

/* An option of two words, the second of which sets a field to true. */
#define SWITCH(words, member) \
  words, set_switch, NULL, NULL, offsetof (struct vdisk_options, member)

static int
refuse (const struct vdisk_options *options, const struct option *option,
        const char *value, const char *const *words,
        struct vdisk_error *error)
{
  struct suggestion suggestion;

  return error_set (error, EINVAL, "%s%s=%s: must be %s%s",
                    options_prefix (options), option->name, value,
                    option->values,
                    words ? suggestion_among (&suggestion, value, words)
                    : "");
}

/* Which of its words it is, or -1. */
static int
parse_word (const struct vdisk_options *options, const struct option *option,
            const char *value, struct vdisk_error *error)
{
  int i;

  for (i = 0; option->words[i]; ++i)
    if (strcmp (value, option->words[i]) == 0)
      return i;
  return refuse (options, option, value, option->words, error);
}

static int
set_format (struct vdisk_options *options, const struct option *option,
            const char *value, struct vdisk_error *error)
{
  const struct format *format = NULL;

  if (strcmp (value, "auto") != 0) {
    format = format_by_name (value);
    if (format == NULL)
      return refuse (options, option, value, format_names (), error);
  }
  options->format = format;
  return 0;
}

static char *
get_format (const struct vdisk_options *options, size_t index)
{
  (void) index;
  return strdup (options->format ? format_name (options->format) : "auto");
}

static int
add_backing_dir (struct vdisk_options *options, const struct option *option,
                 const char *value, struct vdisk_error *error)
{
  const char *const name = option->name;
  struct stat st;
  char **dirs;
  char *dir;

  if (*value == '\0')
    return refuse (options, option, value, NULL, error);
  /* Resolved now, so that a mistake shows at once, and a later change of
   * the current directory does no harm. */
  dir = realpath (value, NULL);
  if (dir == NULL)
    return error_set (error, errno == ENOMEM ? ENOMEM : EINVAL,
                      "%s%s=%s: %s", options_prefix (options), name, value,
                      strerror (errno));
  if (stat (dir, &st) == 0 && !S_ISDIR (st.st_mode)) {
    free (dir);
    return error_set (error, EINVAL, "%s%s=%s: %s",
                      options_prefix (options), name, value,
                      strerror (ENOTDIR));
  }
  dirs = reallocarray (options->backing_dirs,
                       options->backing_dir_count + 1, sizeof *dirs);
  if (dirs == NULL) {
    free (dir);
    return error_no_memory (error, name);
  }
  options->backing_dirs = dirs;
  dirs[options->backing_dir_count++] = dir;
  return 0;
}

static char *
get_backing_dir (const struct vdisk_options *options, size_t index)
{
  return strdup (options->backing_dirs[index]);
}

static size_t
count_backing_dirs (const struct vdisk_options *options)
{
  return options->backing_dir_count;
}

static const char *const size_words[] = {
  [VHD_SIZE_AUTO] = "auto", [VHD_SIZE_CURRENT] = "current",
  [VHD_SIZE_CHS] = "chs", NULL
};

static int
set_size (struct vdisk_options *options, const struct option *option,
          const char *value, struct vdisk_error *error)
{
  const int i = parse_word (options, option, value, error);

  if (i == -1)
    return -1;
  options->size = i;
  return 0;
}

static char *
get_size (const struct vdisk_options *options, size_t index)
{
  (void) index;
  return strdup (size_words[options->size]);
}

static const char *const bitmaps_words[] = { "honour", "ignore", NULL };
static const char *const holes_words[] = { "off", "auto", NULL };
static const char *const case_words[] = { "exact", "ignore", NULL };

/* The first two are what is told. */
static const char *const switch_words[] = {
  "false", "true", "off", "on", "no", "yes", "0", "1", NULL
};

/* Where an option of two words is kept: is it the second? */
static bool *
switch_of (struct vdisk_options *options, const struct option *option)
{
  return (bool *) ((char *) options + option->field);
}

static int
set_switch (struct vdisk_options *options, const struct option *option,
            const char *value, struct vdisk_error *error)
{
  const int i = parse_word (options, option, value, error);

  if (i == -1)
    return -1;
  *switch_of (options, option) = i % 2 == 1;
  return 0;
}

static int
set_cache_size (struct vdisk_options *options, const struct option *option,
                const char *value, struct vdisk_error *error)
{
  static const char suffixes[] = "kmg";
  unsigned long long n;
  unsigned shift = 0;
  char *end;

  errno = 0;
  n = strtoull (value, &end, 10);
  if (*value < '0' || *value > '9' || errno != 0)
    goto invalid;
  if (*end != '\0') {
    const char *suffix = strchr (suffixes, *end | 0x20);

    if (suffix == NULL || end[1] != '\0')
      goto invalid;
    shift = 10 * (suffix - suffixes + 1);
  }
  if (n > SIZE_MAX >> shift || n << shift < CACHE_SIZE_MIN)
    goto invalid;
  options->cache_size = n << shift;
  return 0;

 invalid:
  return refuse (options, option, value, NULL, error);
}

static char *
get_cache_size (const struct vdisk_options *options, size_t index)
{
  char *text;

  (void) index;
  return asprintf (&text, "%zu", options->cache_size) == -1 ? NULL : text;
}

static const struct { const char *suffix; unsigned factor; } time_units[] = {
  { "h", 60 * 60 * 1000 }, { "m", 60 * 1000 }, { "s", 1000 }, { "", 1000 },
  { "ms", 1 },
};
#define TIME_UNITS (sizeof time_units / sizeof time_units[0])

/* A number and a unit, in milliseconds; 0 for auto. */
static int
set_timeout (struct vdisk_options *options, const struct option *option,
             const char *value, struct vdisk_error *error)
{
  unsigned long long n = 0, milliseconds = 0;
  char *end = NULL;
  size_t i;

  if (strcmp (value, "auto") == 0) {
    options->timeout_milliseconds = 0;
    return 0;
  }
  errno = 0;
  if (*value >= '0' && *value <= '9')
    n = strtoull (value, &end, 10);
  for (i = 0; end && errno == 0 && i < TIME_UNITS; ++i)
    if (strcmp (end, time_units[i].suffix) == 0 &&
        n <= TIMEOUT_MAX / time_units[i].factor)
      milliseconds = n * time_units[i].factor;
  if (milliseconds == 0)
    return refuse (options, option, value, NULL, error);
  options->timeout_milliseconds = milliseconds;
  return 0;
}

/* In the largest unit that says it. */
static char *
get_timeout (const struct vdisk_options *options, size_t index)
{
  const unsigned milliseconds = options->timeout_milliseconds;
  size_t i = 0;
  char *text;

  (void) index;
  if (milliseconds == 0)
    return strdup ("auto");
  while (milliseconds % time_units[i].factor != 0)
    i++;
  return asprintf (&text, "%u%s", milliseconds / time_units[i].factor,
                   time_units[i].suffix) == -1 ? NULL : text;
}

static int
add_layer (struct vdisk_options *options, const struct option *option,
           const char *value, struct vdisk_error *error)
{
  (void) option;
  return told_layers_add (&options->told, options_prefix (options), value,
                          error);
}

static char *
get_layer (const struct vdisk_options *options, size_t index)
{
  return told_layers_get (&options->told, index);
}

static size_t
count_layers (const struct vdisk_options *options)
{
  return told_layers_count (&options->told);
}

static int
set_layer_format (struct vdisk_options *options, const struct option *option,
                  const char *value, struct vdisk_error *error)
{
  (void) option;
  return told_layers_set_format (&options->told, options_prefix (options),
                                 value, error);
}

static char *
get_layer_format (const struct vdisk_options *options, size_t index)
{
  return told_layers_get_format (&options->told, index);
}

static size_t
count_layer_formats (const struct vdisk_options *options)
{
  return options->told.count;
}

static const struct option table[] = {
  { "format", "auto, vhd (or vpc), qcow2, qed or raw",
    "the format of the image; raw is never guessed, but for NBD URIs",
    NULL, set_format, get_format, NULL, 0 },
  { "backing-dir", "a directory",
    "where references may lead as well; can be given again, / allows all",
    NULL, add_backing_dir, get_backing_dir, count_backing_dirs, 0 },
  { "size", "auto, current or chs", "which size field of a VHD counts",
    size_words, set_size, get_size, NULL, 0 },
  { "sector-bitmaps", "honour or ignore",
    "what becomes of the sector bitmaps of dynamic VHDs",
    SWITCH (bitmaps_words, ignore_sector_bitmaps) },
  { "host-holes", "auto or off", "whether holes of the image file count",
    SWITCH (holes_words, host_holes) },
  { "cache-size", "a number of bytes, at least 64k, with an optional suffix "
    "k, M or G", "memory for all caches of an image",
    NULL, set_cache_size, get_cache_size, NULL, 0 },
  { "force-share", "true or false",
    "whether an image is opened even if it is being written",
    SWITCH (switch_words, force_share) },
  { "timeout", "auto or a number of seconds, or with a suffix ms, s, m or h, "
    "from 1ms to 24h", "how long an NBD server may take for a request",
    NULL, set_timeout, get_timeout, NULL, 0 },
  { "layer", "a file, an NBD URI, none or auto",
    "what lies under the image, from the next layer down to the base",
    NULL, add_layer, get_layer, count_layers, 0 },
  { "layer-format", "auto, vhd (or vpc), qcow2, qed or raw, after a number "
    "and a colon if it is not of the last layer",
    "the format of the layer that was named last",
    NULL, set_layer_format, get_layer_format,
    count_layer_formats, 0 },
  { "ignore-parent-id", "true or false",
    "whether a parent may have another UUID than the one recorded",
    SWITCH (switch_words, ignore_parent_id) },
  { "parent-case", "exact or ignore",
    "whether a recorded name may differ from the file's in case",
    SWITCH (case_words, ignore_case) },
};

#define OPTIONS (sizeof table / sizeof table[0])

const char *const *
vdisk_options_names (void)
{
  static const char *const names[] = {
    "format", "backing-dir", "size", "sector-bitmaps", "host-holes",
    "cache-size", "force-share", "timeout", "layer", "layer-format",
    "ignore-parent-id", "parent-case", NULL
  };

  _Static_assert (sizeof names / sizeof names[0] == OPTIONS + 1,
                  "an option has no name");
  return names;
}

static const struct option *
find_option (const char *name)
{
  size_t i;

  for (i = 0; i < OPTIONS; ++i)
    if (strcmp (name, table[i].name) == 0)
      return &table[i];
  return NULL;
}

/* The same, with an error that names all that there are. */
static const struct option *
require_option (const char *name, struct vdisk_error *error)
{
  const struct option *option = find_option (name);
  struct suggestion suggestion;
  char names[384];
  size_t i, n = 0;

  if (option)
    return option;
  for (i = 0; i < OPTIONS; ++i)
    n += snprintf (names + n, sizeof names - n, "%s%s", i == 0 ? ""
                   : i < OPTIONS - 1 ? ", " : " or ", table[i].name);
  error_record (error, ENOENT, "unknown parameter '%s': must be %s%s", name,
                names, suggestion_among (&suggestion, name,
                                         vdisk_options_names ()));
  return NULL;
}

const char *
vdisk_options_values (const char *name)
{
  const struct option *option = find_option (name);

  return option ? option->values : NULL;
}

const char *
vdisk_options_summary (const char *name)
{
  const struct option *option = find_option (name);

  return option ? option->summary : NULL;
}

int
vdisk_options_set (struct vdisk_options *options,
                   const char *name, const char *value,
                   struct vdisk_error *error)
{
  const struct option *option;

  error_clear (error);
  option = require_option (name, error);
  return option ? option->set (options, option, value, error) : -1;
}

char *
vdisk_options_get (const struct vdisk_options *options, const char *name,
                   size_t index, struct vdisk_error *error)
{
  const struct option *option;
  char *text;

  error_clear (error);
  option = require_option (name, error);
  if (option == NULL)
    return NULL;
  if (index >= (option->count ? option->count (options) : 1)) {
    error_record (error, ENODATA, "%s%s: has no more than %zu values",
                  options_prefix (options), name, index);
    return NULL;
  }
  text = option->get ? option->get (options, index)
    : strdup (option->words[*switch_of ((void *) options, option)]);
  if (text == NULL)
    error_no_memory (error, name);
  return text;
}
