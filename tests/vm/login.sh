#!/bin/bash
# Logging in as a real local account, through the PAM stack as installed: the right password opens a session; a wrong one, an
# expired and a locked account do not; and the processes of logins are gone again.
# shellcheck source=guest.bash
. /job/guest.bash
fresh
systemctl start secregd.service
sreg -q set $A/web/port 8080
sreg -q acl allow any list,read $A
check 'the PAM file is installed' test -s /etc/pam.d/secreg
runtime=$(mktemp -d)
chmod 0711 "$runtime"
install -d -o alice -g alice -m 0700 "$runtime/alice"
login() { # USER PASSWORD
    printf '%s\n' "$2" | as "$1" env XDG_RUNTIME_DIR="$runtime/$1" sreg login --answers-stdin
}
auth_of() { as "$1" env XDG_RUNTIME_DIR="$runtime/$1" sreg whoami --json | grep -o '"auth":"[a-z]*"'; }
password=$(head -c 12 /dev/urandom | base64)
echo "alice:$password" | chpasswd

is 'without a login the kernel says who it is' "$(auth_of alice)" '"auth":"peer"'
check 'a wrong password is refused' fails 5 login alice wrong
is 'and opens no session' "$(auth_of alice)" '"auth":"peer"'
check 'the right one opens a session' login alice "$password"
is 'the session is known' "$(auth_of alice)" '"auth":"pam"'
check 'it is listed' as alice env XDG_RUNTIME_DIR="$runtime/alice" sreg session
install -o bob -g bob -m 0600 "$runtime/alice/secreg/session" "$runtime/stolen"
check 'the token is of no use to another user' fails 5 as bob env SECREG_SESSION="$runtime/stolen" sreg whoami
check 'root may not log in as alice' fails 4 env XDG_RUNTIME_DIR="$runtime" sreg login --user alice --answers-stdin <<<"$password"
check 'logging out ends it' as alice env XDG_RUNTIME_DIR="$runtime/alice" sreg logout
is 'and it is over' "$(auth_of alice)" '"auth":"peer"'

chage -E 1 alice
check 'an expired account is refused' fails 4 login alice "$password"
chage -E -1 alice
chage -d 0 alice
check 'an expired password is refused' fails 5 login alice "$password"
chage -d "$(date +%F)" alice
usermod -L alice
check 'a locked account is refused' fails 5 login alice "$password"
usermod -U alice
systemctl restart secregd.service # five failures lock out for a while; the count is the daemon's
check 'and unlocked it is let in again' login alice "$password"

check 'the trail has the logins' test "$(sreg audit query --kind login --json | grep -o '"outcome":"[a-z-]*"' | sort -u | tr '\n' ' ')" = \
    '"outcome":"done" "outcome":"login-expired" "outcome":"login-failed" "outcome":"refused" '
check 'no password is in it' fails 1 grep -F -- "$password" <(sreg audit query --json; journalctl -q -u secregd.service)
check 'no process of a login is left' soon 5 fails 1 pgrep -x secregd-auth
check 'the trail is whole' sreg audit verify
rm -rf "$runtime"
systemctl stop "${units[@]}"
