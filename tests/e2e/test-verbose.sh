#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk --verbose and nbdkit --verbose tell what is done: files and why they
# are opened, locks, names passed over, connections, slow requests, caches.
# Without these options nothing is told.

. "$(dirname "$0")/functions.sh"
VDISK=${VDISK:-$top/tools/vdisk}
requires qemu-img --version

# tells REGEX...: standard error of the last command, or the server's log,
# has these lines, in this order.
tells ()
{
    local regex lines=0 found

    for regex; do
        # (A pipe would fail where grep ends before tail does.)
        found=$(grep -n -m 1 -E -- "$regex" \
            <(tail -n +$((lines + 1)) stderr)) ||
            die "no '$regex' after line $lines: $(cat stderr)"
        lines=$((lines + ${found%%:*}))
    done
    checked "told: $1"
}

# read_at OFFSET...: read 4 KiB each from the server.
read_at ()
{
    local offset

    for offset; do
        qemu-io -r -f raw -c "read $offset 4k" "$uri" > /dev/null
    done
}

python3 "$e2e/lib/vhd_samples.py" astray .
qemu-img create -q -f qcow2 -o data_file=disk.data disk.qcow2 1M
yes vdisk 2> /dev/null | head -c 1M > text.raw || true
qemu-img convert -q -f raw -O qcow2 -c text.raw packed.qcow2

locked='locked \(bytes 100, 201 and 203, shared\)'
chain=(
    "child.vhd: opened as the image: [0-9]+ bytes.*, $locked"
    'child.vhd: layer 0: vhd, a disk of 1048576 bytes'
    "child.vhd: parent 'gone.vhd': No such file or directory \(parent locator 0 \(W2ru\)\): passed over"
    "base.vhd: opened as parent 'base.vhd' \(parent locator 1 \(MacX\)\) of .*child.vhd: .*$locked"
    'base.vhd: layer 1: vhd, a disk of 1048576 bytes'
)

# --- The tool ---------------------------------------------------------------

"$VDISK" map -v child.vhd > plain 2> stderr
tells "${chain[@]/#/^vdisk: debug: }" \
    '^vdisk: debug: child.vhd: interval cache: 0 hits, 2 misses, 0 evictions, [0-9]+ of 8388608 bytes used'
[ "$(wc -l < stderr)" -eq 6 ] || die "$(cat stderr)"

"$VDISK" map child.vhd 2> stderr | cmp - plain
[ ! -s stderr ] || die "$(cat stderr)"
checked 'nothing without --verbose'

"$VDISK" export --verbose --force-share disk.qcow2 out.raw 2> stderr
tells 'disk.qcow2: opened as the image: .*, not locked \(force-share\)' \
    "disk.data: opened as data file 'disk.data' of disk.qcow2: 1048576 bytes, sparse, not locked"
for command in info check read_headers read_headers_interval; do
    "$VDISK" "$command" -v disk.qcow2 > /dev/null 2> stderr
    tells 'disk.qcow2: opened as the image'
done

# --- nbdkit -----------------------------------------------------------------

vdisk_start child.vhd -v
nbdcopy "$uri" null:
vdisk_stop
cp "$server_log" stderr
tells "${chain[@]/#/^nbdkit: .*debug: .*}" \
    'debug: .*child.vhd: interval cache: [0-9]+ hits, [1-9][0-9]* misses'

vdisk_start child.vhd
nbdcopy "$uri" null:
vdisk_stop
[ ! -s "$server_log" ] || die "$(cat "$server_log")"
checked 'nothing without nbdkit -v'

# Of compressed clusters that are read in pieces one is inflated once.
vdisk_start packed.qcow2 -v
read_at 0 8k 64k
vdisk_stop
cp "$server_log" stderr
tells 'packed.qcow2: cluster cache: 1 hits, 2 misses, 0 evictions'

# --- Slow requests, and connections -----------------------------------------

truncate -s 1M disk.raw
serve=(--filter=delay file disk.raw rdelay=200ms)
origin_start "${serve[@]}"
"$VDISK" export -v --format=raw "$origin" copy.raw 2> stderr
tells "^vdisk: debug: .*: opened as the image: 1048576 bytes"
printf 'x' | dd of=disk.raw conv=notrunc status=none
"$VDISK" export -v "$origin" copy.raw 2> stderr
tells 'opened as the image' 'read of [0-9]+ bytes at offset 0 took [2-9][0-9]{2} ms'

slow ()
{
    read_at 0
    origin_stop
    origin_restart "${serve[@]}"
    read_at 0
}
vdisk_start "$origin" -v -D vdisk.slow=100
slow
vdisk_stop
cp "$server_log" stderr
tells 'read of 4096 bytes at offset 0 took [2-9][0-9]{2} ms' \
    'connected again, 1 times so far' \
    'read of 4096 bytes at offset 0 took'

vdisk_start "$origin" -v
read_at 0
vdisk_stop
grep ' took ' "$server_log" && die 'slow requests are told without the flag'
checked 'no slow requests without the flag'
