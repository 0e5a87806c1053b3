#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# One export as jobs of GNU parallel, one a shard:
#
#   docs/fleet/parallel.sh qcow2 disk.vhd disk.qcow2 [SHARDS [OPTION...]]
#
# If some fail, the same command runs those alone again: parallel knows by
# its log, DEST.joblog.  Further options are those of parallel, such as
# --sshloginfile=HOSTS, where all hosts have SOURCE and DEST at these paths;
# but not --shuf, which gives a shard another number in the log each time.

set -euo pipefail

if [ $# -lt 3 ]; then
    echo "usage: $0 FORMAT SOURCE DEST [SHARDS [OPTION...]]" >&2
    exit 2
fi
format=$1 source=$2 dest=$3 shards=${4:-8}

seq "$shards" |
    parallel --joblog "$dest.joblog" --resume-failed "${@:5}" \
        vdisk export -O "$format" --shard="{}/$shards" --threads=1 \
        --manifest="$dest.manifest" "$source" "$dest"
vdisk export --verify="$dest.manifest" "$dest"
