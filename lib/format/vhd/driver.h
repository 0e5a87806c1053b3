/* SPDX-License-Identifier: BSD-3-Clause */
/* What the parts of the VHD driver share: headers that have passed their
 * rules, in the CPU's terms, and the state of an open image.
 */

#ifndef VDISK_VHD_H
#define VDISK_VHD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/vhd/disk.h"
#include "map/interval.h"
#include "layer.h"
#include "options.h"
#include "util/uuid.h"
#include "vdisk.h"

struct check_report;
struct json_t;
struct vhd;

struct footer {
  uint64_t offset;              /* where it was found */
  enum vhd_type type;
  uint64_t header_offset;
  uint32_t time_stamp;
  uint8_t creator[4];
  uint32_t creator_version;
  uint8_t creator_os[4];
  uint64_t original_size;
  uint64_t current_size;
  uint16_t cylinders;
  uint8_t heads, sectors;
  uint8_t uuid[16];
  bool saved_state;
  bool hidden;
};

/* Both footers of a file, as they are, and what is wrong with each: an
 * errnum of 0 means nothing. */
struct vhd_footers {
  struct vhd_footer end, copy;
  uint64_t end_offset;          /* where the one at the end starts */
  bool has_copy;                /* false: a fixed disk, which has none: what
                                   lies there is the guest's */
  struct vdisk_error end_problem, copy_problem;
};

struct locator {
  uint32_t code;
  uint32_t space, length;
  uint64_t offset;
};

struct dynamic_header {
  uint64_t table_offset;
  uint32_t max_table_entries;
  uint32_t block_size;
  uint8_t parent_uuid[16];
  uint32_t parent_time_stamp;
  uint8_t parent_name[512];
  struct locator locators[VHD_LOCATORS];
};

struct vhd_batmap {
  bool found;                   /* the rest says nothing if not */
  uint64_t header_offset;
  uint64_t offset, size;        /* of the map, as its header has them */
  uint8_t *bits;                /* NULL: there is none to trust */
  uint64_t blocks;              /* how many blocks the bits speak of */
  struct vdisk_error problem;   /* why it cannot be trusted */
};

/* A part of the file that is no block. */
struct vhd_structure {
  const char *name;             /* "header" */
  uint64_t offset, end;
};

/* Footer and its copy, header, BAT, batmap and its header, locators. */
#define VHD_STRUCTURES_MAX (6 + VHD_LOCATORS)

struct vhd_index;

/* layer->state */
struct vhd {
  struct footer footer;
  uint64_t room;                /* no disk in this file can be larger */
  bool asks_parents;            /* the size is in doubt, and this file has
                                   no evidence */

  /* The rest is for dynamic and differencing disks only. */
  uint64_t bat_offset;
  unsigned block_bits;          /* log2 of the size of a block's data */
  uint32_t bitmap_size;         /* of a block, padded */
  bool ignore_bitmaps;
  uint8_t *batmap;              /* NULL: there is none to trust */
  uint64_t batmap_blocks;       /* how many blocks it speaks of */
  uint8_t parent_uuid[16];
  uint32_t parent_time_stamp;
  struct vhd_structure structures[VHD_STRUCTURES_MAX];
  size_t structure_count;
  struct vhd_index *index;      /* of blocks: see place.c */
  _Atomic uint64_t absent_budget;       /* bytes in absent sectors that may
                                           yet be looked at */
};

/* header.c */

/* Read the header of a dynamic or differencing disk, which must obey the
 * rules. */
int vhd_read_header (const struct layer *layer, const struct footer *footer,
                     struct dynamic_header *header,
                     struct vdisk_error *error);

/* The rules for the size of the disk, which is chosen by then: the BAT covers
 * it, and it is no larger than such a disk can be. */
int vhd_check_header_size (const struct layer *layer,
                           const struct dynamic_header *header,
                           struct vdisk_error *error);

/* footer.c */

/* The ones' complement of the sum of the bytes, but for those at
 * 'checksum', which lie among them. */
uint32_t vhd_checksum (const void *bytes, size_t size,
                       const be32 *checksum);

/* Read the footer at the end of the file and its copy at the start. */
int vhd_read_footers (const struct layer *layer, struct vhd_footers *footers,
                      struct vdisk_error *error);

/* Take the footer at the end of the file, or its copy at the start, and
 * warn if a dynamic disk lacks one of them, or if both tell of different
 * disks. */
int vhd_read_footer (const struct layer *layer, struct footer *footer,
                     struct vdisk_error *error);

/* True for libvhd, which Xen's tools are made of. */
bool vhd_creator_is_xen (const struct footer *footer);

/* size.c */

/* Does the geometry tell a size?  What size it tells. */
bool vhd_has_chs (const struct footer *footer);
uint64_t vhd_chs_size (const struct footer *footer);

/* True for those who mean the geometry, not current_size. */
bool vhd_creator_means_chs (const struct footer *footer);

/* The size by the rule, and by nothing but the footer. */
uint64_t vhd_disk_size (const struct footer *footer,
                        enum vhd_size_rule rule);

/* Does the creator mean a geometry that gives less than current_size, so
 * that evidence has to be looked for? */
bool vhd_size_in_doubt (const struct vhd *vhd);

/* That the disk is larger than its geometry says. */
struct vhd_evidence {
  bool found;
  char what[160];               /* what was found */
};

/* Look for it, if the size is in doubt. */
int vhd_find_evidence (const struct layer *layer,
                       struct vhd_evidence *evidence,
                       struct vdisk_error *error);

/* Change layer->size, which is that of the rule, if something speaks for
 * the current size, and warn if it is not the one the creator means.  All
 * else that the driver keeps of footer and header is known. */
int vhd_choose_size (struct layer *layer, struct vdisk_error *error);

/* The format's 'settle'. */
int vhd_settle (struct layer *top, struct layer *const *below,
                unsigned count, struct vdisk_error *error);

/* absent.c */

enum vhd_bytes {
  VHD_BYTES_ERROR = -1,
  VHD_BYTES_NONE,
  VHD_BYTES_FOUND,
  VHD_BYTES_UNKNOWN,            /* the budget is used up */
};

/* Look for a byte that is not zero in a range of the source: sets *where.
 * What it looks at (and something for each hole of the host file) comes off
 * the budget. */
enum vhd_bytes vhd_find_bytes (struct source *source, uint64_t offset,
                               uint64_t length, uint64_t *budget,
                               uint64_t *where, struct vdisk_error *error);

/* Is it worth looking for bytes in sectors that are absent? */
bool vhd_bitmaps_may_lie (const struct vhd *vhd);

/* Look for them in absent sectors of block 'number', which are at 'offset'
 * in the file, unless enough was looked at; warn of the first found. */
void vhd_look_at_absent (const struct layer *layer, uint64_t number,
                         uint64_t offset, uint64_t length);

/* Look for them where 'count' bits are clear, of sectors at 'data' in the
 * file. */
int vhd_find_absent (const struct layer *layer, const uint8_t *bits,
                     uint64_t count, uint64_t data, uint64_t *budget,
                     bool *found, struct vdisk_error *error);

/* batmap.c */

/* Find the batmap, if there is one, and read as much of it as can be
 * trusted.  The caller frees batmap->bits; on error there are none. */
int vhd_find_batmap (const struct layer *layer, const struct footer *footer,
                     const struct dynamic_header *header,
                     struct vhd_batmap *batmap, struct vdisk_error *error);

/* Keep the batmap, if there is one and it can be trusted; warn if it
 * cannot. */
int vhd_read_batmap (const struct layer *layer, struct vhd *vhd,
                     const struct dynamic_header *header,
                     struct vdisk_error *error);

/* True if every sector of the block is known to be present. */
bool vhd_batmap_has (const struct vhd *vhd, uint64_t block);

/* bat.c */

/* Call 'take' for the BAT's entries [first, end), which lie in the file,
 * until it returns other than 0.  Returns that, or -1 on error. */
int vhd_read_bat (const struct layer *layer, uint64_t first, uint64_t end,
                  int (*take) (void *opaque, uint64_t number,
                               uint32_t sector),
                  void *opaque, struct vdisk_error *error);

/* map.c */

/* The format's 'map'. */
int vhd_map (struct layer *layer, uint64_t offset, uint64_t count,
             struct interval_list *out, struct vdisk_error *error);

/* Read a part of a block's bitmap.  Around it are bytes of the guest; the
 * next bitmap is close by only if blocks are small. */
int vhd_read_bitmap (const struct layer *layer, void *buffer, size_t count,
                     uint64_t offset, struct vdisk_error *error);

/* place.c */

/* NULL if out of memory.  Freeing accepts NULL. */
struct vhd_index *vhd_index_new (void);
void vhd_index_free (struct vhd_index *index);

/* Note what lies there, if it has a size; the range is in the file, 'name'
 * stays. */
void vhd_add_structure (struct vhd *vhd, const char *name, uint64_t offset,
                        uint64_t size);

/* The first of them that lies, or ends, in [start, end); or NULL. */
const struct vhd_structure *vhd_structure_in (const struct vhd *vhd,
                                              uint64_t start, uint64_t end);

/* Could a block be there?  Its bitmap lies in the file, and over no other
 * structure. */
bool vhd_has_place (const struct layer *layer, uint32_t sector);

/* An error (EIO) if the bitmap of block 'number' lies in another structure,
 * or in another block. */
int vhd_check_place (const struct layer *layer, uint64_t number,
                     uint32_t sector, struct vdisk_error *error);

/* parent.c */

/* Room for the text of a locator or the parent's name. */
#define VHD_NAME_SIZE 6145

/* Room for what a locator is called in messages. */
#define VHD_LOCATOR_NAME_SIZE 48

/* Is the locator in use, and does its data lie where it can?  What it says
 * may be nothing all the same. */
bool vhd_locator_has_place (const struct layer *layer,
                            const struct locator *locator);

/* Read what the locator's data says, as it is but for UTF-16, which
 * becomes UTF-8.  'problem' is told why it cannot be used, if so. */
int vhd_read_locator (const struct layer *layer,
                      const struct locator *locator,
                      char text[VHD_NAME_SIZE], struct vdisk_error *problem,
                      struct vdisk_error *error);

const char *vhd_locator_name (size_t number, const struct locator *locator,
                              char name[VHD_LOCATOR_NAME_SIZE]);

/* Fill in layer->backing of a differencing disk. */
int vhd_read_parent (struct layer *layer,
                     const struct dynamic_header *header,
                     struct vdisk_error *error);

/* The format's 'accept_parent'. */
int vhd_accept_parent (const struct layer *child,
                       const struct layer *parent,
                       struct vdisk_error *error);

/* describe.c: the format's 'describe'. */
int vhd_describe (struct layer *layer, struct json_t *document,
                  struct vdisk_error *error);

/* check/check.c: the format's 'check'. */
int vhd_check (struct layer *layer, struct check_report *report,
               struct vdisk_error *error);

#endif /* VDISK_VHD_H */
