#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export to where it must not or cannot go: its own source, files in
# use, directories.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

# --- Files of the source

qemu-img create -q -f qcow2 disk.qcow2 8M
qemu-io -f qcow2 -c 'write -q -P 1 1M 3M' disk.qcow2
qemu-img create -q -f qcow2 plain.qcow2 8M
qemu-io -f qcow2 -c 'write -q -P 2 0 64k' plain.qcow2
ln disk.qcow2 hard.qcow2
ln -s disk.qcow2 soft.qcow2
qemu-img create -q -f qcow2 -b disk.qcow2 -F qcow2 over.qcow2
qemu-img create -q -f qcow2 -b over.qcow2 -F qcow2 over2.qcow2
qemu-img create -q -f qcow2 -o data_file=data.raw with-data.qcow2 1M
qemu-io -f qcow2 -c 'write -q -P 3 0 1M' with-data.qcow2
echo '<value/>' > ova.xml
mkdir sub before
cp -- *.qcow2 *.raw ova.xml before

# untouched SOURCE DEST [OPTION...]
untouched ()
{
    local source=$1 dest=$2 file

    shift 2
    status=0
    "$VDISK" export "$@" "$source" "$dest" 2> said || status=$?
    told "$source to $dest $*" "${dest##*/}"
    for file in before/*; do
        cmp "$file" "${file#before/}" || die "$dest was overwritten"
    done
}
for output in "${outputs[@]}"; do
    untouched disk.qcow2 disk.qcow2 -O "$output"
    untouched over2.qcow2 disk.qcow2 -O "$output"
done
untouched disk.qcow2 hard.qcow2
untouched disk.qcow2 soft.qcow2
untouched soft.qcow2 disk.qcow2
untouched disk.qcow2 sub/../disk.qcow2
untouched disk.qcow2 "$tmp/disk.qcow2"
untouched over2.qcow2 over.qcow2
untouched over2.qcow2 over2.qcow2 -O qcow2
untouched with-data.qcow2 data.raw
untouched with-data.qcow2 with-data.qcow2
untouched plain.qcow2 disk.qcow2 -O qcow2 --diff=disk.qcow2
untouched plain.qcow2 disk.qcow2 -O qcow2 --diff=over.qcow2
status=0
"$VDISK" export -O xva plain.qcow2=Ref:1 disk.qcow2=Ref:2 plain.qcow2 \
    2> said || status=$?
told "one of several sources" 'plain.qcow2'
cmp plain.qcow2 before/plain.qcow2
# Only named, not read.
cp disk.qcow2 named
"$VDISK" export -O qcow2 --diff=disk.qcow2 --backing=named plain.qcow2 named
checked "a name that is recorded is only a name"
# What becomes ova.xml is not overwritten either.
untouched disk.qcow2 ova.xml -O xva --ova-xml=ova.xml

# --- A file that QEMU uses

for file in plain.qcow2:qcow2 data.raw:raw; do
    start_writer "${file%:*}" "${file#*:}"
    untouched disk.qcow2 "${file%:*}"
    untouched disk.qcow2 "${file%:*}" -O xva --force-share
    stop_server
done
"$VDISK" export -O qcow2 disk.qcow2 plain.qcow2
cmp <("$VDISK" export -O qcow2 disk.qcow2 - | cat) plain.qcow2
checked "once it is closed it is replaced"

# --- What cannot be made

error 'none/out: No such file' disk.qcow2 none/out
error 'sub: Is a directory' disk.qcow2 sub
error 'sub/: Is a directory' disk.qcow2 sub/
error 'disk.qcow2/out: Not a directory' disk.qcow2 disk.qcow2/out
error 'No such file|empty' disk.qcow2 ''
ln -s none/there dangling
error 'dangling: No such file' disk.qcow2 dangling
[ -L dangling ] || die "the link is gone"
ln -s later link
"$VDISK" export -O qcow2 disk.qcow2 link
cmp later plain.qcow2
[ -L link ] || die "the link is gone"
checked "to where a link leads"

mkdir read-only
touch read-only/there
chmod 555 read-only
chmod 444 read-only/there
as_anybody=()
if [ "$(id -u)" -eq 0 ]; then
    requires setpriv --bounding-set=-all true
    as_anybody=(setpriv --bounding-set=-all)
fi
for file in read-only/out read-only/there; do
    status=0
    "${as_anybody[@]}" "$VDISK" export disk.qcow2 "$file" 2> said ||
        status=$?
    told "a directory that cannot be written" "$file: Permission denied"
done
chmod 755 read-only
[ "$(ls -A read-only)" = there ] || die "something is left"

# --- What else it may be called

mkdir ' a b'
for name in ' a b/c d' 'ümlaut' -x 'x=y' 'a%b' "it's"; do
    "$VDISK" export -O qcow2 disk.qcow2 "./$name"
    cmp "./$name" plain.qcow2
    checked "to '$name'"
done
( cd ' a b' && "$VDISK" export -O qcow2 -- ../disk.qcow2 -y )
cmp ' a b/-y' plain.qcow2
checked "behind --"

# New files can be read as the umask says.
( umask 027; "$VDISK" export disk.qcow2 mode.raw )
[ "$(stat -c %a mode.raw)" = 640 ] || die "mode $(stat -c %a mode.raw)"
checked "the umask counts"
