# SPDX-License-Identifier: BSD-3-Clause
"""Races that were run, as Markdown and as raw figures."""

import statistics

from races import HIGHER_IS_BETTER

HEADS = ("against", "vdisk", "peer", "ratio", "aim", "met", "CPU", "MiB")
NOTHING = "-"
ABSENT = "absent"


def seconds(value):
    """Three digits, as "2.14 s", "47 ms" or "132 us"."""
    for unit, scale in (("s", 1), ("ms", 1e3)):
        if abs(value) * scale >= 0.9995:
            return "%.3g %s" % (value * scale, unit)
    return "%.0f us" % (value * 1e6)


def figure(name, value):
    if name in HIGHER_IS_BETTER:
        return "%.1f k" % (value / 1000)
    return seconds(value)


def ratio_text(value):
    return "%.2f" % value if value < 9.995 else "%.1f" % value


class Result:
    """A row's figures: 'rounds' has for each round what every contestant
    came to, by name."""

    def __init__(self, race, row, rounds):
        self.label = (race.name + ": " if race.name else "") + row.label
        self.row = row
        self.rounds = [r for r in rounds if row.ours in r]
        self.there = bool(self.rounds) and row.peer in self.rounds[0]

    def values(self, who, name):
        return [r[who][name] for r in self.rounds]

    def median(self, who, name):
        return statistics.median(self.values(who, name))

    def ratio(self, name):
        """How many times as fast, round by round; None if that cannot be
        said."""
        pairs = list(zip(self.values(self.row.ours, name),
                         self.values(self.row.peer, name)))
        if name in HIGHER_IS_BETTER:
            pairs = [(peer, ours) for ours, peer in pairs]
        if any(ours <= 0 for ours, _ in pairs):
            return None
        return statistics.median(peer / ours for ours, peer in pairs)

    def difference(self):
        return statistics.median(
            r[self.row.ours][self.row.figure] -
            r[self.row.peer][self.row.figure] for r in self.rounds)

    def met(self):
        """True, False, or None if there is no aim or no peer."""
        row = self.row
        if row.below is not None and self.rounds:
            if not row.difference:
                return self.median(row.ours, row.figure) < row.below
            return self.difference() < row.below if self.there else None
        if row.at_least is None or not self.there:
            return None
        return self.ratio(row.figure) >= row.at_least

    def aim(self):
        if self.row.below is not None:
            return "<" + seconds(self.row.below)
        if self.row.at_least is not None:
            return ratio_text(self.row.at_least)
        return NOTHING

    def memory(self, who):
        peaks = [r[who].get("rss") for r in self.rounds]
        return NOTHING if None in peaks else "%.0f" % (max(peaks) / 1024)

    def cells(self):
        row = self.row
        met = {True: "yes", False: "no", None: NOTHING}[self.met()]
        if not self.rounds:
            return (self.label, ABSENT, ABSENT, NOTHING, self.aim(),
                    met, NOTHING, NOTHING)
        ours = figure(row.figure, self.median(row.ours, row.figure))
        if not self.there:
            return (self.label, ours, ABSENT, NOTHING, self.aim(), met,
                    NOTHING, self.memory(row.ours))
        ratio = (seconds(self.difference()) if row.difference
                 else ratio_text(self.ratio(row.figure)))
        cpu = self.ratio("cpu")
        return (self.label, ours,
                figure(row.figure, self.median(row.peer, row.figure)),
                ratio, self.aim(), met,
                NOTHING if cpu is None else ratio_text(cpu),
                "%s/%s" % (self.memory(row.ours), self.memory(row.peer)))


def memory_row(label, kib, limit_kib):
    """The row of the largest server."""
    return (label, "%.1f MiB" % (kib / 1024), NOTHING, NOTHING,
            "<%.0f MiB" % (limit_kib / 1024),
            "yes" if kib < limit_kib else "no", NOTHING, NOTHING)


def markdown(title, rows):
    """A heading and a table; 'rows' are tuples of cells."""
    widths = [max(len(cells[i]) for cells in [HEADS, *rows])
              for i in range(len(HEADS))]

    def line(cells):
        padded = [cells[0].ljust(widths[0])] + [
            cell.rjust(width) for cell, width in
            list(zip(cells, widths))[1:]]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * widths[0]] + ["-" * (w - 1) + ":" for w in widths[1:]]
    return "\n".join(["**%s**" % title, "", line(HEADS), line(rule),
                      *map(line, rows), ""])


def raw_lines(race, rounds):
    """Every figure on a line: section, race, round, contestant, name,
    value."""
    for number, measured in enumerate(rounds, 1):
        for who, values in measured.items():
            for name, value in sorted(values.items()):
                yield "\t".join((race.section, race.name, str(number), who,
                                 name, "%.9g" % value))
