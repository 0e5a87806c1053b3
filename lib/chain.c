/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening a chain: from each layer to the one it refers to, until one
 * refers to none, or by the user's word through the layers that are named.
 */

#include "chain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "debug.h"
#include "util/error.h"
#include "format/format.h"
#include "options.h"
#include "source/path.h"
#include "source/source.h"
#include "util/minmax.h"

/* While a chain is being opened. */
struct opening {
  struct chain *chain;
  const struct vdisk_options *options;
  const struct resolver *resolver;
};

static struct source *
open_reference (const struct opening *opening, const struct layer *from,
                const struct reference *reference, size_t i,
                struct vdisk_error *error)
{
  const struct resolver *resolver = opening->resolver;

  return resolver->open (resolver->opaque, from->source, reference->role,
                         reference->names[i], opening->options, error);
}

/* How a source is locked, for debug messages. */
static const char *
lock_text (const struct source *source)
{
  switch (source->lock) {
  case SOURCE_NOT_A_FILE: return "";
  case SOURCE_LOCKED: return ", locked (bytes 100, 201 and 203, shared)";
  case SOURCE_NO_LOCKS: return ", not locked: its file system has no locks";
  case SOURCE_FORCE_SHARE: return ", not locked (force-share)";
  }
  return "";
}

/* Tell that a source was opened: the i-th name of a reference led to it, or
 * it is the top image. */
static void
tell_opened (const struct opening *opening, const struct source *source,
             const struct layer *from, const struct reference *reference,
             size_t i)
{
  const char *origin;

  if (from == NULL) {
    debug_message (opening->options, "%s: opened as the image: %" PRIu64
                   " bytes%s%s", source->name, source->size,
                   source->sparse ? ", sparse" : "", lock_text (source));
    return;
  }
  origin = reference->origins[i];
  debug_message (opening->options, "%s: opened as %s '%s'%s%s%s of %s: %"
                 PRIu64 " bytes%s%s", source->name, reference->role,
                 reference->names[i], *origin ? " (" : "", origin,
                 *origin ? ")" : "", from->source->name, source->size,
                 source->sparse ? ", sparse" : "", lock_text (source));
}

static void
tell_opened_by_user (const struct opening *opening,
                     const struct source *source, unsigned depth)
{
  debug_message (opening->options, "%s: opened as layer %u by the user's "
                 "word: %" PRIu64 " bytes%s%s", source->name, depth,
                 source->size, source->sparse ? ", sparse" : "",
                 lock_text (source));
}

/* Tell what a name of a reference did not lead to. */
static void
tell_passed_over (const struct opening *opening, const struct layer *from,
                  size_t i, const struct vdisk_error *why)
{
  const char *origin = from->backing.origins[i];

  debug_message (opening->options, "%s%s%s%s: passed over", error_raw (why),
                 *origin ? " (" : "", origin, *origin ? ")" : "");
}

static int
open_data_file (const struct opening *opening, struct layer *layer,
                struct vdisk_error *error)
{
  struct source *data;

  if (layer->data_file.role == NULL || layer->inspect_only)
    return 0;
  data = open_reference (opening, layer, &layer->data_file, 0, error);
  if (data == NULL)
    return -1;
  data->options = opening->options;
  tell_opened (opening, data, layer, &layer->data_file, 0);
  layer->data = data;
  return 0;
}

/* NBD, and most interfaces to files, cannot count further. */
static int
check_size (const struct layer *layer, struct vdisk_error *error)
{
  if (layer->size > INT64_MAX)
    return layer_error (layer, error, EINVAL, "the disk has %" PRIu64
                        " bytes, must be less than 2^63", layer->size);
  return 0;
}

static int
open_format (struct layer *layer, struct vdisk_error *error)
{
  if (layer->format->open (layer, error) == 0)
    return 0;
  format_add_magic (layer->format, layer->source, error);
  return -1;
}

/* Make a layer of a source, which is the layer's from now on, also on
 * error. */
static struct layer *
open_layer (const struct opening *opening, struct source *source,
            const struct format *format, unsigned depth,
            struct vdisk_error *error)
{
  struct layer *layer = calloc (1, sizeof *layer);

  if (layer == NULL) {
    error_no_memory (error, source->name);
    source_close (source);
    return NULL;
  }
  layer->source = layer->data = source;
  source->options = opening->options;
  layer->options = opening->options;
  layer->depth = depth;
  layer->inspect_only = opening->chain->inspect_only;
  layer->backing_is_told = opening->options->told.is_told;
  layer->format = format ? format
    : format_probe (source, opening->options, error);
  if (layer->format == NULL || open_format (layer, error) == -1 ||
      check_size (layer, error) == -1 ||
      open_data_file (opening, layer, error) == -1) {
    layer_close (layer);
    return NULL;
  }
  debug_message (opening->options, "%s: layer %u: %s, a disk of %" PRIu64
                 " bytes", source->name, depth, layer->format->name,
                 layer->size);
  return layer;
}

/* Which layer the source is already, or -1. */
static int
find_source (const struct chain *chain, const struct source *source)
{
  unsigned i;

  for (i = 0; i < chain->count; ++i)
    if (source_is_same (chain->layers[i]->source, source))
      return i;
  return -1;
}

/* Refuse a source that is a layer already: the chain would never end. */
static int
check_for_loop (const struct chain *chain, const struct source *source,
                struct vdisk_error *error)
{
  const struct layer *last = chain->layers[chain->count - 1];
  const int i = find_source (chain, source);

  if (i == -1)
    return 0;
  return error_set (error, ELOOP, "%s: %s %s is layer %d of this chain "
                    "already: the chain loops", last->source->name,
                    last->backing.role, source->name, i);
}

/* The format of what 'last' refers to.  NULL on error. */
static const struct format *
format_below (const struct layer *last, struct source *source,
              struct vdisk_error *error)
{
  struct vdisk_error why = { 0 };
  const struct format *format = last->backing.format;

  if (format == NULL) {
    format = format_probe (source, NULL, &why);
    if (format == NULL)
      error_record (error, why.errnum, "%s: the format of the %s is not "
                 "recorded (qemu-img rebase -u -F records it): %s",
                 last->source->name, last->backing.role, error_raw (&why));
  }
  return format;
}

/* Is 'layer' what the last one was made on?  If not, 'leniently' warns. */
static int
check_parent (const struct opening *opening, const struct layer *layer,
              bool leniently, struct vdisk_error *error)
{
  const struct chain *chain = opening->chain;
  const struct layer *last = chain->layers[chain->count - 1];
  struct vdisk_error why = { 0 };

  if (last->format->accept_parent == NULL ||
      last->format->accept_parent (last, layer, &why) == 0)
    return 0;
  if (leniently) {
    options_warn (opening->options, "%s", error_raw (&why));
    return 0;
  }
  return error_set (error, why.errnum, "%s (%signore-parent-id%s opens it all "
                    "the same)", error_raw (&why),
                    options_prefix (opening->options),
                    options_on (opening->options));
}

/* Open the layer under the last one by its i-th name. */
static struct layer *
open_below (const struct opening *opening, size_t i, bool leniently,
            struct vdisk_error *error)
{
  struct chain *chain = opening->chain;
  const struct layer *last = chain->layers[chain->count - 1];
  const struct format *format;
  struct source *source;
  struct layer *layer;

  source = open_reference (opening, last, &last->backing, i, error);
  if (source == NULL)
    return NULL;
  tell_opened (opening, source, last, &last->backing, i);
  format = NULL;
  if (check_for_loop (chain, source, error) == 0)
    format = format_below (last, source, error);
  if (format == NULL) {
    source_close (source);
    return NULL;
  }
  layer = open_layer (opening, source, format, chain->count, error);
  if (layer && check_parent (opening, layer, leniently, error) == -1) {
    layer_close (layer);
    return NULL;
  }
  return layer;
}

/* Open the layer under the last one by whichever name leads to it.  Where
 * none does, a file that was found and refused says more than one that
 * was not found. */
static struct layer *
try_names (const struct opening *opening, bool leniently,
           struct vdisk_error *error)
{
  const struct chain *chain = opening->chain;
  const struct layer *last = chain->layers[chain->count - 1];
  struct vdisk_error best = { 0 };
  size_t i;

  for (i = 0; i < last->backing.name_count; ++i) {
    struct vdisk_error why = { 0 };
    struct layer *layer = open_below (opening, i, leniently, &why);

    if (layer)
      return layer;
    tell_passed_over (opening, last, i, &why);
    if (best.errnum == 0 || best.errnum == ENOENT)
      best = why;
  }
  error_record (error, best.errnum, "%s", error_raw (&best));
  return NULL;
}

/* A file that is the parent beyond doubt is better than one that is not,
 * whichever name comes first. */
static struct layer *
open_below_by_any_name (const struct opening *opening,
                        struct vdisk_error *error)
{
  const struct chain *chain = opening->chain;
  const struct layer *last = chain->layers[chain->count - 1];
  struct layer *layer;

  if (chain->count == CHAIN_LAYERS_MAX) {
    layer_record_error (last, error, ELOOP, "%s: the chain has more than %d layers",
                 last->backing.role, CHAIN_LAYERS_MAX);
    return NULL;
  }
  if (!opening->options->ignore_parent_id)
    return try_names (opening, false, error);
  layer = try_names (opening, false, NULL);
  return layer ? layer : try_names (opening, true, error);
}

/* --- Chains told by the user ------------------------------------------- */

/* Refuse a layer under the last one that nothing of would be seen, or that
 * is there already. */
static int
check_told (const struct opening *opening, const struct source *source,
            struct vdisk_error *error)
{
  const struct chain *chain = opening->chain;
  const struct layer *last = chain->layers[chain->count - 1];
  const int i = find_source (chain, source);
  const char *prefix = options_prefix (opening->options);

  if (i != -1)
    return error_set (error, ELOOP, "%slayer=%s: is layer %d of this chain "
                      "already: the chain loops", prefix, source->name, i);
  if (last->is_raw)
    return error_set (error, EINVAL, "%slayer=%s: nothing of it would be "
                      "seen, since %s, which is over it, is raw", prefix,
                      source->name, last->source->name);
  return 0;
}

/* The format of a layer that the user has named: the user's word, the last
 * layer's, or its magic.  What a server serves is as at the top of a
 * chain.  NULL on error. */
static const struct format *
format_of_told (const struct opening *opening,
                const struct told_layer *told, struct source *source,
                struct vdisk_error *error)
{
  const struct chain *chain = opening->chain;
  struct vdisk_error why = { 0 };
  const struct format *format = told->format;

  if (format == NULL)
    format = chain->layers[chain->count - 1]->backing.format;
  if (format == NULL && source->is_uri)
    format = &format_raw;
  if (format == NULL)
    format = format_probe (source, NULL, &why);
  if (format == NULL)
    error_record (error, why.errnum, "%s (if it is raw, %slayer-format=raw "
                  "says so, after %slayer=%s)", error_raw (&why),
                  options_prefix (opening->options),
                  options_prefix (opening->options), told->name);
  return format;
}

/* Where the last layer's word for the format was taken, and was wrong. */
static void
advise_format (const struct opening *opening, const struct told_layer *told,
               const struct format *format, struct vdisk_error *error)
{
  const struct chain *chain = opening->chain;
  const struct layer *last = chain->layers[chain->count - 1];

  if (error && error->errnum == EINVAL && told->format == NULL &&
      last->backing.format == format)
    error_add (error, " (%s records that it is %s: %slayer-format=FORMAT says "
               "otherwise)", last->source->name, format->name,
               options_prefix (opening->options));
}

/* Open the layer under the last one, of a source that is the layer's from
 * now on, also on error. */
static struct layer *
open_told_source (const struct opening *opening,
                  const struct told_layer *told, struct source *source,
                  struct vdisk_error *error)
{
  const struct format *format = NULL;
  struct layer *layer;

  if (check_told (opening, source, error) == 0)
    format = format_of_told (opening, told, source, error);
  if (format == NULL) {
    source_close (source);
    return NULL;
  }
  layer = open_layer (opening, source, format, opening->chain->count, error);
  if (layer == NULL)
    advise_format (opening, told, format, error);
  else if (check_parent (opening, layer, opening->options->ignore_parent_id,
                         error) == -1) {
    layer_close (layer);
    layer = NULL;
  }
  return layer;
}

static struct layer *
open_told (const struct opening *opening, struct vdisk_error *error)
{
  const struct told_layer *told =
    &opening->options->told.layers[opening->chain->count - 1];
  struct source *source = source_open_path (told->name, opening->options,
                                            error);

  if (source == NULL) {
    options_advise_sharing (opening->options, error);
    return NULL;
  }
  tell_opened_by_user (opening, source, opening->chain->count);
  return open_told_source (opening, told, source, error);
}

/* Was the last layer opened?  The user may have named fewer than there
 * are. */
static bool
is_complete (const struct opening *opening)
{
  const struct chain *chain = opening->chain;
  const struct told_layers *told = &opening->options->told;
  const struct layer *last = chain->layers[chain->count - 1];

  if (chain->inspect_only)
    return true;
  if (!told->is_told)
    return last->backing.role == NULL;
  if (chain->count <= told->count)
    return false;
  if (told->count > 0 && last->backing.role)
    layer_warn (last, "%s '%s' is not followed: %slayer names no layer under "
                "this one", last->backing.role, last->backing.names[0],
                options_prefix (opening->options));
  return true;
}

/* --- All of them -------------------------------------------------------- */


static void
append_layer (struct chain *chain, struct layer *layer)
{
  chain->layers[chain->count++] = layer;
  if (chain->count == 1 || layer->granularity < chain->granularity)
    chain->granularity = layer->granularity;
}

/* What a server serves was mostly written by a guest, and so is raw unless
 * somebody says otherwise: a guest that writes the header of another format
 * must not change what its disk is. */
static const struct format *
format_of_top (const struct source *top, const struct vdisk_options *options)
{
  if (options->format == NULL && top->is_uri)
    return &format_raw;
  return options->format;
}

/* All layers are open. */
static int
settle (const struct chain *chain, struct vdisk_error *error)
{
  struct layer *top = chain->layers[0];

  if (top->format->settle == NULL || chain->inspect_only)
    return 0;
  if (top->format->settle (top, chain->layers + 1, chain->count - 1,
                           error) == -1)
    return -1;
  return check_size (top, error);
}

struct chain *
chain_open (struct source *top, const struct vdisk_options *options,
            const struct resolver *resolver, struct vdisk_error *error)
{
  struct chain *chain = calloc (1, sizeof *chain);
  const struct opening opening = {
    .chain = chain, .options = options, .resolver = resolver,
  };
  struct layer *layer;

  if (chain == NULL) {
    error_no_memory (error, top->name);
    source_close (top);
    return NULL;
  }
  chain->inspect_only = resolver == NULL;
  chain->host_holes = options->host_holes;
  tell_opened (&opening, top, NULL, NULL, 0);
  layer = open_layer (&opening, top, format_of_top (top, options), 0, error);
  while (layer) {
    append_layer (chain, layer);
    if (is_complete (&opening)) {
      if (settle (chain, error) == 0)
        return chain;
      break;
    }
    layer = options->told.is_told ? open_told (&opening, error)
      : open_below_by_any_name (&opening, error);
  }
  chain_close (chain);
  return NULL;
}

struct chain *
chain_share (const struct chain *chain, unsigned first, unsigned last,
             struct layer *top, struct vdisk_error *error)
{
  struct chain *part = malloc (sizeof *part);
  unsigned i;

  if (part == NULL) {
    error_no_memory (error, chain->layers[first]->source->name);
    layer_close (top);
    return NULL;
  }
  *part = *chain;
  part->is_shared = true;
  part->first = first;
  part->count = last + 1;
  if (top)
    part->layers[first] = top;
  part->granularity = part->layers[first]->granularity;
  for (i = first; i <= last; ++i)
    part->granularity = min_u64 (part->granularity,
                                 part->layers[i]->granularity);
  return part;
}

void
chain_close (struct chain *chain)
{
  unsigned i;

  if (chain == NULL)
    return;
  for (i = 0; i < chain->count; ++i)
    if (!chain->is_shared || chain->layers[i]->is_shared)
      layer_close (chain->layers[i]);
  free (chain);
}

uint64_t
chain_size (const struct chain *chain)
{
  return chain->layers[chain->first]->size;
}
