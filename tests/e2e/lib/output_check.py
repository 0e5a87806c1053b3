# SPDX-License-Identifier: BSD-3-Clause
"""Compare outputs that are computed, range by range, with what vdisk export
writes.

    with OutputChecker("qcow2") as check:
        check.same("disk.vhd", "cluster-size=512", "refcount-bits=1")

Each time: the whole, what the extents say is there, and random pieces in
random order by several threads are the bytes of the export with the same
options.  Environment: VDISK is the tool, OUTPUT_READ the program that
reads outputs, VDISK_SEED the seed.
"""

import filecmp
import os
import subprocess

from export_check import VDISK
from verify import count_check

SEED = os.environ.get("VDISK_SEED", "1")
# The output is of the same moment as the export.
ENVIRONMENT = dict(os.environ, SOURCE_DATE_EPOCH="1700000000")
FLAGS = ("fixed",)              # which the tool takes without a value


class Different(Exception):
    """An output is not what the export is."""


def tool_option(option):
    name, value = option.split("=", 1)
    return f"--{name}" if name in FLAGS else f"--{name}={value}"


def run(*command):
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True,
                          text=True, timeout=120)
    return done.returncode, done.stderr.strip()


class OutputChecker:
    def __init__(self, output_format):
        self.format = output_format
        self.problems = 0

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None and self.problems:
            raise SystemExit(1)

    def compare(self, image, options, how):
        status, said = run(os.environ["OUTPUT_READ"], how, image, "output",
                           self.format, *options)
        if status != 0:
            raise Different(said)
        if not filecmp.cmp("export", "output", shallow=False):
            raise Different("bytes differ: cmp export output: " +
                            subprocess.run(("cmp", "export", "output"),
                                           capture_output=True,
                                           text=True).stdout)

    def check(self, image, options, then):
        status, said = run(VDISK, "export", "-O", self.format,
                           *map(tool_option, options),
                           *(("--format=raw",) if image.endswith(".raw")
                             else ()), image, "export")
        if status != 0:
            raise Different(said)
        for how in "whole", "extents", SEED:
            try:
                self.compare(image, options, how)
            except Different as problem:
                raise Different(f"{how}: {problem}")
            count_check()
        if then:
            then("output")

    def same(self, image, *options, then=None):
        """'then' is called with the output's name if it is right."""
        try:
            self.check(image, options, then)
        except (Different, OSError, subprocess.TimeoutExpired) as problem:
            self.problems += 1
            print(f"{self.format}: {image} {' '.join(options)}: {problem}")

    def refused(self, image, regex, *options):
        """Opening the output fails, and says why."""
        import re

        status, said = run(os.environ["OUTPUT_READ"], "whole", image,
                           "output", self.format, *options)
        count_check()
        if status != 1 or not re.search(regex, said):
            self.problems += 1
            print(f"{self.format}: {image} {' '.join(options)}: status "
                  f"{status}, not '{regex}': {said}")
