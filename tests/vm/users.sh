#!/bin/bash
# Ordinary users: what no rule allows is refused, what a rule allows is not, and both are in the trail.
# shellcheck source=guest.bash
. /job/guest.bash
fresh
check 'a second init is refused' fails 6 sreg init --slot key-file
check 'init is not for ordinary users' fails any as alice sreg init --slot key-file
systemctl start secregd.service
check 'root sets a value' sreg set $A/web/port 8080 --type integer
printf 'hunter2' | sreg -q set $A/web/token - --seal
is 'root gets it' "$(sreg get $A/web/port)" 8080
is 'and the sealed one' "$(sreg get $A/web/token)" hunter2
check 'alice may not get it' fails any as alice sreg get $A/web/port
check 'nor set it' fails any as alice sreg set $A/web/port 1
check 'a rule for alice' sreg acl allow uid:alice list,read $A/web
check 'no token for alice' sreg acl deny uid:alice read $A/web/token
is 'alice gets it' "$(as alice sreg get $A/web/port)" 8080
check 'alice may still not set it' fails 4 as alice sreg set $A/web/port 1
check 'deny wins' fails any as alice sreg get $A/web/token
check 'bob is as far as before' fails any as bob sreg get $A/web/port
is 'the value is what root set' "$(sreg get $A/web/port)" 8080
check 'alice owns her folder, by her name' as alice sreg set /registry/user/alice/note hello
check 'which bob may not read' fails any as bob sreg get /registry/user/alice/note
check 'a rule for a group' sreg acl allow "gid:$(id -g bob)" read $A/web/port
is 'bob gets it' "$(as bob sreg get $A/web/port)" 8080
check 'the refusals are in the trail' grep -q "\"uid\":$(id -u alice)" <(sreg audit query --refused --uid alice --json)
check 'the store holds no sealed value in the clear' fails 1 grep -rq hunter2 /var/lib/secreg
check 'alice may not control the daemon' fails any as alice sreg lock
check 'alice may not read the state folder' fails any as alice ls /var/lib/secreg
systemctl stop "${units[@]}"
