/* SPDX-License-Identifier: BSD-3-Clause */
/* An export: disks on their way into a file of some format.
 *
 * Each format has an exporter.  It first plans, which tells how large the file
 * will be and how much has to be read; then it writes.  Most plan by opening
 * an output (vdisk_output_open), and write a copy of it; in order alone is
 * written what depends on the data.  A new format is one exporter, and one
 * line in export.c.
 */

#ifndef VDISK_EXPORT_H
#define VDISK_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export/pipeline.h"
#include "export/sink.h"
#include "export/units.h"
#include "progress.h"
#include "vdisk.h"

/* What the command line has asked for. */
struct export_options {
  uint64_t threads;
  bool detect_zeroes;           /* leave out data that is all zeros */
  bool no_flush;                /* to stable storage at the end */

  bool preallocate;             /* raw */
  bool apply;                   /* what has changed, in place */

  uint64_t cluster_size;        /* qcow2 */
  uint64_t refcount_bits;
  const char *data_file, *data_file_raw;        /* either, or NULL */
  const char *backing;          /* NULL: none */
  const char *backing_format;
  enum { COMPRESSION_NONE, COMPRESSION_ZLIB, COMPRESSION_ZSTD } compression;
  uint64_t compression_level;   /* 0: the library's default */

  uint64_t block_size;          /* vhd; 0: it is fixed */
  bool fixed;
  const char *uuid;             /* NULL: a random one */
  uint64_t round;               /* the disk's size is made a multiple */

  const char *ova_xml;          /* xva; NULL: none */
  unsigned checksum;            /* see the table in options.c */
};

struct exporter;
struct export_parts;

struct export {
  const struct exporter *exporter;
  const struct export_options *options;
  const char *destination;      /* NULL if it is only measured */
  struct vdisk **disks;         /* owned by the caller, as is the base */
  const char **prefixes;        /* of xva, in string order */
  size_t disk_count;            /* 1, but for xva */
  struct vdisk *base;           /* write only what differs; or NULL */
  struct vdisk *since;          /* what the disk was, if that is asked for:
                                   the base, unless that has another form */
  struct vdisk *changed;        /* the difference between the two */

  /* Made by the plan. */
  uint64_t size;                /* of the output */
  uint64_t total;               /* guest bytes that have to be read */
  struct difference *difference;
  struct vdisk_output **outputs;        /* of each disk; NULL: none */
  uint64_t stored;              /* bytes of theirs that are no holes */

  /* While it is written. */
  struct sink *sink;
  bool destination_is_wrong;    /* as the exporter says */
  struct progress progress;
  uint64_t done;                /* of 'total' */
  uint64_t copied;              /* of 'stored' */
};

struct exporter {
  /* What --output takes, and its line of --help. */
  const char *name;
  const char *help;

  /* What is read of disk i; false if nothing is.  NULL: no output has it. */
  bool (*units) (const struct export *export, size_t i, struct units *units);

  /* The destination must be one that can be written at any offset (then a
   * message is recorded that says why).  NULL: it never has to. */
  int (*check_destination) (const struct export *export,
                            const struct sink *sink,
                            struct vdisk_error *error);

  /* Does the size depend on what the data is? */
  bool (*is_size_unknown) (const struct export_options *options);

  /* Find out what there is to be done. */
  int (*plan) (struct export *export, struct vdisk_error *error);

  /* Write it all. */
  int (*write) (struct export *export, struct vdisk_error *error);
};

extern const struct exporter exporter_chunked;
extern const struct exporter exporter_qcow2;
extern const struct exporter exporter_raw;
extern const struct exporter exporter_vhd;
extern const struct exporter exporter_xva;

/* All of them, NULL-terminated; the first is the default. */
extern const struct exporter *const exporters[];

/* The exporter of that name, or NULL. */
const struct exporter *exporter_by_name (const char *name);

/* Plan, and tell the size in export->size. */
int export_measure (struct export *export, struct vdisk_error *error);

/* Plan and write.  An error says how far it got. */
int export_run (struct export *export, struct vdisk_error *error);

/* Open the destination, which is also export->sink then, and is none of the
 * files that are read.  NULL on error. */
struct sink *export_open_sink (struct export *export,
                               struct vdisk_error *error);

/* Free what the plan has made. */
void export_free (struct export *export);

/* --- For exporters ------------------------------------------------------ */

/* So many guest bytes more have been dealt with. */
void export_advance (struct export *export, uint64_t bytes);

/* What has changed since the base, which is found out at the first call.  -1
 * with an error. */
int export_find_changes (struct export *export,
                         struct vdisk_changes *changes,
                         struct vdisk_error *error);

/* Read the ranges of a piece into its buffer, one after the other. */
int export_read_piece (struct vdisk *disk, struct piece *piece,
                       struct vdisk_error *error);

/* Run every unit that is not to be marked as zeros through a pipeline. */
int export_units_through (struct export *export, const struct units *units,
                          const struct pipeline_ops *ops, void *opaque,
                          struct vdisk_error *error);

/* What is in the units that are not to be marked as zeros. */
struct unit_count {
  uint64_t units;
  uint64_t bytes;               /* of the guest */
};
int export_count_units (const struct units *units, struct unit_count *count,
                        struct vdisk_error *error);

#endif /* VDISK_EXPORT_H */
