/*
 * cmd-doctor - the verb doctor: what can be checked about daemon, confinement, store and host without changing
 * anything.
 *
 * Confinement is not taken from what the daemon says: each role's line in /proc is held against the same row of
 * profiles that the role was to enter. What cannot be read is a warning, never ok.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/num.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/doctor.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "confine/confine.h"
#include "model/outcome.h"
#include "model/roles.h"
#include "os/file.h"
#include "wire/doc.h"

enum { PATH_BYTES = 1024, PROC_MAX_BYTES = 64 << 10, ROLE_MAX_BYTES = 32 };

#define FREE_FAIL_BYTES (UINT64_C(16) << 20)
#define FREE_WARN_BYTES (UINT64_C(256) << 20)
#define LOCK_WARN_BYTES (UINT64_C(64) << 10)

static const char *const verdicts[] = {[DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "fail"};

/* ---- findings -----------------------------------------------------------------------------------------------------
 */

void doctor_say(struct doctor *d, enum doctor_verdict verdict, const char *name, const char *format, ...)
{
    va_list args;
    if (d->count == DOCTOR_FINDINGS_MAX_COUNT)
        return;
    struct doctor_finding *f = &d->findings[d->count++];
    f->verdict = verdict;
    snprintf(f->name, sizeof f->name, "%s", name);
    va_start(args, format);
    vsnprintf(f->text, sizeof f->text, format, args);
    va_end(args);
    d->failed += verdict == DOCTOR_FAIL;
}

static int append_finding(const struct cli *cli, struct buf *out, const struct doctor_finding *f)
{
    static const enum out_color colors[] = {OUT_GREEN, OUT_YELLOW, OUT_RED};
    TRY(out_colored(out, cli->has_color, colors[f->verdict], verdicts[f->verdict]));
    TRY(buf_print(out, "%*s%-16s ", (int)(6 - strlen(verdicts[f->verdict])), "", f->name));
    TRY(text_escape(out, bytes_of_text(f->text)));
    return buf_append_text(out, "\n");
}

static int append_finding_json(struct buf *out, const struct doctor_finding *f)
{
    TRY(buf_append_text(out, "{\"name\":"));
    TRY(doc_json_string(out, bytes_of_text(f->name)));
    TRY(buf_print(out, ",\"verdict\":\"%s\",\"text\":", verdicts[f->verdict]));
    TRY(doc_json_string(out, bytes_of_text(f->text)));
    return buf_append_text(out, "}");
}

static int append_all(const struct doctor *d, struct buf *out)
{
    bool is_json = d->cli->is_json;
    TRY(buf_append_text(out, is_json ? "{\"checks\":[" : ""));
    for (size_t i = 0; i < d->count; i++) {
        TRY(buf_append_text(out, is_json && i > 0 ? "," : ""));
        TRY(is_json ? append_finding_json(out, &d->findings[i]) : append_finding(d->cli, out, &d->findings[i]));
    }
    return is_json ? buf_print(out, "],\"failed\":%zu}\n", d->failed) : 0;
}

/* ---- the daemon ---------------------------------------------------------------------------------------------------
 */

static bool read_count(struct bytes data, const char *name, uint64_t *ret)
{
    struct bytes raw;
    return secreg_member(data, name, &raw) && num_parse_u64(raw, INT64_MAX, ret);
}

static bool is_text(struct bytes data, const char *name, const char *wanted)
{
    struct bytes raw, text = bytes_of_text(wanted);
    return secreg_member(data, name, &raw) && raw.n == text.n + 2 && bytes_equal(bytes_of(raw.p + 1, text.n), text);
}

static void check_count(struct doctor *d, struct bytes data, const char *member, const char *name)
{
    uint64_t n;
    if (!read_count(data, member, &n))
        doctor_say(d, DOCTOR_WARN, name, "not shown to you: it needs the right control on /registry");
    else
        doctor_say(d, n > 0 ? DOCTOR_FAIL : DOCTOR_OK, name, "%llu", (unsigned long long)n);
}

void doctor_status(struct doctor *d, struct bytes data)
{
    bool is_same = is_text(data, "version", SECREG_VERSION), is_open = is_text(data, "state", "unlocked");
    bool has_room = is_text(data, "storage", "ok");
    doctor_say(d, is_same ? DOCTOR_OK : DOCTOR_WARN, "version",
               is_same ? "sreg and secregd are both %s" : "sreg is %s, secregd another one: restart it",
               SECREG_VERSION);
    doctor_say(d, is_open ? DOCTOR_OK : DOCTOR_WARN, "lock", is_open ? "unlocked" : "locked: entries cannot be read");
    doctor_say(d, has_room ? DOCTOR_OK : DOCTOR_FAIL, "storage", has_room ? "ok" : "full: nothing can be changed");
    check_count(d, data, "corrupt_entries", "corrupt entries");
    check_count(d, data, "unrecorded", "unrecorded acts");
}

/* ---- roles --------------------------------------------------------------------------------------------------------
 */

void doctor_role_text(struct doctor *d, const char *role, const char *proc_status)
{
    char name[ROLE_MAX_BYTES + 16];
    struct confine_status status;
    const char *why = NULL;
    snprintf(name, sizeof name, "secregd-%s", role);
    const struct confine_profile *profile = confine_find(name);
    snprintf(name, sizeof name, "role %s", role);
    if (profile == NULL)
        doctor_say(d, DOCTOR_FAIL, name, "there is no profile for it");
    else if (confine_status_parse(proc_status, &status) != 0)
        doctor_say(d, DOCTOR_WARN, name, "its state in /proc cannot be understood");
    else if (!confine_status_expected(profile, &status, &why))
        doctor_say(d, DOCTOR_FAIL, name, "not confined as it should be: %s", why);
    else if (!status.has_no_new_privs)
        doctor_say(d, DOCTOR_OK, name, "an ordinary user's process, left open for the helpers of PAM");
    else
        doctor_say(d, DOCTOR_OK, name, "confined: no new privileges, system calls filtered, capabilities dropped");
}

static void check_process(struct doctor *d, const char *role, uint64_t pid)
{
    char path[64], name[ROLE_MAX_BYTES + 16];
    struct buf text;
    snprintf(path, sizeof path, "/proc/%llu/status", (unsigned long long)pid);
    snprintf(name, sizeof name, "role %s", role);
    buf_init(&text, PROC_MAX_BYTES);
    int r = file_read_path(path, &text);
    if (r == 0)
        r = buf_append(&text, bytes_of("", 1));
    if (r == 0)
        doctor_role_text(d, role, (const char *)buf_view(&text).p);
    else
        doctor_say(d, DOCTOR_WARN, name, "%s cannot be read: %s", path, r == FILE_ABSENT ? "absent" : fault_text(r));
    buf_fini(&text);
}

static void check_landlock(struct doctor *d, struct bytes role)
{
    uint64_t abi = 0;
    struct buf not_held;
    if (!read_count(role, "landlock_abi", &abi) || abi == 0) {
        doctor_say(d, DOCTOR_WARN, "landlock",
                   "this kernel has none: files are kept from the roles by user and seccomp only");
        return;
    }
    buf_init(&not_held, PATH_BYTES);
    if (out_member(&not_held, role, "not_held", OUT_TEXT) == 0 && buf_size(&not_held) > 0)
        doctor_say(d, DOCTOR_OK, "landlock", "version %llu; this kernel cannot hold: %.*s", (unsigned long long)abi,
                   BYTES_PRINT(buf_view(&not_held)));
    else
        doctor_say(d, DOCTOR_OK, "landlock", "version %llu", (unsigned long long)abi);
    buf_fini(&not_held);
}

static void check_roles(struct doctor *d, struct bytes data)
{
    struct bytes roles, role, raw;
    char name[ROLE_MAX_BYTES];
    uint64_t pid;
    if (!secreg_member(data, "roles", &roles)) {
        doctor_say(d, DOCTOR_WARN, "roles", "not shown to you: it needs the right control on /registry");
        return;
    }
    for (bool is_first = true; secreg_element(&roles, &role); is_first = false) {
        if (!secreg_member(role, "role", &raw) || raw.n < 2 || !read_count(role, "pid", &pid) ||
            !text_copy(name, sizeof name, bytes_of(raw.p + 1, raw.n - 2)))
            continue;
        check_process(d, name, pid);
        d->engine_pid = strcmp(name, "engine") == 0 ? pid : d->engine_pid;
        if (is_first)
            check_landlock(d, role);
    }
}

/* ---- the host -----------------------------------------------------------------------------------------------------
 */

static bool path_of(const struct doctor *d, const char *path, char ret[static PATH_BYTES])
{
    int n = snprintf(ret, PATH_BYTES, "%s%s", d->cli->root, path);
    return n > 0 && n < PATH_BYTES;
}

static void check_state_folder(struct doctor *d, struct stat *ret_st)
{
    char path[PATH_BYTES];
    if (!path_of(d, PLACE_STATE, path) || stat(path, ret_st) < 0) {
        doctor_say(d, errno == EACCES ? DOCTOR_WARN : DOCTOR_FAIL, "state folder", "%s: %s", path,
                   strerrordesc_np(errno));
        return;
    }
    unsigned mode = ret_st->st_mode & 07777;
    bool is_good = S_ISDIR(ret_st->st_mode) && mode == 0700;
    doctor_say(d, is_good ? DOCTOR_OK : DOCTOR_FAIL, "state folder", "%s has mode %04o%s", path, mode,
               is_good ? "" : ", should be 0700");
}

static void check_key_file(struct doctor *d, const struct stat *state)
{
    char path[PATH_BYTES];
    struct stat st;
    if (!path_of(d, PLACE_KEY, path) || stat(path, &st) < 0) {
        bool is_absent = errno == ENOENT;
        doctor_say(d, is_absent ? DOCTOR_OK : DOCTOR_WARN, "key file", "%s: %s", path,
                   is_absent ? "none, a passphrase unlocks" : strerrordesc_np(errno));
        return;
    }
    if ((st.st_mode & 077) != 0)
        doctor_say(d, DOCTOR_FAIL, "key file", "%s can be used by others than its owner: mode %04o", path,
                   (unsigned)(st.st_mode & 07777));
    else if (st.st_dev == state->st_dev)
        doctor_say(d, DOCTOR_WARN, "key file", "%s is on the same file system as the data it opens", path);
    else
        doctor_say(d, DOCTOR_OK, "key file", "%s", path);
}

static void check_space(struct doctor *d)
{
    char path[PATH_BYTES];
    struct statvfs fs;
    if (!path_of(d, PLACE_STATE, path) || statvfs(path, &fs) < 0) {
        doctor_say(d, DOCTOR_WARN, "free space", "%s: %s", path, strerrordesc_np(errno));
        return;
    }
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    doctor_say(d,
               free_bytes < FREE_FAIL_BYTES   ? DOCTOR_FAIL
               : free_bytes < FREE_WARN_BYTES ? DOCTOR_WARN
                                              : DOCTOR_OK,
               "free space", "%llu MiB", (unsigned long long)(free_bytes >> 20));
}

bool doctor_lock_limit(struct bytes limits, uint64_t *ret_bytes)
{
    const struct bytes name = BYTES_LITERAL("Max locked memory");
    while (limits.n > 0) {
        struct bytes line = bytes_head(limits, bytes_find(limits, '\n'));
        limits = bytes_from(limits, line.n + 1);
        if (!bytes_starts(line, name))
            continue;
        line = bytes_from(line, name.n);
        while (line.n > 0 && line.p[0] == ' ')
            line = bytes_from(line, 1);
        line = bytes_head(line, bytes_find(line, ' '));
        *ret_bytes = UINT64_MAX;
        return bytes_equal(line, BYTES_LITERAL("unlimited")) || num_parse_u64(line, UINT64_MAX, ret_bytes);
    }
    return false;
}

static void check_locked_memory(struct doctor *d)
{
    char path[64];
    struct buf text;
    uint64_t limit = 0;
    if (d->engine_pid == 0)
        return;
    snprintf(path, sizeof path, "/proc/%llu/limits", (unsigned long long)d->engine_pid);
    buf_init(&text, PROC_MAX_BYTES);
    if (file_read_path(path, &text) != 0 || !doctor_lock_limit(buf_view(&text), &limit))
        doctor_say(d, DOCTOR_WARN, "locked memory", "%s cannot be read", path);
    else if (limit == UINT64_MAX)
        doctor_say(d, DOCTOR_OK, "locked memory", "the engine may lock as much as it needs");
    else
        doctor_say(d, limit < LOCK_WARN_BYTES ? DOCTOR_WARN : DOCTOR_OK, "locked memory",
                   "the engine may lock %llu KiB for its keys", (unsigned long long)(limit >> 10));
    buf_fini(&text);
}

/* ---- the verb -----------------------------------------------------------------------------------------------------
 */

static void check_daemon(struct doctor *d)
{
    unsigned outcome;
    struct secreg_answer answer;
    struct bytes data;
    struct secreg_ask ask = {.method = "GET", .target = BYTES_LITERAL("/v1/status"), .is_read = true};
    bool is_good = cli_try(d->cli, &ask, &answer, &outcome);
    if (!is_good || !secreg_member(answer.body, "data", &data)) {
        doctor_say(d, DOCTOR_FAIL, "daemon", "%s", d->cli->link != NULL ? d->cli->link->text : "no connection");
        return;
    }
    doctor_say(d, DOCTOR_OK, "daemon", "answers at %s", d->cli->link->socket_path);
    doctor_status(d, data);
    check_roles(d, data);
}

int cmd_doctor(struct cli *cli, const struct args *args)
{
    static struct doctor d; /* too large for the stack */
    struct stat state = {0};
    struct buf out;
    (void)args;
    d = (struct doctor){.cli = cli};
    check_daemon(&d);
    check_state_folder(&d, &state);
    check_key_file(&d, &state);
    check_space(&d);
    check_locked_memory(&d);
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    int r = append_all(&d, &out);
    if (r == 0)
        r = out_write(&out);
    buf_fini(&out);
    return r != 0 ? cli_fault(cli, r, "cannot show the checks") : d.failed > 0 ? CLI_FAILED : 0;
}
