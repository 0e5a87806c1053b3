#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Serve an image from a disk that fails, as faults.c makes it (which is to
be in NBDKIT_PRELOAD), or whose files are cut short, deleted or replaced.

  faults.py FORMAT IMAGE FILE...

FILEs are those of the chain to try it on.  Whatever happens to them a request
gives the right bytes, or EIO and a message that names the file; when all is
well again so are requests.
"""

import errno
import os
import random
import re
import subprocess
import sys

import expect
import qemu
import servers
from nbdclient import NbdError
from verify import FAILURES, Mismatch, count_check, starts_like

ROUNDS = 40
CONTROL = os.path.abspath("faults")
SEED = os.environ.get("VDISK_SEED", "1")

# What is made to fail, and the errors that clients may get for it.
PREAD_FAULTS = [
    (errno.EIO, 1, {errno.EIO}), (errno.EIO, 3, {errno.EIO}),
    (errno.ESTALE, 1, {errno.EIO}), (errno.ESTALE, 4, {errno.EIO}),
    (errno.EINVAL, 1, {errno.EIO}), (errno.ENOSPC, 2, {errno.EIO}),
    (errno.ENOMEM, 2, {errno.ENOMEM}),
    ("end", 1, {errno.EIO}), ("end", 5, {errno.EIO}),
    (errno.EINTR, 2, set()), (errno.EINTR, 3, set()),
    ("short", 1, set()), ("short", 2, set()),
]
LSEEK_FAULTS = [(errno.EIO, 1, {errno.EIO}), (errno.ESTALE, 2, {errno.EIO}),
                (errno.EINTR, 2, set())]
# At the time of opening.
OPEN_FAULTS = (
    [("pread",) + fault for fault in PREAD_FAULTS] +
    [("lseek", errno.EIO, 1, {errno.EIO}),
     ("fstat", errno.ESTALE, 1, {errno.ESTALE}),
     ("fstat", errno.EIO, 1, {errno.EIO}),
     ("open", errno.EIO, 1, {errno.EIO}),
     ("open", errno.ESTALE, 1, {errno.ESTALE}),
     ("open", errno.EINTR, 2, set())])


def set_fault(text=""):
    """Replaced as a whole: the server may be reading it."""
    with open(CONTROL + ".new", "w", encoding="ascii") as f:
        f.write(text)
    os.rename(CONTROL + ".new", CONTROL)


def count_faults():
    try:
        return os.path.getsize(CONTROL + ".count")
    except FileNotFoundError:
        return 0


class Disk:
    """What the disk holds, and requests that are compared with it."""

    def __init__(self, path, image_format):
        self.path, self.format = path, image_format
        self.look()
        qemu.img("convert", "-f", image_format, "-O", "raw", path, "content")
        with open("content", "rb") as f:
            self.content = f.read()
        os.unlink("content")
        self.rng = random.Random("%s %s" % (SEED, path))

    def look(self):
        """Where the holes of the files are: copies may have others."""
        layers = qemu.chain(self.path, self.format)
        expect.settle_chain(layers)
        self.size = layers[0].size
        self.wanted, _ = expect.expected_map(self.path, layers, self.size)

    def request(self, client):
        """One request.  Wrong bytes, or a wrong map, raise Mismatch."""
        rng = self.rng
        offset = rng.randrange(self.size)
        length = min(rng.choice([1, 512, 5000, 70000, 1 << 20]),
                     self.size - offset)
        kind = rng.randrange(5)
        if kind == 0:
            length = rng.randrange(1, self.size - offset + 1)
            reply = client.status(offset, length)
            if not starts_like(reply, expect.clip_range(self.wanted, offset,
                                                        length)):
                raise Mismatch("block status of %d+%d: %s"
                               % (offset, length, reply[:8]))
        elif kind == 1:
            client.cache(offset, length)
        elif client.read(offset, length) != \
                self.content[offset:offset + length]:
            raise Mismatch("bytes of %d+%d differ" % (offset, length))

    def requests(self, client, allowed, what):
        """Many; those that fail do so with an error that is allowed.
        Returns how many did."""
        failed = 0
        for _ in range(ROUNDS):
            try:
                self.request(client)
            except NbdError as e:
                if e.errno not in allowed:
                    raise Mismatch("%s: %s" % (what, e)) from e
                failed += 1
        return failed


def check_messages(log, path, failed):
    """Each request that failed left a line, which names the file."""
    lines = [line for line in log.splitlines() if "error:" in line]
    said = [line for line in lines if os.path.basename(path) in line]
    if len(lines) != len(said) or len(said) != failed:
        raise Mismatch("%s: %d requests failed, and %d of %d messages name "
                       "it: %s" % (path, failed, len(said), len(lines),
                                   lines[:5]))


def while_served(disk, image, params, path):
    """Faults of one file while the image is served."""
    failed = 0
    with servers.vdisk(image, *params) as server:
        for call, faults in (("pread", PREAD_FAULTS),
                             ("lseek", LSEEK_FAULTS)):
            for fault, every, allowed in faults:
                what = "%s %s 0 %d %s" % (call, fault, every, path)
                disk.requests(server.client, set(), what + ", before")
                before = count_faults()
                set_fault(what)
                n = disk.requests(server.client, allowed, what)
                set_fault()
                if call == "pread" and (count_faults() == before or
                                        (n == 0 and every == 1 and allowed)):
                    raise Mismatch("%s: nothing failed" % what)
                failed += n
                disk.requests(server.client, set(), what + ", after")
                count_check(0, 3 * ROUNDS)
    check_messages(server.errors, path, failed)
    print("%s: %d requests failed" % (path, failed))


def while_opened(disk, image, params, path):
    """Faults of one file while nbdkit starts."""
    for call, fault, every, allowed in OPEN_FAULTS:
        what = "%s %s 0 %d %s" % (call, fault, every, path)
        set_fault(what)
        server = servers.vdisk(image, *params)
        try:
            with server:
                set_fault()
                disk.requests(server.client, set(), what)
            if allowed and every == 1 and call in ("fstat", "open"):
                raise Mismatch("%s: was opened" % what)
        except servers.ServerError as e:
            message = str(e)
            if not allowed or "exit status 1" not in message or \
                    os.path.basename(path) not in message:
                raise Mismatch("%s: %s" % (what, message)) from e
        finally:
            set_fault()
        count_check()


def copy(source, to):
    """With its holes."""
    subprocess.run(["cp", "--sparse=auto", source, to], check=True)


def data_extents(path):
    """The parts of a file that are no holes: (offset, bytes)."""
    size, end = os.path.getsize(path), 0
    with open(path, "rb", buffering=0) as f:
        while end < size:
            try:
                start = os.lseek(f.fileno(), end, os.SEEK_DATA)
            except OSError as e:
                if e.errno == errno.ENXIO:
                    return
                raise
            end = os.lseek(f.fileno(), start, os.SEEK_HOLE)
            yield start, os.pread(f.fileno(), end - start, start)


def restore(path, size, extents):
    with open(path, "r+b", buffering=0) as f:
        for offset, data in extents:
            os.pwrite(f.fileno(), data, offset)
    os.truncate(path, size)


def cut_short(disk, image, params, path):
    """Files that lose their end, and get it back."""
    extents = list(data_extents(path))
    size, failed = os.path.getsize(path), 0
    copy(path, "kept")
    with servers.vdisk(image, *params) as server:
        for left in (size - 1, size * 3 // 4, size // 2, size // 5, 511, 0):
            what = "%s cut to %d bytes" % (path, left)
            disk.requests(server.client, set(), what + ", before")
            os.truncate(path, left)
            failed += disk.requests(server.client, {errno.EIO}, what)
            restore(path, size, extents)
            disk.requests(server.client, set(), what + ", after")
            count_check(0, 3 * ROUNDS)
    os.rename("kept", path)
    check_messages(server.errors, path, failed)
    if failed == 0:
        raise Mismatch("%s: no request failed" % path)
    print("%s: %d requests failed after it was cut" % (path, failed))


def deleted(disk, image, params, path):
    """A file that goes, or is replaced, while it is served does no harm;
    one that is not there is named."""
    copy(path, "kept")
    with servers.vdisk(image, *params) as server:
        os.unlink(path)
        disk.requests(server.client, set(), "%s deleted" % path)
        with open(path, "wb") as f:
            f.write(bytes(100000))
        disk.requests(server.client, set(), "%s replaced" % path)
    os.unlink(path)
    try:
        with servers.vdisk(image, *params):
            raise Mismatch("%s is missing, and was opened" % path)
    except servers.ServerError as e:
        if not re.search(re.escape(path) + ".*: No such file", str(e)):
            raise Mismatch("%s is missing: %s" % (path, e)) from e
    os.rename("kept", path)
    count_check(0, 3)


def main():
    image_format, image, *files = sys.argv[1:]
    params = ["cache-size=64k"]
    if image_format == "raw":
        params.append("format=raw")
    os.environ["VDISK_FAULTS"] = CONTROL
    set_fault()
    disk = Disk(image, image_format)
    before = count_faults()
    try:
        for path in files:
            disk.look()
            while_served(disk, image, params, path)
            disk.look()
            while_opened(disk, image, params, path)
            disk.look()
            cut_short(disk, image, params, path)
            disk.look()
            deleted(disk, image, params, path)
    except FAILURES as e:
        print(e)
        return 1
    print("%s: %d faults" % (image, count_faults() - before))
    count_check(1, 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
