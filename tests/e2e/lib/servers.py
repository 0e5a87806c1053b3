# SPDX-License-Identifier: BSD-3-Clause
"""NBD servers as context managers: nbdkit with the vdisk plugin, and
qemu-nbd as the oracle.

As a program: servers.py LOG STATUS judges how a server ended.

Environment: PLUGIN (the plugin), NBDKIT, NBDKIT_PRELOAD (LD_PRELOAD for
nbdkit alone), NBDKIT_WRAPPER (a command put before nbdkit).
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

from nbdclient import Client

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
PLUGIN = os.environ.get("PLUGIN") or os.path.join(
    TOP, "plugin", "nbdkit-vdisk-plugin.so")
NBDKIT = os.environ.get("NBDKIT", "nbdkit")
PRELOAD = os.environ.get("NBDKIT_PRELOAD", "")
WRAPPER = shlex.split(os.environ.get("NBDKIT_WRAPPER", ""))

# Slow wrappers start slowly, and so do busy machines.
START_SECONDS = 60

# What sanitizers and valgrind say.
DAMAGE = re.compile(r"Sanitizer|runtime error:|^==\d+==", re.MULTILINE)
LEAKS = re.compile(r"^=+\n==\d+==ERROR: LeakSanitizer.*\Z",
                   re.MULTILINE | re.DOTALL)
LEAK = re.compile(r"^(?:Direct|Indirect) leak of .*\n +#0 .*\n +#1 (.*)$",
                  re.MULTILINE)


def forgive(text, status):
    """nbdkit leaks a little of its own when it ends while clients come
    and go.  Give what it printed and its exit status without that."""
    report = LEAKS.search(text)
    if report is None:
        return text, status
    callers = LEAK.findall(report.group())
    if callers and all("/nbdkit+0x" in caller for caller in callers):
        return text[:report.start()].strip(), 0
    return text, status


class ServerError(Exception):
    """A server did not start, or did not end as it should."""


class Server:
    """A server on a private Unix socket, running while in 'with'."""

    def __init__(self, name, argv, env=None):
        self.name = name
        self._argv = argv
        self._env = env
        self._clients = []
        self.process = None
        self.errors = ""

    def __enter__(self):
        self._dir = tempfile.TemporaryDirectory(prefix="s")
        self.socket = os.path.join(self._dir.name, "s")
        self.uri = "nbd+unix:///?socket=" + self.socket
        self._log = open(os.path.join(self._dir.name, "log"), "w+b")
        try:
            self.process = subprocess.Popen(
                self._argv(self.socket), env=self._env,
                stdin=subprocess.DEVNULL, stdout=self._log,
                stderr=self._log)
            self._wait_until_ready()
        except BaseException:
            self._kill()
            raise
        return self

    def _wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.client = self.connect()
                return
            except (FileNotFoundError, ConnectionRefusedError):
                pass
            if self.process.poll() is not None:
                raise ServerError("%s did not start: exit status %d: %s" % (
                    self.name, self.process.returncode, self._read_log()))
            if time.monotonic() > deadline:
                raise ServerError("%s is not ready after %d s: %s" % (
                    self.name, START_SECONDS, self._read_log()))
            time.sleep(0.0005)

    def connect(self):
        """One more connection; closed with the server."""
        client = Client(self.socket)
        self._clients.append(client)
        return client

    def _read_log(self):
        self._log.seek(0)
        return self._log.read().decode(errors="replace").strip()

    def _status(self, field):
        with open("/proc/%d/status" % self.process.pid) as f:
            for line in f:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
        raise ServerError("no %s in /proc" % field)

    def vm_hwm(self):
        """Peak resident memory of the server, in bytes."""
        return self._status("VmHWM")

    def vm_rss(self):
        """Resident memory of the server now, in bytes."""
        return self._status("VmRSS")

    def cpu_seconds(self):
        """What the server has taken of the processor so far."""
        # What clock_getcpuclockid gives.
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def _kill(self):
        for client in self._clients:
            client.sock.close()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.errors = self._read_log()
        self._log.close()
        self._dir.cleanup()

    def __exit__(self, kind, value, trace):
        for client in self._clients:
            client.close()
        alive = self.process.poll() is None
        if alive:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._kill()
        if kind is not None:
            if self.errors:
                print("%s said: %s" % (self.name, self.errors))
            return
        if not alive:
            raise ServerError("%s died with status %d: %s" % (
                self.name, self.process.returncode, self.errors))
        self.errors, status = forgive(self.errors, self.process.returncode)
        if status != 0 or DAMAGE.search(self.errors):
            raise ServerError("%s ended with status %d: %s" % (
                self.name, status, self.errors))


def vdisk(image, *params, filters=()):
    """nbdkit serving 'image' with the vdisk plugin."""
    env = dict(os.environ)
    if PRELOAD:
        env["LD_PRELOAD"] = PRELOAD

    def argv(socket):
        return (WRAPPER
                + [NBDKIT, "--exit-with-parent", "-f", "-U", socket]
                + ["--filter=" + name for name in filters]
                + [PLUGIN, "file=" + image] + list(params))

    return Server("nbdkit vdisk", argv, env)


def qemu_nbd(image, image_format, *options):
    """qemu-nbd serving 'image', any number of times."""

    def argv(socket):
        return ["qemu-nbd", "-r", "-t", "-e", "16", "-f", image_format,
                "-k", socket, *options, image]

    return Server("qemu-nbd", argv)


def main():
    path, status = sys.argv[1:]
    with open(path, encoding="utf-8", errors="replace") as f:
        text, status = forgive(f.read(), int(status))
    return 1 if status != 0 or DAMAGE.search(text) else 0


if __name__ == "__main__":
    sys.exit(main())
