/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the bytes of an image come from: a file or block device, an NBD
 * server, callbacks of the caller, or memory (tests, fuzzing).  A source never
 * changes after it is opened and may be used by many threads at once.
 */

#ifndef VDISK_SOURCE_H
#define VDISK_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vdisk.h"

struct read_ahead;
struct source;

struct source_ops {
  /* Read exactly 'count' bytes.  The range lies within 'size'.  Returns
   * 0, or -1 with an error that names the source.  A file that became
   * shorter is an error, never zeros. */
  int (*pread) (struct source *source, void *buffer, size_t count,
                uint64_t offset, struct vdisk_error *error);

  /* What is at 'offset', which is less than 'size': sets *kind to DATA, to
   * HOLE, or to ZERO for what reads as zeros though space is reserved for
   * it, and in *length how far that is known to go on (at least 1, and not
   * past 'size').  NULL where nothing is known: all is data. */
  int (*extent) (struct source *source, uint64_t offset, uint64_t *length,
                 enum vdisk_kind *kind, struct vdisk_error *error);

  /* Start reading the range into the page cache; only a hint.  -1 if there
   * is no use in going on with more of them.  May be NULL. */
  int (*prefetch) (struct source *source, uint64_t offset, uint64_t count);

  /* An open file that the kernel could copy or share the bytes of: byte n
   * of it is byte n of the source.  NULL: there is none. */
  int (*descriptor) (const struct source *source);

  /* Free everything, the source included. */
  void (*close) (struct source *source);
};

/* How a file is kept from being written by others. */
enum source_lock {
  SOURCE_NOT_A_FILE,        /* there is nothing to lock */
  SOURCE_LOCKED,            /* by QEMU's locks of a reader */
  SOURCE_NO_LOCKS,          /* its file system has none */
  SOURCE_FORCE_SHARE,       /* nobody wanted it */
};

/* Implementations embed this as their first member. */
struct source {
  const struct source_ops *ops;
  char *name;             /* path as opened: names it in messages; what it
                             leads to may have changed since */
  bool is_uri;            /* the name is no path: no file system knows it,
                             and it has no directory */
  bool is_label;          /* the same of a name that was only made up, for
                             messages */
  char *directory;        /* where it was found, absolute and without
                             symbolic links; NULL: only 'name' is known */
  char *base;             /* the directory of 'name' then, likewise, which
                             references are relative to; NULL: 'directory',
                             for 'name' was no link to elsewhere */
  bool is_device;         /* a block device */
  uint64_t size;
  enum source_lock lock;
  const struct vdisk_options *options;  /* whose debug messages tell of it;
                             NULL until it is part of a chain */
  bool sparse;            /* false: 'extent' can find nothing but data */
  uint64_t device, inode; /* identity, for finding loops; 0, 0: unknown */
  struct read_ahead *ahead;     /* for small reads of tables; owned by the
                             implementation.  NULL: they cost little */
};

/* Read exactly 'count' bytes of the image's own tables and headers; outside
 * the source is EIO.  What lies around them may be read as well, and kept
 * for the next read. */
int source_pread (struct source *source, void *buffer, size_t count,
                  uint64_t offset, struct vdisk_error *error);

/* The same for the guest's data, and whatever else is read once, with
 * nothing of interest around it: these bytes are read, and no others. */
int source_pread_data (struct source *source, void *buffer, size_t count,
                       uint64_t offset, struct vdisk_error *error);

/* As the operation.  All data where the source knows of no holes. */
int source_extent (struct source *source, uint64_t offset,
                   uint64_t *length, enum vdisk_kind *kind,
                   struct vdisk_error *error);

/* How many of 'count' bytes from 'offset' on are known to be zeros without
 * reading them: a hole, or beyond the end of the source, which may be all
 * that is left. */
int source_zeros (struct source *source, uint64_t offset, uint64_t count,
                  uint64_t *length, struct vdisk_error *error);

/* As the operation; parts outside the source are left out. */
int source_prefetch (struct source *source, uint64_t offset,
                     uint64_t count);

/* As the operation; -1 if there is none. */
int source_descriptor (const struct source *source);

/* Close and free.  Accepts NULL. */
void source_close (struct source *source);

/* Bytes that the open file takes of its disk, or -1 if that is not known:
 * errno says why if it is a file. */
int64_t source_allocated_size (const struct source *source);

/* True if both are known to be the same file. */
bool source_is_same (const struct source *a, const struct source *b);

#endif /* VDISK_SOURCE_H */
