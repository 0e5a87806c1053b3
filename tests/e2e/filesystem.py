#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Fill a folder with files for a file system: random, sparse, tiny, with
long names, in many directories.

  filesystem.py FOLDER
"""

import os
import random
import sys


def write_file(rng, number, name):
    kind = rng.randrange(5)
    with open(name, "wb") as f:
        if kind == 0:
            f.write(rng.randbytes(rng.randrange(200_000)))
        elif kind == 1:
            f.write(b"text %d\n" % number * rng.randrange(3000))
        elif kind == 2:
            f.truncate(rng.randrange(1, 3 << 20))
            f.seek(rng.randrange(1 << 20))
            f.write(rng.randbytes(rng.randrange(1, 9000)))
        elif kind == 3:
            f.write(b"x" * rng.randrange(3))


def main():
    rng = random.Random(os.environ["VDISK_SEED"])
    os.chdir(sys.argv[1])
    for i in range(300):
        directory = os.path.join(*("d%d" % rng.randrange(4)
                                   for _ in range(rng.randrange(1, 4))))
        os.makedirs(directory, exist_ok=True)
        write_file(rng, i, os.path.join(directory, "f%d" % i))
    with open("n" * 255, "w") as f:
        f.write("a long name")
    os.symlink("d0", "link")


if __name__ == "__main__":
    main()
