#!/bin/bash
# The unit starts, says when it is ready, and is confined as the manual says; it ends without a trace.
# shellcheck source=guest.bash
. /job/guest.bash
fresh

check 'the unit starts' systemctl start secregd.service
is 'it is ready when start returns' "$(systemctl is-active secregd.service)" active
is 'it told its state' "$(systemctl show -P StatusText secregd.service)" serving
is 'only the main process may tell' "$(systemctl show -P NotifyAccess secregd.service)" main
is 'the parent is the main process' "$(cat "/proc/$(main_pid)/comm")" secregd
is 'it is watched' "$(systemctl show -P WatchdogUSec secregd.service)" 30s
check 'it answers' sreg status
check 'what is wrong shows in sreg doctor: nothing' sreg doctor
check 'its log lines are in the journal' logged 'secregd: ready'

parent=$(main_pid) engine=$(role_pid engine) front=$(role_pid front) starter=$(role_pid starter)
is 'the unit is these processes' "$(sort -n "/sys/fs/cgroup$(systemctl show -P ControlGroup secregd.service)/cgroup.procs" | xargs)" \
    "$(printf '%s\n' "$parent" "$engine" "$front" "$starter" | sort -n | xargs)"
roles="parent:$parent:root engine:$engine:secreg front:$front:secreg-net"
for role in $roles; do
    IFS=: read -r name pid user <<<"$role"
    uid=$(id -u "$user") gid=$(id -g "$user")
    is "$name: user" "$(status_of "$pid" Uid | xargs)" "$uid $uid $uid $uid"
    is "$name: group" "$(status_of "$pid" Gid | xargs)" "$gid $gid $gid $gid"
    is "$name: no other groups" "$(status_of "$pid" Groups | xargs)" ''
    is "$name: no new privileges" "$(status_of "$pid" NoNewPrivs)" 1
    is "$name: system calls are filtered" "$(status_of "$pid" Seccomp)" 2
    kept=0000000000000000
    [ "$name" = parent ] && kept=0000000000000020 # kill, and nothing else
    is "$name: capabilities" "$(status_of "$pid" CapEff) $(status_of "$pid" CapPrm)" "$kept $kept"
    [ "$name" = parent ] || is "$name: bounding set" "$(status_of "$pid" CapBnd)" 0000000000000000
    check "$name: Landlock is entered" grep -q "{\"role\":\"$name\"[^}]*\"landlock_abi\":[1-9]" <(sreg status --json)
    check "$name: the file system is read-only to it" fails any nsenter -t "$pid" -m touch /etc/probe /usr/probe
done
is 'the state folder is the engine'\''s alone' "$(stat -c '%U:%G %a' /var/lib/secreg)" 'secreg:secreg 700'
is 'the key file is root'\''s alone' "$(stat -c '%U %a' /etc/secreg/master.key)" 'root 400'
is 'everybody may connect' "$(stat -c '%U %a' /run/secreg/socket)" 'root 666'
check 'systemd-analyze: 2.0 or better' systemd-analyze security --no-pager --threshold=20 secregd.service
systemd-analyze security --no-pager secregd.service | tail -n 1 | sed 's/^/# /'

check 'stop' systemctl stop secregd.service
is 'it ended well' "$(systemctl show -P Result -P ExecMainStatus secregd.service | xargs)" 'success 0'
check 'nothing of it runs' fails 1 pgrep secregd
is 'nothing was restarted' "$(systemctl show -P NRestarts secregd.service)" 0
check 'start again' systemctl start secregd.service
check 'the trail is whole' sreg audit verify

check 'restart' systemctl restart secregd.service
check 'it answers after the restart' sreg status
systemctl stop "${units[@]}"
check 'no socket is left' test ! -e /run/secreg/socket
rm -rf /var/lib/secreg/* /etc/secreg/master.key
check 'without a registry the start is skipped' systemctl start secregd.service
is 'and says why' "$(systemctl show -P ActiveState -P ConditionResult secregd.service | xargs)" 'inactive no'
