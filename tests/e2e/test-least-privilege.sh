#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Serving with no more rights than it takes: as another user, after opening
# the images as root, without any capability, and as the example of a
# systemd unit has it.

. "$(dirname "$0")/functions.sh"

requires systemd-analyze --version
requires setpriv --version

unit=$top/plugin/nbdkit-vdisk@.service
# The unit is one that systemd takes, and thinks well of.
cp "$unit" .
systemd-analyze verify --man=no ./nbdkit-vdisk@.service 2>&1 | tee said
! grep -q 'nbdkit-vdisk@' said || die "systemd-analyze verify: $(cat said)"
checked "systemd-analyze verify"
systemd-analyze security --offline=true --threshold=10 --no-pager \
    ./nbdkit-vdisk@.service > said 2>&1 || die "$(cat said)"
checked "systemd-analyze security: $(grep -o 'exposure level.*' said)"

if [ "$(id -u)" -ne 0 ]; then
    echo "only root can become somebody else"
    exit 0
fi

qemu-img create -q -f qcow2 base.qcow2 4M
qemu-io -c 'write -P 7 64k 64k' base.qcow2 > /dev/null
qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 guest.qcow2
expected='0 65536 3,65536 65536 0,131072 4063232 3'
serves ()
{
    local got

    got=$(nbd_map "$1" | paste -sd,)
    [ "$got" = "$expected" ] || die "map: $got"
    checked "$2"
}

# Opened as root, who alone may; then root no more.
# nbdkit writes its process id when it is somebody else already.
chmod 777 .
mkdir run
chmod 777 run
chmod 600 guest.qcow2 base.qcow2
user_of () { stat -c %U "/proc/$1"; }
vdisk_start guest.qcow2 --user=nobody --group=nogroup
[ "$(user_of "$server")" = nobody ] || die "runs as $(user_of "$server")"
serves "$uri" "opened as root, served as nobody"
vdisk_stop

# Without the right to read them there is nothing to serve.
as_nobody ()
{
    setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs \
        --bounding-set=-all --inh-caps=-all "$@"
}
cp "$PLUGIN" plugin.so
nbdkit_as_nobody ()
{
    local preload=${NBDKIT_PRELOAD:-}

    as_nobody env LD_PRELOAD="$preload" "$NBDKIT" "$@"
}
fails_with 'guest\.qcow2: Permission denied' \
    nbdkit_as_nobody -U run/try ./plugin.so guest.qcow2 --run true
chmod 644 guest.qcow2
fails_with "guest\.qcow2: backing file 'base\.qcow2': Permission denied" \
    nbdkit_as_nobody -U run/try ./plugin.so guest.qcow2 --run true

# The line of the unit, by somebody who may do nothing but read.
chmod 644 base.qcow2
line=$(sed -n 's/^ExecStart=//p' "$unit")
line=${line//%i/guest.qcow2}
line=${line//\$\{RUNTIME_DIRECTORY\}/$tmp/run}
line=${line//\/srv\/images/$tmp}
line=${line/ vdisk / $tmp/plugin.so }
line=${line/nbdkit /}
read -r -a arguments <<< "$line"
nbdkit_as_nobody --exit-with-parent -P "$tmp/run/pid" "${arguments[@]}" \
    > unit.log 2>&1 &
# The file is there before the number is in it.
wait_until test -s run/pid
server=$(< run/pid)
server_pids+=("$server")
grep -Eq '^CapEff:\s0+$' "/proc/$server/status" || die "has capabilities"
serves "nbd+unix:///?socket=$tmp/run/socket" "the unit's command, as nobody"
kill "$server"
