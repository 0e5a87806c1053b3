#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk map --output=svg and --output=blocks: pictures of the disk that
# show each kind's share and never grow; and the tables for people.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

requires rsvg-convert --version

pictures () { python3 "$e2e/map_pictures.py" "$@"; }

# A quarter compressed, a quarter zeros, an eighth data.
truncate -s 64M base.raw
qemu-io -f raw -c 'write -P 1 0 16M' base.raw > /dev/null
qemu-img convert -c -f raw -O qcow2 base.raw base.qcow2
name='a<b>&"c".qcow2'
qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 "$name"
qemu-io -c 'write -P 2 24M 8M' -c 'write -z -u 40M 16M' "$name" > /dev/null

"$VDISK" map --output=svg "$name" > picture.svg
pictures svg picture.svg data=12.5 compressed=25 zero=25 hole=37.5
grep -q '>a&lt;b&gt;&amp;&quot;c&quot;.qcow2</text>' picture.svg
for text in '64 MiB' 'data' '8 MiB, 12.50%' 'compressed' '16 MiB, 25.00%' \
            'zero' 'hole' '24 MiB, 37.50%' 'qcow2' 'chain of 2 files'; do
    grep -q "$text" picture.svg || die "no '$text' in the picture"
done
checked "shares, legend and title"
rsvg-convert picture.svg -o picture.png
checked "rendered: $(stat -c %s picture.png) bytes"

# A name that is no text.
cp base.qcow2 $'bad\xff\x01\xed\xa0\x80.qcow2'
"$VDISK" map --output=svg $'bad\xff\x01\xed\xa0\x80.qcow2' > bad.svg
pictures svg bad.svg compressed=25
"$VDISK" map --output=blocks $'bad\xff\x01\xed\xa0\x80.qcow2' > bad.txt
! grep -q $'\x01' bad.txt

# Not larger for more intervals.
qemu-img create -q -f qcow2 -o cluster_size=512 many.qcow2 8M
python3 -c 'for n in range(0, 16384, 2): print("write -P 1 %d 512" % (n * 512))' |
    qemu-io -t unsafe many.qcow2 > /dev/null
"$VDISK" map --output=svg many.qcow2 > many.svg
pictures svg many.svg data=50 hole=50
[ "$(stat -c %s many.svg)" -lt 40000 ]
[ "$("$VDISK" map --totals many.qcow2 | awk '/^all/ { print $2 }')" -eq 16384 ]
checked "16384 intervals: $(stat -c %s many.svg) bytes"

# Disks of any size, and parts of them.
for size in 0 512 1k 100k 5M 3G 700G 60T; do
    qemu-img create -q -f qcow2 -o cluster_size=2M size.qcow2 $size
    "$VDISK" map --output=svg size.qcow2 > size.svg
    pictures svg size.svg
    COLUMNS=100 "$VDISK" map --output=blocks size.qcow2 > size.txt
    [ $size = 0 ] || pictures blocks size.txt 100
done
"$VDISK" map --output=svg --start=16M --length=16M "$name" > part.svg
pictures svg part.svg data=50 hole=50
grep -q 'from 16 MiB, up to 32 MiB' part.svg
checked "disks of any size"

# The terminal's width, from whoever knows it.
for width in 20 40 80 132 300; do
    COLUMNS=$width "$VDISK" map --output=blocks "$name" > blocks.txt
    pictures blocks blocks.txt $((width < 27 ? 27 : width))
done
"$VDISK" map --output=blocks "$name" > blocks.txt
! grep -q $'\033' blocks.txt || die "colours in a file"
grep -q ' data  *8 MiB  *12.50%' blocks.txt
grep -q '▓▓▓▓' blocks.txt
grep -q '████' blocks.txt
grep -q '░░░░' blocks.txt
grep -q '····' blocks.txt
checked "blocks"
if script -qec true /dev/null < /dev/null > /dev/null 2>&1; then
    on_terminal ()
    {
        script -qec "stty cols 70; $*" /dev/null < /dev/null | tr -d '\r'
    }
    export TERM=xterm
    unset COLUMNS
    on_terminal "'$VDISK' map --output=blocks base.qcow2" > colours.txt
    grep -q $'\033\[38;5;' colours.txt || die "no colours on a terminal"
    sed 's/\x1b\[[0-9;]*m//g' colours.txt > plain.txt
    pictures blocks plain.txt 70
    on_terminal "NO_COLOR=1 '$VDISK' map --output=blocks base.qcow2" \
        > colours.txt
    ! grep -q $'\033' colours.txt || die "colours in spite of NO_COLOR"
    on_terminal "TERM=dumb '$VDISK' map --output=blocks base.qcow2" \
        > colours.txt
    ! grep -q $'\033' colours.txt || die "colours on a dumb terminal"
    checked "colours"
fi

# The tables.
"$VDISK" map "$name" > table
cat > wanted <<'END'
   start    length       size  kind        depth  host offset  file
       0  16777216     16 MiB  compressed      1            -  base.qcow2
16777216   8388608      8 MiB  hole
25165824   8388608      8 MiB  data            0       327680  a<b>&"c".qcow2
33554432   8388608      8 MiB  hole
41943040  16777216     16 MiB  zero            0            -  a<b>&"c".qcow2
58720256   8388608      8 MiB  hole
END
diff -u wanted table
"$VDISK" map --output=human "$name" | cmp - table
"$VDISK" map --totals "$name" > table
cat > wanted <<'END'
kind          intervals                bytes       size    share
data                  1              8388608      8 MiB   12.50%
compressed            1             16777216     16 MiB   25.00%
zero                  1             16777216     16 MiB   25.00%
hole                  3             25165824     24 MiB   37.50%
all                   6             67108864     64 MiB  100.00%
END
diff -u wanted table
checked "tables"
