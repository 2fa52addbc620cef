/*
 * confine-probe PROFILE [UID] - prove that a profile holds: enter it in a process of its own for every act, try the
 * act, and compare what happened with what the row of the profile says. Prints TAP; exits 0 if everything was as
 * stated.
 *
 * With UID (root only) each process becomes that user as well. What this kernel or this build cannot hold is skipped by
 * name, with the reason.
 */
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/num.h"
#include "confine/variant.h"

enum { NOT_ENTERED = 200, NOT_PREPARED = 201, X32_CALL = 0x40000000, SETUP_FAILED = 99 };

/* Leaks are not looked for: the processes end without giving anything back. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static char root[64], folders[CONFINE_PLACES_COUNT][128];
static const char *const names[CONFINE_PLACES_COUNT] = {"state", "config", "run", NULL, "etc", NULL, NULL};
static struct confine_params params = {.uid = (uid_t)-1, .gid = (gid_t)-1};

/* ---- the folder the acts play in ------------------------------------------------------------------------- */

static bool write_file(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return false;
    bool is_written = fchmod(fd, 0666) == 0 && write(fd, "x\n", 2) == 2;
    return close(fd) == 0 && is_written;
}

static bool make_places(void)
{
    snprintf(root, sizeof root, "/tmp/secreg-probe-XXXXXX");
    if (mkdtemp(root) == NULL || chmod(root, 0755) < 0)
        return false;
    for (size_t i = 0; i < CONFINE_PLACES_COUNT; i++) {
        if (names[i] == NULL)
            continue;
        snprintf(folders[i], sizeof folders[i], "%s/%s", root, names[i]);
        if (mkdir(folders[i], 0777) < 0 || chmod(folders[i], 0777) < 0 || !write_file(folders[i], "file"))
            return false;
        params.places[i] = folders[i];
    }
    params.places[CONFINE_PROC] = "/proc";
    acts_in(params.places);
    return true;
}

/* What an act removes is there again for the next one. */
static bool renew_places(void)
{
    return write_file(folders[CONFINE_STATE], "spare") && write_file(folders[CONFINE_RUN], "spare");
}

static void remove_folder(const char *folder)
{
    DIR *d = opendir(folder);
    for (struct dirent *e = d != NULL ? readdir(d) : NULL; e != NULL; e = readdir(d)) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            unlinkat(dirfd(d), e->d_name, e->d_type == DT_DIR ? AT_REMOVEDIR : 0);
    }
    if (d != NULL)
        closedir(d);
    rmdir(folder);
}

static void remove_places(void)
{
    for (size_t i = 0; i < CONFINE_PLACES_COUNT; i++) {
        if (folders[i][0] != '\0')
            remove_folder(folders[i]);
    }
    rmdir(root);
}

/* ---- what should happen ---------------------------------------------------------------------------------- */

static bool has_right(const struct confine_profile *p, const struct need *need)
{
    for (size_t i = 0; i < CONFINE_RULES_MAX_COUNT && p->rules[i].rights != 0; i++) {
        const struct confine_rule *r = &p->rules[i];
        bool is_it = r->fixed != NULL ? need->fixed != NULL && strcmp(r->fixed, need->fixed) == 0
                                      : need->fixed == NULL && r->place == need->place;
        if (is_it && (r->rights & need->rights) == need->rights)
            return true;
    }
    return false;
}

static bool is_call_of_build(int number)
{
    struct confine_calls extra = variant_calls();
    for (size_t i = 0; i < extra.count; i++) {
        if (extra.calls[i].number == number)
            return true;
    }
    return false;
}

static bool has_row(struct confine_calls calls, int number, bool is_for_any)
{
    for (size_t i = 0; i < calls.count; i++) {
        if (calls.calls[i].number == number && (calls.calls[i].test == TEST_NONE) == is_for_any)
            return true;
    }
    return false;
}

/* A call that fails with an errno value where a profile does not allow it at all ends the process where it is allowed
 * with other arguments only. */
static bool is_partly_allowed(const struct confine_profile *p, int number)
{
    bool is_allowed = false;
    for (unsigned bit = 0; bit < GROUPS_COUNT; bit++) {
        if ((p->groups & 1u << bit) == 0)
            continue;
        if (has_row(profiles_group(bit), number, true))
            return false;
        is_allowed = is_allowed || has_row(profiles_group(bit), number, false);
    }
    return is_allowed && has_row(profiles_refusals(), number, true);
}

/* 0, ENDED or an errno value; why_not says why it cannot be told on this kernel or in this build. */
static int expected(const struct confine_profile *p, const struct act *a, int abi, const char **ret_why_not)
{
    *ret_why_not = NULL;
    bool passes_filter = !a->need.is_never && (p->groups & a->need.groups) == a->need.groups;
    if (!passes_filter && is_call_of_build(a->number) && (variant_opens_files() || a->by_filter == ENDED))
        *ret_why_not = "the call is needed by this build";
    if (!passes_filter)
        return is_partly_allowed(p, a->number) ? ENDED : a->by_filter;
    bool passes_landlock =
        a->need.rights == 0 ? p->may_signal_outside || !a->need.signals_outside : has_right(p, &a->need);
    if (passes_landlock)
        return 0;
    if (abi < a->landlock_abi)
        *ret_why_not = "this kernel has no Landlock right for it";
    else if (variant_opens_files() && a->landlock_abi == 1)
        *ret_why_not = "this build leaves files open";
    return a->by_landlock;
}

/* ---- what happens ---------------------------------------------------------------------------------------- */

static int run(const struct confine_profile *p, const struct act *a)
{
    struct confine_report report;
    if (a->prepare != NULL && !a->prepare())
        return NOT_PREPARED;
    if (confine_enter(p, &params, &report) < 0) {
        int line;
        const char *file = fault_origin(&line);
        dprintf(STDERR_FILENO, "# not entered: %s:%d\n", file, line);
        return NOT_ENTERED;
    }
    if (a->run != NULL)
        return a->run();
    long number = a->number < 0 ? X32_CALL | SYS_getpid : a->number;
    const long *v = a->arguments;
    return syscall(number, v[0], v[1], v[2], v[3], v[4], v[5]) < 0 ? errno : 0;
}

static int happened(const struct confine_profile *p, const struct act *a)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(run(p, a));
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return NOT_ENTERED;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? ENDED : -WTERMSIG(status);
    return WEXITSTATUS(status);
}

static const char *outcome_text(int outcome)
{
    static char text[2][64];
    static unsigned turn;
    char *t = text[turn++ % 2];
    if (outcome == 0)
        return "it works";
    if (outcome == ENDED)
        return "the process is ended by the filter";
    if (outcome == NOT_ENTERED)
        return "the profile cannot be entered";
    const char *name = outcome > 0 ? strerrorname_np(outcome) : NULL;
    snprintf(t, sizeof text[0], "%s", name != NULL ? name : "ended by another signal");
    return t;
}

static bool probe(const struct confine_profile *p, const struct act *a, size_t number, int abi)
{
    const char *why_not;
    int want = expected(p, a, abi, &why_not);
    if (why_not != NULL) {
        printf("ok %zu - %s # SKIP %s\n", number, a->name, why_not);
        return true;
    }
    if (!renew_places())
        return false;
    int got = happened(p, a);
    if (got == NOT_PREPARED) {
        printf("ok %zu - %s # SKIP this system cannot set it up\n", number, a->name);
        return true;
    }
    printf("%s %zu - %s: %s\n", got == want ? "ok" : "not ok", number, a->name, outcome_text(want));
    if (got != want)
        printf("# but %s\n", outcome_text(got));
    return got == want;
}

static int usage(void)
{
    fprintf(stderr, "usage: confine-probe PROFILE [UID]\n");
    return SETUP_FAILED;
}

int main(int argc, char **argv)
{
    uint64_t uid;
    size_t count = 0, bad = 0;
    const struct confine_profile *profile = argc > 1 ? confine_find(argv[1]) : NULL;
    if (profile == NULL || argc > 3)
        return usage();
    if (argc == 3 && !num_parse_u64(bytes_of_text(argv[2]), UINT32_MAX - 1, &uid))
        return usage();
    if (argc == 3 && geteuid() != 0) {
        printf("1..0 # SKIP only root can become another user\n");
        return 0;
    }
    if (argc == 3)
        params.uid = params.gid = (uid_t)uid;
    int abi = confine_landlock_abi();
    if (!make_places()) {
        printf("Bail out! cannot make %s: %s\n", root, strerror(errno));
        return SETUP_FAILED;
    }
    printf("# %s, Landlock ABI %d%s%s\n", profile->name, abi, variant_note()[0] != '\0' ? ", open: " : "",
           variant_note());
    for (const struct act *a = acts_at(0); a != NULL; a = acts_at(count))
        bad += !probe(profile, a, ++count, abi);
    printf("1..%zu\n", count);
    remove_places();
    return bad == 0 ? 0 : 1;
}
