#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The benchmark, with disks of a few megabytes: it runs, every row is in
# its table, and its chains hold what the flattened disk holds.

. "$(dirname "$0")/functions.sh"

requires nbdcopy --version
export BENCH_DIR=$tmp/bench BENCH_SCALE=0.002 BENCH_ROUNDS=1
bench=$top/scripts/bench/bench.py
export VDISK=${VDISK:-$top/tools/vdisk}

fails_with "no rows 'nonsense'; there are: map copy" python3 "$bench" nonsense
BENCH_PROGRAMS=$tmp fails_with "timed is not built" python3 "$bench"

python3 "$bench" > table 2> progress || {
    cat progress >&2
    die "the benchmark fails"
}
cmp table bench/table.md
checked "the table is kept"

# A table for every section: number, how many.
grep -oE '^\*\*[0-9]' table | tr -d '*' | sort | uniq -c |
    awk '{ print $2 ":" $1 }' | xargs > sections
[ "$(cat sections)" = "1:1 2:2 3:1 4:2 5:2 6:2 7:3 8:2 9:3" ] ||
    die "sections: $(cat sections)"
checked "all sections: $(cat sections)"

# Rows are what they should be, and fit README.md.
awk 'length > 80 { print "too long: " $0; exit 1 }' table >&2
grep '^|' table | grep -Ev '^\| (against|---)' > rows
[ "$(wc -l < rows)" -eq 78 ] || die "$(wc -l < rows) rows"
time='-?[0-9.e+]+ (m?s|us|k)'
name='\| [A-Za-z0-9][A-Za-z0-9 ,:./'\'-']* *'
ratio='([0-9]+\.[0-9]+|-?[0-9.]+ (m?s|us))'
aim=' *(-|<?[0-9.]+( ms| s)?)'
tail=' *(yes|no|-) \| *(-|[0-9]+\.[0-9]+) \| *[0-9-]+\/[0-9-]+ \|'
full="^$name \\| *$time \\| *$time \\| *$ratio \\|$aim \\|$tail\$"
grep -Ev "$full" rows > others || true
if nbdkit --dump-plugin --filter=qcow2dec null > /dev/null 2>&1; then
    dec=0
else
    dec=16
fi
[ "$(grep -c 'qcow2dec.* absent |' others)" -eq "$dec" ] ||
    die "rows of qcow2dec: $(cat others)"
grep -v 'qcow2dec.* absent |' others > odd || true
if [ "$(wc -l < odd)" -ne 1 ] ||
    ! grep -Eq 'MiB \|.*<32 MiB \| (yes|no) ' odd
then
    die "odd rows: $(cat odd)"
fi
checked "all rows: $(wc -l < rows)"

# Every figure of every contestant, of five rounds where it is short.
awk -F'\t' '$5 == "wall" { n[$1 ": " $2]++ } END {
    for (race in n) if (race ~ /^8/ && n[race] != 15) exit 1
    for (race in n) races++
    exit races != 31 }' bench/results.tsv ||
    die "figures: $(cut -f 1-4 bench/results.tsv | sort | uniq -c)"
awk -F'\t' 'NF != 6 || $6 !~ /^[0-9.e+-]+$/ { print; exit 1 }' \
    bench/results.tsv
checked "all figures: $(wc -l < bench/results.tsv)"

images=$(echo bench/images-*)
assert_same_content qcow2 "$images/chain-30.qcow2" raw "$images/flat.raw"
"$VDISK" export "$images/chain-30.vhd" chain.raw
cmp chain.raw "$images/flat.raw"
checked "the chain of VHDs holds the same"
qemu-img check -q "$images/disk-zstd.qcow2"
data=$(du -k "$images/disk.raw" | cut -f 1)
packed=$(du -k "$images/packed-zlib.qcow2" | cut -f 1)
raw=$(du -k "$images/packed.raw" | cut -f 1)
[ $(((data + 256) / 512)) -eq 16 ] || die "$data KiB of data"
[ $((packed * 2)) -lt "$raw" ] || die "$raw KiB, compressed: $packed"
checked "data: $data KiB; $raw KiB, compressed: $packed"

# Images are kept; one group can be run alone.
before=$(stat -c '%n %i %y' "$images"/*)
python3 "$bench" start > table 2> progress
[ "$(stat -c '%n %i %y' "$images"/*)" = "$before" ]
[ "$(grep -c '^\*\*' table)" -eq 2 ] || die "not one group: $(cat table)"
grep -q 'making' progress && die "images were made again"
checked "images are kept"
