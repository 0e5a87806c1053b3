#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Large disks of NBD servers: 64 TiB of nothing, and 16.8 million extents, in
# few requests and little memory.

. "$(dirname "$0")/functions.sh"
requires_library nbd

export VDISK=${VDISK:-$top/tools/vdisk}

# Sanitizers need memory, and take time.
limit=65536 unit=1024
if grep -q __asan_init "$VDISK"; then
    limit=4194304 unit=64
fi

# requests: how many of each kind the server has logged.
requests () { grep -c " $1 " "$tmp/log" || true; }

# Nothing: each request is about 4 GiB, as much as fits in one.
origin_start --filter=log null 64T logfile="$tmp/log"
python3 "$e2e/map_large.py" run $limit "$VDISK" map --totals "$origin"
"$VDISK" map --output=nbd-extents --length=5G "$origin" > extents
[ "$(cat extents)" = '[{"length": 5368709120, "flags": 3}]' ]
[ "$(requests Extents)" -le 16500 ] || die "$(requests Extents) requests"
checked "64 TiB of nothing: $(requests Extents) requests"
origin_stop

# Its end can be had without what comes before.
origin_start --filter=log memory 64T logfile="$tmp/log"
qemu-io -f raw -c 'write -P 1 70368744112128 4k' "$origin" > /dev/null
: > log
"$VDISK" map --start=65535G --output=nbd-extents "$origin" > extents
cat extents
"$VDISK" map --totals --start=65535G "$origin" > totals
grep -q '^data  *1  *32768 ' totals
[ "$(requests Extents)" -le 30 ] || die "$(requests Extents) requests"
end ()
{
    probe '4096:1' read 70368744112128 4096
    probe '10:0' read $((1 << 45)) 10
    probe 'error EINVAL' read $((1 << 46)) 1
}
with_vdisk "$origin" -- end
origin_stop

# Reads all over a large disk: where it is a way to the server, what was
# mapped for one is kept for the next, and its tables are not read again.
qemu-img create -q -f qcow2 -o preallocation=metadata random.qcow2 64G
origin_start --filter=log file random.qcow2 logfile="$tmp/log"
read_all_over ()
{
    : > log
    python3 "$e2e/nbd_source_large.py"
}
vdisk_start "$origin" format=qcow2
read_all_over
first=$(requests Read)
read_all_over
[ "$first" -gt 900 ] && [ "$(requests Read)" -eq 900 ] ||
    die "$first reads, then $(requests Read)"
checked "900 places: $first reads, then $(requests Read)"
vdisk_stop
origin_stop

# Every other 64 KiB of 1 TiB: the answers are long, and asked for in pieces.
size=$((unit << 30))
origin_start python3 "$e2e/lib/nbd_server.py" SOCKET --size $size --log "$tmp/log"
python3 "$e2e/map_large.py" run $limit "$VDISK" map --output=nbdinfo "$origin"
checked "memory of a map of $((size >> 16)) extents"
[ "$(grep -c ^status log)" -le 600 ] || die "$(grep -c ^status log) requests"
checked "$(grep -c ^status log) requests for it"
"$VDISK" map --totals "$origin" > totals
grep -q "^data  *$((size >> 17))  *$((size / 2)) " totals
grep -q "^all  *$((size >> 16))  *$size " totals
checked "$((size >> 16)) extents"
origin_stop

# A server that answers with much more than is remembered of one answer.
size=$((unit << 23))
origin_start python3 "$e2e/lib/nbd_server.py" SOCKET --size $size \
    --map 1024:0,1024:2
python3 "$e2e/map_large.py" run $limit "$VDISK" map --totals "$origin"
"$VDISK" map --totals "$origin" > totals
grep -q "^data  *$((size >> 11))  *$((size / 2)) " totals
grep -q "^zero  *$((size >> 11))  *$((size / 2)) " totals
checked "long answers"
origin_stop

# By vdisk, of vdisk.
python3 "$e2e/map_large.py" make large.qcow2 $((unit << 30))
chained ()
{
    python3 "$e2e/map_large.py" run $limit "$VDISK" map --totals \
        --length=64G "$uri"
    checked "memory of a map of the plugin"
}
with_vdisk large.qcow2 host-holes=off -- chained

# The same image as its bytes are.
origin_start file large.qcow2
for options in --totals --output=nbdinfo; do
    python3 "$e2e/map_large.py" run $limit "$VDISK" map $options \
        --format=qcow2 --host-holes=off "$origin"
    checked "memory of $options, from a served file"
done
origin_stop
