#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make a chain of a thousand layers, deep0000.qcow2 and on, each over the
one before; deep0.qcow2 is the base."""

import shutil

import qemu


def main():
    qemu.img("create", "-q", "-u", "-f", "qcow2", "-o", "cluster_size=512",
             "-b", "deep0000.qcow2", "-F", "qcow2", "model.qcow2", "1M")
    with open("model.qcow2", "rb") as file:
        model = file.read()
    for i in range(1, 1000):
        with open("deep%04d.qcow2" % i, "wb") as file:
            file.write(model.replace(b"deep0000", b"deep%04d" % (i - 1)))
    shutil.copy("deep0.qcow2", "deep0000.qcow2")


if __name__ == "__main__":
    main()
