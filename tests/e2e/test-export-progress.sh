#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export --progress: digits for programs, JSON, a bar for people.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

# Data in 40 pieces; a disk of none; one of a single cluster.
commands=()
for (( i = 0; i < 40; i++ )); do
    commands+=(-c "write -q -P 1 $((i * 1536))k 512k")
done
data=$((40 * 512 * 1024))
qemu-img create -q -f qcow2 disk.qcow2 64M
qemu-io -t unsafe -f qcow2 "${commands[@]}" disk.qcow2
qemu-img create -q -f qcow2 empty.qcow2 64M
qemu-img create -q -f qcow2 one.qcow2 64M
qemu-io -f qcow2 -c 'write -q -P 1 50M 64k' one.qcow2

# steps KIND FILE [TOTAL]: it is sound; sets $count.
steps ()
{
    count=$(python3 "$e2e/export_progress.py" "$@") || die "$*"
    checked "$*: $count steps"
}

for output in "${outputs[@]}"; do
    for image in disk.qcow2 empty.qcow2 one.qcow2; do
        for kind in machine json; do
            "$VDISK" export -O "$output" --progress=$kind $image out \
                > printed 2> said
            [ ! -s said ] || die "it says $(cat said)"
            steps $kind printed
            [ $image != disk.qcow2 ] || [ "$count" -ge 10 ] ||
                die "only $count steps"
            "$VDISK" export -O "$output" --progress=$kind $image - 2> said |
                cat > stream
            steps $kind said
            [ "$output" = vhd ] || cmp out stream
        done
    done
    rm out
done
# The total is the bytes of data.
for options in '-O raw' '-O qcow2' '-O chunked' '-O qcow2 -c' \
               --detect-zeroes; do
    # shellcheck disable=SC2086
    "$VDISK" export $options --progress=json disk.qcow2 out > printed
    steps json printed $data
    # shellcheck disable=SC2086
    "$VDISK" export $options --progress=json one.qcow2 out > printed
    steps json printed 65536
done
for threads in 1 64; do
    "$VDISK" export --threads=$threads --progress=machine disk.qcow2 out \
        > printed
    steps machine printed
done
# What is not a file, but not standard output either.
"$VDISK" export --progress=machine disk.qcow2 /dev/null > printed
steps machine printed

# They come while it goes on, not at the end.
start_server slow --filter=rate pattern 30M rate=100M \
    burstiness=0.1
"$VDISK" export --progress=machine "$uri" out > printed &
exporting=$!
some () { [ -s printed ]; }
wait_until some
kill -0 "$exporting" || die "it was at its end before it said something"
wait "$exporting"
steps machine printed
checked "digits while it goes on"
stop_server

# Of what fails the last is not 100.
start_server failing --filter=error pattern 64M error-pread=EIO \
    error-pread-rate=100%
for kind in machine json; do
    status=0
    "$VDISK" export --progress=$kind "$uri" failed > printed 2> said ||
        status=$?
    told "it fails with --progress=$kind" "$how_far"
    ! python3 "$e2e/export_progress.py" $kind printed > failure.log 2>&1 ||
        die "of what has failed: $(cat printed)"
    ! grep -Eq "Traceback|can't open" failure.log || die "$(cat failure.log)"
    [ ! -e failed ] || die "half a file is left"
    restart_server
done
stop_server

# --- Without a terminal there is no bar; with one there is, if it takes time

"$VDISK" export disk.qcow2 out > printed 2>&1
[ ! -s printed ] || die "it says $(cat printed)"
checked "silence"
start_server slow2 --filter=rate pattern 40M rate=100M \
    burstiness=0.1
bar ()
{
    script -qec "$1" typescript > /dev/null
    tr '\r' '\n' < typescript > lines
}
bar "'$VDISK' export '$uri' out"
grep -Eq '[0-9]+ ?%' lines || die "there is no bar: $(cat lines)"
checked "a bar on a terminal"
bar "'$VDISK' export --progress=bar -O qcow2 '$uri' - > out"
grep -Eq '[0-9]+ ?%' lines || die "there is no bar: $(cat lines)"
qemu-img check -q out
checked "a bar beside standard output"
bar "'$VDISK' export --progress=none '$uri' out"
! grep -v '^Script ' lines | grep -q '[^[:space:]]' ||
    die "there is something: $(cat lines)"
checked "--progress=none"
stop_server

# --- Wrong use

rm out
usage 'progress' --progress=dots disk.qcow2 out
usage 'progress' --progress= disk.qcow2 out
"$VDISK" export --progress=none disk.qcow2 out > printed 2>&1
[ ! -s printed ] || die "none: $(cat printed)"
