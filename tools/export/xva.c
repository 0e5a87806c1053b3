/* SPDX-License-Identifier: BSD-3-Clause */
/* XVA, XenServer's archive of a virtual machine: a tar file with ova.xml,
 * and of each disk blocks of 1 MiB, each followed by its checksum:
 *
 *   ova.xml | Ref:7/00000000 | Ref:7/00000000.xxhash | Ref:7/00000001 ...
 *
 * The first and the last block are always there; others without data are
 * left out.
 */

#include "export/export.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <nettle/sha1.h>
#include <xxhash.h>

#include "util/error.h"
#include "util/align.h"
#include "util/cleanup.h"
#include "util/iszero.h"

#define BLOCK_LENGTH (1 << 20)
#define BLOCKS_MAX UINT64_C (99999999)  /* eight digits */

#define TAR_BLOCK 512
#define TAR_END (2 * TAR_BLOCK)

#define NAME_MAX_SIZE 64                /* of a member: see --prefix */

/* As text. */
struct digest {
  char text[2 * SHA1_DIGEST_SIZE + 1];
};

struct xva {
  struct export *export;
  struct archive *archive;
  int ova_xml;                  /* its descriptor, or -1 */
  uint64_t ova_xml_size;
  struct vdisk *disk;           /* being written */
  const char *prefix;
  struct vdisk_error *error;    /* of the call that writes */
};

static struct units
units_of (struct vdisk *disk)
{
  return (struct units) {
    .disk = disk, .size = BLOCK_LENGTH, .ends = true,
  };
}

/* --- Planning ----------------------------------------------------------- */

static uint64_t
member_size (uint64_t size)
{
  return TAR_BLOCK + round_up (size, TAR_BLOCK);
}

static size_t
digest_length (const struct export *export)
{
  return export->options->sha1 ? 2 * SHA1_DIGEST_SIZE
    : 2 * sizeof (XXH64_hash_t);
}

static int
plan_disk (struct export *export, struct vdisk *disk,
           struct vdisk_error *error)
{
  const struct units units = units_of (disk);
  struct unit_count count;

  if (vdisk_size (disk) == 0)
    return error_set (error, EINVAL, "%s: the disk is empty, which an XVA "
                      "cannot say", vdisk_layer_file (disk, 0));
  if (units_count (&units) > BLOCKS_MAX)
    return error_set (error, EFBIG, "%s: the disk has %" PRIu64 " blocks of "
                      "1 MiB, an XVA can number %" PRIu64,
                      vdisk_layer_file (disk, 0), units_count (&units),
                      BLOCKS_MAX);
  if (export_count_units (&units, &count, error) == -1)
    return -1;
  /* Only the last block, which is always there, is no multiple. */
  export->size += round_up (count.bytes, TAR_BLOCK) + count.units *
    (TAR_BLOCK + member_size (digest_length (export)));
  export->total += count.bytes;
  return 0;
}

/* The member's size comes before its bytes, so it has to be a file. */
static int
open_ova_xml (struct xva *xva, struct vdisk_error *error)
{
  const char *path = xva->export->options->ova_xml;
  struct stat st;

  if (path == NULL)
    return 0;
  xva->ova_xml = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (xva->ova_xml == -1 || fstat (xva->ova_xml, &st) == -1)
    return error_set (error, errno, "%s: %s", path, strerror (errno));
  if (!S_ISREG (st.st_mode))
    return error_set (error, EINVAL, "%s: this is not a regular file", path);
  xva->ova_xml_size = st.st_size;
  xva->export->size += member_size (st.st_size);
  return 0;
}

static int
xva_plan (struct export *export, struct vdisk_error *error)
{
  struct xva *xva = calloc (1, sizeof *xva);
  size_t i;

  export->state = xva;
  if (xva == NULL)
    return error_no_memory (error, "export");
  xva->export = export;
  xva->ova_xml = -1;
  export->size = TAR_END;
  if (open_ova_xml (xva, error) == -1)
    return -1;
  for (i = 0; i < export->disk_count; ++i)
    if (plan_disk (export, export->disks[i], error) == -1)
      return -1;
  return 0;
}

/* --- The archive -------------------------------------------------------- */

static la_ssize_t
put_bytes (struct archive *archive, void *opaque, const void *bytes,
           size_t count)
{
  struct xva *xva = opaque;

  if (sink_put (xva->export->sink, bytes, count, xva->error) == 0)
    return count;
  archive_set_error (archive, xva->error->errnum, "%s",
                     xva->error->message);
  return -1;
}

static int
archive_error (struct xva *xva)
{
  return error_set (xva->error, archive_errno (xva->archive), "tar: %s",
                    archive_error_string (xva->archive));
}

static int
open_archive (struct xva *xva)
{
  xva->archive = archive_write_new ();
  if (xva->archive == NULL)
    return error_no_memory (xva->error, "export");
  /* Nothing is gathered or padded beyond the format. */
  if (archive_write_set_format_ustar (xva->archive) != ARCHIVE_OK ||
      archive_write_set_bytes_per_block (xva->archive, 0) != ARCHIVE_OK ||
      archive_write_open (xva->archive, xva, NULL, put_bytes, NULL) !=
      ARCHIVE_OK)
    return archive_error (xva);
  return 0;
}

static int
begin_member (struct xva *xva, const char *name, uint64_t size)
{
  struct archive_entry *entry = archive_entry_new2 (xva->archive);
  int r;

  if (entry == NULL)
    return error_no_memory (xva->error, "export");
  archive_entry_set_pathname (entry, name);
  archive_entry_set_filetype (entry, AE_IFREG);
  archive_entry_set_perm (entry, 0644);
  archive_entry_set_mtime (entry, 0, 0);
  archive_entry_set_size (entry, size);
  r = archive_write_header (xva->archive, entry);
  archive_entry_free (entry);
  return r == ARCHIVE_OK ? 0 : archive_error (xva);
}

static int
put_member (struct xva *xva, const char *name, const void *bytes,
            size_t size)
{
  if (begin_member (xva, name, size) == -1)
    return -1;
  if (archive_write_data (xva->archive, bytes, size) != (la_ssize_t) size)
    return archive_error (xva);
  return 0;
}

/* The file may have been changed since its size was looked at. */
static int
put_ova_xml (struct xva *xva)
{
  const char *path = xva->export->options->ova_xml;
  uint64_t left = xva->ova_xml_size;
  char buffer[64 << 10];

  if (path == NULL)
    return 0;
  if (begin_member (xva, "ova.xml", left) == -1)
    return -1;
  while (left > 0) {
    const ssize_t n = read (xva->ova_xml, buffer, sizeof buffer);

    if (n == -1)
      return error_set (xva->error, errno, "%s: %s", path,
                        strerror (errno));
    if (n == 0 || (uint64_t) n > left)
      return error_set (xva->error, EIO, "%s: the file has changed its size",
                        path);
    if (archive_write_data (xva->archive, buffer, n) != n)
      return archive_error (xva);
    left -= n;
  }
  return 0;
}

/* --- Blocks ------------------------------------------------------------- */

static void
digest_xxhash (const void *bytes, size_t size, struct digest *digest)
{
  snprintf (digest->text, sizeof digest->text, "%016" PRIX64,
            (uint64_t) XXH64 (bytes, size, 0));
}

static void
digest_sha1 (const void *bytes, size_t size, struct digest *digest)
{
  struct sha1_ctx context;
  uint8_t sum[SHA1_DIGEST_SIZE];
  size_t i;

  sha1_init (&context);
  sha1_update (&context, size, bytes);
  sha1_digest (&context, sizeof sum, sum);
  for (i = 0; i < sizeof sum; ++i)
    snprintf (digest->text + 2 * i, 3, "%02x", sum[i]);
}

static bool
is_end (const struct xva *xva, const struct range *range)
{
  return range->offset == 0 ||
    range->length == vdisk_size (xva->disk) - range->offset;
}

static int
read_block (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  const struct xva *xva = opaque;
  const struct export_options *options = xva->export->options;

  if (export_read_piece (xva->disk, piece, error) == -1)
    return -1;
  if (options->detect_zeroes && !is_end (xva, &piece->ranges[0]) &&
      is_zero (piece->buffer, piece->size))
    piece->size = 0;
  else if (options->sha1)
    digest_sha1 (piece->buffer, piece->size, piece->extra);
  else
    digest_xxhash (piece->buffer, piece->size, piece->extra);
  return 0;
}

static int
put_block (void *opaque, struct piece *piece, struct vdisk_error *error)
{
  struct xva *xva = opaque;
  const struct digest *digest = piece->extra;
  const uint64_t number = piece->ranges[0].offset / BLOCK_LENGTH;
  char name[NAME_MAX_SIZE];

  xva->error = error;
  if (piece->size > 0) {
    snprintf (name, sizeof name, "%s/%08" PRIu64, xva->prefix, number);
    if (put_member (xva, name, piece->buffer, piece->size) == -1)
      return -1;
    strcat (name, xva->export->options->sha1 ? ".checksum" : ".xxhash");
    if (put_member (xva, name, digest->text, strlen (digest->text)) == -1)
      return -1;
  }
  export_advance (xva->export, piece->length);
  return 0;
}

static int
put_disk (struct xva *xva, size_t i, struct vdisk_error *error)
{
  static const struct pipeline_ops ops = {
    .piece_length = BLOCK_LENGTH, .one_range = true,
    .buffer_size = BLOCK_LENGTH, .extra_size = sizeof (struct digest),
    .work = read_block, .write = put_block,
  };
  const struct units units = units_of (xva->export->disks[i]);

  xva->disk = units.disk;
  xva->prefix = xva->export->prefixes[i];
  return export_units_through (xva->export, &units, &ops, xva, error);
}

static int
put_all (struct xva *xva, struct vdisk_error *error)
{
  size_t i;

  xva->error = error;
  if (open_archive (xva) == -1 || put_ova_xml (xva) == -1)
    return -1;
  for (i = 0; i < xva->export->disk_count; ++i)
    if (put_disk (xva, i, error) == -1)
      return -1;
  xva->error = error;
  return archive_write_close (xva->archive) == ARCHIVE_OK ? 0
    : archive_error (xva);
}

static int
xva_write (struct export *export, struct vdisk_error *error)
{
  struct xva *xva = export->state;
  const bool detect = export->options->detect_zeroes;
  int r;

  if (sink_begin (export->sink, detect ? 0 : export->size, false,
                  error) == -1)
    return -1;
  r = put_all (xva, error);
  if (r == 0 && !detect && export->sink->position != export->size)
    r = export_map_changed (export, error);
  /* Freeing it must not write the end of the archive. */
  if (r == -1 && xva->archive)
    archive_write_fail (xva->archive);
  archive_write_free (xva->archive);
  return r;
}

static bool
xva_is_size_unknown (const struct export_options *options)
{
  return options->detect_zeroes;
}

static void
xva_free (struct export *export)
{
  struct xva *xva = export->state;

  if (xva && xva->ova_xml != -1)
    close (xva->ova_xml);
  free (xva);
}

const struct exporter exporter_xva = {
  .name = "xva",
  .help = "XenServer's archive: a tar file of blocks and checksums",
  .is_size_unknown = xva_is_size_unknown,
  .plan = xva_plan,
  .write = xva_write,
  .free = xva_free,
};
