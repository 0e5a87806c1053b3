# SPDX-License-Identifier: BSD-3-Clause
# bash completion for vdisk(1)

_vdisk ()
{
    local current=${COMP_WORDS[COMP_CWORD]} previous=''
    local image='--format= --backing-dir= --size= --sector-bitmaps= --host-holes= --cache-size= --force-share --help'
    local values='' options=''

    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W 'check info map read_headers
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
                map) values='human qemu intervals clusters nbdinfo imageio
                             nbd-extents svg blocks' ;;
                *)   values='human json' ;;
            esac ;;
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
