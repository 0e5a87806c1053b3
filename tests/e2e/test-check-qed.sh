#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# QED images, good and damaged: vdisk check says what qemu-img check says.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

python3 "$e2e/check_random.py" --count 24 --format qed --size 1M-64M \
    --option cluster_size=64k,4k,8k,16k,32k,128k,1M,2M \
    --option table_size=4,2,8,16 || die "check_random"
python3 "$e2e/check_random.py" --count 6 --format qed --size 1G-15G \
    --option cluster_size=64k,4k,1M || die "check_random"
python3 "$e2e/check_qed_damage.py" || die "check_qed_damage"
