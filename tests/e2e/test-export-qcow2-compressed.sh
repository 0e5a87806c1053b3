#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export -O qcow2 with compression.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

requires_library libzstd

python3 "$e2e/export_qcow2_compressed.py"

# --- The same bytes with any number of threads

for compression in zlib zstd; do
    for threads in 1 2 8 64; do
        "$VDISK" export -O qcow2 --compression=$compression \
            --threads=$threads --format=raw more.raw $threads.qcow2
        cmp 1.qcow2 $threads.qcow2
        checked "the same with $threads threads, $compression"
    done
done

# -c is zlib.
"$VDISK" export -O qcow2 -c --format=raw more.raw c.qcow2
"$VDISK" export -O qcow2 --compression=zlib --format=raw more.raw zlib.qcow2
cmp c.qcow2 zlib.qcow2
checked "-c"

# --- What does not go together

usage 'compression' -O qcow2 --compression=lzma disk.qcow2 out
usage 'compression' -O qcow2 --compression= disk.qcow2 out
usage 'compression-level' -O qcow2 --compression-level=5 disk.qcow2 out
usage 'level' -O qcow2 -c --compression-level=99 disk.qcow2 out
usage 'level' -O qcow2 -c --compression-level=x disk.qcow2 out
usage 'refcount-bits' -O qcow2 -c --refcount-bits=8 disk.qcow2 out
usage 'data-file' -O qcow2 -c --data-file=x disk.qcow2 out
usage 'data-file' -O qcow2 -c --data-file-raw=x disk.qcow2 out
for output in raw vhd xva chunked; do
    usage "compression|-c" -O "$output" -c disk.qcow2 out
done
for options in -c --compression=zstd --detect-zeroes; do
    usage "measure" --measure -O qcow2 $options disk.qcow2
done

# A pipe cannot seek.
for options in '-O qcow2 -c' '-O qcow2 --compression=zstd' \
               '-O qcow2 --detect-zeroes' '-O vhd --detect-zeroes'; do
    status=0
    # shellcheck disable=SC2086
    "$VDISK" export $options disk.qcow2 - 2> said | cat > got ||
        status=${PIPESTATUS[0]}
    [ "$status" -eq 2 ] || die "status $status of $options to a pipe"
    grep -Eq 'seek|stream' said || die "$options to a pipe: $(cat said)"
    [ ! -s got ] || die "$options wrote something to a pipe"
    checked "$options to a pipe: $(head -n 1 said)"
    mkfifo fifo
    cat fifo > got &
    status=0
    # shellcheck disable=SC2086
    timeout 60 "$VDISK" export $options disk.qcow2 fifo 2> said || status=$?
    [ "$status" -eq 2 ] || die "status $status of $options to a FIFO"
    # In case nobody has opened it for writing.
    : <> fifo
    wait $!
    if [ -s got ] || [ ! -p fifo ]; then
        die "$options wrote to a FIFO"
    fi
    rm fifo
done
