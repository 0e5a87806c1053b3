/* SPDX-License-Identifier: BSD-3-Clause */
/* The geometry of a disk that becomes a VHD.
 *
 * Readers disagree on whether the geometry or current_size counts: some
 * emulators go by the geometry, and so does QEMU before 8 where it does not
 * know the creator.  So the geometry is one that gives exactly the size,
 * wherever there is one, and where there is none the largest, which tells
 * all who know it to go by current_size.
 */

#include "output/vhd-layout.h"

#include "chain.h"
#include "format/format.h"
#include "format/vhd/driver.h"
#include "image.h"

/* Sectors per track that every BIOS can count. */
#define SECTORS_BIOS 63

static bool
gives (const struct vhd_geometry *g, uint64_t total)
{
  return g->cylinders <= VHD_CYLINDERS_MAX &&
    (uint64_t) g->cylinders * g->heads * g->sectors == total;
}

/* The geometry that the specification's appendix computes. */
static struct vhd_geometry
compute (uint64_t total)
{
  struct vhd_geometry g = { .heads = 16 };
  uint64_t tracks;

  if (total >= UINT64_C (65535) * 16 * 63) {
    g.sectors = 255;
    tracks = total / g.sectors;
  }
  else {
    g.sectors = 17;
    tracks = total / g.sectors;
    g.heads = (tracks + 1023) / 1024;
    if (g.heads < 4)
      g.heads = 4;
    if (tracks >= g.heads * 1024 || g.heads > 16) {
      g.heads = 16;
      g.sectors = 31;
      tracks = total / g.sectors;
    }
    if (tracks >= g.heads * 1024) {
      g.sectors = 63;
      tracks = total / g.sectors;
    }
  }
  g.cylinders = tracks / g.heads;
  return g;
}

/* Of those that give exactly so many sectors, and have no more than so many
 * to a track, the one with the fewest cylinders, and of several of those the
 * one with the most heads. */
static bool
find_exact (uint64_t total, uint32_t sectors_max, struct vhd_geometry *found)
{
  uint64_t cylinder, largest = 0;
  uint32_t heads, sectors;

  for (heads = VHD_HEADS_MAX; heads > 0; --heads)
    for (sectors = sectors_max; sectors > 0; --sectors) {
      cylinder = (uint64_t) heads * sectors;
      if (cylinder <= largest || total % cylinder != 0 ||
          total / cylinder > VHD_CYLINDERS_MAX)
        continue;
      largest = cylinder;
      *found = (struct vhd_geometry) { total / cylinder, heads, sectors };
    }
  return largest > 0;
}

/* The geometry of the source, if it is a VHD; zeros if not. */
static struct vhd_geometry
source_geometry (const struct vdisk *disk)
{
  const struct layer *layer = disk->chain->layers[0];
  const struct vhd *vhd = layer->state;

  if (layer->format != &format_vhd)
    return (struct vhd_geometry) { 0 };
  return (struct vhd_geometry) {
    vhd->footer.cylinders, vhd->footer.heads, vhd->footer.sectors,
  };
}

struct vhd_geometry
vhd_choose_geometry (const struct vdisk *disk, uint64_t size)
{
  const uint64_t total = size / VHD_SECTOR_SIZE;
  struct vhd_geometry geometry = source_geometry (disk);

  if (gives (&geometry, total))
    return geometry;
  geometry = compute (total);
  if (!gives (&geometry, total) &&
      !find_exact (total, SECTORS_BIOS, &geometry) &&
      !find_exact (total, VHD_SECTORS_MAX, &geometry))
    geometry = (struct vhd_geometry) {
      VHD_CYLINDERS_MAX, VHD_HEADS_MAX, VHD_SECTORS_MAX,
    };
  return geometry;
}
