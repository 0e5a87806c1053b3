#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The examples of README.md work as they stand: those in the blocks that
# follow a line "<!-- tested -->".  Of a console block what is printed has
# to be what the block says.

. "$(dirname "$0")/functions.sh"

requires nbdcopy --version
requires sfdisk --version
requires jq --version

# --- The files that the examples name -----------------------------------

fill ()
{
    qemu-io -f "$2" -c 'write -q -P 0x41 1M 64k' \
        -c 'write -q -P 0x42 1G 128k' "$1"
}

qemu-img create -q -f qcow2 disk.qcow2 4G
fill disk.qcow2 qcow2
qemu-img snapshot -c monday disk.qcow2
qemu-io -f qcow2 -c 'write -q -z 1048704k 1M' disk.qcow2
qemu-img create -q -f vpc -o force_size=on disk.vhd 4G
fill disk.vhd vpc

mkdir templates vms
qemu-img create -q -f qcow2 templates/base.qcow2 4G
fill templates/base.qcow2 qcow2
qemu-img create -q -f qcow2 -b ../templates/base.qcow2 -F qcow2 \
    vms/guest.qcow2

qemu-img create -q -f raw disk.raw 16M
echo '2048,8192,L' | sfdisk -q --no-reread --label dos disk.raw
qemu-io -f raw -c 'write -q -P 0x43 1M 4M' disk.raw

cp disk.qcow2 before.qcow2

for image in raw qcow2; do
    origin_start file disk.$image
    ln -s "$origin_socket" $image.sock
done

# --- "nbdkit vdisk" as if it were installed ------------------------------

# What nbdkit runs starts without the sanitizers.
mkdir bin
ln -s "${VDISK:-$top/tools/vdisk}" bin/vdisk
{
    echo '#!/usr/bin/env bash'
    printf 'nbdkit=%q\nplugin=%q\n' "$(command -v "$NBDKIT")" "$PLUGIN"
    cat << 'END'
args=()
while [ $# -gt 0 ]; do
    case $1 in
        vdisk) args+=("$plugin") ;;
        --run) args+=(--run "unset LD_PRELOAD; $2"); shift ;;
        *)     args+=("$1") ;;
    esac
    shift
done
read -r -a wrapper <<< "${NBDKIT_WRAPPER:-}"
if [ -n "${NBDKIT_PRELOAD:-}" ]; then
    export LD_PRELOAD=$NBDKIT_PRELOAD
    # nbdkit --run forgets a little memory of its own.
    export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
fi
exec "${wrapper[@]}" "$nbdkit" "${args[@]}"
END
} > bin/nbdkit
chmod +x bin/nbdkit

# --- Running the blocks --------------------------------------------------

# Each block becomes a file: block1.sh, block2.console, ...
awk '
    /^<!-- tested -->$/      { tested = 1; next }
    tested && /^```/         { file = "block" ++n "." substr ($0, 4)
                               tested = 0; next }
    file != "" && /^```$/    { close (file); file = ""; next }
    file != ""               { print > file }
' "$top/README.md"

run_block ()
{
    PATH=$tmp/bin:$PATH bash -euo pipefail "$1" > output 2>&1 || {
        cat output >&2
        die "README.md: this fails: $(cat "$1")"
    }
}

# The commands of a console block, one after the other, between what they
# print.
run_console ()
{
    local line

    : > transcript
    grep '^\$ ' "$1" > commands
    while read -r line <&3; do
        echo "${line#\$ }" > command.sh
        run_block command.sh
        { echo "$line"; cat output; } >> transcript
    done 3< commands
    diff -u "$1" transcript >&2 || die "README.md: this is not printed"
}

blocks=0
for block in block*.*; do
    blocks=$((blocks + 1))
    case $block in
        *.sh)      run_block "$block" ;;
        *.console) run_console "$block" ;;
        *)         die "README.md: a tested block is neither sh nor console" ;;
    esac
    checked "$(head -n 1 "$block")"
done
[ "$blocks" -ge 5 ] || die "only $blocks blocks of README.md are tested"

# --- What they should have made ------------------------------------------

assert_same_content vpc disk.vhd raw disk.img
assert_same_content vpc disk.vhd qcow2 copy.qcow2
[ "$(du -k disk.img | cut -f 1)" -le 1024 ] || die "disk.img is not sparse"
checked "disk.img is sparse"

cmp disk.qcow2 before.qcow2
qemu-io -f qcow2 -c 'write -q -P 1 0 64k' before.qcow2
assert_same_content qcow2 before.qcow2 raw changed.img

cmp -n $((4 << 20)) -i $((1 << 20)):0 disk.raw partition.img
[ "$(stat -c %s partition.img)" -eq $((4 << 20)) ]
checked "partition.img is the partition"

# What it says is refused is.
refused 'backing-dir=.* would allow it' vms/guest.qcow2
refused 'raw is never guessed' disk.raw
