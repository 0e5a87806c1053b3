/* SPDX-License-Identifier: BSD-3-Clause */
/* libvdisk: read virtual disk images (VHD, QCOW2, QED, raw) and know
 * exactly which bytes hold data.
 *
 * A handle is opened once and may then be used by any number of threads
 * at the same time.  Nothing here prints or exits; every failure is told
 * through a struct vdisk_error that the caller owns.  All offsets, sizes
 * and lengths are in bytes.  See libvdisk(3).
 *
 * Programs built with this header work with every later libvdisk.so.1:
 * functions, flags, kinds and options are only added, and of the structs
 * vdisk_error never changes, vdisk_extent, which only the library makes, may
 * get members after its last, and vdisk_check has its size in it.
 */

#ifndef VDISK_H
#define VDISK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open image with everything it refers to. */
struct vdisk;

/* How to open an image: see vdisk_options_set. */
struct vdisk_options;

/* Why a call failed.  The caller owns it; it needs no initialization and
 * no freeing.  Every function that takes one clears it first, and accepts
 * NULL from callers who do not want to know.  'errnum' is an errno value:
 * EINVAL (the image or a parameter breaks a rule), ENOTSUP (a feature we
 * do not read), EPERM (a reference the caller has not allowed), ELOOP (a
 * chain that never ends), EIO (damage or a failing disk met while
 * reading), ETIMEDOUT (a server does not answer), ECANCELED (vdisk_cancel),
 * EBUSY (in use by a writer), ENOMEM, or what open(2) or connect(2) said.
 * 'message' is one line without a full stop that names file, structure,
 * value and rule.  In this and all other text that comes from here, names
 * are escaped: a byte that is no part of a printable character of UTF-8 is
 * written as \xHH, and a backslash as two.
 * This struct never changes.  A size member, as in struct vdisk_check, would
 * have to be set before every call, while an errno value and a message are
 * all that is to be told.
 */
struct vdisk_error {
  int errnum;
  char message[1020];
};

/* What guest bytes are made of. */
enum vdisk_kind {
  VDISK_HOLE,      /* no layer says anything, or the file of a raw disk has
                      a hole: reads as zeros */
  VDISK_ZERO,      /* the image says zeros, or has data in a hole of its
                      host file */
  VDISK_DATA,      /* stored as they are, at host_offset */
  VDISK_PACKED,    /* in a compressed cluster that starts at host_offset */
};

#define VDISK_NO_HOST_OFFSET UINT64_MAX

/* How the bytes of a VDISK_PACKED are compressed. */
enum vdisk_compression {
  VDISK_COMPRESSION_NONE,       /* of all other kinds */
  VDISK_COMPRESSION_DEFLATE,    /* a raw deflate stream (RFC 1951) */
  VDISK_COMPRESSION_ZSTD,       /* Zstandard frames (RFC 8878) */
};

/* A piece of the guest disk that is all of one kind.  Later versions may have
 * more members after the last one: copy it, but don't make one. */
struct vdisk_extent {
  uint64_t offset;        /* where it starts on the guest disk */
  uint64_t length;        /* never 0 */
  uint64_t host_offset;   /* in the file of layer 'depth' (see
                             vdisk_layer_data_file), or
                             VDISK_NO_HOST_OFFSET */
  enum vdisk_kind kind;
  unsigned depth;         /* layer that decides: 0 is the image itself, 1
                             its backing file or parent, and so on */
  int host_hole;          /* 1: allocated, and ZERO only because its host
                             file has a hole, or ends, at host_offset; else
                             0 */
  enum vdisk_compression compression;
  uint64_t packed_length; /* PACKED: how many bytes of the file, at
                             host_offset, the compressed cluster takes at
                             most, since QCOW2 counts in sectors; what lies
                             beyond the end of the file is not counted.
                             Else 0 */
};

/* The flags that an NBD server tells an extent by, in its block status
 * base:allocation: HOLE where writing would have to find space, ZERO where
 * it reads as zeros.  They are as qemu-nbd tells them. */
#define VDISK_NBD_HOLE 1
#define VDISK_NBD_ZERO 2
unsigned vdisk_extent_nbd_flags (const struct vdisk_extent *extent);

/* Takes one extent.  0 to go on, any other value to stop the walk. */
typedef int vdisk_extent_callback (void *opaque,
                                   const struct vdisk_extent *extent);

/* Takes one warning: something odd that did not keep us from reading.  Most
 * are about what is seen while an image is being opened; some about what is
 * met later, while it is mapped or read: then it is called by the thread
 * that does so, by several at once if they do. */
typedef void vdisk_warning_callback (void *opaque, const char *message);

/* Free what a function here says is to be freed by this.  Accepts NULL.  It
 * is the library's own free, where a program has more than one heap. */
void vdisk_free (void *pointer);

/* The library's version, as "1.2.3". */
const char *vdisk_version (void);

/* Names of the formats read and of the compression libraries linked in,
 * NULL-terminated.  Static; do not free. */
const char *const *vdisk_formats (void);
const char *const *vdisk_compression_libraries (void);

/* Can NBD URIs be opened?  1, or 0 of a library that was built without
 * libnbd. */
int vdisk_has_nbd (void);

/* Options with their defaults, or NULL if there is no memory.  Free with
 * vdisk_options_free, which accepts NULL.  One set of options can open
 * any number of images, and may be freed once they are open. */
struct vdisk_options *vdisk_options_new (void);
void vdisk_options_free (struct vdisk_options *options);

/* Set the option 'name' from text.  libvdisk(3) has them all:
 *
 *   format          auto, vhd (or vpc), qcow2, qed, raw; auto is raw for
 *                   NBD URIs
 *   backing-dir     a directory that references may lead to; add any
 *                   number of them, "/" allows everything
 *   size            auto, current, chs: which size field of a VHD counts
 *   sector-bitmaps  honour, ignore: bitmaps of dynamic VHDs
 *   host-holes      auto, off: look for holes of the host file
 *   cache-size      bytes, or with a suffix k, M, G
 *   force-share     true, false: open images that are being written
 *   timeout         auto, or seconds, or with a suffix ms, s, m, h: how long
 *                   an NBD server may take for a request
 *   layer           what lies under the image, whatever it records: a file
 *                   or an NBD URI, which adds to those named before; none;
 *                   or auto: what it records
 *   layer-format    as format, of the layer named last, or with a number
 *                   before it of that one: "1:raw"
 *   ignore-parent-id  true, false: take a parent with another UUID
 *   parent-case     exact, ignore: case in names that images record
 *
 * Returns 0, or -1 with EINVAL for a value that is not one of these (the
 * message says what is) and ENOENT for a name that is not.
 */
int vdisk_options_set (struct vdisk_options *options,
                       const char *name, const char *value,
                       struct vdisk_error *error);

/* The names of all options, NULL-terminated; what values one takes, as in
 * "must be VALUES"; and what it is about, a line without a full stop.  NULL
 * if there is no such option.  Static; do not free. */
const char *const *vdisk_options_names (void);
const char *vdisk_options_values (const char *name);
const char *vdisk_options_summary (const char *name);

/* Read an option back: a text that vdisk_options_set takes, and that sets it
 * to what it is now.  'index' counts the values from 0 on: backing-dir has
 * one for each time that it was set, layer one for each that was named (or
 * none, or auto), and layer-format one for each of these, with its number;
 * the others always have one.  So this
 * copies an option, whichever it is, to options that are new:
 *
 *   for (i = 0; (text = vdisk_options_get (from, name, i, &error)); ++i) {
 *     r = vdisk_options_set (to, name, text, &error);
 *     vdisk_free (text);
 *   }
 *
 * The caller frees it with vdisk_free.  NULL with ENODATA if there are no
 * more values, ENOENT for a name that is not, or ENOMEM. */
char *vdisk_options_get (const struct vdisk_options *options,
                         const char *name, size_t index,
                         struct vdisk_error *error);

/* Where warnings go.  They come while an image is being opened, and from
 * any call on its handle, from several threads at the same time if several
 * use it: 'callback' and 'opaque' have to live as long as the handle.
 * Without a callback they are dropped. */
void vdisk_options_set_warning_callback (struct vdisk_options *options,
                                         vdisk_warning_callback *callback,
                                         void *opaque);

/* How the caller's users write options: messages that name one do too.
 * VDISK_SYNTAX_PARAMETERS, the default, is "force-share=true" and
 * "size=chs", VDISK_SYNTAX_COMMAND_LINE "--force-share" and "--size=chs". */
enum vdisk_syntax {
  VDISK_SYNTAX_PARAMETERS,
  VDISK_SYNTAX_COMMAND_LINE,
};

void vdisk_options_set_syntax (struct vdisk_options *options,
                               enum vdisk_syntax syntax);

/* Takes one debug message: what the library does. */
typedef void vdisk_debug_callback (void *opaque, const char *message);

/* Where debug messages go: which files are opened and why, which locks are
 * taken, which references are followed and which not, connections to NBD
 * servers that are made again, what caches were good for, when the handle is
 * closed, and calls to read, to tell extents and to prefetch that take at
 * least 'slow_milliseconds' (0: none are told).  For 'callback' and 'opaque'
 * the same holds as for those of warnings.  Without a callback, which is the
 * default, this costs nothing. */
void vdisk_options_set_debug_callback (struct vdisk_options *options,
                                       vdisk_debug_callback *callback,
                                       void *opaque,
                                       unsigned slow_milliseconds);

/* Is this an NBD URI for vdisk_open, rather than the name of a file?  It
 * is if it starts with nbd://, nbds://, nbd+unix://, nbds+unix://,
 * nbd+vsock:// or nbds+vsock://.  Returns 1 or 0. */
int vdisk_is_uri (const char *path);

/* Open the image at 'path' and the whole chain under it, read-only.
 * 'path' can be an NBD URI: then the image is what that server serves, and
 * is raw unless the option 'format' says what else, for it is not probed.
 * 'options' may be NULL for the defaults.  Returns NULL on error. */
struct vdisk *vdisk_open (const char *path,
                          const struct vdisk_options *options,
                          struct vdisk_error *error);

/* Open only the image at 'path', for vdisk_describe and vdisk_check:
 * neither its backing file or parent nor an external data file, so that
 * none of them has to be there, or to be allowed.  An encrypted image can
 * be opened so.  Its bytes and its map cannot be had (EINVAL).  Returns
 * NULL on error. */
struct vdisk *vdisk_inspect (const char *path,
                             const struct vdisk_options *options,
                             struct vdisk_error *error);

/* --- Files and storage of the caller's -----------------------------------
 *
 * An image can be in an open file, or be read by callbacks, and the caller
 * can say what its references lead to: for sandboxes, memory, and storage of
 * other kinds. */

/* Open the image in a file that is open for reading: a regular file or a
 * block device.  'fd' is the handle's from now on, and is closed with it;
 * also on error.  'name' is what messages call it, and where its references
 * start: if it has a slash it is the file's path, and they are followed as
 * those of vdisk_open ("./disk" is one in the current directory).  Without
 * a slash, or where there is no such directory, it is only a name: then
 * relative references are refused (EPERM), and absolute ones have to be
 * allowed by the option backing-dir.  The name may be NULL.
 *
 * The file is read by pread, but looking for holes moves its offset; QEMU's
 * locks are taken on it, which last until its last duplicate is closed. */
struct vdisk *vdisk_open_fd (int fd, const char *name,
                             const struct vdisk_options *options,
                             struct vdisk_error *error);

/* Storage that the caller reads.  Set struct_size to sizeof (struct
 * vdisk_callbacks), and what is not mentioned to zero: later versions have
 * more.  'opaque' is what came with the callbacks.
 *
 * They may be called by several threads at once: by all that use the handle,
 * in any call that uses it, and must not use it themselves.  What fails is
 * told as a negative errno value.  Whatever they return, the library holds
 * on to its promises; what 'pread' says that it has read it should have
 * written. */
struct vdisk_callbacks {
  size_t struct_size;

  /* How many bytes there are.  Called once, when it is opened. */
  int64_t (*size) (void *opaque);

  /* Read at most 'count' bytes at 'offset'; the range lies within the size,
   * and is not empty.  Returns how many were read: if they are fewer, the
   * rest is asked for again; 0 means that the storage has got shorter,
   * which is an error. */
  int64_t (*pread) (void *opaque, void *buffer, size_t count,
                    uint64_t offset);

  /* What is at 'offset'?  Set *kind to VDISK_DATA (as it is already),
   * VDISK_HOLE, or VDISK_ZERO for what reads as zeros though it takes space,
   * and return for how many bytes that is known to be so: at least 1; of
   * more than 'count', how many there are to the end, the rest is ignored.
   * NULL: all is data. */
  int64_t (*extent) (void *opaque, uint64_t offset, uint64_t count,
                     enum vdisk_kind *kind);

  /* The range will be read soon.  May be NULL. */
  void (*prefetch) (void *opaque, uint64_t offset, uint64_t count);

  /* It is not used any more.  Called once, by vdisk_close or by the call
   * that could not open it.  May be NULL. */
  void (*close) (void *opaque);
};

/* Open the image in storage of the caller's.  The struct and the name are
 * copied; 'opaque' is the handle's until it calls 'close', also on error,
 * unless the struct is wrong: EINVAL if struct_size is too small, 'size' or
 * 'pread' is NULL, or if there is something in it that this version does not
 * know; then nothing is called.  'name' is only for messages, and may be
 * NULL.  References are refused (EPERM) without a resolver, but those with
 * absolute names that the option backing-dir allows. */
struct vdisk *vdisk_open_callbacks (const struct vdisk_callbacks *callbacks,
                                    void *opaque, const char *name,
                                    const struct vdisk_options *options,
                                    struct vdisk_error *error);

/* A reference that is to be followed.  Later versions have more members. */
struct vdisk_reference {
  const char *from;             /* the name of the layer that has it */
  const char *role;             /* "backing file", "parent", "data file" */
  const char *name;             /* as it is recorded, and not to be trusted:
                                   an image may say anything */
};

/* What a reference leads to: either of the first two.  The library sets it
 * up as shown.  What is pointed to is copied when the resolver returns;
 * 'fd' or 'opaque' are the handle's from then on, as of vdisk_open_fd and
 * vdisk_open_callbacks. */
struct vdisk_storage {
  int fd;                                       /* -1: none */
  const struct vdisk_callbacks *callbacks;      /* NULL: none */
  void *opaque;                                 /* NULL: of those */
  const char *name;             /* NULL: what the reference says */
};

/* Find what a reference leads to.  Returns 0, or a negative errno value to
 * refuse it.  A VHD can have several names for its parent: they are tried in
 * turn until one is found that is right. */
typedef int vdisk_resolve_callback (void *opaque,
                                    const struct vdisk_reference *reference,
                                    struct vdisk_storage *storage);

/* Follow all references, of whatever is opened with these options, by this
 * callback alone: the library opens no file for them, and backing-dir does
 * not count.  It is called while an image is being opened, by the thread
 * that does so, and not later.  NULL, the default, is for references to
 * files. */
void vdisk_options_set_resolver (struct vdisk_options *options,
                                 vdisk_resolve_callback *callback,
                                 void *opaque);

/* --- Views ---------------------------------------------------------------
 *
 * What a handle shows is a view: of what vdisk_open opens it is the active
 * disk.  An image may have others, and a handle of one of them can be used as
 * any other handle, for everything that takes one.  Views have names:
 *
 *   active               the disk as it is
 *   snapshot/NAME        as it was at an internal snapshot of QCOW2, with the
 *   snapshot/ID          size that it had
 *   bitmap/NAME          where a persistent bitmap of QCOW2 is set the bytes
 *   bitmap/A+B           of the active disk, nothing elsewhere; of several,
 *                        where any is set
 *   layer/N              what one layer of the chain holds, counted from 0,
 *   layer/N-M            the image itself; or some in a row, and nothing
 *                        under them
 *   diff/VIEW..VIEW      where the second is not as the first, what it has;
 *                        nothing elsewhere
 *
 * NAME is as vdisk_views tells it: escaped, see struct vdisk_error. */
enum vdisk_view_kind {
  VDISK_VIEW_ACTIVE,
  VDISK_VIEW_SNAPSHOT,
  VDISK_VIEW_BITMAP,
  VDISK_VIEW_LAYER,
};

/* A view that an image has.  New members may be added at the end.  The
 * strings live during the call. */
struct vdisk_view {
  enum vdisk_view_kind kind;
  const char *name;         /* for vdisk_open_view */
  const char *id;           /* of a snapshot; else "" */
  uint64_t size;            /* of the disk */
  uint64_t date_sec;        /* when a snapshot was made: seconds since 1970
                               UTC, */
  uint32_t date_nsec;       /* and nanoseconds; 0, 0: not recorded */
  uint64_t vm_state_size;   /* of a snapshot: bytes saved with it that are
                               not of the disk */
  uint64_t granularity;     /* of a bitmap: bytes that a bit stands for */
  unsigned depth;           /* of a layer */
  const char *problem;      /* why it cannot be opened; NULL: it can */
};

/* Takes a view.  0 to go on, any other value to stop. */
typedef int vdisk_view_callback (void *opaque, const struct vdisk_view *view);

/* Call 'callback' for the views of the image: active, its snapshots, its
 * bitmaps, its layers.  Returns 0, or -1: what was told until then is
 * right. */
int vdisk_views (struct vdisk *vdisk, vdisk_view_callback *callback,
                 void *opaque, struct vdisk_error *error);

/* Another handle, for a view of the image of this one (not of the view that
 * it shows).  All handles of an image share its files, and the memory of its
 * caches; each is closed of its own, in any order.  NULL on error: ENOENT if
 * there is no such view. */
struct vdisk *vdisk_open_view (struct vdisk *vdisk, const char *name,
                               struct vdisk_error *error);

/* The name of the view that a handle shows. */
const char *vdisk_view_name (const struct vdisk *vdisk);

/* Compare the bytes of what is not the same by structure: for disks that
 * share nothing. */
#define VDISK_DIFFERENCE_COMPARE 1u

/* Another handle, for the difference of two, of one image or of two: where
 * 'to' has what 'from' has not, its bytes, and HOLE elsewhere.  It has the
 * size of 'to'; beyond the end of 'from' that had zeros.  What is at the same
 * place of the same file is the same, and so is what reads as zeros in both;
 * no data is read.  Both may be closed before it.  'flags' are 0 or
 * VDISK_DIFFERENCE_COMPARE.  The difference from a bitmap to the active disk
 * is the bitmap's view; there is none from or to other differences (EINVAL).
 * NULL on error. */
struct vdisk *vdisk_open_difference (struct vdisk *from, struct vdisk *to,
                                     unsigned flags,
                                     struct vdisk_error *error);

/* Does the handle show a difference (a bitmap is one)?  Then HOLE is what is
 * unchanged, and everything else has changed, even if it is zeros.  Returns 1
 * or 0. */
int vdisk_is_difference (const struct vdisk *vdisk);

/* Close it and free everything that no other handle of the image uses.
 * Accepts NULL.  No other call may be using the handle. */
void vdisk_close (struct vdisk *vdisk);

/* Cancel all that is done with the handle, with other handles of the same
 * image, and with their outputs, for good:
 * calls in progress in other threads, and later ones, fail with ECANCELED,
 * if they are such as take a struct vdisk_error and do not have all they
 * need already.  What waits for an NBD server ends at once, what works
 * through a map or a file at the next piece; a read from a file and a
 * callback of the caller's are waited for.  It may be called by any thread,
 * any number of times, and by a signal handler; but not once vdisk_close may
 * have been called, which is still to be done, when no call uses the handle
 * any more. */
void vdisk_cancel (struct vdisk *vdisk);

/* The size of the guest disk. */
uint64_t vdisk_size (const struct vdisk *vdisk);

/* The unit of allocation of the top layer: a cluster, or a VHD's block.
 * A power of two of at least 512. */
uint32_t vdisk_cluster_size (const struct vdisk *vdisk);

/* The unit that reads are best made in, a power of two: the cluster where
 * a part of one may cost as much as all of it, less for VHDs, whose blocks
 * are large and made of sectors, and for differences, where it is not more
 * than what is told apart. */
uint32_t vdisk_preferred_block_size (const struct vdisk *vdisk);

/* How many layers there are (at least 1), and for each depth below that
 * its format, the path of its image file, and of the file its data is in
 * (the same but for QCOW2's external data files).  The strings live as
 * long as the handle; NULL if there is no such layer. */
unsigned vdisk_layers (const struct vdisk *vdisk);
const char *vdisk_layer_format (const struct vdisk *vdisk, unsigned depth);
const char *vdisk_layer_file (const struct vdisk *vdisk, unsigned depth);
const char *vdisk_layer_data_file (const struct vdisk *vdisk,
                                   unsigned depth);

/* What the file of the layer at 'depth' says of itself.  The strings live as
 * long as the handle, and are as they are recorded: they are not escaped.
 * NULL, or 0, if there is no such layer, or it has no such thing.
 *
 * The size of its disk; its unit of allocation, as vdisk_cluster_size; and
 * the unit in which its tables tell data from what is not there: less than
 * that in QCOW2 images with extended L2 entries, and in VHDs with sector
 * bitmaps. */
uint64_t vdisk_layer_size (const struct vdisk *vdisk, unsigned depth);
uint32_t vdisk_layer_cluster_size (const struct vdisk *vdisk,
                                   unsigned depth);
uint32_t vdisk_layer_subcluster_size (const struct vdisk *vdisk,
                                      unsigned depth);

/* The name of its backing file or parent, which vdisk_inspect does not look
 * for; of the several that a VHD has, the one that is looked for first, as a
 * path of this system.  And the format that it is said to have. */
const char *vdisk_layer_backing_name (const struct vdisk *vdisk,
                                      unsigned depth);
const char *vdisk_layer_backing_format (const struct vdisk *vdisk,
                                        unsigned depth);

/* Does it have its data in an external data file?  1 or 0. */
int vdisk_layer_has_data_file (const struct vdisk *vdisk, unsigned depth);

/* Of a VHD: its UUID, as "01234567-89ab-cdef-0123-456789abcdef", that of its
 * parent, and its time stamp, in seconds since 1970 (-1: none). */
const char *vdisk_layer_uuid (const struct vdisk *vdisk, unsigned depth);
const char *vdisk_layer_parent_uuid (const struct vdisk *vdisk,
                                     unsigned depth);
int64_t vdisk_layer_time_stamp (const struct vdisk *vdisk, unsigned depth);

/* The open image file of the layer at 'depth': for fstat, and whatever else
 * is to be asked of that very file, which may have another name by now.  It
 * is read-only, and stays the handle's, as that of the data does: see the
 * next.  -1 if there is no such layer, or no file behind it. */
int vdisk_layer_descriptor (const struct vdisk *vdisk, unsigned depth);

/* The open file that the data of the layer at 'depth' is read from, so
 * that the kernel can be asked to copy or share the bytes that extents of
 * the kind VDISK_DATA have at host_offset (copy_file_range, FICLONERANGE).
 * It is read-only, and stays the handle's: it must be neither closed nor
 * sought in.  -1 if there is no such layer, or no file behind it. */
int vdisk_layer_data_descriptor (const struct vdisk *vdisk, unsigned depth);

/* Does 'qemu-img map' look for holes of the host file under what the layer
 * at 'depth' has allocated?  It does for raw disks, fixed VHDs, and QCOW2
 * images whose file takes much less space than its clusters would, as after
 * preallocation=metadata: to find that out takes reading all reference
 * counts.  Returns 1 or 0. */
int vdisk_layer_qemu_finds_holes (struct vdisk *vdisk, unsigned depth);

/* Read exactly 'count' guest bytes at 'offset' into 'buffer'.
 * Returns 0, or -1: then the contents of 'buffer' mean nothing.
 * Reading past vdisk_size is EINVAL. */
int vdisk_pread (struct vdisk *vdisk, void *buffer, size_t count,
                 uint64_t offset, struct vdisk_error *error);

/* Call 'callback' for extents that tile the range, in ascending order,
 * clipped to it.  Neighbours that continue each other in the same file
 * come as one as far as that is known without looking further: see
 * VDISK_EXTENTS_MERGED for more.  Asking past
 * vdisk_size is EINVAL; a 'count' of 0 calls nothing.  Returns 0 when the
 * whole range was told or the callback stopped it, or -1: what was told
 * until then is right. */
int vdisk_extents (struct vdisk *vdisk, uint64_t offset, uint64_t count,
                   vdisk_extent_callback *callback, void *opaque,
                   struct vdisk_error *error);

/* The same with flags, which are any of these; others are EINVAL.
 *
 * VDISK_EXTENTS_NO_HOST_HOLES: tell what the tables of the image say, as with
 * the option host-holes=off: do not ask the kernel, or the server, for holes
 * of the file.
 *
 * VDISK_EXTENTS_MERGED: tell maximal extents: two neighbours never continue
 * each other.  They do if they are of the same kind, depth and host_hole, and
 * host_offset goes on too (or there is none in both); of VDISK_PACKED, if
 * they are parts of one compressed cluster.  Before an error the last extent
 * may be shorter than it is. */
#define VDISK_EXTENTS_NO_HOST_HOLES 1
#define VDISK_EXTENTS_MERGED 2
int vdisk_extents_flags (struct vdisk *vdisk, uint64_t offset,
                         uint64_t count, unsigned flags,
                         vdisk_extent_callback *callback, void *opaque,
                         struct vdisk_error *error);

/* Ask the kernel to read what the range needs into its page cache.
 * Returns 0, or -1 if the map could not be read. */
int vdisk_prefetch (struct vdisk *vdisk, uint64_t offset, uint64_t count,
                    struct vdisk_error *error);

/* All that the file of the layer at 'depth' says of itself, as a JSON
 * object in UTF-8.  Where 'qemu-img info --output=json' has a key for a
 * thing, this has the same; vdisk(1) lists the others.  The caller frees
 * it with vdisk_free.  NULL on error. */
char *vdisk_describe (struct vdisk *vdisk, unsigned depth,
                      struct vdisk_error *error);

/* What a check finds. */
enum vdisk_finding {
  VDISK_ERROR,      /* metadata breaks a rule: data may be wrong or lost */
  VDISK_LEAK,       /* space of the file that nothing uses */
  VDISK_WARNING,    /* odd, but harms nothing */
};

/* Takes one finding, a line without a full stop. */
typedef void vdisk_finding_callback (void *opaque,
                                     enum vdisk_finding finding,
                                     const char *message);

/* Takes how far a check has come: 'done' of 'total', in no unit.  0 to go
 * on, any other value to stop the check (ECANCELED). */
typedef int vdisk_progress_callback (void *opaque,
                                     uint64_t done, uint64_t total);

/* The verdict of a check, in the terms of 'qemu-img check'.  Clusters are
 * of the guest's (blocks of a VHD).  Initialize it with VDISK_CHECK_INIT, so
 * that 'struct_size' says which members there are: later versions may have
 * more after the last one, and then fill those that the caller knows. */
struct vdisk_check {
  size_t struct_size;
  uint64_t errors, leaks, warnings;     /* leaks: host clusters */
  uint64_t total_clusters;
  uint64_t allocated_clusters;
  uint64_t compressed_clusters;
  uint64_t fragmented_clusters;         /* allocated, but not right after
                                           the allocated one before it */
  uint64_t image_end_offset;            /* end of the last host cluster
                                           in use */
};

#define VDISK_CHECK_INIT \
  { sizeof (struct vdisk_check), 0, 0, 0, 0, 0, 0, 0, 0 }

/* Check the metadata of the top layer's file, and tell every finding.
 * Either callback may be NULL.  Returns 0 when the check was carried out,
 * whatever it found; -1 if it could not be (a table cannot be read, the
 * format has no metadata to check: ENOTSUP; 'struct_size' is less than any
 * version of the struct has: EINVAL, and nothing is written there). */
int vdisk_check (struct vdisk *vdisk,
                 vdisk_finding_callback *finding_callback,
                 vdisk_progress_callback *progress_callback, void *opaque,
                 struct vdisk_check *check, struct vdisk_error *error);

/* --- Outputs -------------------------------------------------------------
 *
 * An output is a file that is not there: a conversion of the disk, of which
 * any part can be read, in any order, by any number of threads.  Where each
 * byte comes from follows from the map of the disk alone, so that the same
 * image and the same options give the same file, everywhere; but for the UUID
 * and the time of a VHD, unless options say these. */
struct vdisk_output;

/* The formats there are, NULL-terminated.  Static; do not free. */
const char *const *vdisk_output_formats (void);

/* Lay out the file of that format.  This walks over the whole map once.
 * 'options' are strings "NAME=VALUE", NULL-terminated, or NULL: libvdisk(3)
 * has them for each format.  The disk is the caller's, and must outlive the
 * output.  NULL on error: EINVAL for a format or value that there is not,
 * ENOENT for an unknown option. */
struct vdisk_output *vdisk_output_open (struct vdisk *vdisk,
                                        const char *format,
                                        const char *const *options,
                                        struct vdisk_error *error);

/* The same of several disks, in this order, for formats that have several:
 * xva.  Of other formats more than one disk is EINVAL.  The array may go after
 * the call, the disks may not. */
struct vdisk_output *vdisk_output_open_disks (struct vdisk *const *disks,
                                              size_t count,
                                              const char *format,
                                              const char *const *options,
                                              struct vdisk_error *error);

/* What has changed on a disk since it was as another one, its base, as the
 * caller knows, by comparing them or otherwise.  Set struct_size to sizeof
 * (struct vdisk_changes), and what is not mentioned to zero. */
struct vdisk_changes {
  size_t struct_size;
  struct vdisk *base;           /* the caller's: has to outlive the output */
  uint64_t unit_size;           /* the output's cluster-size or block-size */

  /* A bit for each unit of the disk, for unit n bit n % 64 (of the value
   * 1 << n % 64) of word n / 64: has it changed?  Is it all zeros now (NULL:
   * none is known to be)?  They have to stay while the output is open. */
  const uint64_t *changed, *zeros;
};

/* The same for a file that has only what has changed, over a file that has
 * the base.  ENOTSUP for a format that has nothing like that. */
struct vdisk_output *
vdisk_output_open_changes (struct vdisk *vdisk, const char *format,
                           const char *const *options,
                           const struct vdisk_changes *changes,
                           struct vdisk_error *error);

/* Accepts NULL.  No other call may be using the output. */
void vdisk_output_close (struct vdisk_output *output);

/* The size of the file. */
uint64_t vdisk_output_size (const struct vdisk_output *output);

/* Where the file is best cut in two, at or before 'offset': what is read in
 * pieces from one such place to another costs least, since a block and its
 * checksum, say, are read together then. */
uint64_t vdisk_output_cut (const struct vdisk_output *output,
                           uint64_t offset);

/* Read exactly 'count' bytes of the file at 'offset'.  Reading past its end is
 * EINVAL.  Returns 0, or -1: then the contents of 'buffer' mean nothing. */
int vdisk_output_pread (struct vdisk_output *output, void *buffer,
                        size_t count, uint64_t offset,
                        struct vdisk_error *error);

/* Takes an extent of the file: is it a hole, of which nothing needs be
 * written, and which reads as zeros?  0 to go on, any other value to stop. */
typedef int vdisk_output_extent_callback (void *opaque, uint64_t offset,
                                          uint64_t length, int is_hole);

/* Call 'callback' for extents that tile the range of the file, in ascending
 * order, neighbours being different.  Returns 0 when the whole range was told
 * or the callback stopped it, or -1: what was told until then is right. */
int vdisk_output_extents (struct vdisk_output *output, uint64_t offset,
                          uint64_t count,
                          vdisk_output_extent_callback *callback,
                          void *opaque, struct vdisk_error *error);

#ifdef __cplusplus
}
#endif

#endif /* VDISK_H */
