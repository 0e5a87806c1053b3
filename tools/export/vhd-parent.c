/* SPDX-License-Identifier: BSD-3-Clause */
/* What a differencing VHD records of its parent: who it is, and in three
 * notations where it is, seen from the new file.
 */

#include <errno.h>
#include <iconv.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "export/sink-path.h"
#include "export/vhd.h"
#include "util/align.h"
#include "util/cleanup.h"
#include "util/uuid.h"

/* --- Who the parent is -------------------------------------------------- */

static int
identify (struct vhd_parent *parent, struct vdisk *base,
          struct vdisk_error *error)
{
  const char *uuid = vdisk_layer_uuid (base, 0);

  if (uuid == NULL || !uuid_parse (uuid, parent->uuid))
    return error_set (error, EINVAL, "%s: it has no UUID",
                      vdisk_layer_file (base, 0));
  parent->time_stamp = vdisk_layer_time_stamp (base, 0) - VHD_EPOCH;
  return 0;
}

/* --- Where it is -------------------------------------------------------- */

/* Where the destination really is, also if its name is a link to elsewhere.
 * A stream is taken to become a file of the current directory. */
static char *
destination_directory (const struct export *export)
{
  const char *to = export->destination;
  CLEANUP_FREE char *file = NULL;
  const char *slash;

  if (to == NULL || strcmp (to, "-") == 0)
    return realpath (".", NULL);
  if (export->sink && export->sink->path)
    file = strdup (export->sink->path);
  else
    file = sink_path_follow (to);
  slash = file ? strrchr (file, '/') : NULL;
  if (slash == NULL)
    return NULL;
  return slash == file ? strdup ("/") : strndup (file, slash - file);
}

/* The path from a directory to a file, both absolute. */
static char *
relative_path (const char *directory, const char *file)
{
  size_t common = 0, i, ups = 0;
  char *path;

  /* How much both share, up to a slash. */
  for (i = 0; directory[i] == file[i] && file[i] != '\0'; ++i)
    if (file[i] == '/')
      common = i + 1;
  if (directory[i] == '\0' && file[i] == '/')
    common = i + 1;
  if (strcmp (directory, "/") == 0)
    common = 1;
  else if (common <= strlen (directory))
    for (ups = 1, i = common; directory[i] != '\0'; ++i)
      ups += directory[i] == '/';

  path = calloc (1, 3 * ups + strlen (file + common) + 1);
  if (path == NULL)
    return NULL;
  for (i = 0; i < ups; ++i)
    strcat (path, "../");
  return strcat (path, file + common);
}

static char *
path_from_destination (const struct export *export)
{
  CLEANUP_FREE char *directory = destination_directory (export);
  CLEANUP_FREE char *file = directory
    ? realpath (vdisk_layer_file (export->base, 0), NULL) : NULL;

  return file ? relative_path (directory, file) : NULL;
}

/* --- In which notations ------------------------------------------------- */

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
vhd_parent_describe (struct vhd_parent *parent, const struct export *export,
                     uint64_t offset, struct vdisk_error *error)
{
  const char *name = vdisk_layer_file (export->base, 0);
  CLEANUP_FREE char *path = NULL;
  const char *slash;

  *parent = (struct vhd_parent) { 0 };
  if (identify (parent, export->base, error) == -1)
    return -1;
  path = path_from_destination (export);
  if (path == NULL || strlen (path) >= PATH_MAX)
    return error_set (error, errno ? errno : ENAMETOOLONG, "%s: the way "
                      "from the destination to it: %s", name,
                      strerror (errno ? errno : ENAMETOOLONG));
  slash = strrchr (path, '/');
  if (convert ("UTF-16BE", slash ? slash + 1 : path, parent->name,
               sizeof parent->name - 2) == 0 ||
      add_locators (parent, path, offset) == -1)
    return error_set (error, EINVAL, "%s: a VHD cannot record the path %s: "
                      "it is too long, or not UTF-8", name, path);
  return 0;
}
