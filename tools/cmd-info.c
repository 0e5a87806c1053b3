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
#include "report-request.h"
#include "tool.h"

static const char help[] =
  "Usage: vdisk info [OPTION]... IMAGE\n"
  "Say what an image is, as far as its own file tells.\n\n"
  REPORT_OPTIONS_HELP
  "                          'qemu-img info'\n"
  "  --chain                 the images it is based on as well, top first\n"
  "  --view=VIEW             the size of this view; see 'vdisk views'\n"
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
  vdisk_free (text);
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
    /* The library has made it printable. */
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

/* The disk is that of a view. */
static int
set_view (json_t *document, struct vdisk *vdisk, const char *name)
{
  struct vdisk_error error;
  struct vdisk *view = vdisk_open_view (vdisk, name, &error);

  if (view == NULL) {
    complain ("%s", error.message);
    return -1;
  }
  json_object_set_new (document, "virtual-size",
                       json_integer (vdisk_size (view)));
  json_object_set_new (document, "view",
                       json_string (vdisk_view_name (view)));
  vdisk_close (view);
  return 0;
}

static int
info (struct vdisk *vdisk, const struct report_request *request)
{
  const bool chain = request->flag;
  unsigned depth, layers = chain ? vdisk_layers (vdisk) : 1;
  json_t *documents = json_array ();
  int status = STATUS_ERROR;

  for (depth = 0; depth < layers; ++depth)
    if (json_array_append_new (documents, describe (vdisk, depth)) == -1)
      goto out;
  if (request->view && set_view (json_array_get (documents, 0), vdisk,
                                 request->view) == -1)
    goto out;
  status = request->output == OUTPUT_JSON ? print_json (documents, chain)
    : print_human (documents);

 out:
  json_decref (documents);
  return status;
}

static int
info_path (const struct report_request *request)
{
  struct vdisk_error error;
  struct vdisk *vdisk;
  int status;

  /* A view needs what the image is based on. */
  vdisk = request->flag || request->view
    ? vdisk_open (request->path, request->options, &error)
    : vdisk_inspect (request->path, request->options, &error);
  if (vdisk == NULL) {
    complain ("%s", error.message);
    return STATUS_ERROR;
  }
  status = info (vdisk, request);
  vdisk_close (vdisk);
  return status;
}

static int
run_info (int argc, char **argv)
{
  return report_request_run (argc, argv, "chain", help, STATUS_USAGE,
                             NULL, info_path);
}

const struct command command_info = {
  .name = "info",
  .summary = "say what an image is",
  .run = run_info,
};
