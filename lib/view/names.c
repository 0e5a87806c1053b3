/* SPDX-License-Identifier: BSD-3-Clause */
/* From the name of a view to the view.
 *
 *   active
 *   snapshot/NAME, snapshot/ID
 *   bitmap/NAME, bitmap/NAME+NAME...
 *   layer/N, layer/N-M
 *   diff/VIEW..VIEW
 *
 * Names come from images, and may have a '+' or '..' in them: what is tried
 * first is the whole, then every place to divide it, from the left.
 */

#include "view/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "format/format.h"
#include "image.h"
#include "source/source.h"
#include "util/error.h"

/* A difference can be of differences only if they end somewhere. */
#define NESTING_MAX 4

#define BITMAPS_JOINED_MAX 64

struct request {
  struct image *image;
  const char *name;             /* as it is asked for */
  unsigned nesting;
  struct vdisk_error *error;
};

static struct vdisk *open_named (const struct request *request,
                                 const char *name);

static const struct layer *
top_of (const struct request *request)
{
  return request->image->chain->layers[0];
}

/* Record that there is no such view. */
static struct vdisk *
no_view (const struct request *request, const char *what)
{
  error_record (request->error, ENOENT, "%s: view '%s': %s",
                top_of (request)->source->name, request->name, what);
  return NULL;
}

/* What follows a prefix, or NULL if 'name' does not start with it. */
static const char *
after (const char *name, const char *prefix)
{
  const size_t length = strlen (prefix);

  return strncmp (name, prefix, length) == 0 ? name + length : NULL;
}

static struct vdisk *
show_chain (const struct request *request, unsigned first, unsigned last,
            struct layer *top)
{
  struct image *image = request->image;
  struct chain *part = chain_share (image->chain, first, last, top,
                                    request->error);
  struct view *view = part ? view_of_chain (part, true, request->error)
    : NULL;

  return view ? image_show (image, view, request->name, request->error)
    : NULL;
}

static struct vdisk *
open_active (const struct request *request)
{
  struct image *image = request->image;
  struct view *view = view_of_chain (image->chain, false, request->error);

  return view ? image_show (image, view, "active", request->error) : NULL;
}

/* --- Layers ------------------------------------------------------------- */

/* Parse a number, and move on behind it. */
static bool
parse_number (const char **text, unsigned *number)
{
  uint64_t value = 0;
  const char *p = *text;

  for (; *p >= '0' && *p <= '9' && value <= CHAIN_LAYERS_MAX; ++p)
    value = value * 10 + (*p - '0');
  if (p == *text)
    return false;
  *number = value;
  *text = p;
  return true;
}

static struct vdisk *
open_layers (const struct request *request, const char *text)
{
  const unsigned count = request->image->chain->count;
  unsigned first, last;
  char what[64];

  if (!parse_number (&text, &first))
    return no_view (request, "must be layer/N or layer/N-M");
  last = first;
  if (*text == '-') {
    text++;
    if (!parse_number (&text, &last))
      return no_view (request, "must be layer/N or layer/N-M");
  }
  if (*text || last < first)
    return no_view (request, "must be layer/N or layer/N-M");
  if (last >= count) {
    snprintf (what, sizeof what, "the chain has layers 0 to %u", count - 1);
    return no_view (request, what);
  }
  return show_chain (request, first, last, NULL);
}

/* --- Snapshots ---------------------------------------------------------- */

struct search {
  const char *text;
  size_t length;
  bool for_bitmap;
  bool has_id;                  /* it is somebody's ID, which counts first */
  unsigned found;               /* by name, so far */
  uint32_t number;
};

static bool
is_text (const struct search *search, const char *text)
{
  return strncmp (text, search->text, search->length) == 0 &&
    text[search->length] == '\0';
}

static int
look_at (void *opaque, const struct layer_view *view,
         struct vdisk_error *error)
{
  struct search *search = opaque;

  (void) error;
  if (view->is_bitmap != search->for_bitmap)
    return 0;
  if (!view->is_bitmap && is_text (search, view->id)) {
    search->has_id = true;
    search->number = view->number;
    return 1;
  }
  if (is_text (search, view->name) && search->found++ == 0)
    search->number = view->number;
  return 0;
}

static int
find (const struct request *request, struct search *search)
{
  const struct layer *top = top_of (request);

  return top->format->list_views == NULL ? 0
    : top->format->list_views (top, look_at, search, request->error);
}

static struct vdisk *
open_snapshot (const struct request *request, const char *text)
{
  const struct layer *top = top_of (request);
  struct search search = { .text = text, .length = strlen (text) };
  struct layer *layer;

  if (find (request, &search) == -1)
    return NULL;
  if (!search.has_id && search.found == 0)
    return no_view (request, "there is no such snapshot");
  if (!search.has_id && search.found > 1)
    return no_view (request, "several snapshots have that name: take one by "
                    "its ID");
  layer = top->format->open_snapshot (top, search.number, request->error);
  return layer
    ? show_chain (request, 0, request->image->chain->count - 1, layer) : NULL;
}

/* --- Bitmaps ------------------------------------------------------------ */

/* Find the bitmaps that 'text' names, from number *count on.  1: they are
 * found, 0: they are not. */
static int
find_bitmaps (const struct request *request, const char *text,
              uint32_t *numbers, size_t *count)
{
  const char *end = text + strlen (text);
  struct search search;
  const char *plus;
  int r;

  if (*count == BITMAPS_JOINED_MAX)
    return 0;
  for (plus = end; plus; plus = plus == end ? strchr (text, '+')
       : strchr (plus + 1, '+')) {
    search = (struct search) {
      .text = text, .length = plus - text, .for_bitmap = true,
    };
    if (find (request, &search) == -1)
      return -1;
    if (search.found == 0)
      continue;
    numbers[(*count)++] = search.number;
    if (plus == end)
      return 1;
    r = find_bitmaps (request, plus + 1, numbers, count);
    if (r != 0)
      return r;
    --*count;
  }
  return 0;
}

static struct vdisk *
open_bitmaps (const struct request *request, const char *text)
{
  struct image *image = request->image;
  uint32_t numbers[BITMAPS_JOINED_MAX];
  size_t count = 0;
  struct view *view;
  int r = find_bitmaps (request, text, numbers, &count);

  if (r == -1)
    return NULL;
  if (r == 0)
    return no_view (request, "there is no such bitmap");
  view = view_of_bitmaps (image->chain, numbers, count, request->error);
  return view ? image_show (image, view, request->name, request->error)
    : NULL;
}

/* --- Differences -------------------------------------------------------- */

/* Open 'from..to', divided at 'dots'. */
static struct vdisk *
open_divided (const struct request *request, const char *text,
              const char *dots)
{
  char *name = strndup (text, dots - text);
  struct vdisk *from, *to, *difference = NULL;

  if (name == NULL) {
    error_no_memory (request->error, "views");
    return NULL;
  }
  from = open_named (request, name);
  free (name);
  to = from ? open_named (request, dots + 2) : NULL;
  if (to)
    difference = vdisk_open_difference (from, to, 0, request->error);
  vdisk_close (to);
  vdisk_close (from);
  return difference;
}

static struct vdisk *
open_difference (const struct request *request, const char *text)
{
  struct vdisk_error first = { 0 }, why;
  struct request inner = *request;
  struct vdisk *vdisk;
  const char *dots;

  if (request->nesting == NESTING_MAX)
    return no_view (request, "that is too many differences of differences");
  inner.nesting++;
  inner.error = &why;
  for (dots = strstr (text, ".."); dots; dots = strstr (dots + 1, "..")) {
    why = (struct vdisk_error) { 0 };
    vdisk = open_divided (&inner, text, dots);
    if (vdisk)
      return vdisk;
    if (first.errnum == 0 || first.errnum == ENOENT)
      first = why;
  }
  if (first.errnum == 0)
    return no_view (request, "must be diff/VIEW..VIEW");
  error_record (request->error, first.errnum, "%s", error_raw (&first));
  return NULL;
}

/* --- All of them -------------------------------------------------------- */

static struct vdisk *
open_named (const struct request *request, const char *name)
{
  static const struct {
    const char *prefix;
    struct vdisk *(*open) (const struct request *request, const char *text);
  } kinds[] = {
    { "snapshot/", open_snapshot },
    { "bitmap/", open_bitmaps },
    { "layer/", open_layers },
    { "diff/", open_difference },
  };
  struct request named = *request;
  size_t i;

  named.name = name;
  if (strcmp (name, "active") == 0 || *name == '\0')
    return open_active (&named);
  for (i = 0; i < sizeof kinds / sizeof kinds[0]; ++i) {
    const char *text = after (name, kinds[i].prefix);

    if (text)
      return kinds[i].open (&named, text);
  }
  return no_view (&named, "must be active, snapshot/NAME, bitmap/NAME, "
                  "layer/N or diff/VIEW..VIEW");
}

struct vdisk *
view_open (struct image *image, const char *name, struct vdisk_error *error)
{
  const struct request request = {
    .image = image, .name = name, .error = error,
  };

  return open_named (&request, name);
}
