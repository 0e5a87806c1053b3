# SPDX-License-Identifier: BSD-3-Clause
"""Run a server with its client, or a command, and measure it.

What was measured is a dictionary: 'wall' and 'cpu' in seconds, 'rss', the
peak of memory, in KiB, and what else the programs of this directory print
('first', 'iops', ...).  Of a server that is its own CPU time, from when it
is ready; of a command it is that of all its processes.
"""

import os
import signal
import socket
import subprocess
import tempfile
import time


class Failed(Exception):
    """A program did not do what it should, and this is what it said."""


def words(text):
    """The lines "NAME VALUE" that programs print."""
    return {name: float(value) for name, value in
            (line.split() for line in text.splitlines())}


def forget(path):
    """Have the page cache hold nothing of the file."""
    with open(path, "rb", buffering=0) as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def warm(path):
    """Have the page cache hold the file, but for its holes."""
    with open(path, "rb", buffering=0) as file:
        buffer = memoryview(bytearray(1 << 20))
        end = 0
        while True:
            try:
                start = file.seek(end, os.SEEK_DATA)
            except OSError:
                return
            end = file.seek(start, os.SEEK_HOLE)
            file.seek(start)
            while start < end:
                start += file.readinto(buffer[:end - start])


class Server:
    """An NBD server on a Unix socket, started by socket activation: it
    takes a connection as soon as it can."""

    def __init__(self, command, directory):
        self.command = command
        self.path = os.path.join(directory, "socket")
        self.log = os.path.join(directory, "log")
        self.uri = "nbd+unix:///?socket=" + self.path
        self.pid = None

    def __enter__(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.path)
            listener.listen(16)
            self.pid = os.fork()
            if self.pid == 0:
                self.become_server(listener.fileno())
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def become_server(self, listener):
        try:
            log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.dup2(listener, 3)
            os.set_inheritable(3, True)
            os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
            os.execvp(self.command[0], self.command)
        except OSError as e:
            os.write(2, str(e).encode())
        finally:
            os._exit(127)

    def wait_until_ready(self):
        """It is when it greets somebody."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.path)
            client.settimeout(60)
            try:
                greeting = client.recv(8)
            except OSError:
                greeting = None
        if greeting != b"NBDMAGIC":
            raise Failed("%s: %s" % (self.command, self.said()))

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def cpu(self):
        """Seconds of CPU time so far, also of threads that have ended."""
        # What clock_getcpuclockid gives.
        return time.clock_gettime(~self.pid << 3 | 2)

    def peak_rss(self):
        with open("/proc/%d/status" % self.pid, encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
        raise Failed("%s: it has ended: %s" % (self.command, self.said()))

    def stop(self):
        if self.pid is not None:
            os.kill(self.pid, signal.SIGTERM)
            os.waitpid(self.pid, 0)
            self.pid = None


class Meter:
    """Runs programs; 'programs' is where those of this directory are."""

    def __init__(self, programs):
        self.programs = programs

    def program(self, name):
        return os.path.join(self.programs, name)

    def command(self, command, tells=False):
        """Measure a command.  If it 'tells', what it prints says more."""
        with tempfile.TemporaryDirectory(prefix="vdisk-bench-") as tmp:
            result = os.path.join(tmp, "result")
            done = subprocess.run(
                [self.program("timed"), result, *command], check=False,
                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                stdout=subprocess.PIPE if tells else subprocess.DEVNULL)
            if done.returncode != 0:
                raise Failed("%s: status %d: %s" % (
                    command, done.returncode, done.stderr))
            with open(result, encoding="ascii") as file:
                measured = words(file.read())
        return {**measured, **words(done.stdout or "")}

    def served(self, server_command, client):
        """Measure a server while a client is busy with it.  'client' is a
        command, in which '%s' becomes the URI."""
        with tempfile.TemporaryDirectory(prefix="vdisk-bench-") as tmp:
            with Server(server_command, tmp) as server:
                before = server.cpu()
                measured = self.command(
                    [server.uri if word == "%s" else word
                     for word in client], tells=True)
                measured["client_cpu"] = measured["cpu"]
                measured["rss"] = server.peak_rss()
                measured["cpu"] = server.cpu() - before
        return measured
