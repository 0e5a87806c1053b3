#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Run a command and send it a signal as soon as it has written something.

  interrupt.py SIGNAL FILE COMMAND...
  interrupt.py --after=SECONDS SIGNAL COMMAND...

Written means that FILE has bytes; FILE "-" is the command's standard
output, of which 64 KiB are read.  The exit status is the command's, or 128
and the signal that ended it.  A command that ends before the signal, or 10
seconds after it, is an error: status 99.
"""

import os
import signal
import subprocess
import sys
import time

LIMIT = 10


def fail(process, text):
    if process.poll() is None:
        process.kill()
    print(f"interrupt.py: {text}", file=sys.stderr)
    sys.exit(99)


def has_bytes(path):
    try:
        return os.stat(path).st_blocks > 0
    except FileNotFoundError:
        return False


def wait_for(ready, process):
    deadline = time.monotonic() + LIMIT
    while not ready():
        if process.poll() is not None:
            fail(process, f"it ended with {process.returncode} before the "
                 f"signal")
        if time.monotonic() > deadline:
            fail(process, "nothing was written")
        time.sleep(0.005)


def main():
    first, *rest = sys.argv[1:]
    if first.startswith("--after="):
        path = None
        number, *command = rest
        ready_at = time.monotonic() + float(first[8:])
    else:
        number = first
        path, *command = rest
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE if path == "-" else None)
    if path == "-":
        if not os.read(process.stdout.fileno(), 65536):
            fail(process, "it wrote nothing")
    elif path:
        wait_for(lambda: has_bytes(path), process)
    else:
        wait_for(lambda: time.monotonic() >= ready_at, process)
    process.send_signal(getattr(signal, "SIG" + number))
    if path == "-":
        while os.read(process.stdout.fileno(), 1 << 20):
            pass
    try:
        status = process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        fail(process, "it goes on after the signal")
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
