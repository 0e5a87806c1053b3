#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Look at manifests of vdisk export.

  MANIFEST FILE FORMAT IMAGE   all that it says is right, by another
                               implementation of XXH3 where there is one
  --flip FILE OFFSET           change a bit
  --wrong MANIFEST FILE VDISK  --verify refuses what is no manifest"""

import json
import os
import re
import subprocess
import sys

from export_check import Checker, Wrong


def xxh3(data):
    """By xxhsum, if it is there."""
    try:
        said = subprocess.run(["xxhsum", "-H2", "-"], input=data, check=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout
    except FileNotFoundError:
        return None
    return said.split()[0].decode()


def check_parts(manifest, file):
    end = 0
    for number, part in enumerate(manifest["parts"]):
        if part["offset"] != end:
            raise Wrong(f"part {number} starts at {part['offset']}, "
                        f"not {end}")
        end += part["length"]
        file.seek(part["offset"])
        data = file.read(part["length"])
        if len(data) != part["length"]:
            raise Wrong(f"part {number} is longer than the file")
        if part.get("zeros"):
            if data.strip(b"\0"):
                raise Wrong(f"part {number} is not zeros")
        elif not data.strip(b"\0"):
            raise Wrong(f"part {number} is zeros")
        elif number % 16 == 1 and xxh3(data) not in (None, part["digest"]):
            raise Wrong(f"part {number}: digest {part['digest']}, "
                        f"expected {xxh3(data)}")
    if end != manifest["size"]:
        raise Wrong(f"parts end at {end} of {manifest['size']}")


def check(path, file_path, output, image):
    with open(path, encoding="utf-8") as text:
        manifest = json.load(text)
    with open(file_path, "rb") as file, Checker() as checker:
        checker.attempt(f"{path}: parts", check_parts, manifest, file)
        for key, wanted in (("vdisk-manifest", 1), ("format", output),
                            ("size", os.path.getsize(file_path)),
                            ("digest", "xxh3-128")):
            checker.equal(f"{path}: {key}", manifest[key], wanted)
        checker.equal(f"{path}: image", manifest["image"]["name"], image)
        checker.equal(f"{path}: no stamps", "stamps" in manifest["image"],
                      False)


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 16]))


def refuses(vdisk, file, text, pattern):
    with open("wrong", "w", encoding="utf-8") as out:
        out.write(text)
    done = subprocess.run([vdisk, "export", "--verify=wrong", file],
                          stderr=subprocess.PIPE, check=False, timeout=60)
    said = done.stderr.decode()
    if done.returncode != 1 or not re.search(pattern, said) or \
            said.count("\n") != 1:
        raise Wrong(f"status {done.returncode}, {said!r}, not '{pattern}'")


def check_wrong(path, file, vdisk):
    with open(path, encoding="utf-8") as text:
        good = json.load(text)
    first = good["parts"][0]
    size, unit = good["size"], good["part-size"]

    def but(**change):
        return json.dumps({**good, **change})

    def parts(*changes):
        return but(parts=[{**first, **change} for change in changes])

    digest = {"zeros": False, "digest": "00" * 16, "length": unit}
    cases = [
        ("", "there is no manifest"),
        ("{", "not a manifest: line"),
        ("[]", "vdisk-manifest"),
        (but(**{"vdisk-manifest": 2}), "vdisk-manifest"),
        (but(layout=99), "layout"),
        (but(digest="md5"), "digest"),
        (but(size=-1), "size"),
        (but(size="1"), "size"),
        (but(options=[1]), "options"),
        (but(image=None), "image"),
        (but(**{"part-size": 3}), "part-size"),
        (but(**{"part-size": 0}), "part-size"),
        (but(parts=None), "parts"),
        (but(parts=[]), "no digest for byte 0"),
        (but(parts=[1]), "part 0"),
        (parts({"offset": 1}), "part 0"),
        (parts({"offset": size}), "part 0"),
        (parts({"offset": 1 << 62}), "part 0"),
        (parts({"length": 0}), "part 0"),
        (parts({"length": size + unit}), "part 0"),
        (parts({"length": (1 << 63) - 1}), "part 0"),
        (parts({"length": 1 << 70}), "number|range|too"),
        (parts({}, {}), "part 1"),
        (parts({**digest, "length": 2 * unit}), "part 0"),
        (parts({**digest, "digest": "00"}), "part 0"),
        (parts({**digest, "digest": "zz" * 16}), "part 0"),
        (parts(digest), "no digest for byte"),
    ]
    with Checker() as checker:
        for number, (text, pattern) in enumerate(cases):
            checker.attempt(f"wrong manifest {number}: {pattern}", refuses,
                            vdisk, file, text, pattern)


if sys.argv[1] == "--flip":
    flip(sys.argv[2], int(sys.argv[3]))
elif sys.argv[1] == "--wrong":
    check_wrong(*sys.argv[2:])
else:
    check(*sys.argv[1:])
