#!/bin/bash
# secreg-follow under systemd: each under its own user and unit, to the real journal, to files, as a witness, and to the kernel.
# shellcheck source=guest.bash
. /job/guest.bash
fresh
systemctl start secregd.service
places="journal files witness kernel"
for place in $places; do
    systemctl start secreg-follow@"$place".service
done

says() { [[ "$(systemctl show -P StatusText secreg-follow@"$1".service)" == *"$2"* ]]; }
check 'without the right it waits, and says why' soon 20 says files 'not permitted'
for user in secreg-log secreg-witness; do
    check "the right for $user" sreg acl allow "uid:$(id -u $user)" audit /registry
done
for place in $places; do
    check "then $place goes on" soon 40 says "$place" follows
done
sreg -q set $A/followed 1
seen() { journalctl --sync; journalctl -q -t secreg -o cat --output-fields=SECREG_KIND "SECREG_PATH=$A/followed" | grep -qx set; }
check 'the journal has it, with its fields' soon 20 seen
written() { grep -q "\"kind\":\"set\".*\"path\":\"$A/followed\"" /var/log/secreg/audit.log; }
check 'the file has it' soon 20 written
check 'and is for one user and group' test_equal "$(stat -c '%U %a' /var/log/secreg/audit.log)" 'secreg-log 640'
systemctl stop secregd.service # its last record is a checkpoint
systemctl start secregd.service
check 'a checkpoint is witnessed' soon 40 test -s /var/lib/secreg-witness/checkpoint
check 'and holds' secreg-verify --key /etc/secreg/trail.vkey --checkpoint /var/lib/secreg-witness/checkpoint \
    --witness /var/lib/secreg-witness/witness.vkey /var/lib/secreg/trail-*
told() { ausearch -i -m TRUSTED_APP 2>/dev/null | grep -q "op=secreg-checkpoint .*size=[1-9]"; }
check 'the kernel has been told' soon 40 told
is 'the key of the witness is its own' "$(stat -c '%U %a' /var/lib/secreg-witness/witness.key)" 'secreg-witness 600'
check 'the user of the others cannot read it' fails any as secreg-log cat /var/lib/secreg-witness/witness.key
for place in $places; do
    pid=$(systemctl show -P MainPID secreg-follow@"$place".service)
    [ "$place" = witness ] && user=secreg-witness || user=secreg-log
    is "$place runs as $user" "$(ps -o user= -p "$pid")" "$user"
    is "$place is held by a filter" "$(status_of "$pid" Seccomp)" 2
    capabilities=0000000000000000
    [ "$place" = kernel ] && capabilities=0000000020000000 # CAP_AUDIT_WRITE
    is "$place has no other capability" "$(status_of "$pid" CapEff)" "$capabilities"
done
check 'the status names all' test "$(secreg-follow status | wc -l)" = 4
check 'nothing was denied' fails any journalctl -q --no-pager -g 'secreg-follow.*(SIGSYS|killed)'
for place in $places; do
    systemctl stop secreg-follow@"$place".service
    is "$place ends in order" "$(systemctl show -P Result secreg-follow@"$place".service)" success
done
systemctl stop "${units[@]}"
