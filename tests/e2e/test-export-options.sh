#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export: wrong use, and what the help and the manual say.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

qemu-img create -q -f qcow2 disk.qcow2 1M
qemu-io -f qcow2 -c 'write -q -P 1 0 64k' disk.qcow2
qemu-img create -q -f vpc -o force_size=on base.vhd 1M
echo '<value/>' > ova.xml

# --- Wrong use

usage 'SOURCE|source|image|missing'
usage 'DEST|missing' disk.qcow2
usage 'raw.*qcow2.*vhd.*xva.*chunked' -O vmdk disk.qcow2 out
usage 'raw.*qcow2.*vhd.*xva.*chunked' --output= disk.qcow2 out
usage 'output|-O|-- .O.|argument' -O
usage 'nonsense' --nonsense disk.qcow2 out
usage 'one|too many|argument|SOURCE' disk.qcow2 out more
for threads in 0 65 -1 '' x 1.5; do
    usage 'threads' --threads="$threads" disk.qcow2 out
done
for threads in 1 64; do
    "$VDISK" export --threads=$threads disk.qcow2 threads.raw
    qemu-img compare -q -f qcow2 -F raw disk.qcow2 threads.raw
    checked "$threads threads"
done
for option in --format=vmdk --host-holes=some --size=large; do
    status=0
    "$VDISK" export $option disk.qcow2 out 2> said || status=$?
    [ $status -eq 2 ] || die "status $status of $option"
    grep -q -- "$option: must be " said || die "$option: $(cat said)"
    checked "$(cat said)"
done

# Options of one format are refused with the others, not forgotten.
while read -r option; do
    for output in "${outputs[@]}"; do
        case $output:$option in
            qcow2:--cluster-size* | qcow2:--refcount-bits* | \
            qcow2:--data-file* | qcow2:--diff=* | qcow2:--compression=* | \
            vhd:--block-size* | vhd:--fixed | vhd:--parent* | vhd:--uuid* | \
            vhd:--round* | \
            xva:--prefix* | xva:--checksum* | xva:--ova-xml* | \
            raw:--prealloc)
                # shellcheck disable=SC2086
                "$VDISK" export -O "$output" $option disk.qcow2 out ||
                    die "-O $output $option"
                rm out ;;
            *)  usage "${option%%=*}" -O "$output" "$option" disk.qcow2 out ;;
        esac
    done
done << 'END'
--cluster-size=4k
--refcount-bits=16
--data-file=data
--data-file-raw=data
--diff=disk.qcow2
--compression=zlib
--block-size=4k
--fixed
--parent=base.vhd
--uuid=01234567-89ab-cdef-0123-456789abcdef
--round=1M
--prefix=Ref:1
--checksum=sha1
--ova-xml=ova.xml
--prealloc
END

# --- The help, the manual, and what is taken are the same

"$VDISK" --help | grep -q '^  export  *[a-z]'
"$VDISK" export --help > help
head -n 1 help | grep -q '^Usage: vdisk export '
awk 'length > 80 { exit 1 }' help || die "the help is too wide"
grep -oE '^ *(-[A-Za-z], )?--[a-z-]+' help | grep -oE -- '--[a-z-]+' |
    sort > named
sort > expected << 'END'
--apply
--backing
--backing-dir
--backing-format
--block-size
--cache-size
--checksum
--cluster-size
--compare
--compression
--compression-level
--data-file
--data-file-raw
--detect-zeroes
--diff
--diff-format
--fixed
--force-share
--format
--help
--host-holes
--ignore-parent-id
--layer
--layer-format
--manifest
--measure
--no-flush
--output
--ova-xml
--parent
--parent-case
--prealloc
--prefix
--progress
--range
--refcount-bits
--resume
--round
--sector-bitmaps
--shard
--since
--since-format
--size
--threads
--timeout
--uuid
--verbose
--verify
--view
END
diff -u expected named || die "the help names other options"
checked "the help names the options"
while read -r option; do
    "$VDISK" export "$option" > /dev/null 2> said || true
    ! grep -Eq 'unrecognized|invalid' said ||
        die "$option is not taken: $(cat said)"
done < named
for option in -O -c; do
    grep -qw -- "$option" help || die "the help does not name $option"
done
for output in "${outputs[@]}"; do
    grep -qw -- "$output" help || die "the help does not name $output"
done
checked "every option in the help is taken"

# An item for each in the section of the manual, or in that of all commands.
section ()
{
    awk -v heading="$1" '
        $0 == heading      { inside = 1; next }
        /^=head1/          { inside = 0 }
        heading ~ /^=head2/ && /^=head2/ { inside = 0 }
        inside' "$top/tools/vdisk.pod"
}
items ()
{
    grep -E '^=item ' | grep -oE -- '--[a-z-]+' | sort -u
}
section '=head2 export' > export.pod
[ -s export.pod ] || die "vdisk.pod has no section on export"
items < export.pod > in-export
section '=head1 OPTIONS' | items > in-options
section '=head1 VIEWS' | items > in-views
sort -u in-export in-options in-views > in-pod
# The help's own option goes without saying.
comm -23 <(grep -vx -- --help named) in-pod > missing
[ ! -s missing ] || die "not in vdisk.pod: $(cat missing)"
comm -13 named <(cat in-export) > unknown
[ ! -s unknown ] || die "only in vdisk.pod: $(cat unknown)"
checked "so does the manual"
for output in "${outputs[@]}"; do
    grep -qw -- "$output" export.pod || die "the manual does not name $output"
done
grep -q 'vdisk export' "$top/tools/vdisk.pod"
podchecker -warnings -warnings "$top/tools/vdisk.pod" 2> /dev/null
