/* SPDX-License-Identifier: BSD-3-Clause */
/* How an image is to be opened.  The plugin and the tool hand their
 * parameters over as text, so that they are parsed, checked and explained
 * in one place.
 */

#ifndef VDISK_OPTIONS_H
#define VDISK_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "told-layers.h"
#include "vdisk.h"

struct cancel;
struct format;

/* Which size of a VHD counts. */
enum vhd_size_rule {
  VHD_SIZE_AUTO,            /* by the creator */
  VHD_SIZE_CURRENT,         /* current_size */
  VHD_SIZE_CHS,             /* cylinders * heads * sectors */
};

struct vdisk_options {
  const struct format *format;      /* NULL: probe by magic */
  char **backing_dirs;
  size_t backing_dir_count;
  enum vhd_size_rule size;
  bool ignore_sector_bitmaps;
  bool host_holes;
  size_t cache_size;                /* of all caches together, bytes */
  bool force_share;
  unsigned timeout_milliseconds;    /* of a server; 0: as it always was */
  struct told_layers told;
  bool ignore_parent_id;
  bool ignore_case;                 /* in the last part of references */
  enum vdisk_syntax syntax;         /* in which messages name options */
  vdisk_warning_callback *warning_callback;
  void *warning_opaque;
  vdisk_debug_callback *debug_callback;
  void *debug_opaque;
  unsigned slow_milliseconds;       /* 0: no request is slow */
  vdisk_resolve_callback *resolve_callback;     /* NULL: reference_open */
  void *resolve_opaque;
  struct cancel *cancel;            /* of the handle these belong to; NULL:
                                       they are the caller's */
};

/* A copy that does not depend on the original, and warns whom that warns.
 * NULL if out of memory. */
struct vdisk_options *options_copy (const struct vdisk_options *options);

/* What a message that names an option writes around the name, so that it is
 * in the words of the program that speaks: before the name, and after that
 * of an option that is only to be switched on.
 *
 *   "%sformat=raw", options_prefix (options)
 *   "%sforce-share%s", options_prefix (options), options_on (options)
 */
const char *options_prefix (const struct vdisk_options *options);
const char *options_on (const struct vdisk_options *options);

/* If an error says that another program uses a file, add to it how to open
 * that all the same. */
void options_advise_sharing (const struct vdisk_options *options,
                             struct vdisk_error *error);

/* Tell the caller of vdisk_open, then or while the handle is used, about
 * something odd.  Bytes that are not printable are escaped.  'options' may
 * be NULL. */
void options_warn (const struct vdisk_options *options,
                   const char *format, ...)
  __attribute__ ((format (printf, 2, 3)));

#endif /* VDISK_OPTIONS_H */
