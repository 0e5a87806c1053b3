/* SPDX-License-Identifier: BSD-3-Clause */
/* Listing the views of an image, each by a name that means it and no other.
 *
 * A snapshot has an ID and a name, and nothing keeps two from having the
 * same, or the name of one from being the ID of another: an ID counts
 * first.  A bitmap has a name alone.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "format/format.h"
#include "image.h"
#include "source/source.h"
#include "util/error.h"

struct entry {
  struct layer_view view;       /* its texts are owned */
  bool is_usual;                /* its name means it */
};

struct list {
  struct entry *entries;
  size_t count, allocated;
  const char *file;
};

static int
add (void *opaque, const struct layer_view *view, struct vdisk_error *error)
{
  struct list *list = opaque;
  struct entry *entry;

  if (list->count == list->allocated) {
    const size_t more = list->allocated * 2 + 16;
    struct entry *entries = reallocarray (list->entries, more,
                                          sizeof *entries);

    if (entries == NULL)
      return error_no_memory (error, list->file);
    list->entries = entries;
    list->allocated = more;
  }
  entry = &list->entries[list->count];
  *entry = (struct entry) { .view = *view };
  entry->view.id = strdup (view->id);
  entry->view.name = strdup (view->name);
  list->count++;
  if (entry->view.id == NULL || entry->view.name == NULL)
    return error_no_memory (error, list->file);
  return 0;
}

static void
clear (struct list *list)
{
  while (list->count > 0) {
    const struct layer_view *view = &list->entries[--list->count].view;

    free ((char *) view->id);
    free ((char *) view->name);
  }
  free (list->entries);
}

/* --- Which names mean one ----------------------------------------------- */

/* A text by which a snapshot, or a bitmap, is found. */
struct label {
  const char *text;
  struct entry *entry;
  bool is_id;
};

/* By kind and text, IDs before names, in the order of the table. */
static int
compare_labels (const void *one, const void *other)
{
  const struct label *a = one, *b = other;
  int r = a->entry->view.is_bitmap - b->entry->view.is_bitmap;

  if (r == 0)
    r = strcmp (a->text, b->text);
  if (r != 0)
    return r;
  if (a->is_id != b->is_id)
    return b->is_id - a->is_id;
  return (a->entry > b->entry) - (a->entry < b->entry);
}

static bool
is_alike (const struct label *a, const struct label *b)
{
  return a->entry->view.is_bitmap == b->entry->view.is_bitmap &&
    strcmp (a->text, b->text) == 0;
}

/* Mark those whose names mean them: nobody else's, and no other's ID.
 * Snapshots whose IDs do not mean them either lose them. */
static int
mark_usual (struct list *list, struct vdisk_error *error)
{
  struct label *labels = calloc (2 * list->count + 1, sizeof *labels);
  size_t i, next, count = 0;

  if (labels == NULL)
    return error_no_memory (error, list->file);
  for (i = 0; i < list->count; ++i) {
    struct entry *entry = &list->entries[i];

    if (!entry->view.is_bitmap)
      labels[count++] = (struct label) { entry->view.id, entry, true };
    labels[count++] = (struct label) { entry->view.name, entry, false };
  }
  qsort (labels, count, sizeof *labels, compare_labels);
  for (i = 0; i < count; i = next) {
    const struct entry *first = labels[i].entry;
    bool alone = true;

    for (next = i + 1; next < count && is_alike (&labels[i], &labels[next]);
         ++next) {
      alone &= labels[next].entry == first;
      if (labels[next].is_id)
        labels[next].entry->view.number = UINT32_MAX;
    }
    if (alone && (*labels[i].text || first->view.is_bitmap))
      labels[next - 1].entry->is_usual |= !labels[next - 1].is_id;
  }
  free (labels);
  return 0;
}

/* --- Telling ------------------------------------------------------------ */

struct telling {
  vdisk_view_callback *callback;
  void *opaque;
};

static int
tell_entry (const struct telling *telling, const struct entry *entry,
            const char *file, struct vdisk_error *error)
{
  const struct layer_view *from = &entry->view;
  struct vdisk_view view = {
    .kind = from->is_bitmap ? VDISK_VIEW_BITMAP : VDISK_VIEW_SNAPSHOT,
    .id = from->id, .size = from->size, .date_sec = from->date_sec,
    .date_nsec = from->date_nsec, .vm_state_size = from->vm_state_size,
    .granularity = from->granularity,
  };
  char *name;
  int r;

  if (from->is_bitmap && from->granularity == 0)
    view.problem = "it breaks a rule of the format";
  else if (from->is_in_use)
    view.problem = "it is in use, so that what it says is out of date";
  else if (from->is_bitmap && !entry->is_usual)
    view.problem = "its name is that of another, too";
  else if (!entry->is_usual && from->number == UINT32_MAX)
    view.problem = "its name and its ID are those of others, too";
  if (asprintf (&name, "%s/%s", from->is_bitmap ? "bitmap" : "snapshot",
                entry->is_usual || from->is_bitmap ? from->name
                : from->id) == -1)
    return error_no_memory (error, file);
  view.name = name;
  r = telling->callback (telling->opaque, &view);
  free (name);
  return r != 0;
}

static int
tell_layer (const struct telling *telling, const struct layer *layer)
{
  char name[32];
  const struct vdisk_view view = {
    .kind = VDISK_VIEW_LAYER, .name = name, .id = "", .size = layer->size,
    .depth = layer->depth,
  };

  snprintf (name, sizeof name, "layer/%u", layer->depth);
  return telling->callback (telling->opaque, &view) != 0;
}

static int
tell_active (const struct telling *telling, const struct chain *chain)
{
  const struct vdisk_view view = {
    .kind = VDISK_VIEW_ACTIVE, .name = "active", .id = "",
    .size = chain_size (chain),
  };

  return telling->callback (telling->opaque, &view) != 0;
}

int
vdisk_views (struct vdisk *vdisk, vdisk_view_callback *callback,
             void *opaque, struct vdisk_error *error)
{
  const struct chain *chain = vdisk->image->chain;
  const struct layer *top = chain->layers[0];
  const struct telling telling = { .callback = callback, .opaque = opaque };
  struct list list = { .file = top->source->name };
  unsigned depth;
  size_t i;
  int r = 0;

  error_clear (error);
  if (top->format->list_views)
    r = top->format->list_views (top, add, &list, error);
  if (r == 0)
    r = mark_usual (&list, error);
  if (r == 0)
    r = tell_active (&telling, chain);
  for (i = 0; i < list.count && r == 0; ++i)
    r = tell_entry (&telling, &list.entries[i], list.file, error);
  for (depth = 0; depth < chain->count && r == 0; ++depth)
    r = tell_layer (&telling, chain->layers[depth]);
  clear (&list);
  return r == -1 ? -1 : 0;
}
