#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Write an input of a fuzz target as text, for tests/fuzz/regressions/.

  hex.py INPUT [COMMENT...] > tests/fuzz/regressions/TARGET/NAME.hex

"OFFSET: BYTES" a line, in hexadecimal; zeros are left out; "OFFSET:" alone
is where the input ends.  replay.c reads it.
"""

import sys

WIDTH = 16


def lines(data):
    for at in range(0, len(data), WIDTH):
        part = data[at:at + WIDTH]
        if any(part):
            yield "%06x: %s" % (at, part.rstrip(b"\0").hex(" "))
    yield "%06x:" % len(data)


def main():
    path, *comments = sys.argv[1:]
    with open(path, "rb") as file:
        data = file.read()
    for comment in comments:
        print("# " + comment)
    print("\n".join(lines(data)))


if __name__ == "__main__":
    main()
