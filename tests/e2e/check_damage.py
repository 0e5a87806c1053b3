#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Damage QCOW2 images in many ways, one at a time.  'vdisk check' must
find each, and say what 'qemu-img check' says, or where that is wrong or
says less, what is right.
"""

import re
import shutil
import sys

import check_verdict
import qemu
from check_qcow2 import (BITMAPS, COMPRESSED, COPIED, LUKS, OFFSET_MASK,
                         ZERO, Image)
from verify import Mismatch, count_check

KIB, MIB = 1 << 10, 1 << 20
SUBJECTS = {}
DAMAGES = []


# --- Images to damage ---------------------------------------------------

def subject(make):
    SUBJECTS[make.__name__] = make
    return make


def fill(path):
    """Data, zero clusters with and without an offset."""
    qemu.io(path, "qcow2", ["write -P 1 0 200k", "write -P 2 3M 500k",
                            "write -P 3 7M 300k"])
    qemu.io(path, "qcow2", ["write -z 3100k 64k", "write -z -u 3200k 64k"],
            unmap=True)


@subject
def plain(path, *options):
    qemu.create(path, "qcow2", 8 * MIB, ["cluster_size=4k", *options])
    if not any(o.startswith("data_file") for o in options):
        qemu.io(path, "qcow2", ["write -c -P 7 1M 64k",
                                "write -c -P 8 5M 64k"])
    fill(path)


@subject
def old(path):
    qemu.create(path, "qcow2", 8 * MIB, ["cluster_size=4k", "compat=0.10"])
    qemu.io(path, "qcow2", ["write -P 1 0 200k", "write -P 2 3M 500k"])


@subject
def snapshots(path):
    plain(path)
    for number in range(3):
        qemu.img("snapshot", "-c", "name%d" % number, path)
        qemu.io(path, "qcow2", ["write -P 5 %dk 100k" % (number * 128),
                                "write -P 9 %dk 70k" % (6200 + number * 64)])


@subject
def bitmaps(path):
    plain(path)
    for number in range(2):
        qemu.img("bitmap", "--add", "-g", "512", path, "name%d" % number)
        qemu.io(path, "qcow2", ["write -P 5 %dk 100k" % (number * 128)])


@subject
def large_bitmap(path):
    qemu.create(path, "qcow2", 64 * MIB, ["cluster_size=4k"])
    qemu.img("bitmap", "--add", "-g", "512", path, "name")


@subject
def extended(path):
    qemu.create(path, "qcow2", 8 * MIB,
                ["cluster_size=16k", "extended_l2=on"])
    qemu.io(path, "qcow2", ["write -c -P 7 1M 64k"])
    fill(path)


@subject
def external(path):
    plain(path, "data_file=%s.data" % path)


@subject
def one_bit(path):
    plain(path, "refcount_bits=1")


@subject
def wide(path):
    plain(path, "refcount_bits=64")


@subject
def many_blocks(path):
    """Some refcount blocks: one covers 2048 clusters of 512 bytes."""
    qemu.create(path, "qcow2", 4 * MIB,
                ["cluster_size=512", "refcount_bits=8"])
    qemu.io(path, "qcow2", ["write -P 1 0 4M"])


# --- Damage -------------------------------------------------------------

def damage(subject_name, finding, differs=None):
    """Register a function that damages an image.  'finding' is a regular
    expression that a finding must match.  'differs' says why QEMU does
    not count the same: then we only have to find an error."""
    def register(function):
        DAMAGES.append((function, subject_name, finding, differs))
        return function
    return register


def xor(image, at, bits):
    image.put(at, image.get(at) ^ bits)


def point(image, at, cluster, offset=0):
    """Make an entry refer to another host cluster."""
    flags = image.get(at) & ~OFFSET_MASK
    image.put(at, flags | (cluster * image.cluster + offset))


def shared_entry(image):
    """An entry of an L2 table that the disk shares with all snapshots."""
    return image.data_in(image.table(image.l1(1)))


# Refcounts.

@damage("plain", r"refcount 1, but 0 references")
def leaked_cluster(image):
    image.put(image.data(), 0)


@damage("plain", r"^host clusters \d+ to \d+ \(0x\w+ to 0x\w+fff\): "
        r"refcount 1, but 0 references$")
def leaked_clusters(image):
    for number in range(20, 0, -1):
        image.put(image.data(number), 0)


@damage("plain", r"refcount 0, but 1 reference$")
def refcount_cleared(image):
    image.refcount(image.host(image.data(3)), 0)


@damage("plain", r"refcount 2, but 1 reference$")
def refcount_raised(image):
    image.refcount(image.host(image.data(3)), 2)


@damage("plain", r"refcount 65535, but 1 reference$")
def refcount_highest(image):
    image.refcount(image.host(image.data(3)), 65535)


@damage("plain", r"^host cluster 0 \(0x0 to 0xfff\): refcount 0")
def header_refcount_cleared(image):
    image.refcount(0, 0)


@damage("plain", r"refcount 0, but 1 reference")
def l2_refcount_cleared(image):
    image.refcount(image.host(image.l1()), 0)


@damage("wide", r"refcount 18446744073709551615, but 1 reference")
def wide_refcount_raised(image):
    image.refcount(image.host(image.data(3)), 2 ** 64 - 1)


@damage("one_bit", r"refcount 0, but 1 reference")
def one_bit_refcount_cleared(image):
    image.refcount(image.host(image.data(3)), 0)


@damage("one_bit", r"has more references than its refcount of 1 bits")
def one_bit_overflow(image):
    image.put(image.data(5), image.get(image.data(3)))


@damage("snapshots", r"refcount 3, but 4 references")
def shared_refcount_lowered(image):
    image.refcount(image.host(shared_entry(image)), 3)


@damage("plain", r"^host clusters \d+ to \d+ \(0x\w+ to 0x\w+fff\): "
        r"refcount 0, but 1 reference$")
def refcount_block_forgotten(image):
    image.put(image.refcount_entry(), 0)


@damage("plain", r"refcount table at 0x1000: entry 0 is 0x0000000000002200: "
        r"the offset is not cluster-aligned",
        "QEMU cannot tell a refcount then, and so does not finish")
def refcount_block_misaligned(image):
    xor(image, image.refcount_entry(), 0x200)


@damage("plain", r"entry 0 is 0x\w+: the offset is beyond the end")
def refcount_block_outside(image):
    point(image, image.refcount_entry(), 100000)


@damage("plain", r"entry 1 is 0x\w+: the offset is beyond the end")
def refcount_block_beyond(image):
    image.put(image.refcount_entry(1), 1 << 40)


@damage("plain", r"entry 0 is 0x\w+: reserved bits are set")
def refcount_block_reserved_bits(image):
    xor(image, image.refcount_entry(), 1)


@damage("plain", r"the refcount block has 2 references")
def refcount_block_is_data(image):
    point(image, image.refcount_entry(), image.host(image.data(3)))


@damage("many_blocks", r"the refcount block has 2 references")
def refcount_block_twice(image):
    image.put(image.refcount_entry(1), image.get(image.refcount_entry()))


@damage("many_blocks", r"refcount 0, but 1 reference")
def refcount_block_of_the_middle(image):
    image.put(image.refcount_entry(2), 0)


@damage("plain", r"refcount table at 0x200: the offset is not",
        "QEMU does not open the image")
def refcount_table_misaligned(image):
    image.header("refcount_offset", 0x200)


@damage("plain", r"refcount table at 0x1000: \d+ clusters are",
        "QEMU does not open the image")
def refcount_table_too_large(image):
    image.header("refcount_clusters", 100000)


@damage("plain", r"refcount table at 0x1000: \d+ bytes at 0x1000 reach")
def refcount_table_cut_short(image):
    image.header("refcount_clusters", 1024)


@damage("plain", r"refcount table at 0x40000000: \d+ bytes")
def refcount_table_outside(image):
    image.header("refcount_offset", 1 << 30)


@damage("plain", r"^host cluster 0 \(0x0 to 0xfff\): refcount 0, but 1 ")
def no_refcount_table(image):
    image.header("refcount_clusters", 0)


# L1 entries.

@damage("plain", r"refcount 1, but 0 references")
def l2_table_forgotten(image):
    image.put(image.l1(1), 0)


@damage("plain", r"L1 table at 0x3000: entry 1 is 0x\w+: the offset is not")
def l1_entry_misaligned(image):
    xor(image, image.l1(1), 0x200)


@damage("plain", r"L2 table at 0x\w+ for guest offset 2097152: 4096 bytes "
        r"at 0x\w+ reach beyond")
def l1_entry_outside(image):
    point(image, image.l1(1), 100000)


@damage("plain", r"L1 table at 0x3000: entry 1 is 0x\w+: reserved bits")
def l1_entry_reserved_bits(image):
    xor(image, image.l1(1), 1 << 60 | 2)


@damage("plain", r"L1 table at 0x3000: entry 1 is 0x8000000000000000: flags",
        "QEMU takes the header for an L2 table")
def l1_entry_without_offset(image):
    image.put(image.l1(1), COPIED)


@damage("plain", r"L2 table at 0x\w+ for guest offset 0: COPIED is not set, "
        r"but the refcount of the cluster at 0x\w+ is 1")
def l1_copied_cleared(image):
    xor(image, image.l1(), COPIED)


@damage("snapshots", r"L2 table at 0x\w+ for guest offset 2097152: COPIED "
        r"is set, but the refcount of the cluster at 0x\w+ is 4")
def l1_copied_set(image):
    xor(image, image.l1(1), COPIED)


@damage("plain", r"refcount 1, but 2 references")
def l1_entries_to_one_table(image):
    image.put(image.l1(1), image.get(image.l1(3)))


@damage("plain", r"L2 table at 0x\w+: entry \d+ for guest offset \d+ is")
def l1_entry_to_data(image):
    point(image, image.l1(1), image.host(image.data(3)))


@damage("plain", r"holds other metadata")
def l1_entry_to_l1(image):
    point(image, image.l1(1), image.header("l1_offset") // image.cluster)


@damage("plain", r"the refcount block has 2 references")
def l1_entry_to_refcounts(image):
    point(image, image.l1(1), 2)


@damage("plain", r"refcount 1, but 0 references")
def l1_moved(image):
    image.header("l1_offset", image.size())
    image.truncate(image.size() + image.cluster)


# L2 entries.

@damage("plain", r"refcount 1, but 2 references")
def two_entries_to_one_cluster(image):
    image.put(image.data(5), image.get(image.data(3)))


@damage("plain", r"the cluster at 0x\w+ holds other metadata")
def l2_entry_to_l2(image):
    point(image, image.data(3), image.host(image.l1()))


@damage("plain", r"L2 table at 0x\w+: entry \d+ .*the cluster at 0x3000 "
        r"holds other metadata")
def l2_entry_to_l1(image):
    point(image, image.data(3), 3)


@damage("plain", r"refcount table at 0x1000: entry 0 is 0x\w+: the refcount "
        r"block has 2 references")
def l2_entry_to_refcount_block(image):
    point(image, image.data(3), 2)


@damage("plain", r"the cluster at 0x1000 holds other metadata")
def l2_entry_to_refcount_table(image):
    point(image, image.data(3), 1)


@damage("plain", r"the cluster at 0x1000 holds other metadata",
        "QEMU looks only at the number of references")
def l2_entry_to_metadata_by_the_book(image):
    point(image, image.data(3), 1)
    xor(image, image.data(3), COPIED)
    image.refcount(1, 2)


@damage("plain", r"the offset is not cluster-aligned")
def l2_entry_misaligned(image):
    xor(image, image.data(3), 0x200)


@damage("plain", r"L2 table at 0x\w+: entry \d+ for guest offset \d+ is "
        r"0x\w+: 4096 bytes at 0x\w+ reach beyond the end of the file")
def l2_entry_outside(image):
    point(image, image.data(3), 100000)


@damage("plain", r"reach beyond the end")
def l2_entry_just_outside(image):
    point(image, image.data(3), image.size() // image.cluster)


@damage("plain", r"reach beyond the end")
def l2_entry_highest(image):
    image.put(image.data(3), COPIED | OFFSET_MASK & ~0xfff)


@damage("plain", r"reserved bits are set")
def l2_entry_reserved_low_bit(image):
    xor(image, image.data(3), 1 << 8)


@damage("plain", r"reserved bits are set")
def l2_entry_reserved_high_bit(image):
    xor(image, image.data(3), 1 << 56)


@damage("plain", r"COPIED is not set, but the refcount .* is 1")
def l2_copied_cleared(image):
    xor(image, image.data(3), COPIED)


@damage("snapshots", r"COPIED is set, but the refcount .* is 4")
def l2_copied_set(image):
    xor(image, shared_entry(image), COPIED)


@damage("plain", r"the offset is not cluster-aligned")
def zero_cluster_misaligned(image):
    at = image.reserved_zero()
    xor(image, at, 0x400)


@damage("plain", r"refcount 1, but 0 references")
def zero_cluster_forgets_its_offset(image):
    at = image.reserved_zero()
    image.put(at, ZERO)


@damage("plain", r"refcount 0, but 1 reference")
def zero_cluster_refcount_cleared(image):
    at = image.reserved_zero()
    image.refcount(image.host(at), 0)


@damage("old", r"the zero flag is set in a version 2 image",
        "QEMU's check does not look, but it refuses to read such a cluster")
def zero_flag_in_version_2(image):
    xor(image, image.data(3), ZERO)


# Compressed clusters.

@damage("plain", r"COPIED is set for a compressed cluster")
def compressed_copied(image):
    xor(image, image.packed(), COPIED)


@damage("plain", r"refcount \d+, but \d+ references")
def compressed_into_another_cluster(image):
    at = image.packed(4)
    low = (1 << 62 - 4) - 1
    image.put(at, image.get(at) & ~low | image.get(image.data(3)) & low)


@damage("plain", r"reach beyond the end")
def compressed_outside(image):
    at = image.packed(4)
    image.put(at, image.get(at) | 1 << 40)


@damage("plain", r"refcount \d+, but \d+ references|holds other metadata")
def compressed_too_long(image):
    image.put(image.packed(4), image.get(image.packed(4)) | 15 << 58)


@damage("plain", r"refcount \d+, but \d+ references?")
def compressed_forgotten(image):
    image.put(image.packed(4), 0)


# Extended L2 entries.

@damage("extended", r"subclusters are both allocated and zero")
def subclusters_both(image):
    image.put(image.data(3) + 8, 0x0000ffffffffffff)


@damage("extended", r"subclusters are allocated \(0x\w+\), but there is no "
        r"cluster")
def subclusters_without_cluster(image):
    image.put(image.find(lambda e: e == 0) + 8, 0xff)


@damage("extended", r"is compressed, but has subclusters")
def subclusters_of_compressed(image):
    image.put(image.packed() + 8, 1)


@damage("extended", r"the zero flag is set in an extended entry",
        "QEMU takes the bit for unused")
def zero_flag_in_extended_entry(image):
    xor(image, image.data(3), ZERO)


# External data files.

@damage("external", r"COPIED is not set, as it must be")
def external_copied_cleared(image):
    xor(image, image.data(3), COPIED)


@damage("external", r"the cluster is compressed, but the data is in an ext")
def external_compressed(image):
    xor(image, image.data(3), COMPRESSED)


@damage("external", r"the offset in the external data file must be the gue",
        "QEMU's check does not look, but it refuses to read such a cluster")
def external_elsewhere(image):
    image.put(image.data(3), image.get(image.data(4)))


@damage("external", r"the offset is not cluster-aligned")
def external_misaligned(image):
    xor(image, image.data(3), 0x200)


@damage("external", r"there are 1 snapshots, must be none")
def external_with_snapshot(image):
    end = -(-image.size() // image.cluster) * image.cluster
    image.truncate(end + image.cluster)
    image.put(end + 36, 16, ">I")
    image.header("snapshots_offset", end)
    image.header("snapshots", 1)


# Snapshots.

@damage("snapshots", r"snapshot at 0x\w+: the offset of the L1 table, 0x\w+, "
        r"is not cluster-aligned")
def snapshot_l1_misaligned(image):
    xor(image, image.snapshot(1), 0x200)


@damage("snapshots", r"L1 table of a snapshot at 0x\w+: 32 bytes")
def snapshot_l1_outside(image):
    image.put(image.snapshot(1), 1 << 40)


@damage("snapshots", r"snapshot at 0x\w+: the L1 table has \d+ entries, "
        r"must be at most 4194304")
def snapshot_l1_too_large(image):
    image.put(image.snapshot(1) + 8, 1 << 30, ">I")


@damage("snapshots", r"snapshot at 0x\w+: 8 bytes of extra data, must be at "
        r"least 16")
def snapshot_extra_data_short(image):
    # The next entry stays where it is: the name becomes longer.
    at = image.snapshot(1)
    longer = image.get(at + 36, ">I") - 8
    image.put(at + 36, 8, ">I")
    image.put(at + 14, image.get(at + 14, ">H") + longer, ">H")


@damage("snapshots", r"snapshot at 0x\w+: 2000 bytes of extra data, must be",
        "QEMU does not go on")
def snapshot_extra_data_long(image):
    image.put(image.snapshot(1) + 36, 2000, ">I")


@damage("snapshots", r"L1 table of a snapshot at 0x\w+: entry 1 is 0x\w+: "
        r"the offset is not cluster-aligned",
        "QEMU looks only at the number of references to what overlaps")
def snapshot_l1_entry_misaligned(image):
    xor(image, image.snapshot_l1(1, 1), 0x200)


@damage("snapshots", r"L1 table of a snapshot at 0x\w+: entry 1 is 0x\w+: "
        r"reserved bits are set")
def snapshot_l1_entry_reserved_bits(image):
    xor(image, image.snapshot_l1(1, 1), 1 << 57)


@damage("snapshots", r"refcount \d+, but \d+ references?")
def snapshot_l1_entry_cleared(image):
    image.put(image.snapshot_l1(1, 1), 0)


@damage("snapshots", r"L2 table of a snapshot at 0x\w+: 4096 bytes at 0x\w+ "
        r"reach beyond")
def snapshot_l1_entry_outside(image):
    point(image, image.snapshot_l1(1, 1), 100000)


@damage("snapshots", r"reserved bits are set \(counts 4 times, as the table "
        r"is shared\)")
def shared_l2_entry_reserved_bits(image):
    xor(image, shared_entry(image), 1 << 8)


@damage("snapshots", r"refcount \d+, but \d+ references?")
def snapshot_forgotten(image):
    image.header("snapshots", 2)


@damage("snapshots", r"refcount \d+, but \d+ references?")
def snapshots_share_an_l1(image):
    image.put(image.snapshot(1), image.get(image.snapshot(2)))


@damage("snapshots", r"snapshot table at 0x\w+: the offset is not cluster-al",
        "QEMU does not go on")
def snapshot_table_misaligned(image):
    image.header("snapshots_offset", image.header("snapshots_offset") + 8)


@damage("snapshots", r"snapshot table at 0x\w+: there are 70000 snapshots",
        "QEMU does not go on")
def too_many_snapshots(image):
    image.header("snapshots", 70000)


# Bitmaps.

@damage("bitmaps", r"bitmap table at 0x\w+: entry 0 is 0x\w+: the offset is "
        r"not cluster-aligned", "QEMU does not go on")
def bitmap_entry_misaligned(image):
    xor(image, image.bitmap_table(1), 0x200)


@damage("bitmaps", r"bitmap table at 0x\w+: entry 0 is 0x\w+: reserved bits",
        "QEMU does not go on")
def bitmap_entry_reserved_bits(image):
    xor(image, image.bitmap_table(1), 2)


@damage("bitmaps", r"bitmap table at 0x\w+: entry 0 is 0x\w+: 4096 bytes at")
def bitmap_entry_outside(image):
    point(image, image.bitmap_table(1), 100000)


@damage("bitmaps", r"refcount 1, but 0 references")
def bitmap_entry_cleared(image):
    image.put(image.bitmap_table(0), 0)


@damage("bitmaps", r"L2 table at 0x\w+: entry 3 .* holds other metadata")
def bitmap_entry_to_data(image):
    point(image, image.bitmap_table(1), image.host(image.data(3)))


@damage("bitmaps", r"bitmap at 0x\w+: the offset of the table must be ",
        "QEMU does not go on")
def bitmap_table_misaligned(image):
    xor(image, image.bitmap(1), 0x200)


@damage("bitmaps", r"bitmap at 0x\w+: the table must have entries",
        "QEMU does not go on")
def bitmap_table_empty(image):
    image.put(image.bitmap(1) + 8, 0, ">I")


@damage("bitmaps", r"bitmap at 0x\w+: reserved flags are set",
        "QEMU does not go on")
def bitmap_flags(image):
    image.put(image.bitmap(1) + 12, 8, ">I")


@damage("bitmaps", r"bitmap at 0x\w+: the type must be 1 ",
        "QEMU does not go on")
def bitmap_type(image):
    image.put(image.bitmap(1) + 16, 2, ">B")


@damage("bitmaps", r"bitmap at 0x\w+: the granularity must be 2\^9 to",
        "QEMU does not go on")
def bitmap_granularity(image):
    image.put(image.bitmap(1) + 17, 32, ">B")


@damage("bitmaps", r"bitmap at 0x\w+: there must be no extra data",
        "QEMU does not go on")
def bitmap_extra_data(image):
    at = image.bitmap(1)
    image.put(at + 18, image.get(at + 18, ">H") - 1, ">H")
    image.put(at + 20, 1, ">I")


@damage("large_bitmap", r"bitmap at 0x\w+: the table has not enough",
        "QEMU does not go on")
def bitmap_for_a_smaller_disk(image):
    image.put(image.bitmap(0) + 8, 3, ">I")


@damage("bitmaps", r"bitmap table at 0x40000000: 8 bytes at")
def bitmap_table_outside(image):
    image.put(image.bitmap(1), 1 << 30)


@damage("bitmaps", r"the directory of 3 bitmaps has 0 bytes left here",
        "QEMU does not go on")
def bitmap_missing(image):
    image.put(image.extension(BITMAPS), 3, ">I")


@damage("bitmaps", r"the directory of 1 bitmaps has 32 bytes left here",
        "QEMU does not go on")
def bitmap_too_many(image):
    image.put(image.extension(BITMAPS), 1, ">I")


@damage("bitmaps", r"refcount 1, but 0 references")
def bitmaps_not_valid(image):
    image.header("autoclear", 0)


# The file.

@damage("plain", r"reach beyond the end")
def file_cut_short(image):
    image.truncate(image.size() // 2)


@damage("plain", r"reach beyond the end")
def file_one_cluster_short(image):
    image.truncate(image.size() - image.cluster)


@damage("plain", r"refcount 1, but 0 references")
def leak_at_the_end(image):
    end = image.size() // image.cluster
    image.truncate((end + 1) * image.cluster)
    image.refcount(end, 1)


@damage("plain", r"encryption header at 0x0: there must not be one",
        "QEMU does not open the image")
def encryption_header_without_method(image):
    at = image.last_extension()
    image.put(at, LUKS << 32 | 16)
    image.put(at + 16, image.cluster)


# --- Harmless -----------------------------------------------------------

def harmless():
    """What is odd but no error, for us as for QEMU."""
    def last_cluster_cut_short(image):
        image.truncate(image.size() - 1000)

    def more_file(image):
        image.truncate(image.size() + 5 * image.cluster)

    def marked_dirty(image):
        image.header("incompatible", image.header("incompatible") | 1)

    def marked_corrupt(image):
        image.header("incompatible", image.header("incompatible") | 2)

    for function in (last_cluster_cut_short, more_file, marked_dirty,
                     marked_corrupt):
        compare(function, "plain", None, None)


# --- Running ------------------------------------------------------------

def compare(function, subject_name, finding, differs):
    path = "damaged.qcow2"
    shutil.copy(subject_name + ".qcow2", path)
    with Image(path) as image:
        function(image)
    if differs is None:
        ours = check_verdict.agree(path, "qcow2")
    else:
        ours = check_verdict.vdisk(path, "qcow2")
        if ours.status != 2:
            raise Mismatch("%s, though %s" % (ours, differs))
    if (ours.status == 0) != (finding is None):
        raise Mismatch(str(ours))
    findings = ours.findings()
    if finding and not any(re.search(finding, text) for text in findings):
        raise Mismatch("nothing like %r in\n%s" % (
            finding, "\n".join(findings[:20])))


def main():
    for name, make in SUBJECTS.items():
        make(name + ".qcow2")
    chosen = sys.argv[1:]
    failed = 0
    for function, *rest in DAMAGES:
        if chosen and function.__name__ not in chosen:
            continue
        try:
            compare(function, *rest)
            print("ok: %s" % function.__name__)
            count_check(1)
        except (Mismatch, KeyError, ValueError) as e:
            print("%s: %s: %s" % (function.__name__, type(e).__name__, e))
            failed += 1
    harmless()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
