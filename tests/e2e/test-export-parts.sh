#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export --range and --shard: parts in any order, by several processes
# at a time, are together what one export writes.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

qemu-img create -q -f qcow2 small.qcow2 1M
addressable small.qcow2
python3 "$e2e/export_parts.py" "${addressed[@]}"

# --- Which shard: the numbers that engines give

qemu-img create -q -f qcow2 disk.qcow2 4M
qemu-io -f qcow2 -c 'write -q -P 1 0 4M' disk.qcow2
"$VDISK" export disk.qcow2 whole.raw

# is_shard K N VARIABLE=VALUE... OPTION: with these it is the K-th of N.
is_shard ()
{
    local k=$1 n=$2

    shift 2
    rm -f parts.raw wanted.raw
    "$VDISK" export --shard="$k/$n" disk.qcow2 wanted.raw
    env "${@:1:$#-1}" "$VDISK" export "${@: -1}" disk.qcow2 parts.raw
    cmp wanted.raw parts.raw || die "not shard $k of $n: $*"
    checked "$*: $k of $n"
}
is_shard 1 4 SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_MIN=0 \
    SLURM_ARRAY_TASK_COUNT=4 --shard=auto
is_shard 4 4 SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_MIN=1 \
    SLURM_ARRAY_TASK_COUNT=4 --shard=auto/4
is_shard 3 4 SLURM_ARRAY_TASK_ID=11 SLURM_ARRAY_TASK_MIN=1 \
    SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_STEP=5 --shard=auto
is_shard 1 3 JOB_COMPLETION_INDEX=0 --shard=auto/3
is_shard 3 3 JOB_COMPLETION_INDEX=2 --shard=auto/3
is_shard 2 3 AWS_BATCH_JOB_ARRAY_INDEX=1 --shard=auto/3
is_shard 2 3 AWS_BATCH_JOB_ARRAY_INDEX=1 AWS_BATCH_JOB_ARRAY_SIZE=3 \
    --shard=auto
is_shard 2 3 SGE_TASK_ID=2 --shard=auto/3
is_shard 3 3 SGE_TASK_ID=3 SGE_TASK_FIRST=1 SGE_TASK_LAST=3 \
    SGE_TASK_STEPSIZE=1 --shard=auto
is_shard 3 3 PARALLEL_SEQ=3 SGE_TASK_ID=undefined --shard=auto/3

# auto REGEX VARIABLE=VALUE... OPTION: that says nothing.
auto ()
{
    local regex=$1 status=0

    shift
    env "${@:1:$#-1}" "$VDISK" export "${@: -1}" disk.qcow2 out \
        2> said || status=$?
    [ $status -eq 2 ] || die "status $status: $*: $(cat said)"
    grep -Eq -- "$regex" said || die "$*: not '$regex': $(cat said)"
    [ ! -e out ] || die "there is a file in spite of $*"
    checked "$(head -n 1 said)"
}
auto 'there is no number in' A=b --shard=auto
auto 'there is no number in' SGE_TASK_ID=undefined --shard=auto/3
auto 'say --shard=auto/N' PARALLEL_SEQ=3 --shard=auto
auto 'both SLURM_ARRAY_TASK_ID and PARALLEL_SEQ' PARALLEL_SEQ=3 \
    SLURM_ARRAY_TASK_ID=1 --shard=auto/3
auto 'not from 0 to 2' JOB_COMPLETION_INDEX=3 --shard=auto/3
auto 'not from 1 to 3' PARALLEL_SEQ=0 --shard=auto/3
# Some of an array that are submitted again are not another array.
auto 'there are 1 jobs: say which' SLURM_ARRAY_TASK_ID=2 \
    SLURM_ARRAY_TASK_MIN=2 SLURM_ARRAY_TASK_COUNT=1 --shard=auto/4

# --- Wrong use

for shard in 0/4 5/4 1 1/ /4 1/0 -1/4 1/4x ' 1/4' 1/1000001 '' auto/ auto/0 \
             99999999999999999999/4; do
    usage 'shard: .* is neither K/N' --shard="$shard" disk.qcow2 out
done
for range in '' 1 -1 5-4 0- -0-1 '0- 1' 0-1M 0-99999999999999999999; do
    usage 'range: .* is not A-B' --range="$range" disk.qcow2 out
done
error 'range=4194304-4194304: the output has 4194304 bytes' \
    --range=4194304-4194304 disk.qcow2 out
usage 'range does not go with --shard' --range=0-1 --shard=1/2 \
    disk.qcow2 out
usage 'shard does not go with --measure' --shard=1/2 --measure disk.qcow2
usage 'shard does not go with --detect-zeroes' --shard=1/2 --detect-zeroes \
    disk.qcow2 out
usage 'shard does not go with --compression' -O qcow2 -c --shard=1/2 \
    disk.qcow2 out
usage 'shard does not go with --diff' -O qcow2 --diff=disk.qcow2 \
    --shard=1/2 disk.qcow2 out
usage 'several disks' -O xva --shard=1/2 disk.qcow2=Ref:1 disk.qcow2=Ref:2 \
    out
usage 'range needs a file or a stream' --range=0-1 disk.qcow2 \
    'nbd+unix:///?socket=none'
status=0
"$VDISK" export --shard=1/2 disk.qcow2 - 2> said > out || status=$?
[ $status -eq 2 ] || die "status $status: $(cat said)"
grep -q 'shard needs a file' said || die "$(cat said)"
[ ! -s out ] || die "something was written"
checked "$(cat said)"

# --- Who else may write

rm -f out
qemu-img create -q -f raw out 4M
start_writer out raw
status=0
"$VDISK" export --shard=1/2 disk.qcow2 out 2> said || status=$?
told "shard of what QEMU writes" 'another program'
stop_server
