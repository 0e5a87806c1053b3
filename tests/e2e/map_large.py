#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make large QCOW2 disks of little metadata, and measure the tool.

  map_large.py make IMAGE BYTES      every other cluster of 64 KiB is data
  map_large.py run LIMIT-KIB COMMAND [ARG...] > /dev/null

All L1 entries lead to one L2 table, which a reader need not mind.  'run'
prints the seconds of CPU time and the memory the command took, and fails
if that is more than the limit.
"""

import resource
import struct
import subprocess
import sys

CLUSTER = 65536
ENTRIES = CLUSTER // 8
COPIED = 1 << 63


def make(path, size):
    tables = -(-size // (CLUSTER * ENTRIES))
    l1_clusters = -(-tables * 8 // CLUSTER)
    l2 = (1 + l1_clusters) * CLUSTER
    data = l2 + CLUSTER
    header = struct.pack(">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", 3, 0, 0, 16,
                         size, 0, tables, CLUSTER, 0, 0, 0, 0, 0, 0, 0, 4,
                         104)
    with open(path, "wb") as f:
        f.write(header)
        f.seek(CLUSTER)
        f.write(struct.pack(">Q", l2) * tables)
        f.seek(l2)
        for n in range(ENTRIES // 2):
            f.write(struct.pack(">QQ", data + n * CLUSTER | COPIED, 0))
        f.truncate(data + ENTRIES // 2 * CLUSTER)


def run(limit, command):
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print("%.2f s, %d KiB: %s" % (usage.ru_utime + usage.ru_stime,
                                  usage.ru_maxrss, " ".join(command[1:])))
    if done.returncode != 0 or usage.ru_maxrss > limit:
        raise SystemExit("status %d, %d KiB" % (done.returncode,
                                                usage.ru_maxrss))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], int(sys.argv[3]))
    else:
        run(int(sys.argv[2]), sys.argv[3:])
