#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# vdisk export takes the same memory for 1 GiB and for 1 TiB, for few
# intervals and for 16.8 million, and while nobody reads.

. "$(dirname "$0")/functions.sh"
. "$e2e/export.sh"

# In KiB.  The data is more than that.  Sanitizers need memory themselves.
limit=65536
more=16384
if grep -q __asan_init "$VDISK"; then
    limit=4194304
    more=4194304
fi

peak ()
{
    python3 "$e2e/export_memory.py" "$@" || die "$*"
}
peak make 1G 1g.qcow2
peak make 1T 1t.qcow2

# bounded ARG...: with the source and DEST it exports both.
bounded ()
{
    local small large how=run

    if [ "${1:-}" = blocked ]; then
        how=blocked
        shift
    fi
    small=$(peak $how "$@" 1g.qcow2 "$dest")
    large=$(peak $how "$@" 1t.qcow2 "$dest")
    if [ "$small" -gt $limit ] || [ "$large" -gt $limit ]; then
        die "$*: $small and $large KiB, more than $limit"
    fi
    [ "$large" -le $((small + more)) ] ||
        die "$*: $small KiB for 1 GiB, but $large for 1 TiB"
    checked "$how $*: $small and $large KiB"
    rm -f out
}
dest=/dev/null
for options in '-O qcow2 --cluster-size=4k' '-O vhd' '-O xva' \
               '-O chunked --threads=16' '-O qcow2 --diff=1g.qcow2'; do
    # shellcheck disable=SC2086
    bounded $options
done
dest=out
for options in '' --detect-zeroes '-O qcow2 -c' '-O qcow2 --detect-zeroes' \
               '-O vhd --detect-zeroes' '-O vhd --fixed'; do
    # shellcheck disable=SC2086
    bounded $options
done
dest=-
for options in '-O qcow2' '-O xva --threads=16'; do
    # shellcheck disable=SC2086
    bounded blocked $options
done

# 16.8 million intervals.
python3 "$e2e/map_large.py" make large.qcow2 $((1 << 40))
python3 "$e2e/map_large.py" make middle.qcow2 $((1 << 30))
for options in '-O qcow2' '-O vhd'; do
    # shellcheck disable=SC2086
    small=$(peak run --measure $options middle.qcow2)
    # shellcheck disable=SC2086
    large=$(peak run --measure $options large.qcow2)
    [ "$large" -le $((small + more)) ] ||
        die "--measure $options: $small KiB for 16384 intervals, $large for more"
    checked "--measure $options: $small and $large KiB"
done
