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

/* Who asks may be anybody, and looking for a name takes reading tables that
 * an image can make long: for bitmaps once, for differences so many times. */
#define DIVISIONS_MAX 8

#define BITMAPS_JOINED_MAX 64

struct request {
  struct image *image;
  const char *name;             /* as it is asked for */
  bool is_inner;                /* one end of a difference */
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
  struct view *view = part ? view_of_chain (part, request->error)
    : NULL;

  return view ? image_show (image, view, request->name, request->error)
    : NULL;
}

static struct vdisk *
open_active (const struct request *request)
{
  struct image *image = request->image;
  struct view *view = view_of_chain (image->chain, request->error);

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
  bool has_id;                  /* it is somebody's ID, which counts first */
  unsigned found;               /* by name, so far */
  uint32_t number;
};

static int
look_at (void *opaque, const struct layer_view *view,
         struct vdisk_error *error)
{
  struct search *search = opaque;

  (void) error;
  if (view->is_bitmap)
    return 0;
  if (strcmp (search->text, view->id) == 0) {
    search->has_id = true;
    search->number = view->number;
    return 1;
  }
  if (strcmp (search->text, view->name) == 0 && search->found++ == 0)
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
  struct search search = { .text = text };
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

#define NO_BITMAP UINT32_MAX
#define SEVERAL_BITMAPS (UINT32_MAX - 1)

/* A text that is names with '+' between them, and they may have some
 * themselves: in pieces, each up to a '+' or the end. */
struct joined {
  const char *pieces[BITMAPS_JOINED_MAX];
  size_t lengths[BITMAPS_JOINED_MAX];
  size_t count;
  /* The bitmap whose name are the pieces from the first index to the
   * second. */
  uint32_t numbers[BITMAPS_JOINED_MAX][BITMAPS_JOINED_MAX];
  bool several;                 /* have a name that was needed */
};

static bool
split (struct joined *joined, const char *text)
{
  memset (joined->numbers, 0xff, sizeof joined->numbers);
  for (joined->count = 0; joined->count < BITMAPS_JOINED_MAX; ) {
    const size_t length = strcspn (text, "+");

    joined->pieces[joined->count] = text;
    joined->lengths[joined->count++] = length;
    if (text[length] == '\0')
      return true;
    text += length + 1;
  }
  return false;
}

/* The piece from 'first' on that 'name' ends with, or count if it is not the
 * name of such pieces. */
static size_t
find_last (const struct joined *joined, size_t first, const char *name,
           size_t length)
{
  size_t i, end = 0;

  for (i = first; i < joined->count; ++i, ++end) {
    end += joined->lengths[i];
    if (end >= length)
      break;
  }
  return end == length && memcmp (joined->pieces[first], name, length) == 0
    ? i : joined->count;
}

static int
look_at_bitmap (void *opaque, const struct layer_view *view,
                struct vdisk_error *error)
{
  struct joined *joined = opaque;
  const size_t length = strlen (view->name);
  size_t i, last;

  (void) error;
  for (i = 0; i < joined->count && view->is_bitmap; ++i) {
    last = find_last (joined, i, view->name, length);
    if (last < joined->count) {
      uint32_t *number = &joined->numbers[i][last];

      *number = *number == NO_BITMAP ? view->number : SEVERAL_BITMAPS;
    }
  }
  return 0;
}

/* Choose which pieces are a name: from each on the whole rest, or else as few
 * as leave names.  ends[i] becomes the last piece of the name that starts
 * with piece i, or count. */
static void
choose (struct joined *joined, size_t ends[BITMAPS_JOINED_MAX])
{
  const size_t count = joined->count;
  size_t i, j;

  for (i = count; i-- > 0; ) {
    ends[i] = joined->numbers[i][count - 1] < SEVERAL_BITMAPS ? count - 1
      : count;
    for (j = i; j + 1 < count && ends[i] == count; ++j)
      if (joined->numbers[i][j] < SEVERAL_BITMAPS && ends[j + 1] < count)
        ends[i] = j;
    for (j = i; j < count; ++j)
      joined->several |= joined->numbers[i][j] == SEVERAL_BITMAPS;
  }
}

/* Find the bitmaps that 'text' names.  0 if there are none, -1 on error. */
static int
find_bitmaps (const struct request *request, const char *text,
              struct joined *joined, uint32_t numbers[BITMAPS_JOINED_MAX])
{
  const struct layer *top = top_of (request);
  size_t ends[BITMAPS_JOINED_MAX], i;
  int found = 0;

  if (top->format->list_views == NULL || !split (joined, text))
    return 0;
  if (top->format->list_views (top, look_at_bitmap, joined,
                               request->error) == -1)
    return -1;
  choose (joined, ends);
  if (ends[0] == joined->count)
    return 0;
  for (i = 0; i < joined->count; i = ends[i] + 1)
    numbers[found++] = joined->numbers[i][ends[i]];
  return found;
}

static struct vdisk *
open_bitmaps (const struct request *request, const char *text)
{
  struct image *image = request->image;
  uint32_t numbers[BITMAPS_JOINED_MAX];
  struct joined joined = { .several = false };
  struct view *view;
  int count = find_bitmaps (request, text, &joined, numbers);

  if (count == -1)
    return NULL;
  if (count == 0)
    return no_view (request, joined.several
                    ? "several bitmaps have that name"
                    : "there is no such bitmap");
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
  unsigned divisions = 0;
  const char *dots;

  if (request->is_inner)
    return no_view (request, "there are no differences of differences");
  inner.is_inner = true;
  inner.error = &why;
  for (dots = strstr (text, ".."); dots; dots = strstr (dots + 1, "..")) {
    if (++divisions > DIVISIONS_MAX)
      return no_view (request, "it has too many '..'");
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
