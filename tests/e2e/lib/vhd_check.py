# SPDX-License-Identifier: BSD-3-Clause
"""Serve VHDs through the plugin and compare all that can be asked with
what must come.

    with Checker() as check:
        check.reads([top, parent])          layers written by vhd_image
        check.refuses(path, "footer")       a pattern of the message
        check.random("chain", 100)          cases of vhd_random

Images go to the current directory.  Failures are collected, told on
standard output, and end the program with status 1 when the Checker is
left.

Environment: VDISK_SEED, VDISK_SCALE and VDISK_ONLY for random cases, and
VDISK_COUNTS, a file where the number of images and of checks is noted.
"""

import concurrent.futures
import errno
import functools
import json
import multiprocessing
import os
import random
import re
import shutil
import subprocess
import sys
import time
import traceback

import nbdclient
import servers
import vhd_image
import vhd_random
import vhd_reader
from usage import cpu_seconds

JOBS = len(os.sched_getaffinity(0))
SEED = os.environ.get("VDISK_SEED", "1")
SCALE = float(os.environ.get("VDISK_SCALE") or 1)
ONLY = os.environ.get("VDISK_ONLY")
COUNTS = os.environ.get("VDISK_COUNTS")


class Wrong(Exception):
    """Something is not as it must be."""


def run(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=300, check=False)
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise Wrong(f"{' '.join(argv)}: status {done.returncode}: {text}")
    return text


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def same_content(wanted, found, what):
    """Compare two files, seeking over holes that both have."""
    size = os.path.getsize(wanted)
    if os.path.getsize(found) != size:
        raise Wrong(f"{what}: {os.path.getsize(found)} bytes, "
                    f"expected {size}")
    with open(wanted, "rb") as a, open(found, "rb") as b:
        for start, count in data_of(a, b, size):
            a.seek(start)
            b.seek(start)
            left, right = a.read(count), b.read(count)
            if left != right:
                at = next(i for i in range(count) if left[i] != right[i])
                raise Wrong(f"{what}: content differs at byte "
                            f"{start + at}: {right[at]:#04x}, "
                            f"expected {left[at]:#04x}")


def data_of(a, b, size):
    """(offset, count), at most 1 MiB each, of all that is data in one of
    two files."""
    position = 0
    while position < size:
        starts = []
        for file in (a, b):
            try:
                starts.append(os.lseek(file.fileno(), position,
                                       os.SEEK_DATA))
            except OSError:
                starts.append(size)
        position = min(starts)
        if position < size:
            count = min(1 << 20, size - position)
            yield position, count
            position += count


def same_map(wanted, found, what):
    wanted = [tuple(row) for row in wanted]
    found = [tuple(row) for row in found]
    if wanted == found:
        return
    for n, row in enumerate(wanted):
        if n >= len(found) or found[n] != row:
            other = found[n:n + 2] or "nothing"
            raise Wrong(f"{what}: (offset, length, type) number {n} is "
                        f"{other}, expected {wanted[n:n + 2]}")
    raise Wrong(f"{what}: {found[len(wanted)]} follows the last")


def clip(rows, start, count):
    """The part of a map within a range, as (length, type)."""
    end = start + count
    return [(min(offset + length, end) - max(offset, start), kind)
            for offset, length, kind in rows
            if offset < end and offset + length > start]


def merge_types(rows):
    merged = []
    for length, kind in rows:
        if merged and merged[-1][1] == kind:
            merged[-1] = (merged[-1][0] + length, kind)
        else:
            merged.append((length, kind))
    return merged


class Checker:
    """Checks, and counts.  'images' is the number of files served,
    'checks' that of comparisons."""

    def __init__(self, directory="."):
        self.directory = os.path.abspath(directory)
        self.images = self.checks = self.folders = self.failed = 0
        self.started = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            return
        if COUNTS:
            with open(COUNTS, "a") as file:
                file.write(f"{self.images} {self.checks}\n")
        seconds = time.monotonic() - self.started
        print(f"{self.images} images, {self.checks} checks, "
              f"{seconds:.1f} s")
        if self.failed:
            print(f"{self.failed} failed")
            sys.exit(1)

    def path(self, name):
        return os.path.join(self.directory, name)

    def folder(self):
        """A new directory."""
        self.folders += 1
        path = self.path(f"case-{self.folders}")
        os.makedirs(path)
        return path

    def attempt(self, what, function, *args, **options):
        """Call it, and note what goes wrong."""
        try:
            function(*args, **options)
            return
        except (Wrong, servers.ServerError, vhd_reader.VhdError) as error:
            message = str(error)
        except Exception:
            message = traceback.format_exc()
        self.failed += 1
        print(f"FAILED: {what}: {message}", flush=True)

    # --- What the tests call -------------------------------------------

    def reads(self, layers, *params, what="", **options):
        """Serve a chain, top first, and expect its content and map.
        Options: 'oracle' are arguments for the reader (None: it is not
        asked), 'big' disks are not read from end to end, 'warns' is a
        pattern of what nbdkit has to say, 'silent' that it says nothing.
        """
        what = what or os.path.basename(layers[0].path)
        self.attempt(what, self.check_layers, layers, params, **options)

    def reads_as_qemu(self, image, *params):
        """Serve an image of one layer that QEMU made."""
        self.attempt(os.path.basename(image), self.check_as_qemu, image,
                     params)

    def has_size(self, image, size, *params):
        """The served disk has so many bytes."""
        self.attempt(os.path.basename(image), self.check_size, image, size,
                     params)

    def refuses(self, image, pattern, *params, what=""):
        """The start fails, soon, and one line of what nbdkit says matches
        the pattern."""
        self.attempt(what or os.path.basename(image), self.check_refused,
                     image, pattern, params)

    def fails_to_read(self, vhd, start, count, *below):
        """This range of an image gives errors, to reads and to block
        status, and all else what it has.  'below' are its parents."""
        self.attempt(os.path.basename(vhd.path), self.check_failures,
                     [vhd, *below], start, start + count)

    def all_data(self, vhd, *params):
        """All sectors that are there are data."""
        self.attempt(os.path.basename(vhd.path), self.check_all_data, vhd,
                     params)

    def random(self, kind, count):
        """Cases of vhd_random, each made, served and removed."""
        self.many(kind, count, "check_random")

    def oracles(self, kind, count):
        """Generator, reader, and QEMU if it can, agree on random cases;
        the plugin is not asked."""
        self.many(kind, count, "check_oracles")

    def many(self, kind, count, method):
        numbers = range(max(round(count * SCALE), 1))
        if ONLY:
            numbers = [int(ONLY)]
        one = functools.partial(one_of_many, self.directory, method, kind)
        fork = multiprocessing.get_context("fork")
        with concurrent.futures.ProcessPoolExecutor(JOBS, fork) as pool:
            for counts in pool.map(one, numbers):
                self.images += counts[0]
                self.checks += counts[1]
                self.failed += counts[2]

    # --- How it is checked ---------------------------------------------

    def check_random(self, kind, number):
        directory = self.path(f"{kind}-{number}")
        case = vhd_random.make_case(kind, SEED, number, directory)
        self.check_reader(case)
        self.check_served(case, ["backing-dir=" + directory], seed=number)
        shutil.rmtree(directory)

    def check_oracles(self, kind, number):
        directory = self.path(f"{kind}-{number}")
        case = vhd_random.make_case(kind, SEED, number, directory)
        self.check_reader(case)
        if "blocks" in case:
            self.check_qemu(case)
        self.images += len(case["files"])
        shutil.rmtree(directory)

    def check_layers(self, layers, params, oracle=(), big=False,
                     warns=None, silent=False):
        case = vhd_random.describe(layers, self.folder())
        if oracle is not None:
            self.check_reader(case, *oracle)
        errors = self.check_served(case, params, big=big)
        if warns and not re.search(warns, errors):
            raise Wrong(f"no warning like '{warns}': {errors!r}")
        if silent and errors:
            raise Wrong(f"unexpected message: {errors!r}")

    def check_reader(self, case, *options):
        """The reader agrees with the generator."""
        chain = vhd_reader.Chain(case["image"], *options)
        copy = case["raw"] + ".reader"
        chain.write_raw(copy)
        same_content(case["raw"], copy, "reader")
        os.unlink(copy)
        same_map(case["map"], chain.map(), "reader's map")
        same_map(case["layers"], chain.depths(), "reader's layers")
        files = [os.path.realpath(layer.file.path) for layer in chain.layers]
        if files != [os.path.realpath(path) for path in case["files"]]:
            raise Wrong(f"reader: chain of {files}")
        chain.close()
        self.checks += 4

    def check_served(self, case, params=(), seed=0, big=False):
        """The plugin agrees with the generator.  Returns what nbdkit
        said."""
        rng = random.Random(seed)
        server = servers.vdisk(case["image"], *params)
        with server:
            if server.client.size != case["size"]:
                raise Wrong(f"size {server.client.size}, expected "
                            f"{case['size']}")
            self.check_copies(case, server.uri, rng, big)
            self.check_map(case, server.uri)
            self.check_requests(case, server.client, rng, big)
        self.images += len(case["files"])
        self.checks += 2
        return server.errors

    def check_copies(self, case, uri, rng, big):
        copy = case["raw"] + ".copy"
        size = f"--request-size={rng.choice([4096, 65536, 262144])}"
        run("nbdcopy", size, uri, copy)
        same_content(case["raw"], copy, "nbdcopy")
        os.unlink(copy)
        self.checks += 1
        if not big:
            run("nbdcopy", "--no-extents", size, uri, copy)
            same_content(case["raw"], copy, "nbdcopy --no-extents")
            os.unlink(copy)
            self.checks += 1

    def check_map(self, case, uri):
        text = run("nbdinfo", "--map", "--json", uri)
        rows = [(row["offset"], row["length"], row["type"])
                for row in json.loads(text)]
        same_map(case["map"], rows, "nbdinfo --map")
        self.checks += 1

    def check_requests(self, case, client, rng, big):
        """Reads and block status at odd places, and of odd lengths."""
        size = case["size"]
        with open(case["raw"], "rb") as raw:
            for _ in range(8):
                offset = rng.randrange(size)
                most = min(size - offset, rng.choice([3, 5000, 1 << 20]))
                count = rng.randrange(1, most + 1)
                raw.seek(offset)
                if client.read(offset, count) != raw.read(count):
                    raise Wrong(f"read of {count} at {offset}: wrong bytes")
        for _ in range(8):
            offset = rng.randrange(size)
            most = min(size - offset, (1 << 32) - 1)
            count = rng.choice([1, most, rng.randrange(1, most + 1)])
            one = rng.random() < 0.3
            found = client.status(offset, count, req_one=one)
            told = sum(length for length, _ in found)
            wanted = clip(case["map"], offset, min(told, count))
            if one:
                wanted = clip(case["map"], offset, count)[:1]
            if merge_types(found) != merge_types(wanted) and not (
                    told > count and found[:-1] == wanted[:-1]):
                raise Wrong(f"block status of {count} at {offset}"
                            f"{' (one)' if one else ''}: {found}, "
                            f"expected {wanted}")
        self.checks += 16

    def check_refused(self, image, pattern, params):
        before = cpu_seconds()
        try:
            with servers.vdisk(image, *params):
                pass
        except servers.ServerError as error:
            text = str(error)
        else:
            raise Wrong(f"was opened, expected '{pattern}'")
        lines = [line for line in text.splitlines()
                 if re.search(pattern, line)]
        if not lines:
            raise Wrong(f"no message like '{pattern}': {text}")
        if servers.DAMAGE.search(text):
            raise Wrong(text)
        if not servers.WRAPPER and cpu_seconds() - before > 20:
            raise Wrong("was not refused at once")
        self.images += 1
        self.checks += 1

    def check_failures(self, layers, bad, bad_end):
        raw = self.path("expected.raw")
        disk = vhd_image.flatten(layers, raw)
        rows = [(start, end - start, 3 if depth is None else 0)
                for start, end, depth in disk.map]
        content = read_file(raw)
        with servers.vdisk(layers[0].path) as server:
            client = server.client
            for start, count in (0, bad), (bad_end, disk.size - bad_end):
                if client.read(start, count) != content[start:start + count]:
                    raise Wrong(f"{count} bytes at {start}: wrong")
            for at in range(0, disk.size, 4096):
                if bad <= at < bad_end:
                    self.must_fail(client.read, at, 4096)
                    self.must_fail(client.status, at, 1 << 16)
                    self.must_fail(client.status, at, 1, True)
                else:
                    found = client.status(at, 4096)
                    if merge_types(found) != merge_types(
                            clip(rows, at, 4096)):
                        raise Wrong(f"block status at {at}: {found}")
            self.must_fail(client.read, bad_end - 1, 1)
            self.must_fail(client.read, 0, disk.size)
        self.images += len(layers)
        self.checks += disk.size // 4096

    def must_fail(self, request, offset, count, *args):
        try:
            found = request(offset, count, *args)
        except nbdclient.NbdError as error:
            if error.errno != errno.EIO:
                raise Wrong(f"error {error}, expected EIO") from error
            return
        raise Wrong(f"{request.__name__} of {count} at {offset} did not "
                    f"fail: {bytes(found[:16]) if not args else found}")

    def check_size(self, image, size, params):
        with servers.vdisk(image, *params) as server:
            if server.client.size != size:
                raise Wrong(f"size {server.client.size}, expected {size}")
        self.images += 1
        self.checks += 1

    def check_all_data(self, vhd, params):
        wanted = []
        for start, end, depth in vhd_image.flatten([vhd]).map:
            wanted.append((start, end - start, 3 if depth is None else 0))
        with servers.vdisk(vhd.path, *params) as server:
            self.check_map({"map": wanted}, server.uri)
        self.images += 1

    def check_as_qemu(self, image, params):
        """An image that QEMU made: its content is what QEMU reads, its
        map what the reader says."""
        raw = self.path("qemu.raw")
        run("qemu-img", "convert", "-f", "vpc", "-O", "raw", image, raw)
        chain = vhd_reader.Chain(image)
        case = {"image": image, "raw": raw, "size": os.path.getsize(raw),
                "map": chain.map(), "layers": chain.depths(),
                "files": [image]}
        chain.close()
        self.check_reader(case)
        self.check_served(case, params)

    # --- QEMU, where it reads VHDs rightly ------------------------------

    def check_qemu(self, case):
        """qemu-img agrees with the generator: size, content, and where
        the blocks are."""
        image = case["image"]
        info = json.loads(run("qemu-img", "info", "-f", "vpc",
                              "--output=json", image))
        if info["virtual-size"] != case["size"]:
            raise Wrong(f"qemu-img info: {info['virtual-size']} bytes, "
                        f"expected {case['size']}")
        run("qemu-img", "compare", "-f", "vpc", "-F", "raw", image,
            case["raw"])
        copy = case["raw"] + ".qemu"
        run("qemu-img", "convert", "-f", "vpc", "-O", "raw", image, copy)
        same_content(case["raw"], copy, "qemu-img convert")
        os.unlink(copy)
        self.checks += 3
        rows = json.loads(run("qemu-img", "map", "-f", "vpc",
                              "--output=json", image))
        found = {}
        unit = case["block_size"]
        for row in rows:
            if "offset" not in row:
                continue
            first = vhd_image.round_up(row["start"], unit)
            for at in range(first, row["start"] + row["length"], unit):
                found[at] = row["offset"] + at - row["start"]
        if found != case["blocks"]:
            raise Wrong(f"qemu-img map: blocks {found}, "
                        f"expected {case['blocks']}")
        self.checks += 1


def one_of_many(directory, method, kind, number):
    """One random case, in a process of its own."""
    check = Checker(directory)
    check.attempt(f"{kind}: VDISK_SEED={SEED} VDISK_ONLY={number}",
                  getattr(check, method), kind, number)
    return check.images, check.checks, check.failed
