/* SPDX-License-Identifier: BSD-3-Clause */
/* VHD footers: which of the two counts.
 *
 * The footer at the end of the file counts.  Dynamic and differencing
 * disks have a copy at the start, for when the end is damaged, cut off or
 * (on a block device) followed by padding.  A fixed disk has none: what
 * lies at its start was written by the guest.
 */

#include "format/vhd/driver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/error.h"
#include "source/source.h"
#include "util/minmax.h"

uint32_t
vhd_checksum (const void *bytes, size_t size, const be32 *checksum)
{
  const uint8_t *p = bytes;
  uint32_t sum = 0;
  size_t i;

  for (i = 0; i < size; ++i)
    sum += p[i];
  for (i = 0; i < sizeof checksum->b; ++i)
    sum -= checksum->b[i];
  return ~sum;
}

/* Check a footer; 'problem' is told what is wrong with it. */
static int
check_footer (const struct vhd_footer *raw, struct vdisk_error *problem)
{
  const uint32_t checksum = get_be32 (raw->checksum);
  const uint32_t expected = vhd_checksum (raw, sizeof *raw, &raw->checksum);
  const uint32_t version = get_be32 (raw->version);
  const uint32_t type = get_be32 (raw->type);

  if (memcmp (raw->cookie, VHD_FOOTER_COOKIE, VHD_COOKIE_SIZE) != 0)
    return error_set (problem, EINVAL, "no cookie \"%s\"",
                      VHD_FOOTER_COOKIE);
  if (checksum != expected)
    return error_set (problem, EINVAL,
                      "checksum 0x%08" PRIx32 ", expected 0x%08" PRIx32,
                      checksum, expected);
  if (version >> 16 != VHD_VERSION_MAJOR)
    return error_set (problem, EINVAL,
                      "version %" PRIu32 ".%" PRIu32 ", must be %d.x",
                      version >> 16, version & 0xffff, VHD_VERSION_MAJOR);
  if (type != VHD_FIXED && type != VHD_DYNAMIC && type != VHD_DIFFERENCING)
    return error_set (problem, EINVAL, "type %" PRIu32 ", must be 2 (fixed), "
                      "3 (dynamic) or 4 (differencing)", type);
  return 0;
}

static void
parse_footer (const struct vhd_footer *raw, uint64_t offset,
              struct footer *footer)
{
  footer->offset = offset;
  footer->type = get_be32 (raw->type);
  footer->header_offset = get_be64 (raw->header_offset);
  footer->time_stamp = get_be32 (raw->time_stamp);
  memcpy (footer->creator, raw->creator, sizeof footer->creator);
  footer->creator_version = get_be32 (raw->creator_version);
  memcpy (footer->creator_os, raw->creator_os.b, sizeof footer->creator_os);
  footer->original_size = get_be64 (raw->original_size);
  footer->current_size = get_be64 (raw->current_size);
  footer->cylinders = get_be16 (raw->cylinders);
  footer->heads = raw->heads;
  footer->sectors = raw->sectors;
  memcpy (footer->uuid, raw->uuid, sizeof footer->uuid);
  footer->saved_state = raw->saved_state != 0;
  footer->hidden = raw->hidden != 0;
}

/* Read the footer at the end of the file, which may be a byte short: then
 * its cookie is found a byte late.  Sets *offset to where it is. */
static int
read_end (const struct layer *layer, struct vhd_footer *raw,
          uint64_t *offset, struct vdisk_error *error)
{
  const uint64_t size = layer->source->size;
  const size_t count = min_u64 (size, sizeof *raw);
  uint8_t bytes[sizeof *raw + 1] = { 0 };
  size_t start = sizeof *raw - count;

  if (source_pread (layer->source, bytes + start, count, size - count,
                    error) == -1)
    return -1;
  if (memcmp (bytes + 1, VHD_FOOTER_COOKIE, VHD_COOKIE_SIZE) == 0)
    start = 1;
  memcpy (raw, bytes + start, sizeof *raw);
  *offset = size - (sizeof *raw - start);
  return 0;
}

static int
read_copy (const struct layer *layer, struct vhd_footer *raw,
           struct vdisk_error *error)
{
  memset (raw, 0, sizeof *raw);
  return source_pread (layer->source, raw,
                       min_u64 (layer->source->size, sizeof *raw), 0, error);
}

static int
check_copy (const struct vhd_footer *raw, struct vdisk_error *problem)
{
  if (check_footer (raw, problem) == -1)
    return -1;
  if (get_be32 (raw->type) == VHD_FIXED)
    return error_set (problem, EINVAL, "type 2 (fixed), which has no copy");
  return 0;
}

int
vhd_read_footers (const struct layer *layer, struct vhd_footers *footers,
                  struct vdisk_error *error)
{
  *footers = (struct vhd_footers) { 0 };
  if (layer->source->size < VHD_SHORT_FOOTER_SIZE)
    return layer_error (layer, error, EINVAL, "footer: the file has %" PRIu64
                        " bytes, a footer takes %d", layer->source->size,
                        VHD_SHORT_FOOTER_SIZE);
  if (read_end (layer, &footers->end, &footers->end_offset, error) == -1)
    return -1;
  footers->has_copy = check_footer (&footers->end,
                                    &footers->end_problem) == -1 ||
    get_be32 (footers->end.type) != VHD_FIXED;
  if (read_copy (layer, &footers->copy, error) == -1)
    return -1;
  check_copy (&footers->copy, &footers->copy_problem);
  return 0;
}

/* Two valid footers tell of two disks, of which one is shown.  At the start
 * of a fixed disk it is the guest's, or what an unfinished conversion has
 * left. */
static void
warn_of_difference (const struct layer *layer,
                    const struct vhd_footers *footers)
{
  const struct vhd_footer *end = &footers->end, *copy = &footers->copy;
  char text[256] = "", uuid[UUID_TEXT_SIZE], other[UUID_TEXT_SIZE];
  size_t used = 0;

  if (get_be64 (copy->current_size) != get_be64 (end->current_size))
    used += snprintf (text, sizeof text, ", current size %" PRIu64 " and not "
                      "%" PRIu64, get_be64 (copy->current_size),
                      get_be64 (end->current_size));
  if (get_be32 (copy->type) != get_be32 (end->type))
    used += snprintf (text + used, sizeof text - used, ", type %" PRIu32
                      " and not %" PRIu32, get_be32 (copy->type),
                      get_be32 (end->type));
  if (memcmp (copy->uuid, end->uuid, sizeof copy->uuid) != 0)
    used += snprintf (text + used, sizeof text - used, ", UUID %s and not %s",
                      uuid_text (copy->uuid, uuid),
                      uuid_text (end->uuid, other));
  if (used > 0)
    layer_warn (layer, "footer copy: %s: using the footer at the end of the "
                "file", text + 2);
}

int
vhd_read_footer (const struct layer *layer, struct footer *footer,
                 struct vdisk_error *error)
{
  struct vhd_footers footers;

  if (vhd_read_footers (layer, &footers, error) == -1)
    return -1;
  if (footers.end_problem.errnum == 0) {
    parse_footer (&footers.end, footers.end_offset, footer);
    if (footers.copy_problem.errnum == 0)
      warn_of_difference (layer, &footers);
    else if (footers.has_copy)
      layer_warn (layer, "footer copy: %s: using the footer at the end of "
                  "the file", error_raw (&footers.copy_problem));
    return 0;
  }
  if (footers.copy_problem.errnum != 0)
    return layer_error (layer, error, EINVAL, "footer: %s; footer copy: %s",
                        error_raw (&footers.end_problem),
                        error_raw (&footers.copy_problem));
  layer_warn (layer, "footer: %s: using the copy at the start of the file",
              error_raw (&footers.end_problem));
  parse_footer (&footers.copy, 0, footer);
  return 0;
}

bool
vhd_creator_is_xen (const struct footer *footer)
{
  return memcmp (footer->creator, "tap", 4) == 0;
}
