/* SPDX-License-Identifier: BSD-3-Clause */
/* Fuzz target: the views of a QCOW2 image, and differences of them.
 *
 * Besides what is promised of every open disk (explore.c):
 *
 *   what is listed without a problem is opened by that name, or there is an
 *   error; names can be shown;
 *   a view has the size that was listed;
 *   where a difference has a HOLE both of its ends have the same bytes, and
 *   it has zeros; elsewhere it has those of its end;
 *   a difference of a view to itself is empty.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "explore.h"
#include "files.h"
#include "format/format.h"
#include "fuzz.h"
#include "one-image.h"
#include "util/minmax.h"

#define VIEWS_MAX 6
#define NAME_MAX_SIZE 5000
#define WINDOWS 4
#define WINDOW_MAX 2048

/* A list may have 65,536 entries, each of which takes some reads. */
#define LIST_READS_MAX (2 << 20)

struct listed {
  char names[VIEWS_MAX][NAME_MAX_SIZE];
  uint64_t sizes[VIEWS_MAX];
  uint64_t count;
  struct random *random;
};

/* Keep some of them, each with the same chance. */
static int
keep (void *opaque, const struct vdisk_view *view)
{
  struct listed *listed = opaque;
  const uint64_t n = listed->count < VIEWS_MAX ? listed->count
    : random_below (listed->random, listed->count + 1);

  fuzz_check_message ("name of a view", view->name);
  if (view->problem) {
    fuzz_check_message ("problem", view->problem);
    return 0;
  }
  fuzz_assert (strlen (view->name) < NAME_MAX_SIZE, "a long name");
  listed->count++;
  if (n < VIEWS_MAX) {
    strcpy (listed->names[n], view->name);
    listed->sizes[n] = view->size;
  }
  return 0;
}

static struct vdisk *
open_named (struct vdisk *vdisk, const char *name)
{
  struct vdisk_error error = { .errnum = -1 };
  struct vdisk *view;

  fuzz_meter_start ();
  view = vdisk_open_view (vdisk, name, &error);
  fuzz_meter_check ("open view", 32 * LIST_READS_MAX);
  if (view == NULL)
    fuzz_check_error ("open view", &error);
  return view;
}

/* Read, with zeros beyond the end.  False if that cannot be done. */
static bool
read_resized (struct vdisk *vdisk, uint8_t *bytes, size_t count,
              uint64_t offset)
{
  const uint64_t size = vdisk_size (vdisk);
  const size_t present = offset < size ? min_u64 (count, size - offset) : 0;
  struct vdisk_error error = { 0 };

  memset (bytes, 0, count);
  return present == 0 ||
    vdisk_pread (vdisk, bytes, present, offset, &error) == 0;
}

static void
check_window (struct vdisk *from, struct vdisk *to, struct vdisk *difference,
              const struct vdisk_extent *extent, struct random *random)
{
  static uint8_t old[WINDOW_MAX], new[WINDOW_MAX], told[WINDOW_MAX];
  const uint64_t offset = extent->offset +
    random_below (random, extent->length);
  const size_t count = min_u64 (WINDOW_MAX, extent->offset + extent->length
                                - offset);

  if (!read_resized (difference, told, count, offset) ||
      !read_resized (to, new, count, offset) ||
      !read_resized (from, old, count, offset))
    return;
  if (extent->kind != VDISK_HOLE)
    fuzz_assert (memcmp (told, new, count) == 0,
                 "what has changed at %" PRIu64 " is not what is", offset);
  else {
    fuzz_assert (fuzz_is_zeros (told, count),
                 "what is the same at %" PRIu64 " is no zeros", offset);
    fuzz_assert (memcmp (old, new, count) == 0,
                 "what is the same at %" PRIu64 " is not", offset);
  }
}

static void
check_difference (struct vdisk *from, struct vdisk *to, bool compare,
                  struct fuzz_control *control)
{
  static struct explored map;
  struct vdisk_error error = { .errnum = -1 };
  struct vdisk *difference =
    vdisk_open_difference (from, to, compare ? VDISK_DIFFERENCE_COMPARE : 0,
                           &error);
  unsigned i;

  if (difference == NULL) {
    fuzz_check_error ("difference", &error);
    fuzz_assert (vdisk_is_difference (from) || vdisk_is_difference (to),
                 "there is no difference: %s", error.message);
    return;
  }
  explore_map (difference, 0, vdisk_size (difference), &map);
  for (i = 0; i < map.count && from == to; ++i)
    fuzz_assert (map.at[i].kind == VDISK_HOLE || vdisk_is_difference (from),
                 "a view differs from itself");
  for (i = 0; i < WINDOWS && map.count > 0 && !vdisk_is_difference (from);
       ++i)
    check_window (from, to, difference,
                  &map.at[random_below (&control->random, map.count)],
                  &control->random);
  explore (difference, control);
  vdisk_close (difference);
}

static void
look (struct vdisk *vdisk, struct fuzz_control *control)
{
  static struct listed listed;
  struct vdisk *views[VIEWS_MAX];
  struct vdisk_error error = { .errnum = -1 };
  unsigned count, i, open = 0;

  listed.count = 0;
  listed.random = &control->random;
  fuzz_meter_start ();
  if (vdisk_views (vdisk, keep, &listed, &error) == -1)
    fuzz_check_error ("views", &error);
  fuzz_meter_check ("views", LIST_READS_MAX);
  count = min_u64 (listed.count, VIEWS_MAX);
  for (i = 0; i < count; ++i) {
    views[open] = open_named (vdisk, listed.names[i]);
    if (views[open] == NULL)
      continue;
    fuzz_assert (strcmp (vdisk_view_name (views[open]),
                         listed.names[i]) == 0, "the name is another");
    fuzz_assert (vdisk_size (views[open]) == listed.sizes[i],
                 "%s: %" PRIu64 " bytes, listed as %" PRIu64,
                 listed.names[i], vdisk_size (views[open]),
                 listed.sizes[i]);
    explore (views[open++], control);
  }
  for (i = 0; i < 3 && open > 0; ++i)
    check_difference (views[random_below (&control->random, open)],
                      views[random_below (&control->random, open)], i == 0,
                      control);
  while (open > 0)
    vdisk_close (views[--open]);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  fuzz_image_with (&format_qcow2, data, size, look);
  return 0;
}
