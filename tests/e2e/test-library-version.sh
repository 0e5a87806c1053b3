#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What a program is linked with is libvdisk.so.1, by the version of the
# interface, whatever the version of the library; all of them are one.

. "$(dirname "$0")/functions.sh"

prefix=$tmp/installed
make -C "$top" --no-print-directory install PREFIX="$prefix" \
    PLUGINDIR="$prefix/plugins" > make.log 2>&1 ||
    { cat make.log >&2; die "make install"; }
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib

version=$(pkg-config --modversion libvdisk)
case $version in
    0.2.[0-9]*) ;;
    *) die "pkg-config has version $version" ;;
esac
[ "$("$prefix/bin/vdisk" --version | head -n 1)" = "vdisk $version" ] ||
    die "vdisk --version is not $version"
checked version

[ "$(readlink "$prefix/lib/libvdisk.so")" = libvdisk.so.1 ] ||
    die "libvdisk.so leads to $(readlink "$prefix/lib/libvdisk.so")"
[ "$(readlink "$prefix/lib/libvdisk.so.1")" = "libvdisk.so.$version" ] ||
    die "libvdisk.so.1 leads to $(readlink "$prefix/lib/libvdisk.so.1")"
checked links

# shellcheck disable=SC2046
cc -Wall -Wextra -Werror -o program "$e2e/library-version.c" \
    $(pkg-config --cflags --libs libvdisk)
[ "$(./program)" = "$version" ] || die "the library is of version $(./program)"
readelf -dW program > dynamic
grep -q 'NEEDED.*\[libvdisk\.so\.1\]' dynamic ||
    die "the program needs another library: $(grep NEEDED dynamic)"
checked "what a program needs"

nm -D --defined-only "$prefix/lib/libvdisk.so.1" | awk '{ print $3 }' > names
grep -qx 'VDISK_1' names || die "there is no node VDISK_1"
grep -v '^VDISK_' names | grep -v '^vdisk_[a-z_]*@@VDISK_1$' > wrong || true
[ ! -s wrong ] || die "of another version: $(cat wrong)"
checked "versions of $(wc -l < names) names"
