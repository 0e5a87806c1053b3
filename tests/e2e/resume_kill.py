#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Kill an export with SIGKILL at random moments, and go on, until it is done.

  resume_kill.py SEED DEST ARG...   vdisk export --resume ARG... DEST

At least one has to go on from a note.  Prints how often it was killed."""

import json
import random
import signal
import subprocess
import sys

from export_check import MIB, VDISK

KILLS_MAX = 40


def attempt(rng, args):
    """Run for a random time.  The exit status, and where it began."""
    with subprocess.Popen(
            [VDISK, "export", "--resume", "--progress=json", *args],
            stdout=subprocess.PIPE) as export:
        try:
            said, _ = export.communicate(timeout=rng.uniform(.7, 2.5))
        except subprocess.TimeoutExpired:
            export.send_signal(signal.SIGKILL)
            said, _ = export.communicate()
    lines = said.decode().splitlines()
    # The first is of the start, the second of what was there and one piece.
    done = json.loads(lines[1])["done"] if len(lines) > 1 else 0
    return export.returncode, done


def main():
    rng = random.Random(sys.argv[1])
    dest, args = sys.argv[2], sys.argv[3:]
    killed, furthest = 0, 0

    while True:
        status, start = attempt(rng, [*args, dest])
        furthest = max(furthest, start)
        if status == 0:
            break
        if status != -signal.SIGKILL:
            sys.exit(f"status {status}")
        killed += 1
        if killed > KILLS_MAX:
            sys.exit("it does not get on")
    if killed == 0 or furthest < 6 * MIB:
        sys.exit(f"killed {killed} times, the furthest start at {furthest}")
    print(f"killed {killed} times; the furthest start at {furthest}")


main()
