/* Tests of whole profiles from inside, of what /proc shows of them, and of Landlock alone. */
#include "test-children.h"

#include <arpa/inet.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "confine/variant.h"

/* ---- acts: 0 or an errno value --------------------------------------------------------------------------- */

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
/* ---- entering whole profiles ----------------------------------------------------------------------------- */

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

/* Two listeners on loopback, to the first of which the profile may connect. */
static uint16_t ports[2];

static int connect_to(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    return fd < 0 ? errno : result(connect(fd, (const struct sockaddr *)&to, sizeof to));
}

static int act_connect_to_port(void)
{
    return connect_to(ports[0]);
}

static int act_connect_elsewhere(void)
{
    return connect_to(ports[1]);
}

static void test_follower_over_tcp(void **state)
{
    int fds[2];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t n = sizeof at;
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fds[i], (const struct sockaddr *)&at, sizeof at), 0);
        assert_int_equal(listen(fds[i], 4), 0);
        assert_int_equal(getsockname(fds[i], (struct sockaddr *)&at, &n), 0);
        ports[i] = ntohs(at.sin_port);
    }
    params.tcp_port = ports[0];
    assert_int_equal(confined("secreg-follow-syslog", act_connect_to_port), 0);
    assert_int_equal(confined("secreg-follow-syslog", act_connect_elsewhere), refused_by_landlock(4));
    assert_int_equal(confined("secreg-follow-journal", act_connect_to_port), ENDED_BY_FILTER);
    params.tcp_port = 0;
    assert_int_equal(confined("secreg-follow-syslog", act_connect_to_port), refused_by_landlock(4));
    close(fds[0]);
    close(fds[1]);
}

static void test_every_profile(void **state)
{
    (void)state;
    for (size_t i = 0; profiles_at(i) != NULL; i++) {
        const char *name = profiles_at(i)->name;
        if (profiles_at(i)->is_open) /* test-open.c */
            continue;
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
    for (size_t i = 0; profiles_at(i) != NULL; i++) {
        if (!profiles_at(i)->is_open)
            assert_int_equal(confined(profiles_at(i)->name, act_check_limits), 0);
    }
}

/* ---- what /proc shows of a confined process -------------------------------------------------------------- */

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
        if (profile->is_open)
            continue;
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
/* ---- Landlock alone -------------------------------------------------------------------------------------- */

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
    if (kernel_abi == 0) {
        print_message("# this kernel has no Landlock\n");
        return;
    }
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
    if (kernel_abi == 0) {
        print_message("# this kernel has no Landlock\n");
        return;
    }
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
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_front),
        cmocka_unit_test(test_engine),
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_parent),
        cmocka_unit_test(test_follower_over_tcp),
        cmocka_unit_test(test_every_profile),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_shown_in_proc),
        cmocka_unit_test(test_landlock_ports_and_scopes),
        cmocka_unit_test(test_landlock_files),
        cmocka_unit_test(test_landlock_one_file),
        cmocka_unit_test(test_landlock_missing_places),
    };
    return cmocka_run_group_tests(tests, make_places, remove_places);
}
