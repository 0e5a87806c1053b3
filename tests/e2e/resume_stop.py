#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Leave an export of a local file unfinished, with a note of how far it came.

  resume_stop.py SOURCE DEST

It is stopped while it copies, until it is time for a note, and killed as
soon as there is one."""

import os
import signal
import subprocess
import sys
import time

from export_check import VDISK


def blocks(path):
    try:
        return os.stat(path).st_blocks
    except FileNotFoundError:
        return 0


def attempt(source, dest):
    note = f"{dest}.vdisk-progress"
    for path in dest, note:
        if os.path.exists(path):
            os.unlink(path)
    with subprocess.Popen([VDISK, "export", "--resume", "--threads=1",
                           "--format=raw", source, dest]) as export:
        while export.poll() is None and blocks(dest) == 0:
            pass
        export.send_signal(signal.SIGSTOP)
        time.sleep(1.2)
        export.send_signal(signal.SIGCONT)
        while export.poll() is None and not os.path.exists(note):
            pass
        export.kill()
    return os.path.exists(note)


for _ in range(20):
    if attempt(*sys.argv[1:]):
        sys.exit(0)
sys.exit("there never was a note")
