#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Names of any bytes come back from what vdisk prints.

  info_names.py NUMBER

Puts NUMBER times random bytes where names are: the image's own, backing
files, snapshots, data files, feature names and backing formats of QCOW2;
locators and creators of VHDs.  Whatever vdisk prints of them, as JSON or as
text, is printable UTF-8, and gives the bytes again when \\xHH and \\\\ are
undone.
"""

import json
import os
import random
import re
import struct
import subprocess
import sys

from vhd_image import DIFFERENCING, MIB, Locator, Vhd, w2ru

VDISK = os.environ["VDISK"]
CLUSTER = 65536
PIECES = (b"\\", b"\\x0a", b"\n", b"\0", b"\x1b[2J", b"\x7f", b"/", b"a",
          b"\"", "\u00e4".encode(), "\u202e".encode(), "\u0085".encode(),
          "\U0001f4be".encode(), b"\xe2\x80", b"\xff", b"\xed\xa0\x80")
rng = random.Random(int(os.environ["VDISK_SEED"]))
checks = 0


def name(size=40, without=b""):
    """Random bytes, some of them text, at least one and at most 'size'."""
    result = b""
    while len(result) < rng.randrange(1, size):
        result += rng.choice(PIECES) if rng.random() < 0.7 \
            else rng.randbytes(1)
    for byte in without:
        result = result.replace(bytes([byte]), b"_")
    return result[:size]


def undo(text):
    """The bytes that the text stands for."""
    if not all(c.isprintable() or c == "\u00a0" or ord(c) > 0xff
               for c in text):
        raise SystemExit(f"{text!r} is not printable")

    def one(match):
        escape = match[0][1:]
        if escape == b"\\":
            return b"\\"
        if not re.fullmatch(rb"x[0-9a-f]{2}", escape):
            raise SystemExit(f"{text!r}: not an escape: {match[0]!r}")
        return bytes([int(escape[1:], 16)])
    return re.sub(rb"\\(x..|.)", one, text.encode(), flags=re.DOTALL)


def same(text, wanted, what):
    global checks
    checks += 1
    if undo(text) != wanted:
        raise SystemExit(f"{what}: {text!r} stands for {undo(text)!r}, "
                         f"expected {wanted!r}")


def vdisk(*arguments, status=0):
    run = subprocess.run([VDISK, *arguments], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, check=False)
    if run.returncode != status:
        raise SystemExit(f"{arguments}: status {run.returncode}: {run}")
    return (run.stdout if status == 0 else run.stderr).decode()


def info(path):
    return json.loads(vdisk("info", "--output=json", path))


def extension(kind, data):
    return struct.pack(">II", kind, len(data)) + data + \
        bytes(-len(data) % 8)


def write_qcow2(path, *, extensions=b"", backing=b"", snapshots=(),
                incompatible=0):
    """A disk of 1 MiB with nothing on it."""
    extensions += extension(0, b"")
    header = struct.pack(
        ">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", 3,
        104 + len(extensions) if backing else 0, len(backing), 16, MIB, 0,
        1, 3 * CLUSTER, CLUSTER, 1, len(snapshots),
        4 * CLUSTER if snapshots else 0, incompatible, 0, 0, 4, 104)
    table = b""
    for identity, title in snapshots:
        table += struct.pack(">QIHHIIQII", 3 * CLUSTER, 1, len(identity),
                             len(title), 0, 0, 0, 0, 16)
        table += bytes(8) + struct.pack(">Q", MIB) + identity + title
        table += bytes(-len(table) % 8)
    with open(path, "wb") as f:
        f.write(header + extensions + backing)
        f.truncate(5 * CLUSTER)
        f.seek(CLUSTER)
        f.write(struct.pack(">Q", 2 * CLUSTER))
        f.seek(2 * CLUSTER)
        f.write(struct.pack(">5H", 1, 1, 1, 1 + len(snapshots), 1))
        f.seek(4 * CLUSTER)
        f.write(table)


def qcow2_names():
    path = b"q" + name(without=b"\0/")
    backing = name(100, without=b"\0:")
    data_file = name(100, without=b"\0:")
    snapshots = [(name(), name()) for _ in range(3)]
    write_qcow2(path, backing=backing, snapshots=snapshots)
    document = info(path)
    same(document["filename"], path, "file")
    same(document["backing-filename"], backing, "backing file")
    same(document["full-backing-filename"], backing, "backing file's path")
    reference = document["backing-references"][0]
    same(reference["name"], backing, "backing file")
    # The message says the names of both files.
    undone = undo(reference["error"])
    if not undone.startswith(path + b": backing file '" + backing + b"'"):
        raise SystemExit(f"an error that is {undone}")
    for (identity, title), found in zip(snapshots, document["snapshots"],
                                        strict=True):
        same(found["id"], identity, "snapshot's number")
        same(found["name"], title, "snapshot")
    lines = vdisk("info", path).splitlines()
    same(lines[0], b"filename: " + path, "file")
    same(next(line for line in lines if line.startswith("backing filename")),
         b"backing filename: " + backing, "backing file")
    same(json.loads(vdisk("check", "--output=json", path))["filename"], path,
         "file checked")
    write_qcow2("data.qcow2", extensions=extension(0x44415441, data_file),
                incompatible=4)
    document = info("data.qcow2")
    same(document["format-specific"]["data"]["data-file"], data_file,
         "data file")
    os.unlink(path)


def refused_names():
    """Names in the message that an image is refused with."""
    bit, word = name(20, without=b"\0"), name(15, without=b"\0")
    feature = struct.pack(">BB46s", 0, 44, bit)
    write_qcow2("bit.qcow2", extensions=extension(0x6803f857, feature),
                incompatible=1 << 44)
    undone = undo(vdisk("info", "bit.qcow2", status=1)[:-1])
    if bit not in undone:
        raise SystemExit(f"{bit!r} is not in {undone!r}")
    write_qcow2("word.qcow2", extensions=extension(0xe2792aca, word),
                backing=b"base")
    undone = undo(vdisk("info", "--chain", "word.qcow2", status=1)[:-1])
    if b"'" + word + b"'" not in undone:
        raise SystemExit(f"{word!r} is not in {undone!r}")


def vhd_names():
    creator = (name(4) + b"...")[:3] + b"!"
    windows = "C:\\b\u00e4se\\" + rng.choice(["\u202e", "\x1b", "\\", "x"])
    path = name(without=b"\0")
    text = name(without=b"\0")
    Vhd(DIFFERENCING, MIB, creator=creator, parent_uuid=rng.randbytes(16),
        parent_name=windows + "p",
        locators=[w2ru(windows + "d"), Locator(b"Wi2r", path),
                  Locator(b"MacX", text)]).write("d.vhd")
    data = info("d.vhd")["format-specific"]["data"]
    same(data["creator"], creator, "creator")
    same(data["parent"]["name"], (windows + "p").encode(), "parent")
    for found, wanted in zip(data["parent"]["locators"],
                             ((windows + "d").encode(), path, text),
                             strict=True):
        same(found["path"], wanted, "locator")


def map_names():
    path = b"m" + name(without=b"\0/")
    write_qcow2(path)
    for dialect in "human", "blocks":
        text = vdisk("map", f"--output={dialect}", path)
        for line in text.splitlines():
            undo(line)
    picture = vdisk("map", "--output=svg", path)
    escaped = info(path)["filename"]
    for a, b in ("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"):
        escaped = escaped.replace(a, b)
    if f"<title>Map of {escaped}</title>" not in picture:
        raise SystemExit(f"no title {escaped!r}")
    os.unlink(path)


def main():
    for _ in range(int(sys.argv[1])):
        qcow2_names()
        refused_names()
        vhd_names()
        map_names()
    with open(os.environ["VDISK_COUNTS"], "a", encoding="ascii") as f:
        print(4 * int(sys.argv[1]), checks, file=f)


if __name__ == "__main__":
    main()
