/* SPDX-License-Identifier: BSD-3-Clause */
/* One image file of a chain, opened by its format's driver. */

#ifndef VDISK_LAYER_H
#define VDISK_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "util/error.h"
#include "map/interval.h"
#include "reference.h"
#include "source/source.h"
#include "util/checked.h"
#include "util/uuid.h"
#include "util/minmax.h"

struct format;
struct vdisk_options;

/* The granularity of a layer without tables. */
#define LAYER_UNDIVIDED (UINT64_C (1) << 52)

struct layer {
  /* Set before the driver's open. */
  const struct format *format;
  struct source *source;        /* the image file; owned */
  const struct vdisk_options *options;
  unsigned depth;               /* 0 is the top */
  bool inspect_only;            /* for describe and check: what would keep
                                   us only from reading is no error */
  bool backing_is_told;         /* by the user: what the image says of it
                                   need not make sense */

  /* Set by the driver's open. */
  uint64_t size;                /* of the guest disk */
  uint32_t cluster_size;        /* unit of allocation: a power of two */
  uint32_t preferred_size;      /* unit that reads are best made in: a
                                   power of two */
  uint64_t granularity;         /* the smallest piece that its tables tell
                                   apart: a power of two, at most
                                   LAYER_UNDIVIDED */
  enum vdisk_compression compression;   /* of its compressed clusters */
  bool is_shared;               /* the sources, and what the state refers
                                   to, belong to another layer */
  bool is_raw;                  /* the file is the disk: where it has a
                                   hole, the disk has one */
  struct reference backing;     /* what HOLE refers to */
  struct reference data_file;   /* where DATA is, if not in the image */
  char uuid[UUID_TEXT_SIZE];   /* or "" */
  char parent_uuid[UUID_TEXT_SIZE];
  int64_t time_stamp;           /* seconds since 1970; 0: none */
  void *state;                  /* the driver's own */

  /* Set by the chain: the external data file, or the same as 'source'. */
  struct source *data;
};

/* Record an error that starts with the name of the layer's file. */
void layer_record_error (const struct layer *layer,
                         struct vdisk_error *error, int errnum,
                         const char *format, ...)
  __attribute__ ((format (printf, 4, 5)));

/* The same, as an expression that is -1: see error_set. */
#define layer_error(...) \
  (layer_record_error (__VA_ARGS__), error_minus_1 ())

/* Warn about the layer's file.  Whoever does that while it is being read
 * sees to it that one thing is told once. */
void layer_warn (const struct layer *layer, const char *format, ...)
  __attribute__ ((format (printf, 2, 3)));

/* For drivers: add the name that a field of 'size' bytes holds, known to be
 * a few thousand at most, to a reference.  It ends at a NUL byte, if there
 * is one, as in QEMU; an empty one is not added. */
int layer_read_name (const struct layer *layer, struct reference *reference,
                     uint64_t offset, uint32_t size,
                     struct vdisk_error *error);

/* For drivers: append an interval of a kind to 'out'. */
static inline int
layer_append (const struct layer *layer, struct interval_list *out,
              enum vdisk_kind kind, uint64_t offset, uint64_t length,
              uint64_t host, struct vdisk_error *error)
{
  const struct interval interval = {
    .offset = offset, .length = length, .host = host,
    .depth = layer->depth, .kind = kind,
  };

  if (interval_list_append (out, &interval) == -1)
    return error_no_memory (error, layer->source->name);
  return 0;
}

/* The same for a kind without host bytes. */
static inline int
layer_append_empty (const struct layer *layer, struct interval_list *out,
                    enum vdisk_kind kind, uint64_t offset, uint64_t length,
                    struct vdisk_error *error)
{
  return layer_append (layer, out, kind, offset, length,
                       VDISK_NO_HOST_OFFSET, error);
}

/* Is 'host', of some of the bytes of a cluster that 'table' points to, in a
 * cluster that starts within the file? */
int layer_check_cluster (const struct layer *layer, uint64_t offset,
                         uint64_t host, const char *table,
                         struct vdisk_error *error);

/* For drivers: append an allocated cluster's bytes (guest range [offset,
 * offset + length), at 'host' in layer->data).  As QEMU has it, the file may
 * end within its last cluster: layer_read_data gives zeros from there on.  A
 * cluster that starts beyond the end is an error, in which 'table' says
 * what pointed there.  Clusters are taken to be aligned in the file; a
 * format in which they are not must not reach beyond the end. */
static inline int
layer_append_data (const struct layer *layer, struct interval_list *out,
                   uint64_t offset, uint64_t length, uint64_t host,
                   const char *table, struct vdisk_error *error)
{
  if (!range_within (host, length, layer->data->size) &&
      layer_check_cluster (layer, offset, host, table, error) == -1)
    return -1;
  return layer_append (layer, out, VDISK_DATA, offset, length, host, error);
}

/* Read what an interval of the kind DATA has at 'host' in layer->data. */
int layer_read_data (const struct layer *layer, void *buffer, size_t count,
                     uint64_t host, struct vdisk_error *error);

/* How many bytes of the image file a PACKED interval takes.  Its packed_size
 * counts whole sectors; the last may not be all there, nor the first. */
static inline uint32_t
layer_packed_size (const struct layer *layer,
                   const struct interval *interval)
{
  const uint64_t size = layer->source->size;

  return interval->host >= size ? 0
    : min_u64 (interval->packed_size, size - interval->host);
}

/* A layer that differs from 'layer' in no more than its state, of
 * 'state_size' bytes, which is a copy: for a driver to change.  It refers to
 * nothing below it, and must be closed before 'layer'.  NULL if out of
 * memory. */
struct layer *layer_share (const struct layer *layer, size_t state_size,
                           struct vdisk_error *error);

#endif /* VDISK_LAYER_H */
