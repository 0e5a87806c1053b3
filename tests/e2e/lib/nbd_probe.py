#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Single requests to an NBD server, for shell scripts.

  nbd_probe.py SOCKET read OFFSET LENGTH      "FIRST-BYTE LENGTH" runs
  nbd_probe.py SOCKET status OFFSET LENGTH    "LENGTH:TYPE" extents
  nbd_probe.py SOCKET status-one OFFSET LENGTH
  nbd_probe.py SOCKET cache OFFSET LENGTH     "ok"
  nbd_probe.py SOCKET flush                   "ok"
  nbd_probe.py SOCKET info                    what the server told

An error of the server is printed as "error NAME".
"""

import errno
import itertools
import sys

from nbdclient import Client, NbdError


def runs(data):
    """Bytes as a count and a value for each run."""
    return " ".join("%d:%d" % (len(list(group)), value)
                    for value, group in itertools.groupby(data))


def extents(reply):
    return " ".join("%d:%d" % extent for extent in reply)


def main():
    path, what, *numbers = sys.argv[1:]
    numbers = [int(number, 0) for number in numbers]
    with Client(path) as client:
        try:
            if what == "read":
                print(runs(client.read(*numbers)))
            elif what == "status":
                print(extents(client.status(*numbers)))
            elif what == "status-one":
                print(extents(client.status(*numbers, req_one=True)))
            elif what == "cache":
                client.cache(*numbers)
                print("ok")
            elif what == "flush":
                client.flush()
                print("ok")
            elif what == "info":
                print("size=%d" % client.size)
                print("block_size=%d,%d,%d" % client.block_size)
                print("description=%s" % client.description)
            else:
                raise SystemExit(__doc__)
        except NbdError as e:
            print("error", errno.errorcode.get(e.errno, e.errno))


if __name__ == "__main__":
    main()
