#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Run fuzz targets, some at a time, and print what they did as a table.

  run.py [--time SECONDS] [--jobs N] TARGET...
  run.py --sample SEED [--scale FACTOR] [--jobs N] TARGET...

Below build/fuzz/ the corpus of each target is kept from one run to the
next (corpus/TARGET), beside the seeds (seeds/TARGET), what libFuzzer says
(TARGET.log) and inputs that fail (found/TARGET-*).  The exit status is 1
if there is one.

A sample is a number of runs, from the seeds alone (sample/TARGET is its
corpus): for a seed it is the same wherever and whenever it is made.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, "build", "fuzz")

# Inputs longer than this only take longer.  Extended L2 entries need
# clusters of 16 KiB.
INPUT_MAX = {"qcow2": 40000, "vhd": 20000, "qed": 24000, "chain": 40000,
             "check": 40000, "options": 600, "views": 40000}

# Runs of a sample: half a minute of each.
SAMPLE_RUNS = {"qcow2": 100000, "vhd": 150000, "qed": 200000, "chain": 50000,
               "check": 50000, "options": 300000, "views": 20000}

# What costs time and finds nothing.
ASAN_OPTIONS = ("quarantine_size_mb=4:malloc_context_size=4:"
                "detect_stack_use_after_return=0:check_printf=0")

LIMITS = ["-rss_limit_mb=1024", "-malloc_limit_mb=64", "-timeout=10"]


class Target:
    """A target while it runs."""

    def __init__(self, name, args):
        self.name = name
        self.corpus = os.path.join(BUILD, "corpus", name)
        if args.sample:
            self.corpus = os.path.join(BUILD, "sample", name)
            shutil.rmtree(self.corpus, ignore_errors=True)
        self.found = os.path.join(BUILD, "found", name + "-")
        self.log = os.path.join(BUILD, name + ".log")
        os.makedirs(self.corpus, exist_ok=True)
        os.makedirs(os.path.dirname(self.found), exist_ok=True)
        command = [os.path.join(BUILD, "build", "fuzz", "fuzz-" + name),
                   *LIMITS, "-max_len=%d" % INPUT_MAX[name],
                   "-print_final_stats=1", "-verbosity=1",
                   "-artifact_prefix=" + self.found]
        if args.time:
            command.append("-max_total_time=%d" % args.time)
        if args.sample:
            command += ["-seed=%d" % args.sample,
                        "-runs=%d" % (SAMPLE_RUNS[name] * args.scale)]
        command.append(self.corpus)
        seeds = os.path.join(BUILD, "seeds", name)
        if args.sample:
            # A folder is read in the order in which its disk has it.
            command.append("-seed_inputs=" + ",".join(
                os.path.join(seeds, seed) for seed in sorted(
                    os.listdir(seeds))))
        else:
            command.append(seeds)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT,
                env={"ASAN_OPTIONS": ASAN_OPTIONS,
                     "UBSAN_OPTIONS": "print_stacktrace=1", **os.environ})

    def row(self):
        """The columns of the table."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            text = log.read()

        def last(pattern):
            found = re.findall(pattern, text)
            return int(found[-1]) if found else 0

        return (self.name, last(r"stat::number_of_executed_units: (\d+)"),
                last(r"stat::average_exec_per_sec: +(\d+)"),
                last(r" cov: (\d+)"), last(r" ft: (\d+)"),
                last(r" corp: (\d+)"),
                last(r"stat::peak_rss_mb: +(\d+)"),
                "ok" if self.process.returncode == 0 else "FAILED")

    def show_failure(self):
        print("%s: tail of %s:" % (self.name, self.log))
        with open(self.log, encoding="utf-8", errors="replace") as log:
            for line in log.readlines()[-60:]:
                print("  | " + line.rstrip())


def make_seeds():
    seeds = os.path.join(BUILD, "seeds")
    script = os.path.join(HERE, "seeds.py")
    if (not os.path.exists(seeds)
            or os.path.getmtime(seeds) < os.path.getmtime(script)):
        subprocess.run([sys.executable, script, seeds], check=True)
        os.utime(seeds)


def run(args):
    """Start the targets one after the other, as others end."""
    waiting = list(args.targets)
    running, ended = [], []
    while waiting or running:
        while waiting and len(running) < args.jobs:
            running.append(Target(waiting.pop(0), args))
        time.sleep(0.1)
        for target in list(running):
            if target.process.poll() is not None:
                running.remove(target)
                ended.append(target)
    return ended


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--time", type=int, default=0)
    parser.add_argument("--sample", type=int, default=0, metavar="SEED")
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("targets", nargs="+", metavar="TARGET")
    args = parser.parse_args()
    make_seeds()
    ended = run(args)
    print("%-8s %12s %8s %9s %9s %7s %7s" % (
        "target", "executions", "per s", "coverage", "features", "corpus",
        "RSS MB"))
    for target in ended:
        print("%-8s %12d %8d %9d %9d %7d %7d  %s" % target.row())
    failed = [t for t in ended if t.process.returncode != 0]
    for target in failed:
        target.show_failure()
    print("%d passed, %d failed, 0 skipped"
          % (len(ended) - len(failed), len(failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
