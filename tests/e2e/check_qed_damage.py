#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Damage QED images in many ways, one at a time.  'vdisk check' must find
each, and say what 'qemu-img check' says.
"""

import random
import re
import shutil
import sys

import check_verdict
import qemu
from check_qed import Image
from verify import Mismatch, count_check

DAMAGES = []


def make(path, cluster, table_size):
    """Data in two L2 tables, and zero clusters."""
    covers = table_size * cluster // 8 * cluster    # by a table
    qemu.create(path, "qed", 3 * covers, ["cluster_size=%d" % cluster,
                                          "table_size=%d" % table_size])
    qemu.io(path, "qed", ["write -P %d %d %d" % (pattern, at, length)
                          for pattern, at, length in (
                              (1, 0, 9 * cluster), (2, covers // 2, 70000),
                              (3, 2 * covers, 200000),
                              (4, covers // 4, 3 * cluster))]
            + ["write -z %d %d" % (covers // 2, cluster)])


def damage(finding):
    def register(function):
        DAMAGES.append((function, finding))
        return function
    return register


@damage(r"nothing uses (it|them)")
def data_leaked(image):
    image.put(image.l2(0, 3), 0)


@damage(r"^host clusters \d+ to \d+ \(0x\w+ to 0x\w+\): nothing uses them")
def data_in_a_row_leaked(image):
    for number in (5, 4, 3):
        image.put(image.l2(0, number), 0)


@damage(r"nothing uses (it|them)")
def data_becomes_zero(image):
    image.put(image.l2(0, 3), 1)


@damage(r"nothing uses (it|them)")
def table_leaked(image):
    image.put(image.l1(1), 0)


@damage(r"L2 table at 0x\w+: entry \d+ for guest offset \d+ is 0x\w+: the "
        r"cluster is used for something else as well")
def data_twice(image):
    image.put(image.l2(0, 3), image.get(image.l2(0, 4)))


@damage(r"the cluster is used for something else as well")
def data_of_another_table(image):
    image.put(image.l2(1, 3), image.get(image.l2(0, 4)))


@damage(r"the cluster is used for something else as well")
def data_in_l1(image):
    image.put(image.l2(0, 3), image.l1_offset)


@damage(r"the cluster is used for something else as well")
def data_in_its_own_table(image):
    image.put(image.l2(0, 3), image.get(image.l1()))


@damage(r"used for something else as well")
def data_in_a_later_table(image):
    image.put(image.l2(0, 3), image.get(image.l1(1)))


@damage(r"L2 table at 0x\w+: entry \d+ for guest offset \d+ is 0x\w+: the "
        r"offset is not cluster-aligned")
def data_misaligned(image):
    image.put(image.l2(0, 3), image.get(image.l2(0, 3)) + 512)


@damage(r"the offset is beyond the end of the file")
def data_outside(image):
    image.put(image.l2(0, 3), image.size())


@damage(r"the offset is beyond the end of the file")
def data_highest(image):
    image.put(image.l2(0, 3), 2 ** 64 - image.cluster)


@damage(r"L1 table at 0x\w+: entry \d+ for guest offset \d+ is 0x\w+: the "
        r"offset is not cluster-aligned")
def table_misaligned(image):
    image.put(image.l1(1), image.get(image.l1(1)) + 8)


@damage(r"the offset is not cluster-aligned")
def table_one(image):
    image.put(image.l1(1), 1)


@damage(r"the offset is beyond the end of the file")
def table_outside(image):
    image.put(image.l1(1), image.size())


@damage(r"the offset is beyond the end of the file")
def table_half_outside(image):
    image.put(image.l1(1), image.size() - image.cluster)


@damage(r"the offset is beyond the end of the file")
def table_highest(image):
    image.put(image.l1(1), 2 ** 64 - image.table_size)


@damage(r"clusters of the L2 table are used for something else as well; it "
        r"is not followed")
def table_twice(image):
    image.put(image.l1(1), image.get(image.l1()))


@damage(r"clusters of the L2 table are used for something else as well")
def table_in_l1(image):
    image.put(image.l1(1), image.l1_offset)


@damage(r"clusters of the L2 table are used for something else as well")
def table_in_data(image):
    image.put(image.l1(1), image.get(image.l2(0, 3)))


@damage(r"nothing uses (it|them)")
def table_of_zeros(image):
    table = image.get(image.l1())
    for at in range(table, table + image.table_size, 8):
        image.put(at, 0)


@damage(r"entry \d+ for guest offset \d+ is")
def table_of_noise(image):
    rng = random.Random(1)
    table = image.get(image.l1())
    for at in range(table, table + image.table_size, 8):
        image.put(at, rng.randrange(2 * image.size()) // 512 * 512)


@damage(r"nothing uses (it|them)")
def l1_moved(image):
    end = -(-image.size() // image.cluster) * image.cluster
    image.truncate(end + image.table_size)
    image.put(40, end)


@damage(r"the offset is beyond the end of the file")
def file_cut_short(image):
    image.truncate(image.size() // 2)


@damage(r"the offset is beyond the end of the file")
def last_cluster_cut_short(image):
    image.truncate(image.size() - 512)


@damage(r"^host clusters \d+ to \d+ \(0x\w+ to 0x\w+\): nothing uses them")
def clusters_at_the_end(image):
    image.truncate(image.size() + 3 * image.cluster + 512)


@damage(None)
def marked_as_needing_a_check(image):
    image.put(16, image.get(16) | 2)


def compare(function, finding, original):
    path = "damaged.qed"
    shutil.copy(original, path)
    with Image(path) as image:
        function(image)
    ours = check_verdict.agree(path, "qed")
    if (ours.status == 0) != (finding is None):
        raise Mismatch(str(ours))
    if finding and not any(re.search(finding, text)
                           for text in ours.findings()):
        raise Mismatch("nothing like %r in\n%s" % (
            finding, "\n".join(ours.findings()[:20])))


def main():
    failed = 0
    for cluster, table_size in (65536, 4), (4096, 4), (16384, 2), (4096, 16):
        original = "original%d.qed" % cluster
        make(original, cluster, table_size)
        for function, finding in DAMAGES:
            try:
                compare(function, finding, original)
                print("ok: %s %d" % (function.__name__, cluster))
                count_check(1)
            except (Mismatch, KeyError, ValueError) as e:
                print("%s %d: %s: %s" % (function.__name__, cluster,
                                         type(e).__name__, e))
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
