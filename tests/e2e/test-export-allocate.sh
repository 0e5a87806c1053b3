#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export to raw where space is found before it is written (ext4): for
# data, in order and once, not far ahead, and not where that makes no sense.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

cc -O2 -shared -fPIC -o "$tmp/allocate.so" "$e2e/allocate.c" -ldl
export VDISK_ALLOCATE=0 VDISK_ALLOCATE_US=0 VDISK_ALLOCATE_LOG=$tmp/log
preload="${NBDKIT_PRELOAD:-} $tmp/allocate.so"

# export_here OPTION...: where space has to be found.
export_here ()
{
    : > log
    rm -f exported.raw
    LD_PRELOAD=$preload "$VDISK" export "$@" exported.raw
    assert_same_content qcow2 "${*: -1}" raw exported.raw
}

# found LINE...: just this was asked for.
found ()
{
    printf '%s\n' "$@" > wanted
    diff wanted log || die "not what was wanted"
    checked "$*"
}

qemu-img create -q -f qcow2 disk.qcow2 1G
qemu-io -f qcow2 -c 'write -q -P 1 1M 3M' -c 'write -q -P 2 900M 192k' \
    -c 'write -q -P 3 901M 64k' -c 'write -q -c -P 4 960M 64k' \
    -c 'write -q -z 910M 1M' disk.qcow2
data=('1048576 3145728' '943718400 196608' '944766976 65536'
    '1006632960 65536')
export_here disk.qcow2
found "${data[@]}"

# What is one for the guest is found at once, wherever it lies.
qemu-img create -q -f qcow2 -o cluster_size=4k mixed.qcow2 16M
for (( i = 255; i >= 0; i-- )); do
    echo "write -q -P $((i % 255 + 1)) $((i * 4))k 4k"
done | qemu-io -f qcow2 mixed.qcow2 > /dev/null
export_here mixed.qcow2
found '0 1048576'

# Not again after a failure, which writing tells of, if it has any.
for errnum in 28 95 122; do
    VDISK_ALLOCATE=$errnum
    export_here disk.qcow2
    found "${data[0]}"
done
VDISK_ALLOCATE=0

# Zeros that are looked for are to be holes; all of it was found before.
export_here --detect-zeroes disk.qcow2
[ ! -s log ] || die "--detect-zeroes: $(cat log)"
checked "--detect-zeroes"
export_here --prealloc disk.qcow2
found '0 1073741824'

# An interrupt is noticed long before all is found: a little data in each MiB.
python3 - <<'END'
with open("large.raw", "wb") as file:
    for at in range(0, 512 << 20, 1 << 20):
        file.seek(at)
        file.write(b"1" * 4096)
    file.truncate(1 << 30)
END
: > log
rm -f exported.raw
LD_PRELOAD=$preload VDISK_ALLOCATE_US=20000 \
    timeout --foreground -s INT 1 "$VDISK" export --format=raw \
    large.raw exported.raw 2> said && die "it was not interrupted"
[ "$(wc -l < log)" -lt 200 ] || die "$(wc -l < log) calls"
[ ! -e exported.raw ] || die "a part of it was left"
checked "interrupted after $(wc -l < log) of 512 calls: $(cat said)"
