/* SPDX-License-Identifier: BSD-3-Clause */
/* One image in memory with snapshots and bitmaps, and looking at its views. */

#include "view-check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "image.h"
#include "source/memory.h"
#include "support.h"

struct qcow2_image image;
struct states *states;

/* What is under it, if it refers to that. */
static const void *below;
static size_t below_size;
static const uint64_t (*holes)[2];
static size_t hole_count;

void
views_setup (void)
{
  qcow2_image_init (&image, 3, 12, DISK, 0);
  states = calloc (1, sizeof *states);
  ck_assert_ptr_nonnull (states);
  below = NULL;
  hole_count = 0;
}

void
views_teardown (void)
{
  free (states);
  qcow2_image_free (&image);
}

static struct source *
open_below (void *opaque, const struct source *from, const char *role,
            const char *name, const struct vdisk_options *options,
            struct vdisk_error *error)
{
  (void) opaque;
  (void) from;
  (void) role;
  (void) options;
  (void) error;
  return hole_count == 0 ? source_memory (name, below, below_size)
    : source_holey (source_memory (name, below, below_size), holes,
                    hole_count);
}

struct vdisk *
try_source (struct source *source, struct vdisk_error *error)
{
  const struct resolver resolver = { .open = open_below };
  struct vdisk_options *options = vdisk_options_new ();
  struct vdisk *vdisk;

  ck_assert_ptr_nonnull (options);
  vdisk = image_open (source, options, &resolver, error);
  vdisk_options_free (options);
  return vdisk;
}

struct vdisk *
open_image (void)
{
  struct vdisk_error error = { 0 };
  struct vdisk *vdisk = try_source (source_memory ("disk.qcow2", image.bytes,
                                                   image.size), &error);

  ck_assert_msg (vdisk != NULL, "%s", error.message);
  return vdisk;
}

/* Put a byte into all of a new cluster. */
void
put_data (uint64_t guest, int byte)
{
  const uint64_t host = qcow2_image_add_data (&image, guest);

  memset (image.bytes + host, byte, image.cluster_size);
}

struct vdisk *
open_view (struct vdisk *vdisk, const char *name)
{
  struct vdisk_error error = { 0 };
  struct vdisk *view = vdisk_open_view (vdisk, name, &error);

  ck_assert_msg (view != NULL, "%s: %s", name, error.message);
  ck_assert_str_eq (error.message, "");
  return view;
}

void
check_refused (struct vdisk *vdisk, const char *name, int errnum,
               const char *message)
{
  struct vdisk_error error = { 0 };

  ck_assert_ptr_null (vdisk_open_view (vdisk, name, &error));
  ck_assert_str_eq (error.message, message);
  ck_assert_int_eq (error.errnum, errnum);
}

/* The first byte of a cluster. */
int
byte_of (struct vdisk *vdisk, uint64_t guest)
{
  struct vdisk_error error = { 0 };
  uint8_t byte;

  ck_assert_msg (vdisk_pread (vdisk, &byte, 1, guest, &error) == 0, "%s",
                 error.message);
  return byte;
}

void
check_byte (struct vdisk *vdisk, const char *name, int byte)
{
  struct vdisk *view = open_view (vdisk, name);

  ck_assert_msg (byte_of (view, 0) == byte, "%s: %d", name,
                 byte_of (view, 0));
  ck_assert_str_eq (vdisk_view_name (view), name);
  vdisk_close (view);
}

/* A map by letters, one for each 512 bytes, the same ones in a row told by
 * their number: "8h 8d". */
struct letters {
  char text[4096];
  size_t used;
  char last;
  uint64_t sectors;
};

static void
flush (struct letters *letters)
{
  if (letters->sectors > 0)
    letters->used += sprintf (letters->text + letters->used, "%s%" PRIu64
                              "%c", letters->used ? " " : "",
                              letters->sectors, letters->last);
  letters->sectors = 0;
}

static int
take_letter (void *opaque, const struct vdisk_extent *extent)
{
  struct letters *letters = opaque;
  const char letter = "hzdp"[extent->kind == VDISK_HOLE ? 0
                             : extent->kind == VDISK_ZERO ? 1
                             : extent->kind == VDISK_DATA ? 2 : 3];

  ck_assert_uint_lt (letters->used, sizeof letters->text - 64);
  if (letter != letters->last)
    flush (letters);
  letters->last = letter;
  letters->sectors += (extent->length + 511) / 512;
  return 0;
}

const char *
letters_of (struct vdisk *vdisk)
{
  static struct letters letters;
  struct vdisk_error error = { 0 };

  letters = (struct letters) { .last = 0 };
  if (vdisk_extents (vdisk, 0, vdisk_size (vdisk), take_letter, &letters,
                     &error) == -1)
    return strcpy (letters.text, error.message);
  flush (&letters);
  return letters.text;
}

void
check_map (struct vdisk *vdisk, const char *name, const char *map)
{
  struct vdisk *view = open_view (vdisk, name);
  const char *got = letters_of (view);

  ck_assert_msg (strcmp (got, map) == 0, "%s: %s, expected %s", name, got,
                 map);
  vdisk_close (view);
}

/* Add a snapshot whose first cluster is of that byte. */
void
add_snapshot (const char *id, const char *name, int byte)
{
  put_data (0, byte);
  states_take (states, &image, id, name);
}

void
add_bitmap (const char *name, uint8_t bits)
{
  states_add_bitmap (states, &image, name, 12, &bits, 1);
}

/* A raw disk as what is below. */
void
set_below (const void *bytes, size_t size, const char *format)
{
  below = bytes;
  below_size = size;
  qcow2_image_add_extension (&image, QCOW2_EXTENSION_BACKING_FORMAT, format,
                             strlen (format));
  qcow2_image_set_backing (&image, "below");
}

void
below_holes (const uint64_t (*ranges)[2], size_t count)
{
  holes = ranges;
  hole_count = count;
}
