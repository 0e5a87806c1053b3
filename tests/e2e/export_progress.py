#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Check what vdisk export has told of its progress, and print in how many
steps it did.

  export_progress.py machine FILE
  export_progress.py json FILE [TOTAL]
"""

import json
import re
import sys


def machine_steps(text):
    if not re.fullmatch("([0-9]{3})+", text):
        sys.exit(f"not three digits each: {text!r}")
    return [int(text[at:at + 3]) for at in range(0, len(text), 3)]


def json_steps(text, total=None):
    lines = [json.loads(line) for line in text.splitlines()]
    if not text.endswith("\n"):
        sys.exit(f"a line does not end: {text!r}")
    if any(sorted(line) != ["done", "total"] for line in lines):
        sys.exit(f"other keys: {lines}")
    totals = {line["total"] for line in lines}
    if len(totals) != 1 or any(type(line["done"]) is not int
                               for line in lines):
        sys.exit(f"totals: {totals}")
    whole = totals.pop()
    if total and whole != int(total):
        sys.exit(f"{whole} bytes, expected {total}")
    if lines[-1]["done"] != whole:
        sys.exit(f"the last is {lines[-1]}")
    if whole and [line["done"] for line in lines] != sorted(
            {line["done"] for line in lines}):
        sys.exit(f"they do not ascend: {lines}")
    return [line["done"] * 100 // whole if whole else n * 100
            for n, line in enumerate(lines)]


def main():
    kind, path, *total = sys.argv[1:]
    with open(path) as file:
        text = file.read()
    steps = (machine_steps(text) if kind == "machine" else
             json_steps(text, *total))
    if steps[0] != 0 or steps[-1] != 100 or steps != sorted(set(steps)):
        sys.exit(f"steps: {steps}")
    print(len(steps))


if __name__ == "__main__":
    main()
