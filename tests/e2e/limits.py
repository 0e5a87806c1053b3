#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Time and memory of the server.

  limits.py first-status IMAGE    of the processor, to the first answer
  limits.py memory IMAGE          after a whole map and copy
"""

import subprocess
import sys

import servers
from nbdclient import STATUS_MAX
from verify import FAILURES, Mismatch, count_check, walk

FIRST_STATUS_SECONDS = 0.5      # meant to be 0.05
MEMORY = 64 << 20


def first_status(path):
    best = None
    for _ in range(3):
        with servers.vdisk(path) as server:
            client = server.client
            client.status(0, min(STATUS_MAX, client.size))
            took = server.cpu_seconds()
        best = took if best is None else min(best, took)
    print("%s: first block status after %.1f ms" % (path, best * 1000))
    slower = servers.WRAPPER or servers.PRELOAD
    if best > FIRST_STATUS_SECONDS and not slower:
        raise Mismatch("that is more than %.0f ms"
                       % (FIRST_STATUS_SECONDS * 1000))


def memory(path):
    with servers.vdisk(path) as server:
        extents = walk(server.client, STATUS_MAX)
        after_map = server.vm_hwm()
        subprocess.run(["nbdcopy", server.uri, "null:"], check=True)
        peak = server.vm_hwm()
    print("%s: %d extents, peak memory %.1f MiB after the map, "
          "%.1f MiB after a copy" % (path, len(extents),
                                     after_map / (1 << 20),
                                     peak / (1 << 20)))
    if peak > MEMORY and not servers.WRAPPER and not servers.PRELOAD:
        raise Mismatch("that is more than %d MiB" % (MEMORY >> 20))


def main():
    what, path = sys.argv[1:]
    try:
        {"first-status": first_status, "memory": memory}[what](path)
    except FAILURES as e:
        print(e)
        return 1
    count_check()
    return 0


if __name__ == "__main__":
    sys.exit(main())
