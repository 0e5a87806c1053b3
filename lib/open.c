/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening an image, from a file, what an NBD server serves, or any source,
 * and closing it.
 */

#include "image.h"

#include <stdlib.h>

#include "chain.h"
#include "debug.h"
#include "map/cluster-cache.h"
#include "map/interval-cache.h"
#include "options.h"
#include "reference.h"
#include "source/file.h"
#include "source/nbd.h"
#include "source/source.h"
#include "url.h"
#include "util/error.h"

static int
unpack_cluster (const void *chain, const struct interval *packed,
                void *cluster, struct vdisk_error *error)
{
  return chain_unpack (chain, packed, cluster, error);
}

/* The caches of an image whose chain is open. */
static int
make_caches (struct vdisk *vdisk, struct vdisk_error *error)
{
  const struct disk_map disk = chain_disk_map (vdisk->chain);
  const size_t budget = vdisk->options->cache_size / 2;

  vdisk->intervals = interval_cache_new (&disk, budget);
  vdisk->clusters = cluster_cache_new (unpack_cluster, vdisk->chain, budget);
  if (vdisk->intervals == NULL || vdisk->clusters == NULL)
    return error_no_memory (error, disk.name);
  return 0;
}

struct vdisk *
image_open (struct source *top, const struct vdisk_options *options,
            const struct resolver *resolver, struct vdisk_error *error)
{
  struct vdisk *vdisk = calloc (1, sizeof *vdisk);

  if (vdisk == NULL || (vdisk->options = options_copy (options)) == NULL) {
    error_no_memory (error, top->name);
    source_close (top);
    goto fail;
  }
  vdisk->chain = chain_open (top, vdisk->options, resolver, error);
  if (vdisk->chain && make_caches (vdisk, error) == 0)
    return vdisk;

 fail:
  vdisk_close (vdisk);
  return NULL;
}

static struct source *
open_file_reference (void *opaque, const struct source *from,
                     const char *role, const char *name,
                     const struct vdisk_options *options,
                     struct vdisk_error *error)
{
  (void) opaque;
  return reference_open (from, role, name, options, error);
}

static struct vdisk *
open_path (const char *path, const struct vdisk_options *options,
           const struct resolver *resolver, struct vdisk_error *error)
{
  struct vdisk_options *defaults = NULL;
  struct vdisk *vdisk = NULL;
  struct source *top = NULL;

  error_clear (error);
  if (options == NULL) {
    options = defaults = vdisk_options_new ();
    if (options == NULL) {
      error_no_memory (error, path);
      return NULL;
    }
  }
  if (source_is_nbd_uri (path))
    top = source_nbd_open (path, error);
  else if (url_check (path, options, error) == 0) {
    top = source_file_open (path, options->force_share, error);
    if (top == NULL)
      options_advise_sharing (options, error);
  }
  if (top)
    vdisk = image_open (top, options, resolver, error);
  vdisk_options_free (defaults);
  return vdisk;
}

int
vdisk_is_uri (const char *path)
{
  return source_is_nbd_uri (path);
}

struct vdisk *
vdisk_open (const char *path, const struct vdisk_options *options,
            struct vdisk_error *error)
{
  static const struct resolver files = { .open = open_file_reference };

  return open_path (path, options, &files, error);
}

struct vdisk *
vdisk_inspect (const char *path, const struct vdisk_options *options,
               struct vdisk_error *error)
{
  return open_path (path, options, NULL, error);
}

void
vdisk_close (struct vdisk *vdisk)
{
  if (vdisk == NULL)
    return;
  if (vdisk->clusters && vdisk->intervals) {
    const char *file = vdisk_layer_file (vdisk, 0);

    interval_cache_debug (vdisk->intervals, vdisk->options, file);
    cluster_cache_debug (vdisk->clusters, vdisk->options, file);
  }
  cluster_cache_free (vdisk->clusters);
  interval_cache_free (vdisk->intervals);
  chain_close (vdisk->chain);
  vdisk_options_free (vdisk->options);
  free (vdisk);
}
