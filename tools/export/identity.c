/* SPDX-License-Identifier: BSD-3-Clause */
/* Digests of headers and maps. */

#include "export/identity.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <xxhash.h>

#include "util/error.h"
#include "util/hex.h"
#include "util/uuid.h"

static void
add_number (XXH3_state_t *state, uint64_t number)
{
  number = htole64 (number);
  XXH3_128bits_update (state, &number, sizeof number);
}

/* What an image says of itself, but for where its files are, and how much
 * space they take there. */
static int
add_layer (XXH3_state_t *state, struct vdisk *disk, unsigned depth,
           struct vdisk_error *error)
{
  static const char *const others[] = {
    "filename", "actual-size", "full-backing-filename", "backing-references",
  };
  char *text = vdisk_describe (disk, depth, error);
  json_t *document = text ? json_loads (text, 0, NULL) : NULL;
  size_t i;

  free (text);
  for (i = 0; i < sizeof others / sizeof others[0]; ++i)
    json_object_del (document, others[i]);
  text = document ? json_dumps (document, JSON_COMPACT | JSON_SORT_KEYS)
    : NULL;
  json_decref (document);
  if (text == NULL)
    return error_no_memory (error, vdisk_layer_file (disk, depth));
  XXH3_128bits_update (state, text, strlen (text) + 1);
  free (text);
  return 0;
}

/* Extents that may come as one, or as several, count as one. */
struct mapping {
  XXH3_state_t *state;
  struct vdisk_extent extent;   /* of length 0: none yet */
};

/* The map as tables have it, and with the holes of files. */
struct mappings {
  struct vdisk *disk;
  struct mapping tables, extents;
};

static void
add_extent (const struct mapping *mapping)
{
  const struct vdisk_extent *extent = &mapping->extent;

  if (extent->length == 0)
    return;
  add_number (mapping->state, extent->offset);
  add_number (mapping->state, extent->length);
  add_number (mapping->state, extent->host_offset);
  add_number (mapping->state,
              (uint64_t) extent->depth << 8 | extent->kind);
}

static void
extend (struct mapping *mapping, struct vdisk_extent next)
{
  struct vdisk_extent *last = &mapping->extent;

  /* Where zeros are not stored does not matter. */
  if (next.kind == VDISK_ZERO || next.kind == VDISK_HOLE)
    next.host_offset = VDISK_NO_HOST_OFFSET;
  if (last->length > 0 && last->kind == next.kind &&
      last->depth == next.depth &&
      next.host_offset == last->host_offset +
      (next.kind == VDISK_DATA ? last->length : 0))
    last->length += next.length;
  else {
    add_extent (mapping);
    *last = next;
  }
}

/* Is it a hole of a file, where the tables have data?  A raw disk has no
 * tables, and no other holes. */
static bool
is_host_hole (const struct vdisk *disk, const struct vdisk_extent *extent)
{
  return extent->host_hole ||
    (extent->kind == VDISK_HOLE &&
     strcmp (vdisk_layer_format (disk, extent->depth), "raw") == 0);
}

static int
take_extent (void *opaque, const struct vdisk_extent *extent)
{
  struct mappings *mappings = opaque;
  struct vdisk_extent plain = *extent;

  extend (&mappings->extents, plain);
  if (is_host_hole (mappings->disk, extent))
    plain.kind = VDISK_DATA;
  extend (&mappings->tables, plain);
  return 0;
}

static int
add_image (XXH3_state_t *tables, XXH3_state_t *extents, struct vdisk *disk,
           struct vdisk_error *error)
{
  struct mappings mappings = {
    .disk = disk, .tables.state = tables, .extents.state = extents,
  };
  unsigned depth;

  add_number (tables, vdisk_size (disk));
  for (depth = 0; depth < vdisk_layers (disk); ++depth)
    if (add_layer (tables, disk, depth, error) == -1)
      return -1;
  if (vdisk_extents (disk, 0, vdisk_size (disk), take_extent, &mappings,
                     error) == -1)
    return -1;
  add_extent (&mappings.tables);
  add_extent (&mappings.extents);
  return 0;
}

static void
take_digest (const XXH3_state_t *state, uint8_t digest[IDENTITY_SIZE])
{
  XXH128_canonical_t canonical;

  XXH128_canonicalFromHash (&canonical, XXH3_128bits_digest (state));
  memcpy (digest, canonical.digest, IDENTITY_SIZE);
}

int
identity_of_image (struct vdisk *disk, uint8_t identity[IDENTITY_SIZE],
                   uint8_t extents[IDENTITY_SIZE], struct vdisk_error *error)
{
  XXH3_state_t *of_tables = XXH3_createState ();
  XXH3_state_t *of_extents = XXH3_createState ();
  int r = -1;

  if (of_tables && of_extents) {
    XXH3_128bits_reset (of_tables);
    XXH3_128bits_reset (of_extents);
    r = add_image (of_tables, of_extents, disk, error);
    take_digest (of_tables, identity);
    take_digest (of_extents, extents);
  }
  else
    error_no_memory (error, "identity of the image");
  XXH3_freeState (of_tables);
  XXH3_freeState (of_extents);
  return r;
}

void
identity_to_hex (const uint8_t identity[IDENTITY_SIZE],
                 char text[2 * IDENTITY_SIZE + 1])
{
  hex_from_bytes (text, identity, IDENTITY_SIZE);
}

void
identity_to_uuid (const uint8_t identity[IDENTITY_SIZE], char text[37])
{
  uint8_t u[IDENTITY_SIZE];

  memcpy (u, identity, sizeof u);
  u[6] = (u[6] & 0x0f) | 0x80;
  u[8] = (u[8] & 0x3f) | 0x80;
  uuid_text (u, text);
}

static int
add_stamp (json_t *stamps, int fd, const char *name,
           struct vdisk_error *error)
{
  struct stat st;

  /* A server's disk has none. */
  if (fd == -1)
    return 0;
  if (fstat (fd, &st) == -1)
    return error_set (error, errno, "%s: looking at it: %s", name,
                      strerror (errno));
  if (json_array_append_new (stamps, json_pack
                             ("[I, I, i]", (json_int_t) st.st_size,
                              (json_int_t) st.st_mtim.tv_sec,
                              (int) st.st_mtim.tv_nsec)) == -1)
    return error_no_memory (error, name);
  return 0;
}

json_t *
identity_stamps (struct vdisk *disk, struct vdisk_error *error)
{
  json_t *stamps = json_array ();
  unsigned depth;

  for (depth = 0; stamps && depth < vdisk_layers (disk); ++depth)
    if (add_stamp (stamps, vdisk_layer_descriptor (disk, depth),
                   vdisk_layer_file (disk, depth), error) == -1 ||
        add_stamp (stamps, vdisk_layer_data_descriptor (disk, depth),
                   vdisk_layer_data_file (disk, depth), error) == -1) {
      json_decref (stamps);
      return NULL;
    }
  if (stamps == NULL)
    error_record (error, ENOMEM, "out of memory");
  return stamps;
}
