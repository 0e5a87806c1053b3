/* SPDX-License-Identifier: BSD-3-Clause */
/* The table format: its driver, and how its files are made. */

#include "table-format.h"

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "util/error.h"
#include "random.h"
#include "source/memory.h"
#include "source/source.h"

/* --- The driver ------------------------------------------------------ */

static int
add_names (struct layer *layer, const struct table_header *header,
           struct vdisk_error *error)
{
  uint32_t i;

  for (i = 0; i < header->name_count; ++i) {
    layer->backing.role = "backing file";
    if (reference_add_name (&layer->backing, header->names[i],
                            strlen (header->names[i])) == -1)
      return error_no_memory (error, layer->source->name);
  }
  if (strcmp (header->backing_format, "table") == 0)
    layer->backing.format = &format_table;
  else
    layer->backing.format = format_by_name (header->backing_format);
  if (header->data_file[0] != '\0') {
    layer->data_file.role = "data file";
    if (reference_add_name (&layer->data_file, header->data_file,
                            strlen (header->data_file)) == -1)
      return error_no_memory (error, layer->source->name);
  }
  return 0;
}

static int
table_open (struct layer *layer, struct vdisk_error *error)
{
  struct table_header *header = layer->state = malloc (sizeof *header);

  if (header == NULL)
    return error_no_memory (error, layer->source->name);
  if (source_pread (layer->source, header, sizeof *header, 0, error) == -1)
    return -1;
  if (header->magic != TABLE_MAGIC)
    return layer_error (layer, error, EINVAL, "header: no magic");
  layer->size = header->size;
  layer->cluster_size = header->cluster_size;
  layer->preferred_size = header->cluster_size;
  layer->granularity = header->granularity;
  layer->is_raw = header->is_raw;
  return add_names (layer, header, error);
}

static void
table_close (struct layer *layer)
{
  free (layer->state);
}

static int
table_accept_parent (const struct layer *child, const struct layer *parent,
                     struct vdisk_error *error)
{
  const struct table_header *header = child->state;
  uint32_t id = 0;

  if (header->parent_id == 0)
    return 0;
  if (parent->format == &format_table)
    id = ((const struct table_header *) parent->state)->id;
  if (id != header->parent_id)
    return layer_error (child, error, EINVAL, "parent %s: id %" PRIu32
                        ", expected %" PRIu32, parent->source->name, id,
                        header->parent_id);
  return 0;
}

/* Append what part of a row is in [offset, end). */
static int
map_row (struct layer *layer, const struct table_row *row,
         uint64_t offset, uint64_t end, struct interval_list *out,
         struct vdisk_error *error)
{
  const struct interval whole = {
    .offset = row->offset, .length = row->length, .host = row->host,
    .packed_size = row->packed_size, .kind = row->kind,
    .depth = layer->depth,
  };
  struct interval part = interval_clip (&whole, offset, end);

  if (row->kind == TABLE_DAMAGED)
    return layer_error (layer, error, EIO, "table: damage at %" PRIu64,
                        part.offset);
  if (row->kind == VDISK_DATA)
    return layer_append_data (layer, out, part.offset, part.length,
                              part.host, "table", error);
  if (interval_list_append (out, &part) == -1)
    return error_no_memory (error, layer->source->name);
  return 0;
}

#define ROWS_AT_ONCE 8

static int
table_map (struct layer *layer, uint64_t offset, uint64_t count,
           struct interval_list *out, struct vdisk_error *error)
{
  const struct table_header *header = layer->state;
  const uint64_t end = offset + count;
  struct table_row rows[ROWS_AT_ONCE];
  uint32_t i;

  for (i = 0; i < header->row_count; ++i) {
    const struct table_row *row = &rows[i % ROWS_AT_ONCE];
    uint32_t left = header->row_count - i;

    if (i % ROWS_AT_ONCE == 0 &&
        source_pread (layer->source, rows, (left < ROWS_AT_ONCE ? left :
                                            ROWS_AT_ONCE) * sizeof *row,
                      sizeof *header + i * sizeof *row, error) == -1)
      return -1;
    if (row->offset >= end)
      break;
    if (row->offset + row->length > offset &&
        map_row (layer, row, offset, end, out, error) == -1)
      return -1;
  }
  return 0;
}

/* Compressed data is a seed, in a slot that keeps what follows aligned. */
#define SEED_SIZE 8
#define SLOT_SIZE 512

void
table_unpack (const uint8_t *packed, uint8_t *cluster, size_t size)
{
  struct random random;
  size_t i;

  memcpy (&random.state, packed, SEED_SIZE);
  for (i = 0; i < size; ++i)
    cluster[i] = random_next (&random);
}

static int
table_unpack_cluster (struct layer *layer, const struct interval *interval,
                      void *cluster, struct vdisk_error *error)
{
  uint8_t packed[SEED_SIZE];

  if (interval->packed_size < SEED_SIZE)
    return layer_error (layer, error, EIO, "packed size %" PRIu32
                        ", at least 8 are needed", interval->packed_size);
  if (source_pread (layer->source, packed, sizeof packed, interval->host,
                    error) == -1)
    return -1;
  table_unpack (packed, cluster, layer->cluster_size);
  return 0;
}

const struct format format_table = {
  .name = "table",
  .open = table_open,
  .close = table_close,
  .accept_parent = table_accept_parent,
  .map = table_map,
  .unpack = table_unpack_cluster,
};

/* --- Making files ---------------------------------------------------- */

struct table_image *
table_new_file (const char *name, size_t size)
{
  struct table_image *image = calloc (1, sizeof *image);

  ck_assert_ptr_nonnull (image);
  image->name = name;
  image->size = image->allocated = size;
  image->bytes = calloc (1, size > 0 ? size : 1);
  ck_assert_ptr_nonnull (image->bytes);
  image->data = image;
  return image;
}

struct table_image *
table_new (const char *name, uint64_t size)
{
  struct table_image *image = table_new_file (name, TABLE_DATA_OFFSET);
  struct table_header *header = table_header (image);

  header->magic = TABLE_MAGIC;
  header->size = size;
  header->cluster_size = TABLE_CLUSTER_SIZE;
  header->granularity = TABLE_GRANULARITY;
  return image;
}

void
table_free (struct table_image *image)
{
  if (image) {
    free (image->bytes);
    free (image);
  }
}

struct table_header *
table_header (const struct table_image *image)
{
  return (struct table_header *) image->bytes;
}

struct table_row *
table_rows (const struct table_image *image)
{
  return (struct table_row *) (image->bytes + sizeof (struct table_header));
}

uint64_t
table_end (const struct table_image *image)
{
  const uint32_t count = table_header (image)->row_count;
  const struct table_row *row = &table_rows (image)[count];

  return count == 0 ? 0 : row[-1].offset + row[-1].length;
}

void
table_add_row (struct table_image *image, uint32_t kind, uint64_t length,
               uint64_t host, uint32_t packed_size)
{
  struct table_header *header = table_header (image);
  struct table_row *row = &table_rows (image)[header->row_count];

  if ((uint8_t *) (row + 1) > image->bytes + TABLE_DATA_OFFSET ||
      table_end (image) + length > header->size)
    ck_abort_msg ("too many rows, or beyond the end of the disk");
  *row = (struct table_row) {
    .offset = table_end (image), .length = length, .host = host,
    .kind = kind, .packed_size = packed_size,
  };
  header->row_count++;
}

void
table_skip (struct table_image *image, size_t size)
{
  if (size > image->allocated - image->size) {
    image->allocated = 2 * (image->size + size);
    image->bytes = realloc (image->bytes, image->allocated);
    if (image->bytes == NULL)
      ck_abort_msg ("out of memory");
  }
  memset (image->bytes + image->size, 0xee, size);
  image->size += size;
}

/* Append bytes to a file that are different each time.  Returns where. */
static uint64_t
append_bytes (struct table_image *file, size_t size)
{
  static struct random random;
  const uint64_t offset = file->size;
  size_t i;

  table_skip (file, size);
  for (i = 0; i < size; ++i)
    file->bytes[offset + i] = random_next (&random);
  return offset;
}

void
table_add (struct table_image *image, uint32_t kind, uint64_t length)
{
  if (kind == VDISK_DATA)
    table_add_row (image, kind, length, append_bytes (image->data, length),
                   0);
  else if (kind == VDISK_PACKED)
    table_add_row (image, kind, length, append_bytes (image, SLOT_SIZE),
                   SEED_SIZE);
  else
    table_add_row (image, kind, length, VDISK_NO_HOST_OFFSET, 0);
}

void
table_fill (struct table_image *image, uint32_t kind)
{
  if (table_end (image) < table_header (image)->size)
    table_add (image, kind, table_header (image)->size - table_end (image));
}

static void
copy_name (char *to, const char *name)
{
  ck_assert_uint_lt (strlen (name), TABLE_NAME_SIZE);
  strcpy (to, name);
}

void
table_add_name (struct table_image *image, const char *name)
{
  struct table_header *header = table_header (image);

  ck_assert_uint_lt (header->name_count, REFERENCE_NAMES_MAX);
  copy_name (header->names[header->name_count++], name);
  strcpy (header->backing_format, "table");
}

struct source *
table_source (const struct table_image *image)
{
  struct source *source = source_memory (image->name, image->bytes,
                                         image->size);

  if (source == NULL)
    ck_abort_msg ("out of memory");
  source->device = image->inode != 0;
  source->inode = image->inode;
  return image->wrap ? image->wrap (source, image->wrap_opaque) : source;
}

/* --- Finding them ---------------------------------------------------- */

static struct source *
open_from_shelf (void *opaque, const struct source *from, const char *role,
                 const char *name, const struct vdisk_options *options,
                 struct vdisk_error *error)
{
  struct table_shelf *shelf = opaque;
  size_t i;

  if (options == NULL)
    ck_abort_msg ("a reference is followed without options");
  for (i = 0; i < shelf->count; ++i)
    if (strcmp (shelf->images[i]->name, name) == 0) {
      shelf->opened++;
      return table_source (shelf->images[i]);
    }
  error_record (error, ENOENT, "%s: %s '%s': not on the shelf", from->name,
                role, name);
  return NULL;
}

struct resolver
table_resolver (struct table_shelf *shelf)
{
  return (struct resolver) { .open = open_from_shelf, .opaque = shelf };
}
