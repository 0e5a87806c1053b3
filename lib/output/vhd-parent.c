/* SPDX-License-Identifier: BSD-3-Clause */
/* What a differencing VHD records of its parent: who it is, and in three
 * notations where it is, seen from the new file.
 */

#include "output/vhd-layout.h"

#include <errno.h>
#include <iconv.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "format/format.h"
#include "format/vhd/driver.h"
#include "image.h"
#include "layer.h"
#include "util/align.h"
#include "util/error.h"

static int
identify (struct vhd_parent *parent, const struct vdisk *base,
          struct vdisk_error *error)
{
  const struct layer *layer = base->chain->layers[0];
  const struct vhd *vhd = layer->state;

  if (layer->format != &format_vhd)
    return error_set (error, EINVAL, "%s: this is no VHD, as the parent of "
                      "one has to be", vdisk_layer_file (base, 0));
  memcpy (parent->uuid, vhd->footer.uuid, sizeof parent->uuid);
  parent->time_stamp = vhd->footer.time_stamp;
  return 0;
}

/* Convert UTF-8.  Returns the size in bytes, or 0 if it cannot be or does
 * not fit. */
static size_t
convert (const char *encoding, const char *from, void *to, size_t room)
{
  size_t from_left = strlen (from), to_left = room;
  char *from_at = (char *) from, *to_at = to;
  iconv_t converter = iconv_open (encoding, "UTF-8");
  size_t r;

  if (converter == (iconv_t) -1)
    return 0;
  r = iconv (converter, &from_at, &from_left, &to_at, &to_left);
  iconv_close (converter);
  return r == (size_t) -1 ? 0 : room - to_left;
}

/* Add a locator whose data has been put after that of the others. */
static void
add_locator (struct vhd_parent *parent, size_t i, uint32_t code,
             uint64_t offset, size_t length)
{
  const uint64_t space = round_up (length, VHD_SECTOR_SIZE);

  parent->locators[i] = (struct vhd_locator) {
    .code = to_be32 (code), .data_space = to_be32 (space),
    .data_length = to_be32 (length),
    .data_offset = to_be64 (offset + parent->data_size),
  };
  parent->data_size += space;
}

/* All three are relative, as Xen's tools have them; file URLs of theirs
 * are not percent-encoded. */
static int
add_locators (struct vhd_parent *parent, const char *path, uint64_t offset)
{
  static const uint32_t windows[] = { VHD_LOCATOR_W2KU, VHD_LOCATOR_W2RU };
  char text[PATH_MAX + 16];
  const size_t room = 2 * sizeof text;
  size_t i, length;

  parent->data = calloc (3, round_up (room, VHD_SECTOR_SIZE));
  if (parent->data == NULL)
    return -1;
  length = snprintf (text, sizeof text, "file://./%s", path);
  memcpy (parent->data, text, length);
  add_locator (parent, 0, VHD_LOCATOR_MACX, offset, length);

  snprintf (text, sizeof text, ".\\%s", path);
  for (i = 0; text[i]; ++i)
    if (text[i] == '/')
      text[i] = '\\';
  for (i = 0; i < 2; ++i) {
    length = convert ("UTF-16LE", text, parent->data + parent->data_size,
                      room);
    if (length == 0)
      return -1;
    add_locator (parent, i + 1, windows[i], offset, length);
  }
  return 0;
}

int
vhd_parent_describe (struct vhd_parent *parent, const struct vdisk *base,
                     const char *path, struct vdisk_error *error)
{
  const char *slash = strrchr (path, '/');

  if (identify (parent, base, error) == -1)
    return -1;
  if (strlen (path) >= PATH_MAX ||
      convert ("UTF-16BE", slash ? slash + 1 : path, parent->name,
               sizeof parent->name - 2) == 0 ||
      add_locators (parent, path, VHD_LOCATORS_OFFSET) == -1)
    return error_set (error, EINVAL, "%s: a VHD cannot record the path %s: "
                      "it is too long, or not UTF-8",
                      vdisk_layer_file (base, 0), path);
  return 0;
}
