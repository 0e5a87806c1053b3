#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk check as a command: options, exit status, what is printed where.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

# status WANTED ARG...: vdisk check ends with this; output and errors are
# in out.log and err.log.
status ()
{
    local wanted=$1 status=0

    shift
    "$VDISK" check "$@" > out.log 2> err.log < /dev/null || status=$?
    if [ "$status" -ne "$wanted" ]; then
        cat out.log err.log >&2
        die "status $status, expected $wanted: check $*"
    fi
    checked "status $wanted: check $*"
}

# says FILE REGEX
says ()
{
    grep -Eq -- "$2" "$1" || { cat "$1" >&2; die "$1 does not say '$2'"; }
    checked "$2"
}

silent ()
{
    [ ! -s "$1" ] || { cat "$1" >&2; die "$1 is not empty"; }
}

# Findings in a JSON document.
count_findings ()
{
    jq '.findings | length' out.log
}

# Nothing wrong.
qemu-img create -q -f qcow2 -o cluster_size=4k disk.qcow2 8M
qemu-io -c 'write -P 1 0 2M' disk.qcow2 > /dev/null
status 0 disk.qcow2
silent err.log
says out.log '^no errors found$'
says out.log '^clusters: 512 of 2048 allocated \(25\.00%\), 0\.00% of them'

# Leaks only: 300 clusters apart.
cp disk.qcow2 leaks.qcow2
python3 - <<'END'
from check_qcow2 import Image
with Image("leaks.qcow2") as image:
    for number in range(250, -1, -1):
        image.put(image.data(2 * number), 0)
END
status 3 leaks.qcow2
silent err.log
[ "$(grep -c '^leak: ' out.log)" -eq 100 ] || die "not 100 findings"
says out.log '^\.\.\. and 151 more findings \(--all prints them\)$'
says out.log '^251 leaked clusters:'
status 3 --all leaks.qcow2
[ "$(grep -c '^leak: ' out.log)" -eq 251 ] || die "not all findings"
status 3 --output=json leaks.qcow2
[ "$(count_findings)" -eq 100 ] || die "not 100 findings"
says out.log '"findings-left-out": 151,'
says out.log '"leaks": 251,'
status 3 --output=json --all leaks.qcow2
[ "$(count_findings)" -eq 251 ] || die "not all findings"
says out.log '"findings-left-out": 0,'

# Errors.
cp disk.qcow2 errors.qcow2
python3 "$e2e/lib/qcow2_edit.py" errors.qcow2 l2 0 0
python3 "$e2e/lib/qcow2_edit.py" errors.qcow2 l2 0x1000 0x8000000000001000
status 2 errors.qcow2
says out.log '^error: L2 table at 0x[0-9a-f]+: entry 1 for guest offset 4096'
says out.log '^leak: host cluster'
says out.log '^1 error: data may be wrong'
status 2 --output=json errors.qcow2
says out.log '"corruptions": 1,'
says out.log '"filename": "errors.qcow2",'
says out.log '"format": "qcow2",'

# Warnings alone are no failure.
cp disk.qcow2 dirty.qcow2
python3 "$e2e/lib/qcow2_edit.py" dirty.qcow2 incompatible 1
status 0 dirty.qcow2
says out.log '^warning: header: .*dirty'
says out.log '^1 warning$'

# Could not check.
truncate -s 1M disk.raw
status 63 --format=raw disk.raw
says err.log 'disk\.raw: the raw format has no metadata to check'
silent out.log
status 63 --format=raw --output=json disk.raw
silent out.log
status 1 disk.raw
status 1 missing.qcow2
says err.log 'missing\.qcow2: '

# Usage, which is not 2: that says of an image that it is damaged.
status 1
says err.log 'an image is missing'
status 1 disk.qcow2 disk.qcow2
status 1 --output=xml disk.qcow2
says err.log -- '--output=xml: must be human or json'
status 1 --repair disk.qcow2
status 1 --format=floppy disk.qcow2
status 0 --help
says out.log '^Usage: vdisk check'

# A name that is not UTF-8 still makes a JSON document.
cp disk.qcow2 $'na\xefme.qcow2'
status 0 --output=json $'na\xefme.qcow2'
python3 -m json.tool < out.log > /dev/null
checked "JSON in UTF-8"

# A reader who goes away is no error.
"$VDISK" check --all leaks.qcow2 2> err.log | head -n 1 > /dev/null || true
silent err.log
checked "head -n 1"

# Somebody is writing to it.
qemu-nbd -t -f qcow2 -k "$tmp/writer" disk.qcow2 &
writer=$!
server_pids+=("$writer")
# Its socket is there before it has opened the image.
wait_until nbdinfo --size "nbd+unix:///?socket=$tmp/writer" > /dev/null 2>&1
status 1 disk.qcow2
says err.log 'disk\.qcow2: another program'
status 0 --force-share disk.qcow2
kill "$writer"
wait "$writer" || true
