#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export of a source that fails in the middle: exit status 1, one
# message that says how far it got, and nothing left behind.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

# --- An NBD server that gives errors from some offset on

start_server failing eval get_size='echo 16777216' \
    thread_model='echo parallel' \
    pread="if [ \$((\$4 + \$3)) -gt 10000000 ]; then
               echo 'EIO the disk is broken' >&2; exit 1
           fi; head -c \$3 /dev/zero | tr '\\0' x"
for output in "${outputs[@]}"; do
    error "Input/output error.*$how_far" -O "$output" "$uri" out
    restart_server
    status=0
    timeout 60 "$VDISK" export -O "$output" "$uri" - 2> said |
        cat > part || status=${PIPESTATUS[0]}
    told "-O $output to a pipe" "Input/output error.*$how_far"
    [ "$(wc -c < part)" -lt 12000000 ] ||
        die "it wrote $(wc -c < part) bytes of a disk that is broken"
    restart_server
done
for options in '-O qcow2 -c' '-O qcow2 --detect-zeroes' '-O vhd --fixed' \
               --prealloc --threads=1 --threads=64; do
    # shellcheck disable=SC2086
    error "Input/output error.*$how_far" $options "$uri" out
    restart_server
done
stop_server

# nbdkit's error filter.
start_server error --filter=error pattern 64M error-pread=EIO \
    error-pread-rate=100%
for output in "${outputs[@]}"; do
    error "Input/output error.*after 0 of [0-9]+ bytes" \
        -O "$output" "$uri" out
    restart_server
done
stop_server
# Block status fails before there is anything.
start_server status --filter=error memory 64M error-extents=EIO \
    error-extents-rate=100%
echo old > old
for output in "${outputs[@]}"; do
    error 'Input/output error' -O "$output" "$uri" out
    restart_server
done
stop_server

# A server that goes away.
start_server gone --filter=rate pattern 64M rate=200M
gone=$server
{ wait_until test -s out; sleep 0.2; kill -KILL "$gone"; } &
error "$how_far" -O xva "$uri" out
wait $!

# --- Damage

qemu-img create -q -f qcow2 plain.qcow2 20M
qemu-io -f qcow2 -c 'write -q -P 65 0 10M' plain.qcow2
# Data: its tables are sound.
qemu-img convert -c -f qcow2 -O qcow2 plain.qcow2 damaged.qcow2
l2=$(($(python3 "$e2e/lib/qcow2_edit.py" damaged.qcow2 show-l2 $((9 << 20))) &
      ((1 << 54) - 1)))
patch_file damaged.qcow2 $l2 ffffffffffffffff
for output in "${outputs[@]}"; do
    error "damaged.qcow2: .*$how_far" -O "$output" damaged.qcow2 out
done
for options in '-O qcow2 -c' '-O qcow2 --detect-zeroes' '-O vhd --fixed' \
               --prealloc '-O qcow2 --threads=1' '-O xva --threads=64'; do
    # shellcheck disable=SC2086
    error "damaged.qcow2: .*$how_far" $options damaged.qcow2 out
done
# What is there is replaced by nothing at all, not by half of it.
echo old > out
status=0
"$VDISK" export damaged.qcow2 out 2> said || status=$?
told "over a file" "damaged.qcow2: .*$how_far"
[ ! -e out ] || [ "$(cat out)" = old ] || die "half a file is left"
rm -f out
# A link is not what was made; a FIFO is not either.
mkfifo fifo
cat fifo > /dev/null &
status=0
"$VDISK" export damaged.qcow2 fifo 2> said || status=$?
wait $!
told "into a FIFO" "damaged.qcow2: .*$how_far"
[ -p fifo ] || die "the FIFO is gone"

# Tables: this is found out before anything is written.
cp plain.qcow2 tables.qcow2
python3 "$e2e/lib/qcow2_edit.py" tables.qcow2 l2 $((9 << 20)) 0x8000000000000100
for output in "${outputs[@]}"; do
    status=0
    "$VDISK" export -O "$output" tables.qcow2 old 2> said || status=$?
    told "damaged tables, -O $output" 'tables.qcow2: L2 table'
    [ "$(cat old)" = old ] || die "a file was replaced by nothing"
done
# So is that of a base.
error 'tables.qcow2: L2 table' -O qcow2 --diff=tables.qcow2 plain.qcow2 out
error "damaged.qcow2: " -O qcow2 --diff=damaged.qcow2 plain.qcow2 out

# No source: what is there stays.
status=0
"$VDISK" export none.qcow2 old 2> said || status=$?
told "no source" 'none.qcow2: No such file'
[ "$(cat old)" = old ] || die "a file was replaced by nothing"
