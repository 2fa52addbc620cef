/*
 * Tests of entering: every attempt is a child that confines itself and then does one thing. A child answers with its
 * exit status: 0 it worked, an errno value it was refused; or it is ended by the filter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine/confine-internal.h"
#include "confine/variant.h"

enum { PATH_BYTES = 256, NOBODY = 65534, NOT_ENTERED = 200, ENDED_BY_FILTER = 1000 + SIGSYS };

/* Leaks are not looked for: children end without giving anything back. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static char root[64], places[CONFINE_PLACES_COUNT][96];
static struct confine_params params;
static int kernel_abi; /* asked before: a confined process may not ask */

static void write_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x\n", 2), 2);
    close(fd);
}

static const char *path_in(enum confine_place place, const char *name)
{
    static char path[PATH_BYTES];
    snprintf(path, sizeof path, "%.90s/%.90s", places[place], name);
    return path;
}

static int make_places(void **state)
{
    static const char *const names[CONFINE_PLACES_COUNT] = {"state", "config", "run", NULL, "etc", NULL};
    (void)state;
    kernel_abi = confine_landlock_abi();
    snprintf(root, sizeof root, "/tmp/secreg-confine-XXXXXX");
    if (mkdtemp(root) == NULL || chmod(root, 0755) != 0)
        return -1;
    params = (struct confine_params){.uid = (uid_t)-1, .gid = (gid_t)-1};
    for (size_t i = 0; i < CONFINE_PLACES_COUNT; i++) {
        if (names[i] == NULL)
            continue;
        snprintf(places[i], sizeof places[i], "%s/%s", root, names[i]);
        if (mkdir(places[i], 0777) != 0 || chmod(places[i], 0777) != 0)
            return -1;
        params.places[i] = places[i];
        write_file(path_in((enum confine_place)i, "file"));
    }
    params.places[CONFINE_PROC] = "/proc";
    return 0;
}

static int remove_places(void **state)
{
    static const char *const names[] = {"file", "made", "moved"};
    (void)state;
    for (size_t i = 0; i < CONFINE_PLACES_COUNT; i++) {
        if (places[i][0] == '\0')
            continue;
        for (size_t n = 0; n < COUNT_OF(names); n++)
            unlink(path_in((enum confine_place)i, names[n]));
        rmdir(path_in((enum confine_place)i, "folder"));
        if (rmdir(places[i]) != 0)
            return -1;
    }
    return rmdir(root);
}

#ifdef SECREG_COVERAGE
void __gcov_dump(void);
#endif

static NORETURN void leave(int code)
{
#ifdef SECREG_COVERAGE
    __gcov_dump();
#endif
    _exit(code);
}

/* Runs `act` in a child. Returns its exit status, or 1000 and the signal that ended it. */
static int in_child(int (*act)(void))
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        leave(act());
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* ---- acts: 0 or an errno value ---- */

static int result(long r)
{
    return r < 0 ? errno : 0;
}

static int opened(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    int r = result(fd);
    if (fd >= 0)
        close(fd);
    return r;
}

static int act_read_state(void)
{
    return opened(path_in(CONFINE_STATE, "file"), O_RDONLY);
}

static int act_truncate_state(void)
{
    return opened(path_in(CONFINE_STATE, "file"), O_WRONLY | O_TRUNC);
}

static int act_list_state(void)
{
    return opened(places[CONFINE_STATE], O_RDONLY | O_DIRECTORY);
}

static int act_create_in_state(void)
{
    int r = opened(path_in(CONFINE_STATE, "made"), O_WRONLY | O_CREAT);
    return r != 0 ? r : result(unlink(path_in(CONFINE_STATE, "made")));
}

static int act_rename_in_state(void)
{
    char from[PATH_BYTES], to[PATH_BYTES];
    snprintf(from, sizeof from, "%s/file", places[CONFINE_STATE]);
    snprintf(to, sizeof to, "%s/moved", places[CONFINE_STATE]);
    if (rename(from, to) < 0)
        return errno;
    return result(rename(to, from));
}

static int act_make_folder_in_state(void)
{
    return result(mkdir(path_in(CONFINE_STATE, "folder"), 0700));
}

static int act_create_in_config(void)
{
    int r = opened(path_in(CONFINE_CONFIG, "made"), O_WRONLY | O_CREAT);
    return r != 0 ? r : result(unlink(path_in(CONFINE_CONFIG, "made")));
}

static int act_read_config(void)
{
    return opened(path_in(CONFINE_CONFIG, "file"), O_RDONLY);
}

static int act_read_etc(void)
{
    return opened(path_in(CONFINE_ETC, "file"), O_RDONLY);
}

static int act_write_etc(void)
{
    return opened(path_in(CONFINE_ETC, "file"), O_WRONLY);
}

static int act_unlink_in_run(void)
{
    return result(unlink(path_in(CONFINE_RUN, "file")));
}

static int act_read_passwd(void)
{
    return opened("/etc/passwd", O_RDONLY);
}

static int act_read_proc(void)
{
    return opened("/proc/self/cgroup", O_RDONLY);
}

static int act_read_urandom(void)
{
    return opened("/dev/urandom", O_RDONLY);
}

static int act_bind_tcp(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? errno : result(bind(fd, (const struct sockaddr *)&to, sizeof to));
}

static int act_connect_tcp(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? errno : result(connect(fd, (const struct sockaddr *)&to, sizeof to));
}

static struct sockaddr_un abstract_name;

static int act_connect_abstract(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? errno : result(connect(fd, (const struct sockaddr *)&abstract_name, sizeof abstract_name));
}

static int act_signal_parent(void)
{
    return result(kill(getppid(), 0));
}

static int act_socket(void)
{
    return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int act_fork(void)
{
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return result(pid);
}

static int act_exec(void)
{
    char *argv[] = {NULL};
    return result(execve("/bin/true", argv, argv));
}

static int act_map_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}

static int act_map_data(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return errno;
    return mprotect(p, 4096, PROT_READ) != 0 ? errno : result(munmap(p, 4096));
}

static int act_make_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? EFAULT : result(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int act_ask_terminal(void)
{
    char termios[64];
    return result(syscall(SYS_ioctl, 1, 0x5401 /* TCGETS */, termios));
}

static int act_ptrace(void)
{
    return result(syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, getppid(), 0, 0));
}

static int act_send_to_address(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    return result(sendto(1, "x", 1, 0, (const struct sockaddr *)&to, sizeof to));
}

static int act_abort(void)
{
    abort();
}

/* ---- entering whole profiles ---- */

static const struct confine_profile *profile;
static int (*act_after)(void);

static int enter_and_act(void)
{
    struct confine_report report;
    int r = confine_enter(profile, &params, &report);
    if (r < 0) {
        int line;
        const char *file = fault_origin(&line);
        fprintf(stderr, "%s: %s at %s:%d\n", profile->name, fault_text(r), file, line);
        return NOT_ENTERED;
    }
    if (!report.has_seccomp || report.landlock_abi != kernel_abi)
        return NOT_ENTERED + 1;
    return act_after();
}

static int confined(const char *name, int (*act)(void))
{
    profile = confine_find(name);
    act_after = act;
    return in_child(enter_and_act);
}

/* What Landlock refuses; a build that measures coverage leaves files open, and some kernels have no Landlock. */
static int refused_by_landlock(int abi)
{
    return kernel_abi >= abi ? EACCES : 0;
}

static int refused_file(void)
{
    return variant_opens_files() ? 0 : refused_by_landlock(1);
}

static void test_front(void **state)
{
    (void)state;
    /* a front opens nothing, by the filter alone; the calls of other build types leave that to Landlock */
    int file = variant_calls().count == 0 ? EACCES : refused_file();
    assert_int_equal(confined("secregd-front", act_read_state), file);
    assert_int_equal(confined("secregd-front", act_read_passwd), file);
    assert_int_equal(confined("secregd-front", act_create_in_state), variant_opens_files() ? ENDED_BY_FILTER : EACCES);
    assert_int_equal(confined("secregd-front", act_socket), EACCES);
    assert_int_equal(confined("secregd-front", act_signal_parent), ENDED_BY_FILTER);
    assert_int_equal(confined("secregd-front", act_rename_in_state), ENDED_BY_FILTER);
    assert_int_equal(confined("secregd-front", act_send_to_address), ENDED_BY_FILTER);
}

static void test_engine(void **state)
{
    (void)state;
    assert_int_equal(confined("secregd-engine", act_read_state), 0);
    assert_int_equal(confined("secregd-engine", act_list_state), 0);
    assert_int_equal(confined("secregd-engine", act_truncate_state), 0);
    assert_int_equal(confined("secregd-engine", act_create_in_state), 0);
    assert_int_equal(confined("secregd-engine", act_rename_in_state), 0);
    assert_int_equal(confined("secregd-engine", act_read_proc), 0);
    assert_int_equal(confined("secregd-engine", act_read_urandom), 0);
    assert_int_equal(confined("secregd-engine", act_read_config), refused_file());
    assert_int_equal(confined("secregd-engine", act_create_in_config), refused_file());
    assert_int_equal(confined("secregd-engine", act_read_passwd), refused_file());
    assert_int_equal(confined("secregd-engine", act_signal_parent), ENDED_BY_FILTER);
    assert_int_equal(confined("secregd-engine", act_socket), EACCES);
}

static void test_init(void **state)
{
    (void)state;
    assert_int_equal(confined("secregd-init", act_create_in_state), 0);
    assert_int_equal(confined("secregd-init", act_make_folder_in_state), 0);
    assert_int_equal(rmdir(path_in(CONFINE_STATE, "folder")), 0);
    assert_int_equal(confined("secregd-init", act_create_in_config), 0);
    assert_int_equal(confined("secregd-init", act_read_passwd), refused_file());
    assert_int_equal(confined("secregd-init", act_read_proc), refused_file());
}

static void test_parent(void **state)
{
    (void)state;
    assert_int_equal(confined("secregd-parent", act_read_config), 0);
    assert_int_equal(confined("secregd-parent", act_read_etc), 0);
    assert_int_equal(confined("secregd-parent", act_write_etc), refused_file());
    assert_int_equal(confined("secregd-parent", act_read_state), refused_file());
    assert_int_equal(confined("secregd-parent", act_signal_parent), 0);
    assert_int_equal(confined("secregd-parent", act_unlink_in_run), 0);
    write_file(path_in(CONFINE_RUN, "file"));
    assert_int_equal(confined("secregd-parent", act_rename_in_state), ENDED_BY_FILTER);
    assert_int_equal(confined("secregd-parent", act_make_folder_in_state), variant_opens_files() ? 0 : ENDED_BY_FILTER);
    rmdir(path_in(CONFINE_STATE, "folder"));
}

static void test_every_profile(void **state)
{
    (void)state;
    for (size_t i = 0; profiles_at(i) != NULL; i++) {
        const char *name = profiles_at(i)->name;
        assert_int_equal(confined(name, act_fork), EPERM);
        assert_int_equal(confined(name, act_exec), ENDED_BY_FILTER);
        assert_int_equal(confined(name, act_map_code), EACCES);
        assert_int_equal(confined(name, act_make_code), EACCES);
        assert_int_equal(confined(name, act_map_data), 0);
        assert_int_equal(confined(name, act_ask_terminal), ENOTTY);
        assert_int_equal(confined(name, act_ptrace), ENDED_BY_FILTER);
        assert_int_equal(confined(name, act_abort), 1000 + SIGABRT);
    }
}

static int act_check_limits(void)
{
    struct rlimit core, files, processes;
    if (getrlimit(RLIMIT_CORE, &core) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0 ||
        getrlimit(RLIMIT_NPROC, &processes) < 0)
        return errno;
    return core.rlim_max == 0 && processes.rlim_max == 0 && files.rlim_cur == files.rlim_max &&
                   files.rlim_max <= profile->files_max_count
               ? 0
               : EINVAL;
}

static void test_limits(void **state)
{
    (void)state;
    for (size_t i = 0; profiles_at(i) != NULL; i++)
        assert_int_equal(confined(profiles_at(i)->name, act_check_limits), 0);
}

/* ---- what /proc shows of a confined process ---- */

static int pipe_to_child[2], pipe_to_parent[2];

static int act_wait_for_parent(void)
{
    char c = 'r';
    if (write(pipe_to_parent[1], &c, 1) != 1)
        return EIO;
    return read(pipe_to_child[0], &c, 1) == 1 ? 0 : EIO;
}

static void read_status_of(pid_t pid, struct confine_status *ret_status)
{
    char path[48], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, text, sizeof text - 1);
    assert_true(n > 0);
    close(fd);
    text[n] = '\0';
    assert_int_equal(confine_status_parse(text, ret_status), 0);
}

static void test_shown_in_proc(void **state)
{
    (void)state;
    struct confine_status before;
    read_status_of(getpid(), &before);
    for (size_t i = 0; profiles_at(i) != NULL; i++) {
        struct confine_status s;
        const char *why = "";
        char c;
        int status;
        profile = profiles_at(i);
        act_after = act_wait_for_parent;
        assert_int_equal(pipe2(pipe_to_child, O_CLOEXEC), 0);
        assert_int_equal(pipe2(pipe_to_parent, O_CLOEXEC), 0);
        fflush(NULL);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            leave(enter_and_act());
        close(pipe_to_parent[1]);
        assert_int_equal(read(pipe_to_parent[0], &c, 1), 1);
        read_status_of(pid, &s);
        assert_int_equal(write(pipe_to_child[1], "g", 1), 1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        close(pipe_to_parent[0]);
        close(pipe_to_child[0]);
        close(pipe_to_child[1]);
        if (!confine_status_expected(profile, &s, &why))
            fail_msg("%s: %s", profile->name, why);
        assert_int_equal(s.seccomp_filters, before.seccomp_filters + 1);
        assert_int_equal(s.cap_permitted, profile->capabilities & before.cap_permitted);
        assert_int_equal(s.uid, getuid());
        assert_false(confine_status_expected(profile, &before, &why) && !before.has_no_new_privs);
    }
}

/* ---- Landlock alone ---- */

static struct confine_profile bare;
static int bare_result;

static int landlock_and_act(void)
{
    struct confine_report report = {0};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return NOT_ENTERED;
    int r = landlock_enter(&bare, &params, &report);
    if (r < 0)
        return r == bare_result ? 0 : NOT_ENTERED;
    return act_after();
}

static int landlocked(int (*act)(void))
{
    act_after = act;
    bare_result = 0;
    return in_child(landlock_and_act);
}

static int act_nothing(void)
{
    return NOT_ENTERED + 2;
}

/* 0 if Landlock ended with this fault. */
static int landlock_fault(int fault)
{
    act_after = act_nothing;
    bare_result = fault;
    return in_child(landlock_and_act);
}

static void listen_abstract(int *ret_fd)
{
    *ret_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(*ret_fd >= 0);
    abstract_name = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(abstract_name.sun_path + 1, sizeof abstract_name.sun_path - 1, "secreg-confine-%d", (int)getpid());
    assert_int_equal(bind(*ret_fd, (const struct sockaddr *)&abstract_name, sizeof abstract_name), 0);
    assert_int_equal(listen(*ret_fd, 4), 0);
}

static void test_landlock_ports_and_scopes(void **state)
{
    int listener;
    (void)state;
    bare = (struct confine_profile){.name = "bare", .groups = GROUP_BASE};
    listen_abstract(&listener);
    assert_int_equal(landlocked(act_bind_tcp), refused_by_landlock(4));
    assert_int_equal(landlocked(act_connect_tcp), kernel_abi >= 4 ? EACCES : ECONNREFUSED);
    assert_int_equal(landlocked(act_connect_abstract), kernel_abi >= 6 ? EPERM : 0);
    assert_int_equal(landlocked(act_signal_parent), kernel_abi >= 6 ? EPERM : 0);
    bare.may_signal_outside = true;
    assert_int_equal(landlocked(act_signal_parent), 0);
    assert_int_equal(landlocked(act_connect_abstract), kernel_abi >= 6 ? EPERM : 0);
    close(listener);
}

static void test_landlock_files(void **state)
{
    (void)state;
    bare = (struct confine_profile){
        .name = "bare", .groups = GROUP_BASE, .rules = {{CONFINE_STATE, NULL, CONFINE_READ, false}}};
    assert_int_equal(landlocked(act_read_state), 0);
    assert_int_equal(landlocked(act_list_state), refused_file());
    assert_int_equal(landlocked(act_truncate_state), refused_file());
    assert_int_equal(landlocked(act_create_in_state), refused_file());
    assert_int_equal(landlocked(act_make_folder_in_state), refused_file());
    rmdir(path_in(CONFINE_STATE, "folder"));
    assert_int_equal(landlocked(act_rename_in_state), refused_file());
    assert_int_equal(landlocked(act_read_config), refused_file());
    assert_int_equal(landlocked(act_exec), refused_file());
    bare.rules[0].rights = CONFINE_WRITE;
    assert_int_equal(landlocked(act_truncate_state), 0);
    assert_int_equal(landlocked(act_read_state), refused_file());
    bare.rules[0].rights = CONFINE_LIST;
    assert_int_equal(landlocked(act_list_state), 0);
    assert_int_equal(landlocked(act_read_state), refused_file());
}

/* A place may be one file: rights that only folders have are left out of the rule. */
static void test_landlock_one_file(void **state)
{
    char file[PATH_BYTES];
    const char *folder = params.places[CONFINE_STATE];
    (void)state;
    if (kernel_abi == 0)
        skip();
    snprintf(file, sizeof file, "%s", path_in(CONFINE_STATE, "file"));
    params.places[CONFINE_STATE] = file;
    bare = (struct confine_profile){
        .name = "bare", .rules = {{CONFINE_STATE, NULL, CONFINE_READ | CONFINE_LIST | CONFINE_CREATE, false}}};
    assert_int_equal(landlocked(act_read_state), 0);
    assert_int_equal(landlocked(act_list_state), refused_file());
    bare.rules[0].rights = CONFINE_LIST;
    assert_int_equal(landlock_fault(-ENOTDIR), 0);
    params.places[CONFINE_STATE] = folder;
}

static void test_landlock_missing_places(void **state)
{
    (void)state;
    if (kernel_abi == 0)
        skip();
    bare = (struct confine_profile){.name = "bare", .rules = {{CONFINE_SELF, NULL, CONFINE_READ, false}}};
    params.places[CONFINE_SELF] = NULL;
    assert_int_equal(landlock_fault(FAULT_CONFINE), 0);
    params.places[CONFINE_SELF] = "relative/path";
    assert_int_equal(landlock_fault(FAULT_CONFINE), 0);
    params.places[CONFINE_SELF] = "/nowhere/secreg";
    assert_int_equal(landlock_fault(-ENOENT), 0);
    bare.rules[0].is_optional = true;
    assert_int_equal(landlocked(act_read_passwd), refused_file());
    params.places[CONFINE_SELF] = NULL;
    assert_int_equal(landlocked(act_read_passwd), refused_file());
    char not_a_folder[PATH_BYTES + 8];
    snprintf(not_a_folder, sizeof not_a_folder, "%s/below", path_in(CONFINE_ETC, "file"));
    params.places[CONFINE_SELF] = not_a_folder;
    assert_int_equal(landlock_fault(-ENOTDIR), 0); /* optional means absent, not broken */
    params.places[CONFINE_SELF] = NULL;
}

/* ---- identity ---- */

static uid_t wanted_uid;

static int become(void)
{
    const struct confine_profile none = {.name = "none", .groups = GROUP_BASE, .files_max_count = 64};
    const struct confine_params p = {.uid = wanted_uid, .gid = wanted_uid};
    gid_t groups[8];
    uid_t u[3];
    int signal = 0;
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || (geteuid() == 0 && setgroups(2, (const gid_t[]){4, 5}) < 0))
        return NOT_ENTERED;
    int r = identity_enter(&none, &p);
    if (r < 0)
        return r == FAULT_CONFINE ? EPERM : NOT_ENTERED;
    if (getresuid(&u[0], &u[1], &u[2]) < 0 || u[0] != wanted_uid || u[1] != wanted_uid || u[2] != wanted_uid)
        return EINVAL;
    if (getgroups(8, groups) != 0 && wanted_uid == NOBODY)
        return E2BIG;
    if (prctl(PR_GET_PDEATHSIG, &signal) < 0 || signal != SIGTERM)
        return ESRCH;
    return wanted_uid != 0 && setuid(0) == 0 ? EPERM : 0;
}

static void test_become_another_user(void **state)
{
    (void)state;
    wanted_uid = NOBODY;
    if (geteuid() == NOBODY)
        wanted_uid = NOBODY - 1;
    assert_int_equal(in_child(become), geteuid() == 0 ? 0 : EPERM);
}

static int stay(void)
{
    const struct confine_params p = {.uid = geteuid(), .gid = getegid()};
    const struct confine_profile kills = {.name = "kills", .capabilities = UINT64_C(1) << CAP_KILL};
    int had = prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN);
    if (identity_enter(&kills, &p) < 0)
        return NOT_ENTERED;
    if (geteuid() != 0)
        return prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) == had ? 0 : EINVAL;
    if (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) != 0 || (prctl(PR_GET_SECUREBITS) & SECBIT_NOROOT_LOCKED) == 0)
        return EINVAL;
    return chown(root, 1, 1) < 0 && errno == EPERM && kill(1, 0) == 0 ? 0 : EINVAL;
}

static void test_stay(void **state)
{
    (void)state;
    assert_int_equal(in_child(stay), 0);
}

static int enter_as_nobody(void)
{
    struct confine_report report;
    struct confine_params p = params;
    p.uid = p.gid = NOBODY;
    int r = confine_enter(confine_find("secregd-engine"), &p, &report);
    return r < 0 ? NOT_ENTERED : act_create_in_state();
}

static void test_enter_as_another_user(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("only root can become another user\n");
        skip();
    }
    assert_int_equal(in_child(enter_as_nobody), 0);
}

/* ---- kernels and containers that refuse: each step that fails is a fault ---- */

struct refusal {
    long call;
    int argument; /* -1: any; compared with `value`, low half */
    uint32_t value;
    bool is_other; /* refuse when the argument is another than `value` */
    int error;     /* SECCOMP_RET_ERRNO with it; -1: SECCOMP_RET_TRAP */
    int want;      /* fault that confine_enter() must return */
    bool needs_root;
};

static const struct refusal *refusal;

static int put_refusal(void)
{
    const uint32_t at = (uint32_t)offsetof(struct seccomp_data, args) + 8u * (uint32_t)MAX_OF(refusal->argument, 0);
    const bool is_any = refusal->argument < 0;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)refusal->call, is_any ? 2 : 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refusal->value, refusal->is_other ? 1 : 0, refusal->is_other ? 0 : 1),
        BPF_STMT(BPF_RET | BPF_K, refusal->error < 0 ? SECCOMP_RET_TRAP : SECCOMP_RET_ERRNO | (uint32_t)refusal->error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {COUNT_OF(code), code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static int enter_refused(void)
{
    struct confine_report report = {.landlock_abi = 77};
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || put_refusal() != 0)
        return NOT_ENTERED;
    int r = confine_enter(confine_find("secregd-engine"), &params, &report);
    if (r != refusal->want) {
        int line;
        const char *file = fault_origin(&line);
        fprintf(stderr, "call %ld: %d (%s) at %s:%d\n", refusal->call, r, r < 0 ? fault_text(r) : "", file, line);
        return 1;
    }
    return r < 0 && report.landlock_abi != 77 ? 2 : 0; /* the report is set only on success */
}

static void test_refused_steps(void **state)
{
    static const struct refusal rows[] = {
        {SYS_prlimit64, 2, 0, false, EPERM, -EPERM, false},
        {SYS_prlimit64, 2, 0, true, EPERM, -EPERM, false},
        {SYS_prctl, 0, PR_GET_PDEATHSIG, false, EINVAL, -EINVAL, false},
        {SYS_prctl, 0, PR_SET_PDEATHSIG, false, EINVAL, -EINVAL, false},
        {SYS_prctl, 0, PR_GET_SECUREBITS, false, EINVAL, -EINVAL, true},
        {SYS_prctl, 0, PR_SET_SECUREBITS, false, EPERM, -EPERM, true},
        {SYS_prctl, 0, PR_SET_DUMPABLE, false, EINVAL, -EINVAL, false},
        {SYS_prctl, 0, PR_SET_NO_NEW_PRIVS, false, EINVAL, -EINVAL, false},
        {SYS_capget, -1, 0, false, EPERM, FAULT_CONFINE, false},
        {SYS_capset, -1, 0, false, EPERM, FAULT_CONFINE, false},
        {444, 0, 0, true, ENOMEM, -ENOMEM, false},
        {445, -1, 0, false, EINVAL, -EINVAL, false},
        {446, -1, 0, false, E2BIG, -E2BIG, false},
        {SYS_newfstatat, -1, 0, false, EIO, -EIO, false},
        {SYS_seccomp, -1, 0, false, ENOSYS, FAULT_CONFINE, false},
        {SYS_seccomp, 0, SECCOMP_SET_MODE_FILTER, false, ENOMEM, -EOPNOTSUPP, false},
        /* with these flags only the filter itself is loaded; the library's questions pass */
        {SYS_seccomp, 1, SECCOMP_FILTER_FLAG_TSYNC | (1u << 4), false, ENOMEM, -ENOMEM, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool is_landlock = rows[i].call >= 444 && rows[i].call <= 446;
        if ((rows[i].needs_root && geteuid() != 0) || (is_landlock && kernel_abi == 0)) {
            print_message("row %zu needs %s: not tried\n", i, is_landlock ? "Landlock" : "root");
            continue;
        }
        refusal = &rows[i];
        assert_int_equal(in_child(enter_refused), 0);
    }
}

static int enter_without_landlock(void)
{
    struct confine_report report;
    if (put_refusal() != 0 || confine_enter(confine_find("secregd-front"), &params, &report) < 0)
        return NOT_ENTERED;
    return report.landlock_abi == 0 && report.has_seccomp && strstr(report.dropped, "files and folders") != NULL ? 0
                                                                                                                 : 1;
}

static void test_kernel_without_landlock(void **state)
{
    static const struct refusal rows[] = {{444, -1, 0, false, ENOSYS, 0, false},
                                          {444, -1, 0, false, EOPNOTSUPP, 0, false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        refusal = &rows[i];
        assert_int_equal(in_child(enter_without_landlock), 0);
    }
}

static int become_refused(void)
{
    const struct confine_profile none = {.name = "none"};
    const struct confine_params p = {.uid = NOBODY, .gid = NOBODY};
    return put_refusal() == 0 && identity_enter(&none, &p) == refusal->want ? 0 : NOT_ENTERED;
}

static void test_refused_change_of_user(void **state)
{
    static const struct refusal rows[] = {{SYS_setresuid, -1, 0, false, EAGAIN, FAULT_CONFINE, true},
                                          {SYS_setresgid, -1, 0, false, EPERM, FAULT_CONFINE, true},
                                          {SYS_getresuid, -1, 0, false, EIO, -EIO, true},
                                          /* a call that says it worked and did not */
                                          {SYS_setresuid, -1, 0, false, 0, FAULT_CONFINE, true}};
    (void)state;
    if (geteuid() != 0) {
        print_message("only root can become another user\n");
        skip();
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        refusal = &rows[i];
        assert_int_equal(in_child(become_refused), 0);
    }
}

/*
 * A role whose parent dies while it changes its user would never hear of it. The call that asks for the signal again is
 * trapped here, and the parent ended inside it: the number that the trapped call returns is then not negative.
 */
static pid_t doomed;

static void end_parent(int signal)
{
    (void)signal;
    kill(doomed, SIGKILL);
    while (getppid() == doomed)
        poll(NULL, 0, 1);
}

static void become_orphan(int out)
{
    static const struct refusal trap = {SYS_prctl, 0, PR_SET_PDEATHSIG, false, -1, 0, false};
    const struct confine_profile none = {.name = "none"};
    char answer = 'n';
    doomed = getppid();
    refusal = &trap;
    /* SIGCHLD as the death signal, since it is ignored */
    if (prctl(PR_SET_PDEATHSIG, SIGCHLD) == 0 && signal(SIGSYS, end_parent) != SIG_ERR && put_refusal() == 0)
        answer = identity_enter(&none, &params) == FAULT_CONFINE ? 'f' : 'e';
    leave(write(out, &answer, 1) == 1 ? 0 : 1);
}

static void test_parent_dies_meanwhile(void **state)
{
    int out[2], status;
    char answer = 0;
    (void)state;
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (fork() == 0)
            become_orphan(out[1]);
        for (;;)
            pause();
    }
    assert_int_equal(read(out[0], &answer, 1), 1);
    assert_int_equal(answer, 'f');
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    close(out[0]);
    close(out[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_front),
        cmocka_unit_test(test_engine),
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_parent),
        cmocka_unit_test(test_every_profile),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_shown_in_proc),
        cmocka_unit_test(test_landlock_ports_and_scopes),
        cmocka_unit_test(test_landlock_files),
        cmocka_unit_test(test_landlock_one_file),
        cmocka_unit_test(test_landlock_missing_places),
        cmocka_unit_test(test_become_another_user),
        cmocka_unit_test(test_stay),
        cmocka_unit_test(test_enter_as_another_user),
        cmocka_unit_test(test_refused_steps),
        cmocka_unit_test(test_kernel_without_landlock),
        cmocka_unit_test(test_refused_change_of_user),
        cmocka_unit_test(test_parent_dies_meanwhile),
    };
    return cmocka_run_group_tests(tests, make_places, remove_places);
}
