/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading by callbacks, which may return anything: what is more than was
 * asked for, or nothing, is an error, and how much there is was asked once.
 * What they say of holes is clipped, and remembered.
 */

#include "source/callbacks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "source/extent-cache.h"
#include "source/read-ahead.h"
#include "util/error.h"
#include "util/minmax.h"

/* How many extents are remembered. */
#define EXTENTS_MAX 1024

/* The largest number that is taken for one of errno. */
#define ERRNUM_MAX 4095

/* What a struct of the first version has to have. */
#define SIZE_MIN (offsetof (struct vdisk_callbacks, pread) + \
                  sizeof ((struct vdisk_callbacks *) NULL)->pread)

struct callbacks {
  struct source source;
  struct vdisk_callbacks callbacks;
  void *opaque;
  struct extent_cache *cache;   /* NULL if no extents are told */
};

int
callbacks_errnum (int64_t returned)
{
  return returned < 0 && returned >= -ERRNUM_MAX ? -returned : EIO;
}

/* What a failing callback is told as: see disk_errnum in file.c. */
static int
read_errnum (int64_t returned)
{
  const int errnum = callbacks_errnum (returned);

  return errnum == ENOMEM || errnum == ETIMEDOUT || errnum == ECANCELED
    ? errnum : EIO;
}

/* Record that a callback, asked for something, has returned this. */
static int
callback_error (const struct source *source, const char *what,
                uint64_t offset, int64_t returned, struct vdisk_error *error)
{
  return error_set (error, read_errnum (returned), "%s: %s at offset %"
                    PRIu64 ": %s", source->name, what, offset,
                    strerror (callbacks_errnum (returned)));
}

static int
callbacks_pread (struct source *source, void *buffer, size_t count,
                 uint64_t offset, struct vdisk_error *error)
{
  const struct callbacks *callbacks = (const struct callbacks *) source;
  uint8_t *to = buffer;

  while (count > 0) {
    const int64_t r = callbacks->callbacks.pread (callbacks->opaque, to,
                                                  count, offset);

    if (r < 0)
      return callback_error (source, "reading", offset, r, error);
    if (r == 0)
      return error_set (error, EIO, "%s: the storage ends at offset %" PRIu64
                        " now, it had %" PRIu64 " bytes when it was opened",
                        source->name, offset, source->size);
    if ((uint64_t) r > count)
      return error_set (error, EIO, "%s: of %zu bytes at offset %" PRIu64
                        " the callback has read %" PRIi64, source->name,
                        count, offset, r);
    to += r;
    count -= r;
    offset += r;
  }
  return 0;
}

static int
ask_extent (const struct callbacks *callbacks, uint64_t offset,
            struct source_extent *extent, struct vdisk_error *error)
{
  const struct source *source = &callbacks->source;
  enum vdisk_kind kind = VDISK_DATA;
  const int64_t r = callbacks->callbacks.extent (callbacks->opaque, offset,
                                                 source->size - offset,
                                                 &kind);

  if (r < 0)
    return callback_error (source, "looking for holes", offset, r, error);
  if (r == 0 || (kind != VDISK_DATA && kind != VDISK_ZERO &&
                 kind != VDISK_HOLE))
    return error_set (error, EIO, "%s: the extent at offset %" PRIu64
                      " is of kind %d and has %" PRIi64 " bytes",
                      source->name, offset, (int) kind, r);
  *extent = (struct source_extent) {
    .offset = offset, .kind = kind,
    .end = offset + min_u64 (r, source->size - offset),
  };
  return 0;
}

static int
callbacks_extent (struct source *source, uint64_t offset, uint64_t *length,
                  enum vdisk_kind *kind, struct vdisk_error *error)
{
  const struct callbacks *callbacks = (const struct callbacks *) source;
  struct source_extent extent;

  if (!extent_cache_find (callbacks->cache, offset, &extent)) {
    if (ask_extent (callbacks, offset, &extent, error) == -1)
      return -1;
    extent_cache_add (callbacks->cache, &extent, 1);
  }
  *kind = extent.kind;
  *length = extent.end - offset;
  return 0;
}

static int
callbacks_prefetch (struct source *source, uint64_t offset, uint64_t count)
{
  const struct callbacks *callbacks = (const struct callbacks *) source;

  if (callbacks->callbacks.prefetch)
    callbacks->callbacks.prefetch (callbacks->opaque, offset, count);
  return 0;
}

static void
callbacks_close (struct source *source)
{
  struct callbacks *callbacks = (struct callbacks *) source;

  if (callbacks->callbacks.close)
    callbacks->callbacks.close (callbacks->opaque);
  extent_cache_free (callbacks->cache);
  read_ahead_free (source->ahead);
  free (source->name);
  free (callbacks);
}

static const struct source_ops callbacks_ops = {
  .pread = callbacks_pread,
  .extent = callbacks_extent,
  .prefetch = callbacks_prefetch,
  .close = callbacks_close,
};

/* Copy a struct of a caller that may be older or newer than we are: what it
 * has no member for is NULL; what we have none for must be. */
static int
copy_struct (struct vdisk_callbacks *to, const struct vdisk_callbacks *from,
             const char *name, struct vdisk_error *error)
{
  const uint8_t *bytes = (const uint8_t *) from;
  size_t i;

  if (from->struct_size < SIZE_MIN)
    return error_set (error, EINVAL, "%s: the struct_size of its callbacks "
                      "is %zu, must be at least %zu", name,
                      from->struct_size, SIZE_MIN);
  for (i = sizeof *to; i < from->struct_size; ++i)
    if (bytes[i] != 0)
      return error_set (error, EINVAL, "%s: its callbacks have one that this "
                        "version, " VDISK_VERSION ", does not know", name);
  *to = (struct vdisk_callbacks) { 0 };
  memcpy (to, from, min_u64 (from->struct_size, sizeof *to));
  if (to->size == NULL || to->pread == NULL)
    return error_set (error, EINVAL, "%s: its callbacks have no %s", name,
                      to->size == NULL ? "size" : "pread");
  return 0;
}

/* Make what takes memory, and find the size. */
static int
set_up (struct callbacks *callbacks, const char *name,
        struct vdisk_error *error)
{
  struct source *source = &callbacks->source;
  int64_t size;

  source->name = strdup (name);
  source->ahead = read_ahead_new (source);
  source->sparse = callbacks->callbacks.extent != NULL;
  if (source->sparse)
    callbacks->cache = extent_cache_new (EXTENTS_MAX);
  if (source->name == NULL || source->ahead == NULL ||
      (source->sparse && callbacks->cache == NULL))
    return error_no_memory (error, name);
  size = callbacks->callbacks.size (callbacks->opaque);
  if (size < 0)
    return error_set (error, callbacks_errnum (size), "%s: finding its "
                      "size: %s", name, strerror (callbacks_errnum (size)));
  source->size = size;
  return 0;
}

struct source *
source_callbacks (const struct vdisk_callbacks *given, void *opaque,
                  const char *name, struct vdisk_error *error)
{
  struct vdisk_callbacks copy;
  struct callbacks *callbacks;

  if (name == NULL)
    name = "callbacks";
  if (copy_struct (&copy, given, name, error) == -1)
    return NULL;
  callbacks = calloc (1, sizeof *callbacks);
  if (callbacks == NULL) {
    if (copy.close)
      copy.close (opaque);
    error_no_memory (error, name);
    return NULL;
  }
  callbacks->source.ops = &callbacks_ops;
  callbacks->source.is_label = true;
  callbacks->callbacks = copy;
  callbacks->opaque = opaque;
  if (set_up (callbacks, name, error) == -1) {
    callbacks_close (&callbacks->source);
    return NULL;
  }
  return &callbacks->source;
}
