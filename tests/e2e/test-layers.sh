#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# scripts/check-layers finds an include of a floor above, of another format,
# of the library's inside by a program, and a circle of files.

. "$(dirname "$0")/functions.sh"

# fault FILE INCLUDED MESSAGE: a tree in which a file includes one more is
# refused with a message.
fault ()
{
    local status=0

    cp "$top/$1" saved
    printf '#include "%s"\n' "$2" >> "tree/$1"
    "$top/scripts/check-layers" tree > out 2>&1 || status=$?
    cp saved "tree/$1"
    [ "$status" -eq 1 ] || die "$1 includes $2: status $status"
    grep -qxF "$3" out || die "$1 includes $2: $(cat out)"
    checked "$1 must not include $2"
}

mkdir tree
cp -r "$top/lib" "$top/plugin" "$top/tools" tree/
"$top/scripts/check-layers" tree || die "it is wrong as it is"

fault lib/map/cluster-cache.c chain.h \
    "lib/map/cluster-cache.c includes lib/chain.h: map is below chain"
fault lib/util/error.c options.h \
    "lib/util/error.c includes lib/options.h: util is below options"
fault lib/image.c output/output.h \
    "lib/image.c includes lib/output/output.h: image is below output"
fault lib/format/qed/check/check.c format/vhd/driver.h \
    "lib/format/qed/check/check.c includes lib/format/vhd/driver.h: one format does \
not know another"
fault plugin/vdisk-plugin.c chain.h \
    "plugin/vdisk-plugin.c includes lib/chain.h: programs include vdisk.h and \
lib/util/ alone"
fault lib/util/escape.h util/error.h \
    "a circle of files: lib/util/error -> lib/util/escape, lib/util/escape -> \
lib/util/error"
