#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# 'make uninstall' removes what 'make install' has put, and nothing else.

. "$(dirname "$0")/functions.sh"

# installing TARGET [VARIABLE=VALUE...]: as a package is made, below $tmp.
installing ()
{
    make -C "$top" --no-print-directory "$1" DESTDIR="$tmp/root" "${@:2}" \
        > make.log 2>&1 || { cat make.log >&2; die "make $*"; }
}

# leaves [VARIABLE=VALUE...]: after both, only the directories are left, and
# what was there before.
leaves ()
{
    mkdir -p root/usr/local/bin root/usr/local/lib
    echo theirs | tee root/usr/local/bin/vdisk-tools > \
        root/usr/local/lib/libvdisk.so.9
    find root -type f | sort > before
    installing install "$@"
    find root ! -type d | sort > installed
    [ "$(wc -l < installed)" -ge $(($(wc -l < before) + 12)) ] ||
        die "too little is installed: $(cat installed)"
    installing uninstall "$@"
    find root ! -type d | sort > after
    diff -u before after || die "left, or removed too much: $*"
    ! find root -type d -name vdisk | grep . || die "a directory is left"
    rm -r root
    checked "uninstalled: $*"
}

leaves
leaves PREFIX=/usr LIBDIR=/usr/lib/somewhere PLUGINDIR=/opt/plugins
