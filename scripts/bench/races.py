# SPDX-License-Identifier: BSD-3-Clause
"""What is compared with what, and where it has to come out.

A Race has contestants, which run one after the other, again and again, and
rows, each of which looks at one figure of two of them.  The ratio of a row
says how many times as fast as the peer vdisk is: more than 1 is faster,
whatever the figure is.
"""

import os
import shutil

import images as making
import memory

OUR = "vdisk"
FEWER = "vdisk -t 4"            # threads of a connection; 16 otherwise
PEER = "qemu-nbd"
DEC = "qcow2dec"
HIGHER_IS_BETTER = ("iops",)
MANY = 5                        # times as many rounds for what is short


class Contestant:
    """'run' measures once; None if there is no such program here."""

    def __init__(self, name, run, prepare=None, serves_vdisk=False):
        self.name = name
        self.run = run
        self.prepare = prepare
        self.serves_vdisk = serves_vdisk


class Row:
    """One line of the table.

    figure        what is compared: 'wall', 'first', 'iops', ...
    at_least      the ratio this must come out at, if it must
    below         the most that our figure may be, in its own unit, or
    difference    our figure less the peer's
    """

    def __init__(self, label, peer, ours=OUR, figure="wall", at_least=None,
                 below=None, difference=False):
        self.label = label
        self.ours = ours
        self.peer = peer
        self.figure = figure
        self.at_least = at_least
        self.below = below
        self.difference = difference


class Race:
    """A few rows of the table of a section, called by 'name' if there are
    others.  Contestants that tell how many bytes of 'data' there are have to
    agree.  Where clusters of the image are partly holes of its file they
    cannot ('same_data'): QEMU does not look for these.  What each
    contestant writes 'takes' so many bytes of memory."""

    def __init__(self, section, name, contestants, rows, warm=(), rounds=1,
                 same_data=True, takes=0):
        self.section = section
        self.name = name
        self.title = section + (" / " + name if name else "")
        self.contestants = contestants
        self.rows = rows
        self.warm = warm
        self.rounds = rounds
        self.same_data = same_data
        self.takes = takes


class Races:
    """Makes the races of a group.

    meter         a measure.Meter
    images        an images.Images
    tools         paths: plugin, vdisk, nbdkit
    has           names of the peers that are there
    out           a directory for copies
    scale         of the numbers of requests
    """

    def __init__(self, meter, images, tools, has, out, scale):
        self.meter = meter
        self.images = images
        self.tools = tools
        self.has = has
        self.out = out
        self.scale = scale

    GROUPS = ("map", "copy", "compressed", "chain", "random", "start",
              "export")

    def group(self, name):
        return getattr(self, "races_" + name)()

    # --- Servers ---------------------------------------------------------

    def nbdkit(self, *arguments):
        return [self.tools["nbdkit"], "-f", "--exit-with-parent",
                *arguments]

    def vdisk_server(self, image, *parameters):
        return self.nbdkit(self.tools["plugin"], self.images.get(image),
                           *parameters)

    def few_threads(self, client, image):
        """nbdcopy has four connections: with 16 threads of each, most
        buffers have left the processor's cache when they are used again."""
        return self.served(FEWER, [*self.vdisk_server(image), "-t", "4"],
                           client)

    def qemu_server(self, image, image_format):
        return ["qemu-nbd", "-r", "-t", "-e", "16", "-f", image_format,
                self.images.get(image)]

    def served(self, name, server, client):
        return Contestant(name, lambda: self.meter.served(server, client),
                          serves_vdisk=name.startswith(OUR))

    def ours(self, client, image, *parameters, name=OUR):
        return self.served(name, self.vdisk_server(image, *parameters),
                           client)

    def qemu(self, client, image, image_format="qcow2", name=PEER):
        return self.served(name, self.qemu_server(image, image_format),
                           client)

    def dec(self, client, image):
        if DEC not in self.has:
            return Contestant(DEC, None)
        return self.served(DEC, self.nbdkit(
            "--filter=qcow2dec", "file", self.images.get(image)), client)

    def walk(self, *limit):
        return [self.meter.program("nbd-walk"), "%s", *limit]

    def command(self, name, *command, prepare=None):
        return Contestant(name, lambda: self.meter.command(command), prepare)

    def program(self, name, program, *arguments):
        """One of this directory."""
        command = [self.meter.program(program), *arguments]
        return Contestant(name,
                          lambda: self.meter.command(command, tells=True))

    # --- Block status ----------------------------------------------------

    def races_map(self):
        walk = self.walk()
        quarter = self.walk(str(self.images.huge_size // 4))
        no_holes = "host-holes=off"
        floor = self.nbdkit(
            self.meter.program("nbdkit-extents-plugin.so"),
            "size=%d" % self.images.huge_size)
        yield Race(
            "1. Block status, QCOW2 of 1 TiB, all of it in order", "",
            [self.ours(walk, "contiguous.qcow2", no_holes),
             self.qemu(walk, "contiguous.qcow2"),
             self.dec(walk, "contiguous.qcow2")],
            [Row("qemu-nbd", PEER, at_least=20),
             Row("nbdkit qcow2dec", DEC, at_least=5),
             Row("first answer", PEER, figure="first", below=0.005)],
            warm=["contiguous.qcow2"])
        yield Race(
            "2. Block status, every other cluster, first 256 GiB", "",
            [self.ours(quarter, "alternating.qcow2", no_holes),
             self.served("floor", floor, quarter),
             self.qemu(quarter, "alternating.qcow2"),
             self.dec(quarter, "alternating.qcow2")],
            [Row("plugin, no image", "floor", at_least=1 / 1.05),
             Row("qemu-nbd", PEER),
             Row("nbdkit qcow2dec", DEC)],
            warm=["alternating.qcow2"])
        others = "2. Block status of other disks, all of it"
        yield Race(
            others, "batmap",
            [self.ours(walk, "batmap.vhd", no_holes),
             self.qemu(walk, "batmap.vhd", "vpc")],
            [Row("qemu-nbd", PEER)], warm=["batmap.vhd"])
        yield Race(
            others, "bitmaps",
            [self.ours(walk, "bitmaps.vhd", no_holes),
             self.ours(walk, "bitmaps.vhd", no_holes,
                       "sector-bitmaps=ignore", name="vdisk ignore"),
             self.qemu(walk, "bitmaps.vhd", "vpc")],
            [Row("qemu-nbd", PEER),
             Row("ignored", PEER, ours="vdisk ignore")],
            warm=["bitmaps.vhd"])
        yield Race(
            others, "64 TiB",
            [self.ours(walk, "sparse.qcow2"),
             self.qemu(walk, "sparse.qcow2")],
            [Row("qemu-nbd", PEER)], warm=["sparse.qcow2"])
        yield from self.races_library()

    def races_library(self):
        section = "3. Without NBD, QCOW2 of 1 TiB"
        for name, title in (("contiguous.qcow2", "in order"),
                            ("alternating.qcow2", "every other")):
            image = self.images.get(name)
            yield Race(
                section, title,
                [self.program(OUR, "library-walk", image, "host-holes=off"),
                 self.program("scan", "table-scan", image)],
                [Row("loop", "scan", at_least=1 / 3)],
                warm=[name], rounds=MANY)
        length = str(self.images.huge_size // 4)
        yield Race(
            section, "map",
            [self.command(OUR, self.tools["vdisk"], "map",
                          "--output=intervals", "--host-holes=off",
                          "--length=" + length, image),
             self.command("qemu-img", "qemu-img", "map", "--output=json",
                          "-f", "qcow2", "--max-length=" + length, image)],
            [Row("qemu-img", "qemu-img", at_least=20)],
            warm=[name])

    # --- Copies ----------------------------------------------------------

    def races_copy(self):
        copy = ["nbdcopy", "%s", "null:"]
        for name, title, qemu_format in (
                ("disk.qcow2", "QCOW2", "qcow2"),
                ("disk.vhd", "VHD", "vpc"), ("disk.qed", "QED", "qed")):
            contestants = [
                self.ours(copy, name),
                self.served("file", self.nbdkit(
                    "file", self.images.get("disk.raw")), copy),
                self.qemu(copy, name, qemu_format),
                self.few_threads(copy, name)]
            rows = [Row("nbdkit raw", "file", at_least=0.97),
                    Row("qemu-nbd", PEER, at_least=1.4),
                    Row("qemu, -t 4", PEER, ours=FEWER, at_least=1.4)]
            if qemu_format == "qcow2":
                contestants.append(self.dec(copy, name))
                rows.append(Row("qcow2dec", DEC))
            yield Race("4. nbdcopy to null:, 4 of 8 GiB", title,
                       contestants, rows, warm=["disk.raw", name])

        yield Race(
            "4. nbdcopy to null:, 1 GiB in a file of many pieces", "",
            [self.ours(copy, "pieces.qcow2"),
             self.qemu(copy, "pieces.qcow2")],
            [Row("qemu-nbd", PEER)], warm=["pieces.qcow2"])

    def races_compressed(self):
        copy = ["nbdcopy", "%s", "null:"]
        for kind in "zlib", "zstd":
            name = "disk-%s.qcow2" % kind
            yield Race(
                "5. nbdcopy to null:, 4 of 8 GiB, half of it compressed", kind,
                [self.ours(copy, name), self.qemu(copy, name),
                 self.dec(copy, name), self.few_threads(copy, name)],
                [Row("qemu-nbd", PEER, at_least=2),
                 Row("qemu, -t 4", PEER, ours=FEWER, at_least=2),
                 Row("qcow2dec", DEC, at_least=1.1)],
                warm=[name])
        cores = len(os.sched_getaffinity(0))
        for kind in "zlib", "zstd":
            name = "packed-%s.qcow2" % kind
            server = self.vdisk_server(name)
            one = ["taskset", "-c", str(min(os.sched_getaffinity(0)))]
            yield Race(
                "5. nbdcopy to null:, 2 of 4 GiB, all of it compressed", kind,
                [self.ours(copy, name), self.qemu(copy, name),
                 self.dec(copy, name),
                 self.served("vdisk, one core", one + server, one + copy)],
                [Row("on one core", "vdisk, one core",
                     at_least=0.8 * cores),
                 Row("qemu-nbd", PEER), Row("qcow2dec", DEC)],
                warm=[name])

    # --- Chains ----------------------------------------------------------

    def races_chain(self):
        last = "chain-%d." % making.LAYERS
        for what, client, rounds in (
                ("block status", self.walk(), MANY),
                ("nbdcopy to null:", ["nbdcopy", "%s", "null:"], 1)):
            for extension, title in ("qcow2", "QCOW2"), ("vhd", "VHD"):
                chain, flat = last + extension, "flat." + extension
                layers = ["disk." + extension] + [
                    "chain-%d.%s" % (n, extension)
                    for n in range(1, making.LAYERS + 1)]
                contestants = [self.ours(client, chain),
                               self.ours(client, flat, name="vdisk, flat")]
                rows = [Row("flattened", "vdisk, flat", at_least=1 / 1.1)]
                if extension == "qcow2":
                    contestants += [
                        self.qemu(client, chain),
                        self.qemu(client, flat, name="qemu-nbd, flat")]
                    rows += [Row("QEMU's own", "qemu-nbd, flat",
                                 ours=PEER),
                             Row("qemu-nbd", PEER)]
                if extension == "qcow2" and client == self.walk():
                    contestants.append(self.program(
                        "scan", "table-scan",
                        *(self.images.get(name) for name in layers)))
                    rows.append(Row("loop", "scan"))
                yield Race("6. Chain of 30 layers, " + what, title,
                           contestants, rows, rounds=rounds,
                           same_data=False,
                           warm=[flat, *layers])

    # --- Random reads ----------------------------------------------------

    def races_random(self):
        for name, title, places, count in (
                ("alternating.qcow2", "1 TiB, every other cluster", "disk",
                 100000),
                ("packed-zlib.qcow2", "zlib clusters", "data", 10000),
                ("packed-zstd.qcow2", "zstd clusters", "data", 10000)):
            count = max(int(count * min(self.scale, 1)), 200)
            load = [self.meter.program("nbd-load"), "%s", str(count),
                    places]
            contestants = [
                self.ours(load, name, *(["host-holes=off"]
                                        if places == "disk" else [])),
                self.qemu(load, name), self.dec(load, name)]
            rows = []
            for label, peer, at_least in (("qemu-nbd", PEER, 1),
                                          ("qcow2dec", DEC, None)):
                rows += [
                    Row(label + " IOPS", peer, figure="iops",
                        at_least=at_least),
                    Row(label + " p50", peer, figure="p50"),
                    Row(label + " p99", peer, figure="p99",
                        at_least=at_least)]
            yield Race("7. Random reads of 4 KiB, 32 at a time, " + title, "",
                       contestants, rows, warm=[name])

    # --- Starting --------------------------------------------------------

    def races_start(self):
        offset = str(self.images.sparse_offsets()[1])
        name = "sparse.qcow2"

        def start(contestant, server):
            run = self.program(contestant, "nbd-start", offset, *server).run
            return Contestant(contestant, run,
                              serves_vdisk=contestant == OUR)

        nbdkit = [self.tools["nbdkit"], "-f"]
        contestants = [
            start(OUR, [*nbdkit, self.tools["plugin"],
                        self.images.get(name)]),
            start("null", [*nbdkit, "null",
                           "size=%d" % self.images.sparse_size]),
            start(PEER, self.qemu_server(name, "qcow2"))]
        yield Race(
            "8. Start to first byte, QCOW2 of 64 TiB", "", contestants,
            [Row("less nbdkit null", "null", below=0.010, difference=True),
             Row("whole: qemu-nbd", PEER),
             Row("status: qemu-nbd", PEER, figure="status")],
            warm=[name], rounds=MANY)

    # --- Exports ---------------------------------------------------------

    def copies(self, directory, title, formats, room=True):
        """Raw copies into a directory, if there is room; the copy before is
        removed first."""
        dest = os.path.join(directory, "copy.raw")

        def remove():
            if os.path.exists(dest):
                os.remove(dest)

        for name, qemu_format, label in formats:
            image = self.images.get(name)
            contestants = [
                # The others do not flush either.
                self.command(OUR, self.tools["vdisk"], "export",
                             "--no-flush", image, dest, prepare=remove),
                self.command("qemu-img", "qemu-img", "convert", "-m", "8",
                             "-W", "-f", qemu_format, "-O", "raw", image,
                             dest, prepare=remove)]
            rows = [Row("qemu-img", "qemu-img", at_least=1.5)]
            sources = [name]
            if name == "disk.qcow2":
                sources.append("disk.raw")
                contestants.append(self.command(
                    "cp", "cp", self.images.get("disk.raw"), dest,
                    prepare=remove))
                rows.append(Row("cp of raw", "cp"))
            if not room:
                contestants = [Contestant(c.name, None) for c in contestants]
            yield Race("9. vdisk export to a raw file in " + title, label,
                       contestants, rows, warm=sources,
                       takes=self.images.size // 2 if room else 0)
            remove()

    def races_export(self):
        formats = [("disk.qcow2", "qcow2", "QCOW2"),
                   ("disk.vhd", "vpc", "VHD"),
                   ("disk-zlib.qcow2", "qcow2", "zlib"),
                   ("disk-zstd.qcow2", "qcow2", "zstd")]
        needed = self.images.size // 2 * 3
        tmpfs = os.environ.get("BENCH_TMPFS", "/dev/shm")
        room = (os.path.isdir(tmpfs) and
                memory.kernel_says("MemAvailable") > needed and
                shutil.disk_usage(tmpfs).free > needed)
        yield from self.copies(tmpfs, "memory", formats[:1], room)
        yield from self.copies(self.out, "a file system", formats)
        yield from self.streams()

    def streams(self):
        """Against reading the source file, which is all that is there to
        be read, in the same way."""
        image = self.images.get("disk.qcow2")

        def shell(name, script):
            return self.command(name, "sh", "-c", script, "sh",
                                self.tools["vdisk"], image)

        for output in "qcow2", "xva":
            export = '"$1" export -O %s "$2" -' % output
            yield Race(
                "9. vdisk export to a stream", output,
                [shell(OUR, export + " | cat > /dev/null"),
                 shell("cat", 'cat "$2" | cat > /dev/null'),
                 shell("vdisk, null", export + " > /dev/null"),
                 shell("cat, null", 'cat "$2" > /dev/null')],
                [Row("cat, pipe", "cat", at_least=0.9),
                 Row("cat, null", "cat, null", ours="vdisk, null")],
                warm=["disk.qcow2"])
