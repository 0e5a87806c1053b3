/* SPDX-License-Identifier: BSD-3-Clause */
/* What the file of each layer says of itself, to those who would otherwise
 * have to look for it in the document of vdisk_describe.  What does not
 * exist, of layers that do not exist either, is NULL or 0.
 */

#include "vdisk.h"

#include "chain.h"
#include "format/format.h"
#include "image.h"
#include "layer.h"
#include "util/minmax.h"

static const struct layer *
layer_at (const struct vdisk *vdisk, unsigned depth)
{
  return depth < vdisk->chain->count ? vdisk->chain->layers[depth] : NULL;
}

static const char *
text_or_null (const char *text)
{
  return text[0] != '\0' ? text : NULL;
}

uint64_t
vdisk_layer_size (const struct vdisk *vdisk, unsigned depth)
{
  const struct layer *layer = layer_at (vdisk, depth);

  return layer ? layer->size : 0;
}

uint32_t
vdisk_layer_cluster_size (const struct vdisk *vdisk, unsigned depth)
{
  const struct layer *layer = layer_at (vdisk, depth);

  return layer ? layer->cluster_size : 0;
}

uint32_t
vdisk_layer_subcluster_size (const struct vdisk *vdisk, unsigned depth)
{
  const struct layer *layer = layer_at (vdisk, depth);

  return layer ? min_u64 (layer->granularity, layer->cluster_size) : 0;
}

const char *
vdisk_layer_backing_name (const struct vdisk *vdisk, unsigned depth)
{
  const struct layer *layer = layer_at (vdisk, depth);

  return layer && layer->backing.role ? layer->backing.names[0] : NULL;
}

const char *
vdisk_layer_backing_format (const struct vdisk *vdisk, unsigned depth)
{
  const struct layer *layer = layer_at (vdisk, depth);

  return layer && layer->backing.role && layer->backing.format
    ? layer->backing.format->name : NULL;
}

int
vdisk_layer_has_data_file (const struct vdisk *vdisk, unsigned depth)
{
  const struct layer *layer = layer_at (vdisk, depth);

  return layer && layer->data_file.role;
}

const char *
vdisk_layer_uuid (const struct vdisk *vdisk, unsigned depth)
{
  const struct layer *layer = layer_at (vdisk, depth);

  return layer ? text_or_null (layer->uuid) : NULL;
}

const char *
vdisk_layer_parent_uuid (const struct vdisk *vdisk, unsigned depth)
{
  const struct layer *layer = layer_at (vdisk, depth);

  return layer ? text_or_null (layer->parent_uuid) : NULL;
}

int64_t
vdisk_layer_time_stamp (const struct vdisk *vdisk, unsigned depth)
{
  const struct layer *layer = layer_at (vdisk, depth);

  return layer && layer->time_stamp != 0 ? layer->time_stamp : -1;
}
