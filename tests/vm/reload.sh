#!/bin/bash
# systemctl reload: a good configuration is taken, a bad one is refused with its reason and changes nothing.
# shellcheck source=guest.bash
. /job/guest.bash
fresh
conf=/etc/secreg/secregd.yaml
systemctl start secregd.service
pid=$(main_pid)
told() { systemctl show -P StatusText secregd.service; }
has_told() { [[ "$(told)" == *"$1"* ]]; }

check 'the installed configuration is good' secregd --check-config
printf 'history:\n  versions: 3\n' >$conf
check 'reload of a good file' systemctl reload secregd.service
check 'the result is told' soon 10 has_told 'reload done'
check 'the change is in the journal' logged 'history.versions: 10 -> 3'
is 'it is active after the reload' "$(systemctl is-active secregd.service)" active

printf 'history:\n  versions: many\n' >$conf
check 'reload of a bad file fails' fails any systemctl reload secregd.service
check 'with its reason and line in the journal' logged 'line 2'
is 'the daemon goes on' "$(systemctl is-active secregd.service)" active
for i in 1 2 3 4 5; do sreg -q set $A/x $i; done
is 'under the old configuration' "$(sreg history $A/x | grep -c '^ *[0-9]')" 3
check 'a signal alone' kill -HUP "$pid"
check 'is refused as well, and told' soon 10 has_told 'reload refused'
check 'sreg reload says so too' fails any sreg reload
printf 'front:\n  count: 2\n' >$conf
check 'a good file after bad ones' systemctl reload secregd.service
check 'what waits for a restart is told' soon 10 has_told '1 options wait for a restart'
is 'it is the same process' "$(main_pid)" "$pid"
systemctl restart secregd.service
is 'the restart took it' "$(pgrep -cx secregd-front)" 2
systemctl stop "${units[@]}"
