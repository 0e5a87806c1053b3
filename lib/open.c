/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening an image, from a file, what an NBD server serves, what the caller
 * hands over, or any source, and closing it.
 *
 * What all handles of an image share is made first, so that sources can have
 * its options.
 */

#include "image.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "map/cache.h"
#include "map/cluster-cache.h"
#include "map/interval-cache.h"
#include "options.h"
#include "resolve.h"
#include "source/callbacks.h"
#include "source/file.h"
#include "source/nbd.h"
#include "source/path.h"
#include "source/source.h"
#include "util/error.h"
#include "view/view.h"

static int
unpack_cluster (const void *chain, const struct interval *packed,
                void *cluster, struct vdisk_error *error)
{
  return chain_unpack (chain, packed, cluster, error);
}

/* A copy of the options, and nothing open. */
static struct image *
new_image (const char *name, const struct vdisk_options *options,
           struct vdisk_error *error)
{
  struct image *image = calloc (1, sizeof *image);

  error_clear (error);
  if (image)
    image->options = options ? options_copy (options) : vdisk_options_new ();
  if (image == NULL || image->options == NULL) {
    error_no_memory (error, name ? name : "image");
    free (image);
    return NULL;
  }
  cancel_init (&image->cancel);
  image->options->cancel = &image->cancel;
  return image;
}

static void
free_image (struct image *image)
{
  cache_free (image->clusters);
  cache_free (image->intervals);
  chain_close (image->chain);
  cancel_destroy (&image->cancel);
  vdisk_options_free (image->options);
  free (image);
}

/* The budget is divided between the two caches. */
static int
make_caches (struct image *image, struct vdisk_error *error)
{
  const size_t budget = image->options->cache_size / 2;

  image->intervals = cache_new (budget);
  image->clusters = cache_new (budget);
  if (image->intervals == NULL || image->clusters == NULL)
    return error_no_memory (error, image->chain->layers[0]->source->name);
  return 0;
}

/* What a handle has in the caches of its image. */
static int
use_caches (struct vdisk *vdisk, struct vdisk_error *error)
{
  struct image *image = vdisk->image;
  const struct disk_map disk = view_disk_map (vdisk->view);
  const uint64_t owner = ++image->owners;

  vdisk->intervals = interval_cache_new (&disk, image->intervals, owner,
                                         image->options->cache_size / 2);
  vdisk->clusters = cluster_cache_new (unpack_cluster, vdisk->chain,
                                       image->clusters, owner);
  if (vdisk->intervals == NULL || vdisk->clusters == NULL)
    return error_no_memory (error, disk.name);
  return 0;
}

struct vdisk *
image_show (struct image *image, struct view *view, const char *name,
            struct vdisk_error *error)
{
  struct vdisk *vdisk = calloc (1, sizeof *vdisk);

  if (vdisk == NULL) {
    error_no_memory (error, image->chain->layers[0]->source->name);
    view_close (view);
    return NULL;
  }
  image->handles++;
  *vdisk = (struct vdisk) {
    .image = image, .options = image->options, .view = view,
    .chain = view->chain, .name = strdup (name), .references = 1,
  };
  if (vdisk->name == NULL)
    error_no_memory (error, name);
  if (vdisk->name == NULL || use_caches (vdisk, error) == -1) {
    vdisk_close (vdisk);
    return NULL;
  }
  return vdisk;
}

/* Open the chain under 'top', which is NULL where that could not be opened,
 * and show the active disk.  On error all is closed, the image too, and NULL
 * returned. */
static struct vdisk *
open_chain (struct image *image, struct source *top,
            const struct resolver *resolver, struct vdisk_error *error)
{
  struct vdisk *vdisk = NULL;
  struct view *view;

  if (top == NULL)
    options_advise_sharing (image->options, error);
  else
    image->chain = chain_open (top, image->options, resolver, error);
  if (image->chain == NULL || make_caches (image, error) == -1) {
    free_image (image);
    return NULL;
  }
  /* The last handle takes the image with it, and there may be none yet. */
  image->handles++;
  view = view_of_chain (image->chain, error);
  if (view)
    vdisk = image_show (image, view, "active", error);
  if (--image->handles == 0)
    free_image (image);
  return vdisk;
}

struct vdisk *
image_open (struct source *top, const struct vdisk_options *options,
            const struct resolver *resolver, struct vdisk_error *error)
{
  struct image *image = new_image (top->name, options, error);

  if (image == NULL) {
    source_close (top);
    return NULL;
  }
  return open_chain (image, top, resolver, error);
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
  struct image *image = new_image (path, options, error);

  if (image == NULL)
    return NULL;
  return open_chain (image, source_open_path (path, image->options, error),
                     resolver_for (image->options), error);
}

struct vdisk *
vdisk_inspect (const char *path, const struct vdisk_options *options,
               struct vdisk_error *error)
{
  struct image *image = new_image (path, options, error);

  if (image == NULL)
    return NULL;
  return open_chain (image, source_open_path (path, image->options, error),
                     NULL, error);
}

struct vdisk *
vdisk_open_fd (int fd, const char *name, const struct vdisk_options *options,
               struct vdisk_error *error)
{
  struct image *image = new_image (name, options, error);

  if (image == NULL) {
    close (fd);
    return NULL;
  }
  return open_chain (image,
                     source_file_take (fd, name, image->options->force_share,
                                       error),
                     resolver_for (image->options), error);
}

struct vdisk *
vdisk_open_callbacks (const struct vdisk_callbacks *callbacks, void *opaque,
                      const char *name, const struct vdisk_options *options,
                      struct vdisk_error *error)
{
  struct image *image = new_image (name, options, error);
  struct source *top = source_callbacks (callbacks, opaque, name, error);

  if (image == NULL) {
    source_close (top);
    return NULL;
  }
  return open_chain (image, top, resolver_for (image->options), error);
}

void
vdisk_close (struct vdisk *vdisk)
{
  struct image *image;

  if (vdisk == NULL || --vdisk->references > 0)
    return;
  image = vdisk->image;
  interval_cache_free (vdisk->intervals);
  cluster_cache_free (vdisk->clusters);
  view_close (vdisk->view);
  free (vdisk->name);
  free (vdisk);
  if (--image->handles == 0) {
    const char *file = image->chain->layers[0]->source->name;

    cache_debug (image->intervals, image->options, file, "interval cache");
    cache_debug (image->clusters, image->options, file, "cluster cache");
    free_image (image);
  }
}
