/* SPDX-License-Identifier: BSD-3-Clause */
/* The magic of what people try to open as a disk image: other formats of
 * images, archives, compressed files, and raw disks by what is on them.
 * Nothing is opened for it; who knows what a file is can be told what to do.
 */

#include "format/recognize.h"

#include <string.h>

#include "format/format.h"
#include "source/source.h"
#include "util/bytes.h"
#include "util/checked.h"

#define CONVERT RECOGNIZE_CONVERT
#define DECOMPRESS "decompress it first"
#define FILTER(name) ", or serve it with nbdkit --filter=" name " and open " \
  "that by its NBD URI"

static const struct foreign empty = {
  "an empty file", "there is no image in it",
};
static const struct foreign ova = {
  "an OVA, a tar archive", "take the images out of it first",
};
static const struct foreign xva = {
  "an XVA, a tar archive of XenServer", "xe vm-import reads it",
};
static const struct foreign gpt = {
  "a raw disk with a GUID partition table", NULL,
};
static const struct foreign mbr = {
  "a raw disk with an MBR partition table", NULL,
};

#define SIGNATURE(bytes) bytes, sizeof bytes - 1

/* In the order they are tried.  Those of archives come before those deeper
 * in the file, which can be that of a member. */
static const struct signature {
  uint64_t offset;
  const char *bytes;
  size_t length;
  struct foreign foreign;
} signatures[] = {
  { 0, SIGNATURE ("vhdxfile"), { "a VHDX image", CONVERT } },
  { 0, SIGNATURE ("KDMV"), { "a VMDK image", CONVERT } },
  { 0, SIGNATURE ("COWD"), { "a VMDK image of ESX", CONVERT } },
  { 0, SIGNATURE ("# Disk DescriptorFile"),
    { "the descriptor of a VMDK image", CONVERT } },
  { 64, SIGNATURE ("\x7f\x10\xda\xbe"), { "a VDI image", CONVERT } },
  { 0, SIGNATURE ("LUKS\xba\xbe"),
    { "a disk encrypted with LUKS", "nbdkit --filter=luks decrypts it" } },
  { 0, SIGNATURE ("\x1f\x8b\x08"),
    { "compressed with gzip", DECOMPRESS FILTER ("gzip") } },
  { 0, SIGNATURE ("\xfd" "7zXZ\0"),
    { "compressed with xz", DECOMPRESS FILTER ("xz") } },
  { 0, SIGNATURE ("\x28\xb5\x2f\xfd"),
    { "compressed with zstd", DECOMPRESS } },
  { 4, SIGNATURE ("1AY&SY"), { "compressed with bzip2", DECOMPRESS } },
  { 0, SIGNATURE ("PK\3\4"),
    { "a zip archive", "take the image out of it first" } },
  { 0, SIGNATURE ("PK\5\6"), { "an empty zip archive", "no image is in it" } },
  { 257, SIGNATURE ("ustar"),
    { "a tar archive", "take the image out of it first" FILTER ("tar") } },
  { 0x8001, SIGNATURE ("CD001"), { "an ISO 9660 image", NULL } },
};

#define SIGNATURES (sizeof signatures / sizeof signatures[0])
#define SIGNATURE_MAX 32

static bool
is_at (struct source *source, const struct probe *probe, uint64_t offset,
       const void *bytes, size_t length)
{
  uint8_t data[SIGNATURE_MAX];

  if (range_within (offset, length, probe->head_size))
    return memcmp (probe->head + offset, bytes, length) == 0;
  return range_within (offset, length, source->size) &&
    source_pread (source, data, length, offset, NULL) == 0 &&
    memcmp (data, bytes, length) == 0;
}

/* Apple's trailer is the last 512 bytes. */
static bool
is_dmg (const struct probe *probe)
{
  return probe->tail_size == sizeof probe->tail &&
    memcmp (probe->tail, "koly", 4) == 0;
}

/* What a tar archive is by its first member. */
static const struct foreign *
recognize_tar (const struct probe *probe, const struct foreign *tar)
{
  const char *name = (const char *) probe->head;
  const size_t length = strnlen (name, 100);

  if (length == 7 && memcmp (name, "ova.xml", 7) == 0)
    return &xva;
  if (length > 4 && memcmp (name + length - 4, ".ovf", 4) == 0)
    return &ova;
  return tar;
}

/* An entry of an MBR's table: 0 if it is none, 1 if it is not used, 2 if it
 * is of a partition that starts on the disk. */
static int
check_partition (const uint8_t *entry, uint64_t sectors)
{
  static const uint8_t unused[16];
  le32 first, count;

  if (memcmp (entry, unused, sizeof unused) == 0)
    return 1;
  memcpy (&first, entry + 8, sizeof first);
  memcpy (&count, entry + 12, sizeof count);
  return (entry[0] & 0x7f) == 0 && entry[4] != 0 && get_le32 (first) > 0 &&
    get_le32 (first) < sectors && get_le32 (count) > 0 ? 2 : 0;
}

/* Boot sectors of file systems have the same two bytes at their end. */
static bool
is_mbr (const struct probe *probe, uint64_t sectors)
{
  int i, state, partitions = 0;

  if (probe->head_size < 512 || memcmp (probe->head + 510, "\x55\xaa", 2) != 0)
    return false;
  for (i = 0; i < 4; ++i) {
    state = check_partition (probe->head + 446 + 16 * i, sectors);
    if (state == 0)
      return false;
    partitions += state == 2;
  }
  return partitions > 0;
}

const struct foreign *
recognize_foreign (struct source *source, const struct probe *probe)
{
  static const struct foreign dmg = { "a DMG image", CONVERT };
  const struct signature *s;

  if (source->size == 0)
    return &empty;
  for (s = signatures; s < signatures + SIGNATURES; ++s)
    if (is_at (source, probe, s->offset, s->bytes, s->length))
      return s->offset == 257 ? recognize_tar (probe, &s->foreign)
        : &s->foreign;
  if (is_dmg (probe))
    return &dmg;
  if (is_at (source, probe, 512, "EFI PART", 8) ||
      is_at (source, probe, 4096, "EFI PART", 8))
    return &gpt;
  return is_mbr (probe, source->size / 512) ? &mbr : NULL;
}
