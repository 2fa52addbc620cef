#!/bin/bash
# The clock of the host is put a day forward and two days back, under load: nothing that was recorded is doubted for it, what waits
# for a time is done by the clock as it is, and checkpoints go on.
# shellcheck source=guest.bash
. /job/guest.bash
fresh
printf 'audit:\n  checkpoint_records: 50\n  checkpoint_interval: 1s\n' >/etc/secreg/secregd.yaml
check 'start' systemctl start secregd.service
key=/etc/secreg/trail.vkey

# A load that never stops; it counts what was not answered.
(
    failed=0 n=0
    trap 'echo "$n $failed" >/tmp/load; exit' TERM
    while :; do
        n=$((n + 1))
        sreg -q set "$A/load" "$n" || failed=$((failed + 1))
        sreg get "$A/load" >/dev/null || failed=$((failed + 1))
    done
) &
load=$!
sleep 1
sreg audit checkpoint >/tmp/before
pid=$(main_pid)
sreg -q set "$A/short" 1 --expires "$(date -u -d '+12 hours' +%Y-%m-%dT%H:%M:%SZ)"
sreg -q set "$A/long" 1 --expires "$(date -u -d '+40 days' +%Y-%m-%dT%H:%M:%SZ)"
for step in '+1 day' '-2 days' '+1 day'; do
    sleep 1
    check "the clock: $step" date -s "$(date -d "$step" '+%F %T')"
    check "$step: a change" sreg -q set "$A/after" "$step"
    sleep 2
    sreg audit checkpoint >/tmp/now
    check "$step: the trail is whole and signed" sreg audit verify --key $key --checkpoint /tmp/before
    check "$step: with its files alone" secreg-verify --key $key --checkpoint /tmp/now /var/lib/secreg/trail-*
    records=$(sed -n 2p /tmp/now)
    newest=$(sreg --json audit query --kind checkpoint --limit 1 | sed 's/.*"seq":\([0-9]*\).*/\1/')
    check "$step: checkpoints go on" [ "$((records - newest))" -lt 200 ]
    check "$step: it grew since" sreg audit prove --from "$(sed -n 2p /tmp/before)"
done
kill $load
wait $load
is 'everything was answered' "$(cut -d' ' -f2 /tmp/load)" 0
check 'what had ended by the clock a day ahead is gone' fails 3 sreg get "$A/short"
is 'what had not is there' "$(sreg get "$A/long")" 1
is 'it is the same process' "$(main_pid)" "$pid"
sleep 2
steps=$(sreg --json audit query --limit 100000 | grep -o '"time":"[^T]*T' | uniq | wc -l)
check 'the records have the times of the clock as it was' [ "$steps" -ge 4 ]
check 'a restart' systemctl restart secregd.service
check 'and the trail is whole' secreg-verify --key $key --checkpoint /tmp/before /var/lib/secreg/trail-*
systemctl stop "${units[@]}"
