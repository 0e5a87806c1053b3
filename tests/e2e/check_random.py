#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make many random images of one kind, and see that 'vdisk check' and
'qemu-img check' find nothing wrong and count the same.  Options are those
of random_images.py.
"""

import shlex
import sys

import check_verdict
import random_images
from verify import Mismatch, count_check


def main():
    args = random_images.arguments()
    maker = random_images.Maker(args)

    def one(number, rng):
        path = "random%d.img" % number
        try:
            options, size = maker.make(path, number, rng)
            try:
                ours = check_verdict.agree(path, args.format)
                if ours.status != 0:
                    raise Mismatch("not clean: %s" % ours.findings())
                count_check(1)
            except random_images.FAILURES:
                print("options: %s; size: %d" % (" ".join(options), size))
                raise
        finally:
            random_images.remove(path)

    return random_images.run(args.count, one, shlex.join(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
