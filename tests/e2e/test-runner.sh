#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The test runner itself: what it counts, what it calls a failure, that it
# ends what tests leave behind.

. "$(dirname "$0")/functions.sh"

runner=$top/tests/run

program ()
{
    { echo '#!/bin/sh'; cat; } > "$1"
    chmod +x "$1"
}
program good.sh <<< 'echo checks: 12'
program bad.sh <<< 'echo this is why; exit 3'
program skipped.sh <<< 'echo no such thing here; exit 77'
program slow.sh <<< 'sleep 1000'
program unit-good <<< 'echo "100%: Checks: 7, Failures: 0, Errors: 0"'
program unit-bad <<< 'echo "60%: Checks: 5, Failures: 1, Errors: 1"; exit 1'
program unit-dies <<< 'echo "100%: Checks: 4, Failures: 0, Errors: 0"; exit 9'
program silent <<< 'exit 0'
for number in 1 2 3 4 5 6 7 8 9; do
    program "aborts$number.sh" <<< 'kill -ABRT $$'
done
program litters.sh <<< 'touch "${TMPDIR:?}/litter"'
# Not even the shell of a test may have any of this.
program bare.sh <<'END'
env | grep -E '^(HOME|TERM|LANG|LC_.*)=' && exit 1
tty <&1 && exit 2
( : < /dev/tty ) && exit 3
[ -z "$(ls -A "$TMPDIR")" ] || exit 4
[ -n "$VDISK_BARE" ] || exit 0
touch /var/outside && exit 5
getent hosts localhost && exit 6
grep -v 'lo:' /proc/net/dev | grep : && exit 7
echo 'checks: 7'
END
program leaves.sh <<END
sleep 1001 & echo \$! > logs/left1
setsid sleep 1002 & echo \$! > logs/left2
exit 0
END

# ran STATUS LAST-LINE PROGRAM...
ran ()
{
    local wanted=$1 last=$2 status=0

    shift 2
    env -u CI -u VDISK_NO_SKIP ${no_skip:+VDISK_NO_SKIP=1} \
        "$runner" -j 3 --log-dir logs "$@" > out 2>&1 || status=$?
    [ "$status" -eq "$wanted" ] || die "status $status: $* $(cat out)"
    [ "$(tail -n 1 out)" = "$last" ] || die "$*: $(cat out)"
    checked "$*: $last"
}

no_skip=
HOME=$tmp TERM=dumb LANG=en_US.UTF-8 LC_TIME=C \
    ran 0 '1 passed, 0 failed, 0 skipped' ./bare.sh
ran 1 '0 passed, 1 failed, 0 skipped' ./litters.sh
grep -q 'left in TMPDIR: litter' out
ran 0 '1 passed, 0 failed, 0 skipped' ./good.sh
ran 1 '1 passed, 9 failed, 0 skipped' ./aborts?.sh ./good.sh
grep -Eq '^PASS good\.sh \([0-9.]+ s, 12 checks\)$' out
ran 1 '1 passed, 1 failed, 0 skipped' ./good.sh ./bad.sh
grep -q '^FAIL bad\.sh' out
grep -q 'this is why' out
ran 0 '1 passed, 0 failed, 1 skipped' good.sh skipped.sh
grep -q '^SKIP skipped\.sh' out
ran 0 '7 passed, 0 failed, 0 skipped' ./unit-good
ran 1 '10 passed, 2 failed, 0 skipped' ./unit-good ./unit-bad
ran 1 '4 passed, 1 failed, 0 skipped' ./unit-dies
ran 0 '1 passed, 0 failed, 0 skipped' ./silent
ran 1 '0 passed, 0 failed, 0 skipped'
ran 1 '0 passed, 1 failed, 0 skipped' ./missing.sh
ran 1 '11 passed, 4 failed, 1 skipped' ./good.sh ./bad.sh ./skipped.sh \
    ./unit-good ./unit-bad ./missing.sh
no_skip=1
ran 1 '1 passed, 1 failed, 0 skipped' ./good.sh ./skipped.sh
no_skip=

# Servers have their sockets in /tmp, also where all of this is below it.
if [ "$(id -u)" -eq 0 ]; then
    below=$(mktemp -d /tmp/vdisk-XXXXXX)
    ( cd "$below" && "$top/tests/bare" "$below" -- touch "$below.socket" )
    rm -r "$below" "$below.socket"
    checked "bare below /tmp"
fi

# A limit, and no process outlives its test.
VDISK_TEST_TIMEOUT=1 ran 1 '0 passed, 1 failed, 0 skipped' ./slow.sh
grep -q 'limit of 1 s' out
ran 0 '1 passed, 0 failed, 0 skipped' ./leaves.sh
for pid in "$(cat logs/left1)" "$(cat logs/left2)"; do
    wait_until has_ended "$pid"
done
checked "nothing is left running"
