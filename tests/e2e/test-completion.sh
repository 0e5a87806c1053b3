#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What bash completes: options wherever they may come, their values, and
# both as the program itself has them.

. "$(dirname "$0")/functions.sh"

# compopt works only while bash completes.
compopt ()
{
    :
}
. "$top/tools/completion.bash"

# offers 'WANTED...' WORD...: this is what is offered for the last word.
offers ()
{
    local wanted=$1 got

    shift
    COMP_WORDS=(vdisk "$@")
    COMP_CWORD=$#
    _vdisk
    got=$(printf '%s\n' "${COMPREPLY[@]}" | sort | xargs)
    wanted=$(tr ' ' '\n' <<< "$wanted" | sort | xargs)
    [ "$got" = "$wanted" ] || die "of '$*': $got, expected $wanted"
    checked "$*: $got"
}

# The names under a heading of a command's help.
listed ()
{
    "$VDISK" "$1" --help | sed "1,/^$2:/d" | awk '{ print $1 }' | xargs
}

VDISK=${VDISK:-$top/tools/vdisk}
formats=$(listed export Formats)
dialects=$(listed map Dialects)
[ -n "$formats$dialects" ] || die "no help"
offers "$formats" export -O ''
offers "$formats" export --output = ''
offers "$formats" export --output ''
offers "$formats" export --output =
offers 'qcow2' export -c -O q
offers "$dialects" map --output = ''
offers "$dialects" map --output ''
offers 'nbdinfo nbdinfo-dirty nbd-extents' map --output = nbd
offers 'human json' info --output = ''
offers 'true false' info --force-share = ''
offers 'true false' info --ignore-parent-id = ''
offers 'exact ignore' map --parent-case = ''
offers 'qcow2' map --layer-format = qc
offers 'auto current chs' check --size ''

touch disk.img
offers disk.img info --force-share d
offers disk.img info --ignore-parent-id d
offers disk.img info --layer = d
offers disk.img export -O raw d

commands=$("$VDISK" --help | sed -n '/^Commands:/,/^$/p' |
    awk 'NR > 1 { print $1 }' | xargs)
[[ " $commands " == *' export '* ]] || die "no commands"
offers "$commands --help --version" ''
offers "$commands" help ''
offers export help ex

# Every option of the help is offered.
for command in bitmap check export info map views; do
    COMP_WORDS=(vdisk "$command" --)
    COMP_CWORD=2
    _vdisk
    printf '%s\n' "${COMPREPLY[@]%=}" | sort -u > offered
    "$VDISK" $command --help | grep -Eo '^ +(-., )?--[a-z-]+' |
        grep -o -- '--.*' | sort -u > named
    diff -u named offered || die "options of $command"
    checked "options of $command"
done
