#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A backing file is opened only from the directory of the image that
# names it, and below, or from where backing-dir says; the message says
# how to allow it.

. "$(dirname "$0")/functions.sh"

mkdir -p images/below elsewhere/deep
make_base ()
{
    qemu-img create -q -f qcow2 "$1" 1M
    qemu-io -c 'write -P 7 64k 64k' "$1" > /dev/null
}
make_base images/base.qcow2
make_base images/below/base.qcow2
make_base elsewhere/base.qcow2
make_base elsewhere/deep/base.qcow2
ln -s ../elsewhere/base.qcow2 images/link-out.qcow2
ln -s below/base.qcow2 images/link-in.qcow2
ln -s ../elsewhere images/dir-out

# over NAME BACKING: images/NAME over BACKING, without opening it.
over ()
{
    qemu-img create -q -u -f qcow2 -b "$2" -F qcow2 "images/$1" 1M
}

allowed ()
{
    vdisk_map "$@" -- '0 65536 3' '65536 65536 0' '131072 917504 3'
}

# In the directory, and below.
over plain.qcow2 base.qcow2;              allowed images/plain.qcow2
over dot.qcow2 ./base.qcow2;              allowed images/dot.qcow2
over below.qcow2 below/base.qcow2;        allowed images/below.qcow2
over link-in-it.qcow2 link-in.qcow2;      allowed images/link-in-it.qcow2
over round.qcow2 below/../base.qcow2;     allowed images/round.qcow2
over absolute-in.qcow2 "$tmp/images/base.qcow2"
allowed images/absolute-in.qcow2
# The same from inside that directory, where the image has no directory.
( cd images && allowed plain.qcow2 )
over file.qcow2 file:base.qcow2;          allowed images/file.qcow2

# Outside of it.
outside ()
{
    over out.qcow2 "$1"
    refused "out\.qcow2: backing file .*backing-dir=$tmp/elsewhere" \
        images/out.qcow2
    refused "backing-dir=$tmp/elsewhere" images/out.qcow2 \
        backing-dir="$tmp/images"
    allowed images/out.qcow2 backing-dir="$tmp/elsewhere"
    allowed images/out.qcow2 backing-dir=elsewhere
    allowed images/out.qcow2 backing-dir=/
    allowed images/out.qcow2 backing-dir="$tmp/images/below" \
        backing-dir="$tmp/elsewhere"
}
outside "$tmp/elsewhere/base.qcow2"
outside ../elsewhere/base.qcow2
outside link-out.qcow2
outside dir-out/base.qcow2
over deep.qcow2 ../elsewhere/deep/base.qcow2
allowed images/deep.qcow2 backing-dir=elsewhere
# A directory whose name only starts alike.
mkdir elsewhere2
make_base elsewhere2/base.qcow2
over alike.qcow2 ../elsewhere2/base.qcow2
refused "backing-dir=$tmp/elsewhere2" images/alike.qcow2 backing-dir=elsewhere

# What counts is the image that names it, not the top one.
qemu-img create -q -u -f qcow2 -b base.qcow2 -F qcow2 \
    elsewhere/middle.qcow2 1M
over far.qcow2 ../elsewhere/middle.qcow2
allowed images/far.qcow2 backing-dir=elsewhere
qemu-img create -q -u -f qcow2 -b ../images/base.qcow2 -F qcow2 \
    elsewhere/back.qcow2 1M
over far2.qcow2 ../elsewhere/back.qcow2
refused "back\.qcow2: backing file .*backing-dir=$tmp/images" \
    images/far2.qcow2 backing-dir=elsewhere
allowed images/far2.qcow2 backing-dir=elsewhere backing-dir=images

# Anything but a file.
for name in 'json:{"driver":"file","filename":"base.qcow2"}' \
            'nbd:unix:/nowhere' 'nbd://localhost/x' 'http://localhost/x' \
            'ssh://localhost/x' 'fat:/' 'host_device:/dev/null'; do
    over protocol.qcow2 "$name"
    refused 'protocol\.qcow2: .*protocol' images/protocol.qcow2
    refused 'protocol\.qcow2: .*protocol' images/protocol.qcow2 \
        backing-dir=/
done
over directory.qcow2 below
refused 'directory\.qcow2: .*directory' images/directory.qcow2
mkfifo images/fifo
over fifo.qcow2 fifo
refused 'fifo\.qcow2: .*regular file' images/fifo.qcow2
over device.qcow2 /dev/zero
refused 'device\.qcow2: ' images/device.qcow2 backing-dir=/

# By way of /proc, where links lead to what is open, or to the root.
exec 7< elsewhere/base.qcow2
for name in /proc/self/fd/7 /dev/fd/7 /proc/self/root"/etc/passwd" \
            /proc/self/cwd/elsewhere/base.qcow2 /proc/self/environ \
            /proc/self/mem; do
    over proc.qcow2 "$name"
    refused 'proc\.qcow2: backing file .*(backing-dir=|No such file)' \
        images/proc.qcow2
    refused 'proc\.qcow2: backing file .*(backing-dir=|No such file)' \
        images/proc.qcow2 backing-dir=elsewhere/deep
done
exec 7<&-
over proc.qcow2 /proc/self/fd/0
refused 'proc\.qcow2: ' images/proc.qcow2 backing-dir=/

# Files that wait when they are opened, or that are no files: nothing hangs
# (see try_to_serve), wherever a reference may be.
python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' images/socket
ln -s fifo images/link-fifo
for name in fifo link-fifo socket; do
    over special.qcow2 $name
    refused 'special\.qcow2: .*(regular file|No such device)' \
        images/special.qcow2
done
for name in fifo socket; do
    refused "$name: " images/$name format=raw
    ( cd images && qemu-img create -q -f qcow2 -o data_file=data data.qcow2 1M )
    mv images/$name images/data
    refused "data\.qcow2: data file 'data': neither a regular file" \
        images/data.qcow2
    mv images/data images/$name
done
over device.qcow2 /dev/tty
refused 'device\.qcow2: ' images/device.qcow2 backing-dir=/

# Names that would write to a terminal, forge lines of the log, or are as
# long as can be.
in_one_line ()
{
    grep -q 'error: ' failure.log
    [ "$(wc -l < failure.log)" -eq 1 ] || die "lines: $(cat failure.log)"
    ! LC_ALL=C grep -q '[[:cntrl:]]' failure.log ||
        die "control bytes: $(cat -v failure.log)"
}
for name in $'a\nnbdkit: error: forged' $'\e[2J\e]0;title\a' $'\r\b\b' \
            $'\302\2332J' $'\233\234' $'a\342\200\256wocq' \
            "$(printf '%01023d' 0)" "$(printf '%0255d' 0)" \
            "$(printf '\001%.0s' {1..1000})" '%s%n%s%n'; do
    over named.qcow2 "$name"
    refused 'named\.qcow2: backing file' images/named.qcow2
    in_one_line
    "${VDISK:-$top/tools/vdisk}" info images/named.qcow2 > info
    ! LC_ALL=C grep -q $'[\001-\011\013-\037\177]' info ||
        die "control bytes: $(cat -v info)"
    ! LC_ALL=C grep -q $'\302[\200-\237]' info ||
        die "control characters: $(cat -v info)"
done

# The image's own directory is where it was found.  Nothing changes when
# its name leads elsewhere later: see tests/unit/test-reference-race.c.
allowed images/../images/plain.qcow2
ln -s images images-link
allowed images-link/plain.qcow2
