# SPDX-License-Identifier: BSD-3-Clause
"""A small NBD client over a Unix socket.

It asks what the ready-made clients hide: single block status replies as
they came, REQ_ONE, requests of any offset and length, errors with their
number, pipelined requests.  Written from the protocol document.
"""

import collections
import os
import socket
import struct

INIT_MAGIC = 0x4e42444d41474943
OPTION_MAGIC = 0x49484156454f5054
OPTION_REPLY_MAGIC = 0x3e889045565a9
REQUEST_MAGIC = 0x25609513
SIMPLE_REPLY_MAGIC = 0x67446698
STRUCTURED_REPLY_MAGIC = 0x668e33ef

OPT_GO, OPT_STRUCTURED_REPLY, OPT_SET_META_CONTEXT = 7, 8, 10
REP_ACK, REP_INFO, REP_META_CONTEXT = 1, 3, 4
INFO_EXPORT, INFO_NAME, INFO_DESCRIPTION, INFO_BLOCK_SIZE = 0, 1, 2, 3
CMD_READ, CMD_WRITE, CMD_DISC, CMD_FLUSH = 0, 1, 2, 3
CMD_CACHE, CMD_BLOCK_STATUS = 5, 7
CMD_FLAG_REQ_ONE = 1 << 3
REPLY_DONE = 1
REPLY_NONE, REPLY_DATA, REPLY_HOLE, REPLY_STATUS = 0, 1, 2, 5
REPLY_ERROR = 1 << 15

FLAG_READ_ONLY, FLAG_MULTI_CONN, FLAG_CACHE = 1 << 1, 1 << 8, 1 << 10

STATE_HOLE, STATE_ZERO = 1, 2

# The longest block status request that is a whole number of sectors, and
# the longest of all.
STATUS_MAX_SECTORS = (1 << 32) - 512
STATUS_MAX = (1 << 32) - 1
READ_MAX = 32 << 20


class NbdError(Exception):
    """The server answered a request with an error."""

    def __init__(self, errnum, message):
        super().__init__("%s%s" % (os.strerror(errnum),
                                   ": " + message if message else ""))
        self.errno = errnum
        self.message = message


class ProtocolError(Exception):
    """The server said something it must not say."""


class Client:
    """One connection, negotiated up to transmission."""

    def __init__(self, path, export="", timeout=300):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect(path)
            self._negotiate(export.encode())
        except BaseException:
            self.sock.close()
            raise
        self._cookie = 0
        self.requests = 0

    # --- Negotiation -----------------------------------------------------

    def _recv(self, count):
        data = bytearray(count)
        self._recv_into(memoryview(data))
        return bytes(data)

    def _recv_into(self, view):
        while len(view):
            n = self.sock.recv_into(view)
            if n == 0:
                raise ProtocolError("the server closed the connection")
            view = view[n:]

    def _unpack(self, layout):
        return struct.unpack(layout, self._recv(struct.calcsize(layout)))

    def _option(self, option, data):
        """Send one option and collect its replies up to the last."""
        self.sock.sendall(struct.pack(">QII", OPTION_MAGIC, option,
                                      len(data)) + data)
        replies = []
        while True:
            magic, to, kind, length = self._unpack(">QIII")
            if magic != OPTION_REPLY_MAGIC or to != option:
                raise ProtocolError("bad reply to option %d" % option)
            payload = self._recv(length)
            if kind == REP_ACK:
                return replies
            if kind & 1 << 31:
                raise ProtocolError("option %d: error %#x %r"
                                    % (option, kind, payload))
            replies.append((kind, payload))

    def _negotiate(self, export):
        init, option, flags = self._unpack(">QQH")
        if (init, option) != (INIT_MAGIC, OPTION_MAGIC) or not flags & 1:
            raise ProtocolError("not a fixed newstyle server")
        self.sock.sendall(struct.pack(">I", flags & 3))

        self._option(OPT_STRUCTURED_REPLY, b"")
        context = b"base:allocation"
        replies = self._option(OPT_SET_META_CONTEXT, struct.pack(
            ">I%dsII%ds" % (len(export), len(context)), len(export), export,
            1, len(context), context))
        self.context = None
        for kind, payload in replies:
            if kind == REP_META_CONTEXT and payload[4:] == context:
                self.context = struct.unpack(">I", payload[:4])[0]

        wanted = (INFO_DESCRIPTION, INFO_BLOCK_SIZE)
        replies = self._option(OPT_GO, struct.pack(
            ">I%dsH%dH" % (len(export), len(wanted)), len(export), export,
            len(wanted), *wanted))
        self.size = self.flags = None
        self.block_size = None        # (minimum, preferred, maximum)
        self.description = None
        for kind, payload in replies:
            what = struct.unpack(">H", payload[:2])[0]
            if kind != REP_INFO:
                continue
            if what == INFO_EXPORT:
                self.size, self.flags = struct.unpack(">QH", payload[2:])
            elif what == INFO_BLOCK_SIZE:
                self.block_size = struct.unpack(">III", payload[2:])
            elif what == INFO_DESCRIPTION:
                self.description = payload[2:].decode()
        if self.size is None:
            raise ProtocolError("the server did not tell the export's size")

    # --- Transmission ----------------------------------------------------

    def _send(self, command, offset, count, flags=0):
        self._cookie += 1
        self.requests += 1
        self.sock.sendall(struct.pack(">IHHQQI", REQUEST_MAGIC, flags,
                                      command, self._cookie, offset, count))
        return self._cookie

    def _chunks(self):
        """Receive the chunks of one reply; data goes through 'take' at
        once.  Yields (cookie, kind, length) and expects the payload to be
        consumed by the caller."""
        while True:
            magic, = self._unpack(">I")
            if magic == SIMPLE_REPLY_MAGIC:
                error, cookie = self._unpack(">IQ")
                yield cookie, "simple", error
                return
            if magic != STRUCTURED_REPLY_MAGIC:
                raise ProtocolError("bad magic %#x in a reply" % magic)
            flags, kind, cookie, length = self._unpack(">HHQI")
            yield cookie, kind, length
            if flags & REPLY_DONE:
                return

    def _error_payload(self, length):
        payload = self._recv(length)
        errnum, text = struct.unpack(">IH", payload[:6])
        return NbdError(errnum, payload[6:6 + text].decode(errors="replace"))

    def _read_reply(self, pending):
        """Receive one whole read reply into its buffer in 'pending'."""
        error = None
        covered = 0
        cookie = None
        for cookie, kind, length in self._chunks():
            if cookie not in pending:
                raise ProtocolError("a reply to no request")
            offset, view = pending[cookie]
            if kind == "simple":
                if length:
                    error = NbdError(length, "")
                else:
                    self._recv_into(view)
                    covered = len(view)
            elif kind == REPLY_DATA:
                at, = self._unpack(">Q")
                at -= offset
                length -= 8
                if at < 0 or length > len(view) - at:
                    raise ProtocolError("data outside the request")
                self._recv_into(view[at:at + length])
                covered += length
            elif kind == REPLY_HOLE:
                at, length = self._unpack(">QI")
                at -= offset
                if at < 0 or length > len(view) - at:
                    raise ProtocolError("a hole outside the request")
                view[at:at + length] = bytes(length)
                covered += length
            elif kind & REPLY_ERROR:
                error = self._error_payload(length)
            elif kind != REPLY_NONE:
                raise ProtocolError("chunk of type %d in a read" % kind)
        offset, view = pending.pop(cookie)
        if error:
            raise error
        if covered != len(view):
            raise ProtocolError("read of %d bytes at %d: %d bytes came"
                                % (len(view), offset, covered))

    def read(self, offset, count):
        """Read any number of bytes, in one request."""
        buffer = bytearray(count)
        self.read_into(offset, memoryview(buffer))
        return buffer

    def read_into(self, offset, view):
        cookie = self._send(CMD_READ, offset, len(view))
        self._read_reply({cookie: (offset, view)})

    def read_many(self, ranges, in_flight=16, tell_errors=False):
        """Read ranges with several requests in flight.  Yields (offset,
        bytes) as the replies come, in the order of the server; also
        (offset, error) if errors are to be told rather than raised."""
        waiting = collections.deque(ranges)
        pending, buffers = {}, {}
        while waiting or pending:
            while waiting and len(pending) < in_flight:
                offset, count = waiting.popleft()
                buffer = bytearray(count)
                cookie = self._send(CMD_READ, offset, count)
                pending[cookie] = (offset, memoryview(buffer))
                buffers[cookie] = (offset, buffer)
            before = set(pending)
            error = None
            try:
                self._read_reply(pending)
            except NbdError as e:
                if not tell_errors:
                    raise
                error = e
            done, = before - set(pending)
            offset, buffer = buffers.pop(done)
            yield offset, error or buffer

    def status(self, offset, count, req_one=False):
        """One block status request: the extents as the server sent them,
        as a list of (length, state)."""
        self._send(CMD_BLOCK_STATUS, offset, count,
                   CMD_FLAG_REQ_ONE if req_one else 0)
        extents = None
        error = None
        for _, kind, length in self._chunks():
            if kind == "simple":
                if length:
                    error = NbdError(length, "")
            elif kind == REPLY_STATUS:
                payload = self._recv(length)
                context, = struct.unpack(">I", payload[:4])
                if context != self.context or extents is not None:
                    raise ProtocolError("unexpected block status chunk")
                extents = list(struct.iter_unpack(">II", payload[4:]))
            elif kind & REPLY_ERROR:
                error = self._error_payload(length)
            elif kind != REPLY_NONE:
                raise ProtocolError("chunk of type %d in a block status"
                                    % kind)
        if error:
            raise error
        if not extents:
            raise ProtocolError("block status of %d bytes at %d: empty reply"
                                % (count, offset))
        return extents

    def cache(self, offset, count):
        self._send(CMD_CACHE, offset, count)
        self._wait()

    def flush(self):
        self._send(CMD_FLUSH, 0, 0)
        self._wait()

    def _wait(self):
        """Until the request is done."""
        for _, kind, length in self._chunks():
            if kind == "simple" and length:
                raise NbdError(length, "")
            if kind != "simple" and kind & REPLY_ERROR:
                raise self._error_payload(length)

    def close(self):
        try:
            self._send(CMD_DISC, 0, 0)
        except OSError:
            pass
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
