/* SPDX-License-Identifier: BSD-3-Clause */
/* Where an export goes: a file or block device, a stream, an NBD server.
 *
 * All can be written from front to back (sink_put); those that are no
 * streams also at any offset, by any thread.
 */

#ifndef VDISK_SINK_H
#define VDISK_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "vdisk.h"

struct sink;

struct sink_ops {
  /* Keep other programs from using it, unless one does.  NULL: they do
   * not matter. */
  int (*lock) (struct sink *sink, struct vdisk_error *error);

  /* Before anything is written: from now on what was there is lost. */
  int (*begin) (struct sink *sink, uint64_t size, bool preallocate,
                struct vdisk_error *error);

  /* Write all of it.  A stream gets the offsets in order. */
  int (*write) (struct sink *sink, const void *buffer, size_t count,
                uint64_t offset, struct vdisk_error *error);

  /* Make the range read as zeros.  NULL: by writing them. */
  int (*zero) (struct sink *sink, uint64_t count, uint64_t offset,
               struct vdisk_error *error);

  /* Find space for a range, all of which will be written, or stop wanting
   * it (sink->wants_space).  NULL if that is never set. */
  void (*allocate) (struct sink *sink, uint64_t count, uint64_t offset);

  /* Share a range of an open file, if both can.  False: it is to be read
   * and written.  NULL: it never can. */
  bool (*share) (struct sink *sink, int fd, uint64_t fd_offset,
                 uint64_t count, uint64_t offset);

  /* Everything is written, sink->position bytes from the start: flush it to
   * stable storage, unless that is not wanted (sink->no_flush). */
  int (*finish) (struct sink *sink, struct vdisk_error *error);

  /* Have what is written so far on stable storage.  NULL: it cannot be. */
  int (*sync) (struct sink *sink, struct vdisk_error *error);

  /* Free everything, the sink included.  A file that was not finished is
   * removed, unless it is to be kept. */
  void (*close) (struct sink *sink);
};

/* Implementations embed this as their first member. */
struct sink {
  const struct sink_ops *ops;
  char *name;                   /* for messages */
  char *path;                   /* of a regular file, without symbolic links;
                                   else NULL */
  bool is_stream;
  bool is_zeroed;               /* reads as zeros once it has begun */
  bool wants_space;             /* before it is written: to be faster */
  bool has_begun;
  bool no_flush;
  bool is_joint;                /* set before it is locked: others may write
                                   other parts of it at the same time */
  bool in_place;                /* set before it begins: what is there
                                   stays */
  bool is_kept;                 /* a file that is not finished is not
                                   removed */
  uint64_t kept_size;           /* in place: what a file has beyond it is
                                   made zeros */
  uint64_t position;            /* of sink_put */
  uint64_t size;                /* what it has before it begins; of a stream
                                   0 */
  uint32_t block_size;          /* writing parts of such blocks reads the
                                   rest: not for several threads; 0: it may
                                   be any part */
  uint64_t device, inode;       /* of a file; 0, 0: it is none */
};

/* Open the destination that the user has named: a path, "-" for standard
 * output, or an NBD URI.  Nothing is lost before sink_begin.  NULL on
 * error. */
struct sink *sink_open (const char *destination, struct vdisk_error *error);

/* Remember which file it is, and tell whether it is one. */
void sink_identify (struct sink *sink, const struct stat *st);
bool sink_is (const struct sink *sink, const struct stat *st);

/* -1 if the sink is a file that is read from, or one of a disk's. */
int sink_check_apart (const struct sink *sink, const char *path,
                      struct vdisk_error *error);
int sink_check_apart_from_disk (const struct sink *sink, struct vdisk *disk,
                                struct vdisk_error *error);

/* -1 if the sink is the file 'name', which is recorded in it for what is no
 * part of it: relative names are seen from the destination.  'option' is for
 * the message. */
int sink_check_recorded (const struct sink *sink, const char *destination,
                         const char *name, const char *option,
                         struct vdisk_error *error);

/* Once it is known to be none of those: -1 if another program uses it. */
int sink_lock (struct sink *sink, struct vdisk_error *error);

/* The implementations.  NULL on error. */
struct sink *sink_file_open (const char *path, struct vdisk_error *error);
struct sink *sink_stdout (struct vdisk_error *error);
struct sink *sink_nbd_open (const char *uri, struct vdisk_error *error);

/* Begin: the size is what will be written, or 0 if that is not known. */
int sink_begin (struct sink *sink, uint64_t size, bool preallocate,
                struct vdisk_error *error);

/* Append bytes, or zeros, which may leave a hole. */
int sink_put (struct sink *sink, const void *buffer, size_t count,
              struct vdisk_error *error);
int sink_put_zeros (struct sink *sink, uint64_t count,
                    struct vdisk_error *error);

/* Not for streams: write at an offset; make a range zeros, which is
 * nothing to do where it is; find space for what will be written;
 * share what another file has. */
int sink_write (struct sink *sink, const void *buffer, size_t count,
                uint64_t offset, struct vdisk_error *error);
int sink_zero (struct sink *sink, uint64_t count, uint64_t offset,
               struct vdisk_error *error);
void sink_allocate (struct sink *sink, uint64_t count, uint64_t offset);
bool sink_share (struct sink *sink, int fd, uint64_t fd_offset,
                 uint64_t count, uint64_t offset);

int sink_finish (struct sink *sink, struct vdisk_error *error);

/* Accepts NULL. */
void sink_close (struct sink *sink);

#endif /* VDISK_SINK_H */
