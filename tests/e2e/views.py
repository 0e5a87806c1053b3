# SPDX-License-Identifier: BSD-3-Clause
"""Views of an image, as exports of the plugin: read whole, and held against
each other and against what they must have.
"""

import json

import expect
import qemu
import servers
from nbdclient import READ_MAX, STATUS_MAX
from verify import Mismatch, check_zeros, first_difference, walk


class View:
    """All that one export says."""

    def __init__(self, server, name):
        self.name = name
        with servers.Client(server.socket, name) as client:
            self.size = client.size
            self.extents = walk(client, STATUS_MAX)
            self.data = b"".join(
                bytes(client.read(at, min(READ_MAX, self.size - at)))
                for at in range(0, self.size, READ_MAX))
        check_zeros(self.data, 0, self.extents)

    def must_have(self, data, what):
        """The bytes are these."""
        same_bytes(self.data, data, "%s and %s" % (self.name, what))

    def changed(self):
        """Of a difference: [offset, length] of what has changed."""
        ranges = []
        for offset, length, state in self.extents:
            if state not in (expect.DATA, expect.HOLE):
                raise Mismatch("%s: %s at %d" % (
                    self.name, expect.NAMES[state], offset))
            if state == expect.DATA:
                ranges.append([offset, length])
        return ranges


def same_bytes(ours, theirs, what):
    if ours != theirs:
        raise Mismatch("%s: sizes %d and %d, first difference at %d" % (
            what, len(ours), len(theirs), first_difference(ours, theirs)))


def resized(data, size):
    return data[:size] + bytes(max(size - len(data), 0))


def check_difference(server, a, b):
    """What was, with what has changed put in, is what is; the export has what
    is where it has changed, zeros elsewhere.  Gives the ranges."""
    difference = View(server, "diff/%s..%s" % (a.name, b.name))
    made = bytearray(resized(a.data, b.size))
    alone = bytearray(b.size)
    ranges = difference.changed()
    for offset, length in ranges:
        made[offset:offset + length] = b.data[offset:offset + length]
        alone[offset:offset + length] = b.data[offset:offset + length]
    same_bytes(bytes(made), b.data, difference.name + " applied")
    difference.must_have(bytes(alone), "what has changed")
    if a.name == b.name and ranges:
        raise Mismatch("%s is not empty: %s" % (difference.name, ranges[:4]))
    return ranges


def bits_of(extents, unit, size):
    """One byte for each unit that a map says is set in part."""
    bits = bytearray(-(-size // unit))
    for offset, length in extents:
        first, end = offset // unit, -(-(offset + length) // unit)
        bits[first:end] = b"\1" * (end - first)
    return bytes(bits)


def names_of(server):
    """Names of the exports, as a client is told them."""
    told = json.loads(qemu.run("nbdinfo", "--list", "--json", server.uri))
    return [export["export-name"] for export in told["exports"]]


def dirty(path, name):
    """What QEMU says of a persistent bitmap: [offset, length] that are
    set."""
    with servers.qemu_nbd(path, "qcow2", "-B", name) as server:
        text = qemu.run("nbdinfo", "--json", "--map=qemu:dirty-bitmap:" + name,
                        server.uri)
    ranges = []
    for extent in json.loads(text):
        if extent["type"] & 1:
            if ranges and sum(ranges[-1]) == extent["offset"]:
                ranges[-1][1] += extent["length"]
            else:
                ranges.append([extent["offset"], extent["length"]])
    return ranges


def whole_layer(path, image_format, backing=None):
    """The bytes of an image by QEMU: over nothing, or over what 'backing' (a
    node, as QEMU's JSON has it) says."""
    node = layer_node(path, image_format, backing)
    qemu.img("convert", "-O", "raw", "json:" + json.dumps(node), "layer.raw")
    with open("layer.raw", "rb") as f:
        return f.read()


def layer_node(path, image_format, backing=None):
    node = {"driver": image_format,
            "file": {"driver": "file", "filename": path, "locking": "off"}}
    if image_format in ("qcow2", "qed"):
        node["backing"] = backing
    return node
