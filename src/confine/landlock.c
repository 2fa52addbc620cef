/*
 * landlock - files, ports and scopes by the rights of the running kernel; see confine-internal.h.
 *
 * Raw system calls with constants of our own: the headers of the systems we build on stop at ABI 2. Invariant: whatever
 * the kernel can hold is handled, so that it is refused unless a rule of the profile allows it; what it cannot hold is
 * named in the report. A rule allows a port only where a profile makes TCP sockets, and only the one it was told.
 * Source: landlock(7), include/uapi/linux/landlock.h of Linux 7.2.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine/confine-internal.h"
#include "confine/variant.h"
#include "os/file.h"

/* The same on every architecture since Linux 5.13. */
enum { CALL_CREATE_RULESET = 444, CALL_ADD_RULE = 445, CALL_RESTRICT_SELF = 446 };
enum { CREATE_RULESET_VERSION = 1u << 0, RULE_PATH_BENEATH = 1, RULE_NET_PORT = 2, RESTRICT_SELF_TSYNC = 1u << 3 };
enum { ABI_REFER = 2, ABI_NET = 4, ABI_SCOPES = 6, ABI_TSYNC = 8 };

enum landlock_fs {
    FS_EXECUTE = 1u << 0,
    FS_WRITE_FILE = 1u << 1,
    FS_READ_FILE = 1u << 2,
    FS_READ_DIR = 1u << 3,
    FS_REMOVE_DIR = 1u << 4,
    FS_REMOVE_FILE = 1u << 5,
    FS_MAKE_CHAR = 1u << 6,
    FS_MAKE_DIR = 1u << 7,
    FS_MAKE_REG = 1u << 8,
    FS_MAKE_SOCK = 1u << 9,
    FS_MAKE_FIFO = 1u << 10,
    FS_MAKE_BLOCK = 1u << 11,
    FS_MAKE_SYM = 1u << 12,
    FS_REFER = 1u << 13,
    FS_TRUNCATE = 1u << 14,
    FS_IOCTL_DEV = 1u << 15,
    FS_RESOLVE_UNIX = 1u << 16,
};
enum { FS_OF_ABI_1 = FS_REFER - 1, FS_OF_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE };
enum { NET_BIND_TCP = 1u << 0, NET_CONNECT_TCP = 1u << 1, NET_BIND_UDP = 1u << 2, NET_CONNECT_SEND_UDP = 1u << 3 };
enum { SCOPE_ABSTRACT_UNIX = 1u << 0, SCOPE_SIGNAL = 1u << 1 };

/* What each ABI added. */
static const struct {
    int abi;
    struct landlock_ruleset adds;
    const char *name;
} features[] = {
    {1, {FS_OF_ABI_1, 0, 0}, "files and folders"},
    {2, {FS_REFER, 0, 0}, "moves between folders"},
    {3, {FS_TRUNCATE, 0, 0}, "truncation"},
    {4, {0, NET_BIND_TCP | NET_CONNECT_TCP, 0}, "TCP ports"},
    {5, {FS_IOCTL_DEV, 0, 0}, "device controls"},
    {6, {0, 0, SCOPE_ABSTRACT_UNIX}, "abstract sockets"},
    {6, {0, 0, SCOPE_SIGNAL}, "signals"},
    {9, {FS_RESOLVE_UNIX, 0, 0}, "connecting to sockets by path"},
    {10, {0, NET_BIND_UDP | NET_CONNECT_SEND_UDP, 0}, "UDP ports"},
};

static const struct {
    enum confine_right right;
    uint64_t fs;
} right_rows[] = {
    {CONFINE_READ, FS_READ_FILE},
    {CONFINE_LIST, FS_READ_DIR},
    {CONFINE_WRITE, FS_WRITE_FILE | FS_TRUNCATE},
    {CONFINE_CREATE, FS_MAKE_REG},
    {CONFINE_REMOVE, FS_REMOVE_FILE},
    {CONFINE_SOCKETS, FS_MAKE_SOCK},
    {CONFINE_EXEC, FS_EXECUTE},
    {CONFINE_FOLDERS, FS_MAKE_DIR | FS_REMOVE_DIR},
    {CONFINE_CONNECT, FS_RESOLVE_UNIX},
};

/* The kernel's own layout of one rule. */
struct path_beneath {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

int confine_landlock_abi(void)
{
    long abi = syscall(CALL_CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION);
    return abi > 0 ? (int)abi : 0;
}

struct landlock_plan landlock_plan_for(int abi, bool signals_outside)
{
    struct landlock_plan plan = {.ruleset_bytes = offsetof(struct landlock_ruleset, handled_net)};
    assert(abi > 0);
    for (size_t i = 0; i < COUNT_OF(features) && features[i].abi <= abi; i++) {
        plan.ruleset.handled_fs |= features[i].adds.handled_fs;
        plan.ruleset.handled_net |= features[i].adds.handled_net;
        plan.ruleset.handled_scopes |= features[i].adds.handled_scopes;
    }
    if (signals_outside)
        plan.ruleset.handled_scopes &= ~(uint64_t)SCOPE_SIGNAL;
    if (abi >= ABI_NET)
        plan.ruleset_bytes = offsetof(struct landlock_ruleset, handled_scopes);
    if (abi >= ABI_SCOPES)
        plan.ruleset_bytes = sizeof plan.ruleset;
    if (abi >= ABI_TSYNC)
        plan.flags = RESTRICT_SELF_TSYNC;
    assert(plan.ruleset.handled_fs >= FS_OF_ABI_1);
    return plan;
}

struct landlock_plan landlock_plan_open(int abi)
{
    struct landlock_plan plan = landlock_plan_for(abi, false);
    plan.ruleset.handled_fs &= ~(uint64_t)(FS_IOCTL_DEV | FS_RESOLVE_UNIX);
    plan.ruleset.handled_net = 0;
    plan.ruleset.handled_scopes &= SCOPE_SIGNAL;
    return plan;
}

uint64_t landlock_rights(unsigned rights, bool is_folder, uint64_t handled)
{
    uint64_t fs = 0;
    for (size_t i = 0; i < COUNT_OF(right_rows); i++) {
        if ((rights & right_rows[i].right) != 0)
            fs |= right_rows[i].fs;
    }
    return fs & handled & (is_folder ? UINT64_MAX : FS_OF_FILES);
}

void landlock_dropped(int abi, char ret_text[static CONFINE_REPORT_BYTES])
{
    size_t at = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(features); i++) {
        /* a kernel of ABI 1 has no right for moves and refuses all of them */
        if (features[i].abi <= abi || (features[i].abi == ABI_REFER && abi == 1))
            continue;
        int n = snprintf(ret_text + at, CONFINE_REPORT_BYTES - at, "%s%s", at > 0 ? ", " : "", features[i].name);
        assert(n > 0 && (size_t)n < CONFINE_REPORT_BYTES - at);
        at += (size_t)n;
    }
}

static void note_variant(struct confine_report *report)
{
    size_t at = strlen(report->dropped);
    int n = snprintf(report->dropped + at, sizeof report->dropped - at, "%s%s",
                     at > 0 && variant_note()[0] != '\0' ? ", " : "", variant_note());
    assert(n >= 0 && (size_t)n < sizeof report->dropped - at);
}

/* The kernel's own layout too. */
struct net_port {
    uint64_t allowed, port;
};

static int add_port(int ruleset, uint16_t port)
{
    struct net_port rule = {NET_CONNECT_TCP, port};
    return syscall(CALL_ADD_RULE, ruleset, RULE_NET_PORT, &rule, 0) < 0 ? RAISE(-errno) : 0;
}

static int add_path(int ruleset, const char *path, unsigned rights, bool is_optional, uint64_t handled)
{
    SCOPED(file_drop_fd) int fd = open(path, O_PATH | O_CLOEXEC);
    struct stat st;
    if (fd < 0)
        return is_optional && errno == ENOENT ? 0 : RAISE(-errno);
    if (fstat(fd, &st) < 0)
        return RAISE(-errno);
    struct path_beneath rule = {.allowed = landlock_rights(rights, S_ISDIR(st.st_mode), handled), .fd = fd};
    if (rule.allowed == 0 && landlock_rights(rights, S_ISDIR(st.st_mode), UINT64_MAX) == 0)
        return RAISE(-ENOTDIR); /* rights of folders for what is a file: the place is not what the profile means */
    if (rule.allowed == 0)
        return 0; /* nothing that this kernel holds */
    if (syscall(CALL_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
        return RAISE(-errno);
    return 0;
}

static int add_rule(int ruleset, const struct confine_rule *rule, const struct confine_params *params, uint64_t handled)
{
    assert(rule->fixed != NULL || rule->place < CONFINE_PLACES_COUNT);
    const char *path = rule->fixed != NULL ? rule->fixed : params->places[rule->place];
    if (path == NULL)
        return rule->is_optional ? 0 : RAISE(FAULT_CONFINE);
    if (path[0] != '/')
        return RAISE(FAULT_CONFINE);
    return add_path(ruleset, path, rule->rights, rule->is_optional, handled);
}

/* ---- open profiles: everything but the hidden places ------------------------------------------------------- */

struct opening {
    int ruleset;
    uint64_t handled;
    size_t hidden_count;
    char hidden[CONFINE_PLACES_COUNT][PATH_MAX]; /* without links */
};

static void drop_folder(DIR **d)
{
    if (*d != NULL)
        closedir(*d);
}

/* Where a path lies: what is below a hidden place is never asked for. */
enum where { OUTSIDE, ON_THE_WAY, HIDDEN };

static enum where where_is(const struct opening *o, const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < o->hidden_count; i++) {
        if (strncmp(o->hidden[i], path, n) != 0)
            continue;
        if (o->hidden[i][n] == '\0')
            return HIDDEN;
        if (o->hidden[i][n] == '/')
            return ON_THE_WAY;
    }
    return OUTSIDE;
}

/* Links are left out: what they lead to is opened, or not, where it lies. rights: of those that are handled. */
static int open_entry(const struct opening *o, const char *path, uint64_t rights)
{
    SCOPED(file_drop_fd) int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0)
        return errno == ENOENT ? 0 : RAISE(-errno);
    if (fstat(fd, &st) < 0)
        return RAISE(-errno);
    if (S_ISLNK(st.st_mode))
        return 0;
    rights &= o->handled & (S_ISDIR(st.st_mode) ? UINT64_MAX : FS_OF_FILES);
    struct path_beneath rule = {.allowed = rights, .fd = fd};
    if (syscall(CALL_ADD_RULE, o->ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
        return RAISE(-errno);
    return 0;
}

/*
 * A rule opens a whole subtree and nothing takes a part of it away: so the folders on the way to a hidden place are
 * opened entry by entry, as they are at this moment: what is made or replaced in those very folders later stays closed.
 * They can be listed, and with them the hidden place: names are not hidden. Blocks for a few calls an entry.
 */
static int open_around(const struct opening *o, const char *folder)
{
    SCOPED(drop_folder) DIR *d = opendir(*folder != '\0' ? folder : "/");
    if (d == NULL)
        return RAISE(-errno);
    TRY(open_entry(o, *folder != '\0' ? folder : "/", FS_READ_DIR));
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        char path[PATH_MAX];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        int n = snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (n < 0 || (size_t)n >= sizeof path)
            return RAISE(FAULT_LIMIT);
        enum where where = where_is(o, path);
        if (where != HIDDEN)
            TRY(where == ON_THE_WAY ? open_around(o, path) : open_entry(o, path, UINT64_MAX));
    }
    return 0;
}

static int open_all_but(const struct confine_profile *profile, const struct confine_params *params, int ruleset,
                        uint64_t handled)
{
    static struct opening o; /* one thread, once a process; too large for the stack */
    o = (struct opening){.ruleset = ruleset, .handled = handled};
    for (size_t i = 0; i < CONFINE_PLACES_COUNT; i++) {
        if ((profile->hidden_places & 1u << i) == 0 || params->places[i] == NULL)
            continue;
        if (realpath(params->places[i], o.hidden[o.hidden_count]) != NULL)
            o.hidden_count++;
        else if (errno != ENOENT) /* what does not exist has nothing to hide */
            return RAISE(-errno);
    }
    return o.hidden_count == 0 ? open_entry(&o, "/", UINT64_MAX) : open_around(&o, "");
}

int landlock_enter(const struct confine_profile *profile, const struct confine_params *params,
                   struct confine_report *ret_report)
{
    SCOPED(file_drop_fd) int fd = -1;
    assert(profile != NULL && params != NULL);
    int abi = confine_landlock_abi();
    ret_report->landlock_abi = abi;
    landlock_dropped(abi, ret_report->dropped);
    note_variant(ret_report);
    if (abi == 0)
        return 0;
    struct landlock_plan plan =
        profile->is_open ? landlock_plan_open(abi) : landlock_plan_for(abi, profile->may_signal_outside);
    fd = (int)syscall(CALL_CREATE_RULESET, &plan.ruleset, plan.ruleset_bytes, 0);
    if (fd < 0)
        return RAISE(-errno);
    for (size_t i = 0; i < CONFINE_RULES_MAX_COUNT && profile->rules[i].rights != 0; i++)
        TRY(add_rule(fd, &profile->rules[i], params, plan.ruleset.handled_fs));
    if ((profile->groups & GROUP_TCP) != 0 && params->tcp_port != 0 && abi >= ABI_NET)
        TRY(add_port(fd, params->tcp_port));
    if (profile->is_open)
        TRY(open_all_but(profile, params, fd, plan.ruleset.handled_fs));
    if (variant_opens_files())
        TRY(add_path(fd, "/", UINT32_MAX, false, plan.ruleset.handled_fs));
    if (syscall(CALL_RESTRICT_SELF, fd, plan.flags) < 0)
        return RAISE(-errno);
    return 0;
}
