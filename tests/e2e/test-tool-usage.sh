#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What the tool says of wrong command lines: which command speaks, what was
# meant perhaps, and where to look; 'vdisk help'.

. "$(dirname "$0")/functions.sh"
VDISK=${VDISK:-$top/tools/vdisk}

qemu-img create -q -f qcow2 disk.qcow2 1M

# wrong STATUS MESSAGE ARG...: that status, and these two lines alone.
wrong ()
{
    local wanted=$1 message=$2 status=0

    shift 2
    "$VDISK" "$@" > printed 2> said < /dev/null || status=$?
    [ "$status" -eq "$wanted" ] || die "status $status: $*"
    [ ! -s printed ] || die "$*: it has printed: $(cat printed)"
    [ "$(head -n 1 said)" = "$message" ] || die "$*: $(cat said)"
    [ "$(sed 1d said)" = "Try '${message%%:*} --help'." ] ||
        die "$*: $(cat said)"
    checked "$message"
}

# Commands.
wrong 2 "vdisk: there is no command 'inof'; did you mean 'info'?" inof disk.qcow2
wrong 2 "vdisk: there is no command 'hlep'; did you mean 'help'?" hlep
wrong 2 "vdisk: there is no command 'convert'" convert disk.qcow2
wrong 2 "vdisk: there is no command 'exprot'; did you mean 'export'?" help exprot

# Options.
for command in info map read_headers; do
    wrong 2 "vdisk $command: unrecognized option '--formt'; did you mean '--format'?" \
        $command --formt=raw disk.qcow2
    wrong 2 "vdisk $command: unrecognized option '--colour'" \
        $command --colour disk.qcow2
    wrong 2 "vdisk $command: unrecognized option '-x'" $command -x disk.qcow2
    wrong 2 "vdisk $command: option '--format' needs a value" \
        $command disk.qcow2 --format
    wrong 2 "vdisk $command: option '--help' takes no value" \
        $command --help=all disk.qcow2
    wrong 2 "vdisk $command: --size=curent: must be auto, current or chs; did you mean 'current'?" \
        $command --size=curent disk.qcow2
done
wrong 2 "vdisk map: option '--s' could be one of several" map --s disk.qcow2
wrong 2 "vdisk export: unrecognized option '-x'" export -xc disk.qcow2 out
wrong 2 "vdisk export: unrecognized option '-x'" export --measure -xc disk.qcow2
wrong 2 "vdisk export: option '-O' needs a value" export disk.qcow2 out -O
wrong 2 "vdisk export: unrecognized option '--cluster_size'; did you mean '--cluster-size'?" \
    export --cluster_size=64k disk.qcow2 out

# Values.
wrong 2 "vdisk info: --format=vdh: must be auto, vhd (or vpc), qcow2, qed or raw; did you mean 'vhd'?" \
    info --format=vdh disk.qcow2
wrong 2 "vdisk info: --format=floppy: must be auto, vhd (or vpc), qcow2, qed or raw" \
    info --format=floppy disk.qcow2
wrong 2 "vdisk info: --output=jsn: must be human or json; did you mean 'json'?" \
    info --output=jsn disk.qcow2
wrong 2 "vdisk map: --output: 'nbd-extent' is not a dialect: there are human, qemu, intervals, clusters, nbdinfo, imageio, nbd-extents, svg, blocks, nbdinfo-dirty, imageio-dirty, csi, cbt, cbt-base64, bitmap; did you mean 'nbd-extents'?" \
    map --output=nbd-extent disk.qcow2
wrong 2 "vdisk export: --output: 'qcow' is not raw, qcow2, vhd, xva or chunked; did you mean 'qcow2'?" \
    export -O qcow disk.qcow2 out
wrong 2 "vdisk export: --progress: 'barr' is not one of none, bar, machine, json; did you mean 'bar'?" \
    export --progress=barr disk.qcow2 out

# check says 2 of damaged images, and so does not of wrong command lines.
wrong 1 "vdisk check: an image is missing" check
wrong 1 "vdisk check: there can be only one image" check disk.qcow2 disk.qcow2
wrong 1 "vdisk check: unrecognized option '--alll'; did you mean '--all'?" \
    check --alll disk.qcow2
wrong 1 "vdisk check: --size=x: must be auto, current or chs" \
    check --size=x disk.qcow2

# The plugin speaks of its parameters.
refused "unknown parameter 'fromat': .*; did you mean 'format'\?" \
    disk.qcow2 fromat=raw
refused "nbdkit.* format=qcow: .*; did you mean 'qcow2'\?" \
    disk.qcow2 format=qcow

# Help.
"$VDISK" --help > help
for command in help "help help"; do
    # shellcheck disable=SC2086
    "$VDISK" $command | diff -u help - || die "$command"
done
for command in check export info map read_headers; do
    "$VDISK" $command --help > help
    "$VDISK" help $command | diff -u help - || die "help $command"
    checked "help $command"
done
