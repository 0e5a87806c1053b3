# SPDX-License-Identifier: BSD-3-Clause
"""The machine's memory: what of it is free, and keeping it ours.

The hosts of some virtual machines take free memory back, in blocks of 2
MiB.  Having it again is most of the time of a copy of some GiB then, and
which command of two that meets is an accident.
"""

import ctypes
import mmap

PAGE = mmap.PAGESIZE
BLOCK = 2 << 20
SPARE = 512 << 20               # left as it is
MADV_COLD = 20                  # Linux 5.4; the module does not have it


def kernel_says(name):
    """Bytes, of a line of /proc/meminfo."""
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    return 0


class Kept:
    """While this is held, 'needed' bytes of memory are free that the host
    does not take, if that much is there: a page of each 2 MiB is in use.

    Of what is left of such a block a half is in one piece, of 1 MiB; the
    pieces a copy wants are as long.  So twice as much is held.
    """

    def __init__(self, needed):
        free = max(kernel_says("MemFree") - SPARE, 0)
        self.size = min(2 * needed, free) // BLOCK * BLOCK
        self.map = None

    def __enter__(self):
        if self.size > 0:
            self.map = mmap.mmap(-1, self.size + BLOCK,
                                 flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            self.hold()
        return self

    def __exit__(self, *_):
        if self.map is not None:
            self.map.close()

    def hold(self):
        address = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        start = -address % BLOCK
        try:
            self.map.madvise(mmap.MADV_HUGEPAGE)
        except OSError:
            pass                # blocks are as they happen to be
        for offset in range(start, start + self.size, PAGE):
            self.map[offset] = 1
        for block in range(start, start + self.size, BLOCK):
            # What is said of a page makes pages of the whole block: then
            # the others can be given back.
            self.map.madvise(MADV_COLD, block, PAGE)
            self.map.madvise(mmap.MADV_DONTNEED, block + PAGE, BLOCK - PAGE)
