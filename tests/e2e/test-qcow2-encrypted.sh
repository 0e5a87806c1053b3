#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Encrypted images are refused, and the message names the method; also
# where they are the backing file.

. "$(dirname "$0")/functions.sh"

create_encrypted ()
{
    qemu-img create -q -f qcow2 --object secret,id=s,data=secret \
        -o "encrypt.format=$1,encrypt.key-secret=s$2" "$3" 4M
}

# It measures the machine first, and now and then cannot.
for (( i = 0; i < 20; i++ )); do
    create_encrypted luks ,encrypt.iter-time=10 luks.qcow2 && break
done
refused 'luks\.qcow2: .*LUKS' luks.qcow2
create_encrypted aes '' aes.qcow2
refused 'aes\.qcow2: .*AES' aes.qcow2

qemu-img create -q -u -f qcow2 -b luks.qcow2 -F qcow2 over.qcow2 4M
refused 'luks\.qcow2: .*LUKS' over.qcow2
