#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A small NBD server that lies.  Written from the protocol document.

  nbd_server.py SOCKET [--size BYTES] [--map LENGTH:FLAGS,...]
                [--block MINIMUM:MAXIMUM] [--multi-conn] [--no-status]
                [--extents N] [--writable FILE] [--lie NAME] [--lies N]
                [--honest N] [--log FILE]

Byte n of the disk is (n // 512 + n) % 251 where its flags are 0.  The map
is repeated to the end of the disk; with --writable the disk is that file.
With --lie the server tells the truth in so many requests (--honest, default
0), then lies so many times (--lies, default 1), and is honest from then on;
or, if it lies when a client connects, it does in every connection but the
first so many.  The log has a line for each connection and request, N being
the number of the connection: "connect N", "read N OFFSET COUNT", "status N
OFFSET COUNT" and so on, "shutdown N" where it was refused for that, and
"refused N" after a request that is not aligned to the minimum block size, or
too long.

On SIGTERM it lets nobody in any more, says ESHUTDOWN to all requests, and
ends when its clients have gone.
"""

import argparse
import itertools
import os
import signal
import socket
import struct
import sys
import threading

INIT_MAGIC = 0x4e42444d41474943
OPTION_MAGIC = 0x49484156454f5054
OPTION_REPLY_MAGIC = 0x3e889045565a9
REQUEST_MAGIC = 0x25609513
STRUCTURED_REPLY_MAGIC = 0x668e33ef

OPT_EXPORT_NAME, OPT_ABORT, OPT_INFO, OPT_GO = 1, 2, 6, 7
OPT_STRUCTURED_REPLY, OPT_SET_META_CONTEXT = 8, 10
REP_ACK, REP_INFO, REP_META_CONTEXT = 1, 3, 4
REP_ERR_UNSUP = 1 << 31 | 1
CMD_READ, CMD_WRITE, CMD_DISC, CMD_FLUSH = 0, 1, 2, 3
CMD_WRITE_ZEROES, CMD_BLOCK_STATUS = 6, 7
COMMANDS = {CMD_READ: "read", CMD_WRITE: "write", CMD_FLUSH: "flush",
            CMD_WRITE_ZEROES: "zero", CMD_BLOCK_STATUS: "status"}
CHUNK_NONE, CHUNK_DATA, CHUNK_STATUS, CHUNK_ERROR = 0, 1, 5, 1 << 15 | 1
EINVAL, ESHUTDOWN = 22, 108
CONTEXT = 7

# What it can say that is wrong: when a client connects, to a read, to a
# block status request, and nothing at all to any of them.
AT_CONNECTING = ("other-size", "no-context", "other-block-size", "silent",
                 "turned-away")
AT_READ = ("half", "twice", "outside", "nothing", "bad-magic", "hang-up",
           "mid-hang-up", "wrong-cookie", "too-long", "status-chunk")
AT_STATUS = ("no-extents", "no-chunk", "zero-length", "beyond-request",
             "beyond-end", "odd-payload", "huge-payload", "wrong-context",
             "zero-after-data", "strange-flags", "hang-up-status")
SILENT = tuple("silent-" + name for name in COMMANDS.values())


def content(offset, count):
    return bytes((n // 512 + n) % 251 for n in range(offset, offset + count))


class HangUp(Exception):
    """The connection ends."""


class Disk:
    """The export, the lies, and the log; all connections share it."""

    def __init__(self, args):
        self.size = args.size
        self.pattern = [tuple(map(int, piece.split(":")))
                        for piece in args.map.split(",")]
        self.period = sum(length for length, _ in self.pattern)
        self.args = args
        self.lock = threading.Lock()
        self.ending = False
        self.file = None
        if args.writable:
            self.file = os.open(args.writable, os.O_RDWR)
            self.size = os.fstat(self.file).st_size
        self.honest = args.honest
        self.lies = args.lies
        self.log_file = open(args.log, "w") if args.log else None

    def log(self, *words):
        if self.log_file:
            with self.lock:
                print(*words, file=self.log_file, flush=True)

    def lie(self, names):
        """The name of the lie to tell now, if it is one of these."""
        if self.args.lie not in names:
            return None
        with self.lock:
            if self.honest > 0:
                self.honest -= 1
                return None
            if self.lies == 0 and names is not AT_CONNECTING:
                return None
            self.lies -= 1
            return self.args.lie

    def extents(self, offset, count, most):
        """Up to 'most' pairs of length and flags that tile the range."""
        end = min(offset + count, self.size)
        while offset < end and most > 0:
            at = offset % self.period
            for length, flags in self.pattern:
                if at < length:
                    break
                at -= length
            step = min(length - at, end - offset)
            yield step, flags
            offset += step
            most -= 1

    def pairs(self, offset, count, most):
        """The extents as they are sent; soon, if it is whole periods."""
        periods = min(count // self.period, most // len(self.pattern))
        if offset % self.period or periods == 0:
            return b"".join(struct.pack(">II", *extent) for extent
                            in self.extents(offset, count, most))
        one = b"".join(struct.pack(">II", *piece) for piece in self.pattern)
        length = periods * self.period
        return one * periods + b"".join(
            struct.pack(">II", *extent) for extent
            in self.extents(offset + length, count - length,
                            most - periods * len(self.pattern)))

    def read(self, offset, count):
        if self.file is not None:
            return os.pread(self.file, count, offset)
        data = b""
        for length, flags in self.extents(offset, count, 1 << 30):
            data += bytes(length) if flags & 2 else content(offset, length)
            offset += length
        return data


class Connection:
    """One client, from the first byte to the last."""

    def __init__(self, sock, number, disk):
        self.sock = sock
        self.number = number
        self.disk = disk
        self.status = False

    def recv(self, count):
        data = b""
        while len(data) < count:
            more = self.sock.recv(count - len(data))
            if not more:
                raise HangUp
            data += more
        return data

    def unpack(self, layout):
        return struct.unpack(layout, self.recv(struct.calcsize(layout)))

    def reply(self, option, kind, payload=b""):
        self.sock.sendall(struct.pack(">QIII", OPTION_REPLY_MAGIC, option,
                                      kind, len(payload)) + payload)

    def information(self, lie):
        args = self.disk.args
        size = self.disk.size + (4096 if lie == "other-size" else 0)
        flags = 1 | (1 << 8 if args.multi_conn else 0)
        flags |= 1 << 2 | 1 << 6 if args.writable else 2
        yield struct.pack(">HQH", 0, size, flags)
        if args.block or lie == "other-block-size":
            small, large = map(int, (args.block or "1:33554432").split(":"))
            if lie == "other-block-size":
                small = 8192
            yield struct.pack(">HIII", 3, small, max(small, 4096), large)

    def say_nothing(self):
        while True:
            self.recv(1)

    def negotiate(self):
        lie = self.disk.lie(AT_CONNECTING)
        if lie == "turned-away":
            raise HangUp
        if lie == "silent":
            self.say_nothing()
        self.sock.sendall(struct.pack(">QQH", INIT_MAGIC, OPTION_MAGIC, 3))
        self.recv(4)
        while True:
            _, option, length = self.unpack(">QII")
            data = self.recv(length)
            if option == OPT_STRUCTURED_REPLY:
                self.reply(option, REP_ACK)
            elif option == OPT_SET_META_CONTEXT:
                self.status = (not self.disk.args.no_status and
                               lie != "no-context" and
                               b"base:allocation" in data)
                if self.status:
                    self.reply(option, REP_META_CONTEXT, struct.pack(
                        ">I", CONTEXT) + b"base:allocation")
                self.reply(option, REP_ACK)
            elif option == OPT_GO:
                for info in self.information(lie):
                    self.reply(option, REP_INFO, info)
                self.reply(option, REP_ACK)
                return
            elif option == OPT_ABORT:
                self.reply(option, REP_ACK)
                raise HangUp
            else:
                self.reply(option, REP_ERR_UNSUP)

    def chunk(self, cookie, kind, payload, done=True, length=None):
        self.sock.sendall(struct.pack(
            ">IHHQI", STRUCTURED_REPLY_MAGIC, int(done), kind, cookie,
            len(payload) if length is None else length) + payload)

    def data(self, cookie, offset, data, done=True):
        self.chunk(cookie, CHUNK_DATA, struct.pack(">Q", offset) + data,
                   done)

    def read(self, cookie, offset, count):
        data = self.disk.read(offset, count)
        lie = self.disk.lie(AT_READ)
        if lie is None:
            self.data(cookie, offset, data)
        elif lie == "half":
            self.data(cookie, offset, data[:count // 2])
        elif lie == "twice":
            self.data(cookie, offset, data[:count // 2], done=False)
            self.data(cookie, offset, data[:count // 2])
        elif lie == "outside":
            self.data(cookie, offset + 512, data)
        elif lie == "nothing":
            self.chunk(cookie, CHUNK_NONE, b"")
        elif lie == "bad-magic":
            self.sock.sendall(b"\xff" * 64)
        elif lie == "hang-up":
            raise HangUp
        elif lie == "mid-hang-up":
            self.chunk(cookie, CHUNK_DATA, struct.pack(">Q", offset)
                       + data[:10], length=8 + count)
            raise HangUp
        elif lie == "wrong-cookie":
            self.data(cookie + 5, offset, data)
        elif lie == "too-long":
            self.data(cookie, offset, data + bytes(4096))
        elif lie == "status-chunk":
            self.chunk(cookie, CHUNK_STATUS,
                       struct.pack(">III", CONTEXT, count, 0))

    def block_status(self, cookie, offset, count):
        lie = self.disk.lie(AT_STATUS)
        pairs = self.disk.pairs(offset, count, self.disk.args.extents)
        context = CONTEXT
        if lie == "hang-up-status":
            raise HangUp
        if lie == "no-chunk":
            self.chunk(cookie, CHUNK_NONE, b"")
            return
        if lie == "no-extents":
            pairs = b""
        elif lie == "zero-length":
            pairs = struct.pack(">II", 0, 3) * 3
        elif lie == "zero-after-data":
            pairs = pairs[:8] + struct.pack(">II", 0, 3) + pairs[8:]
        elif lie == "beyond-request":
            pairs = pairs[:8] + struct.pack(">II", 0xffffffff, 3)
        elif lie == "beyond-end":
            pairs += struct.pack(">II", 0xfffff000, 3) * 4
        elif lie == "wrong-context":
            context = CONTEXT + 1
        elif lie == "strange-flags":
            pairs = b"".join(
                struct.pack(">II", length, flags | 0x7ffffff0)
                for length, flags in struct.iter_unpack(">II", pairs))
        elif lie == "odd-payload":
            pairs += b"\0\0\0"
        length = 1 << 31 if lie == "huge-payload" else None
        self.chunk(cookie, CHUNK_STATUS,
                   struct.pack(">I", context) + pairs, length=length)

    def error(self, cookie, number):
        self.chunk(cookie, CHUNK_ERROR, struct.pack(">IH", number, 0))

    def write(self, cookie, offset, data):
        os.pwrite(self.disk.file, data, offset)
        self.chunk(cookie, CHUNK_NONE, b"")

    def is_wrong(self, command, offset, count):
        """Is the request one that the server has not said it takes?"""
        args = self.disk.args
        small, large = map(int, (args.block or "1:33554432").split(":"))
        if command == CMD_FLUSH and args.writable:
            return False
        return (command not in COMMANDS or count == 0
                or command not in (CMD_READ, CMD_BLOCK_STATUS)
                and not args.writable
                or offset + count > self.disk.size
                or offset % small != 0 or count % small != 0
                or command in (CMD_READ, CMD_WRITE) and count > large)

    def serve_one(self):
        magic, _, command, cookie, offset, count = self.unpack(">IHHQQI")
        if magic != REQUEST_MAGIC or command == CMD_DISC:
            raise HangUp
        data = self.recv(count) if command == CMD_WRITE else b""
        name = COMMANDS.get(command)
        self.disk.log(name or command, self.number, offset, count)
        if self.disk.ending:
            self.disk.log("shutdown", self.number)
            self.error(cookie, ESHUTDOWN)
        elif self.is_wrong(command, offset, count):
            self.disk.log("refused", self.number)
            self.error(cookie, EINVAL)
        elif self.disk.args.lie == f"silent-{name}" and self.disk.lie(SILENT):
            self.say_nothing()
        elif command == CMD_READ:
            self.read(cookie, offset, count)
        elif command == CMD_BLOCK_STATUS:
            self.block_status(cookie, offset, count)
        elif command == CMD_FLUSH:
            self.chunk(cookie, CHUNK_NONE, b"")
        else:
            self.write(cookie, offset, data or bytes(count))

    def run(self):
        try:
            self.disk.log("connect", self.number)
            self.negotiate()
            while True:
                self.serve_one()
        except (HangUp, OSError):
            pass
        finally:
            self.sock.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("socket")
    parser.add_argument("--size", type=int, default=1 << 20)
    parser.add_argument("--map", default="65536:0,65536:3")
    parser.add_argument("--block")
    parser.add_argument("--multi-conn", action="store_true")
    parser.add_argument("--no-status", action="store_true")
    parser.add_argument("--extents", type=int, default=1 << 20)
    parser.add_argument("--writable")
    parser.add_argument("--lie", choices=AT_CONNECTING + AT_READ + AT_STATUS
                        + SILENT)
    parser.add_argument("--lies", type=int, default=1)
    parser.add_argument("--honest", type=int, default=0)
    parser.add_argument("--log")
    args = parser.parse_args()
    disk = Disk(args)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(args.socket)
    listening.listen(32)
    clients = []

    def end(*_):
        disk.ending = True
        raise HangUp

    signal.signal(signal.SIGTERM, end)
    try:
        for number in itertools.count():
            sock, _ = listening.accept()
            clients.append(threading.Thread(
                target=Connection(sock, number, disk).run, daemon=True))
            clients[-1].start()
    except HangUp:
        listening.close()
    for client in clients:
        client.join()


if __name__ == "__main__":
    sys.exit(main())
