#!/bin/bash
# Socket activation: systemd holds the socket, and whoever connects starts the daemon.
# shellcheck source=guest.bash
. /job/guest.bash
fresh
ask() { curl -sS --max-time 20 --unix-socket /run/secreg/socket "http://x$1"; }

check 'the socket starts alone' systemctl start secregd.socket
is 'and the daemon not yet' "$(systemctl is-active secregd.service)" inactive
inode=$(stat -c %i /run/secreg/socket)
check 'the first request is answered' grep -q '"state":"unlocked"' <(ask /v1/status)
is 'the daemon runs now' "$(systemctl is-active secregd.service)" active
is 'on the socket of systemd' "$(stat -c %i /run/secreg/socket)" "$inode"
check 'a value is kept' sreg set $A/x 1
check 'stop the daemon alone' systemctl stop secregd.service
is 'the socket stays' "$(stat -c %i /run/secreg/socket)" "$inode"
check 'a client starts it again' sreg get $A/x
check 'the caller is named through the socket of systemd' grep -q '"uid":0' <(sreg whoami --json)
check 'stop it once more' systemctl stop secregd.service
for _ in $(seq 20); do ask /v1/status >>/tmp/many & done
wait
is 'twenty clients at once: all are answered' "$(grep -o '"state":"unlocked"' /tmp/many | wc -l)" 20
systemctl stop "${units[@]}"
check 'with the socket stopped nobody is served' fails any ask /v1/status
