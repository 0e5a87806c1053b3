# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What the end-to-end tests share.  A test sources this first:
#
#   . "$(dirname "$0")/functions.sh"
#
# and then runs in an empty directory of its own ($tmp), which is removed
# when it exits, as is every server it started.
#
# Environment:
#   PLUGIN           the plugin under test
#   NBDKIT           the nbdkit program
#   NBDKIT_PRELOAD   LD_PRELOAD for nbdkit alone (sanitizers)
#   NBDKIT_WRAPPER   a command put before nbdkit, such as "valgrind -q
#                    --error-exitcode=119 --leak-check=full
#                    --suppressions=tests/e2e/nbdkit.supp"
#   VDISK_SEED       seed of everything random
#   VDISK_SCALE      make this many times as many random images (0.1, 10)
#   VDISK_ONLY       make the random image of this number alone
#   VDISK_KEEP       set: keep the directory

set -euo pipefail

e2e=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$e2e/../.." && pwd)
export LC_ALL=C
export PLUGIN=${PLUGIN:-$top/plugin/nbdkit-vdisk-plugin.so}
export NBDKIT=${NBDKIT:-nbdkit}
export VDISK_SEED=${VDISK_SEED:-1}
export PYTHONPATH=$e2e/lib
export PYTHONDONTWRITEBYTECODE=1
PATH=$PATH:/usr/sbin:/sbin

# Version managers put slow wrappers before the interpreter, and looking for
# other people's modules takes longer than most that is run here: -S.
python=$(python3 -c 'import sys; print(sys.executable)')
python3 ()
{
    "$python" -S "$@"
}

# Sanitizers are for nbdkit; its clients start without.
unset LD_PRELOAD

case $PLUGIN in
    /*) ;;
    *) PLUGIN=$PWD/$PLUGIN ;;
esac

tmp=$(mktemp -d "${TMPDIR:-/var/tmp}/vdisk-XXXXXX")
export TMPDIR=$tmp
export VDISK_COUNTS=$tmp/.counts
: > "$VDISK_COUNTS"
server_pids=()
exit_commands=()

# on_exit COMMAND [ARG...]: run it when the test ends, however it ends.
on_exit ()
{
    exit_commands+=("${*@Q}")
}

echo "$(basename "$0"): VDISK_SEED=$VDISK_SEED"

# nbdkit's libraries free a locale when it ends.  Under libasan (seen on
# Debian 12, with any plugin) that waits forever for a lock once strerror
# has been called, so they are kept from it.
if [ -n "${NBDKIT_PRELOAD:-}" ]; then
    echo 'void freelocale (void *locale) { (void) locale; }' |
        cc -shared -fPIC -x c -o "$tmp/freelocale.so" -
    export NBDKIT_PRELOAD="$NBDKIT_PRELOAD $tmp/freelocale.so"
fi

cleanup ()
{
    local status=$? pid command

    trap - EXIT ERR
    for pid in "${server_pids[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    for command in "${exit_commands[@]}"; do
        eval "$command" || true
    done
    if [ "$status" -eq 0 ]; then
        awk '{ i += $1; n += $2 } END {
                 if (i) print "images: " i
                 print "checks: " n + 0
             }' "$VDISK_COUNTS"
    fi
    cd /
    if [ -n "${VDISK_KEEP:-}" ]; then
        echo "kept: $tmp"
    else
        rm -rf "$tmp"
    fi
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cd "$tmp"

die ()
{
    echo "$(basename "$0"): FAILED: $*" >&2
    exit 1
}

skip ()
{
    echo "$(basename "$0"): skipped: $*" >&2
    exit 77
}

# requires COMMAND [ARG...]: skip the test unless the command works.
requires ()
{
    "$@" < /dev/null > /dev/null 2>&1 || skip "'$*' does not work"
}

# requires_library nbd|libzstd: skip the test of a build that is without it.
requires_library ()
{
    run_nbdkit --dump-plugin "$PLUGIN" > "$tmp/.dump" ||
        die "nbdkit --dump-plugin"
    grep -q "^vdisk_$1=yes" "$tmp/.dump" || skip "built without $1"
}

# wait_until COMMAND [ARG...]: at most a minute, as machines are busy.
wait_until ()
{
    local end=$((SECONDS + 60))

    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || die "in vain: $*"
        sleep 0.01
    done
}

# has_ended PID: a child or not, and though perhaps nobody has collected it.
has_ended ()
{
    local state

    state=$(sed 's/.*) \(.\).*/\1/' "/proc/$1/stat" 2>/dev/null) || return 0
    [ "$state" = Z ]
}

# has_socket listening|connected PATH: is there one of this name?  That it is
# bound is not enough for the first: only the flags tell.
has_socket ()
{
    awk -v what="$1" -v path="$2" '
        $8 == path && (what == "listening" ? $4 == "00010000" : $6 == "03") {
            found = 1
        }
        END { exit !found }' /proc/net/unix
}

# Say what is being checked, and count it.
checked ()
{
    echo "ok: $*"
    echo "0 1" >> "$VDISK_COUNTS"
}

# The last line of a failing script says where; set -e alone says nothing.
set -E
trap 'echo "$(basename "$0"): line $LINENO: failed: $BASH_COMMAND" >&2' ERR

# --- Running nbdkit -----------------------------------------------------

# Become nbdkit with the environment under test.
exec_nbdkit ()
{
    local wrapper

    read -r -a wrapper <<< "${NBDKIT_WRAPPER:-}"
    if [ -n "${NBDKIT_PRELOAD:-}" ]; then
        export LD_PRELOAD=$NBDKIT_PRELOAD
    fi
    exec "${wrapper[@]}" "$NBDKIT" "$@"
}

run_nbdkit ()
{
    ( exec_nbdkit "$@" )
}

# vdisk_start IMAGE [PARAM...] [--filter=NAME...]: serve an image.  Sets
# $uri, $socket and $server (the process id); what nbdkit prints goes to
# the file $server_log.
server_number=0
vdisk_start ()
{
    local image=$1 arg options=() params=() i

    shift
    for arg; do
        case $arg in
            --*) options+=("$arg") ;;
            *)   params+=("$arg") ;;
        esac
    done
    server_number=$((server_number + 1))
    socket=$tmp/socket$BASHPID.$server_number
    server_log=$socket.log
    uri="nbd+unix:///?socket=$socket"
    export uri socket
    exec_nbdkit --exit-with-parent -f -U "$socket" \
        -P "$socket.pid" "${options[@]}" "$PLUGIN" "$image" \
        "${params[@]}" > "$server_log" 2>&1 &
    server=$!
    server_pids+=("$server")
    for (( i = 0; i < 6000; i++ )); do
        if [ -e "$socket.pid" ]; then
            return 0
        fi
        if ! kill -0 "$server" 2>/dev/null; then
            break
        fi
        sleep 0.01
    done
    cat "$server_log" >&2
    die "nbdkit does not serve $image"
}

# forget_server PID: it has ended, and its number may be another's soon.
forget_server ()
{
    local i kept=()

    for i in "${server_pids[@]}"; do
        [ "$i" = "$1" ] || kept+=("$i")
    done
    server_pids=("${kept[@]}")
}

# vdisk_stop [PID LOG]: end a server, which must end well.
vdisk_stop ()
{
    local pid=${1:-$server} log=${2:-$server_log} status=0

    kill "$pid" || die "the server has died"
    wait_until has_ended "$pid"
    wait "$pid" || status=$?
    forget_server "$pid"
    if [ "$status" -ne 0 ] || grep -Eq 'Sanitizer|runtime error|==' "$log"
    then
        python3 "$e2e/lib/servers.py" "$log" "$status" || {
            cat "$log" >&2
            die "nbdkit ended with status $status"
        }
    fi
}

# origin_start ARG...: nbdkit with another plugin, for vdisk to read from.
# Sets $origin (its URI), $origin_socket and $origin_pid.  If the first
# argument is qemu-nbd or python3, that is run instead, with the socket in
# place of "SOCKET".
origin_number=0
origin_start ()
{
    origin_number=$((origin_number + 1))
    origin_socket=$tmp/origin$BASHPID.$origin_number
    origin="nbd+unix:///?socket=$origin_socket"
    export origin
    origin_restart "$@"
}

# origin_restart ARG...: the same at the URI of the last one.
origin_restart ()
{
    local command=("$@")

    case $1 in
        qemu-nbd) command=("${command[@]/SOCKET/$origin_socket}") ;;
        # Not the function of that name, which is another process.
        python3) command=("$python" -S "${@:2}")
                 command=("${command[@]/SOCKET/$origin_socket}") ;;
        *) command=("$NBDKIT" -f -U "$origin_socket" "$@") ;;
    esac
    "${command[@]}" > "$origin_socket.log" 2>&1 &
    origin_pid=$!
    server_pids+=("$origin_pid")
    wait_until origin_is_there
    if has_ended "$origin_pid"; then
        cat "$origin_socket.log" >&2
        die "no server: $*"
    fi
}

origin_is_there ()
{
    has_ended "$origin_pid" || has_socket listening "$origin_socket"
}

# origin_stop: end it, and remove its socket.  It is asked kindly, and has
# to end well then; nbdkit waits for its clients, and is killed if it has
# any.
origin_stop ()
{
    local status=0

    origin_killed=
    kill "$origin_pid"
    wait_until origin_has_ended
    wait "$origin_pid" 2>/dev/null || status=$?
    forget_server "$origin_pid"
    rm -f "$origin_socket"
    # Python ends by the signal.
    case $status in
        0 | 143 | "$origin_killed") ;;
        *) cat "$origin_socket.log" >&2
           die "a server ended with status $status" ;;
    esac
}

origin_has_ended ()
{
    if has_ended "$origin_pid"; then
        return 0
    fi
    if has_socket connected "$origin_socket"; then
        origin_killed=137
        kill -KILL "$origin_pid" 2>/dev/null || true
    fi
    return 1
}

# origin_kill: end it in no time.
origin_kill ()
{
    kill -KILL "$origin_pid"
    wait "$origin_pid" 2>/dev/null || true
    forget_server "$origin_pid"
    rm -f "$origin_socket"
}

# origin_end: ask it kindly to end, which it does when its clients have gone;
# until then it answers ESHUTDOWN.  Sets $ending_pid.
origin_end ()
{
    ending_pid=$origin_pid
    kill -TERM "$ending_pid"
    rm -f "$origin_socket"
}

# ends_during COMMAND...: it ends, while a command is repeated that must not
# fail.
ends_during ()
{
    local i

    for (( i = 0; i < 500; i++ )); do
        "$@"
        if ! kill -0 "$ending_pid" 2>/dev/null; then
            wait "$ending_pid" 2>/dev/null || true
            forget_server "$ending_pid"
            checked "the server that was asked to end has ended"
            return 0
        fi
        sleep 0.01
    done
    die "the server that was asked to end is still there"
}

# with_vdisk IMAGE [PARAM...] -- COMMAND...: run a command or function
# while the image is served, with $uri, $socket and $server set.
with_vdisk ()
{
    local params=() pid log

    while [ "$1" != -- ]; do
        params+=("$1")
        shift
    done
    shift
    vdisk_start "${params[@]}"
    pid=$server
    log=$server_log
    "$@"
    vdisk_stop "$pid" "$log"
}

# fails_with REGEX COMMAND...: the command fails, soon, and what it prints
# matches.
fails_with ()
{
    local regex=$1 status=0

    shift
    "$@" > failure.log 2>&1 || status=$?
    if [ "$status" -eq 0 ]; then
        cat failure.log >&2
        die "should have failed: $*"
    fi
    if [ "$status" -ge 124 ]; then
        cat failure.log >&2
        die "status $status of $*"
    fi
    if ! grep -Eq -- "$regex" failure.log; then
        cat failure.log >&2
        die "should have said '$regex': $*"
    fi
    checked "$(grep -E -m 1 -- "$regex" failure.log)"
}

# nbdkit with the plugin, that must not get as far as serving.  (With -U -
# it leaves a directory in /tmp then.)
try_to_serve ()
{
    local limit=60

    [ -z "${NBDKIT_WRAPPER:-}" ] || limit=120
    export -f exec_nbdkit
    rm -f "$tmp/try"
    timeout -k 5 "$limit" bash -c 'exec_nbdkit "$@"' bash \
        -U "$tmp/try" "$PLUGIN" "$@" --run true
}

# refused REGEX IMAGE [PARAM...]: nbdkit does not start, and says why in
# one message.
refused ()
{
    local regex=$1

    shift
    fails_with "$regex" try_to_serve "$@"
    if [ "$(grep -c 'error:' failure.log)" -ne 1 ]; then
        cat failure.log >&2
        die "more than one message, or none: $*"
    fi
    if grep -Eq 'Sanitizer|runtime error' failure.log; then
        python3 "$e2e/lib/servers.py" failure.log 0 || {
            cat failure.log >&2
            die "nbdkit complains: $*"
        }
    fi
}

# --- Comparing ----------------------------------------------------------

# verify [--format FORMAT] [OPTION...] IMAGE...: size, bytes and block
# status are QEMU's.  See verify.py.
verify ()
{
    python3 "$e2e/lib/verify.py" "$@" || die "verify $*"
}

# random_images [OPTION...]: many images; see random_images.py.
random_images ()
{
    python3 "$e2e/lib/random_images.py" "$@" || die "random_images $*"
}

# random_chains [OPTION...]: many chains; see random_chains.py.
random_chains ()
{
    python3 "$e2e/lib/random_chains.py" "$@" || die "random_chains $*"
}

# Bytes of two images are the same.  Formats as for qemu-img.
assert_same_content ()
{
    local format_a=$1 a=$2 format_b=$3 b=$4

    qemu-img compare -q -f "$format_a" -F "$format_b" "$a" "$b" ||
        die "contents differ: $a $b"
    checked "same content: $a $b"
}

# The map of a served disk, one extent a line: "offset length type".
# Neighbours of one type are one extent.
nbd_map ()
{
    nbdinfo --map --json "$1" | python3 "$e2e/lib/extents.py" type
}

# assert_map URI LINE...: the merged map is exactly this.
assert_map ()
{
    local uri=$1 got

    shift
    got=$(nbd_map "$uri")
    if [ "$got" != "$(printf '%s\n' "$@")" ]; then
        printf 'map:\n%s\nexpected:\n' "$got" >&2
        printf '%s\n' "$@" >&2
        die "unexpected map"
    fi
    checked "map: $*"
}

# probe WANTED REQUEST...: one request to the server at $socket gives
# this.  See nbd_probe.py.
probe ()
{
    local wanted=$1 got

    shift
    got=$(python3 "$e2e/lib/nbd_probe.py" "$socket" "$@")
    [ "$got" = "$wanted" ] || die "$*: got '$got', expected '$wanted'"
    checked "$*: $got"
}

# vdisk_map IMAGE [PARAM...] -- LINE...: serve the image; its merged map
# is exactly this.
vdisk_map ()
{
    local params=()

    while [ "$1" != -- ]; do
        params+=("$1")
        shift
    done
    shift
    vdisk_start "${params[@]}"
    assert_map "$uri" "$@"
    vdisk_stop
}

# vdisk_size BYTES IMAGE [PARAM...]: serve the image; this is its size.
vdisk_size ()
{
    local wanted=$1 got

    shift
    vdisk_start "$@"
    got=$(nbdinfo --size "$uri")
    vdisk_stop
    [ "$got" = "$wanted" ] || die "size of $1: $got, expected $wanted"
    checked "size of $*: $got"
}

# Overwrite bytes of a file: patch FILE OFFSET HEX.
patch_file ()
{
    python3 -c '
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2], 0))
    f.write(bytes.fromhex(sys.argv[3]))' "$@"
}

requires "$NBDKIT" --version
requires qemu-img --version
requires qemu-io --version
requires qemu-nbd --version
requires nbdinfo --version
requires python3 --version
if [ ! -e "$PLUGIN" ]; then
    die "$PLUGIN is not built"
fi
