#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A chain that loops is refused at once, also by other names of the file;
# so is one that is too long.

. "$(dirname "$0")/functions.sh"

qemu-img create -q -u -f qcow2 -b b.qcow2 -F qcow2 a.qcow2 1M
qemu-img create -q -u -f qcow2 -b c.qed -F qed b.qcow2 1M
qemu-img create -q -u -f qed -b a.qcow2 -F qcow2 c.qed 1M
qemu-img create -q -u -f qcow2 -b self.qcow2 -F qcow2 new.qcow2 1M
mv new.qcow2 self.qcow2
qemu-img create -q -u -f qcow2 -b link.qcow2 -F qcow2 linked.qcow2 1M
ln -s linked.qcow2 link.qcow2
qemu-img create -q -u -f qcow2 -b hard.qcow2 -F qcow2 named.qcow2 1M
ln named.qcow2 hard.qcow2

began=$EPOCHREALTIME
refused 'loop' a.qcow2
refused 'loop' b.qcow2
refused 'loop' c.qed
refused 'loop' self.qcow2
refused 'loop' linked.qcow2
refused 'loop' named.qcow2
if [ -z "${NBDKIT_WRAPPER:-}" ]; then
    awk "BEGIN { exit $EPOCHREALTIME - $began > 6 }" || die "that took long"
fi

# One file may be the base of many, and be met only once in each.
qemu-img create -q -f qcow2 base.qcow2 1M
qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 one.qcow2
qemu-img create -q -f qcow2 -b one.qcow2 -F qcow2 two.qcow2
verify two.qcow2

# A thousand layers.
qemu-img create -q -f qcow2 -o cluster_size=512 deep0.qcow2 1M
python3 "$e2e/chain_loop.py"
refused 'layers' deep0999.qcow2
