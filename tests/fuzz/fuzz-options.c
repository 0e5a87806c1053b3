/* SPDX-License-Identifier: BSD-3-Clause */
/* Fuzz target: text from people and from images.  The first byte says what
 * the rest is: an option of the library ("name=value"), the arguments of
 * 'vdisk map' or 'vdisk export' (a line each), UTF-16, or bytes for a JSON
 * document.
 */

#include <errno.h>
#include <getopt.h>
#include <iconv.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "describe.h"
#include "fuzz.h"
#include "tools/export/request.h"
#include "tools/image-options.h"
#include "tools/map/request.h"
#include "tools/tool.h"
#include "util/escape-json.h"
#include "util/minmax.h"
#include "util/utf16.h"

#define TEXT_MAX 1024
#define ARGUMENTS_MAX 16

/* What the tool's parsers complain of goes here, and not to the terminal. */
static unsigned complaints;

void
complain (const char *format, ...)
{
  (void) format;
  complaints++;
}

int
usage_error (const char *command, const char *format, ...)
{
  (void) command;
  (void) format;
  complaints++;
  return STATUS_USAGE;
}

bool
output_failed (void)
{
  return false;
}

static bool
same_layers (const struct told_layers *a, const struct told_layers *b)
{
  size_t i;

  if (a->is_told != b->is_told || a->count != b->count)
    return false;
  for (i = 0; i < a->count; ++i)
    if (strcmp (a->layers[i].name, b->layers[i].name) != 0 ||
        a->layers[i].format != b->layers[i].format)
      return false;
  return true;
}

/* As those that were refused must be, to what was before. */
static bool
same_options (const struct vdisk_options *a, const struct vdisk_options *b)
{
  return a->format == b->format && a->size == b->size &&
    a->backing_dir_count == b->backing_dir_count &&
    a->ignore_sector_bitmaps == b->ignore_sector_bitmaps &&
    a->host_holes == b->host_holes && a->cache_size == b->cache_size &&
    a->force_share == b->force_share &&
    a->ignore_parent_id == b->ignore_parent_id &&
    a->ignore_case == b->ignore_case && same_layers (&a->told, &b->told);
}

/* A number of bytes by the words of the man page: digits, and perhaps a
 * suffix.  0 if it is none. */
static uint64_t
size_by_the_book (const char *text)
{
  const char *suffix = text + strspn (text, "0123456789");
  static const char suffixes[] = "kKmMgG";
  const char *found = *suffix ? strchr (suffixes, *suffix) : suffixes;
  bool is_large = false;
  uint64_t n = 0;
  unsigned steps = *suffix && found ? (found - suffixes) / 2 + 1 : 0;

  if (suffix == text || found == NULL || (*suffix && suffix[1]))
    return 0;
  for (; text < suffix && !is_large; ++text)
    is_large = __builtin_mul_overflow (n, 10, &n) ||
      __builtin_add_overflow (n, *text - '0', &n);
  for (; steps > 0 && !is_large; --steps)
    is_large = __builtin_mul_overflow (n, 1024, &n);
  return is_large ? 0 : n;
}

/* An option that is read back and set again is what it was. */
static void
check_copy (const struct vdisk_options *options)
{
  struct vdisk_options *copy = vdisk_options_new ();
  const char *const *name;
  char *value;
  size_t i;

  for (name = vdisk_options_names (); *name; ++name)
    for (i = 0; (value = vdisk_options_get (options, *name, i, NULL)); ++i) {
      fuzz_assert (vdisk_options_set (copy, *name, value, NULL) == 0,
                   "%s=%s is told, but not taken", *name, value);
      vdisk_free (value);
    }
  fuzz_assert (same_options (options, copy), "a copy differs");
  vdisk_options_free (copy);
}

static void
check_option (char *text)
{
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk_options *before = options_copy (options);
  struct vdisk_error error = { .errnum = -1 };
  char *value = strchr (text, '=');
  int r;

  if (value)
    *value++ = '\0';
  else
    value = text + strlen (text);
  r = vdisk_options_set (options, text, value, &error);
  if (r == -1) {
    fuzz_check_error ("option", &error);
    fuzz_assert (error.errnum == EINVAL || error.errnum == ENOENT,
                 "errnum %d", error.errnum);
    fuzz_assert (same_options (options, before), "%s=%s is refused, but "
                 "changes something", text, value);
  }
  if (strcmp (text, "cache-size") == 0) {
    const uint64_t size = size_by_the_book (value);

    fuzz_assert ((r == 0) == (size >= 65536), "cache-size=%s: %d", value, r);
    fuzz_assert (r == -1 || options->cache_size == size,
                 "cache-size=%s is %zu", value, options->cache_size);
  }
  check_copy (options);
  vdisk_options_free (before);
  vdisk_options_free (options);
}

/* Make lines the arguments of a command. */
static int
split_arguments (char *text, char *argv[ARGUMENTS_MAX + 2])
{
  char *rest = NULL, *argument;
  int argc = 1;

  for (argument = strtok_r (text, "\n", &rest);
       argument && argc < ARGUMENTS_MAX;
       argument = strtok_r (NULL, "\n", &rest))
    argv[argc++] = argument;
  optind = 0;
  opterr = 0;
  complaints = 0;
  return argc;
}

/* Some complaints are printed without complain. */
static void
silence (bool silent)
{
  static FILE *nowhere, *terminal;

  if (nowhere == NULL) {
    nowhere = fopen ("/dev/null", "w");
    terminal = stderr;
  }
  stderr = silent ? nowhere : terminal;
}

static void
check_map_arguments (char *text)
{
  char *argv[ARGUMENTS_MAX + 2] = { (char *) "map" };
  struct map_request request = {
    .command = "map", .writer = map_writers[0],
    .options = vdisk_options_new (),
  };
  const int argc = split_arguments (text, argv);
  const char *image;

  silence (true);
  image = map_request_parse (&request, argc, argv);
  silence (false);
  if (image) {
    fuzz_assert (complaints == 0 && !request.help,
                 "there is an image, and a complaint");
    fuzz_assert (request.writer, "there is no writer");
    fuzz_assert ((request.cluster_size & (request.cluster_size - 1)) == 0,
                 "clusters of %llu bytes",
                 (unsigned long long) request.cluster_size);
  }
  vdisk_options_free (request.options);
}

static void
check_export_arguments (char *text)
{
  char *argv[ARGUMENTS_MAX + 2] = { (char *) "export" };
  struct export_request request = { 0 };
  const int argc = split_arguments (text, argv);
  bool right;

  silence (true);
  right = export_request_parse (&request, argc, argv);
  silence (false);
  if (right && !request.help) {
    fuzz_assert (complaints == 0, "all is right, and there is a complaint");
    fuzz_assert (request.parts.verify ||
                 (request.exporter && request.source_count > 0 &&
                  request.sources[0].name), "there is nothing to export");
    fuzz_assert (request.measure || request.destination,
                 "there is no destination");
  }
  export_request_free (&request);
}

/* What iconv makes of UTF-16 that has no byte order mark and no NUL: its
 * length, or -1. */
static ssize_t
convert_by_iconv (const char *from, size_t size, bool big_endian, char *to,
                  size_t to_size)
{
  static iconv_t converters[2];
  iconv_t *converter = &converters[big_endian];
  char *in = (char *) from, *out = to;

  if (*converter == NULL)
    *converter = iconv_open ("UTF-8", big_endian ? "UTF-16BE" : "UTF-16LE");
  fuzz_assert (*converter != (iconv_t) -1, "iconv knows no UTF-16");
  iconv (*converter, NULL, NULL, NULL, NULL);
  if (iconv (*converter, &in, &size, &out, &to_size) == (size_t) -1)
    return -1;
  return out - to;
}

static void
check_utf16 (const char *from, size_t size, bool big_endian)
{
  char text[3 * TEXT_MAX], expected[3 * TEXT_MAX];
  const ssize_t length = utf16_to_utf8 (from, size, big_endian, text,
                                        sizeof text);
  size_t i;

  for (i = 0; i + 1 < size && (from[i] || from[i + 1]); i += 2)
    ;
  if (i + 1 < size)
    size = i;
  if (size >= 2 && ((from[0] == '\xfe' && from[1] == '\xff') ||
                    (from[0] == '\xff' && from[1] == '\xfe'))) {
    big_endian = from[0] == '\xfe';
    from += 2;
    size -= 2;
  }
  fuzz_assert (length == convert_by_iconv (from, size, big_endian, expected,
                                           sizeof expected),
               "%zu bytes of UTF-16 become %zd of UTF-8", size, length);
  if (length >= 0)
    fuzz_assert (memcmp (text, expected, length) == 0 &&
                 text[length] == '\0', "the UTF-8 is wrong: %s", text);
}

/* Undo what is written for bytes that are not printable: \xHH, and two
 * backslashes for one.  Returns how many bytes there are. */
static size_t
unescape (const char *text, size_t length, char *bytes)
{
  size_t count = 0, i;
  unsigned byte;

  for (i = 0; i < length; ++i) {
    if (text[i] != '\\')
      bytes[count++] = text[i];
    else if (text[++i] == '\\')
      bytes[count++] = '\\';
    else {
      fuzz_assert (sscanf (text + i, "x%2x", &byte) == 1, "odd escape: %s",
                   text);
      bytes[count++] = byte;
      i += 2;
    }
  }
  return count;
}

/* Whatever the bytes, the document can be parsed, and they come back. */
static void
check_json (const char *bytes, size_t size)
{
  json_t *document = json_object (), *parsed;
  struct vdisk_error error = { 0 };
  const json_t *text;
  char *dump, *back;
  size_t count;

  fuzz_assert (describe_set (document, "text", escape_json (bytes, size),
                             &error) == 0, "no text: %s", error.message);
  dump = json_dumps (document, JSON_INDENT (4));
  fuzz_assert (dump, "the document cannot be printed");
  parsed = json_loads (dump, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
  fuzz_assert (parsed && json_equal (parsed, document), "not JSON: %s",
               dump);
  text = json_object_get (parsed, "text");
  back = malloc (json_string_length (text) + 1);
  fuzz_assert (back, "no memory");
  count = unescape (json_string_value (text), json_string_length (text),
                    back);
  fuzz_assert (count == size && memcmp (back, bytes, size) == 0,
               "another text: %s", dump);
  free (back);
  json_decref (parsed);
  json_decref (document);
  free (dump);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const uint8_t kind = size > 0 ? data[0] : 0;
  char text[TEXT_MAX + 1];

  if (size == 0)
    return 0;
  size = min_u64 (size - 1, TEXT_MAX);
  memcpy (text, data + 1, size);
  text[size] = '\0';
  switch (kind % 8) {
  case 0: case 1: check_option (text); break;
  case 2: check_export_arguments (text); break;
  case 3: case 4: check_map_arguments (text); break;
  case 5: check_json (text, size); break;
  default: check_utf16 (text, size, kind & 1); break;
  }
  return 0;
}
