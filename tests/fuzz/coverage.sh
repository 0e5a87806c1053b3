#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Print which part of the lines of lib/format/ the corpora of the fuzz
# targets reach, file by file.
#
#   tests/fuzz/coverage.sh DIRECTORY
#
# DIRECTORY has the programs replay-TARGET, built with clang's source-based
# coverage; profiles go there too.  Inputs are those of build/fuzz/ (see
# run.py) and tests/fuzz/regressions/.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

directory=${1:?}
profdata=$(clang -print-prog-name=llvm-profdata)
cov=$(clang -print-prog-name=llvm-cov)
objects=()

for program in "$directory"/replay-*; do
    case $program in
        *.profraw) continue ;;
    esac
    target=${program##*-}
    if [ ${#objects[@]} -gt 0 ]; then
        objects+=(-object)
    fi
    objects+=("$program")
    # A target may not have been run yet, or have no regressions.
    inputs=()
    for place in build/fuzz/corpus build/fuzz/seeds tests/fuzz/regressions; do
        if [ -d "$place/$target" ]; then
            inputs+=("$place/$target")
        fi
    done
    find "${inputs[@]:?no inputs of $target: make fuzz}" -type f -print0 |
        LLVM_PROFILE_FILE="$program.profraw" \
            xargs -0 -n 100000 -s 2000000 "$program" > /dev/null
done

"$profdata" merge -o "$directory/all.profdata" "$directory"/*.profraw
"$cov" export -summary-only -instr-profile "$directory/all.profdata" \
    "${objects[@]}" | python3 -c '
import json, os, sys
files = json.load(sys.stdin)["data"][0]["files"]
total = [0, 0]
print("%-36s %6s %8s" % ("file", "lines", "reached"))
for file in sorted(files, key=lambda f: f["filename"]):
    name = os.path.relpath(file["filename"])
    if not name.startswith("lib/format/"):
        continue
    lines = file["summary"]["lines"]
    if lines["count"] == 0:
        continue
    total[0] += lines["count"]
    total[1] += lines["covered"]
    print("%-36s %6d %7.1f%%" % (name, lines["count"], lines["percent"]))
print("%-36s %6d %7.1f%%" % ("lib/format", total[0],
                             100 * total[1] / total[0]))'
