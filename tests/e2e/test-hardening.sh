#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What is built is hard to abuse: relro and all symbols bound at the start,
# a tool that is put anywhere, stacks that are guarded, and the checked
# calls of the C library.

. "$(dirname "$0")/functions.sh"

VDISK=${VDISK:-$top/tools/vdisk}
shared=$top/lib/libvdisk.so

for file in "$VDISK" "$PLUGIN" "$shared"; do
    readelf -lW "$file" > segments
    readelf -hdW "$file" > header
    nm -D "$file" > symbols
    grep -q GNU_RELRO segments || die "$file: no relro"
    grep -Eq 'GNU_STACK .* RW +0x' segments || die "$file: executable stack"
    grep -q BIND_NOW header || die "$file: bound lazily"
    grep -Eq 'Type: +DYN' header || die "$file: not position-independent"
    grep -Eq ' U __stack_chk_fail(@|$)' symbols ||
        die "$file: no stack protector"
    grep -Eq ' U __(memcpy|snprintf|vsnprintf)_chk(@|$)' symbols ||
        die "$file: no fortified calls"
    checked "$(basename "$file")"
done
