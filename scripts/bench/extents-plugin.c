/* SPDX-License-Identifier: BSD-3-Clause */
/* An nbdkit plugin that knows without looking that every other 64 KiB of
 * its disk are data.  What it takes to tell a client that, any plugin
 * takes: no other can be faster on such a disk.
 */

#include <stdint.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL
#define CLUSTER 65536

/* More extents than this nbdkit does not put in one reply. */
#define EXTENTS_MAX (1 << 20)

static int64_t size;

static int
floor_config (const char *key, const char *value)
{
  (void) key;
  size = nbdkit_parse_size (value);
  return size == -1 ? -1 : 0;
}

static void *
floor_open (int readonly)
{
  (void) readonly;
  return NBDKIT_HANDLE_NOT_NEEDED;
}

static int64_t
floor_get_size (void *handle)
{
  (void) handle;
  return size;
}

static int
floor_can_extents (void *handle)
{
  (void) handle;
  return 1;
}

static int
floor_pread (void *handle, void *buf, uint32_t count, uint64_t offset,
             uint32_t flags)
{
  (void) handle;
  (void) buf;
  (void) count;
  (void) offset;
  (void) flags;
  nbdkit_error ("this disk has a map, but no bytes");
  return -1;
}

static int
floor_extents (void *handle, uint32_t count, uint64_t offset, uint32_t flags,
               struct nbdkit_extents *extents)
{
  uint64_t end = offset + count, next;
  unsigned added;

  (void) handle;
  (void) flags;
  for (added = 0; offset < end && added < EXTENTS_MAX; ++added) {
    next = (offset / CLUSTER + 1) * CLUSTER;
    if (nbdkit_add_extent (extents, offset, next - offset,
                           offset / CLUSTER % 2 == 0 ? 0 :
                           NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO) == -1)
      return -1;
    offset = next;
  }
  return 0;
}

static struct nbdkit_plugin plugin = {
  .name         = "extents",
  .version      = VDISK_VERSION,
  .config       = floor_config,
  .open         = floor_open,
  .get_size     = floor_get_size,
  .can_extents  = floor_can_extents,
  .pread        = floor_pread,
  .extents      = floor_extents,
};

/* The macro defines it without declaring it. */
struct nbdkit_plugin *plugin_init (void);

NBDKIT_REGISTER_PLUGIN (plugin)
