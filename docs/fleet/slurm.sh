#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# One export as an array of Slurm jobs, one a shard:
#
#   sbatch --array=0-7 docs/fleet/slurm.sh qcow2 disk.vhd disk.qcow2
#   sbatch --dependency=afterok:JOB --wrap \
#       'vdisk export --verify=disk.qcow2.manifest disk.qcow2'
#
# SOURCE, DEST and DEST.manifest are on storage that all nodes have.  Tasks
# that failed are submitted again by their numbers, with how many there are:
#
#   SHARDS=8 sbatch --array=3,5 docs/fleet/slurm.sh qcow2 disk.vhd disk.qcow2
#
#SBATCH --job-name=vdisk-export
#SBATCH --cpus-per-task=1
#SBATCH --output=vdisk-export-%A-%a.log

set -euo pipefail

if [ $# -ne 3 ]; then
    echo "usage: sbatch --array=0-N $0 FORMAT SOURCE DEST" >&2
    exit 2
fi

# The whole array says by itself which shard it is.
shard=auto
if [ -n "${SHARDS:-}" ]; then
    shard=$((SLURM_ARRAY_TASK_ID + 1))/$SHARDS
fi

exec vdisk export -O "$1" --shard="$shard" --manifest="$3.manifest" \
    --threads="${SLURM_CPUS_PER_TASK:-1}" "$2" "$3"
