#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Decode a chunked stream (XenServer's import protocol).

  chunked_reader.py SIZE STREAM [RAW]

A chunk is a little-endian 64 bit offset, a 32 bit length, and data; one of
no offset and no length ends the stream, and nothing follows it.  Chunks
have to ascend without overlapping and to lie on the disk of SIZE bytes.
Prints "OFFSET LENGTH" of each run of chunks that follow one another;
RAW is the disk rebuilt.
"""

import os
import struct
import sys

HEAD = struct.Struct("<QI")


class ChunkedError(Exception):
    pass


def exactly(file, count, what):
    data = file.read(count)
    if len(data) != count:
        raise ChunkedError(f"{what}: ends after {len(data)} of {count} "
                           f"bytes")
    return data


def chunks(file, size):
    """(offset, data) of each chunk, up to the end of the stream."""
    position = 0
    while True:
        offset, length = HEAD.unpack(exactly(file, HEAD.size, "head"))
        if length == 0:
            if offset != 0:
                raise ChunkedError(f"empty chunk at {offset}")
            break
        where = f"chunk of {length} at {offset}"
        if offset < position:
            raise ChunkedError(f"{where}: the last one ended at {position}")
        if offset > size or length > size - offset:
            raise ChunkedError(f"{where}: the disk has {size} bytes")
        yield offset, exactly(file, length, where)
        position = offset + length
    if file.read(1):
        raise ChunkedError("something follows the last chunk")


def read(path, size, raw=None):
    """The ranges (start, end) of a stream, neighbours joined."""
    ranges = []
    with open(path, "rb") as file, open(raw or os.devnull, "wb") as output:
        if raw:
            output.truncate(size)
        for offset, data in chunks(file, size):
            if raw and any(data):
                output.seek(offset)
                output.write(data)
            end = offset + len(data)
            if ranges and ranges[-1][1] == offset:
                ranges[-1] = (ranges[-1][0], end)
            else:
                ranges.append((offset, end))
    return ranges


def main():
    size, path, *raw = sys.argv[1:]
    try:
        for start, end in read(path, int(size), *raw):
            print(start, end - start)
    except ChunkedError as error:
        sys.exit(f"chunked_reader: {path}: {error}")


if __name__ == "__main__":
    main()
