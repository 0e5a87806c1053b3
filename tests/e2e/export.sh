# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# What the tests of vdisk export share; sourced after functions.sh.

export VDISK=${VDISK:-$top/tools/vdisk}
ulimit -c 0

outputs=(raw qcow2 vhd xva chunked)

# addressable IMAGE: set $addressed to the outputs that have parts.
addressable ()
{
    local output said

    addressed=()
    for output in "${outputs[@]}"; do
        said=$("$VDISK" export -O "$output" --range=0-0 "$1" - 2>&1 \
            > /dev/null) || true
        [[ $said == *'only be written as a whole' ]] ||
            addressed+=("$output")
    done
    echo "outputs with parts: ${addressed[*]}"
}
how_far='after [0-9]+ of [0-9]+ bytes'

# has_parts OUTPUT: is it one of them?
has_parts ()
{
    [[ " ${addressed[*]} " == *" $1 "* ]]
}

# usage REGEX ARG...: wrong use of vdisk export.  The exit status is 2,
# nothing is printed but a message and where to look, and no file "out"
# comes of it.
usage ()
{
    local regex=$1 status=0

    shift
    timeout 60 "$VDISK" export "$@" > printed 2> said || status=$?
    [ $status -eq 2 ] || die "status $status, not 2: $*: $(cat said)"
    grep -Eq -- "$regex" said || die "$*: not '$regex': $(cat said)"
    grep -q "^Try 'vdisk export --help'" said ||
        die "$*: no hint to the help: $(cat said)"
    [ ! -s printed ] || die "$*: it has printed: $(head -c 200 printed)"
    [ ! -e out ] || die "there is a file in spite of $*"
    checked "$(head -n 1 said)"
}

# error REGEX ARG...: vdisk export cannot do it.  The exit status is 1, there
# is one message, and no file "out".
error ()
{
    local regex=$1

    shift
    status=0
    timeout 60 "$VDISK" export "$@" > /dev/null 2> said || status=$?
    told "$*" "$regex"
    [ ! -e out ] || die "half a file is left: $*"
}

# told WHAT REGEX: after something has set $status and left its messages in
# the file "said", that is status 1 and one message that matches.
told ()
{
    [ "$status" -eq 1 ] || die "status $status, not 1: $1: $(cat said)"
    [ "$(wc -l < said)" -eq 1 ] || die "$1: not one message: $(cat said)"
    grep -Eq -- "$2" said ||
        die "$1: it does not say '$2': $(cat said)"
    checked "$1: $(cat said)"
}

# start_server NAME ARG...: nbdkit, as it comes.  Sets $uri and $server.
start_server ()
{
    local socket=$tmp/$1

    started_server=("$@")
    shift
    nbdkit --exit-with-parent -f -U "$socket" -P "$socket.pid" "$@" \
        > "$socket.log" 2>&1 &
    server=$!
    server_pids+=("$server")
    uri="nbd+unix:///?socket=$socket"
    wait_until test -e "$socket.pid"
}

# start_writer IMAGE FORMAT: QEMU has it open for writing.  Sets $server.
start_writer ()
{
    qemu-nbd -t -f "$2" -k "$tmp/writer" "$1" &
    server=$!
    server_pids+=("$server")
    # Its socket is there before it has opened the image.
    wait_until nbdinfo --size "nbd+unix:///?socket=$tmp/writer" \
        > /dev/null 2>&1
}

# stop_server: kindly; it has no clients any more.
stop_server ()
{
    kill "$server" 2> /dev/null || true
    wait_until has_ended "$server"
    wait "$server" || true
    forget_server "$server"
    rm -f "$tmp/writer"
}

# restart_server: the one of the last start_server, as new.  nbdkit 1.32
# aborts where a client hangs up with requests under way, as one does of
# which a request has failed, or that is interrupted.
restart_server ()
{
    stop_server
    rm -f "$tmp/${started_server[0]}"{,.pid}
    start_server "${started_server[@]}"
}
