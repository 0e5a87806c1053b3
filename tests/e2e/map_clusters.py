#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Print the numbers of the clusters in the intervals of a document of
'vdisk map --output=intervals' on standard input.  The intervals must be in
order and as long as they can be."""

import json
import sys


def main():
    intervals = json.load(sys.stdin)["data_clusters"]
    last = -2
    for first, end in intervals:
        assert last + 1 < first <= end, "not maximal"
        last = end
    print(",".join(str(n) for first, end in intervals
                   for n in range(first, end + 1)))


if __name__ == "__main__":
    main()
