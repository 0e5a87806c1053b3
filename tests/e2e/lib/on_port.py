#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Become a server that listens on a free TCP port of 127.0.0.1.

  on_port.py FILE COMMAND...

The socket is the command's as systemd would pass it on, and nobody else can
have taken the port.  Its number is written to FILE when it listens.
"""

import os
import socket
import sys


def main():
    path, *command = sys.argv[1:]
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    if listening.fileno() != 3:
        os.dup2(listening.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
    with open(path + ".new", "w", encoding="ascii") as file:
        print(listening.getsockname()[1], file=file)
    os.rename(path + ".new", path)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
