#!/bin/bash
# A role or the parent that hangs, or dies, is replaced by a new daemon; nothing that was answered is lost.
# shellcheck source=guest.bash
. /job/guest.bash
fresh
mkdir -p /run/systemd/system/secregd.service.d
printf '[Service]\nWatchdogSec=2s\nTimeoutAbortSec=2s\n' >/run/systemd/system/secregd.service.d/fast.conf
systemctl daemon-reload
check 'start' systemctl start secregd.service
sleep 5
is 'a healthy daemon is left alone' "$(systemctl show -P NRestarts secregd.service)" 0

is_another() { [ "$(main_pid)" != "$1" ] && [ "$(systemctl is-active secregd.service)" = active ]; }
n=0
for trouble in STOP:engine STOP:front STOP:parent KILL:engine KILL:parent; do
    IFS=: read -r signal role <<<"$trouble"
    n=$((n + 1)) before=$(main_pid)
    sreg -q set "$A/before" "$n"
    if [ "$role" = parent ]; then kill "-$signal" "$before"; else kill "-$signal" "$(role_pid "$role")"; fi
    check "$trouble: systemd restarts it" soon 25 is_another "$before"
    is "$trouble: the value is there" "$(sreg get "$A/before")" "$n"
    check "$trouble: the trail is whole" sreg audit verify
    is "$trouble: no process of before is left" "$(pgrep -c secregd)" 4
done
is 'it would be restarted ever again' "$(systemctl show -P StartLimitIntervalUSec secregd.service)" 0
check 'the journal names the watchdog' logged 'Watchdog timeout'
check 'and, as an error, the role that was killed' logged 'role engine killed by SIGKILL' -p err
rm -r /run/systemd/system/secregd.service.d
systemctl daemon-reload
systemctl stop "${units[@]}"
