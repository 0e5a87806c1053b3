/* SPDX-License-Identifier: BSD-3-Clause */
/* Options from text, each checked and explained. */

#include "options.h"

#include <errno.h>
#include <stdarg.h>
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
  copy->backing_dir_count = 0;
  copy->backing_dirs = NULL;
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
  char text[sizeof printable.message];
  va_list args;

  if (options == NULL || options->warning_callback == NULL)
    return;
  va_start (args, format);
  vsnprintf (text, sizeof text, format, args);
  va_end (args);
  error_record (&printable, EINVAL, "%s", text);
  options->warning_callback (options->warning_opaque, printable.message);
}

/* One of a few words, in the order of 'words', which ends in NULL. */
static int
parse_word (const struct vdisk_options *options, const char *name,
            const char *value, const char *const *words,
            const char *accepted, struct vdisk_error *error)
{
  struct suggestion suggestion;
  int i;

  for (i = 0; words[i]; ++i)
    if (strcmp (value, words[i]) == 0)
      return i;
  return error_set (error, EINVAL, "%s%s=%s: must be %s%s",
                    options_prefix (options), name, value, accepted,
                    suggestion_among (&suggestion, value, words));
}

static int
set_format (struct vdisk_options *options, const char *name,
            const char *value, struct vdisk_error *error)
{
  const struct format *format = NULL;
  struct suggestion suggestion;

  if (strcmp (value, "auto") != 0) {
    format = format_by_name (value);
    if (format == NULL)
      return error_set (error, EINVAL, "%s%s=%s: must be auto, vhd (or "
                        "vpc), qcow2, qed or raw%s",
                        options_prefix (options), name, value,
                        suggestion_among (&suggestion, value,
                                          format_names ()));
  }
  options->format = format;
  return 0;
}

static int
add_backing_dir (struct vdisk_options *options, const char *name,
                 const char *value, struct vdisk_error *error)
{
  struct stat st;
  char **dirs;
  char *dir;

  if (*value == '\0')
    return error_set (error, EINVAL, "%s%s=: must be a directory",
                      options_prefix (options), name);
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

static int
set_size (struct vdisk_options *options, const char *name,
          const char *value, struct vdisk_error *error)
{
  static const char *const words[] = { "auto", "current", "chs", NULL };
  static const enum vhd_size_rule rules[] = {
    VHD_SIZE_AUTO, VHD_SIZE_CURRENT, VHD_SIZE_CHS,
  };
  int i = parse_word (options, name, value, words, "auto, current or chs",
                      error);

  if (i == -1)
    return -1;
  options->size = rules[i];
  return 0;
}

static int
set_sector_bitmaps (struct vdisk_options *options, const char *name,
                    const char *value, struct vdisk_error *error)
{
  static const char *const words[] = { "honour", "ignore", NULL };
  int i = parse_word (options, name, value, words, "honour or ignore", error);

  if (i == -1)
    return -1;
  options->ignore_sector_bitmaps = i == 1;
  return 0;
}

static int
set_host_holes (struct vdisk_options *options, const char *name,
                const char *value, struct vdisk_error *error)
{
  static const char *const words[] = { "off", "auto", NULL };
  int i = parse_word (options, name, value, words, "auto or off", error);

  if (i == -1)
    return -1;
  options->host_holes = i == 1;
  return 0;
}

static int
set_force_share (struct vdisk_options *options, const char *name,
                 const char *value, struct vdisk_error *error)
{
  static const char *const words[] = {
    "false", "true", "off", "on", "no", "yes", "0", "1", NULL
  };
  int i = parse_word (options, name, value, words, "true or false", error);

  if (i == -1)
    return -1;
  options->force_share = i % 2 == 1;
  return 0;
}

static int
set_cache_size (struct vdisk_options *options, const char *name,
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
  return error_set (error, EINVAL, "%s%s=%s: must be a number of bytes, "
                    "at least 64k, with an optional suffix k, M or G",
                    options_prefix (options), name, value);
}

int
vdisk_options_set (struct vdisk_options *options,
                   const char *name, const char *value,
                   struct vdisk_error *error)
{
  static const struct {
    const char *name;
    int (*set) (struct vdisk_options *options, const char *name,
                const char *value, struct vdisk_error *error);
  } setters[] = {
    { "format", set_format },
    { "backing-dir", add_backing_dir },
    { "size", set_size },
    { "sector-bitmaps", set_sector_bitmaps },
    { "host-holes", set_host_holes },
    { "cache-size", set_cache_size },
    { "force-share", set_force_share },
  };
  struct suggestion suggestion;
  size_t i;

  error_clear (error);
  suggestion_start (&suggestion, name);
  for (i = 0; i < sizeof setters / sizeof setters[0]; ++i) {
    if (strcmp (name, setters[i].name) == 0)
      return setters[i].set (options, name, value, error);
    suggestion_consider (&suggestion, setters[i].name);
  }
  return error_set (error, ENOENT, "unknown parameter '%s': must be format, "
                    "backing-dir, size, sector-bitmaps, host-holes, "
                    "cache-size or force-share%s", name,
                    suggestion_text (&suggestion));
}
