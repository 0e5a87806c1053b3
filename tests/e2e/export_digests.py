#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Exports of images that are the same everywhere, against the digests that
are kept of them in export-digests.txt.

  export_digests.py record   print the digests of what vdisk export writes
  export_digests.py check    compare with what is kept: exports to a file,
                             some to a pipe, and outputs that are read in
                             random pieces

Nothing in these images is random or depends on the file system: holes of
files are not looked for.  Environment: VDISK is the tool, OUTPUT_READ the
program that reads outputs, VDISK_SEED the seed of its pieces; with VDISK_SCALE below 1
every fourth export is checked.
"""

import hashlib
import os
import subprocess
import sys

import qemu
import vhd_image
from export_check import GIB, KIB, MIB, TIB, VDISK
from verify import count_check

KEPT = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                    "export-digests.txt")
SCALE = float(os.environ.get("VDISK_SCALE", "1"))
SEED = os.environ.get("VDISK_SEED", "1")
ENVIRONMENT = dict(os.environ, SOURCE_DATE_EPOCH="1700000000",
                   HOST_HOLES="off")
UUID = "--uuid=00112233-4455-6677-8899-aabbccddeeff"
FLAGS = ("--fixed",)            # which the tool takes without a value
# What an output that can be read in any order does not have.
IN_ORDER = ("-c", "--compression", "--detect-zeroes", "--diff", "--backing",
            "--parent")


# --- Images --------------------------------------------------------------

def image(path, size, *commands, image_format="qcow2", options=(),
          backing=None):
    if image_format == "vpc":
        options = [*options, "force_size=on"]
    qemu.create(path, image_format, size, options, backing)
    if commands:
        qemu.io(path, image_format, commands)


def pattern_file(path, size):
    """Of bytes that do not repeat soon, with zeros among them."""
    with open(path, "wb") as file:
        for at in range(0, size, 4096):
            block = hashlib.sha256(b"%d" % at).digest() * 128
            if at // 4096 % 3 == 1:
                block = bytes(4096)
            file.write(block[:size - at])


def vhd(path, size, *ranges, **options):
    made = vhd_image.Vhd(options.pop("kind", vhd_image.DYNAMIC), size,
                         seed=path, **options)
    for offset, length in ranges:
        made.fill_random(offset, length)
    made.write(path)


def make_images():
    image("all.qcow2", 8 * MIB, "write -P 1 100k 300k", "write -P 2 1M 1",
          "write -P 0 2M 200k", "write -P 3 2500k 64k", "write -z 3M 256k",
          "write -P 5 8387908 700", "write -P 6 4M 64k",
          "write -P 7 5000001 70001", options=["cluster_size=4k"])
    image("base.vpc", 5 * MIB, "write -P 1 0 100k", "write -P 2 4M 70k",
          image_format="vpc")
    image("top.qcow2", 9 * MIB, "write -z 0 64k", "write -P 3 8M 1",
          "write -P 4 4100k 3k", backing=("base.vpc", "vpc"))
    image("some.qed", 6 * MIB, "write -P 1 0 1", "write -P 2 3M 200k",
          "write -z 5M 128k", image_format="qed")
    vhd("some.vhd", 7 * MIB, (0, 512), (3 * MIB + 512, 1024),
        (7 * MIB - 512, 512))
    # Sectors that share 4 KiB, and some that do not.
    vhd("sectors.vhd", 4 * MIB, *((n * 2560, 512) for n in range(300)),
        (3 * MIB - 512, 1024))
    # Runs of more than 1 MiB, that begin and end anywhere.
    vhd("runs.vhd", 24 * MIB + 512, (5 * KIB, 3 * MIB),
        (4 * MIB, 1 * MIB), (5 * MIB + 4 * KIB, 1 * MIB + 512),
        (9 * MIB + 512, 5 * MIB), (23 * MIB, 1 * MIB + 512))
    for size in 0, 1, 512, MIB + 1, 5 * MIB + 300:
        pattern_file(f"{size}.raw", size)
    qemu.img("convert", "-c", "-f", "qcow2", "-O", "qcow2", "all.qcow2",
             "packed.qcow2")
    image("long.qcow2", 3 * GIB + 512, "write -P 1 0 1",
          "write -P 2 1G 1M", "write -P 3 2147482948 1400",
          "write -P 4 3G 512")
    image("huge.qcow2", 63 * TIB, "write -P 1 100G 1", "write -P 2 31T 3M",
          f"write -P 3 {63 * TIB - 1} 1", options=["cluster_size=256k"])


# --- Which are exported, and how -----------------------------------------

def small_exports(path, number):
    """Every option somewhere, not every one everywhere."""
    clusters = [512 << (number * 4 + i) % 13 for i in range(4)]
    bits = [1 << (number * 3 + i) % 7 for i in range(4)]
    blocks = [4 * KIB << (number * 3 + i) % 13 for i in range(3)]

    yield "raw", [path]
    yield "qcow2", [path]
    for cluster, bit in zip(clusters, bits):
        yield "qcow2", [f"--cluster-size={cluster}",
                        f"--refcount-bits={bit}", path]
    yield "qcow2", ["--data-file=data", f"--cluster-size={clusters[1]}",
                    path]
    yield "qcow2", ["--data-file-raw=data", path]
    if path != "0.raw":
        yield "vhd", [UUID, path]
        for block in blocks:
            yield "vhd", [UUID, f"--block-size={block}", path]
        yield "vhd", [UUID, "--round=4M", "--block-size=65536", path]
        yield "vhd", [UUID, "--fixed", path]
        yield "vhd", [UUID, "--fixed", "--round=1M", path]
        yield "xva", [path]
        yield "xva", ["--checksum=sha1", "--prefix=Ref:12",
                      "--ova-xml=ova.xml", path]
        yield "xva", ["--detect-zeroes", path]
    yield "chunked", [path]
    yield "qcow2", ["--detect-zeroes", path]
    yield "chunked", ["--detect-zeroes", path]
    yield "raw", ["--detect-zeroes", path]


def differences():
    yield "qcow2", ["--diff=base.vpc", "--diff-format=vhd",
                    "--backing=base.vpc", "--backing-format=vpc",
                    "top.qcow2"]
    for block in 4096, 2 * MIB:
        yield "vhd", [UUID, "--parent=some.vhd", f"--block-size={block}",
                      "runs.vhd"]
    yield "vhd", [UUID, "--parent=sectors.vhd", "all.qcow2"]


def disks():
    names = ["runs.vhd=Ref:10", "all.qcow2=Ref:7", "some.qed=Ref:8",
             "top.qcow2=Ref:9"]
    yield "xva", names
    yield "xva", ["--checksum=sha1", "--ova-xml=ova.xml", *names[:2]]
    yield "xva", ["--prefix=Ref:2", "--prefix=Ref:1", "all.qcow2",
                  "all.qcow2"]


def large(path):
    for cluster in 64 * KIB, 2 * MIB:
        yield "qcow2", [f"--cluster-size={cluster}", path]
    yield "xva", [path]
    yield "chunked", [path]


def exports():
    paths = ["all.qcow2", "base.vpc", "top.qcow2", "some.qed", "some.vhd",
             "sectors.vhd", "runs.vhd", "packed.qcow2", "0.raw", "1.raw",
             "512.raw", f"{MIB + 1}.raw", f"{5 * MIB + 300}.raw"]
    for number, path in enumerate(paths):
        yield from small_exports(path, number)
    yield from differences()
    yield from disks()
    yield from large("long.qcow2")
    yield "vhd", [UUID, "long.qcow2"]
    yield from large("huge.qcow2")


# --- What comes of them --------------------------------------------------

def digest_of(file):
    """Its size, and SHA-256."""
    sha256 = hashlib.sha256()
    size = 0
    for block in iter(lambda: file.read(1 << 20), b""):
        sha256.update(block)
        size += len(block)
    return f"{size} {sha256.hexdigest()}"


def command(output, arguments, destination):
    images = [a for a in arguments if not a.startswith("-")]
    return [VDISK, "export", "-O", output, "--host-holes=off", "--no-flush",
            *(["--format=raw"] if images[0].endswith(".raw") else []),
            *arguments, destination]


def exported(output, arguments):
    subprocess.run(command(output, arguments, "export"), check=True,
                   env=ENVIRONMENT, timeout=120)
    with open("export", "rb") as file:
        return digest_of(file)


def piped(output, arguments):
    with subprocess.Popen(command(output, arguments, "-"), env=ENVIRONMENT,
                          stdout=subprocess.PIPE) as process:
        digest = digest_of(process.stdout)
    return digest if process.returncode == 0 else "failed"


def is_addressable(output, arguments):
    addressable = subprocess.run([os.environ["OUTPUT_READ"], "formats"],
                                 check=True, stdout=subprocess.PIPE,
                                 text=True).stdout.split()
    return output in addressable and not any(
        a.split("=")[0] in IN_ORDER for a in arguments)


def read_in_pieces(output, arguments):
    """The output's digest, its pieces having been read in random order.
    Of several disks the tool sorts the prefixes."""
    told = [a[2:] + ("=true" if a in FLAGS else "")
            for a in arguments if a.startswith("-")]
    options = [a for a in told if not a.startswith("prefix=")]
    prefixes = [a[7:] for a in told if a.startswith("prefix=")]
    names = [a.partition("=") for a in arguments if not a.startswith("-")]
    images = [name[0] for name in names]
    prefixes = prefixes or [name[2] for name in names if name[1]]
    if prefixes:
        prefixes, images = zip(*sorted(zip(prefixes, images)))
        options += [f"prefix={prefix}" for prefix in prefixes]
    if output == "vhd":
        options.append("time=1700000000")
    subprocess.run([os.environ["OUTPUT_READ"], SEED, ",".join(images),
                    "output", output, *options], check=True, env=ENVIRONMENT,
                   timeout=120)
    with open("output", "rb") as file:
        return digest_of(file)


def record():
    for output, arguments in exports():
        print(exported(output, arguments), output, *arguments, flush=True)


def read_kept():
    """The digest of each export."""
    kept = {}
    with open(KEPT, encoding="ascii") as file:
        for line in file:
            size, digest, what = line.rstrip("\n").split(" ", 2)
            kept[what] = f"{size} {digest}"
    return kept


def check():
    kept = read_kept()
    problems = 0
    many = [arguments for _, arguments in disks()]
    step = 1 if SCALE >= 1 else 4
    for number, (output, arguments) in enumerate(exports()):
        if number % step > 0 and arguments not in many:
            continue
        what = " ".join([output, *arguments])
        ways = [exported]
        if number % 8 == 0 and "--detect-zeroes" not in arguments:
            ways.append(piped)
        if is_addressable(output, arguments):
            ways.append(read_in_pieces)
        for way in ways:
            got = way(output, arguments)
            count_check()
            if got != kept.get(what):
                problems += 1
                print(f"{what}: {way.__name__}: {got}, not "
                      f"{kept.get(what)}")
    if problems or len(kept) < 100:
        raise SystemExit(f"{problems} of {len(kept)} differ")


if __name__ == "__main__":
    with open("ova.xml", "w", encoding="ascii") as xml:
        xml.write("<value><struct/></value>\n" * 999)
    make_images()
    {"record": record, "check": check}[sys.argv[1]]()
