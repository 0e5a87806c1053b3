#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export --resume: what was killed at any moment goes on from what is
# known to be there, and is in the end what one export writes; and nothing
# goes on from what is not known to be that.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

qemu-img create -q -f qcow2 made.qcow2 64M
qemu-io -f qcow2 -c 'write -q -P 1 1M 20M' -c 'write -q -P 2 30M 5M' \
    -c 'write -q -P 3 50M 9M' made.qcow2
# Space that QEMU has found and not written is a hole until somebody reads it.
cp --sparse=never made.qcow2 disk.qcow2
addressable disk.qcow2

export SOURCE_DATE_EPOCH=946684800
vhd_uuid=--uuid=12345678-9abc-4def-8123-456789abcdef

# start_slow NAME: serve the disk so that copying it takes three seconds.
start_slow ()
{
    start_server "$1" --filter=rate file disk.qcow2 rate=80M burstiness=0.3
}

# go_on OUTPUT SEED: kill an export in that format until it is done.
go_on ()
{
    local options=(-O "$1" --format=qcow2)

    [ "$1" != vhd ] || options+=("$vhd_uuid")
    "$VDISK" export "${options[@]}" disk.qcow2 "whole.$1"
    python3 "$e2e/resume_kill.py" "$2" "$1.out" "${options[@]}" \
        --manifest="$1.m" "$slow"
    cmp "whole.$1" "$1.out"
    "$VDISK" export --verify="$1.m" "$1.out"
}

# All formats at the same time: most of it is waiting.
jobs=()
for output in "${addressed[@]}"; do
    start_slow "slow.$output"
    slow=$uri
    go_on "$output" "$VDISK_SEED" > "$output.said" 2>&1 &
    jobs+=($!)
done
for i in "${!jobs[@]}"; do
    wait "${jobs[i]}" ||
        die "${addressed[i]}: $(cat "${addressed[i]}.said")"
    checked "${addressed[i]}: $(cat "${addressed[i]}.said")"
done
[ -z "$(find . -name '*vdisk-progress*')" ] || die "a note is still there"

# A shard, beside others.
start_slow slow
slow=$uri
"$VDISK" export --shard=2/2 disk.qcow2 out
python3 "$e2e/resume_kill.py" "$VDISK_SEED" out --format=qcow2 --shard=1/2 \
    "$slow"
"$VDISK" export disk.qcow2 whole
cmp whole out
checked "a shard: resumed"
[ -z "$(find . -name '*vdisk-progress*')" ] || die "a note is still there"

# --- What is interrupted in another way is kept too

rm -f out
"$VDISK" export --resume --format=qcow2 "$slow" out 2> said &
pid=$!
wait_until test -e out.vdisk-progress
kill -TERM $pid
status=0
wait $pid || status=$?
told "interrupted" 'interrupted, after [0-9]+ of [0-9]+ bytes'
cp out kept
cp out.vdisk-progress note

# refused_now REGEX ARG...: it does not go on, and touches nothing.
refused_now ()
{
    local before

    before=$(sha1sum out out.vdisk-progress)
    status=0
    "$VDISK" export --resume --format=qcow2 "${@:2}" out 2> said ||
        status=$?
    told "${*:2}" "$1"
    [ "$(sha1sum out out.vdisk-progress)" = "$before" ] ||
        die "it was written to"
}

if has_parts qcow2; then
    refused_now 'it is of an output in the format raw, not qcow2' -O qcow2 \
        "$slow"
fi
cp disk.qcow2 other.qcow2
qemu-io -f qcow2 -c 'write -q -P 9 62M 64k' other.qcow2
refused_now 'other.qcow2: the image is not the one that .*progress is of' \
    other.qcow2
# Another file by the name of the first.
yes junk | head -c 67108864 > out || true
refused_now 'out: it does not hold what .*vdisk-progress says' "$slow"
head -c 1000000 kept > out
refused_now 'out: it does not hold what .*vdisk-progress says' "$slow"
echo '{' > out.vdisk-progress
refused_now 'out.vdisk-progress: not a manifest: line' "$slow"
rm out
cp note out.vdisk-progress
status=0
"$VDISK" export --resume --format=qcow2 "$slow" out 2> said || status=$?
told "the file is gone" 'out: it does not hold what'
# And with everything in its place it does.
mv kept out
"$VDISK" export --resume --format=qcow2 "$slow" out
cmp whole out
checked "resumed after SIGTERM"

# An image that was written to where that changes no map.
qemu-img convert -O raw disk.qcow2 flat.raw
"$VDISK" export --resume --threads=1 --format=raw flat.raw out
cmp whole out
checked "a file without a note is written from its beginning"
rm -f out
python3 "$e2e/resume_stop.py" flat.raw out
printf x | dd of=flat.raw bs=1 seek=55000000 conv=notrunc status=none
status=0
"$VDISK" export --resume --format=raw flat.raw out 2> said || status=$?
told "written to since" 'flat.raw: the image has been written to since'

# --- Wrong use

rm -f out
usage 'resume does not go with --no-flush' --resume --no-flush disk.qcow2 out
usage 'range does not go with --resume' --range=0-1 --resume disk.qcow2 out
status=0
"$VDISK" export --resume disk.qcow2 - > printed 2> said || status=$?
[ $status -eq 2 ] || die "status $status: $(cat said)"
grep -q 'resume needs a regular file' said || die "$(cat said)"
[ ! -s printed ] || die "something was written"
checked "$(cat said)"
