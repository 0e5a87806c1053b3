/* SPDX-License-Identifier: BSD-3-Clause */
/* The most that is taken from an image.  Whatever is allocated in a size
 * that an image tells, and every loop that goes by a number of it, is under
 * one of these, or under the size of the file.
 *
 * Each is a line of the table in libvdisk(3) under LIMITS; scripts/check-docs
 * compares them by the comment above each, which is "unit: what it is".
 * (The name limits.h is the C library's.)
 */

#ifndef VDISK_BOUNDS_H
#define VDISK_BOUNDS_H

#include <stddef.h>
#include <stdint.h>

/* All formats.  Each layer costs a descriptor; an interval takes 40 bytes
 * while a piece of the disk is mapped, and then some thousand are usual. */
/* number: layers of a chain */
#define CHAIN_LAYERS_MAX 256

/* number: intervals mapped at a time */
#define INTERVALS_MAX ((size_t) 4 << 20)

/* Enough for the maps of a few GiB of the most fragmented disk, little
 * enough to run a server per disk. */
/* bytes: caches, unless cache-size is set */
#define CACHE_SIZE_DEFAULT (16 << 20)

/* QCOW2.  Those up to the refcount table are QEMU's, but for extensions, of
 * which there are few in practice. */
/* bits: QCOW2: cluster */
#define QCOW2_CLUSTER_BITS_MAX 21

/* bytes: QCOW2: L1 table */
#define QCOW2_L1_SIZE_MAX (32 << 20)

/* number: QCOW2: header extensions */
#define QCOW2_EXTENSIONS_MAX 256

/* bytes: QCOW2: name of a file, or one that is shown */
#define QCOW2_NAME_SIZE_MAX 1023

/* bytes: QCOW2: name of a backing format */
#define QCOW2_FORMAT_NAME_SIZE_MAX 15

/* number: QCOW2: snapshots */
#define QCOW2_SNAPSHOTS_MAX 65536

/* number: QCOW2: bitmaps */
#define QCOW2_BITMAPS_MAX 65535

/* bytes: QCOW2: bitmap directory */
#define QCOW2_BITMAP_DIRECTORY_SIZE_MAX (64 << 20)

/* bytes: QCOW2: refcount table */
#define QCOW2_REFCOUNT_TABLE_SIZE_MAX (8 << 20)

/* bytes: QCOW2: compressed cluster, inflated */
#define QCOW2_STREAM_SIZE_MAX (16 << 20)

/* bytes: QCOW2: list of snapshots or bitmaps to be shown */
#define QCOW2_LIST_SIZE_MAX (16 << 20)

/* 256 TiB of 64 KiB; larger files are sparse ones made to keep us busy. */
/* number: QCOW2: clusters of a file that is checked */
#define QCOW2_CHECK_CLUSTERS_MAX (UINT64_C (1) << 32)

/* 32 MiB of counters, 1 TiB of clusters of 64 KiB. */
/* number: QCOW2: clusters counted at a time */
#define QCOW2_CHECK_WINDOW (1 << 24)

/* 16 MiB of them, 256 TiB of clusters of 64 KiB. */
/* number: QCOW2: L2 tables listed at a time */
#define QCOW2_CHECK_L2_MAX (1 << 19)

/* bytes: QCOW2: overlapping tables that are checked */
#define QCOW2_CHECK_OVERLAP_MAX (8 << 20)

/* QED.  Those of names are QEMU's. */
/* bytes: QED: cluster */
#define QED_CLUSTER_SIZE_MAX (1u << 26)

/* number: QED: clusters of a table */
#define QED_TABLE_SIZE_MAX 16

/* bytes: QED: name of a backing file */
#define QED_NAME_SIZE_MAX 4095

/* A bit each: 128 MiB, for 64 TiB of clusters of 64 KiB. */
/* number: QED: clusters of a file that is checked */
#define QED_CHECK_CLUSTERS_MAX (UINT64_C (1) << 30)

/* VHD.  Blocks lie in the first 2 TiB of a file, so that a disk much larger
 * than that can but be empty.  Windows allows paths of 32767 characters,
 * Linux of 4095 bytes.  The batmap is enough for 4 TiB. */
/* bytes: VHD: disk that is not fixed */
#define VHD_DYNAMIC_SIZE_MAX (UINT64_C (64) << 40)

/* number: VHD: BAT entries */
#define VHD_BAT_ENTRIES_MAX (1 << 28)

/* bytes: VHD: locator of a parent */
#define VHD_LOCATOR_SIZE_MAX 4096

/* bytes: VHD: batmap that is made use of */
#define VHD_BATMAP_SIZE_MAX (256 << 10)

/* For a disk whose geometry says less than its current size. */
/* number: VHD: BAT entries looked at for the size */
#define VHD_EVIDENCE_ENTRIES_MAX (1 << 20)

/* bytes: VHD: disk read for the size */
#define VHD_EVIDENCE_SIZE_MAX (16 << 20)

/* Enough for some blocks, little enough not to be noticed. */
/* bytes: VHD: absent sectors read while mapping */
#define VHD_ABSENT_SIZE_MAX (4 << 20)

/* bytes: VHD: absent sectors read in a check */
#define VHD_CHECK_ABSENT_SIZE_MAX (64 << 20)

/* 16 MiB of memory while the BAT is read, none later unless blocks overlap:
 * all of a file with blocks of 1 MiB, 1 TiB of blocks of 512 KiB. */
/* number: VHD: blocks' places known while reading */
#define VHD_INDEX_SLOTS_MAX (1 << 21)

/* 64 TiB of blocks of 2 MiB. */
/* number: VHD: BAT entries looked at for that */
#define VHD_INDEX_ENTRIES_MAX (1 << 25)

/* 16 MiB of memory.  One window covers 2 TiB if blocks have 2 MiB. */
/* number: VHD: blocks' places checked at a time */
#define VHD_CHECK_WINDOW (1 << 20)

/* number: VHD: BAT entries looked at in a check */
#define VHD_CHECK_ENTRIES_MAX (UINT64_C (1) << 34)

#endif /* VDISK_BOUNDS_H */
