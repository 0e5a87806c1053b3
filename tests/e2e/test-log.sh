#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The plugin's warnings go where nbdkit's errors go.

. "$(dirname "$0")/functions.sh"
requires cc --version

python3 "$e2e/lib/vhd_samples.py" damaged odd.vhd

warning='error: warning: .*/odd.vhd: footer: no cookie'
cc -shared -fPIC -o syslog.so "$e2e/syslog.c"
LOG_DAEMON=$((3 << 3)) LOG_ERR=3
export SYSLOG_FILE=$tmp/syslog

# log OPTION...: serve the odd image for a moment.
log ()
{
    : > syslog
    NBDKIT_PRELOAD="${NBDKIT_PRELOAD:-} $tmp/syslog.so" run_nbdkit \
        -U - "$@" "$PLUGIN" odd.vhd --run true 2> stderr
}

for options in '' --log=stderr; do
    # shellcheck disable=SC2086 # several words, or none
    log $options
    grep -q "$warning" stderr || die "${options:-no option}: $(cat stderr)"
    [ ! -s syslog ] || die "syslog: $(cat syslog)"
    checked "a warning on standard error (${options:-no option})"
done

log --log=syslog
grep -q "^$((LOG_DAEMON | LOG_ERR)) ${warning#error: }" syslog || die "syslog: $(cat syslog)"
[ ! -s stderr ] || die "standard error: $(cat stderr)"
checked 'a warning in the system log'

log --log=null
said=$(cat stderr syslog)
[ -z "$said" ] || die "$said"
checked 'no warning'
