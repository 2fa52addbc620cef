#!/bin/bash
# The OpenRC script, run by openrc-run beside systemd: start, status, reload, stop.
# shellcheck source=guest.bash
. /job/guest.bash
fresh
install -m 755 /usr/share/secreg/openrc/secregd /etc/init.d/secregd
mkdir -p /run/openrc/{starting,started,stopping,inactive,wasinactive,failed,exclusive,daemons,options,scheduled,hotplugged}
touch /run/openrc/softlevel # says that OpenRC booted this host
rc() { /etc/init.d/secregd --nodeps "$@"; }
check 'start' rc start
check 'it answers when start returns' sreg status
is 'the engine has its own user' "$(ps -o user= -p "$(role_pid engine)")" secreg
is 'the front has its own user' "$(ps -o user= -p "$(role_pid front)")" secreg-net
check 'it says it was ready' grep -q 'secregd: ready' /var/log/secregd.log
check 'status' rc status
printf 'history:\n  versions: 3\n' >/etc/secreg/secregd.yaml
check 'reload of a good configuration' rc reload
check 'it was taken' soon 10 grep -q 'history.versions: 10 -> 3' /var/log/secregd.log
printf 'history:\n  versions: many\n' >/etc/secreg/secregd.yaml
check 'reload of a bad one fails' fails any rc reload
check 'it answers still' sreg status
rm -f /etc/secreg/secregd.yaml
kill -9 "$(role_pid engine)"
check 'a daemon that died is started again' soon 15 sreg status
check 'stop' rc stop
check 'nothing of it runs' fails 1 pgrep secregd
rm -rf /var/lib/secreg
check 'without a registry it does not start' fails any rc start
rm -rf /run/openrc /var/log/secregd.log /etc/init.d/secregd
