#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The example programs of libvdisk(3), compiled against the shared library and
# the static one, do what they say with images as qemu-img makes them.

. "$(dirname "$0")/functions.sh"

libraries ()
{
    pkg-config --libs libdeflate libzstd jansson libnbd libxxhash nettle
}

# compile DIRECTORY ARG...: all examples into it.
compile ()
{
    local directory=$1 source name

    shift
    mkdir "$directory"
    for source in "$top"/docs/examples/*.c; do
        name=$(basename "$source" .c)
        "${CC:-cc}" -Wall -Wextra -Werror -I"$top/lib" \
            -o "$directory/$name" "$source" "$@"
        checked "$directory/$name compiles"
    done
}
soname=$(readelf -d "$top/lib/libvdisk.so" |
    sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
ln -s "$top/lib/libvdisk.so" "$soname"
compile shared "$soname" "-Wl,-rpath,$tmp"
# shellcheck disable=SC2046
compile static "$top/lib/libvdisk.a" $(libraries) -pthread

# 8 MiB: data of the overlay, of its base, and holes; compressed data too.
qemu-img create -q -f qcow2 base.qcow2 8M
qemu-io -c 'write -P 1 0 1M' -c 'write -z 1M 1M' -c 'write -P 2 5M 256k' \
    base.qcow2 > /dev/null
qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 over.qcow2
qemu-io -c 'write -P 3 512k 64k' -c 'write -c -P 4 3M 64k' over.qcow2 \
    > /dev/null
qemu-img convert -O raw over.qcow2 wanted.raw

for built in shared static; do
    # The map: as 'qemu-img map' has it, but for what the pieces are called.
    "$built/map" over.qcow2 > map
    qemu-img map --output=json over.qcow2 > map.json
    python3 "$e2e/example_map.py" map map.json
    checked "$built/map"

    # The copy: the same bytes, and no more of them stored than there are.
    "$built/copy" over.qcow2 copy.raw
    cmp wanted.raw copy.raw
    [ "$(($(stat -c %b copy.raw) * 512))" -lt 2097152 ] ||
        die "copy.raw takes too much: $(du copy.raw)"
    checked "$built/copy"

    # From memory, with the base or without it.
    "$built/embed" over.qcow2 base.qcow2 | cmp wanted.raw -
    fails_with "over.qcow2: backing file 'base.qcow2': the resolver refuses: \
Operation not permitted" "$built/embed" over.qcow2
    checked "$built/embed"

    echo nothing > nothing
    for program in map 'copy -' embed; do
        # shellcheck disable=SC2086
        set -- $program
        fails_with 'nothing: not recognized' "$built/$1" nothing "${@:2}"
    done
done
