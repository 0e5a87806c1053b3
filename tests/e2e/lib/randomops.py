# SPDX-License-Identifier: BSD-3-Clause
"""Random qemu-io commands, from a seeded generator.

Offsets favour borders: of clusters, of L2 tables, the disk's two ends,
and places used before.
"""

SECTOR = 512


class RandomOps:
    """Makes commands for one image.

    'weights' maps kinds of commands (write, zero, unmap, discard,
    compressed) to weights; 'patterns' are files that 'write -s' takes its
    bytes from; 'longest' bounds the length of one command."""

    def __init__(self, rng, size, cluster, weights, patterns=(),
                 l2_span=None, longest=2 << 20):
        self.rng = rng
        self.size = size
        self.cluster = min(cluster, max(size, SECTOR))
        self.kinds = list(weights)
        self.weights = [weights[kind] for kind in self.kinds]
        self.patterns = patterns
        self.l2_span = l2_span or cluster * (cluster // 8)
        self.longest = min(longest, size)
        self.used = []
        self.touched = set()      # clusters, for compressed writes

    def _touch(self, offset, length):
        """Note what is no longer untouched; false if some was."""
        if "compressed" not in self.kinds:
            return True
        clusters = range(offset // self.cluster,
                         (offset + length - 1) // self.cluster + 1)
        free = self.touched.isdisjoint(clusters)
        self.touched.update(clusters)
        return free

    def _offset(self):
        """Anywhere, near what was used, or near a border."""
        rng = self.rng
        place = rng.random()
        if self.used and place < 0.35:
            offset = rng.choice(self.used)
            offset += rng.randrange(-4, 5) * self.cluster
        elif place < 0.45:
            offset = self.size - rng.randrange(4 * self.cluster)
        elif place < 0.50:
            offset = rng.randrange(4) * self.cluster
        elif place < 0.65 and self.l2_span < self.size:
            offset = rng.randrange(1, -(-self.size // self.l2_span))
            offset = offset * self.l2_span
            offset += rng.randrange(-2, 3) * self.cluster
        else:
            offset = rng.randrange(self.size)
        return min(max(offset, 0), self.size - 1)

    def _range(self):
        """An offset and a length, aligned to the cluster, to sectors or to
        nothing."""
        rng = self.rng
        offset = self._offset()
        kind = rng.random()
        if kind < 0.45:
            unit = self.cluster
        elif kind < 0.75:
            unit = max(self.cluster // 32, SECTOR)
        elif kind < 0.9:
            unit = SECTOR
        else:
            unit = 1
        offset -= offset % unit
        most = rng.choice([1, 2, 3, 8, 40])
        length = rng.randrange(1, most + 1) * unit
        if rng.random() < 0.1:
            length = rng.randrange(1, 8 * self.cluster)
        length = min(length, self.longest, self.size - offset)
        self.used.append(offset)
        self._touch(offset, length)
        return offset, length

    def _write(self):
        offset, length = self._range()
        if self.patterns and self.rng.random() < 0.5:
            source = "-s " + self.rng.choice(self.patterns)
        else:
            source = "-P %d" % self.rng.randrange(256)
        return "write %s %d %d" % (source, offset, length)

    def _zero(self):
        return "write -z %d %d" % self._range()

    def _unmap(self):
        return "write -z -u %d %d" % self._range()

    def _discard(self):
        return "discard %d %d" % self._range()

    def _compressed(self):
        # QEMU refuses to write compressed where there is something, and
        # may ruin the image after it has refused.
        for _ in range(10):
            offset = self._offset()
            offset -= offset % self.cluster
            length = self.rng.choice([1, 1, 2, 5]) * self.cluster
            length = min(length, max(self.longest, self.cluster),
                         self.size - offset)
            if self._touch(offset, length):
                break
        else:
            return self._write()
        self.used.append(offset)
        source = "-P %d" % self.rng.randrange(1, 256)
        if self.patterns and self.rng.random() < 0.7:
            source = "-s " + self.rng.choice(self.patterns)
        return "write -c %s %d %d" % (source, offset, length)

    def commands(self, count):
        """That many commands for qemu-io."""
        if self.size == 0:
            return []
        return [getattr(self, "_" + kind)() for kind in
                self.rng.choices(self.kinds, self.weights, k=count)]


def parse_weights(text):
    """'write=5,zero=2' as a dictionary."""
    weights = {}
    for item in text.split(","):
        kind, _, weight = item.partition("=")
        if not hasattr(RandomOps, "_" + kind):
            raise ValueError("unknown kind of command: " + kind)
        weights[kind] = int(weight or 1)
    return weights


def parse_size(text):
    """'64M' as bytes."""
    units = {"k": 10, "M": 20, "G": 30, "T": 40}
    if text[-1] in units:
        return int(text[:-1]) << units[text[-1]]
    return int(text)


def make_patterns(rng, count=3, size=200_000):
    """Files of bytes: random, text-like, and mixed with zeros.  Gives
    their names."""
    names = []
    words = [rng.randbytes(rng.randrange(2, 9)) for _ in range(60)]
    for i in range(count):
        data = bytearray()
        while len(data) < size:
            kind = i % 3
            if kind == 0:
                data += rng.randbytes(4096)
            elif kind == 1:
                data += b"".join(rng.choices(words, k=100))
            else:
                data += rng.choice([bytes(rng.randrange(1, 9000)),
                                    rng.randbytes(rng.randrange(1, 3000))])
        name = "pattern%d" % i
        with open(name, "wb") as f:
            f.write(data[:size + i * 777])
        names.append(name)
    return names
