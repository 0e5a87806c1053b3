# SPDX-License-Identifier: BSD-3-Clause
# bash completion for vdisk(1)

_vdisk ()
{
    local current=${COMP_WORDS[COMP_CWORD]} previous=''
    local image='--format= --backing-dir= --size= --sector-bitmaps= --host-holes= --cache-size= --force-share --help'
    local values='' options=''

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W 'check export info map read_headers
            read_headers_interval --help --version' -- "$current")
        return
    fi

    # "--option=value" comes as three words where '=' breaks words.
    if [ "$current" = '=' ]; then
        previous=${COMP_WORDS[COMP_CWORD - 1]}
        current=
    elif [ "${COMP_WORDS[COMP_CWORD - 1]}" = '=' ]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $previous in
        --format)         values='auto vhd vpc qcow2 qed raw' ;;
        --size)           values='auto current chs' ;;
        --sector-bitmaps) values='honour ignore' ;;
        --host-holes)     values='auto off' ;;
        --force-share)    values='true false' ;;
        --qemu-version)   values='7.2 10.0' ;;
        --output)
            case ${COMP_WORDS[1]} in
                export) values='raw qcow2 vhd xva chunked' ;;
                map) values='human qemu intervals clusters nbdinfo imageio
                             nbd-extents svg blocks' ;;
                *)   values='human json' ;;
            esac ;;
        -O)               values='raw qcow2 vhd xva chunked' ;;
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
        check) options='--output= --all' ;;
        export) options='--output= -O --measure --detect-zeroes --threads=
            --progress= --prealloc --cluster-size= --refcount-bits=
            --data-file= --data-file-raw= --diff= --diff-format= --backing=
            --backing-format= -c --compression= --compression-level=
            --block-size= --fixed --parent= --uuid= --prefix= --checksum=
            --ova-xml=' ;;
        info)  options='--output= --chain' ;;
        map)   options='--output= --start= --length= --totals --cluster-size= --qemu-version=' ;;
    esac
    case $current in
        -*) mapfile -t COMPREPLY < <(compgen -W "$options $image" -- "$current")
            [[ ${COMPREPLY[0]:-} == *= ]] && compopt -o nospace ;;
        *)  mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    esac
}
complete -o filenames -F _vdisk vdisk
