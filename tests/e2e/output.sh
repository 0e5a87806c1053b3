# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# What the tests of outputs share; sourced after functions.sh.

export VDISK=${VDISK:-$top/tools/vdisk}

# build_output_program NAME: build NAME.c, which reads outputs, against the
# library as it is.
build_output_program ()
{
    local library=$top/lib/libvdisk.so soname

    soname=$(readelf -d "$library" |
             sed -n 's/.*(SONAME).*\[\(.*\)\].*/\1/p')
    [ -e "$soname" ] || ln -s "$library" "$soname"
    cc -O2 -pthread -I"$top/lib" -o "$1" "$e2e/$1.c" "$library" \
        -Wl,-rpath,"$tmp"
}

build_output_read ()
{
    build_output_program output_read
    export OUTPUT_READ=$tmp/output_read
}
