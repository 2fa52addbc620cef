#!/bin/bash
# Rules for AppArmor labels: a program under a profile is matched by it, the same program without is not. AppArmor names the peer of
# a UNIX socket since Linux 6.17; before that no label is known, and a rule for a label matches nobody: refused, never guessed.
# shellcheck source=guest.bash
. /job/guest.bash
fresh
systemctl start secregd.service
sreg -q set $A/web/port 8080
cp /usr/bin/sreg /usr/local/bin/sreg-labelled
cp /usr/bin/cat /usr/local/bin/cat-labelled
cat >/etc/apparmor.d/secreg-reader <<'P'
abi <abi/3.0>,
profile secreg-reader /usr/local/bin/{sreg,cat}-labelled {
  file,
  unix,
  capability,
  network,
}
P
check 'the profile loads' apparmor_parser -r /etc/apparmor.d/secreg-reader
check 'a rule for the label' sreg acl allow label:secreg-reader read $A/web
labelled() { as bob /usr/local/bin/sreg-labelled "$@"; }
is 'the program is under the profile' "$(as bob /usr/local/bin/cat-labelled /proc/self/attr/current)" 'secreg-reader (enforce)'
if kernel_has 6.17; then
    is 'the label is named' "$(labelled whoami --json | grep -o '"label":"[^"]*"')" '"label":"secreg-reader"'
    is 'the labelled program gets the value' "$(labelled get $A/web/port)" 8080
    check 'the trail names it' grep -q '"label":"secreg-reader"' <(sreg audit query --json)
else
    is 'this kernel names no label' "$(labelled whoami --json | grep -o '"label":"[^"]*"')" '"label":""'
    check 'the rule matches nobody' fails any labelled get $A/web/port
fi
check 'the same user without it is refused' fails any as bob sreg get $A/web/port
apparmor_parser -R /etc/apparmor.d/secreg-reader
rm -f /etc/apparmor.d/secreg-reader /usr/local/bin/*-labelled
systemctl stop "${units[@]}"
