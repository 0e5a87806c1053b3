#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds without libnbd, libzstd, and both: they link neither, read and write
# all else as other builds do, and say what they cannot.

. "$(dirname "$0")/functions.sh"

whole_vdisk=${VDISK:-$top/tools/vdisk}
whole_plugin=$PLUGIN
built=$tmp/built

# Nobody may so much as ask for what is left out.
mkdir absent
for header in libnbd zstd; do
    echo "#error \"$header.h is not there\"" > "absent/$header.h"
done
cat > absent/pkg-config << 'END'
#!/bin/sh
case " $* " in *' libnbd '* | *' libzstd '*) echo "asked for: $*" >&2; exit 1 ;; esac
exec pkg-config "$@"
END
chmod +x absent/pkg-config

# build VARIABLE=VALUE...: into the directory of the last one, of which only
# what is different is built again.
build ()
{
    local targets=(plugin/nbdkit-vdisk-plugin.so tools/vdisk lib/libvdisk.so)

    make -C "$top" --no-print-directory O="$built/" CFLAGS='-O0 -g0' "$@" \
        "${targets[@]/#/$built/}" > make.log 2>&1 ||
        { cat make.log >&2; die "make $*"; }
    ! grep -E 'asked for|warning' make.log || die "make $*"
    PLUGIN=$built/plugin/nbdkit-vdisk-plugin.so
    VDISK=$built/tools/vdisk
}

# links_not LIBRARY...
links_not ()
{
    local file library

    for file in "$PLUGIN" "$VDISK" "$built/lib/libvdisk.so"; do
        readelf -d "$file" > dynamic
        grep -q 'NEEDED.*libdeflate' dynamic || die "$file: not as expected"
        for library; do
            ! grep "NEEDED.*$library" dynamic || die "$file: links $library"
        done
    done
    checked "not linked: $*"
}

# says LIBRARIES NBD: what a build says of itself.
says ()
{
    local got

    got=$("$VDISK" --version | sed -n 's/^libraries: *//p')
    [ "$got" = "$1" ] || die "--version: $got, expected $1"
    "$NBDKIT" --dump-plugin "$PLUGIN" > dump
    got=$(sed -n 's/^vdisk_nbd=//p' dump)
    [ "$got" = "$2" ] || die "vdisk_nbd=$got, expected $2"
    got=$(sed -n 's/^vdisk_\(lib.*\)=yes/\1/p' dump | xargs)
    [ "$got" = "${1% libnbd}" ] || die "compression: $got"
    checked "says: $1, NBD: $2"
}

# reads_as_the_whole IMAGE: its map, its bytes, and what it becomes.
reads_as_the_whole ()
{
    local tool format

    for tool in "$VDISK" "$whole_vdisk"; do
        "$tool" map --output=qemu "$1" > "map.${tool//\//.}"
        for format in raw qcow2; do
            "$tool" export -O $format "$1" "$format.${tool//\//.}"
        done
    done
    for format in map raw qcow2; do
        cmp "$format.${VDISK//\//.}" "$format.${whole_vdisk//\//.}"
        rm "$format".*
    done
    with_vdisk "$1" -- nbdcopy_to served
    PLUGIN=$whole_plugin with_vdisk "$1" -- nbdcopy_to whole
    cmp served whole
    rm served whole
    checked "reads $1"
}

nbdcopy_to ()
{
    nbdcopy "$uri" "$1"
    nbd_map "$uri" > map
}

refuses_zstd ()
{
    local why='zstd.qcow2: header: compressed with zstd .* built without libzstd'

    refused "$why" zstd.qcow2
    fails_with "$why" "$VDISK" map zstd.qcow2
    fails_with "$why" "$VDISK" map above.qcow2
    "$VDISK" info zstd.qcow2 | grep 'compression type: zstd' ||
        die "info of zstd.qcow2"
    "$VDISK" check zstd.qcow2 | grep 'no errors found' ||
        die "check of zstd.qcow2"
    fails_with 'compression=zstd .* built without libzstd' \
        "$VDISK" export -O qcow2 --compression=zstd disk.vhd refused
    [ ! -e refused ] || die "left a file"
}

refuses_nbd ()
{
    refused 'nbd://localhost: .*built without libnbd' nbd://localhost
    fails_with 'nbd://localhost: .*built without libnbd' \
        "$VDISK" map nbd://localhost
    fails_with 'nbd://localhost: .*built without libnbd' \
        "$VDISK" export disk.vhd nbd://localhost
}

qemu-img create -q -f raw plain.raw 3M
qemu-io -f raw -c 'write -P 7 1M 200k' -c 'write -P 9 2900k 172k' plain.raw \
    > io.log
qemu-img convert -f raw -O vpc plain.raw disk.vhd
qemu-img convert -f raw -O qcow2 -c plain.raw zlib.qcow2
qemu-img convert -f raw -O qcow2 -c -o compression_type=zstd plain.raw \
    zstd.qcow2
qemu-img create -q -f qcow2 -b zstd.qcow2 -F qcow2 above.qcow2

build WITHOUT_NBD=1 WITHOUT_ZSTD=1 CPPFLAGS="-I$tmp/absent" \
    PKG_CONFIG="$tmp/absent/pkg-config"
links_not libnbd libzstd
says libdeflate no
reads_as_the_whole disk.vhd
reads_as_the_whole zlib.qcow2
refuses_zstd
refuses_nbd

build WITHOUT_NBD=1
links_not libnbd
says 'libdeflate libzstd' no
reads_as_the_whole zstd.qcow2
refuses_nbd

build WITHOUT_ZSTD=1
links_not libzstd
says 'libdeflate libnbd' yes
refuses_zstd
origin_start file disk.vhd
served=$("$VDISK" export -O raw --format=vhd "$origin" - | cksum)
[ "$served" = "$("$VDISK" export -O raw disk.vhd - | cksum)" ] ||
    die "other bytes from a server"
checked "reads from a server"
origin_stop
