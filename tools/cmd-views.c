/* SPDX-License-Identifier: BSD-3-Clause */
/* vdisk views: the points in time and the parts that an image can be shown
 * at, by the names that --view takes.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "human.h"
#include "image-options.h"
#include "report-request.h"
#include "tool.h"

static const char *
kind_name (enum vdisk_view_kind kind)
{
  switch (kind) {
  case VDISK_VIEW_ACTIVE:   return "active";
  case VDISK_VIEW_SNAPSHOT: return "snapshot";
  case VDISK_VIEW_BITMAP:   return "bitmap";
  case VDISK_VIEW_LAYER:    return "layer";
  }
  return "unknown";
}

static const char help[] =
  "Usage: vdisk views [OPTION]... IMAGE\n"
  "List what an image can be shown as: itself, its snapshots, what its\n"
  "bitmaps say has changed, the layers of its chain.\n\n"
  REPORT_OPTIONS_HELP
  "                          'name', 'kind', 'size' and more\n"
  "  --help                  this text\n\n"
  IMAGE_OPTIONS_HELP;

/* --- JSON --------------------------------------------------------------- */

/* What is asked for, and what is known of it. */
struct listing {
  bool only_bitmaps;
  json_t *views;
};

static bool
is_listed (const struct listing *listing, const struct vdisk_view *view)
{
  return !listing->only_bitmaps || view->kind == VDISK_VIEW_BITMAP;
}

static int
add_view (void *opaque, const struct vdisk_view *view)
{
  const struct listing *listing = opaque;
  json_t *object;

  if (!is_listed (listing, view))
    return 0;
  object = json_pack ("{s:s, s:s, s:I}", "name", view->name, "kind",
                      kind_name (view->kind), "size",
                      (json_int_t) view->size);
  if (view->kind == VDISK_VIEW_SNAPSHOT) {
    json_object_set_new (object, "id", json_string (view->id));
    json_object_set_new (object, "date-sec", json_integer (view->date_sec));
    json_object_set_new (object, "date-nsec",
                         json_integer (view->date_nsec));
    json_object_set_new (object, "vm-state-size",
                         json_integer (view->vm_state_size));
  }
  else if (view->kind == VDISK_VIEW_BITMAP)
    json_object_set_new (object, "granularity",
                         json_integer (view->granularity));
  else if (view->kind == VDISK_VIEW_LAYER)
    json_object_set_new (object, "depth", json_integer (view->depth));
  if (view->problem)
    json_object_set_new (object, "problem", json_string (view->problem));
  return json_array_append_new (listing->views, object) == -1;
}

static int
print_json (struct vdisk *vdisk, struct listing *listing,
            struct vdisk_error *error)
{
  int r;

  listing->views = json_array ();
  r = vdisk_views (vdisk, add_view, listing, error);
  if (r == 0) {
    json_dumpf (listing->views, stdout, JSON_INDENT (4));
    putchar ('\n');
  }
  json_decref (listing->views);
  return r;
}

/* --- Text --------------------------------------------------------------- */

static void
print_date (const struct vdisk_view *view)
{
  const time_t seconds = view->date_sec;
  struct tm when;
  char text[32];

  if (view->date_sec == 0 || gmtime_r (&seconds, &when) == NULL)
    return;
  strftime (text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &when);
  printf ("  %s", text);
}

static int
print_view (void *opaque, const struct vdisk_view *view)
{
  char size[HUMAN_SIZE_MAX];

  if (!is_listed (opaque, view))
    return 0;
  printf ("%-32s %10s", view->name, human_size (view->size, size));
  if (view->kind == VDISK_VIEW_SNAPSHOT)
    print_date (view);
  if (view->kind == VDISK_VIEW_BITMAP && view->granularity > 0)
    printf ("  in pieces of %s", human_size (view->granularity, size));
  if (view->problem)
    printf ("  (%s)", view->problem);
  putchar ('\n');
  return 0;
}

static const char no_view[] = "what an image has is listed, not a view";

static int
list (const struct report_request *request, bool only_bitmaps)
{
  struct listing listing = { .only_bitmaps = only_bitmaps };
  struct vdisk_error error;
  struct vdisk *vdisk = vdisk_open (request->path, request->options, &error);
  int r = -1;

  if (vdisk)
    r = request->output == OUTPUT_JSON
      ? print_json (vdisk, &listing, &error)
      : vdisk_views (vdisk, print_view, &listing, &error);
  vdisk_close (vdisk);
  if (r == -1)
    complain ("%s", error.message);
  return r == -1 ? STATUS_ERROR : STATUS_OK;
}

static int
list_all (const struct report_request *request)
{
  return list (request, false);
}

static int
list_bitmaps (const struct report_request *request)
{
  return list (request, true);
}

int
views_list_bitmaps (int argc, char **argv)
{
  return report_request_run (argc, argv, NULL, help, STATUS_USAGE,
                             no_view, list_bitmaps);
}

static int
run_views (int argc, char **argv)
{
  return report_request_run (argc, argv, NULL, help, STATUS_USAGE,
                             no_view, list_all);
}

const struct command command_views = {
  .name = "views",
  .summary = "list snapshots, bitmaps and layers",
  .run = run_views,
};
