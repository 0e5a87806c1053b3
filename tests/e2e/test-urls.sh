#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Names that are neither those of files nor NBD URIs: how to get there is
# told, and works.  A file that is called so can be opened.

. "$(dirname "$0")/functions.sh"
VDISK=${VDISK:-$top/tools/vdisk}

# told NAME REGEX-TOOL [REGEX-PLUGIN]
told ()
{
    fails_with "^vdisk: $2" "$VDISK" info "$1"
    refused "error: ${3:-$2}" "file=$1"
}

for scheme in http https HTTPS ftp; do
    told "$scheme://host/d.qcow2" \
        "$scheme://host/d.qcow2: only files and NBD URIs are read \(nbdkit curl URL --run .* --format=FORMAT" \
        "$scheme://host/d.qcow2: only files and NBD URIs are read \(nbdkit curl URL --run .* format=FORMAT"
done
told s3://bucket/d 's3://bucket/d: .*nbdkit S3 bucket=BUCKET key=KEY'
told ssh://host/d 'ssh://host/d: .*nbdkit ssh host=HOST PATH'
told file:///d 'file:///d: .* the path alone is, ./d.'
told file:d 'file:d: the path alone is read, .d.'
told rbd://pool/d 'rbd://pool/d: only files and NBD URIs are read, not rbd URLs'
told nbd:unix:/s "nbd:unix:/s: .*: 'nbd\+unix:///\?socket=/s' is read"
told nbd:unix:/s:exportname=a/b \
    "nbd:unix:/s:.*: 'nbd\+unix:///a/b\?socket=/s' is read"
told nbd:localhost:10809 "nbd:.*: 'nbd://localhost:10809/' is read"
told nbd:localhost:1:exportname=a "nbd:.*: 'nbd://localhost:1/a' is read"
told 'json:{"driver":"raw"}' 'json:.*descriptions of disks are not read'
told - '-: standard input is not read'
told none: 'none:: No such file or directory'
told ://x '://x: No such file or directory'
fails_with '^vdisk: https://h/d: only files' "$VDISK" export https://h/d out
fails_with '^vdisk: https://h/d: only files' "$VDISK" map https://h/d
[ ! -e out ]

# What is told for QEMU's name.
qemu-img create -q -f qcow2 disk.qcow2 1M
qemu-nbd -r -t -f raw -k "$tmp/s" -x a/b disk.qcow2 &
server_pids+=($!)
for (( i = 0; i < 500; i++ )); do
    [ ! -S s ] || break
    sleep 0.02
done
uri=$({ "$VDISK" info "nbd:unix:$tmp/s:exportname=a/b" 2>&1 || true; } |
    sed "s/.*: '\(.*\)' is read/\1/")
"$VDISK" info --format=qcow2 "$uri" | grep -q '^format: qcow2'
checked "$uri"

# Files of such names.
mkdir -p http:/host
for name in http://host/d.qcow2 nbd:d.qcow2 - json:x; do
    cp disk.qcow2 "./$name"
    "$VDISK" info "./$name" | grep -q '^format: qcow2'
    "$VDISK" info "$name" | grep -q '^format: qcow2'
    try_to_serve "file=./$name" || die "should be served: ./$name"
    checked "a file: $name"
done
