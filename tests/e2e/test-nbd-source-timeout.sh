#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A server that stalls in the middle of a request holds nobody longer than
# the option timeout says: neither clients of the plugin nor the tool.  The
# next request is answered again.

. "$(dirname "$0")/functions.sh"
export VDISK=${VDISK:-$top/tools/vdisk}

# ends_soon COMMAND...: in less than the default would take.
ends_soon ()
{
    SECONDS=0
    "$@"
    [ "$SECONDS" -lt 20 ] || die "$*: took $SECONDS seconds"
    checked "$*: ended after $SECONDS seconds"
}

stalls ()
{
    ends_soon probe 'error EIO' "$1" 0 65536
    grep -Eq "socket=$origin_socket: .* has not answered in 0.7 seconds" \
        "$server_log" || die "$(cat "$server_log")"
    nbdcopy "$uri" copy.raw
    cmp truth.raw copy.raw
    checked "all is well"
}

origin_start python3 "$e2e/lib/nbd_server.py" SOCKET
nbdcopy "$origin" truth.raw
origin_stop

for lie in read status; do
    for connections in --multi-conn ''; do
        # shellcheck disable=SC2086
        origin_start python3 "$e2e/lib/nbd_server.py" SOCKET $connections \
            --lie "silent-$lie"
        with_vdisk "$origin" timeout=700ms -- stalls "$lie"
        origin_stop
    done
done

# The tool, when it reads the map, or is not even let in.
origin_start python3 "$e2e/lib/nbd_server.py" SOCKET --lie silent-status
ends_soon fails_with "socket=$origin_socket: block status of .*: the server \
has not answered in 0.5 seconds" "$VDISK" map --timeout=500ms "$origin"
origin_stop
origin_start python3 "$e2e/lib/nbd_server.py" SOCKET --lie silent
ends_soon fails_with "socket=$origin_socket: the server has not answered in \
1 seconds" "$VDISK" info --timeout=1 "$origin"
origin_stop
