# shellcheck shell=bash
# guest.bash - what the tests in the guest share. Each test sources it and prints lines of TAP.
# shellcheck disable=SC2034 # used by the tests
A=/registry/applications units=(secregd.service secregd.socket)

# check WHAT COMMAND...: ok if the command succeeds; what it printed is shown if it does not
check() {
    local what=$1 log status=0
    shift
    log=$("$@" 2>&1) || status=$?
    if [ "$status" = 0 ]; then
        echo "ok - $what"
    else
        echo "not ok - $what"
        echo "exit status $status: $*"$'\n'"$log" | sed 's/^/# /'
        journalctl -q --no-pager -n 8 -o short-monotonic | sed 's/^/#   /'
    fi
}

# fails STATUS COMMAND...: succeeds if the command ends with that exit status; 'any' is any but 0
fails() {
    local wanted=$1 status=0
    shift
    "$@" || status=$?
    [ "$status" = "$wanted" ] || { [ "$wanted" = any ] && [ "$status" != 0 ]; }
}

# is WHAT GOT WANTED
is() { check "$1" test_equal "$2" "$3"; }
test_equal() { [ "$1" = "$2" ] || { printf 'got    %s\nwanted %s\n' "$1" "$2"; return 1; }; }

# soon SECONDS COMMAND...: succeeds as soon as the command does
soon() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || { echo "in vain: $*"; return 1; }
        sleep 0.2
    done
}

as() { # USER COMMAND...
    setpriv --reuid "$1" --regid "$1" --init-groups "${@:2}"
}

# The kernel of the guest is at least this version
kernel_has() { [ "$(printf '%s\n' "$1" "$(uname -r)" | sort -V | head -n 1)" = "$1" ]; }

main_pid() { systemctl show -P MainPID secregd.service; }
role_pid() { pgrep -x "secregd-$1"; }
status_of() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
logged() { # TEXT [OPTION...]: the journal of the unit has it
    journalctl --sync
    journalctl -q --no-pager -u secregd.service "${@:2}" | grep -F -- "$1"
}

install_secreg() {
    cp -a /job/install/. /
    ldconfig
    systemd-sysusers secreg.conf 2>/dev/null
    systemd-tmpfiles --create secreg.conf
    systemctl daemon-reload
}

# fresh: the configuration as installed, a new registry that root administers, and nothing of SecReg running
fresh() {
    systemctl stop "${units[@]}"
    systemctl reset-failed "${units[@]}" 2>/dev/null
    rm -rf /var/lib/secreg /etc/secreg
    cp -a /job/install/etc/secreg /etc/
    systemd-tmpfiles --create secreg.conf
    sreg --quiet init --slot key-file
}
