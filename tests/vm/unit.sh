#!/bin/bash
# Rules for units. The kernel can prove which process connected since Linux 6.5 (SO_PEERPIDFD); before that no unit is named, and a
# rule for a unit matches nobody: refused, never guessed.
# shellcheck source=guest.bash
. /job/guest.bash
fresh
systemctl start secregd.service
sreg -q set $A/web/port 8080
check 'a rule for a unit' sreg acl allow unit:reader.service read $A/web
in_unit() { # NAME COMMAND...
    systemd-run --quiet --pipe --wait --collect --uid=bob --unit="$1" "${@:2}"
}
if kernel_has 6.5; then
    is 'the unit is named' "$(in_unit reader sreg whoami --json | grep -o '"unit":"[^"]*"')" '"unit":"reader.service"'
    is 'the unit gets the value' "$(in_unit reader sreg get $A/web/port)" 8080
    check 'the trail names it' grep -q '"unit":"reader.service"' <(sreg audit query --json)
else
    check 'this kernel names no unit' fails 1 grep -q 'reader.service' <(in_unit reader sreg whoami --json)
    check 'the rule matches nobody' fails any in_unit reader sreg get $A/web/port
fi
check 'another unit is refused' fails any in_unit other sreg get $A/web/port
check 'and so is the same user outside' fails any as bob sreg get $A/web/port
# What a unit makes below its own place in the tree of units is still that unit.
cat >/tmp/below <<'B'
place=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/reader.service
mkdir "$place" && echo $$ >"$place/cgroup.procs" && grep -q other.service/reader.service /proc/self/cgroup && echo moved
exec sreg get "$1"
B
is 'a name that a unit gives itself is nobody' "$(in_unit other -p Delegate=yes bash /tmp/below $A/web/port 2>/dev/null)" moved
systemctl stop "${units[@]}"
