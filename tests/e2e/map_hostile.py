#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Images made to keep those busy who map them, or want to know about them:
small files, or sparse ones, whose tables claim any number of blocks.  Every
command says something soon, in little memory, and nbdkit answers.
"""

import os
import struct
import subprocess
import sys

import servers
from check_hostile import COPIED, KIB, MIB, MEMORY_KIB, Maker
from nbdclient import NbdError
from usage import cpu_seconds
from verify import Mismatch, count_check

GIB, TIB = 1 << 30, 1 << 40
SECONDS = 60                    # of the processor
VHD_UNUSED = b"\xff" * 4


def checksummed(fields, at):
    """Bytes with the ones' complement of their sum at an offset."""
    total = ~sum(fields) & 0xffffffff
    return fields[:at] + struct.pack(">I", total) + fields[at + 4:]


def vhd(name, size, block_size, entries, file_size, blocks):
    """A dynamic VHD with a BAT at 4096, of which 'blocks' (first entry and
    bytes) are written, the rest is a hole."""
    footer = checksummed(struct.pack(
        ">8sIIQI4sII QQHBBI I16sB427x", b"conectix", 2, 0x10000, 512, 0,
        b"test", 0, 0, size, size, 65535, 16, 255, 3, 0, bytes(range(16)),
        0), 64)
    header = checksummed(struct.pack(
        ">8sQQIIII988x", b"cxsparse", (1 << 64) - 1, 4096, 0x10000, entries,
        block_size, 0), 36)
    path = name + ".vhd"
    with open(path, "wb") as f:
        f.write(footer + header)
        for first, data in blocks:
            f.seek(4096 + 4 * first)
            f.write(data)
        f.seek(file_size - 512)
        f.write(footer)
    return path


def vhd_of_one_block():
    """A million BAT entries, all for the same block."""
    entry = struct.pack(">I", 5 * MIB // 512)
    return vhd("one-block", 2040 * GIB, 2 * MIB, MIB, 8 * MIB,
               [(0, entry * MIB)])


def vhd_of_sparse_bat():
    """Millions of entries that are a hole: all say sector 0."""
    return vhd("sparse-bat", 64 * GIB, 4096, (1 << 32) - 1, 17 * GIB, [])


def vhd_of_too_many():
    """2^32 entries."""
    return vhd("too-many", ((1 << 32) - 1) * 512, 512, (1 << 32) - 1,
               17 * GIB, [])


def vhd_of_scattered_blocks():
    """Small blocks in all parts of a file of nearly 2 TiB."""
    scattered = b"".join(struct.pack(">I", 140000 + i * 16000)
                         for i in range(256 * KIB))
    return vhd("scattered", 16 * MIB * 512, 512, 16 * MIB,
               4200001000 * 512, [(0, VHD_UNUSED * (16 * MIB)),
                                  (0, scattered)])


def vhd_of_large_blocks():
    """64 TiB in blocks of 2 GiB, of which there is none."""
    return vhd("large-blocks", 64 * TIB, 1 << 31, 32768, MIB,
               [(0, VHD_UNUSED * 32768)])


def vhd_of_small_blocks():
    """Blocks of 512 bytes that overlap, each with a bitmap to be read."""
    return vhd("small-blocks", 256 * MIB, 512, MIB // 2, 16 * MIB,
               [(0, b"".join(struct.pack(">I", 20000 + i % 3)
                             for i in range(MIB // 2)))])


def qed(name, cluster, table, size, file_size):
    path = name + ".qed"
    with open(path, "wb") as f:
        f.write(struct.pack("<4sIIIQQQQQII", b"QED\0", cluster, table, 1, 0,
                            0, 0, cluster, size, 0, 0))
        f.truncate(file_size)
    return path


def qed_of_one_table():
    """L1 entries that all lead to one L2 table, of one cluster."""
    cluster = 64 * KIB
    path = qed("one-table", cluster, 16, 64 * TIB, 8 * MIB)
    with open(path, "r+b") as f:
        f.seek(cluster)
        f.write(struct.pack("<Q", 2 * MIB) * (MIB // 8))
        f.seek(2 * MIB)
        f.write(struct.pack("<Q", 4 * MIB) * (MIB // 8))
    return path


def qed_of_its_l1():
    """The L1 table is every L2 table as well."""
    cluster = 64 * KIB
    path = qed("l1-itself", cluster, 16, 64 * TIB, 8 * MIB)
    with open(path, "r+b") as f:
        f.seek(cluster)
        f.write(struct.pack("<Q", cluster) * (MIB // 8))
    return path


def qed_of_sparse_l1():
    """An L1 table of 1 GiB that is a hole."""
    return qed("sparse-l1", 64 * MIB, 16, 1 << 58, 2 * GIB)


def qcow2_of_its_l1():
    """The L1 table is every L2 table as well."""
    make = Maker("l1-itself", 16, 1 << 51, 4 * MIB)
    make.repeat(make.cluster, make.cluster | COPIED, 4 * MIB)
    return make.finish(64 * MIB)


def qcow2_of_sparse_l1():
    """The largest L1 table there can be, as a hole, in a huge file."""
    return Maker("sparse-l1", 18, 1 << 55, 4 * MIB).finish(8 * TIB)


def qcow2_of_subclusters():
    """Extended entries, the same for all, 32 intervals each."""
    make = Maker("subclusters", 16, 1 << 47, MIB // 2)
    make.incompatible = 1 << 4
    make.repeat(make.cluster, 8 * MIB | COPIED, MIB // 2)
    make.write(8 * MIB, struct.pack(">QQ", 10 * MIB | COPIED,
                                    0xaaaaaaaa55555555) * 4096)
    return make.finish(12 * MIB)


def qcow2_of_packed_bombs():
    """Compressed clusters of 2 MiB that are all the same few bytes."""
    make = Maker("bomb", 21, 1 << 40, 2)
    zeros = subprocess.run(
        [sys.executable, "-c", "import sys, zlib; "
         "c = zlib.compressobj(9, zlib.DEFLATED, -15); "
         "sys.stdout.buffer.write(c.compress(bytes(1 << 26)) + c.flush())"],
        stdout=subprocess.PIPE, check=True).stdout
    make.repeat(make.cluster, 4 * MIB | COPIED, 2)
    make.repeat(4 * MIB, 8 * MIB | 1 << 62 | 255 << 49, 2 * MIB // 8)
    make.write(8 * MIB, zeros)
    return make.finish(16 * MIB)


MAKERS = [vhd_of_one_block, vhd_of_sparse_bat, vhd_of_too_many,
          vhd_of_scattered_blocks, vhd_of_large_blocks, vhd_of_small_blocks,
          qed_of_one_table, qed_of_its_l1,
          qed_of_sparse_l1, qcow2_of_its_l1, qcow2_of_sparse_l1,
          qcow2_of_subclusters, qcow2_of_packed_bombs]
# Maps of these take their time; of the others damage is told before that.
MAPPED = [vhd_of_scattered_blocks, vhd_of_large_blocks, qed_of_sparse_l1,
          qcow2_of_sparse_l1, qcow2_of_packed_bombs]


def run(path, *argv, may_fail=True):
    """One command: it ends soon, by itself, and says why if it fails."""
    before = cpu_seconds()
    # For this command alone.
    limit = [] if "asan" in os.environ["VDISK"] else [
        "prlimit", "--as=%d" % ((MEMORY_KIB + 64 * KIB) * 1024)]
    done = subprocess.run(limit + [os.environ["VDISK"]] + list(argv) + [path],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=10 * SECONDS, check=False)
    seconds = cpu_seconds() - before
    said = done.stderr.decode().strip()
    print("%s: %s: status %d, %.1f s: %s" % (path, " ".join(argv),
                                             done.returncode, seconds,
                                             said[:150]))
    if done.returncode not in (0, 1, 2, 3, 63) or seconds > SECONDS or \
            (done.returncode == 1 and not said) or "out of memory" in said:
        raise Mismatch("%s: %s" % (path, said or done.stdout[-300:]))
    if not may_fail and done.returncode != 0:
        raise Mismatch("%s: is not mapped: %s" % (path, said))


def ask(path):
    """The longest block status, and a read, from nbdkit."""
    with servers.vdisk(path) as server:
        client = server.client
        for offset in (0, client.size // 2 // 512 * 512, client.size - 512):
            try:
                client.status(offset, min((1 << 32) - 512,
                                          client.size - offset))
                client.read(offset, min(MIB, client.size - offset))
            except NbdError as e:
                print("%s: at %d: %s" % (path, offset, e))
        seconds = server.cpu_seconds()
        peak = server.vm_hwm()
    print("%s: nbdkit: %.1f s, %.1f MiB" % (path, seconds, peak / MIB))
    if seconds > SECONDS or (peak > 128 * MIB and not servers.PRELOAD and
                             not servers.WRAPPER):
        raise Mismatch("%s: %.1f s, %d MiB" % (path, seconds, peak // MIB))


def main():
    failed = 0
    for make in MAKERS:
        if sys.argv[1:] and make.__name__ not in sys.argv[1:]:
            continue
        path = make()
        try:
            run(path, "info")
            run(path, "map", "--totals", may_fail=make not in MAPPED)
            run(path, "check")
            if make is not vhd_of_too_many:
                ask(path)
            count_check(1, 4)
        except (Mismatch, subprocess.TimeoutExpired,
                servers.ServerError) as e:
            print("%s: %s" % (make.__name__, e))
            failed += 1
        os.unlink(path)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
