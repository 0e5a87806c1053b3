#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compare images that real software has written with what is known of them.

  check-samples.py DIRECTORY

DIRECTORY has a MANIFEST, with a line for each image: its name, the size of
the disk, the SHA-256 of the disk ("-" where one of these is not known), and
who wrote it; and the images, or samples.tar.zst with them.  Those of which
size and digest are known must be read so by 'vdisk export', quietly; of the
others 'vdisk info' and 'vdisk map' must not crash.  The environment variable
VDISK names the tool.
"""

import hashlib
import os
import subprocess
import sys
import tempfile

VDISK = os.path.abspath(os.environ.get("VDISK", "tools/vdisk"))
CHUNK = 1 << 20


def rows(directory):
    with open(os.path.join(directory, "MANIFEST"), encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                name, size, digest, writer = line.split(None, 3)
                yield name, size, digest, writer.strip()


def unpacked(directory, scratch):
    archive = os.path.join(directory, "samples.tar.zst")
    if not os.path.exists(archive):
        return directory
    with subprocess.Popen(["zstd", "-dcq", "--long=27", archive],
                          stdout=subprocess.PIPE) as zstd:
        subprocess.run(["tar", "xS", "-C", scratch], stdin=zstd.stdout,
                       check=True)
    if zstd.returncode != 0:
        raise SystemExit("zstd: exit status %d" % zstd.returncode)
    return scratch


def digest_of(path):
    """Size and SHA-256 of the disk, and what was said."""
    total, digest = 0, hashlib.sha256()
    with tempfile.TemporaryFile() as errors, \
            subprocess.Popen([VDISK, "export", path, "-"],
                             stdin=subprocess.DEVNULL, stderr=errors,
                             stdout=subprocess.PIPE) as export:
        while chunk := export.stdout.read(CHUNK):
            total += len(chunk)
            digest.update(chunk)
        export.wait()
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip()
    return export.returncode, total, digest.hexdigest(), said


def problem_of_known(path, size, digest):
    status, total, found, said = digest_of(path)
    if status != 0 or said:
        return "exit status %d: %s" % (status, said)
    if total != int(size):
        return "%d bytes, expected %s" % (total, size)
    if found != digest:
        return "SHA-256 %s, expected %s" % (found, digest)
    return None


def problem_of_other(path, size):
    for command in ["info"], ["map", "--totals"], ["check"]:
        done = subprocess.run([VDISK, *command, path], check=False,
                              stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode < 0 or done.returncode not in (0, 1, 2, 3, 63):
            return "%s: exit status %d" % (command[0], done.returncode)
        if command == ["info"] and size != "-" and done.returncode == 0 and \
                b"virtual size: %s (" % size.encode() not in done.stdout:
            return "info does not tell of %s bytes" % size
    return None


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    failed = passed = 0
    with tempfile.TemporaryDirectory() as scratch:
        directory = unpacked(os.path.abspath(sys.argv[1]), scratch)
        for name, size, digest, writer in rows(sys.argv[1]):
            path = os.path.join(directory, name)
            if digest != "-" and "to come" not in writer:
                problem = problem_of_known(path, size, digest)
            else:
                problem = problem_of_other(path, size)
            print("%s %s (%s)%s" % ("FAIL" if problem else "PASS", name,
                                    writer, ": " + problem if problem else
                                    ""), flush=True)
            failed += problem is not None
            passed += problem is None
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
