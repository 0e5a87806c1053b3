/* SPDX-License-Identifier: BSD-3-Clause */
/* Footers and headers of VHDs. */

#include "output/vhd-layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "format/vhd/driver.h"
#include "image.h"
#include "options.h"
#include "util/align.h"
#include "util/error.h"
#include "util/uuid.h"

#define CREATOR "vdsk"
#define CREATOR_VERSION 0x00010000
#define CREATOR_OS 0x5769326b           /* "Wi2k", which all know */
#define FEATURES_RESERVED 2             /* always set */
#define VERSION 0x00010000

uint64_t
vhd_recorded_size (const struct vdisk *disk,
                   const struct vhd_settings *settings)
{
  return round_up (vdisk_size (disk), settings->round);
}

static int
choose_uuid (const struct vdisk *disk, const struct vhd_settings *settings,
             uint8_t uuid[16], struct vdisk_error *error)
{
  if (settings->uuid == NULL) {
    if (getrandom (uuid, 16, 0) != 16)
      return error_set (error, errno, "a random UUID: %s",
                        strerror (errno));
    uuid[6] = (uuid[6] & 0x0f) | 0x40;          /* RFC 4122, version 4 */
    uuid[8] = (uuid[8] & 0x3f) | 0x80;
    return 0;
  }
  if (!uuid_parse (settings->uuid, uuid))
    return error_set (error, EINVAL, "%suuid: '%s' is not a UUID",
                      options_prefix (disk->options), settings->uuid);
  return 0;
}

/* As the user says, as reproducible builds have it, or now. */
static uint32_t
choose_time_stamp (const struct vhd_settings *settings)
{
  const char *text = getenv ("SOURCE_DATE_EPOCH");
  const int64_t seconds = settings->has_time ? settings->time
    : text ? strtoll (text, NULL, 10) : time (NULL);

  return seconds < VHD_EPOCH ? 0 : seconds - VHD_EPOCH;
}

int
vhd_make_footer (struct vhd_footer *footer, const struct vdisk *disk,
                 const struct vhd_settings *settings, enum vhd_type type,
                 struct vdisk_error *error)
{
  const uint64_t size = vhd_recorded_size (disk, settings);
  const struct vhd_geometry geometry = vhd_choose_geometry (disk, size);

  *footer = (struct vhd_footer) {
    .features = to_be32 (FEATURES_RESERVED),
    .version = to_be32 (VERSION),
    .header_offset = to_be64 (type == VHD_FIXED ? UINT64_MAX
                              : sizeof *footer),
    .time_stamp = to_be32 (choose_time_stamp (settings)),
    .creator_version = to_be32 (CREATOR_VERSION),
    .creator_os = to_be32 (CREATOR_OS),
    .original_size = to_be64 (size),
    .current_size = to_be64 (size),
    .cylinders = to_be16 (geometry.cylinders),
    .heads = geometry.heads,
    .sectors = geometry.sectors,
    .type = to_be32 (type),
  };
  memcpy (footer->cookie, VHD_FOOTER_COOKIE, VHD_COOKIE_SIZE);
  memcpy (footer->creator, CREATOR, sizeof footer->creator);
  if (choose_uuid (disk, settings, footer->uuid, error) == -1)
    return -1;
  footer->checksum = to_be32 (vhd_checksum (footer, sizeof *footer,
                                            &footer->checksum));
  return 0;
}

void
vhd_make_header (struct vhd_dynamic_header *header,
                 const struct vhd_layout *layout,
                 const struct vhd_parent *parent)
{
  *header = (struct vhd_dynamic_header) {
    .next_offset = to_be64 (UINT64_MAX),
    .table_offset = to_be64 (layout->table_offset),
    .version = to_be32 (VERSION),
    .max_table_entries = to_be32 (layout->block_count),
    .block_size = to_be32 (layout->block_size),
  };
  memcpy (header->cookie, VHD_HEADER_COOKIE, VHD_COOKIE_SIZE);
  if (parent) {
    memcpy (header->parent_uuid, parent->uuid, sizeof header->parent_uuid);
    header->parent_time_stamp = to_be32 (parent->time_stamp);
    memcpy (header->parent_name, parent->name, sizeof header->parent_name);
    memcpy (header->locators, parent->locators, sizeof header->locators);
  }
  header->checksum = to_be32 (vhd_checksum (header, sizeof *header,
                                            &header->checksum));
}
