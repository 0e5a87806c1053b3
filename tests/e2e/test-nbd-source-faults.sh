#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# An NBD server that fails, goes, comes back, or says what makes no sense:
# requests fail with EIO and a message, the next good one works, and nothing
# else happens.

. "$(dirname "$0")/functions.sh"
requires_library nbd

export VDISK=${VDISK:-$top/tools/vdisk}

truncate -s 1M disk.raw
qemu-io -f raw -c 'write -P 1 0 150k' -c 'write -P 2 150k 150k' disk.raw \
    > /dev/null

good ()
{
    nbdcopy "$uri" copy.raw
    cmp disk.raw copy.raw
    checked "all is well"
}

# What nbdkit has said since 'forget'.
forgotten=0
news () { tail -n +$((forgotten + 1)) "$server_log"; }
forget () { forgotten=$(wc -l < "$server_log"); }

# said REGEX: nbdkit has said this, and it is forgotten then.
said ()
{
    news > news.log
    grep -Eq -- "$1" news.log || die "$1: $(cat news.log)"
    checked "$(grep -E -m 1 -- "$1" news.log)"
    forget
}

quiet () { [ -z "$(news)" ] || die "$(news)"; }

# What a read says: "right", "wrong" or "error N".
read_whole ()
{
    python3 "$e2e/nbd_source_faults.py"
}

# --- Errors --------------------------------------------------------------

origin_start --filter=error file disk.raw \
    error-pread=EIO error-pread-rate=100% error-pread-file="$tmp/no-reads" \
    error-extents-rate=100% error-extents-file="$tmp/no-extents"
errors ()
{
    touch no-extents
    # Also a read needs to know where it is to read.
    probe 'error EIO' status 0 1048576
    said "socket=$origin_socket: block status of 1048576 bytes at offset 0: .*Input/output error"
    rm no-extents
    good
    touch no-reads
    probe 'error EIO' read 1000 70000
    said "socket=$origin_socket: reading 70000 bytes at offset 1000: .*Input/output error"
    # What is known to be zeros need not be read.
    probe '1000:0' read 900000 1000
    rm no-reads
    good
}
with_vdisk "$origin" -- errors
touch no-reads
fails_with "socket=$origin_socket: reading .* at offset 0: .*Input/output" \
    "$VDISK" info --format=qcow2 "$origin"
rm no-reads
origin_stop

# --- A server that goes --------------------------------------------------

serve=(file disk.raw)
origin_start "${serve[@]}"
restarted ()
{
    good
    # While nobody asks anything: nobody notices.
    origin_stop
    origin_restart "${serve[@]}"
    good
    quiet
    # When it is not there.
    origin_stop
    probe 'error EIO' read 0 4096
    said "socket=$origin_socket: reading 4096 bytes at offset 0: .*connect: No such file or directory"
    probe 'error EIO' read 4096 4096
    # A request may be answered from what is known already.
    probe '1000:0' read 900000 1000
    origin_restart "${serve[@]}"
    forget
    good
    quiet
    # When it serves something else.
    origin_stop
    origin_restart null 2M
    probe 'error EIO' read 0 4096
    said "socket=$origin_socket: reading 4096 bytes at offset 0: the server's disk has 2097152 bytes now, it had 1048576 when it was opened"
    origin_stop
    origin_restart python3 "$e2e/lib/nbd_server.py" SOCKET --no-status
    probe 'error EIO' read 0 4096
    said 'the server has no block status any more'
    origin_stop
    origin_restart --filter=blocksize-policy "${serve[@]}" \
        blocksize-minimum=512 blocksize-preferred=4096 \
        blocksize-error-policy=error
    probe 'error EIO' read 0 4096
    said 'the server takes other block sizes than before'
    origin_stop
    origin_restart "${serve[@]}"
    good
}
forgotten=0
with_vdisk "$origin" -- restarted
origin_stop

# In the middle of many requests: those that are under way fail, at most.
origin_start --filter=log --filter=delay "${serve[@]}" logfile="$tmp/log" \
    delay-read=60
while_reading ()
{
    local reading

    python3 "$e2e/lib/many_reads.py" "$socket" disk.raw > errors &
    reading=$!
    wait_until grep -q ' Read ' log
    origin_stop
    wait "$reading"
    [ "$(cat errors)" -gt 0 ] || die "nobody has noticed anything"
    checked "$(cat errors) reads of $((1048576 / 16384)) failed"
    origin_restart "${serve[@]}"
    good
}
with_vdisk "$origin" -- while_reading
origin_stop

# --- A server that is asked to end ---------------------------------------

# It says ESHUTDOWN until its clients have gone.  They go over to the next
# one, all four connections, and no request fails.
small ()
{
    nbdcopy --synchronous --request-size=65536 "$uri" copy.raw
    cmp "$wanted" copy.raw
}
gone_over ()
{
    small
    origin_end
    origin_restart "$@"
    ends_during small
    quiet
}
wanted=disk.raw
for arg in "" multi-conn-mode=disable; do
    # shellcheck disable=SC2206
    serve=(${arg:+--filter=multi-conn} file disk.raw $arg)
    origin_start "${serve[@]}"
    forgotten=0
    with_vdisk "$origin" -- gone_over "${serve[@]}"
    origin_stop
done
origin_start qemu-nbd -r -t -e 9 -f raw -k SOCKET disk.raw
forgotten=0
with_vdisk "$origin" -- gone_over qemu-nbd -r -t -e 9 -f raw -k SOCKET disk.raw
origin_stop
serve=(python3 "$e2e/lib/nbd_server.py" SOCKET --multi-conn)
origin_start "${serve[@]}"
nbdcopy "$origin" truth.raw
wanted=truth.raw
forgotten=0
with_vdisk "$origin" -- gone_over "${serve[@]}"
origin_stop

# Its clients are let go also if no other is there.
nobody_there ()
{
    nbdcopy "$uri" copy.raw
    origin_end
    for (( i = 0; i < 500; i++ )); do
        kill -0 "$ending_pid" 2>/dev/null || break
        read_whole > answer
        sleep 0.01
    done
    forget_server "$ending_pid"
    [ "$(cat answer)" = "error 5" ] || die "read: $(cat answer)"
    said "socket=$origin_socket: reading 4096 bytes at offset 0: .*No such file"
    origin_restart "${serve[@]}"
    nbdcopy "$uri" copy.raw
    cmp truth.raw copy.raw
    checked "all is well"
}
origin_start "${serve[@]}"
forgotten=0
with_vdisk "$origin" -- nobody_there
origin_stop

# It has never been there.
fails_with 'nbd\+unix:///\?socket=/nowhere: .*No such file' \
    "$VDISK" map 'nbd+unix:///?socket=/nowhere'
refused 'nbd\+unix:///\?socket=/nowhere: .*No such file' \
    'nbd+unix:///?socket=/nowhere'
fails_with 'nbd://127\.0\.0\.1:1/x: .*Connection refused' \
    "$VDISK" check nbd://127.0.0.1:1/x
touch plain
fails_with "socket=$tmp/plain: .*Connection refused" \
    "$VDISK" info "nbd+unix:///?socket=$tmp/plain"
for uri in 'nbd+unix://' 'nbd+unix:///' 'nbd://[' 'nbds+vsock://x' \
           'nbd://host/%zz?%'; do
    fails_with "^vdisk: nbd[^ ]*: [^n]" "$VDISK" map "$uri"
done

# --- Nonsense ------------------------------------------------------------

# A lie, once, after so many truths; what comes before and after is right.
origin_start python3 "$e2e/lib/nbd_server.py" SOCKET
nbdcopy "$origin" truth.raw
"$VDISK" map --output=nbdinfo "$origin" > truth.map
origin_stop

lie_start ()
{
    origin_start python3 "$e2e/lib/nbd_server.py" SOCKET "$@"
}

# lies_to_reads NAME REGEX: a read fails with this message.
lies_to_reads ()
{
    lie_start --lie "$1" --multi-conn
    vdisk_start "$origin"
    forgotten=0
    [ "$(read_whole)" = "error 5" ] || die "$1: $(read_whole)"
    said "socket=$origin_socket: reading 4096 bytes at offset 0: .*$2"
    [ "$(read_whole)" = right ] || die "$1: not right afterwards"
    nbdcopy "$uri" copy.raw
    cmp truth.raw copy.raw
    vdisk_stop
    origin_stop
}
lies_to_reads half 'Input/output error|Protocol'
lies_to_reads nothing 'Input/output error|Protocol'
lies_to_reads outside 'out of bounds|Protocol'
lies_to_reads too-long 'out of bounds|Protocol'
lies_to_reads bad-magic 'magic'
lies_to_reads hang-up 'not connected|disconnected|Transport'
lies_to_reads mid-hang-up 'disconnected'
# Newer libnbd skips such replies, or stumbles over what comes next.
lies_to_reads wrong-cookie 'cookie|magic'
lies_to_reads status-chunk 'block.status|Protocol'

# lies_of_status NAME REGEX: a map fails with this message.
lies_of_status ()
{
    lie_start --lie "$1"
    fails_with "socket=$origin_socket: block status .*$2" \
        "$VDISK" map "$origin"
    "$VDISK" map --output=nbdinfo "$origin" > told.map
    cmp told.map truth.map || die "$1: not right afterwards"
    origin_stop
}
lies_of_status no-extents 'length|Protocol'
lies_of_status no-chunk 'says nothing|Protocol'
lies_of_status zero-length 'says nothing|Protocol'
lies_of_status odd-payload 'length|Protocol'
lies_of_status huge-payload 'length|Protocol'
lies_of_status wrong-context 'says nothing|context|Protocol'
lies_of_status hang-up-status 'not connected|disconnected|Transport|Protocol'

# What is odd but can be understood.
for lie in zero-after-data strange-flags beyond-end; do
    lie_start --lie $lie
    # Newer libnbd refuses what reaches beyond the end, once.
    "$VDISK" map --output=nbdinfo "$origin" > told.map ||
        "$VDISK" map --output=nbdinfo "$origin" > told.map
    cmp told.map truth.map || die "$lie: $(cat told.map)"
    checked "$lie"
    origin_stop
done
# The last extent of an answer may reach beyond what was asked for, and
# beyond the end of the disk.  Newer libnbd refuses that, once.
lie_start --lie beyond-request
"$VDISK" map --output=nbdinfo "$origin" > told.map ||
    "$VDISK" map --output=nbdinfo "$origin" > told.map
grep -q '"offset": 65536, "length": 983040, "type": 3' told.map ||
    cmp told.map truth.map
checked "beyond-request"
origin_stop

# The first connection and the others are told different things: then there
# is the first.
for lie in other-size no-context other-block-size; do
    lie_start --lie $lie --honest 1 --multi-conn
    "$VDISK" map --output=nbdinfo "$origin" > told.map
    cmp told.map truth.map || die "$lie"
    checked "$lie"
    origin_stop
done
