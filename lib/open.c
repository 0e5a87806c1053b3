/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening an image, from a file, what an NBD server serves, what the caller
 * hands over, or any source, and closing it.
 *
 * The handle is made first, so that sources can have its options.
 */

#include "image.h"

#include <stdlib.h>
#include <unistd.h>

#include "chain.h"
#include "debug.h"
#include "map/cluster-cache.h"
#include "map/interval-cache.h"
#include "options.h"
#include "resolve.h"
#include "source/callbacks.h"
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

/* A handle with a copy of the options, and nothing open. */
static struct vdisk *
new_handle (const char *name, const struct vdisk_options *options,
            struct vdisk_error *error)
{
  struct vdisk *vdisk = calloc (1, sizeof *vdisk);

  error_clear (error);
  if (vdisk)
    vdisk->options = options ? options_copy (options) : vdisk_options_new ();
  if (vdisk == NULL || vdisk->options == NULL) {
    error_no_memory (error, name ? name : "image");
    free (vdisk);
    return NULL;
  }
  cancel_init (&vdisk->cancel);
  vdisk->options->cancel = &vdisk->cancel;
  return vdisk;
}

/* Open the chain under 'top', which is NULL where that could not be opened.
 * On error all is closed, the handle too, and NULL returned. */
static struct vdisk *
open_chain (struct vdisk *vdisk, struct source *top,
            const struct resolver *resolver, struct vdisk_error *error)
{
  if (top == NULL) {
    options_advise_sharing (vdisk->options, error);
    goto fail;
  }
  vdisk->chain = chain_open (top, vdisk->options, resolver, error);
  if (vdisk->chain && make_caches (vdisk, error) == 0)
    return vdisk;

 fail:
  vdisk_close (vdisk);
  return NULL;
}

struct vdisk *
image_open (struct source *top, const struct vdisk_options *options,
            const struct resolver *resolver, struct vdisk_error *error)
{
  struct vdisk *vdisk = new_handle (top->name, options, error);

  if (vdisk == NULL) {
    source_close (top);
    return NULL;
  }
  return open_chain (vdisk, top, resolver, error);
}

/* The file, or what the server serves, as a source. */
static struct source *
open_path (const char *path, const struct vdisk_options *options,
           struct vdisk_error *error)
{
  if (source_is_nbd_uri (path))
    return source_nbd_open (path, options, error);
  if (url_check (path, options, error) == -1)
    return NULL;
  return source_file_open (path, options->force_share, error);
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
  struct vdisk *vdisk = new_handle (path, options, error);

  if (vdisk == NULL)
    return NULL;
  return open_chain (vdisk, open_path (path, vdisk->options, error),
                     resolver_for (vdisk->options), error);
}

struct vdisk *
vdisk_inspect (const char *path, const struct vdisk_options *options,
               struct vdisk_error *error)
{
  struct vdisk *vdisk = new_handle (path, options, error);

  if (vdisk == NULL)
    return NULL;
  return open_chain (vdisk, open_path (path, vdisk->options, error), NULL,
                     error);
}

struct vdisk *
vdisk_open_fd (int fd, const char *name, const struct vdisk_options *options,
               struct vdisk_error *error)
{
  struct vdisk *vdisk = new_handle (name, options, error);

  if (vdisk == NULL) {
    close (fd);
    return NULL;
  }
  return open_chain (vdisk,
                     source_file_take (fd, name, vdisk->options->force_share,
                                       error),
                     resolver_for (vdisk->options), error);
}

struct vdisk *
vdisk_open_callbacks (const struct vdisk_callbacks *callbacks, void *opaque,
                      const char *name, const struct vdisk_options *options,
                      struct vdisk_error *error)
{
  struct vdisk *vdisk = new_handle (name, options, error);
  struct source *top = source_callbacks (callbacks, opaque, name, error);

  if (vdisk == NULL) {
    source_close (top);
    return NULL;
  }
  return open_chain (vdisk, top, resolver_for (vdisk->options), error);
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
  cancel_destroy (&vdisk->cancel);
  free (vdisk);
}
