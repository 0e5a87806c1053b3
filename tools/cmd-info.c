/* SPDX-License-Identifier: BSD-3-Clause */
/* vdisk info: what an image says of itself.  The library makes a JSON
 * document of it; this prints that, or turns it into text.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "human.h"
#include "image-options.h"
#include "tool.h"

enum output { OUTPUT_HUMAN, OUTPUT_JSON };

static const char help[] =
  "Usage: vdisk info [OPTION]... IMAGE\n"
  "Say what an image is, as far as its own file tells.\n\n"
  "  --output=human|json     as text (default), or as JSON with the keys of\n"
  "                          'qemu-img info'\n"
  "  --chain                 the images it is based on as well, top first\n"
  "  --help                  this text\n\n"
  IMAGE_OPTIONS_HELP;

/* The document of a layer.  NULL, with a message printed, on error. */
static json_t *
describe (struct vdisk *vdisk, unsigned depth)
{
  struct vdisk_error error;
  json_error_t json_error;
  json_t *document;
  char *text = vdisk_describe (vdisk, depth, &error);

  if (text == NULL) {
    complain ("%s", error.message);
    return NULL;
  }
  document = json_loads (text, 0, &json_error);
  free (text);
  if (document == NULL)
    complain ("%s", json_error.text);
  return document;
}

static int
print_json (json_t *documents, bool chain)
{
  json_t *root = chain ? documents : json_array_get (documents, 0);

  json_dumpf (root, stdout, JSON_INDENT (4));
  putchar ('\n');
  return STATUS_OK;
}

/* A key as a person reads it: "cluster-size" is "cluster size". */
static void
print_key (int indent, const char *key)
{
  printf ("%*s", indent, "");
  for (; *key; ++key)
    putchar (*key == '-' ? ' ' : *key);
  putchar (':');
}

static bool
is_size (const char *key)
{
  size_t length = strlen (key);

  return length >= 4 && strcmp (key + length - 4, "size") == 0;
}

static void print_member (int indent, const char *key, const json_t *value);

static void
print_scalar (const char *key, const json_t *value)
{
  char size[HUMAN_SIZE_MAX];

  switch (json_typeof (value)) {
  case JSON_STRING:
    printf (" %s\n", json_string_value (value));
    break;
  case JSON_INTEGER:
    printf (" %" JSON_INTEGER_FORMAT, json_integer_value (value));
    if (is_size (key) && json_integer_value (value) >= 1024)
      printf (" (%s)", human_size (json_integer_value (value), size));
    putchar ('\n');
    break;
  case JSON_TRUE:
  case JSON_FALSE:
    printf (" %s\n", json_is_true (value) ? "yes" : "no");
    break;
  default:
    puts (" -");
  }
}

static void
print_array (int indent, const json_t *array)
{
  const json_t *value;
  char number[32];
  size_t i;

  json_array_foreach (array, i, value) {
    snprintf (number, sizeof number, "[%zu]", i);
    print_member (indent, number, value);
  }
}

static void
print_object (int indent, const json_t *object)
{
  const char *key;
  json_t *value;

  json_object_foreach ((json_t *) object, key, value)
    print_member (indent, key, value);
}

/* Print one member.  The depth of the documents is what the library makes
 * it, some four levels. */
static void
print_member (int indent, const char *key, const json_t *value)
{
  print_key (indent, key);
  if (json_is_object (value)) {
    putchar ('\n');
    print_object (indent + 4, value);
  }
  else if (json_is_array (value)) {
    if (json_array_size (value) == 0)
      puts (" none");
    else {
      putchar ('\n');
      print_array (indent + 4, value);
    }
  }
  else
    print_scalar (key, value);
}

static int
print_human (const json_t *documents)
{
  const json_t *document;
  size_t i;

  json_array_foreach (documents, i, document) {
    if (i > 0)
      putchar ('\n');
    print_object (0, document);
  }
  return STATUS_OK;
}

static int
info (struct vdisk *vdisk, enum output output, bool chain)
{
  unsigned depth, layers = chain ? vdisk_layers (vdisk) : 1;
  json_t *documents = json_array ();
  int status = STATUS_ERROR;

  for (depth = 0; depth < layers; ++depth)
    if (json_array_append_new (documents, describe (vdisk, depth)) == -1)
      goto out;
  status = output == OUTPUT_JSON ? print_json (documents, chain)
    : print_human (documents);

 out:
  json_decref (documents);
  return status;
}

static int
info_path (const char *path, const struct vdisk_options *options,
           enum output output, bool chain)
{
  struct vdisk_error error;
  struct vdisk *vdisk;
  int status;

  vdisk = chain ? vdisk_open (path, options, &error)
    : vdisk_inspect (path, options, &error);
  if (vdisk == NULL) {
    complain ("%s", error.message);
    return STATUS_ERROR;
  }
  status = info (vdisk, output, chain);
  vdisk_close (vdisk);
  return status;
}

static bool
parse_output (const char *name, enum output *output)
{
  if (strcmp (name, "human") == 0)
    *output = OUTPUT_HUMAN;
  else if (strcmp (name, "json") == 0)
    *output = OUTPUT_JSON;
  else
    return false;
  return true;
}

static int
run_info (int argc, char **argv)
{
  enum { OPTION_OUTPUT = OPTION_COMMAND, OPTION_CHAIN, OPTION_HELP };
  static const struct option longopts[] = {
    { "output", required_argument, NULL, OPTION_OUTPUT },
    { "chain", no_argument, NULL, OPTION_CHAIN },
    { "help", no_argument, NULL, OPTION_HELP },
    IMAGE_OPTIONS,
    { NULL, 0, NULL, 0 },
  };
  struct vdisk_options *options = image_options_new ();
  enum output output = OUTPUT_HUMAN;
  int opt, index, status = STATUS_USAGE;
  bool chain = false;

  while ((opt = getopt_long (argc, argv, "", longopts, &index)) != -1)
    switch (opt) {
    case OPTION_OUTPUT:
      if (!parse_output (optarg, &output)) {
        status = usage_error ("info", "--output=%s: must be human or json",
                              optarg);
        goto out;
      }
      break;
    case OPTION_CHAIN:
      chain = true;
      break;
    case OPTION_HELP:
      fputs (help, stdout);
      status = STATUS_OK;
      goto out;
    case OPTION_IMAGE:
    case OPTION_FORCE_SHARE:
      if (!image_options_take (options, opt, longopts, index))
        goto out;
      break;
    default:
      goto out;
    }
  if (optind + 1 != argc)
    status = usage_error ("info", "one image has to be named");
  else
    status = info_path (argv[optind], options, output, chain);

 out:
  vdisk_options_free (options);
  return status;
}

const struct command command_info = {
  .name = "info",
  .summary = "say what an image is",
  .run = run_info,
};
