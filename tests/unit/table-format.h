/* SPDX-License-Identifier: BSD-3-Clause */
/* A disk format for tests: a header, and a table that says row by row what
 * the guest disk is made of.  Whatever real formats can say can be written
 * down in it directly, and damage besides.
 *
 * A file of it is a struct table_header, rows, and from TABLE_DATA_OFFSET
 * on data.  Its driver reads the file through the layer's source, as real
 * drivers do, so that a source can fail it.
 */

#ifndef UNIT_TABLE_FORMAT_H
#define UNIT_TABLE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "format/format.h"
#include "reference.h"

struct chain;
struct resolver;
struct source;

#define TABLE_MAGIC 0x454c424154
#define TABLE_NAME_SIZE 40
#define TABLE_DATA_OFFSET 65536
#define TABLE_CLUSTER_SIZE 2048
#define TABLE_GRANULARITY 512

/* A kind of row: mapping it fails with EIO. */
#define TABLE_DAMAGED 99

struct table_row {
  uint64_t offset, length;      /* guest; rows tile the disk */
  uint64_t host;
  uint32_t kind;                /* enum vdisk_kind, or TABLE_DAMAGED */
  uint32_t packed_size;
};

struct table_header {
  uint64_t magic;
  uint64_t size;                /* of the guest disk */
  uint64_t granularity;
  uint32_t cluster_size;
  uint32_t row_count;
  uint32_t is_raw;
  uint32_t id;                  /* what children know this image by */
  uint32_t parent_id;           /* that of its parent; 0: any */
  uint32_t name_count;          /* of names for the backing file */
  char names[REFERENCE_NAMES_MAX][TABLE_NAME_SIZE];
  char backing_format[8];       /* "table", "raw", or "" for none */
  char data_file[TABLE_NAME_SIZE];
};

extern const struct format format_table;

/* A file of the format, or any other bytes, under construction. */
struct table_image {
  const char *name;
  uint8_t *bytes;               /* the file */
  size_t size, allocated;       /* of the file, and for it */
  struct table_image *data;     /* where DATA goes; mostly itself */
  uint64_t inode;               /* identity of the file; 0: unknown */

  /* If not NULL, puts another source over that of the file's bytes. */
  struct source *(*wrap) (struct source *inner, void *opaque);
  void *wrap_opaque;
};

/* An image of a guest disk that has to be filled with rows; its file's
 * name is not copied.  Free it when no source of it is open any more. */
struct table_image *table_new (const char *name, uint64_t size);
void table_free (struct table_image *image);

/* A file of 'size' bytes that is no image. */
struct table_image *table_new_file (const char *name, size_t size);

struct table_header *table_header (const struct table_image *image);
struct table_row *table_rows (const struct table_image *image);

/* Where the last row ends. */
uint64_t table_end (const struct table_image *image);

/* Add a row that starts where the last one ends.  The first takes host
 * and packed size as given; the second makes up different data for each
 * call, and puts it at the end of the file. */
void table_add_row (struct table_image *image, uint32_t kind,
                    uint64_t length, uint64_t host, uint32_t packed_size);
void table_add (struct table_image *image, uint32_t kind, uint64_t length);

/* Fill the rest of the disk with one row. */
void table_fill (struct table_image *image, uint32_t kind);

/* Leave a gap in the file, so that what comes next does not continue. */
void table_skip (struct table_image *image, size_t size);

/* Add a name for the image's backing file, which is in this format. */
void table_add_name (struct table_image *image, const char *name);

/* What a compressed cluster becomes. */
void table_unpack (const uint8_t *packed, uint8_t *cluster, size_t size);

/* Open the file as a source. */
struct source *table_source (const struct table_image *image);

/* A place to look for files by name. */
struct table_shelf {
  struct table_image **images;
  size_t count;
  unsigned opened;              /* how many were found so far */
};

/* A resolver that looks there, for chain_open and image_open. */
struct resolver table_resolver (struct table_shelf *shelf);

#endif /* UNIT_TABLE_FORMAT_H */
