#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export --measure: the number of bytes that come, and nothing else.
# The other export tests ask for it each time; here it is how it is asked.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

qemu-img create -q -f qcow2 disk.qcow2 70001k
qemu-io -f qcow2 -c 'write -q -P 1 100k 3M' -c 'write -q -P 2 30M 1' \
    -c 'write -q -z 40M 1M' -c 'write -q -P 0 50M 1M' \
    -c 'write -q -P 3 70000k 1k' disk.qcow2
qemu-img create -q -f vpc -o force_size=on base.vhd 60M
qemu-io -f vpc -c 'write -q -P 1 100k 1M' -c 'write -q -P 9 33M 1' base.vhd
qemu-img convert -f qcow2 -O raw disk.qcow2 disk.raw
echo '<value/>' > ova.xml

# measured OPTION...: what it says is what comes to a pipe.
measured ()
{
    local wanted got

    got=$("$VDISK" export --measure "$@" disk.qcow2)
    wanted=$("$VDISK" export "$@" disk.qcow2 - | wc -c)
    [ "$got" = "$wanted" ] || die "$* measured $got, there are $wanted bytes"
    [ "$("$VDISK" export "$@" --measure disk.qcow2 out)" = "$wanted" ] ||
        die "$*: something else with a DEST"
    [ "$("$VDISK" export --measure "$@" disk.qcow2 -)" = "$wanted" ] ||
        die "$*: something else with standard output as DEST"
    [ ! -e out ] || die "$*: --measure has written a file"
    checked "$*: $got bytes"
}
measured
measured -O raw
[ "$("$VDISK" export --measure disk.qcow2)" -eq $((70001 * 1024)) ]
for options in '' --cluster-size=512 --cluster-size=4k '--cluster-size=2M' \
               --refcount-bits=1 '--cluster-size=512 --refcount-bits=64' \
               --data-file=data '--data-file-raw=data --cluster-size=4k' \
               '--diff=disk.qcow2' \
               '--diff=base.vhd --backing=base.vhd' \
               '--diff=base.vhd --cluster-size=512'; do
    # shellcheck disable=SC2086
    measured -O qcow2 $options
done
for options in '' --block-size=4k --block-size=16M --fixed \
               --parent=base.vhd '--parent=base.vhd --block-size=64k'; do
    # shellcheck disable=SC2086
    measured -O vhd $options
done
for options in '' --checksum=sha1 --ova-xml=ova.xml --prefix=Ref:1234; do
    # shellcheck disable=SC2086
    measured -O xva $options
done
measured -O chunked
for threads in 1 64; do
    measured -O qcow2 --threads=$threads
done
# Raw as it will be, not as it is stored.
for options in --prealloc --format=qcow2; do
    [ "$("$VDISK" export --measure $options disk.qcow2)" -eq \
      $((70001 * 1024)) ]
done

# DEST may be anything, as nothing is written.
before=$(stat -c '%s %Y' disk.raw)
"$VDISK" export --measure -O qcow2 disk.qcow2 disk.raw > /dev/null
[ "$(stat -c '%s %Y' disk.raw)" = "$before" ]
checked "DEST is not touched"

# Huge disks are measured at once, and so are many intervals.
qemu-img create -q -f qcow2 -o cluster_size=2M huge.qcow2 90T
qemu-io -f qcow2 -c 'write -q -P 1 60T 1' huge.qcow2
for output in raw qcow2 xva chunked; do
    timeout 60 "$VDISK" export --measure -O "$output" huge.qcow2 > size
    checked "90 TiB as $output: $(cat size)"
done
[ "$("$VDISK" export --measure huge.qcow2)" = $((90 << 40)) ]

# A pipe to measure is as good as any.
nbdkit -U - memory 1G --run \
    "'$VDISK' export --measure -O qcow2 \"\$uri\" > empty.size
     '$VDISK' export -O qcow2 \"\$uri\" - | wc -c > empty.bytes"
[ "$(cat empty.size)" = "$(cat empty.bytes)" ]
checked "an NBD server: $(cat empty.size)"

# --- Refused

usage 'measure' --measure -O qcow2 -c disk.qcow2
usage 'measure' --measure -O qcow2 --compression=zstd disk.qcow2
for output in qcow2 vhd xva chunked; do
    usage 'measure' --measure -O "$output" --detect-zeroes disk.qcow2
done
usage 'SOURCE|source|image|missing' --measure
error 'none: No such file' --measure -O qcow2 none
fails_with 'No space left' bash -c \
    "'$VDISK' export --measure disk.qcow2 > /dev/full"
