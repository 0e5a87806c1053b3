#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compare vdisk with what a user would otherwise take.

  bench.py [GROUP...]     map copy compressed chain random start export

'make bench' builds what this needs and runs it; ROWS='map copy' picks
groups.  The contestants of a race take turns, A B B A, and ratios are those
of neighbours: what one leaves behind (free memory that the host has taken
back, say) is not always found by the same other.  Prints Markdown; the same
is in table.md below BENCH_DIR, and every single figure in results.tsv.
Whether the aims are met does not change the exit status.

Environment:
  BENCH_DIR       images and results (build/bench); 40 GiB are needed
  BENCH_SCALE     make disks this much larger or smaller (1)
  BENCH_ROUNDS    turns of each contestant, more for what is short (5)
  BENCH_TMPFS     where copies in memory go (/dev/shm)
  BENCH_PROGRAMS  what is built of this directory (build/bench)
  PLUGIN, VDISK, NBDKIT   as for the tests
"""

import itertools
import os
import platform
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.append(os.path.join(TOP, "tests", "e2e", "lib"))

# pylint: disable=wrong-import-position
import images
import measure
import memory
import races
import table

RSS_LIMIT = 32 * 1024           # KiB


def progress(text):
    print(text, file=sys.stderr, flush=True)


def path_from(variable, *default):
    return os.path.abspath(os.environ.get(
        variable, os.path.join(TOP, *default)))


def first_line(*command):
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE,
                          text=True)
    return done.stdout.splitlines()[0]


def peers(nbdkit):
    """Those that are not everywhere: nbdkit's filter came with 1.36."""
    config = subprocess.run([nbdkit, "--dump-config"], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    filters = [line.partition("=")[2] for line in config.splitlines()
               if line.startswith("filterdir=")]
    return {races.DEC} if os.path.exists(os.path.join(
        filters[0], "nbdkit-qcow2dec-filter.so")) else set()


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def surroundings(tools, scale, rounds):
    """Where and how the figures were measured, as a paragraph."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    parts = [
        time.strftime("%Y-%m-%d"),
        "Linux " + platform.release(),
        "%s, %d cores, %.0f GiB" % (
            cpu_model(), len(os.sched_getaffinity(0)), memory / images.GIB),
        first_line(tools["vdisk"], "--version"),
        first_line(tools["nbdkit"], "--version"),
        first_line("qemu-img", "--version"),
        first_line("nbdcopy", "--version").replace("nbdcopy", "libnbd"),
        "%d rounds" % rounds]
    if scale != 1:
        parts.append("disks at %g of their size" % scale)
    lines = [""]
    for word in ("; ".join(parts) + ".").split():
        if len(lines[-1]) + len(word) > 75:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return "\n".join(lines) + "\n"


def same_disk(race, measured):
    """Servers that tell how much data there is have to agree."""
    data = {name: values["data"] for name, values in measured.items()
            if "data" in values}
    if len(set(data.values())) > 1 and race.same_data:
        raise measure.Failed("%s: not the same data: %s" % (race.title,
                                                            data))


def run_rounds(race, there, rounds):
    """What every contestant that is there came to, for each round."""
    results = []
    for number in range(rounds * race.rounds):
        measured = {}
        for contestant in reversed(there) if number % 2 else there:
            if contestant.prepare:
                contestant.prepare()
            measured[contestant.name] = contestant.run()
        same_disk(race, measured)
        results.append(measured)
    return results


def run_race(race, rounds, pictures):
    """The same, with the images of the race in the page cache, and no
    others.  All are read in the same way: how large the pieces are that the
    kernel keeps a file in shows in how fast it is copied."""
    there = [c for c in race.contestants if c.run]
    if not there:
        return []
    for entry in os.scandir(pictures.directory):
        measure.forget(entry.path)
    for path in race.warm:
        measure.warm(path)
    with memory.Kept(race.takes):
        return run_rounds(race, there, rounds)


def servers_memory(race, results):
    """KiB of our largest server in a race, and the section's number."""
    ours = {c.name for c in race.contestants if c.serves_vdisk}
    return [(values["rss"], race.section.split(".")[0])
            for measured in results for who, values in measured.items()
            if who in ours]


class Run:
    """All that is measured at one time, and where it is told."""

    def __init__(self, directory, rounds):
        self.rounds = rounds
        self.began = time.monotonic()
        self.memory = []
        self.raw = open(os.path.join(directory, "results.tsv"), "w",
                        encoding="utf-8")
        self.markdown = open(os.path.join(directory, "table.md"), "w",
                             encoding="utf-8")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.close()
        self.markdown.close()

    def tell(self, text):
        for file in sys.stdout, self.markdown:
            print(text, file=file, flush=True)

    def run(self, races_of_group, pictures):
        """Run races, and tell the table of each section."""
        for section, members in itertools.groupby(
                races_of_group, lambda race: race.section):
            rows = []
            for race in members:
                race.warm = [pictures.get(name) for name in race.warm]
                progress("%4.0f s  %s" % (time.monotonic() - self.began,
                                          race.title))
                results = run_race(race, self.rounds, pictures)
                self.memory += servers_memory(race, results)
                for line in table.raw_lines(race, results):
                    print(line, file=self.raw, flush=True)
                rows += [table.Result(race, row, results).cells()
                         for row in race.rows]
            self.tell(table.markdown(section, rows))

    def tell_memory(self):
        kib, number = max(self.memory)
        self.tell(table.markdown("8. Memory of the largest server", [
            table.memory_row("in row " + number, kib, RSS_LIMIT)]))


def built(path):
    if not os.path.exists(path):
        raise SystemExit("%s is not built: 'make bench'" % path)
    return path


def main(groups):
    for group in groups:
        if group not in races.Races.GROUPS:
            raise SystemExit("no rows '%s'; there are: %s" % (
                group, " ".join(races.Races.GROUPS)))
    directory = path_from("BENCH_DIR", "build", "bench")
    scale = float(os.environ.get("BENCH_SCALE", "1"))
    rounds = int(os.environ.get("BENCH_ROUNDS", "5"))
    tools = {"plugin": built(path_from("PLUGIN", "plugin",
                                       "nbdkit-vdisk-plugin.so")),
             "vdisk": built(path_from("VDISK", "tools", "vdisk")),
             "nbdkit": os.environ.get("NBDKIT", "nbdkit")}
    meter = measure.Meter(path_from("BENCH_PROGRAMS", "build", "bench"))
    built(meter.program("timed"))
    pictures = images.Images(directory, scale, tools["vdisk"])
    out = os.path.join(directory, "copies")
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    all_races = races.Races(meter, pictures, tools, peers(tools["nbdkit"]),
                            out, scale)
    with Run(directory, rounds) as run:
        run.tell(surroundings(tools, scale, rounds))
        for group in groups or races.Races.GROUPS:
            run.run(all_races.group(group), pictures)
        if run.memory:
            run.tell_memory()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except measure.Failed as e:
        raise SystemExit("bench: %s" % e) from e
