# SPDX-License-Identifier: BSD-3-Clause
# bash completion for vdisk(1)

_vdisk ()
{
    local current=${COMP_WORDS[COMP_CWORD]} option=''
    local commands='bitmap check export help info map read_headers
        read_headers_interval views'
    local image='--format= --backing-dir= --size= --sector-bitmaps= --host-holes= --cache-size= --force-share --timeout=
        --layer= --layer-format= --ignore-parent-id --parent-case= -v --verbose --help'
    local view='--view= --since= --since-format= --compare'
    local values='' options=''

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" \
            -- "$current")
        return
    fi
    if [ "${COMP_WORDS[1]}" = help ]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
        return
    fi

    # The option whose value this is: the word before, or the one before
    # that where '=' breaks words and "--option=value" comes as three.
    option=${COMP_WORDS[COMP_CWORD - 1]}
    if [ "$current" = '=' ]; then
        current=
    elif [ "$option" = '=' ]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ $option = --force-share || $option = --ignore-parent-id ]]; then
        option=''               # it takes a value only after '='
    fi
    case $option in
        --format | --since-format)
                          values='auto vhd vpc qcow2 qed raw' ;;
        --size)           values='auto current chs' ;;
        --sector-bitmaps) values='honour ignore' ;;
        --host-holes)     values='auto off' ;;
        --force-share | --ignore-parent-id) values='true false' ;;
        --layer-format)   values='auto vhd vpc qcow2 qed raw' ;;
        --parent-case)    values='exact ignore' ;;
        --timeout)        values='auto' ;;
        --qemu-version)   values='7.2 10.0' ;;
        --bit-order)      values='lsb msb' ;;
        -O | --output)
            case ${COMP_WORDS[1]} in
                export) values='raw qcow2 vhd xva chunked' ;;
                map | bitmap) values='human qemu intervals clusters nbdinfo imageio
                             nbd-extents svg blocks nbdinfo-dirty
                             imageio-dirty csi cbt cbt-base64 bitmap' ;;
                *)   values='human json' ;;
            esac ;;
        --progress)       values='bar machine json none' ;;
        --compression)    values='zlib zstd' ;;
        --checksum)       values='xxhash sha1' ;;
        --backing-dir)
            mapfile -t COMPREPLY < <(compgen -d -- "$current")
            return ;;
    esac
    if [ -n "$values" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current")
        return
    fi

    case ${COMP_WORDS[1]} in
        bitmap) options='--output= --merge= --start= --length= --totals
            --cluster-size= --bit-order=' ;;
        check) options='--output= --all' ;;
        export) options='--output= -O --measure --detect-zeroes --no-flush
            --view= --since= --since-format= --compare --apply
            --range= --shard= --resume --manifest= --verify=
            --threads= --progress= --prealloc --cluster-size= --refcount-bits=
            --data-file= --data-file-raw= --diff= --diff-format= --backing=
            --backing-format= -c --compression= --compression-level=
            --block-size= --fixed --parent= --uuid= --round= --prefix= --checksum=
            --ova-xml=' ;;
        info)  options='--output= --chain --view=' ;;
        map)   options="--output= --start= --length= --totals --cluster-size=
            --bit-order= --qemu-version= $view" ;;
        views) options='--output=' ;;
    esac
    case $current in
        -*) mapfile -t COMPREPLY < <(compgen -W "$options $image" -- "$current")
            [[ ${COMPREPLY[0]:-} == *= ]] && compopt -o nospace ;;
        *)  mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    esac
}
complete -o filenames -F _vdisk vdisk
