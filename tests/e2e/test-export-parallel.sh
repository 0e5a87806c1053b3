#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The shards of one export as jobs of GNU parallel, by the script in
# docs/fleet: in random order, one of them killed, which alone is made again
# when the same command is given again.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"
requires parallel --version

export HOME=$tmp PARALLEL_HOME=$tmp/parallel
mkdir -p "$PARALLEL_HOME" bin
touch "$PARALLEL_HOME/will-cite"

qemu-img create -q -f qcow2 made.qcow2 64M
qemu-io -f qcow2 -c 'write -q -P 1 1M 12M' -c 'write -q -P 2 20M 30M' \
    -c 'write -q -P 3 52M 12M' made.qcow2
# Space that QEMU has found and not written is a hole until somebody reads it.
cp --sparse=never made.qcow2 disk.qcow2
addressable disk.qcow2
start_server slow --filter=rate file disk.qcow2 rate=16M burstiness=0.5
export slow=$uri

# The fifth shard is killed when it is made first, from a slow source.
cat > bin/vdisk << 'END'
#!/bin/bash
case " $* " in
    *" --shard="*)
        # In any order.  (By --shuf numbers in the log would be others'.)
        sleep "0.$((RANDOM % 9))" ;;
esac
case " $* " in
    *" --shard=5/8 "*)
        if ! [ -e was-killed ]; then
            touch was-killed
            exec timeout -s KILL 1 "$VDISK" export "$2" "$3" --format=qcow2 \
                --shard=5/8 "$slow" parts
        fi ;;
esac
exec "$VDISK" "$@"
END
chmod +x bin/vdisk
PATH=$PWD/bin:$PATH

# shards OUTPUT: the command.
shards ()
{
    "$top/docs/fleet/parallel.sh" "$1" disk.qcow2 parts 8 -j 8
}

export SOURCE_DATE_EPOCH=946684800
for output in "${addressed[@]}"; do
    rm -f parts whole parts.manifest manifest parts.joblog was-killed
    ! shards "$output" 2> said || die "no shard has failed"
    [ -e was-killed ] || die "nothing was killed"
    shards "$output"
    [ "$(tail -n +2 parts.joblog | wc -l)" -eq 9 ] ||
        die "not just one was made again: $(cat parts.joblog)"
    "$VDISK" export -O "$output" --manifest=manifest disk.qcow2 whole
    cmp whole parts
    cmp manifest parts.manifest
    checked "$output: 8 shards, one of them killed and made again"
    [ "$output" != vhd ] || continue
    "$VDISK" export -O "$output" disk.qcow2 whole
    cmp whole parts
    checked "$output: as one straight export"
done

# The number that parallel gives is the shard's.
rm -f parts
"$VDISK" export disk.qcow2 whole
seq 3 | parallel -j 2 "$VDISK" export -O raw --shard=auto/3 \
    disk.qcow2 parts '#' {}
cmp whole parts
checked "--shard=auto/3"
