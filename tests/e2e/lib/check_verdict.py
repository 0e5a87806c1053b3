# SPDX-License-Identifier: BSD-3-Clause
"""The verdicts of 'vdisk check' and 'qemu-img check' on an image, in the
same terms.
"""

import json
import os
import subprocess
import sys

from verify import Mismatch, count_check

COUNTS = ("errors", "leaks", "allocated", "total", "fragmented",
          "compressed", "end")
KEYS = {"errors": "corruptions", "leaks": "leaks",
        "allocated": "allocated-clusters", "total": "total-clusters",
        "fragmented": "fragmented-clusters",
        "compressed": "compressed-clusters", "end": "image-end-offset"}


class Verdict:
    """What a program says.  'status' is 0, 1 (could not check), 2 (errors)
    or 3 (leaks only); the counts are None where there was no check."""

    def __init__(self, status, document, text):
        self.status = status
        self.document = document
        self.text = text
        self.counts = None
        if document is not None:
            self.counts = {name: document.get(KEYS[name], 0)
                           for name in COUNTS}
        self.check_errors = (document or {}).get("check-errors", 0)

    def __str__(self):
        return "status %d, %s" % (self.status, self.counts)

    def findings(self):
        return [f["message"] for f in self.document["findings"]]


def run(argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=120, check=False)
    text = done.stderr.decode(errors="replace")
    if "Sanitizer" in text or "runtime error" in text:
        raise Mismatch("%s: %s" % (" ".join(argv), text))
    document = json.loads(done.stdout) if done.stdout.strip() else None
    return Verdict(done.returncode, document, text)


def qemu(path, image_format, image_opts=None):
    argv = ["qemu-img", "check", "-U", "--output=json"]
    if image_opts:
        return run(argv + image_opts)
    return run(argv + ["-f", image_format, path])


def vdisk(path, image_format, *options):
    return run([os.environ["VDISK"], "check", "--output=json", "--all",
                "--format=" + image_format, *options, path])


def differences(ours, theirs, ignore=()):
    """The names of what differs."""
    names = []
    if ours.status != theirs.status:
        names.append("status")
    if ours.counts and theirs.counts:
        names += [name for name in COUNTS
                  if ours.counts[name] != theirs.counts[name]]
    elif (ours.counts is None) != (theirs.counts is None):
        names.append("checked")
    return [name for name in names if name not in ignore]


def agree(path, image_format, image_opts=None):
    """Fail unless both say the same; gives our verdict."""
    ours = vdisk(path, image_format)
    theirs = qemu(path, image_format, image_opts)
    # QEMU does not say where a QED image ends.
    ignore = ["end"] if image_format == "qed" else []
    wrong = differences(ours, theirs, ignore)
    if wrong:
        raise Mismatch(
            "%s: %s differ\nours:   %s\nqemu's: %s\n%s%s" % (
                path, ", ".join(wrong), ours, theirs,
                "\n".join(ours.findings()[:20] if ours.document else []),
                ours.text + theirs.text[:3000]))
    return ours


def main():
    """check_verdict.py FORMAT IMAGE [QEMU-OPTION...]: both must find
    nothing wrong."""
    image_format, path, *image_opts = sys.argv[1:]
    ours = agree(path, image_format, image_opts or None)
    if ours.status != 0:
        raise SystemExit("%s: %s" % (path, ours.findings()))
    count_check(1)
    print("ok: %s: %s" % (path, ours))


if __name__ == "__main__":
    main()
