# SPDX-License-Identifier: BSD-3-Clause
"""Export disks with vdisk, and read back what came out.

A Disk is what an oracle says a source holds: its bytes, as a sparse raw
file, and which ranges are data.  An Export is one set of options; each of
its subclasses knows what the stream of its format has to be:

    with Checker() as check:
        disk = Disk.by_qemu("disk.qcow2", "qcow2")
        check.exports(disk, Qcow2(cluster=4096), Xva(), pipe=True)

Checked each time: exit status 0 and not a word; the bytes of the stream by
the readers that demand its layout (qcow2_layout, vhd_layout, xva_reader,
chunked_reader); that exactly what must be there is; the disk's content,
by QEMU where it can read it and by the readers; and that --measure gives
the number of bytes.

Environment: VDISK is the tool.
"""

import json
import os
import re
import shutil
import subprocess
import traceback

import chunked_reader
import expect
import qcow2_layout
import qemu
import vhd_layout
import vhd_reader
import xva_reader
from servers import TOP
from verify import count_check

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
SECTOR = 512
PIECE = 1 << 20
MAYBE = object()                # there may be any warnings, or none

VDISK = os.environ.get("VDISK") or os.path.join(TOP, "tools", "vdisk")


class Wrong(Exception):
    """An export is not what it must be."""


FAILURES = (Wrong, qemu.QemuError, qcow2_layout.LayoutError,
            vhd_layout.LayoutError, vhd_reader.VhdError,
            xva_reader.XvaError, chunked_reader.ChunkedError, OSError,
            subprocess.TimeoutExpired)


def ceil(a, b):
    return -(-a // b)


def round_up(n, unit):
    return ceil(n, unit) * unit


def number(text):
    """'64k' or 65536 as bytes."""
    units = {"k": 10, "M": 20, "G": 30, "T": 40}
    text = str(text)
    if text[-1] in units:
        return int(text[:-1]) << units[text[-1]]
    return int(text)


def difference(found, wanted):
    """How two collections of numbers differ, briefly."""
    found, wanted = set(found), set(wanted)
    return (f"too many: {sorted(found - wanted)[:8]}, "
            f"missing: {sorted(wanted - found)[:8]}")


# --- Files and ranges ----------------------------------------------------

def data_extents(file):
    """(start, end) of what is not a hole."""
    size = os.fstat(file.fileno()).st_size
    position = 0
    while position < size:
        try:
            start = os.lseek(file.fileno(), position, os.SEEK_DATA)
        except OSError:
            return
        position = os.lseek(file.fileno(), start, os.SEEK_HOLE)
        yield start, min(position, size)


def merged(ranges):
    """Sorted ranges, neighbours and overlapping ones joined."""
    result = []
    for start, end in sorted(ranges):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        elif end > start:
            result.append((start, end))
    return result


def outward(ranges, unit, size):
    """Ranges rounded outward to 'unit', and clipped to the disk."""
    return merged((start // unit * unit, min(round_up(end, unit), size))
                  for start, end in ranges)


def units(ranges, unit):
    """The numbers of the units that ranges touch."""
    numbers = []
    for start, end in ranges:
        first = start // unit
        if numbers and numbers[-1] >= first:
            first = numbers[-1] + 1
        numbers += range(first, ceil(end, unit))
    return numbers


def compare(wanted, found, size):
    """A file has these bytes, then zeros up to 'size', and no more."""
    if os.path.getsize(found) != size:
        raise Wrong(f"{found}: {os.path.getsize(found)} bytes, "
                    f"expected {size}")
    with open(wanted, "rb") as a, open(found, "rb") as b:
        for start, end in merged([*data_extents(a), *data_extents(b)]):
            for at in range(start, end, PIECE):
                count = min(PIECE, end - at)
                a.seek(at)
                b.seek(at)
                left, right = a.read(count), b.read(count)
                left = left.ljust(len(right), b"\0")
                if left != right:
                    at += next(i for i, byte in enumerate(left)
                               if right[i:i + 1] != bytes([byte]))
                    raise Wrong(f"{found}: other bytes than {wanted} from "
                                f"{at} on")


# --- What a source holds -------------------------------------------------

class Disk:
    """The disk of a source, by an oracle.

    path, args   of the image, and how vdisk is told to open it
    raw          its bytes, in a file of their own
    size, data   of the disk, and the ranges that are data
    format       QEMU's name
    qemu_reads   whether QEMU reads it rightly
    warning      a pattern of what vdisk has to say of it, or MAYBE"""

    warning = None

    def __init__(self, path, raw, data, *args, image_format="raw",
                 qemu_reads=True):
        self.path = path
        self.raw = raw
        self.size = os.path.getsize(raw)
        self.data = merged(data)
        self.args = list(args)
        self.format = image_format
        self.qemu_reads = qemu_reads

    @classmethod
    def by_qemu(cls, path, image_format="qcow2", *args, size=None,
                oracle=None):
        """Ask QEMU, and look up the holes of host files.  'size' if it
        is one that QEMU cannot tell; 'oracle' is another image to ask."""
        oracle = oracle or path
        layers = qemu.chain(oracle, image_format)
        expect.settle_chain(layers)
        if oracle != path:
            expect.settle(path)
        if image_format == "raw":
            args += ("--format=raw",)
            size = os.path.getsize(path) if size is None else size
        raw = f"{path}.content"
        qemu.img("convert", "-U", "-f", image_format, "-O", "raw", oracle,
                 raw)
        size = layers[0].size if size is None else size
        os.truncate(raw, size)
        extents, _ = expect.expected_map(oracle, layers, size)
        data = [(offset, offset + length) for offset, length, state
                in extents if state == expect.DATA]
        return cls(path, raw, data, *args, image_format=image_format)

    @classmethod
    def by_reader(cls, path, *args, size="auto", ignore_bitmaps=False,
                  qemu_reads=False):
        """A VHD, by the reader of VHDs.  QEMU knows nothing of parents
        and sector bitmaps."""
        chain = vhd_reader.Chain(path, size, ignore_bitmaps)
        for layer in chain.layers:
            expect.settle(layer.file.path)
        raw = f"{path}.content"
        chain.write_raw(raw)
        data = [(offset, offset + length) for offset, length, kind
                in chain.map() if kind == vhd_reader.DATA]
        chain.close()
        return cls(path, raw, data, *args, image_format="vpc",
                   qemu_reads=qemu_reads)

    def same(self, source, *args):
        """The same disk from another source."""
        return Disk(source, self.raw, self.data, *args,
                    image_format=self.format, qemu_reads=self.qemu_reads)

    def bytes_at(self, start, end):
        with open(self.raw, "rb") as file:
            file.seek(start)
            return file.read(max(end - start, 0))

    def written(self):
        """Ranges in which there may be anything but zeros."""
        with open(self.raw, "rb") as file:
            return list(data_extents(file))

    def nonzero(self, unit):
        """The numbers of the units that are not all zeros."""
        return self.differing(None, unit)

    def differing(self, base, unit):
        """The numbers of the units in which another disk has something
        else.  It has zeros beyond its end."""
        ranges = self.written() + (base.written() if base else [])
        numbers = []
        with open(self.raw, "rb") as mine, \
                open(base.raw if base else os.devnull, "rb") as theirs:
            for n in units(merged(ranges), unit):
                if n * unit >= self.size:
                    break
                mine.seek(n * unit)
                theirs.seek(n * unit)
                data = mine.read(unit)
                other = theirs.read(len(data))
                if data != other.ljust(len(data), b"\0"):
                    numbers.append(n)
        return numbers


# --- What may be exported ------------------------------------------------

class Export:
    """One way to export a disk: its options, and what has to come out."""

    output = None
    detect = False
    piped = False               # the last time it was done

    def options(self):
        """Of the command line, but for -O."""
        return ["--detect-zeroes"] if self.detect else []

    def verify(self, disk, path):
        """Raise Wrong, or what a reader raises."""
        raise NotImplementedError

    def measurable(self):
        return not self.detect

    def environment(self):
        return {}

    def __str__(self):
        return " ".join(["-O", self.output, *self.options()])

    def check_units(self, what, disk, unit, found):
        """Exactly the units of the disk that hold data are there, or that
        are not all zeros."""
        wanted = disk.nonzero(unit) if self.detect else units(disk.data,
                                                              unit)
        if list(found) != wanted:
            raise Wrong(f"{what}: {difference(found, wanted)}")


class Raw(Export):
    output = "raw"

    def __init__(self, detect=False, prealloc=False):
        self.detect = detect
        self.prealloc = prealloc

    def options(self):
        return super().options() + (["--prealloc"] if self.prealloc else [])

    def measurable(self):
        return True

    def verify(self, disk, path):
        compare(disk.raw, path, disk.size)
        if self.piped:
            return
        status = os.stat(path)
        if self.prealloc:
            if status.st_blocks * 512 < disk.size:
                raise Wrong(f"{status.st_blocks} sectors are allocated")
            return
        unit = status.st_blksize
        most = len(units(disk.data, unit)) * unit
        if self.detect:
            most = len(disk.nonzero(unit)) * unit
        with open(path, "rb") as file:
            found = sum(end - start for start, end in data_extents(file))
        if found > most:
            raise Wrong(f"{found} bytes are not holes, expected {most}")


class Qcow2(Export):
    output = "qcow2"

    def __init__(self, cluster=None, bits=None, detect=False,
                 compression=None, level=None, data_file=None,
                 raw_data=False, diff=None, backing=None,
                 backing_format=None):
        self.cluster = cluster
        self.bits = bits
        self.detect = detect or compression is not None
        self.compression = compression
        self.level = level
        self.data_file = data_file
        self.raw_data = raw_data
        self.diff = diff
        self.backing = backing
        self.backing_format = backing_format
        self.loose = self.detect

    def options(self):
        result = [] if self.compression else super().options()
        for name, value in (
                ("cluster-size", self.cluster), ("refcount-bits", self.bits),
                ("compression", self.compression),
                ("compression-level", self.level),
                ("data-file-raw" if self.raw_data else "data-file",
                 self.data_file),
                ("diff", self.diff and self.diff.path),
                ("diff-format", self.diff and {"vpc": "vhd"}.get(
                    self.diff.format, self.diff.format)),
                ("backing", self.backing),
                ("backing-format", self.backing_format)):
            if value is not None:
                result.append(f"--{name}={value}")
        return result

    def verify(self, disk, path):
        unit = number(self.cluster or 65536)
        backing_format = self.backing_format
        if self.backing and not backing_format:
            backing_format = self.diff.format
        layout = qcow2_layout.Layout(
            path, size=disk.size, cluster_size=unit,
            refcount_bits=self.bits or 16, backing=self.backing,
            backing_format=backing_format, data_file=self.data_file,
            raw_data=self.raw_data, compression=self.compression,
            loose=self.loose)
        self.check_clusters(disk, layout, unit)
        self.check_bytes(disk, layout, unit)
        if self.data_file:
            # A copy, since opening it for writing may change it.
            shutil.copyfile(disk.raw, self.data_file)
            os.truncate(self.data_file, layout.size)
        self.check_by_qemu(disk, path)

    def check_clusters(self, disk, layout, unit):
        found = sorted(layout.data + layout.compressed)
        if self.diff:
            self.check_diff(disk, layout, unit)
        elif self.raw_data:
            if layout.data != list(range(ceil(disk.size, unit))):
                raise Wrong("not all clusters are allocated")
        else:
            if layout.zero:
                raise Wrong(f"zero clusters: {layout.zero[:8]}")
            self.check_units("clusters", disk, unit, found)

    @staticmethod
    def check_bytes(disk, layout, unit):
        """The clusters that are there have the bytes of the disk."""
        with open(layout.path, "rb") as file:
            for guest, offset in layout.places:
                file.seek(offset)
                wanted = disk.bytes_at(guest * unit, (guest + 1) * unit)
                if file.read(unit) != wanted.ljust(unit, b"\0"):
                    raise Wrong(f"cluster {guest} has other bytes")

    def check_diff(self, disk, layout, unit):
        """What differs is there, as data, or as zeros over data."""
        found = sorted(layout.data + layout.compressed)
        changed = disk.differing(self.diff, unit)
        if sorted(found + layout.zero) != changed:
            raise Wrong("clusters that differ: " +
                        difference(found + layout.zero, changed))
        nonzero = set(disk.nonzero(unit))
        if not nonzero.isdisjoint(layout.zero):
            raise Wrong("a zero cluster should have data")
        meant = nonzero if self.detect else set(units(disk.data, unit))
        if not meant.issuperset(found):
            raise Wrong("zeros of the source are stored as data: "
                        f"{sorted(set(found) - meant)[:8]}")

    def check_by_qemu(self, disk, path):
        if self.diff:
            # Looked at over the disk it was made against, if QEMU can.
            shutil.copyfile(path, f"{path}.over")
            path = f"{path}.over"
            below = ["-b", ""]
            if self.diff.qemu_reads:
                below = ["-b", os.path.abspath(self.diff.path), "-F",
                         self.diff.format]
            qemu.img("rebase", "-u", "-f", "qcow2", *below, path)
        check = json.loads(qemu.img("check", "--output=json", "-f", "qcow2",
                                    path))
        for key in "corruptions", "leaks", "check-errors":
            if check.get(key):
                raise Wrong(f"qemu-img check: {check}")
        if not self.diff or self.diff.qemu_reads:
            qemu.img("compare", "-q", "-f", "raw", "-F", "qcow2", disk.raw,
                     path)
        if path.endswith(".over"):
            os.unlink(path)


class Vhd(Export):
    output = "vhd"

    def __init__(self, block=None, fixed=False, parent=None, uuid=None,
                 detect=False, time=None, rounded=None):
        self.block = block
        self.rounded = rounded
        self.fixed = fixed
        self.parent = parent
        self.uuid = uuid
        self.detect = detect
        self.time = time

    def options(self):
        result = super().options() + (["--fixed"] if self.fixed else [])
        for name, value in (("block-size", self.block), ("uuid", self.uuid),
                            ("round", self.rounded),
                            ("parent", self.parent and self.parent.path)):
            if value is not None:
                result.append(f"--{name}={value}")
        return result

    def environment(self):
        if self.time is None:
            return {}
        return {"SOURCE_DATE_EPOCH": str(self.time)}

    def verify(self, disk, path):
        unit = number(self.block or 2 << 20)
        geometry = None
        if disk.format == "vpc":
            geometry = vhd_reader.VhdLayer(disk.path).chs
        size = round_up(disk.size, number(self.rounded or SECTOR))
        layout = vhd_layout.Layout(
            path, fixed=self.fixed, size=size, block_size=unit,
            disk_uuid=self.uuid, time=self.time, source_geometry=geometry,
            parent=self.parent and self.parent.path)
        if not self.fixed:
            self.check_sectors(disk, layout, unit)
            self.check_absent(disk, layout)
        if not self.parent and disk.size > 0:
            self.check_by_qemu(disk, path, size)
        # The reader takes its time for each block of a large disk.
        if self.parent or disk.size < 100 * GIB:
            chain = vhd_reader.Chain(path)
            chain.write_raw(f"{path}.read")
            chain.close()
            compare(disk.raw, f"{path}.read", size)
            os.unlink(f"{path}.read")

    def check_sectors(self, disk, layout, unit):
        if self.parent:
            wanted = outward(
                ((n * SECTOR, (n + 1) * SECTOR)
                 for n in disk.differing(self.parent, SECTOR)), SECTOR,
                round_up(disk.size, SECTOR))
        else:
            wanted = outward(disk.data, SECTOR, round_up(disk.size, SECTOR))
            self.check_units("blocks", disk, unit, layout.blocks)
        if self.detect and not self.parent:
            # How finely zeros are looked for is not said.
            if merged(wanted + layout.present) != wanted:
                raise Wrong("sectors that are not data are there")
        elif layout.present != wanted:
            raise Wrong("sectors: " + difference(layout.present, wanted))

    @staticmethod
    def check_absent(disk, layout):
        """Sectors that are left to the parent are zeros or what is on the
        disk, and not what was in some memory."""
        with open(layout.path, "rb") as file:
            for start, end, offset in layout.absent:
                file.seek(offset)
                wanted = disk.bytes_at(start, end).ljust(end - start, b"\0")
                for at in range(0, end - start, SECTOR):
                    sector = file.read(SECTOR)
                    if any(sector) and sector != wanted[at:at + SECTOR]:
                        raise Wrong(f"strange bytes at {start + at}, where "
                                    f"no sector is")

    @staticmethod
    def check_by_qemu(disk, path, size):
        info = json.loads(qemu.img("info", "--output=json", "-f", "vpc",
                                   path))
        if info["virtual-size"] != size:
            raise Wrong(f"QEMU finds {info['virtual-size']} bytes, "
                        f"expected {size}")
        qemu.img("compare", "-q", "-f", "raw", "-F", "vpc", disk.raw, path)


class Xva(Export):
    output = "xva"

    def __init__(self, prefix=None, checksum=None, ova_xml=None,
                 detect=False):
        self.prefix = prefix
        self.checksum = checksum
        self.ova_xml = ova_xml
        self.detect = detect

    def options(self):
        result = super().options()
        for name, value in (("prefix", self.prefix),
                            ("checksum", self.checksum),
                            ("ova-xml", self.ova_xml)):
            if value is not None:
                result.append(f"--{name}={value}")
        return result

    def verify(self, disk, path):
        self.verify_all({self.prefix or "Ref:0": disk}, path)

    def verify_all(self, disks, path):
        """'disks' by their prefixes."""
        ova_xml = None
        if self.ova_xml:
            with open(self.ova_xml, "rb") as file:
                ova_xml = file.read()
        raws = {prefix: f"{path}.{n}" for n, prefix in enumerate(disks)}
        found = xva_reader.read(path, self.checksum or "xxhash", ova_xml,
                                raws)
        if [one.prefix for one in found] != sorted(disks):
            raise Wrong(f"disks: {[one.prefix for one in found]}")
        for one in found:
            disk = disks[one.prefix]
            wanted = (disk.nonzero(MIB) if self.detect
                      else units(disk.data, MIB))
            last = ceil(disk.size, MIB) - 1
            wanted = sorted({0, last, *wanted})
            if one.numbers != wanted:
                raise Wrong("blocks: " + difference(one.numbers, wanted))
            compare(disk.raw, raws[one.prefix], disk.size)
            os.unlink(raws[one.prefix])


class Chunked(Export):
    output = "chunked"
    unit = 4 * KIB

    def __init__(self, detect=False):
        self.detect = detect

    def verify(self, disk, path):
        ranges = chunked_reader.read(path, disk.size, f"{path}.read")
        compare(disk.raw, f"{path}.read", disk.size)
        os.unlink(f"{path}.read")
        wanted = outward(disk.data, self.unit, disk.size)
        if self.detect:
            if merged(wanted + ranges) != wanted:
                raise Wrong("chunks where there is no data")
        elif ranges != wanted:
            raise Wrong("chunks: " + difference(ranges, wanted))


# --- Running it ----------------------------------------------------------

def run(*args, env=None, check=True, warning=None, timeout=120, **options):
    """vdisk export.  With 'check' it has to end well, and silently but for
    a 'warning'."""
    done = subprocess.run(
        [VDISK, "export", *args], stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE, timeout=timeout, check=False,
        env={**os.environ, **(env or {})},
        **{"stdout": subprocess.PIPE, **options})
    said = done.stderr.decode(errors="replace")
    if check and (done.returncode != 0 or not may_say(said, warning)):
        raise Wrong(f"status {done.returncode}: {said.strip()}")
    return done


def may_say(text, warning):
    """Is this nothing, or the warning?"""
    if warning is None:
        return text == ""
    if warning is MAYBE:
        return bool(re.fullmatch("(vdisk: warning: .*\n)*", text))
    return bool(re.fullmatch(f"vdisk: warning: .*{warning}.*\n", text))


def to_pipe(*args, path, **options):
    """The same to a pipe, whose other end goes to a file."""
    with open(path, "wb") as file, \
            subprocess.Popen(["cat"], stdin=subprocess.PIPE,
                             stdout=file) as cat:
        run(*args, "-", stdout=cat.stdin, **options)
        cat.stdin.close()


def measure(*args, **options):
    text = run("--measure", *args, **options).stdout
    if not text.endswith(b"\n") or not text[:-1].isdigit():
        raise Wrong(f"--measure printed {text!r}")
    return int(text)


class Checker:
    """Exports, checks and counts; failures are collected, told, and end
    the program with status 1 when it is left."""

    def __init__(self):
        self.failed = 0

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None and self.failed:
            print(f"{self.failed} failed")
            raise SystemExit(1)

    def attempt(self, what, function, *args, **options):
        """Call it, and note what goes wrong."""
        try:
            function(*args, **options)
        except FAILURES as error:
            message = f"{type(error).__name__}: {error}"
        except Exception:           # a bug of the tests
            message = traceback.format_exc()
        else:
            print("ok:", what, flush=True)
            count_check()
            return True
        self.failed += 1
        print(f"FAILED: {what}: {message}", flush=True)
        return False

    def equal(self, what, found, wanted):
        def compare_them():
            if found != wanted:
                raise Wrong(f"{found!r}, expected {wanted!r}")
        return self.attempt(what, compare_them)

    def exports(self, disk, *ways, pipe=False, keep=False):
        """Export the disk in each way.  Gives the last file, if kept."""
        path = None
        for way in ways:
            name = re.sub("[^A-Za-z0-9.]", "-", os.path.basename(disk.path))
            path = f"{name}.{way.output}"
            what = f"{disk.path} {way}{' | cat' if pipe else ''}"
            self.attempt(what, export, disk, way, path, pipe)
            if not keep and os.path.exists(path):
                os.unlink(path)
        return path


def export(disk, way, path, pipe=False):
    """Export and verify."""
    if os.path.exists(path):
        os.unlink(path)
    args = ["-O", way.output, *way.options(), *disk.args, disk.path]
    options = {"env": way.environment(), "warning": disk.warning}
    for other in getattr(way, "diff", None), getattr(way, "parent", None):
        if other and other.warning:
            options["warning"] = MAYBE
    way.piped = pipe
    if pipe:
        to_pipe(*args, path=path, **options)
    else:
        done = run(*args, path, **options)
        if done.stdout:
            raise Wrong(f"it printed {done.stdout[:80]!r}")
    way.verify(disk, path)
    if way.measurable():
        size = os.path.getsize(path)
        measured = measure(*args, **options)
        if measured != size:
            raise Wrong(f"--measure says {measured} bytes, there are {size}")


ALL = (Raw, Qcow2, Vhd, Xva, Chunked)
