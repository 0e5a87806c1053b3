#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""vdisk export from NBD servers of many kinds, and raw into them."""

import contextlib
import os
import random
import subprocess
import time

import qemu
from export_check import (ALL, Checker, Chunked, Disk, MIB, Qcow2, Raw, Vhd,
                          Wrong, Xva, compare, run)
from export_images import everything, raw
from nbdclient import STATUS_MAX
from servers import NBDKIT, Server
from verify import walk

JUNK = random.Random(1).randbytes(1 << 16) * 256


def nbdkit(*args, filters=()):
    return Server("nbdkit", lambda path: [
        NBDKIT, "--exit-with-parent", "-f", "-U", path,
        *("--filter=" + name for name in filters), *args])


def qemu_nbd(path, image_format, *options):
    return Server("qemu-nbd", lambda socket_path: [
        "qemu-nbd", "-t", "-e", "16", "-f", image_format, "-k", socket_path,
        *options, path])


@contextlib.contextmanager
def started(argv, path):
    """A server that is not Server's kind, from when 'path' is there."""
    process = subprocess.Popen(argv)
    try:
        for _ in range(6000):
            if os.path.exists(path):
                break
            time.sleep(0.01)
        yield
    finally:
        process.terminate()
        process.wait()


def nbdcopy(*args):
    subprocess.run(["nbdcopy", *args], check=True, timeout=60)


def served(server, disk, *args, uri=None):
    """The disk of a server, whose map is what the server says."""
    data = [(offset, offset + length) for offset, length, state
            in walk(server.client, STATUS_MAX, merged=False)
            if not state & 2]
    found = Disk(uri or server.uri, disk.raw, data, *args)
    return found


def from_servers(check, disk):
    every = [way() for way in ALL]
    with nbdkit("memory", str(disk.size)) as server:
        nbdcopy(disk.raw, server.uri)
        check.exports(served(server, disk), *every,
                      Raw(detect=True), Vhd("4k"), Qcow2(detect=True))
        check.exports(served(server, disk), *every, pipe=True)
    with nbdkit("file", disk.raw) as server:
        check.exports(served(server, disk), *every,
                      Qcow2(compression="zstd"))
    # One that does not tell, takes one connection, or whole blocks only.
    for filters in ["noextents"], ["noparallel"], ["multi-conn"]:
        args = ["multi-conn-mode=disable"] * ("multi-conn" in filters)
        with nbdkit("file", disk.raw, *args, filters=filters) as server:
            check.exports(served(server, disk), Qcow2(), Chunked())
    if disk.size % 4096 == 0:
        with nbdkit("file", disk.raw, "blocksize-minimum=4k",
                    "blocksize-preferred=4k", "blocksize-maximum=64k",
                    "blocksize-error-policy=error",
                    filters=["blocksize-policy"]) as server:
            check.exports(served(server, disk), *every)


def of_qemu(check, disk):
    """qemu-nbd of a QCOW2, and the file of one, which is read here."""
    every = [way() for way in ALL]
    with qemu_nbd(disk.path, "qcow2", "-r") as server:
        check.exports(served(server, disk), *every)
    with started(["qemu-nbd", "-t", "-r", "-f", "qcow2", "-x", "name of it",
                  "-k", os.path.abspath("named"), disk.path], "named"):
        check.exports(disk.same("nbd+unix:///name%20of%20it?socket=named"),
                      Qcow2(), Xva())
    image = disk.same(disk.path)
    for server in (nbdkit("file", disk.path), nbdkit("-r", "file", disk.path),
                   qemu_nbd(disk.path, "raw", "-r")):
        with server:
            image.path = server.uri
            image.args = ["--format=qcow2"]
            check.exports(image, *every, Qcow2(compression="zlib"))
    # Its holes can be told, or not; the bytes are the same.
    with nbdkit("file", disk.path, filters=["noextents"]) as server:
        image.path = server.uri
        check.attempt("an image that is served without its holes",
                      same_bytes, image)


def same_bytes(disk):
    run(*disk.args, disk.path, "same.raw")
    compare(disk.raw, "same.raw", disk.size)


def over_tcp(check, disk):
    with started([os.environ["PYTHONPATH"] + "/on_port.py", "port", NBDKIT,
                  "--exit-with-parent", "-f", "file", disk.raw], "port"):
        with open("port") as file:
            port = file.read().strip()
        check.exports(Disk(f"nbd://127.0.0.1:{port}", disk.raw,
                           disk.written()), Qcow2(), Xva())


# --- Into servers -------------------------------------------------------

def into(check, what, server, disk, *options, extra=0, source=None):
    """Raw, over junk, and what is behind the disk stays."""
    def one():
        with open("junk", "wb") as file:
            for at in range(0, disk.size + extra, len(JUNK)):
                file.write(JUNK[:disk.size + extra - at])
        with server:
            nbdcopy("junk", server.uri)
            run(*options, *(source or [*disk.args, disk.path]), server.uri)
            nbdcopy(server.uri, "back")
        with open("back", "rb") as file:
            file.seek(disk.size)
            with open("junk", "rb") as junk:
                junk.seek(disk.size)
                if file.read() != junk.read():
                    raise Wrong("what is behind the disk has changed")
        os.truncate("back", disk.size)
        compare(disk.raw, "back", disk.size)
    check.attempt(what, one)


def in_blocks(disk):
    """Into a server that takes from 4 to 64 KiB at a time."""
    with open("target", "wb") as file:
        file.write(JUNK[:disk.size])
    with nbdkit("file", "target", "blocksize-minimum=4k",
                "blocksize-preferred=4k", "blocksize-maximum=64k",
                "blocksize-error-policy=error",
                filters=["blocksize-policy"]) as server:
        run(*disk.args, disk.path, server.uri)
    compare(disk.raw, "target", disk.size)


def into_servers(check, disk):
    size = disk.size
    for extra in 0, 4096, 1000001:
        into(check, f"into memory, {extra} more", nbdkit(
            "memory", str(size + extra)), disk, extra=extra)
    for options in (["--detect-zeroes"], ["--threads=1"], ["--threads=16"],
                    ["-O", "raw"]):
        into(check, f"into memory {' '.join(options)}", nbdkit(
            "memory", str(size)), disk, *options)
    for filters, args in ((["nozero"], []), (["nozero"], ["zeromode=emulate"]),
                          (["nozero"], ["fastzeromode=none"]),
                          (["noparallel"], []), (["noextents"], []),
                          (["multi-conn"], ["multi-conn-mode=disable"]),
                          (["blocksize"], ["minblock=512"]),
                          (["cache"], [])):
        into(check, f"into memory with {' '.join(filters + args)}",
             nbdkit("memory", str(size), *args, filters=filters), disk)
    with open("target", "wb") as file:
        file.truncate(size)
    into(check, "into a file by nbdkit", nbdkit("file", "target"), disk)
    into(check, "into a file by qemu-nbd", qemu_nbd("target", "raw"), disk)
    into(check, "into a file by qemu-nbd, with discard", qemu_nbd(
        "target", "raw", "--discard=unmap", "--detect-zeroes=on"), disk)
    if size % 65536 == 0:
        qemu.create("target.qcow2", "qcow2", size)
        into(check, "into a QCOW2 by qemu-nbd", qemu_nbd(
            "target.qcow2", "qcow2"), disk)
    check.attempt("into whole blocks of 4 KiB", in_blocks, disk)
    with nbdkit("file", disk.raw) as source:
        into(check, "from a server into a server", nbdkit(
            "memory", str(size)), disk, source=[source.uri])


def told_to_keep(check, disk):
    """The last thing a server hears is to flush."""
    with open("log", "w"):
        pass
    with nbdkit("memory", str(disk.size), "logfile=log",
                filters=["log"]) as server:
        run(*disk.args, disk.path, server.uri)
    with open("log") as file:
        writes = [line.split()[2:4] for line in file
                  if any(f" {verb} " in line for verb in
                         ("Write", "Zero", "Trim", "Flush"))]
    check.equal("a flush after the last write", any(
        "Flush" in " ".join(line) for line in writes[-3:]), True)


def refused(check, disk, what, server, words, *options, status=1):
    def one():
        with server:
            nbdcopy("--", server.uri, "before")
            done = run(*options, *disk.args, disk.path, server.uri,
                       check=False)
            nbdcopy("--", server.uri, "after")
        said = done.stderr.decode()
        if done.returncode != status or words not in said:
            raise Wrong(f"status {done.returncode}: {said}")
        compare("before", "after", os.path.getsize("before"))
    check.attempt(what, one)


def by_threads(check):
    """A server that takes its time, and how many reads it has at a time."""
    most = {}
    for threads in 1, 8:
        with nbdkit("data", "data=1*41943040", "size=80M", "logfile=log",
                    "delay-read=50ms", filters=["log", "delay"]) as server:
            run("-O", "qcow2", f"--threads={threads}", server.uri, "out")
            os.remove("out")
        reads = most[threads] = 0
        with open("log") as file:
            for line in file:
                reads += (" Read " in line) - (" ...Read " in line)
                most[threads] = max(most[threads], reads)
        os.remove("log")
    check.equal(f"reads at a time, by threads: {most}",
                (most[1], most[8] > 2), (1, True))


def no_server(check):
    """One message, and no file, where nobody listens."""
    for args in (["nbd+unix:///?socket=none", "out"],
                 ["disk.qcow2", "nbd+unix:///?socket=none"],
                 ["nbd://127.0.0.1:1/", "out"],
                 ["nbd+unix:///?socket=", "out"]):
        done = run(*args, check=False)
        check.equal(f"no server: {done.stderr.decode().strip()}",
                    (done.returncode, done.stderr.count(b"\n"),
                     os.path.exists("out")), (1, 1, False))


def main():
    with Checker() as check:
        by_threads(check)
        disk = everything("disk.qcow2")
        odd = raw("odd.raw", 5 * MIB + 77, (0, 1), (MIB, 300000),
                  (5 * MIB + 76, 1))
        from_servers(check, disk)
        from_servers(check, odd)
        of_qemu(check, disk)
        over_tcp(check, disk)
        into_servers(check, disk)
        into(check, "an odd size into memory", nbdkit(
            "memory", str(odd.size)), odd)
        into(check, "an odd size into a file", nbdkit(
            "memory", str(odd.size + 5)), odd, extra=5)
        into(check, "nothing", nbdkit("memory", str(4 * MIB)),
             raw("nothing.raw", 4 * MIB))
        into(check, "everything", nbdkit("memory", str(4 * MIB)),
             raw("full.raw", 4 * MIB, (0, 4 * MIB)))
        told_to_keep(check, disk)
        refused(check, disk, "a server that is too small", nbdkit(
            "memory", str(disk.size - 512)), str(disk.size - 512))
        refused(check, disk, "a server that only reads", nbdkit(
            "-r", "memory", "10M"), "read-only")
        for output in "qcow2", "vhd", "xva", "chunked":
            refused(check, disk, f"-O {output} into a server", nbdkit(
                "memory", "20M"), "raw", "-O", output, status=2)
        no_server(check)


if __name__ == "__main__":
    main()
