#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export --view, --since and --apply: what has changed, and nothing else,
# is read and written; what cannot be done is told before anything is lost.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"
requires nbdkit --dump-plugin file

# bytes_of KIND FILE: as nbdkit's stats filter tells them.
bytes_of ()
{
    awk -v kind="$1:" '
        $1 == kind {
            n = $6 * ($7 ~ /^KiB/ ? 1024 : $7 ~ /^MiB/ ? 1048576 : 1)
        }
        END { printf "%d\n", n }' "$2"
}

qemu-img create -q -f qcow2 disk.qcow2 64M
qemu-io -f qcow2 -c 'write -q -P 1 0 64M' disk.qcow2
qemu-img convert -f qcow2 -O raw disk.qcow2 monday.raw
qemu-img snapshot -c monday disk.qcow2
qemu-img bitmap --add -g 4096 disk.qcow2 b
qemu-io -f qcow2 -c 'write -q -P 2 1M 128k' -c 'write -q -z 8M 1M' \
    -c 'write -q -P 0 32M 64k' disk.qcow2
qemu-img convert -f qcow2 -O raw disk.qcow2 today.raw

# --- As the manual has it

cp monday.raw copy.raw
"$VDISK" export --since=snapshot/monday --apply disk.qcow2 copy.raw &&
    cmp copy.raw today.raw
checked "a copy of monday becomes that of today"
[ $(($(stat -c %b monday.raw) - $(stat -c %b copy.raw))) -ge 2048 ] ||
    die "zeros have been written where there could be holes"
"$VDISK" export --view=snapshot/monday --since=active --apply disk.qcow2 \
    copy.raw
cmp copy.raw monday.raw
checked "and back"
"$VDISK" export --since=bitmap/b --apply disk.qcow2 copy.raw
cmp copy.raw today.raw
checked "by a bitmap"
cp monday.raw copy.raw
"$VDISK" export --since=monday.raw --since-format=raw --compare --apply \
    disk.qcow2 copy.raw
cmp copy.raw today.raw
checked "since another image"
"$VDISK" export --since=bitmap/b -O qcow2 --backing=monday.raw \
    --backing-format=raw disk.qcow2 increment.qcow2
assert_same_content qcow2 increment.qcow2 raw today.raw
"$VDISK" export --since=monday.raw --since-format=raw --compare -O qcow2 \
    --backing=monday.raw disk.qcow2 increment.qcow2
assert_same_content qcow2 increment.qcow2 raw today.raw
[ "$(stat -c %s increment.qcow2)" -lt $((1 << 20)) ] ||
    die "more than what has changed"

# --- A view, in every format

for output in "${outputs[@]}"; do
    "$VDISK" export -O "$output" --view=snapshot/monday disk.qcow2 \
        "monday.$output.out"
    "$VDISK" export -O "$output" disk.qcow2 "today.$output.out"
    ! cmp -s "monday.$output.out" "today.$output.out" ||
        die "-O $output: the view has been ignored"
done
cmp monday.raw.out monday.raw
assert_same_content qcow2 monday.qcow2.out raw monday.raw
"$VDISK" export --view=snapshot/monday --manifest=manifest disk.qcow2 out
cmp out monday.raw
"$VDISK" export --verify=manifest out
rm out
checked "a view has a manifest"

# --- Nothing else is read, nor written

for options in '--apply' '-O qcow2' '-O chunked'; do
    cp monday.raw to.raw
    nbdkit -U - --filter=stats file disk.qcow2 statsfile=read.stats \
        --run "'$VDISK' export --no-flush --format=qcow2 \
               --since=snapshot/monday $options \"\$uri\" to.raw"
    read=$(bytes_of read read.stats)
    ((read > 0 && read <= 640 << 10)) ||
        die "$options: $read read: $(cat read.stats)"
    checked "$options: $read read for 192 KiB of data"
done
cp monday.raw server.raw
nbdkit -U - --filter=stats file server.raw statsfile=write.stats \
    --run "'$VDISK' export --since=snapshot/monday --apply disk.qcow2 \"\$uri\""
cmp server.raw today.raw
written=$(bytes_of write write.stats)
[ "$written" -le $((192 << 10)) ] ||
    die "$written written: $(cat write.stats)"
zeroed=$(bytes_of zero write.stats)
[ "$zeroed" -eq $((1 << 20)) ] || die "zeroed: $(cat write.stats)"
grep -q '^flush: 1 ops' write.stats || die "no flush: $(cat write.stats)"
checked "$written written, $zeroed zeroed, and flushed"

# --- What goes wrong half-way is told, and mended by doing it again

cp monday.raw server.raw
start_server full --filter=error file server.raw error-zero=EIO \
    error-zero-rate=100%
error "zeroing: .*$how_far: it is partly as it was" --threads=1 \
    --since=snapshot/monday --apply disk.qcow2 "$uri"
stop_server
start_server right file server.raw
"$VDISK" export --since=snapshot/monday --apply disk.qcow2 "$uri"
stop_server
cmp server.raw today.raw
checked "done again, it is complete"

cp monday.raw server.raw
start_server slow --filter=delay file server.raw delay-write=60 delay-zero=60
status=0
python3 "$e2e/lib/interrupt.py" INT - "$VDISK" export \
    --progress=machine --since=snapshot/monday --apply disk.qcow2 "$uri" \
    2> said || status=$?
told "SIGINT" "interrupted, $how_far: it is partly as it was"
stop_server

# --- What cannot be

usage '--since: a raw disk cannot leave out.*--apply' --since=snapshot/monday \
    disk.qcow2 out
usage '--apply goes with --since' --apply disk.qcow2 out
usage '--since: an XVA is always imported as a new disk' \
    --since=snapshot/monday -O xva disk.qcow2 out
usage '--since with -O vhd goes with --parent' --since=snapshot/monday \
    -O vhd disk.qcow2 out
usage '--detect-zeroes does not go with --since' --since=snapshot/monday \
    -O chunked --detect-zeroes disk.qcow2 out
usage 'range does not go with --since' --since=active -O qcow2 --range=0-1 \
    disk.qcow2 out
usage 'apply goes with -O raw' --since=snapshot/monday --apply -O qcow2 \
    disk.qcow2 out
error "out: what --apply is to change: No such file" --since=snapshot/monday \
    --apply disk.qcow2 out
error 'say it with --backing-format' --since=snapshot/monday -O qcow2 \
    --backing=monday.raw disk.qcow2 out
error "no such snapshot|snapshot/tuesday" --since=snapshot/tuesday --apply \
    disk.qcow2 copy.raw
error "is a file of the source" --since=monday.raw --since-format=raw --apply \
    disk.qcow2 monday.raw
status=0
"$VDISK" export --since=snapshot/monday --apply disk.qcow2 - > piped \
    2> said || status=$?
[ $status -eq 2 ] || die "status $status: $(cat said)"
grep -q 'needs a file, a block device or an NBD server' said ||
    die "$(cat said)"
truncate -s 1M short.raw
error '1048576 bytes it cannot have what was then: 67108864 bytes' \
    --since=snapshot/monday --apply disk.qcow2 short.raw
[ "$(stat -c %s short.raw)" -eq 1048576 ] || die "its size is another"

qemu-img bitmap --remove disk.qcow2 b
qemu-img resize -q disk.qcow2 65M
start_server small file server.raw
error 'has 67108864 bytes, and cannot grow to the 68157440 that are needed' \
    --since=snapshot/monday --apply disk.qcow2 "$uri"
stop_server
cp monday.raw copy.raw
"$VDISK" export --since=snapshot/monday --apply disk.qcow2 copy.raw
assert_same_content qcow2 disk.qcow2 raw copy.raw

# What a file has beyond its old size, as after a copy that was longer.
cp monday.raw copy.raw
head -c $((3 << 20)) today.raw >> copy.raw
"$VDISK" export --since=snapshot/monday --apply disk.qcow2 copy.raw
assert_same_content qcow2 disk.qcow2 raw copy.raw
