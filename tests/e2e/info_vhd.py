#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""vdisk info of VHDs: every value is what was written, and what QEMU shows
too is as QEMU has it."""

import json
import os
import random
import subprocess
import uuid

from vhd_image import (Batmap, DIFFERENCING, DYNAMIC, EPOCH, FIXED, KIB,
                       MAX_CHS, MIB, SECTOR, Vhd, altered, bad_checksum,
                       chs_size, cut_511, libvhd_locators, macx, missing,
                       size_by_creator, w2ku, w2ru, zeroes)

CREATORS = [b"vpc ", b"qemu", b"win ", b"qem2", b"d2v ", b"tap\0", b"tap ",
            b"CTXS", b"caml", b"vbox", b"vs  ", b"wa\0\0", b"\0\0\0\0",
            b"what"]
GEOMETRIES = [(100, 4, 17), (150, 4, 17), MAX_CHS, (65535, 17, 240),
              (0, 0, 0), (100, 0, 17)]
KNOWN_TO_7 = (b"win ", b"qem2", b"d2v ", b"tap\0", b"CTXS")
TYPES = {FIXED: "fixed", DYNAMIC: "dynamic", DIFFERENCING: "differencing"}
NO_COOKIE = 'no cookie "conectix"'

checks = 0


def same(found, wanted, what):
    global checks
    checks += 1
    assert found == wanted, f"{what}: {found!r}, expected {wanted!r}"


def run(*argv):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout


def info(path, *options):
    """The document, and the format's part of it."""
    text = run(os.environ["VDISK"], "info", "--output=json", *options, path)
    document = json.loads(text)
    same(document["format"], "vpc", "format")
    same(document["format-specific"]["type"], "vhd", "type")
    return document, document["format-specific"]["data"]


def qemu_info(path):
    return json.loads(run("qemu-img", "info", "-U", "-f", "vpc",
                          "--output=json", path))


def qemu_rules():
    """Whose rules for sizes QEMU has.  They changed between these; it has
    neither between the two."""
    words = run("qemu-img", "--version").split()
    version = tuple(int(n) for n in words[2].split(b".")[:2])
    return ("qemu-7.2" if version <= (7, 2) else
            "qemu-10.0" if version >= (10, 0) else None)


# --- Sizes ------------------------------------------------------------------

def seen_by(vhd, takes_chs):
    chs = chs_size(vhd.chs)
    return chs if takes_chs and chs != chs_size(MAX_CHS) else vhd.size


def check_sizes(vhd, oracle):
    what = f"{vhd.kind} {vhd.creator} {vhd.chs}"
    document, data = info(vhd.path)
    same(document["virtual-size"],
         size_by_creator(vhd.creator, 8 * MIB, vhd.chs), what)
    same(data["chs-size"], chs_size(vhd.chs), what)
    same(data["geometry"], dict(zip(("cylinders", "heads", "sectors"),
                                    vhd.chs)), what)
    same(data["size-seen-by"],
         {"qemu-7.2": seen_by(vhd, vhd.creator not in KNOWN_TO_7),
          "qemu-10.0": seen_by(vhd, vhd.creator in (b"vpc ", b"qemu")),
          "xenserver": 8 * MIB}, what)
    if oracle:
        same(qemu_info(vhd.path)["virtual-size"],
             data["size-seen-by"][oracle], what + " qemu-img")
    same(data["aligned-to-1-mib"], document["virtual-size"] % MIB == 0, what)


def sizes():
    """Who takes which size is a matter of the creator, and of the reader."""
    oracle = qemu_rules()
    for kind in FIXED, DYNAMIC:
        for creator in CREATORS:
            for chs in GEOMETRIES:
                if creator in (b"vpc ", b"qemu") and chs in GEOMETRIES[3:]:
                    continue        # nobody writes these, and QEMU differs
                vhd = Vhd(kind, 8 * MIB, creator=creator, chs=chs,
                          bat_entries=65536)
                if kind == DYNAMIC:
                    vhd.virtual_size = 8 * MIB
                    vhd.fill_random(0, 4096)
                check_sizes(vhd.write("sizes.vhd"), oracle)
    _, data = info("sizes.vhd", "--size=chs")
    same(data["aligned-to-1-mib"], True, "no geometry")


# --- All values -------------------------------------------------------------

def text_of(code):
    """A creator as text; those here are printable but for padding."""
    return code.decode().rstrip("\0 ")


def time_of(stamp):
    return run("date", "--utc", "--date", f"@{EPOCH + stamp}",
               "+%Y-%m-%dT%H:%M:%SZ").decode().strip()


def check_footer(vhd, data):
    same(data["type"], TYPES[vhd.kind], "type")
    same(data["creator"], text_of(vhd.creator), "creator")
    same(data["creator-version"], f"{vhd.creator_version >> 16}."
         f"{vhd.creator_version & 0xffff}", "creator version")
    same(data["creator-host-os"], text_of(vhd.creator_os), "creator OS")
    same(data["uuid"], str(uuid.UUID(bytes=vhd.uuid)), "UUID")
    same(data["time-stamp"], time_of(vhd.time), "time stamp")
    same(data["original-size"], vhd.original_size, "original size")
    same(data["current-size"], vhd.size, "current size")
    same(data["saved-state"], bool(vhd.saved_state), "saved state")
    same(data["hidden"], False, "hidden")


def check_sparse(vhd, document, data):
    same(document["cluster-size"], vhd.block_size, "cluster size")
    same(data["block-size"], vhd.block_size, "block size")
    same(data["max-table-entries"], vhd.bat_entries, "entries")
    same(data["table-offset"], vhd.bat_offset, "table offset")
    blocks = -(-vhd.virtual_size // vhd.block_size)
    same(data["allocated-blocks"],
         sum(number < blocks for number in vhd.blocks), "blocks")
    same(data["batmap"], "valid" if vhd.batmap else "none", "batmap")


def check_parent(vhd, paths, parent):
    same(parent["uuid"], str(uuid.UUID(bytes=vhd.parent_uuid)), "parent")
    same(parent["time-stamp"], time_of(vhd.parent_time), "parent's time")
    same(parent["name"], vhd.parent_name, "parent's name")
    wanted = [{"code": locator.code.decode(), "offset": locator.offset,
               "space": locator.space, "length": locator.length,
               "path": path.replace("\\", "\\\\")}
              for locator, path in zip(vhd.locators, paths)]
    same(parent["locators"], wanted, "locators")


def random_parent(rng, windows):
    """Locators of a parent, and the paths that they say."""
    url = "./b%20\u00e4.vhd"
    paths = ["file://" + url, windows, "..\\x\\\U0001d6d2.vhd"]
    locators = [macx(url), w2ku(windows, "\0"), w2ru(paths[2])]
    if rng.random() < 0.5:
        locators = [locator.in_bytes() for locator in locators]
    return locators, paths


def random_disk(rng, number):
    """A disk, and the paths of its locators."""
    kind = rng.choice([FIXED, DYNAMIC, DIFFERENCING])
    creator = rng.choice([b"tap\0", b"win ", b"qem2", b"caml", b"vpc "])
    size = rng.randrange(1, 20) * MIB + rng.choice([0, 512])
    windows = rng.choice([".\\", "C:\\disks\\"]) + "b\u00e4se \u2603.vhd"
    locators, paths = [], []
    if kind == DIFFERENCING:
        locators, paths = random_parent(rng, windows)
    vhd = Vhd(kind, size, creator=creator, chs=MAX_CHS,
              creator_version=rng.randrange(1 << 32) | 2,
              creator_os=rng.choice([b"Wi2k", b"Mac ", bytes(4)]),
              original_size=rng.randrange(1 << 63),
              time=rng.randrange(1 << 32), seed=number,
              saved_state=rng.randrange(2),
              block_size=2 * MIB if creator == b"tap\0"
              else rng.choice([64 * KIB, 2 * MIB]),
              batmap=Batmap() if creator == b"tap\0" else None,
              parent_uuid=rng.randbytes(16),
              parent_time=rng.randrange(1 << 32),
              parent_name=rng.choice(["", "b\u00e4se \u2603.vhd"]),
              locators=locators)
    for _ in range(rng.randrange(4)):
        vhd.fill_random(rng.randrange(size // SECTOR) * SECTOR, SECTOR)
    if kind != FIXED:
        vhd.bat_entries = -(-size // vhd.block_size) + rng.randrange(3000)
    return vhd.write("image.vhd"), paths


def values():
    """Every value of random disks."""
    rng = random.Random(os.environ["VDISK_SEED"])
    for number in range(30):
        vhd, paths = random_disk(rng, number)
        document, data = info(vhd.path)
        same(document["virtual-size"], vhd.size, "virtual size")
        check_footer(vhd, data)
        if vhd.kind == FIXED:
            same(data["footer"], {"at-end": "valid", "copy": "none"}, "footer")
            same("cluster-size" in document, False, "cluster size")
            same("block-size" in data, False, "block size")
        else:
            same(data["footer"], {"at-end": "valid", "copy": "valid",
                                  "identical": True}, "footer")
            check_sparse(vhd, document, data)
        if vhd.kind == DIFFERENCING:
            check_parent(vhd, paths, data["parent"])
        else:
            same("parent" in data, False, "parent")
        run(os.environ["VDISK"], "info", vhd.path)


# --- What is odd ------------------------------------------------------------

def footer(**options):
    Vhd(DYNAMIC, MIB, **options).write("footer.vhd")
    return info("footer.vhd")[1]["footer"]


def checks_of(found, at_end, copy, identical):
    same(found["identical"], identical, "identical")
    for key, pattern in ("at-end", at_end), ("copy", copy):
        same(found[key].startswith(pattern), True, f"{key}: {found[key]}")


def footers():
    """Footers that are damaged, or differ."""
    checks_of(footer(), "valid", "valid", True)
    checks_of(footer(end_footer=cut_511), "valid", "valid", True)
    checks_of(footer(end_footer=missing), NO_COOKIE, "valid", False)
    checks_of(footer(padding=bytes(512)), NO_COOKIE, "valid", False)
    checks_of(footer(end_footer=bad_checksum), "checksum 0x", "valid", False)
    checks_of(footer(footer_copy=zeroes), "valid", NO_COOKIE, False)
    checks_of(footer(footer_copy=altered(24, b"1234")), "valid", "valid",
              False)
    checks_of(footer(footer_copy=altered(60, b"\0\0\0\2")), "valid", "type 2",
              False)


def oddities():
    """What is hidden, no text, damaged, or leads nowhere."""
    hidden = altered(85, b"\1")
    Vhd(DYNAMIC, MIB, end_footer=hidden,
        footer_copy=hidden).write("hidden.vhd")
    same(info("hidden.vhd")[1]["hidden"], True, "hidden")

    # Bytes that are no text are none in the document either.
    Vhd(DYNAMIC, MIB, creator=b"\x1b[\xff\"").write("creator.vhd")
    same(info("creator.vhd")[1]["creator"], '\\x1b[\\xff"', "creator")

    for lie, text in (({"checksum": 1}, "checksum 0x00000001, expected 0x"),
                      ({"version": 0x00010003}, "version 1.3, must be"),
                      ({"cookie": b"tdbatmaq"}, "none")):
        Vhd(DYNAMIC, 40 * MIB, batmap=Batmap(**lie)).write("batmap.vhd")
        found = info("batmap.vhd")[1]["batmap"]
        same(found.startswith(text), True, found)

    # A locator that leads nowhere.
    vhd = Vhd(DIFFERENCING, MIB, locators=libvhd_locators("base.vhd"),
              parent_name="base.vhd")
    vhd.locators[1].length = 600
    vhd.write("locator.vhd")
    found = info("locator.vhd")[1]["parent"]["locators"]
    same([("path" in entry, entry.get("error")) for entry in found],
         [(True, None), (False, "length 600, must be 1 to 512"), (True, None)],
         "locators")


def made_by_qemu():
    """What QEMU shows of its images too is as it has it."""
    for options in ("subformat=dynamic", "subformat=fixed",
                    "subformat=dynamic,force_size=on"):
        for size in "1M", "33333760", "200G":
            if "fixed" in options and size == "200G":
                continue
            if "force" not in options and size == "200G":
                size = "100G"
            run("qemu-img", "create", "-q", "-f", "vpc", "-o", options,
                "qemu.vhd", size)
            run("qemu-io", "-f", "vpc", "-c", "write -q 0 64k", "qemu.vhd")
            document, data = info("qemu.vhd")
            wanted = qemu_info("qemu.vhd")
            for key in ("virtual-size", "filename", "format", "actual-size",
                        "dirty-flag", "cluster-size"):
                same(document.get(key), wanted.get(key), f"{options} {key}")
            same(data["type"], "fixed" if "fixed" in options else "dynamic",
                 "type")
            same(data["creator"], "qem2" if "force" in options else "qemu",
                 "creator")
            same(data["creator-host-os"], "Wi2k", "OS")
            os.unlink("qemu.vhd")


def main():
    sizes()
    values()
    footers()
    oddities()
    made_by_qemu()
    with open(os.environ["VDISK_COUNTS"], "a") as counts:
        print(1, checks, file=counts)
    print(f"ok: {checks} values")


if __name__ == "__main__":
    main()
