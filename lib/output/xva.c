/* SPDX-License-Identifier: BSD-3-Clause */
/* XVA, XenServer's archive of a virtual machine: a tar file with ova.xml,
 * and of each disk blocks of 1 MiB, each followed by its checksum.
 *
 *   [ova.xml] | Ref:0/00000000 | Ref:0/00000000.xxhash | Ref:0/00000001 ...
 *
 * The first and the last block of a disk are always there; others without
 * data are left out.  A checksum is computed when somebody reads it.
 */

#include "output/output.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nettle/sha1.h>
#include <xxhash.h>

#include "util/align.h"
#include "util/cleanup.h"
#include "util/error.h"
#include "util/hex.h"
#include "util/minmax.h"

#define BLOCK_LENGTH (1 << 20)
#define BLOCKS_MAX UINT64_C (99999999)  /* eight digits */
#define TAR_BLOCK 512
#define PREFIX_SIZE 32
#define NAME_SIZE (PREFIX_SIZE + 32)
#define PREFIX_DEFAULT "Ref:0"

/* It is kept in memory. */
#define OVA_XML_SIZE_MAX (16 << 20)

struct xva_disk {
  char prefix[PREFIX_SIZE];
  struct unit_index *index;
};

struct xva {
  bool sha1;                    /* and not xxHash */
  char *ova_xml;                /* its path, or NULL */
  struct xva_disk *disks;       /* as many as have prefixes */
  size_t disk_count;
};

/* --- Options ------------------------------------------------------------ */

static int
add_prefix (struct xva *xva, const char *value, struct vdisk_error *error)
{
  struct xva_disk *disks;
  size_t i;

  if (*value == '\0' || strlen (value) >= PREFIX_SIZE || strchr (value, '/'))
    return error_set (error, EINVAL, "prefix=%s: must have 1 to %d "
                      "characters, and no '/'", value, PREFIX_SIZE - 1);
  for (i = 0; i < xva->disk_count; ++i)
    if (strcmp (xva->disks[i].prefix, value) == 0)
      return error_set (error, EINVAL, "prefix=%s: two disks have it",
                        value);
  disks = reallocarray (xva->disks, xva->disk_count + 1, sizeof *disks);
  if (disks == NULL)
    return error_no_memory (error, "output");
  xva->disks = disks;
  disks[xva->disk_count] = (struct xva_disk) { .index = NULL };
  strcpy (disks[xva->disk_count++].prefix, value);
  return 0;
}

static int
set_checksum (struct xva *xva, const char *value, struct vdisk_error *error)
{
  xva->sha1 = strcmp (value, "sha1") == 0;
  if (!xva->sha1 && strcmp (value, "xxhash") != 0)
    return error_set (error, EINVAL, "checksum=%s: must be xxhash or sha1",
                      value);
  return 0;
}

static int
xva_set (struct vdisk_output *output, const char *name, const char *value,
         struct vdisk_error *error)
{
  struct xva *xva = output->state;

  if (strcmp (name, "prefix") == 0)
    return add_prefix (xva, value, error);
  if (strcmp (name, "checksum") == 0)
    return set_checksum (xva, value, error);
  if (strcmp (name, "ova-xml") != 0)
    return output_no_option (output, name, error);
  free (xva->ova_xml);
  xva->ova_xml = strdup (value);
  return xva->ova_xml ? 0 : error_no_memory (error, "output");
}

/* --- Members of the archive --------------------------------------------- */

/* POSIX's ustar.  Numbers are octal. */
struct ustar_header {
  char name[100];
  char mode[8], uid[8], gid[8];
  char size[12], mtime[12];
  char checksum[8];
  char type;
  char link[100];
  char magic[6], version[2];
  char user[32], group[32];
  char device_major[8], device_minor[8];
  char prefix[155], padding[12];
};
_Static_assert (sizeof (struct ustar_header) == TAR_BLOCK, "size of header");

/* Make the header of a member, which is small. */
static void
make_header (const char *name, uint32_t size, uint8_t bytes[TAR_BLOCK])
{
  struct ustar_header header = {
    .mode = "000644 ", .uid = "000000 ", .gid = "000000 ",
    .mtime = "00000000000", .checksum = "       ", .type = '0',
    .magic = "ustar", .version = "00",
    .device_major = "000000 ", .device_minor = "000000 ",
  };
  char digits[16];
  unsigned sum = 0;
  size_t i;

  strcpy (header.name, name);
  snprintf (digits, sizeof digits, "%011" PRIo32 " ", size);
  memcpy (header.size, digits, sizeof header.size);
  header.mtime[sizeof header.mtime - 1] = ' ';
  header.checksum[sizeof header.checksum - 1] = ' ';
  memcpy (bytes, &header, TAR_BLOCK);
  for (i = 0; i < TAR_BLOCK; ++i)
    sum += bytes[i];
  snprintf (digits, sizeof digits, "%06o", sum);
  memcpy (bytes + offsetof (struct ustar_header, checksum), digits, 7);
}

/* How many bytes of a disk a block has: the last may have fewer. */
static uint64_t
block_size (struct vdisk *disk, uint64_t block)
{
  return min_u64 (BLOCK_LENGTH, vdisk_size (disk) - block * BLOCK_LENGTH);
}

static int
make_block_header (const struct vdisk_output *output,
                   const struct output_region *region, uint64_t block,
                   const uint8_t *data, uint8_t *bytes,
                   struct vdisk_error *error)
{
  const struct xva_disk *disk = region->opaque;
  char name[NAME_SIZE];

  (void) output;
  (void) data;
  (void) error;
  snprintf (name, sizeof name, "%s/%08" PRIu64, disk->prefix, block);
  make_header (name, block_size (unit_index_disk (disk->index), block),
               bytes);
  return 0;
}

/* --- Checksums ---------------------------------------------------------- */

static void
digest_sha1 (const uint8_t *bytes, size_t size, char *text)
{
  struct sha1_ctx context;
  uint8_t sum[SHA1_DIGEST_SIZE];

  sha1_init (&context);
  sha1_update (&context, size, bytes);
  sha1_digest (&context, sizeof sum, sum);
  hex_from_bytes (text, sum, sizeof sum);
}

/* Read a block of which only the checksum is wanted, to be freed.  NULL with
 * an error. */
static uint8_t *
read_block (struct vdisk *disk, uint64_t block, uint64_t size,
            struct vdisk_error *error)
{
  uint8_t *data = malloc (size);

  if (data == NULL)
    error_no_memory (error, "output");
  else if (vdisk_pread (disk, data, size, block * BLOCK_LENGTH, error) == -1) {
    free (data);
    data = NULL;
  }
  return data;
}

/* The member that follows a block: its header, and the checksum as text. */
static int
make_checksum (const struct vdisk_output *output,
               const struct output_region *region, uint64_t block,
               const uint8_t *data, uint8_t *bytes,
               struct vdisk_error *error)
{
  const struct xva *xva = output->state;
  const struct xva_disk *disk = region->opaque;
  struct vdisk *vdisk = unit_index_disk (disk->index);
  const uint64_t size = block_size (vdisk, block);
  char name[NAME_SIZE], text[TAR_BLOCK] = "";
  CLEANUP_FREE uint8_t *own = NULL;

  if (data == NULL)
    data = own = read_block (vdisk, block, size, error);
  if (data == NULL)
    return -1;
  if (xva->sha1)
    digest_sha1 (data, size, text);
  else
    snprintf (text, sizeof text, "%016" PRIX64,
              (uint64_t) XXH64 (data, size, 0));
  snprintf (name, sizeof name, "%s/%08" PRIu64 "%s", disk->prefix, block,
            xva->sha1 ? ".checksum" : ".xxhash");
  make_header (name, strlen (text), bytes);
  memcpy (bytes + TAR_BLOCK, text, TAR_BLOCK);
  return 0;
}

/* --- The plan ----------------------------------------------------------- */

static int
read_file (int fd, const char *path, uint8_t *bytes, size_t size,
           struct vdisk_error *error)
{
  size_t done = 0;

  while (done < size) {
    const ssize_t n = pread (fd, bytes + done, size - done, done);

    if (n == -1 && errno == EINTR)
      continue;
    if (n == -1)
      return error_set (error, errno, "%s: %s", path, strerror (errno));
    if (n == 0)
      return error_set (error, EIO, "%s: the file has changed its size",
                        path);
    done += n;
  }
  return 0;
}

static int
add_file (struct vdisk_output *output, int fd, const char *path,
          struct vdisk_error *error)
{
  CLEANUP_FREE uint8_t *bytes = NULL;
  uint64_t padded;
  struct stat st;

  if (fd == -1 || fstat (fd, &st) == -1)
    return error_set (error, errno, "%s: %s", path, strerror (errno));
  if (!S_ISREG (st.st_mode))
    return error_set (error, EINVAL, "%s: this is not a regular file", path);
  if (st.st_size > OVA_XML_SIZE_MAX)
    return error_set (error, EFBIG, "%s: %jd bytes, must be at most %d",
                      path, (intmax_t) st.st_size, OVA_XML_SIZE_MAX);
  padded = TAR_BLOCK + round_up (st.st_size, TAR_BLOCK);
  bytes = calloc (1, padded);
  if (bytes == NULL)
    return error_no_memory (error, "output");
  make_header ("ova.xml", st.st_size, bytes);
  if (read_file (fd, path, bytes + TAR_BLOCK, st.st_size, error) == -1)
    return -1;
  return output_add_bytes (output, bytes, padded, error);
}

static int
add_ova_xml (struct vdisk_output *output, struct vdisk_error *error)
{
  const struct xva *xva = output->state;
  int fd, r;

  if (xva->ova_xml == NULL)
    return 0;
  fd = open (xva->ova_xml, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  r = add_file (output, fd, xva->ova_xml, error);
  if (fd != -1)
    close (fd);
  return r;
}

static int
check_size (struct vdisk *disk, struct vdisk_error *error)
{
  const char *file = vdisk_layer_file (disk, 0);
  const uint64_t size = vdisk_size (disk);
  const uint64_t blocks = divide_up (size, BLOCK_LENGTH);

  if (size == 0)
    return error_set (error, EINVAL, "%s: the disk is empty, which an XVA "
                      "cannot say", file);
  if (blocks > BLOCKS_MAX)
    return error_set (error, EFBIG, "%s: the disk has %" PRIu64 " blocks of "
                      "1 MiB, an XVA can number %" PRIu64, file, blocks,
                      BLOCKS_MAX);
  return 0;
}

static int
add_disk (struct vdisk_output *output, struct vdisk *vdisk,
          struct xva_disk *disk, struct vdisk_error *error)
{
  struct output_region blocks = {
    .before = TAR_BLOCK, .after = 2 * TAR_BLOCK, .opaque = disk,
    .frame_before = make_block_header, .frame_after = make_checksum,
  };

  if (check_size (vdisk, error) == -1)
    return -1;
  disk->index = unit_index_new (vdisk, BLOCK_LENGTH, UNITS_AND_ENDS, error);
  if (disk->index == NULL)
    return -1;
  blocks.index = disk->index;
  blocks.last_length =
    round_up (block_size (vdisk, unit_index_units (disk->index) - 1),
              TAR_BLOCK);
  return output_add_units (output, &blocks, error);
}

static int
xva_plan (struct vdisk_output *output, struct vdisk_error *error)
{
  static const uint8_t end[2 * TAR_BLOCK];
  struct xva *xva = output->state;
  size_t i;

  if (output->disk_count == 1 && xva->disk_count == 0 &&
      add_prefix (xva, PREFIX_DEFAULT, error) == -1)
    return -1;
  if (xva->disk_count != output->disk_count)
    return error_set (error, EINVAL, "output xva: there are %zu prefixes "
                      "for %zu disks", xva->disk_count, output->disk_count);
  if (add_ova_xml (output, error) == -1)
    return -1;
  for (i = 0; i < output->disk_count; ++i)
    if (add_disk (output, output->disks[i], &xva->disks[i], error) == -1)
      return -1;
  return output_add_bytes (output, end, sizeof end, error);
}

static void
xva_close (struct vdisk_output *output)
{
  struct xva *xva = output->state;
  size_t i;

  for (i = 0; i < xva->disk_count; ++i)
    unit_index_free (xva->disks[i].index);
  free (xva->disks);
  free (xva->ova_xml);
}

const struct output_format output_xva = {
  .name = "xva",
  .state_size = sizeof (struct xva),
  .has_many_disks = true,
  .set = xva_set,
  .plan = xva_plan,
  .close = xva_close,
};
