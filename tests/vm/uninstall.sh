#!/bin/bash
# Uninstalling: disabled, stopped, files removed. Nothing runs, nothing is started any more; the data stays.
# shellcheck source=guest.bash
. /job/guest.bash
fresh
check 'enable and start' systemctl enable --now secregd.service
is 'the socket is enabled with it' "$(systemctl is-enabled secregd.socket)" enabled
sreg -q set $A/x 1
check 'disable and stop' systemctl disable --now secregd.service secregd.socket
(cd /job/install && find . -type f -o -type l) | while read -r file; do rm -f "/$file"; done
systemctl daemon-reload
check 'nothing runs' fails 1 pgrep secregd
is 'systemd knows no such unit' "$(systemctl show -P LoadState secregd.service)" not-found
is 'nor the socket' "$(systemctl show -P LoadState secregd.socket)" not-found
check 'no link to it is left' test -z "$(find /etc/systemd /run/systemd/system -name 'secregd*')"
check 'nobody is served' fails any curl -sS --max-time 5 --unix-socket /run/secreg/socket http://x/v1/status
check 'the data stays' test -s /var/lib/secreg/registry.db
check 'and the key' test -s /etc/secreg/master.key
install_secreg
check 'installed again, it serves' systemctl start secregd.service
is 'what it had' "$(sreg get $A/x)" 1
systemctl stop "${units[@]}"
