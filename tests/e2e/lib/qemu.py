# SPDX-License-Identifier: BSD-3-Clause
"""Running qemu-img and qemu-io."""

import json
import os
import subprocess


class QemuError(Exception):
    """A QEMU tool failed."""


def run(*argv):
    """Run a command, give its standard output."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False)
    if done.returncode != 0:
        raise QemuError("%s: exit status %d: %s" % (
            " ".join(argv), done.returncode,
            (done.stdout + done.stderr).decode(errors="replace")))
    return done.stdout


def img(*argv):
    return run("qemu-img", *argv)


def create(path, image_format, size=None, options=(), backing=None):
    """qemu-img create; 'backing' is (path, format)."""
    argv = ["create", "-q", "-f", image_format]
    if options:
        argv += ["-o", ",".join(options)]
    if backing:
        argv += ["-b", backing[0]]
        if backing[1]:
            argv += ["-F", backing[1]]
    argv.append(path)
    if size is not None:
        argv.append(str(size))
    img(*argv)


def io(path, image_format, commands, unmap=False):
    """Run qemu-io commands in one go."""
    argv = ["qemu-io", "-t", "unsafe", "-f", image_format]
    if unmap:
        argv += ["-d", "unmap"]
    for command in commands:
        argv += ["-c", command]
    output = run(*argv, path).decode(errors="replace")
    if "failed" in output or "rror" in output:
        raise QemuError("%s: %s" % (" ".join(argv), output))


class Layer:
    """One image of a chain, as QEMU sees it."""

    def __init__(self, info):
        self.format = info["format"]
        self.path = info["filename"]
        self.size = info["virtual-size"]
        self.cluster_size = info.get("cluster-size")
        specific = info.get("format-specific", {}).get("data", {})
        data = specific.get("data-file")
        self.data_path = self.path
        if data:
            self.data_path = os.path.join(os.path.dirname(self.path), data)


def chain(path, image_format):
    """The layers of an image, top first."""
    text = img("info", "-U", "--backing-chain", "--output=json",
               "-f", image_format, path)
    return [Layer(info) for info in json.loads(text)]


def image_map(path, image_format):
    """The objects of qemu-img map."""
    return json.loads(img("map", "-U", "--output=json",
                          "-f", image_format, path))
