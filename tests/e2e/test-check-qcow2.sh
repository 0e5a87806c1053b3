#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# QCOW2 images with nothing wrong in them: vdisk check and qemu-img check
# say so, and count the same.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

random_checks ()
{
    python3 "$e2e/check_random.py" "$@" || die "check_random $*"
}

both_agree ()
{
    python3 "$e2e/lib/check_verdict.py" "$@" || die "check_verdict $*"
}

random_checks --count 20 --size 1M-32M \
    --option cluster_size=64k,512,4k,2M,16k --option compat=1.1,0.10
random_checks --count 20 --between snapshot --rounds 4 --size 1M-32M \
    --option cluster_size=64k,512,4k,2M,16k --option compat=1.1,0.10
random_checks --count 10 --between bitmap --rounds 3 --size 1M-32M \
    --option cluster_size=64k,4k
random_checks --count 12 --between shrink,grow,snapshot --rounds 4 \
    --size 2M-32M --option cluster_size=64k,4k,1k
random_checks --count 18 --size 1M-16M --option cluster_size=64k,512,4k \
    --option refcount_bits=1,2,4,8,32,64
random_checks --count 12 --between snapshot --rounds 3 --size 1M-16M \
    --option refcount_bits=2,8,64 --option cluster_size=64k,512
random_checks --count 12 --ops write=3,compressed=5,zero=1,discard=1 \
    --size 1M-16M --option cluster_size=64k,4k,2M \
    --option compression_type=zlib,zstd
random_checks --count 8 --compressed-copy --size 1M-16M \
    --option cluster_size=64k,4k
random_checks --count 12 --option extended_l2=on \
    --option cluster_size=64k,16k,128k,2M --size 1M-32M
random_checks --count 8 --ops write=3,compressed=5,zero=2,discard=1 \
    --option extended_l2=on --option cluster_size=64k,16k --size 1M-16M
random_checks --count 8 --data-file --size 1M-32M \
    --option cluster_size=64k,4k --option data_file_raw=off,on
random_checks --count 8 --option lazy_refcounts=on --size 1M-16M \
    --option cluster_size=64k,4k
random_checks --count 8 --size 1M-16M --option cluster_size=64k,4k \
    --option preallocation=metadata,full,falloc,off

# Nothing in it; a disk of no size; tables of more than one cluster.
qemu-img create -q -f qcow2 empty.qcow2 1G
both_agree qcow2 empty.qcow2
qemu-img create -q -f qcow2 none.qcow2 0
both_agree qcow2 none.qcow2
qemu-img create -q -f qcow2 -o cluster_size=512 small.qcow2 4G
qemu-io -c 'write 0 3M' -c 'write 4095M 1M' small.qcow2 > /dev/null
both_agree qcow2 small.qcow2
qemu-img create -q -f qcow2 large.qcow2 60T
qemu-io -c 'write 0 3M' -c 'write 55T 1M' large.qcow2 > /dev/null
both_agree qcow2 large.qcow2
qemu-img create -q -f qcow2 -o preallocation=metadata mapped.qcow2 64G
both_agree qcow2 mapped.qcow2

# The backing file need not be there.
qemu-img create -q -f qcow2 base.qcow2 4M
qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 over.qcow2
qemu-io -c 'write -P 1 100k 300k' over.qcow2 > /dev/null
both_agree qcow2 over.qcow2
rm base.qcow2
"$VDISK" check over.qcow2
checked "without its backing file"

# Nor the external data file.
qemu-img create -q -f qcow2 -o data_file=data.raw outside.qcow2 4M
rm data.raw
"$VDISK" check outside.qcow2
checked "without its data file"

# LUKS has a header of its own, and needs no key to be checked.  QEMU
# measures the machine when it makes one, and now and then cannot.
for (( i = 0; i < 20; i++ )); do
    qemu-img create -q -f qcow2 --object secret,id=key,data=abc \
        -o encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10 \
        luks.qcow2 4M && break
done
both_agree qcow2 luks.qcow2 --object secret,id=key,data=abc \
    --image-opts driver=qcow2,file.filename=luks.qcow2,encrypt.key-secret=key
