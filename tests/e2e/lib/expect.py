# SPDX-License-Identifier: BSD-3-Clause
"""The block status vdisk owes for an image: what qemu-img map says, made
exact with the holes of the host files.

QEMU's map has everything but the holes that lie under allocated clusters
(it looks for them only in images it takes for preallocated).  A piece of
data that lies in a hole of a sparse host file is ZERO; in a raw layer, whose
map is its holes, it is HOLE.  So are clusters that the image says are zeros:
to write there takes finding space.
"""

import bisect
import ctypes
import os
import stat

import qemu

DATA, HOLE, ZERO = 0, 3, 2
NAMES = {0: "data", 1: "hole", 2: "zero", 3: "hole,zero"}


LIBC = ctypes.CDLL(None, use_errno=True)
FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE = 1, 2


def punch_hole(fd, offset, length):
    if LIBC.fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
                      ctypes.c_int64(offset), ctypes.c_int64(length)) != 0:
        errnum = ctypes.get_errno()
        raise OSError(errnum, "fallocate: " + os.strerror(errnum))


def settle(path):
    """Make real holes of a sparse file's holes.  Space that is allocated
    and was never written is a hole for SEEK_HOLE until somebody reads it:
    then it is data.  QEMU leaves such space behind, and a test that
    compares maps needs one truth."""
    host = HostFile(path)
    if not host.sparse:
        return
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        at = 0
        for start, end in host.extents + [(host.size, host.size)]:
            if start > at:
                punch_hole(fd, at, start - at)
            at = end
    finally:
        os.close(fd)


class HostFile:
    """Where a file holds data."""

    def __init__(self, path, look_for_holes=True):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            st = os.fstat(fd)
            self.size = st.st_size
            whole = [(0, self.size)]
            look = look_for_holes and stat.S_ISREG(st.st_mode)
            self.extents = list(self._find(fd)) if look else whole
            self.sparse = self.extents != whole
            # What lies past the end of the file is a hole that is looked
            # for, too.
            self.end_is_hole = look_for_holes
        finally:
            os.close(fd)
        self._starts = [start for start, end in self.extents]

    def _find(self, fd):
        at = 0
        while at < self.size:
            try:
                start = os.lseek(fd, at, os.SEEK_DATA)
            except OSError:
                return
            at = os.lseek(fd, start, os.SEEK_HOLE)
            yield start, min(at, self.size)

    def split(self, offset, length):
        """Pieces of a range, as (length, is a hole).  What lies past the
        end of the file is a hole."""
        end = offset + length
        i = max(bisect.bisect_right(self._starts, offset) - 1, 0)
        while offset < end:
            while i < len(self.extents) and self.extents[i][1] <= offset:
                i += 1
            if i == len(self.extents):
                yield end - offset, self.end_is_hole
                return
            start, stop = self.extents[i]
            hole = start > offset
            stop = min(start if hole else stop, end)
            yield stop - offset, hole
            offset = stop


def append(extents, length, state):
    """Append to a list of [offset, length, state], merging."""
    if length == 0:
        return
    if extents and extents[-1][2] == state:
        extents[-1][1] += length
        return
    offset = extents[-1][0] + extents[-1][1] if extents else 0
    extents.append([offset, length, state])


def _append_stored(extents, host, offset, length, hole_state):
    for piece, hole in host.split(offset, length):
        append(extents, piece, hole_state if hole else DATA)


def settle_chain(layers):
    """Settle every file of an image."""
    for layer in layers:
        for name in {layer.path, layer.data_path}:
            settle(name)


def expected_map(path, layers, size, host_holes=True):
    """The block status of the whole disk: a list of [offset, length,
    state] that tiles [0, size), neighbours being different.  Also, a list
    whose state is true where QEMU looks for holes of the host file."""
    hosts = {}

    def host_of(layer):
        if layer.data_path not in hosts:
            hosts[layer.data_path] = HostFile(layer.data_path,
                                              host_holes)
        return hosts[layer.data_path]

    extents, looks = [], []
    at = 0
    for item in qemu.image_map(path, layers[0].format):
        start, length = item["start"], item["length"]
        if start != at:
            raise qemu.QemuError("%s: the map of QEMU has a gap at %d"
                                 % (path, at))
        at = start + length
        layer = layers[item["depth"]]
        stored = item["data"] or (layer.format in ("raw", "vpc")
                                  and "offset" in item)
        append(looks, length, layer.format == "raw" or (item["data"] and
                                                        item["zero"]))
        if stored and "offset" in item:
            # A raw disk is its host file; else data in a hole of the host
            # file is allocated, and zeros.
            _append_stored(extents, host_of(layer), item["offset"], length,
                           HOLE if layer.format == "raw" else ZERO)
        elif stored:
            append(extents, length, DATA)       # compressed
        else:
            append(extents, length, HOLE)
    return clip(extents, size), clip(looks, size, False)


def clip(extents, size, rest=HOLE):
    """Cut or extend (with 'rest') to 'size'."""
    clipped = []
    for offset, length, state in extents:
        if offset < size:
            append(clipped, min(length, size - offset), state)
    covered = sum(length for _, length, _ in clipped)
    append(clipped, size - covered, rest)
    return clipped


def clip_range(extents, offset, length):
    """The pieces of [offset, offset + length), as (length, state)."""
    starts = [e[0] for e in extents]
    i = bisect.bisect_right(starts, offset) - 1
    end = offset + length
    pieces = []
    while offset < end:
        stop = min(extents[i][0] + extents[i][1], end)
        pieces.append((stop - offset, extents[i][2]))
        offset = stop
        i += 1
    return pieces


def describe(extents, around=None, limit=12):
    """Some extents as text, those near 'around' if there are many."""
    if around is not None and len(extents) > limit:
        starts = [e[0] for e in extents]
        i = max(bisect.bisect_right(starts, around) - 1 - limit // 2, 0)
        extents = extents[i:i + limit]
    return "\n".join("  %14d +%-12d %s" % (offset, length, NAMES[state])
                     for offset, length, state in extents[:limit])


def difference(got, wanted):
    """Where two maps differ, as text, or None."""
    if got == wanted:
        return None
    for a, b in zip(got, wanted):
        if a != b:
            at = a[0]
            break
    else:
        at = min(len(got), len(wanted))
        at = (got if len(got) > len(wanted) else wanted)[at][0]
    return "maps differ at %d\nvdisk:\n%s\nexpected:\n%s" % (
        at, describe(got, at), describe(wanted, at))
