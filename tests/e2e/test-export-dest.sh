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

# What is said of a file of the source, which this program has locked.
own='this is a file of the source \([^ ]*\), and would be destroyed$'
refusal=$own

# untouched SOURCE DEST [OPTION...]
untouched ()
{
    local source=$1 dest=$2 file

    shift 2
    status=0
    "$VDISK" export "$@" "$source" "$dest" 2> said || status=$?
    told "$source to $dest $*" "${dest##*/}: $refusal"
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
told "one of several sources" "plain.qcow2: $own"
cmp plain.qcow2 before/plain.qcow2
# QEMU reads it as well.
qemu-nbd -r -t -f qcow2 -k "$tmp/reader" disk.qcow2 &
server=$!
server_pids+=("$server")
wait_until nbdinfo --size "nbd+unix:///?socket=$tmp/reader" > /dev/null 2>&1
untouched disk.qcow2 disk.qcow2
untouched over.qcow2 disk.qcow2 -O qcow2
stop_server

# Standard output is one.
qemu-img convert -f qcow2 -O raw disk.qcow2 disk.raw
cp disk.raw before
# to_stdout FILE: opened for reading and writing, and at its end.
to_stdout ()
{
    local file=$1 output source

    for source in "$file" over2.qcow2; do
        [ "$source" != over2.qcow2 ] || [ "$file" = disk.qcow2 ] || continue
        for output in raw chunked; do
            status=0
            "$VDISK" export -O $output "$source" - 1<> "$file" 2> said ||
                status=$?
            told "-O $output $source - 1<> $file" "standard output: $own"
            status=0
            "$VDISK" export -O $output "$source" - >> "$file" 2> said ||
                status=$?
            told "-O $output $source - >> $file" "standard output: $own"
            cmp "$file" "before/$file"
        done
    done
}
to_stdout disk.qcow2
to_stdout with-data.qcow2
status=0
"$VDISK" export --format=raw disk.raw - 1<> disk.raw 2> said || status=$?
told "raw, 1<>" "standard output: $own"
status=0
# shellcheck disable=SC2094
"$VDISK" export --format=raw disk.raw - >> disk.raw 2> said || status=$?
told "raw, >>" "standard output: $own"
status=0
"$VDISK" export with-data.qcow2 /dev/stdout >> data.raw 2> said || status=$?
told "/dev/stdout" "/dev/stdout: $own"
for file in disk.raw data.raw; do
    cmp $file before/$file
done

# Data that is to be beside it.
refusal="--data-file(-raw)?: '.*' is the destination itself\$"
cp plain.qcow2 data.qcow2
cp data.qcow2 before
ln -s data.qcow2 data-link
for option in --data-file --data-file-raw; do
    for name in data.qcow2 ./data.qcow2 sub/../data.qcow2 data-link \
                file:data.qcow2 "$tmp/data.qcow2"; do
        untouched disk.qcow2 data.qcow2 -O qcow2 "$option=$name"
    done
    untouched disk.qcow2 data-link -O qcow2 "$option=data.qcow2"
    error "$refusal" -O qcow2 "$option=out" disk.qcow2 out
done
ln -s ../out sub/link
error "$refusal" -O qcow2 --data-file=out disk.qcow2 sub/link
error "$refusal" -O qcow2 --data-file=link disk.qcow2 sub/link
rm sub/link
"$VDISK" export -O qcow2 --data-file=../data.qcow2 disk.qcow2 sub/data.qcow2
cmp data.qcow2 before/data.qcow2
checked "the same name elsewhere"
rm sub/data.qcow2
refusal=$own
# Only named, not read.
cp disk.qcow2 named
"$VDISK" export -O qcow2 --diff=disk.qcow2 --backing=named plain.qcow2 named
checked "a name that is recorded is only a name"
# What becomes ova.xml is not overwritten either.
untouched disk.qcow2 ova.xml -O xva --ova-xml=ova.xml

# --- A file that QEMU uses

refusal='another program'
for file in plain.qcow2:qcow2 data.raw:raw; do
    start_writer "${file%:*}" "${file#*:}"
    untouched disk.qcow2 "${file%:*}"
    untouched disk.qcow2 "${file%:*}" -O xva --force-share
    for way in '1<>' '>>'; do
        status=0
        eval "\"\$VDISK\" export disk.qcow2 - $way ${file%:*} 2> said" ||
            status=$?
        told "$way ${file%:*}" 'standard output: another program'
        cmp "${file%:*}" "before/${file%:*}"
    done
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
# Nothing is made if it fails, before and after there is something to write.
rm later
cp disk.qcow2 damaged.qcow2
python3 "$e2e/lib/qcow2_edit.py" damaged.qcow2 l2 $((2 << 20)) 0x8000000000000100
ln -s "$tmp/link" link2
for name in link link2; do
    error 'damaged.qcow2: L2 table' damaged.qcow2 $name
    ( ulimit -f 1000; error 'File too large' disk.qcow2 $name )
    error "would be destroyed|destination itself" -O qcow2 \
        --data-file=later disk.qcow2 $name
    [ ! -e later ] || die "a file is left where $name leads"
    [ -L $name ] || die "$name is gone"
done
ln -s loop loop
error 'loop: Too many levels of symbolic links' disk.qcow2 loop

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
