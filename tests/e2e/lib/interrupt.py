#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Run a command and send it a signal as soon as it has written something.

  interrupt.py [--twice] SIGNAL FILE COMMAND...
  interrupt.py [--twice] --after=SECONDS SIGNAL COMMAND...
  interrupt.py [--twice] --when=WORD SIGNAL FILE COMMAND...

With --when it is sent as soon as FILE has a line that starts with the word.
With --twice another signal follows at once.  Written means that FILE has
bytes, and a FIFO is full; FILE "-" is the command's standard output, of
which 64 KiB are read.  The exit status is the command's, or 128 and the
signal that ended it.  A command that ends before the signal, or 60 seconds
after it, is an error: status 99.
"""

import fcntl
import os
import signal
import stat
import subprocess
import sys
import termios
import time

LIMIT = 60


def fail(process, text):
    if process.poll() is None:
        process.kill()
    print(f"interrupt.py: {text}", file=sys.stderr)
    sys.exit(99)


def is_full(path):
    """Nearly: of a FIFO."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        count = bytearray(4)
        fcntl.ioctl(fd, termios.FIONREAD, count)
        return (int.from_bytes(count, sys.byteorder)
                > fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) / 2)
    finally:
        os.close(fd)


def has_bytes(path):
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    return is_full(path) if stat.S_ISFIFO(found.st_mode) \
        else found.st_blocks > 0


def has_line(path, word):
    try:
        with open(path, encoding="utf-8") as file:
            return any(line.startswith(word) for line in file)
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
    args = sys.argv[1:]
    twice = args[0] == "--twice"
    first, *rest = args[twice:]
    word = None
    if first.startswith("--after="):
        path = None
        number, *command = rest
        ready_at = time.monotonic() + float(first[8:])
    elif first.startswith("--when="):
        word = first[7:]
        number, path, *command = rest
    else:
        number = first
        path, *command = rest
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE if path == "-" else None)
    if path == "-":
        if not os.read(process.stdout.fileno(), 65536):
            fail(process, "it wrote nothing")
    elif word:
        wait_for(lambda: has_line(path, word), process)
    elif path:
        wait_for(lambda: has_bytes(path), process)
    else:
        wait_for(lambda: time.monotonic() >= ready_at, process)
    process.send_signal(getattr(signal, "SIG" + number))
    if twice:
        # Two that wait to be delivered are one.
        time.sleep(0.0003)
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
