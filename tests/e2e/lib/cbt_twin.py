# SPDX-License-Identifier: BSD-3-Clause
"""XenServer's changed block tracking as its cbt-util and its API have it,
written from the description of the struct in a log file:

  parent UUID      16 bytes
  child UUID       16 bytes
  consistent       int, 4 bytes, and 4 of padding
  size             of the disk in bytes, 8 bytes

in the order of an x86-64, and then a bit for each 64 KiB of the disk, the
first one in the least significant bit.
"""

import base64
import struct

BLOCK = 65536
HEADER = struct.Struct("<16s16si4xQ")


class Log:
    """What 'cbt-util get' tells of a log file."""

    def __init__(self, data):
        (self.parent, self.child, self.consistent,
         self.size) = HEADER.unpack_from(data)
        self.bitmap = data[HEADER.size:]
        if len(self.bitmap) != bitmap_size(self.size):
            raise ValueError("log file: %d bytes of bitmap for %d bytes" % (
                len(self.bitmap), self.size))

    def blocks(self):
        """Numbers of the blocks that have changed; of some that are not
        there, too."""
        return [n for n in range(8 * len(self.bitmap))
                if self.bitmap[n // 8] >> n % 8 & 1]


def bitmap_size(size):
    return (-(-size // BLOCK) + 7) // 8


def list_changed_blocks(log):
    """What VDI.list_changed_blocks answers: the most significant bit is the
    first."""
    turned = bytes(int("{:08b}".format(byte)[::-1], 2)
                   for byte in log.bitmap)
    return base64.b64encode(turned).decode()
