# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
# What the tests of outputs share; sourced after functions.sh.

export VDISK=${VDISK:-$top/tools/vdisk}

# Build the program that reads outputs, against the library as it is.
build_output_read ()
{
    local library=$top/lib/libvdisk.so soname

    soname=$(readelf -d "$library" |
             sed -n 's/.*(SONAME).*\[\(.*\)\].*/\1/p')
    ln -s "$library" "$soname"
    cc -O2 -pthread -I"$top/lib" -o output_read "$e2e/output_read.c" \
        "$library" -Wl,-rpath,"$tmp"
    export OUTPUT_READ=$tmp/output_read
}
