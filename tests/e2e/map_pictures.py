#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Look at the pictures of vdisk map as a program can.

  map_pictures.py svg FILE [KIND=PERCENT]...
  map_pictures.py blocks FILE WIDTH

The SVG is well-formed, everything in it lies within its borders, and of
the area of its cells each kind fills the share given, within one percent.
The text has no line longer than WIDTH, and rows of one length.
"""

import re
import sys
import xml.etree.ElementTree as ElementTree

SVG = "{http://www.w3.org/2000/svg}"
CLASSES = {"data": "d", "compressed": "c", "zero": "z", "hole": "h"}


def path_area(path, width, height):
    """The area of a path made of M, h, v and z that stands on its first
    line."""
    x, y, base, area = 0, 0, None, 0
    for letter, args in re.findall(r"([Mhvz])([-0-9 ]*)", path):
        numbers = [int(n) for n in args.split()]
        if letter == "M":
            x, y = numbers
            base = y
        elif letter == "h":
            area += numbers[0] * (base - y)
            x += numbers[0]
        elif letter == "v":
            y += numbers[0]
        assert 0 <= x <= width and 0 <= y <= height, (x, y)
    assert y == base, "the shape does not end where it began"
    return area


def check_svg(path, shares):
    root = ElementTree.parse(path).getroot()
    assert root.tag == SVG + "svg"
    width, height = int(root.get("width")), int(root.get("height"))
    assert root.get("viewBox") == "0 0 %d %d" % (width, height)
    for rect in root.iter(SVG + "rect"):
        x, y = int(rect.get("x", 0)), int(rect.get("y", 0))
        assert x + int(rect.get("width")) <= width
        assert y + int(rect.get("height")) <= height

    # Shapes are painted over each other, so that of each only what the
    # next one leaves is seen.
    seen = dict.fromkeys(CLASSES.values(), 0)
    whole = 0
    for row in root.iter(SVG + "g"):
        rect = row.find(SVG + "rect")
        area = int(rect.get("width")) * int(rect.get("height"))
        whole += area
        areas = [("h", area)]
        for shape in row.findall(SVG + "path"):
            areas.append((shape.get("class"),
                          path_area(shape.get("d"), width, height)))
        for (name, area), (_, above) in zip(areas, areas[1:] + [("", 0)]):
            seen[name] += area - above
    for share in shares:
        kind, percent = share.split("=")
        got = 100 * seen[CLASSES[kind]] / whole
        assert abs(got - float(percent)) < 1, "%s: %f" % (share, got)


def check_blocks(path, width):
    with open(path, encoding="utf-8") as f:
        lines = f.read().splitlines()
    rows = [line for line in lines[2:lines.index("", 2)]]
    assert rows, "no rows"
    for row in rows:
        assert len(row) <= width, "%d characters" % len(row)
        assert len(row) == len(rows[0]) or row is rows[-1]
    assert len(rows[0]) > width - 43 or len(rows) == 1


def main():
    if sys.argv[1] == "svg":
        check_svg(sys.argv[2], sys.argv[3:])
    else:
        check_blocks(sys.argv[2], int(sys.argv[3]))


if __name__ == "__main__":
    main()
