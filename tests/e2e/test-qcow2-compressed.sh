#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Compressed clusters, zlib and zstd: single ones among others, and whole
# images made by convert -c; compressible and not, straddling clusters and
# ending with the file.

. "$(dirname "$0")/functions.sh"

requires_library libzstd

ops=compressed=6,write=2,zero=1,discard=1
random_images --count 78 --ops $ops \
    --option cluster_size=64k,4k,512,1k,2k,8k,16k,32k,128k,256k,512k,1M,2M \
    --option compression_type=zlib,zstd
random_images --count 20 --ops $ops --option compat=0.10 \
    --option cluster_size=64k,512,2M,4k,32k
random_images --count 78 --compressed-copy \
    --option cluster_size=64k,4k,512,1k,2k,8k,16k,32k,128k,256k,512k,1M,2M \
    --option compression_type=zlib,zstd
# The last cluster is compressed and the disk ends within it.
random_images --count 20 --compressed-copy --odd-size --size 1M-9M \
    --option cluster_size=64k,4k,512,2M --option compression_type=zlib,zstd
