# SPDX-License-Identifier: BSD-3-Clause
"""What 'vdisk check' has to say of VHDs that vhd_image has written.

    with Verdicts() as verdicts:
        verdicts.clean(vhd)                 nothing at all is found
        verdicts.finds(vhd, "error", "footer copy: no cookie")
        verdicts.agrees(vhd)                errors, leaks and counts are
                                            those of the model here

The model works on sets of ranges, where the library has slots and windows.
Failures are collected, told on standard output, and end the program with
status 1.
"""

import os
import re
import sys

import vhd_image as vi
from check_verdict import vdisk
from vhd_image import SECTOR

STATUS = {"clean": 0, "warning": 0, "error": 2, "leak": 3}


def space_of(vhd):
    """Bytes a block takes in the file, bitmap included."""
    return vi.round_up(vhd.block_size // SECTOR, 8 * SECTOR) // 8 + \
        vhd.block_size


def has_batmap(vhd):
    return (vhd.batmap and vhd.creator == b"tap\0" and
            vhd.block_size == 2 * vi.MIB and
            vhd.batmap.cookie == b"tdbatmap")


def areas(vhd):
    """(start, end) of all that is no block, but for the end footer."""
    head_at = vhd.bat_offset + vi.round_up(vhd.bat_entries * 4, SECTOR)
    yield 0, 512
    yield vhd.header_offset, vhd.header_offset + 1024
    yield vhd.bat_offset, vhd.bat_offset + vhd.bat_entries * 4
    if has_batmap(vhd):
        yield head_at, head_at + SECTOR
        if vhd.batmap.checksum is None:
            length = len(vhd.batmap_bytes()[1])
            yield vhd.batmap.offset, vhd.batmap.offset + length
    if vhd.kind == vi.DIFFERENCING:
        for locator in vhd.locators:
            yield locator.offset, locator.offset + locator.length


def end_footer_is_good(vhd):
    return (vhd.end_footer in (vi.whole, vi.cut_511) and not vhd.padding)


class Model:
    """Of an image whose blocks are all in the file, and do not overlap."""

    def __init__(self, vhd):
        unit = space_of(vhd)
        blocks = -(-vhd.virtual_size // vhd.block_size)
        used = list(areas(vhd))
        used += [(at, at + unit) for at in vhd.placement.values()]
        self.end = max(end for _, end in used)
        if end_footer_is_good(vhd):
            size = os.path.getsize(vhd.path)
            used.append((size - len(vhd.end_footer(bytes(512))), size))
        self.leaks = 0
        position = 0
        for start, end in sorted(used):
            self.leaks += max(start - position, 0) // unit
            position = max(position, end)
        on_disk = [at for number, at in sorted(vhd.placement.items())
                   if number < blocks]
        self.total = blocks
        self.allocated = len(on_disk)
        self.fragmented = sum(
            not 0 <= after - before - unit < 4096
            for before, after in zip(on_disk, on_disk[1:]))
        self.errors = self.count_errors(vhd)

    @staticmethod
    def count_errors(vhd):
        """Footers and a batmap that are damaged."""
        errors = vhd.footer_copy is not vi.whole
        if vhd.end_footer not in (vi.whole, vi.cut_511):
            errors += 1
        if has_batmap(vhd) and vhd.batmap.checksum is not None:
            errors += 1
        return errors


class Verdicts:
    """See above."""

    def __init__(self, directory="."):
        self.directory = os.path.abspath(directory)
        self.checks = 0
        self.failed = 0

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            return
        with open(os.environ["VDISK_COUNTS"], "a") as counts:
            print(self.checks, self.checks, file=counts)
        print(f"ok: {self.checks - self.failed} of {self.checks} verdicts")
        if self.failed:
            sys.exit(1)

    def path(self, name):
        return os.path.join(self.directory, name)

    def attempt(self, what, path, judge, *options):
        """'judge' tells what is wrong with a verdict, or nothing."""
        self.checks += 1
        verdict = vdisk(path, "vhd", *options)
        wrong = "no document"
        if verdict.document is not None:
            wrong = judge(verdict)
        if wrong:
            self.failed += 1
            print(f"FAILED: {what}: {wrong}\n{verdict}\n{verdict.document}"
                  f"\n{verdict.text}")

    def clean(self, path, *options):
        def judge(verdict):
            if verdict.status != 0 or verdict.findings():
                return "should be clean"
            return None
        self.attempt(os.path.basename(path), path, judge, *options)

    def finds(self, path, *expected, options=(), what="", **counts):
        """Exactly these findings: kind, pattern, kind, pattern, ...
        'counts' as check_verdict has them."""
        pairs = list(zip(expected[::2], expected[1::2]))
        kinds = {kind for kind, _ in pairs}
        status = max([STATUS[kind] for kind in kinds - {"error"}] + [0])
        if "error" in kinds:
            status = 2

        def judge(verdict):
            if verdict.status != status:
                return f"status {verdict.status}, expected {status}"
            found = verdict.document["findings"]
            if len(found) != len(pairs):
                return f"{len(found)} findings, expected {len(pairs)}"
            for finding, (kind, pattern) in zip(found, pairs):
                if (finding["kind"] != kind or
                        not re.fullmatch(pattern, finding["message"])):
                    return f"{finding}, expected {kind}: {pattern}"
            for name, count in counts.items():
                if verdict.counts[name] != count:
                    return f"{name}: expected {count}"
            return None
        self.attempt(what or os.path.basename(path), path, judge, *options)

    def agrees(self, vhd, what):
        model = Model(vhd)
        status = 2 if model.errors else 3 if model.leaks else 0

        def judge(verdict):
            for name, count in vars(model).items():
                if verdict.counts[name] != count:
                    return f"{name}: expected {count}"
            if verdict.status != status:
                return f"status {verdict.status}, expected {status}"
            return None
        self.attempt(what, vhd.path, judge)
