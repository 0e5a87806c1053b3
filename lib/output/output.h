/* SPDX-License-Identifier: BSD-3-Clause */
/* An output: a file that is not there, computed from the map of a disk.
 *
 * A format lays the file out, as a row of regions that tile it; reading any
 * range of it, and telling its holes, is written once, over regions.  What
 * is laid out does not change: outputs may be read by many threads at once.
 */

#ifndef VDISK_OUTPUT_H
#define VDISK_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "output/unit-index.h"
#include "vdisk.h"

struct output_region;

/* Compute 'count' bytes of a table, from byte 'offset' of its region on. */
typedef int output_fill (const struct vdisk_output *output,
                         const struct output_region *region, void *buffer,
                         size_t count, uint64_t offset,
                         struct vdisk_error *error);

/* Compute all bytes that stand before a stored unit, or after it.  'data' is
 * what the file has of the unit itself, or NULL: nobody has read it. */
typedef int output_frame (const struct vdisk_output *output,
                          const struct output_region *region, uint64_t unit,
                          const uint8_t *data, uint8_t *bytes,
                          struct vdisk_error *error);

enum region_kind {
  REGION_HOLE,                  /* zeros, of which nothing needs be written */
  REGION_BYTES,                 /* known at once */
  REGION_TABLE,                 /* computed */
  REGION_DISK,                  /* the disk's own bytes, with its holes */
  REGION_UNITS,                 /* stored units, in order */
};

struct output_region {
  enum region_kind kind;
  uint64_t offset, length;      /* in the file */
  uint8_t *bytes;               /* REGION_BYTES: owned */
  output_fill *fill;            /* REGION_TABLE */

  /* REGION_UNITS: of each there are 'before' bytes, the unit, and 'after'
   * bytes.  The last unit of the disk takes 'last_length' in the file; what
   * lies beyond the end of the disk is zeros. */
  struct unit_index *index;
  uint32_t before, after;
  uint64_t last_length;
  output_frame *frame_before, *frame_after;
  const void *opaque;           /* the format's own */
};

struct vdisk_output {
  const struct output_format *format;
  struct vdisk *disk;           /* the first */
  struct vdisk **disks;         /* the array is owned */
  size_t disk_count;            /* 1, unless the format has many disks */
  struct vdisk_changes changes; /* base == NULL: there is none */
  uint64_t size;
  struct output_region *regions;
  size_t region_count;
  void *state;                  /* the format's own: format->state_size bytes,
                                   zeros at first */
};

struct output_format {
  const char *name;
  size_t state_size;
  bool has_many_disks;          /* takes more than one */
  bool takes_changes;

  /* Take an option.  -1 with EINVAL for a bad value, ENOENT if there is no
   * such option (see output_no_option).  NULL: there is none. */
  int (*set) (struct vdisk_output *output, const char *name,
              const char *value, struct vdisk_error *error);

  /* Walk over the map and add the regions. */
  int (*plan) (struct vdisk_output *output, struct vdisk_error *error);

  /* Free what the state refers to.  NULL: nothing. */
  void (*close) (struct vdisk_output *output);
};

extern const struct output_format output_chunked;
extern const struct output_format output_qcow2;
extern const struct output_format output_raw;
extern const struct output_format output_vhd;
extern const struct output_format output_xva;

/* --- For formats -------------------------------------------------------- */

/* Record that there is no such option: -1. */
int output_no_option (const struct vdisk_output *output, const char *name,
                      struct vdisk_error *error);

/* Parse a number of bytes, with an optional suffix k, M, G or T. */
int output_parse_size (const char *name, const char *value, uint64_t *size,
                       struct vdisk_error *error);

/* The same, of a power of two from 'min' to 'max'. */
int output_parse_power (const char *name, const char *value, uint64_t min,
                        uint64_t max, uint64_t *size,
                        struct vdisk_error *error);

/* true or false, and their kin. */
int output_parse_bool (const char *name, const char *value, bool *is_true,
                       struct vdisk_error *error);

/* Add a region, whose offset follows from those before it; a length of 0 adds
 * nothing. */
int output_add_region (struct vdisk_output *output,
                       struct output_region region,
                       struct vdisk_error *error);

/* Add regions.  A length of 0 adds nothing.  The bytes are copied. */
int output_add_hole (struct vdisk_output *output, uint64_t length,
                     struct vdisk_error *error);
int output_add_bytes (struct vdisk_output *output, const void *bytes,
                      size_t count, struct vdisk_error *error);
int output_add_table (struct vdisk_output *output, uint64_t length,
                      output_fill *fill, struct vdisk_error *error);
int output_add_disk (struct vdisk_output *output, struct vdisk_error *error);

/* Add the stored units of an index; offset and length of 'region' follow
 * from the rest. */
int output_add_units (struct vdisk_output *output,
                      const struct output_region *region,
                      struct vdisk_error *error);

/* Read a part of a region of units. */
int output_read_units (const struct vdisk_output *output,
                       const struct output_region *region, uint8_t *buffer,
                       size_t count, uint64_t offset,
                       struct vdisk_error *error);

/* How many bytes a unit takes, with what frames it. */
static inline uint64_t
output_unit_stride (const struct output_region *region)
{
  return region->before + unit_index_unit_size (region->index) +
    region->after;
}

/* Where stored unit number 'rank' is in the file. */
static inline uint64_t
output_unit_offset (const struct output_region *region, uint64_t rank)
{
  return region->offset + region->before +
    rank * output_unit_stride (region);
}

#endif /* VDISK_OUTPUT_H */
