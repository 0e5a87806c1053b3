/* SPDX-License-Identifier: BSD-3-Clause */
/* The parent of a differencing VHD: the names it may be found under, and
 * whether a file is the one.
 *
 * Up to eight locators, each with a path in the manner of some platform,
 * and a name in the header.  Relative paths come first, since disks are
 * moved together.  An absolute path of Windows means nothing here; its
 * last part is looked for where the child is.  Xen's tools write three
 * locators (MacX, W2ku, W2ru) that are all relative.  The paths come from
 * the image: where they may lead is for reference_open to say.
 */

#include "format/vhd/driver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/error.h"
#include "format/format.h"
#include "source/source.h"
#include "util/checked.h"
#include "util/hex.h"
#include "util/minmax.h"
#include "util/utf16.h"

/* Room for UTF-16 of that size as UTF-8. */
_Static_assert (VHD_NAME_SIZE == VHD_LOCATOR_SIZE_MAX / 2 * 3 + 1,
                "size of names");

/* In place.  A '%' that starts no escape ("%2f") stays. */
static void
percent_decode (char *text)
{
  char *to = text;

  while (*text) {
    int value = *text == '%' ? hex_byte (text + 1) : -1;

    *to++ = value == -1 ? *text : value;
    text += value == -1 ? 1 : 3;
  }
  *to = '\0';
}

static bool
is_letter (char c)
{
  c |= 0x20;
  return c >= 'a' && c <= 'z';
}

/* The path of a file here for one of Windows: of an absolute one, which
 * has a drive or starts with a backslash, only the last part. */
static char *
path_of_windows (char *text)
{
  const bool drive = is_letter (text[0]) && text[1] == ':';
  const bool absolute = drive || text[0] == '\\';
  char *p;

  for (p = text; *p; ++p)
    if (*p == '\\')
      *p = '/';
  if (!absolute)
    return text;
  p = strrchr (text, '/');
  return p ? p + 1 : text + 2;          /* "C:name" */
}

static char *
skip_dot_slash (char *text)
{
  while (strncmp (text, "./", 2) == 0) {
    text += 2;
    text += strspn (text, "/");
  }
  return text;
}

/* Add the name unless it is known already, from whence 'what' says. */
static int
add_name (struct layer *layer, const char *what, char *text,
          struct vdisk_error *error)
{
  struct reference *backing = &layer->backing;
  const char *name = skip_dot_slash (text);
  size_t i;

  if (*name == '\0') {
    layer_warn (layer, "%s: names no file: ignored", what);
    return 0;
  }
  for (i = 0; i < backing->name_count; ++i)
    if (strcmp (name, backing->names[i]) == 0)
      return 0;
  if (backing->name_count < REFERENCE_NAMES_MAX)
    snprintf (backing->origins[backing->name_count], REFERENCE_ORIGIN_SIZE,
              "%s", what);
  if (reference_add_name (backing, name, strlen (name)) == -1)
    return error_no_memory (error, layer->source->name);
  return 0;
}

/* Add the path in a file URL.  Xen's "file://./name" is no URL by the RFC:
 * the path is relative, and as it is.  Others may have encoded one. */
static int
add_url (struct layer *layer, const char *what, char *text,
         struct vdisk_error *error)
{
  const bool url = strncmp (text, "file://", 7) == 0;

  if (url)
    text += 7;
  if (strncmp (text, "localhost/", 10) == 0)
    text += 9;
  if ((!url || text[0] != '/') && add_name (layer, what, text, error) == -1)
    return -1;
  if (!url)
    return 0;
  percent_decode (text);
  return add_name (layer, what, text, error);
}

/* Can the locator's data be read?  'problem' is told why not. */
static int
check_locator (const struct layer *layer, const struct locator *locator,
               struct vdisk_error *problem)
{
  /* By the specification 'space' is in sectors, but Hyper-V's is in
   * bytes. */
  const uint64_t space = locator->space < VHD_LOCATOR_SPACE_BYTES ?
    (uint64_t) locator->space * VHD_SECTOR_SIZE : locator->space;
  const uint64_t max = min_u64 (space, VHD_LOCATOR_SIZE_MAX);

  if (space == 0)
    return error_set (problem, EINVAL, "space 0, must be at least 1 for a "
                      "length of %" PRIu32, locator->length);
  if (locator->length == 0 || locator->length > max)
    return error_set (problem, EINVAL, "length %" PRIu32 ", must be 1 to %"
                      PRIu64, locator->length, max);
  if (!range_within (locator->offset, locator->length, layer->source->size))
    return error_set (problem, EINVAL, "%" PRIu32 " bytes at offset %" PRIu64
                      " reach beyond the end of the file (%" PRIu64
                      " bytes)", locator->length, locator->offset,
                      layer->source->size);
  return 0;
}

bool
vhd_locator_has_place (const struct layer *layer,
                       const struct locator *locator)
{
  return locator->code != VHD_LOCATOR_NONE &&
    check_locator (layer, locator, NULL) == 0;
}

int
vhd_read_locator (const struct layer *layer, const struct locator *locator,
                  char text[VHD_NAME_SIZE], struct vdisk_error *problem,
                  struct vdisk_error *error)
{
  uint8_t data[VHD_LOCATOR_SIZE_MAX];

  if (check_locator (layer, locator, problem) == -1)
    return 0;
  if (source_pread (layer->source, data, locator->length, locator->offset,
                    error) == -1)
    return -1;
  if (locator->code != VHD_LOCATOR_W2RU &&
      locator->code != VHD_LOCATOR_W2KU) {
    memcpy (text, data, locator->length);
    text[locator->length] = '\0';
  }
  else if (utf16_to_utf8 (data, locator->length, false, text,
                          VHD_NAME_SIZE) == -1)
    error_record (problem, EINVAL, "not valid UTF-16");
  return 0;
}

const char *
vhd_locator_name (size_t number, const struct locator *locator,
                  char name[VHD_LOCATOR_NAME_SIZE])
{
  const be32 code = to_be32 (locator->code);

  snprintf (name, VHD_LOCATOR_NAME_SIZE, "parent locator %zu (%.4s)",
            number, (const char *) code.b);
  return name;
}

/* Add the name that the locator's data gives by its code. */
static int
add_locator (struct layer *layer, size_t number,
             const struct locator *locator, struct vdisk_error *error)
{
  struct vdisk_error problem = { 0 };
  char what[VHD_LOCATOR_NAME_SIZE], text[VHD_NAME_SIZE];

  vhd_locator_name (number, locator, what);
  if (vhd_read_locator (layer, locator, text, &problem, error) == -1)
    return -1;
  if (problem.errnum != 0) {
    layer_warn (layer, "%s: %s: ignored", what, error_raw (&problem));
    return 0;
  }
  if (locator->code == VHD_LOCATOR_MACX)
    return add_url (layer, what, text, error);
  return add_name (layer, what, path_of_windows (text), error);
}

/* The name in the header has no directory that would mean anything. */
static int
add_parent_name (struct layer *layer, const struct dynamic_header *header,
                 struct vdisk_error *error)
{
  static const char what[] = "parent name";
  char name[VHD_NAME_SIZE];
  ssize_t length;
  char *path;

  length = utf16_to_utf8 (header->parent_name, sizeof header->parent_name,
                          true, name, sizeof name);
  if (length == -1) {
    layer_warn (layer, "%s: not valid UTF-16: ignored", what);
    return 0;
  }
  if (length == 0)
    return 0;
  path = path_of_windows (name);
  if (path[0] == '/')
    path = strrchr (path, '/') + 1;
  return add_name (layer, what, path, error);
}

int
vhd_read_parent (struct layer *layer, const struct dynamic_header *header,
                 struct vdisk_error *error)
{
  static const uint32_t order[] = {
    VHD_LOCATOR_W2RU, VHD_LOCATOR_MACX, VHD_LOCATOR_W2KU,
    VHD_LOCATOR_WI2R, VHD_LOCATOR_WI2K,
  };
  size_t i, n;

  layer->backing.role = "parent";
  /* Xen's raw parents have no other mark. */
  layer->backing.format = &format_raw;
  if (!uuid_is_null (header->parent_uuid)) {
    layer->backing.format = &format_vhd;
    uuid_text (header->parent_uuid, layer->parent_uuid);
  }
  for (i = 0; i < sizeof order / sizeof order[0]; ++i)
    for (n = 0; n < VHD_LOCATORS; ++n)
      if (header->locators[n].code == order[i] &&
          add_locator (layer, n, &header->locators[n], error) == -1)
        return -1;
  if (add_parent_name (layer, header, error) == -1)
    return -1;
  if (layer->backing.name_count == 0 && layer->backing_is_told)
    layer->backing.role = NULL;
  else if (layer->backing.name_count == 0)
    return layer_error (layer, error, EINVAL, "header: no locator and no "
                        "name tells where the parent is");
  return 0;
}

int
vhd_accept_parent (const struct layer *child, const struct layer *parent,
                   struct vdisk_error *error)
{
  const struct vhd *vhd = child->state;
  const struct footer *footer;
  char expected[UUID_TEXT_SIZE], found[UUID_TEXT_SIZE];

  if (child->parent_uuid[0] == '\0')
    return 0;
  if (parent->format != &format_vhd) {
    layer_warn (child, "header: parent UUID %s, but %s is %s, and has none",
                child->parent_uuid, parent->source->name,
                parent->format->name);
    return 0;
  }
  footer = &((const struct vhd *) parent->state)->footer;
  if (memcmp (vhd->parent_uuid, footer->uuid, sizeof footer->uuid) != 0)
    return layer_error (child, error, EINVAL,
                        "header: parent UUID %s, but %s has UUID %s",
                        uuid_text (vhd->parent_uuid, expected),
                        parent->source->name,
                        uuid_text (footer->uuid, found));
  /* Windows rewrites the parent's.  Xen's tools record here when the file
   * was modified, which is never what the parent's footer says. */
  if (vhd->parent_time_stamp != footer->time_stamp &&
      !vhd_creator_is_xen (&vhd->footer))
    layer_warn (child, "header: parent time stamp %" PRIu32 ", but %s has %"
                PRIu32, vhd->parent_time_stamp, parent->source->name,
                footer->time_stamp);
  return 0;
}
