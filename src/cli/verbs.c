/* verbs - the table, and the help made from it; see verbs.h. */
#include "cli/verbs.h"

#include <string.h>

#include "cli/cli.h"
#include "cli/policy.h"

enum { HELP_COLUMN = 36 };

// clang-format off
static const struct args_option init_options[] = {
    {"slot", 0, "SLOT", "what unlocks the registry: passphrase (the default) or key-file"},
    {"rounds", 0, "N", "PBKDF2 rounds for a passphrase (default 600000)"},
    {"passphrase-stdin", 0, NULL, "read the passphrase from standard input"},
    {0},
};
static const struct args_option unlock_options[] = {
    {"passphrase-stdin", 0, NULL, "read the passphrase from standard input"},
    {"key-file", 0, NULL, "use the key file of the daemon"},
    {0},
};
static const struct args_option get_options[] = {
    {"version", 0, "N", "a kept version instead of the current one"},
    {"entry", 'e', NULL, "also show type, version, who and when"},
    {"proof", 0, "FILE", "also write a proof that the trail says how this version came to be"},
    {0},
};
static const struct args_option set_options[] = {
    {"type", 't', "TYPE", "string, integer, boolean, float, json, binary or list"},
    {"seal", 's', NULL, "store it sealed"},
    {"no-seal", 0, NULL, "store it in the clear"},
    {"if-version", 0, "N", "only if the entry is at version N"},
    {"if-absent", 0, NULL, "only if there is no entry"},
    {"reason", 0, "TEXT", "why, for history and trail"},
    {"comment", 0, "TEXT", "replaces the comment of the entry"},
    {"tags", 0, "A,B", "replaces the tags of the entry; empty: none"},
    {"expires", 0, "TIME", "when it is deleted by itself: 2027-01-31T12:00:00Z, +30d, or never"},
    {"dry-run", 0, NULL, "say what would change and change nothing"},
    {0},
};
static const struct args_option del_options[] = {
    {"recursive", 'r', NULL, "everything below a folder"},
    {"if-version", 0, "N", "only if the entry is at version N"},
    {"reason", 0, "TEXT", "why, for history and trail"},
    {"dry-run", 0, NULL, "say what would change and change nothing"},
    {0},
};
static const struct args_option ls_options[] = {
    {"recursive", 'r', NULL, "all entries below, by whole path"},
    {"long", 'l', NULL, "with type, version, size, time of the last change, end and tags"},
    {0},
};
static const struct args_option query_options[] = {
    {"uid", 'u', "USER", "acts of this user, by name or number"},
    {"path", 'p', "PATH", "acts on this path and below"},
    {"kind", 'k', "KIND", "acts of this kind, such as get, set, delete, unlock"},
    {"since", 0, "TIME", "from this time on: 2026-01-31, 2026-01-31T12:00:00Z, or 90s, 15m, 6h, 7d ago"},
    {"until", 0, "TIME", "before this time"},
    {"refused", 0, NULL, "only what was refused or failed"},
    {"outcome", 0, "CODE", "only what ended so: done, refused, not-found, conflict ..."},
    {"rule", 0, "ID", "only what this rule decided"},
    {"session", 0, "HANDLE", "only what was asked with this session, and its login"},
    {"limit", 'n', "N", "at most N records (default 100)"},
    {0},
};
static const struct args_option tail_options[] = {
    {"lines", 'n', "N", "the newest N records (default 10)"},
    {"follow", 'f', NULL, "go on with new records as they come"},
    {0},
};
static const struct args_option verify_options[] = {
    {"checkpoint", 0, "FILE", "compare with this checkpoint, which was kept elsewhere (- for standard input)"},
    {"key", 0, "KEY", "what signatures are checked with: the key, or a file that holds it (/etc/secreg/trail.vkey)"},
    {0},
};
static const struct args_option checkpoint_options[] = {
    {"key", 0, NULL, "show the key that checkpoints are checked with"},
    {0},
};
static const struct args_option prove_options[] = {
    {"from", 0, "N", "that nothing but additions came since there were N records"},
    {0},
};
static const struct args_option prune_options[] = {
    {"dry-run", 0, NULL, "say what would be removed, and remove nothing"},
    {"yes", 'y', NULL, "do not ask"},
    {0},
};
static const struct args_option load_host_options[] = {
    {"from", 0, "DIR", "read the host whose files lie below DIR"},
    {"dry-run", 0, NULL, "show what would change and change nothing"},
    {"yes", 'y', NULL, "also remove entries that are no longer on the host"},
    {0},
};
static const struct args_option export_options[] = {
    {"format", 0, "FORMAT", "json (the default), yaml or env; or by the name of the file"},
    {"output", 'o', "FILE", "write a new file of mode 0600 instead of standard output"},
    {"force", 0, NULL, "replace the file"},
    {"with-secrets", 0, NULL, "also the values of sealed entries"},
    {0},
};
static const struct args_option import_options[] = {
    {"format", 0, "FORMAT", "json, yaml or env; or by the name of the file"},
    {"to", 0, "FOLDER", "below this folder instead of the one that was exported"},
    {"base", 0, "FILE", "three-way: the export that both the file and the tree come from"},
    {"ours", 0, NULL, "in a conflict the tree stays as it is"},
    {"theirs", 0, NULL, "in a conflict the file is taken"},
    {"abort", 0, NULL, "a conflict ends it and nothing changes (the default)"},
    {"delete-missing", 0, NULL, "delete what is in the folder and not in the file"},
    {"dry-run", 0, NULL, "show what would change, ask the daemon, and change nothing"},
    {"reason", 0, "TEXT", "why, for history and trail"},
    {0},
};
static const struct args_option diff_options[] = {
    {"format", 0, "FORMAT", "of files: json, yaml or env; or by their names"},
    {"exit-code", 0, NULL, "exit status 0 the same, 1 different, 2 or more failed, as diff(1)"},
    {0},
};

static const struct args_option run_options[] = {
    {"env", 0, "[NAME=]PATH", "an entry, or all below a folder, as variables; may be given again"},
    {"files", 0, "[NAME=]PATH", "the same as files in memory, named by variables NAME_FILE"},
    {"prefix", 0, "TEXT", "put before each name that is made from a path"},
    {0},
};
static const struct args_option render_options[] = {
    {"owner", 0, "USER", "owner of the output, by name or number"},
    {"group", 0, "GROUP", "group of the output, by name or number"},
    {"mode", 0, "MODE", "mode of the output in octal (0600 for a new file)"},
    {"reload", 0, "COMMAND", "run by /bin/sh after the output got other bytes"},
    {"check", 0, NULL, "only read the template and say what is wrong with it"},
    {"dry-run", 0, NULL, "show which lines would change, values hidden, and change nothing"},
    {0},
};
static const struct args_option login_options[] = {
    {"user", 'u', "NAME", "who you are; only your own name is taken"},
    {"answers-stdin", 0, NULL, "read the answers from standard input, one a line, for scripts"},
    {0},
};
static const struct args_option logout_options[] = {
    {"all", 'a', NULL, "end all your sessions, not only the one at hand"},
    {0},
};

static const struct args_option find_options[] = {
    {"name", 'n', "GLOB", "only entries whose name fits, such as '*.key'"},
    {"tag", 0, "TAG", "only entries with this tag"},
    {"type", 't', "TYPE", "only entries of this type"},
    {"long", 'l', NULL, "with type, version, size, time of the last change, end and tags"},
    {0},
};
static const struct args_option due_options[] = {
    {"within", 0, "SPAN", "up to then: 12h, 30d (the default), 8w, or a time"},
    {0},
};
static const struct args_option change_options[] = {
    {"reason", 0, "TEXT", "why, for history and trail"},
    {"dry-run", 0, NULL, "say what would change and change nothing"},
    {0},
};
static const struct args_option undo_options[] = {
    {"request", 0, "ID", "instead of a path: all changes of this request, found in the trail"},
    {"reason", 0, "TEXT", "why, for history and trail"},
    {"dry-run", 0, NULL, "say what would change and change nothing"},
    {0},
};
static const struct args_option revert_options[] = {
    {"version", 0, "N", "an entry as it was at this kept version"},
    {"revision", 0, "R", "an entry, or all below a folder, as it was at this revision of the tree"},
    {"time", 0, "TIME", "the same as it was just before a time: 2026-01-31T12:00:00Z, or an age such as 2h"},
    {"reason", 0, "TEXT", "why, for history and trail"},
    {"dry-run", 0, NULL, "say what would change and change nothing"},
    {0},
};
static const struct args_option destroy_options[] = {
    {"version", 0, "N", "the version, which is not the current one"},
    {"yes", 'y', NULL, "do not ask"},
    {"reason", 0, "TEXT", "why, for the trail"},
    {"dry-run", 0, NULL, "say what would change and change nothing"},
    {0},
};

static const struct args_option watch_options[] = {
    {"since", 0, "REVISION", "begin with what came after it; 0: with everything"},
    {"values", 0, NULL, "show the values too; each is recorded as a read"},
    {"exec", 0, "COMMAND", "run by /bin/sh for each revision, with the changed paths on standard input"},
    {0},
};

static const struct args_option slot_add_options[] = {
    {"label", 0, "TEXT", "what the slot is called"},
    {"rounds", 0, "N", "PBKDF2 rounds for a passphrase (default 600000)"},
    {"passphrase-stdin", 0, NULL, "read the passphrase from standard input"},
    {"new", 0, NULL, "make the key file, which must not exist"},
    {0},
};
static const struct args_option rekey_options[] = {
    {"dry-run", 0, NULL, "check what opens each slot, show what becomes of them, and change nothing"},
    {"yes", 'y', NULL, "drop the slots that are not named"},
    {"wait", 'w', NULL, "show progress until all is under the new key"},
    {0},
};
static const struct args_option rotate_options[] = {
    {"wait", 'w', NULL, "show progress until all is done"},
    {0},
};
static const struct args_option backup_options[] = {
    {"force", 'f', NULL, "replace the file if it is there"},
    {"verify", 0, NULL, "take none: check that the file is a whole backup; needs no daemon"},
    {"passphrase-stdin", 0, NULL, "for --verify: read the passphrase from standard input"},
    {"key-file", 0, "PATH", "for --verify: what opens the backup"},
    {0},
};
static const struct args_option restore_options[] = {
    {"force", 'f', NULL, "also in the place of another store"},
    {"passphrase-stdin", 0, NULL, "read the passphrase from standard input"},
    {"key-file", 0, "PATH", "what opens the backup"},
    {0},
};

static const struct args_option rule_options[] = {
    {"when", 0, "CONDITION", "only while this holds, as 'time=09:00-17:00 days=mon-fri zone=Europe/Berlin'"},
    POLICY_EDIT_OPTIONS,
    {0},
};
static const struct args_option edit_options[] = {
    POLICY_EDIT_OPTIONS,
    {0},
};
static const struct args_option approval_options[] = {
    {"by", 0, "PRINCIPAL", "only this one can approve, instead of everybody who may grant there"},
    POLICY_EDIT_OPTIONS,
    {0},
};
static const struct args_option glass_options[] = {
    {"reason", 0, "TEXT", "why, for rule and trail; it has to be given"},
    {"for", 0, "TIME", "how long, such as 90s, 15m or 1h, at most 4h (default 1h)"},
    {0},
};
static const struct args_option replay_options[] = {
    {"since", 0, "TIME", "decisions from this time on: 2026-01-31, 2026-01-31T12:00:00Z, or 90s, 15m, 6h, 7d ago"},
    {0},
};
static const struct args_option explain_options[] = {
    {"for", 0, "PRINCIPAL", "for somebody who is only that, and not for you"},
    {0},
};

static int run_load_host(struct cli *cli, const struct args *args)
{
    return cmd_load_host(cli, args->raw_argc, args->raw_argv);
}

const struct verb verbs[] = {
    {"init", "", 0, 0, ARGS_NOTHING, NULL, false, init_options, cmd_init, "make a new registry",
     "sreg --root /tmp/try init --slot key-file\nsreg init --passphrase-stdin < passphrase.txt"},
    {"unlock", "", 0, 0, ARGS_NOTHING, NULL, false, unlock_options, cmd_unlock, "unlock the registry",
     "sreg unlock\nsreg unlock --key-file"},
    {"lock", "", 0, 0, ARGS_NOTHING, NULL, false, NULL, cmd_lock, "wipe the keys from memory; values cannot be read then",
     "sreg lock"},
    {"status", "", 0, 0, ARGS_NOTHING, NULL, false, NULL, cmd_status, "show the state of the daemon",
     "sreg status\nsreg status --json"},
    {"whoami", "", 0, 0, ARGS_NOTHING, NULL, false, NULL, cmd_whoami, "show who the daemon takes you for, and your rights",
     "sreg whoami"},
    {"get", "PATH", 1, 1, ARGS_PATH, NULL, false, get_options, cmd_get, "print the value of an entry",
     "sreg get /registry/system/kernel/hostname\nsreg get --entry /registry/user/root/token\n"
     "sreg get /registry/applications/web/port --proof port.tlog-proof"},
    {"set", "PATH [VALUE | -]", 1, 2, ARGS_PATH, NULL, false, set_options, cmd_set, "create or change an entry",
     "sreg set /registry/applications/web/port 8080 --type integer\n"
     "sreg set /registry/applications/web/token --seal < token.txt\n"
     "sreg set /registry/applications/web/port 8081 --if-version 1 --reason 'behind a proxy now'"},
    {"del", "PATH", 1, 1, ARGS_PATH, NULL, false, del_options, cmd_del, "delete an entry, or all below a folder",
     "sreg del /registry/applications/web/port --reason 'not used any more'\n"
     "sreg del --recursive --dry-run /registry/applications/web"},
    {"ls", "PATH", 1, 1, ARGS_PATH, NULL, false, ls_options, cmd_ls, "list a folder",
     "sreg ls /registry/system\nsreg ls -l --recursive /registry/applications"},
    {"tree", "PATH", 1, 1, ARGS_PATH, NULL, false, NULL, cmd_tree, "show a folder as a tree", "sreg tree /registry"},
    {"history", "PATH", 1, 1, ARGS_PATH, NULL, false, NULL, cmd_history, "show the versions of an entry",
     "sreg history /registry/applications/web/port"},
    {"acl show", "[PATH]", 0, 1, ARGS_PATH, NULL, false, NULL, cmd_acl_show, "show the access rules that matter for a path",
     "sreg acl show /registry/applications"},
    {"acl allow", "PRINCIPAL ACTIONS PATH", 3, 3, ARGS_PATH, NULL, false, rule_options, cmd_acl_allow,
     "add a rule that allows",
     "sreg acl allow uid:alice list,read /registry/applications/web\n"
     "sreg acl allow role:web-admins operator /registry/applications/web --when 'days=mon-fri zone=Europe/Berlin'\n"
     "sreg acl allow unit:nginx.service read /registry/applications/web"},
    {"acl deny", "PRINCIPAL ACTIONS PATH", 3, 3, ARGS_PATH, NULL, false, rule_options, cmd_acl_deny,
     "add a rule that denies; it wins over all that allow",
     "sreg acl deny any read /registry/security\nsreg acl deny gid:interns write /registry/system --dry-run"},
    {"acl remove", "ID", 1, 1, ARGS_NOTHING, NULL, false, edit_options, cmd_acl_remove, "remove a rule",
     "sreg acl remove 7\nsreg acl remove 7 --dry-run"},
    {"acl test", "PRINCIPAL ACTION PATH", 3, 3, ARGS_PATH, NULL, false, NULL, cmd_acl_test,
     "ask what a principal may do: exit status 0 allowed, 4 refused", "sreg acl test uid:alice read /registry/system"},
    {"schema show", "[PATH]", 0, 1, ARGS_PATH, NULL, false, NULL, cmd_schema_show, "show the schemas that matter for a path",
     "sreg schema show /registry/applications/web"},
    {"schema set", "PATH [FILE | -]", 1, 2, ARGS_PATH, NULL, false, NULL, cmd_schema_set,
     "demand a type, range, pattern or sealing of the entries at or below a path",
     "sreg schema set /registry/applications/web/port port-schema.json\n"
     "sreg schema set /registry/applications/web/secrets - < schema.json"},
    {"schema remove", "PATH", 1, 1, ARGS_PATH, NULL, false, NULL, cmd_schema_remove, "remove the schema of a path",
     "sreg schema remove /registry/applications/web/port"},
    {"schema check", "[PATH]", 0, 1, ARGS_PATH, NULL, false, NULL, cmd_schema_check,
     "find what does not fit, is missing or is overdue: exit status 1 if anything",
     "sreg schema check /registry/applications"},
    {"lock-key", "PATH", 1, 1, ARGS_PATH, NULL, false, NULL, cmd_lock_key,
     "keep everybody from changing or deleting an entry, or anything below a folder", "sreg lock-key /registry/system/kernel"},
    {"unlock-key", "PATH", 1, 1, ARGS_PATH, NULL, false, NULL, cmd_unlock_key, "take that back",
     "sreg unlock-key /registry/system/kernel"},
    {"audit query", "", 0, 0, ARGS_NOTHING, NULL, false, query_options, cmd_audit_query, "search the trail, newest first",
     "sreg audit query --refused --since 1d\nsreg audit query --uid alice --path /registry/security"},
    {"audit tail", "", 0, 0, ARGS_NOTHING, NULL, false, tail_options, cmd_audit_tail, "show the end of the trail",
     "sreg audit tail -n 20 --follow"},
    {"audit verify", "", 0, 0, ARGS_NOTHING, NULL, false, verify_options, cmd_audit_verify,
     "recompute the trail from its records and compare the head",
     "sreg audit verify\nsreg audit verify --checkpoint /mnt/kept/monday --key /mnt/kept/trail.vkey"},
    {"audit checkpoint", "", 0, 0, ARGS_NOTHING, NULL, false, checkpoint_options, cmd_audit_checkpoint,
     "show the signed head of the trail, to be kept elsewhere", "sreg audit checkpoint > /mnt/kept/monday"},
    {"audit prove", "[SEQ]", 0, 1, ARGS_NOTHING, NULL, false, prove_options, cmd_audit_prove,
     "prove that a record is in the trail, to whoever has its key",
     "sreg audit prove 4711 > 4711.tlog-proof\nsreg audit prove --from 4000 > since-monday.proof"},
    {"audit prune", "BEFORE", 1, 1, ARGS_NOTHING, NULL, false, prune_options, cmd_audit_prune,
     "remove the oldest records for good: those before a number or a time, by whole files",
     "sreg audit prune 400d --dry-run\nsreg audit prune 1200000 --yes"},
    {"role list", "", 0, 0, ARGS_NOTHING, NULL, false, NULL, cmd_role_show, "show all roles and their members", "sreg role list"},
    {"role show", "ROLE", 1, 1, ARGS_NOTHING, NULL, false, NULL, cmd_role_show, "show the members of a role",
     "sreg role show web-admins"},
    {"role add", "ROLE PRINCIPAL", 2, 2, ARGS_NOTHING, NULL, false, edit_options, cmd_role_add, "make somebody a member of a role",
     "sreg role add web-admins uid:alice\nsreg role add web-admins gid:www --dry-run"},
    {"role remove", "ROLE PRINCIPAL", 2, 2, ARGS_NOTHING, NULL, false, edit_options, cmd_role_remove,
     "end a membership; a role ends with its last member", "sreg role remove web-admins uid:alice"},
    {"explain", "PATH ACTION", 2, 2, ARGS_PATH, NULL, false, explain_options, cmd_explain,
     "say which rule allows or refuses, and why no other does",
     "sreg explain /registry/applications/web/key read\n"
     "sreg explain /registry/applications/web write --for uid:alice"},
    {"policy require-approval", "PATH", 1, 1, ARGS_PATH, NULL, false, approval_options, cmd_require_approval,
     "want a second person for writes, deletes and grants there",
     "sreg policy require-approval /registry/security\n"
     "sreg policy require-approval /registry/security/keys --by role:security"},
    {"policy test", "FILE", 1, 1, ARGS_FILE, NULL, false, replay_options, cmd_policy_test,
     "say which decisions of the past proposed changes would turn", "sreg policy test proposed.yaml --since 7d"},
    {"approval list", "", 0, 0, ARGS_NOTHING, NULL, false, NULL, cmd_approval_list,
     "show the requests that you may approve, and your own that wait", "sreg approval list"},
    {"approval show", "ID", 1, 1, ARGS_NOTHING, NULL, false, NULL, cmd_approval_show, "show what a request would do",
     "sreg approval show 12"},
    {"approval approve", "ID", 1, 1, ARGS_NOTHING, NULL, false, NULL, cmd_approval_approve,
     "let a request of somebody else be done now", "sreg approval approve 12"},
    {"approval reject", "ID", 1, 1, ARGS_NOTHING, NULL, false, NULL, cmd_approval_reject,
     "end a request that waits; your own too", "sreg approval reject 12"},
    {"break-glass", "PATH", 1, 1, ARGS_PATH, NULL, false, glass_options, cmd_break_glass,
     "give yourself rights for a while, if you were named for it",
     "sreg break-glass /registry/applications/db --reason 'database is down' --for 30m"},
    {"load-host", "", 0, 0, ARGS_NOTHING, NULL, true, load_host_options, run_load_host,
     "store this host's settings below /registry/system", "sreg load-host --dry-run"},
    {"run", "-- COMMAND [ARG...]", 0, ARGS_OPERANDS_MAX_COUNT, ARGS_PROGRAM, NULL, true, run_options, cmd_run,
     "start a program that gets entries as variables or files",
     "sreg run --env /registry/applications/web -- /usr/bin/web --port 80\n"
     "sreg run --files TLS_KEY=/registry/applications/web/key -- sh -c 'web --key \"$TLS_KEY\"'"},
    {"render", "TEMPLATE [OUTPUT]", 1, 2, ARGS_FILE, NULL, false, render_options, cmd_render,
     "make a file from a template and the entries it names",
     "sreg render web.conf.in\n"
     "sreg render web.conf.in /etc/web.conf --mode 0640 --group web --reload 'systemctl reload web'"},
    {"export", "FOLDER", 1, 1, ARGS_PATH, NULL, false, export_options, cmd_export, "write a folder to a file",
     "sreg export /registry/applications/web --output web.yaml\n"
     "sreg export /registry/applications/web --format env --with-secrets"},
    {"import", "FILE", 1, 1, ARGS_FILE, NULL, false, import_options, cmd_import,
     "bring a folder to what a file says, as one transaction",
     "sreg import web.yaml --dry-run\nsreg import web.yaml --to /registry/applications/copy --reason 'a copy'\n"
     "sreg import mine.json --base exported.json --theirs"},
    {"diff", "A B", 2, 2, ARGS_PATH, NULL, false, diff_options, cmd_diff,
     "compare two folders, or files that were exported", "sreg diff web.yaml /registry/applications/web --exit-code"},
    {"watch", "[PATH]", 0, 1, ARGS_PATH, NULL, false, watch_options, cmd_watch, "show changes as they come, or run a command",
     "sreg watch /registry/applications\nsreg watch --json --since 1200 /registry\n"
     "sreg watch /registry/applications/web --exec 'sreg render web.conf.in /etc/web.conf'"},
    {"reload", "", 0, 0, ARGS_NOTHING, NULL, false, NULL, cmd_reload, "let the daemon read its configuration again",
     "sreg reload"},
    {"login", "", 0, 0, ARGS_NOTHING, NULL, false, login_options, cmd_login,
     "prove who you are with a password, for rules that want it", "sreg login"},
    {"logout", "", 0, 0, ARGS_NOTHING, NULL, false, logout_options, cmd_logout, "end the session that `sreg login` made",
     "sreg logout\nsreg logout --all"},
    {"session", "", 0, 0, ARGS_NOTHING, NULL, false, NULL, cmd_session, "list your sessions", "sreg session"},
    {"slot list", "", 0, 0, ARGS_NOTHING, NULL, false, NULL, cmd_slot_list, "show what unlocks the registry",
     "sreg slot list"},
    {"slot add", "KIND [FILE]", 1, 2, ARGS_WORDS, "passphrase key-file", false, slot_add_options, cmd_slot_add,
     "add something that unlocks the registry",
     "sreg slot add passphrase --label recovery\nsreg slot add key-file /media/usb/secreg.key --new --label usb"},
    {"slot remove", "SLOT", 1, 1, ARGS_NOTHING, NULL, false, NULL, cmd_slot_remove,
     "remove something that unlocks the registry", "sreg slot remove 2"},
    {"rekey", "SLOT=SOURCE...", 1, 8, ARGS_NOTHING, NULL, false, rekey_options, cmd_rekey,
     "bring everything under a new root key", "sreg rekey 1=ask 2=key-file --dry-run\nsreg rekey 1=ask 2=key-file --wait"},
    {"rotate", "", 0, 0, ARGS_NOTHING, NULL, false, rotate_options, cmd_rotate, "seal every sealed value anew",
     "sreg rotate --wait"},
    {"backup", "FILE", 1, 1, ARGS_FILE, NULL, false, backup_options, cmd_backup, "write everything to one encrypted file",
     "sreg backup /media/usb/host.backup\nsreg backup --verify /media/usb/host.backup"},
    {"restore", "FILE", 1, 1, ARGS_FILE, NULL, false, restore_options, cmd_restore,
     "put a backup in the place of the store; the daemon must be stopped", "sreg restore /media/usb/host.backup"},
    {"doctor", "", 0, 0, ARGS_NOTHING, NULL, false, NULL, cmd_doctor, "check daemon, confinement, store and host",
     "sreg doctor"},
    {"find", "[FOLDER]", 0, 1, ARGS_PATH, NULL, false, find_options, cmd_find, "find entries by name, tag or type",
     "sreg find /registry/applications --name '*.key'\nsreg find --tag tls --long"},
    {"due", "[FOLDER]", 0, 1, ARGS_PATH, NULL, false, due_options, cmd_due, "show entries that expire soon, soonest first",
     "sreg due\nsreg due /registry/security --within 8w"},
    {"cp", "FROM TO", 2, 2, ARGS_PATH, NULL, false, change_options, cmd_cp, "copy an entry, or a folder with all below",
     "sreg cp /registry/applications/web /registry/applications/web-test"},
    {"mv", "FROM TO", 2, 2, ARGS_PATH, NULL, false, change_options, cmd_mv, "move an entry, or a folder with all below",
     "sreg mv --dry-run /registry/applications/web /registry/applications/www"},
    {"undo", "[PATH]", 0, 1, ARGS_PATH, NULL, false, undo_options, cmd_undo,
     "take back the newest change of an entry, or all of one request",
     "sreg undo /registry/applications/web/port\nsreg undo --request 6c8f01d200000007 --dry-run"},
    {"revert", "PATH", 1, 1, ARGS_PATH, NULL, false, revert_options, cmd_revert,
     "put an entry or a folder back to what it was",
     "sreg revert /registry/applications/web/port --version 3\n"
     "sreg revert /registry/applications/web --time 2026-01-31T12:00:00Z --dry-run"},
    {"destroy", "PATH", 1, 1, ARGS_PATH, NULL, false, destroy_options, cmd_destroy,
     "destroy a kept version, so that it cannot be had back",
     "sreg destroy /registry/applications/web/token --version 1"},
    {"txn", "[FILE | -]", 0, 1, ARGS_FILE, NULL, false, change_options, cmd_txn,
     "do a transaction: compare, then or else, all or nothing",
     "sreg txn --dry-run change.json\n"
     "sreg txn <<< '{\"then\":[{\"op\":\"set\",\"path\":\"/registry/applications/a\",\"value\":\"1\"}]}'"},
    {"fingerprint", "FOLDER", 1, 1, ARGS_PATH, NULL, false, NULL, cmd_fingerprint,
     "print a hash of all that a folder holds", "sreg fingerprint /registry/applications"},
    {"completion", "SHELL", 1, 1, ARGS_WORDS, "bash zsh fish", false, NULL, cmd_completion,
     "print completion for bash, zsh or fish", "sreg completion bash > /usr/share/bash-completion/completions/sreg"},
    {"help", "[VERB...]", 0, 2, ARGS_VERB, NULL, false, NULL, cmd_help, "show help for a verb", "sreg help acl allow"},
    {"version", "", 0, 0, ARGS_NOTHING, NULL, false, NULL, cmd_version, "show the version", "sreg version"},
    {0},
};
// clang-format on

static void print_option(FILE *to, const struct args_option *o)
{
    char left[64];
    snprintf(left, sizeof left, "%s%c%s--%s%s%s", o->letter != 0 ? "-" : "", o->letter != 0 ? o->letter : ' ',
             o->letter != 0 ? ", " : "   ", o->name, o->value != NULL ? " " : "", o->value != NULL ? o->value : "");
    fprintf(to, "  %-*s%s\n", HELP_COLUMN - 2, left, o->help);
}

static void print_options(FILE *to, const char *title, const struct args_option *options)
{
    if (options == NULL)
        return;
    fprintf(to, "\n%s:\n", title);
    for (; options->name != NULL; options++)
        print_option(to, options);
}

void verbs_usage(FILE *to)
{
    fputs("usage: sreg [OPTION...] VERB [ARGUMENT...]\n"
          "The registry of this host: configuration and secrets, with access rules and a trail.\n\nVerbs:\n",
          to);
    for (const struct verb *v = verbs; v->name != NULL; v++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", v->name, v->operands);
        fprintf(to, "  %-*s%s\n", HELP_COLUMN - 2, left, v->help);
    }
    print_options(to, "Options, before or after the verb", args_globals);
    fputs("\n`sreg help VERB` shows options and examples; the manual is sreg(1).\n", to);
}

static void print_examples(const char *examples)
{
    puts("\nExamples:");
    while (*examples != '\0') {
        size_t n = strcspn(examples, "\n");
        printf("  %.*s\n", (int)n, examples);
        examples += n + (examples[n] == '\n');
    }
}

int verbs_help(const struct verb *verb)
{
    if (verb == NULL) {
        verbs_usage(stdout);
        return 0;
    }
    printf("usage: sreg %s%s%s%s\n%s\n", verb->name, verb->options != NULL ? " [OPTION...]" : "",
           *verb->operands != '\0' ? " " : "", verb->operands, verb->help);
    print_options(stdout, "Options", verb->options);
    print_options(stdout, "Options of all verbs", args_globals);
    print_examples(verb->examples);
    return 0;
}

int cmd_help(struct cli *cli, const struct args *args)
{
    if (args->operands_count == 0)
        return verbs_help(NULL);
    const char *second = args->operands_count > 1 ? args->operands[1] : NULL;
    const struct verb *verb = args_find(verbs, args->operands[0], second);
    if (verb == NULL && second == NULL) { /* "help acl": all verbs that begin with it */
        size_t n = strlen(args->operands[0]), found = 0;
        for (const struct verb *v = verbs; v->name != NULL; v++) {
            bool is_of_it = strncmp(v->name, args->operands[0], n) == 0 && v->name[n] == ' ';
            if (is_of_it)
                printf("sreg %s %s: %s\n", v->name, v->operands, v->help);
            found += is_of_it;
        }
        if (found > 0)
            return 0;
    }
    return verb != NULL ? verbs_help(verb) : cli_usage_error(cli, "unknown verb: %s", args->operands[0]);
}

int cmd_version(struct cli *cli, const struct args *args)
{
    (void)args;
    if (cli->is_json)
        return cli_print_json(BYTES_LITERAL("{\"version\":\"" SECREG_VERSION "\"}"));
    printf("sreg %s\n", SECREG_VERSION);
    return 0;
}
