/* SPDX-License-Identifier: BSD-3-Clause */
/* The format drivers, and how one is chosen. */

#ifndef VDISK_FORMAT_H
#define VDISK_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/names.h"
#include "layer.h"
#include "map/interval.h"
#include "vdisk.h"

struct check_report;
struct json_t;

/* What a driver may look at to recognize its format: the first and the
 * last bytes of the file, up to 512 each. */
struct probe {
  uint8_t head[512];
  uint8_t tail[512];        /* ends where the file ends */
  size_t head_size;
  size_t tail_size;
};

/* A snapshot or bitmap of an image. */
struct layer_view {
  bool is_bitmap;
  uint32_t number;          /* in the list of its kind */
  const char *id, *name;    /* as util/escape.h says; "": none */
  uint64_t size;            /* of the disk */
  uint64_t date_sec;        /* when it was made; 0: not recorded */
  uint32_t date_nsec;
  uint64_t vm_state_size;
  uint64_t granularity;     /* of a bitmap; 0: it breaks a rule */
  bool is_in_use;           /* a bitmap that was not closed */
};

/* Takes one.  0 to go on, 1 to stop, -1 for an error. */
typedef int layer_take_view (void *opaque, const struct layer_view *view,
                             struct vdisk_error *error);

struct format {
  /* "qcow2": as users write it. */
  const char *name;

  /* Recognize the format by its magic.  NULL: never. */
  bool (*probe) (const struct probe *probe);

  /* Read and validate the header, and fill in the part of the layer that
   * is the driver's.  The cost does not depend on the disk's size.  On
   * error the caller calls close. */
  int (*open) (struct layer *layer, struct vdisk_error *error);

  /* Free layer->state.  It may be half made, or NULL. */
  void (*close) (struct layer *layer);

  /* For formats whose children identify their parent by more than its
   * name: is 'parent' the one that 'child', of this format, was made on?
   * An error says what differs.  NULL: always. */
  int (*accept_parent) (const struct layer *child,
                        const struct layer *parent,
                        struct vdisk_error *error);

  /* The chain under 'top', of this format, is open: 'below' are its other
   * layers, the next one first.  The top's size may be changed to what they
   * tell.  NULL: they tell nothing. */
  int (*settle) (struct layer *top, struct layer *const *below,
                 unsigned count, struct vdisk_error *error);

  /* Append to 'out' intervals that tile the guest range, which lies
   * within layer->size.  A pure function of the image's tables.  Their
   * depth is the layer's.  On error those appended tile a part of the
   * range from its start, up to the first damage, and are right. */
  int (*map) (struct layer *layer, uint64_t offset, uint64_t count,
              struct interval_list *out, struct vdisk_error *error);

  /* Of 'a' and 'b', two states of one image of which at least one is not the
   * active one: make *end, which is within both disks, the end of what their
   * tables say alike from 'offset' on, as far as that takes reading little
   * of them; 'offset' if the very first byte may differ.  The bytes of tables
   * that were found alike are added to *work.  NULL: the format has no
   * states. */
  int (*find_change) (const struct layer *a, const struct layer *b,
                      uint64_t offset, uint64_t *end, uint64_t *work,
                      struct vdisk_error *error);

  /* Take all snapshots and bitmaps that the image has, each kind in the
   * order of its table.  NULL: the format has none, nor any of the
   * following. */
  int (*list_views) (const struct layer *layer, layer_take_view *take,
                     void *opaque, struct vdisk_error *error);

  /* The layer as it was at the snapshot with that number in its list: see
   * layer_share. */
  struct layer *(*open_snapshot) (const struct layer *layer, uint32_t number,
                                  struct vdisk_error *error);

  /* The bitmap with that number in its list, which the caller frees with
   * free; *granularity is set to bytes, a power of two.  NULL on error, also
   * if it cannot be believed. */
  void *(*open_bitmap) (const struct layer *layer, uint32_t number,
                        uint64_t *granularity, struct vdisk_error *error);

  /* Append to 'out' intervals that tile the guest range, which lies within
   * layer->size: DATA where the bitmap is set, HOLE where it is not.  On
   * error as map. */
  int (*map_bitmap) (const struct layer *layer, const void *bitmap,
                     uint64_t offset, uint64_t count,
                     struct interval_list *out, struct vdisk_error *error);

  /* Inflate the compressed cluster that 'interval' is a part of into
   * 'cluster', layer->cluster_size bytes.  NULL: the format has no
   * compression. */
  int (*unpack) (struct layer *layer, const struct interval *interval,
                 void *cluster, struct vdisk_error *error);

  /* Does QEMU's map of this format look for holes of the host file under
   * allocated clusters?  NULL: it never does, but in raw ones. */
  bool (*qemu_finds_holes) (const struct layer *layer);

  /* Add what only this format knows to 'document', a JSON object that has
   * the keys common to all formats already (see describe.c).  NULL:
   * nothing to add. */
  int (*describe) (struct layer *layer, struct json_t *document,
                   struct vdisk_error *error);

  /* Check the file's metadata: report findings through 'report', count in
   * its struct vdisk_check.  Memory does not depend on the disk's size.
   * -1 only if the check could not be carried out.  NULL: there is
   * nothing to check. */
  int (*check) (struct layer *layer, struct check_report *report,
                struct vdisk_error *error);
};

/* format.c */

/* All drivers, NULL-terminated. */
extern const struct format *const format_drivers[];

/* Close everything the layer owns, and free it.  Accepts NULL, and a
 * layer that was only opened in part. */
void layer_close (struct layer *layer);

/* probe.c */

/* The format of a source by its magic.  NULL on error: EINVAL if nothing
 * recognizes it, or if more than one format does (a guest can write the
 * magic of another format into a fixed VHD).  'options' are those that say
 * the format of this source, for advice; NULL if none do. */
const struct format *format_probe (struct source *source,
                                   const struct vdisk_options *options,
                                   struct vdisk_error *error);

/* A source could not be opened as 'format', which somebody said it has: if
 * its magic is another one, add to the error what it is. */
void format_add_magic (const struct format *format, struct source *source,
                       struct vdisk_error *error);

#endif /* VDISK_FORMAT_H */
