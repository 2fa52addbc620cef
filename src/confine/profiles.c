/*
 * profiles - see profiles.h.
 *
 * Why a call stands in a group is said beside it where it is not plain. The lists hold for single-threaded C programs
 * on glibc 2.36 and musl, with SQLite (WAL, exclusive locking), OpenSSL and libsodium behind them.
 */
#include "confine/profiles.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define CALL(name)                                                                                                     \
    {                                                                                                                  \
        SCMP_SYS(name), 0, TEST_NONE, 0, 0                                                                             \
    }
#define CALL_IF(name, argument, test, value)                                                                           \
    {                                                                                                                  \
        SCMP_SYS(name), argument, test, value, 0                                                                       \
    }
#define REFUSE(name, error)                                                                                            \
    {                                                                                                                  \
        SCMP_SYS(name), 0, TEST_NONE, 0, error                                                                         \
    }
#define REFUSE_IF(name, argument, test, value, error)                                                                  \
    {                                                                                                                  \
        SCMP_SYS(name), argument, test, value, error                                                                   \
    }
#define CALLS(array)                                                                                                   \
    {                                                                                                                  \
        array, COUNT_OF(array)                                                                                         \
    }

// clang-format off
static const struct confine_call base_calls[] = {
    CALL(read), CALL(readv), CALL(write), CALL(writev), CALL(close), CALL(fstat),
    CALL(lseek), /* dprintf() asks where a descriptor stands */
    CALL_IF(fcntl, 1, TEST_EQUAL, F_GETFD), CALL_IF(fcntl, 1, TEST_EQUAL, F_SETFD),
    CALL_IF(fcntl, 1, TEST_EQUAL, F_GETFL), CALL_IF(fcntl, 1, TEST_EQUAL, F_SETFL),
    CALL_IF(fcntl, 1, TEST_EQUAL, F_DUPFD_CLOEXEC),
    /* memory, never executable: see the refusals */
    CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise), CALL(mlock), CALL(mlock2), CALL(munlock),
    CALL_IF(mmap, 2, TEST_CLEAR, PROT_EXEC), CALL_IF(mprotect, 2, TEST_CLEAR, PROT_EXEC),
    CALL(futex), /* locks of stdio and pthread_once() of OpenSSL */
    CALL(sysinfo), /* qsort() of glibc asks for the memory size and does not look whether it got an answer */
    CALL_IF(prlimit64, 2, TEST_EQUAL, 0), CALL(getrlimit), /* sysconf(); reading only */
    CALL(clock_gettime), CALL(clock_getres), CALL(gettimeofday), CALL(time), /* where the vDSO gives no answer */
    CALL(clock_nanosleep), CALL(nanosleep), CALL(restart_syscall), CALL(sched_yield),
    CALL(getrandom),
    CALL(getpid), CALL(gettid), CALL(getppid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid),
    CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn),
    CALL_IF(tgkill, 0, TEST_SELF, 0), /* abort() */
    CALL(exit), CALL(exit_group),
};

static const struct confine_call loop_calls[] = {
    CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait), CALL(epoll_pwait2),
    CALL(timerfd_create), CALL(timerfd_settime), CALL(timerfd_gettime), CALL(signalfd4), CALL(poll), CALL(ppoll),
};

static const struct confine_call stream_calls[] = {
    CALL(recvfrom), CALL(recvmsg), CALL(sendmsg), CALL(shutdown), CALL(getsockopt),
    CALL_IF(sendto, 4, TEST_EQUAL, 0), /* to the connected peer only */
};

static const struct confine_call accept_calls[] = { CALL(accept), CALL(accept4), CALL(getsockname) };

static const struct confine_call read_calls[] = {
    CALL(open), CALL(openat), CALL(openat2), CALL(statx), CALL(stat), CALL(lstat), CALL(newfstatat), CALL(access), CALL(faccessat),
    CALL(faccessat2), CALL(readlink), CALL(readlinkat), CALL(getcwd), CALL(statfs), CALL(fstatfs),
    CALL(pread64), CALL(preadv), CALL(getdents64), CALL(fadvise64),
};

static const struct confine_call write_calls[] = {
    CALL(pwrite64), CALL(pwritev), CALL(ftruncate), CALL(fallocate), CALL(fsync), CALL(fdatasync), CALL(msync),
    CALL(sync_file_range), CALL(rename), CALL(renameat), CALL(renameat2), CALL(fchmod), CALL(umask), CALL(flock),
    CALL_IF(fcntl, 1, TEST_EQUAL, F_GETLK), CALL_IF(fcntl, 1, TEST_EQUAL, F_SETLK),
    CALL_IF(fcntl, 1, TEST_EQUAL, F_SETLKW),
};

static const struct confine_call unlink_calls[] = { CALL(unlink), CALL(unlinkat) };
static const struct confine_call folder_calls[] = { CALL(mkdir), CALL(mkdirat) };
static const struct confine_call signal_calls[] = { CALL(kill), CALL(pidfd_send_signal) };
static const struct confine_call wait_calls[] = { CALL(waitid), CALL(wait4) };

static const struct confine_call pair_calls[] = { CALL_IF(socketpair, 0, TEST_EQUAL, AF_UNIX) };

static const struct confine_call local_calls[] = {
    CALL_IF(socket, 0, TEST_EQUAL, AF_UNIX), CALL(connect), CALL_IF(setsockopt, 1, TEST_EQUAL, SOL_SOCKET),
};

/* By its protocol, which no other kind of socket has. */
static const struct confine_call tcp_calls[] = {
    CALL_IF(socket, 2, TEST_EQUAL, IPPROTO_TCP), CALL(connect), CALL_IF(setsockopt, 1, TEST_EQUAL, SOL_SOCKET),
    CALL_IF(setsockopt, 1, TEST_EQUAL, IPPROTO_TCP), CALL_IF(ioctl, 1, TEST_EQUAL, SIOCOUTQ),
};

static const struct confine_calls groups[GROUPS_COUNT] = {
    CALLS(base_calls), CALLS(loop_calls), CALLS(stream_calls), CALLS(accept_calls), CALLS(read_calls),
    CALLS(write_calls), CALLS(unlink_calls), CALLS(folder_calls), CALLS(signal_calls), CALLS(wait_calls),
    CALLS(pair_calls), CALLS(local_calls), CALLS(tcp_calls),
};

static const struct confine_call refusals[] = {
    /* libraries look for configuration, time zones, locales and the number of processors */
    REFUSE(open, EACCES), REFUSE(openat, EACCES), REFUSE(openat2, EACCES), REFUSE(stat, EACCES),
    REFUSE(lstat, EACCES), REFUSE(newfstatat, EACCES), REFUSE(access, EACCES), REFUSE(faccessat, EACCES),
    REFUSE(faccessat2, EACCES), REFUSE(readlink, EACCES), REFUSE(readlinkat, EACCES), REFUSE(getcwd, EACCES),
    REFUSE(statx, ENOSYS), /* older calls are tried then */
    REFUSE(sched_getaffinity, EPERM), REFUSE(uname, EPERM),
    /* syslog(), name look-ups */
    REFUSE(socket, EACCES), REFUSE(socketpair, EACCES), REFUSE(setsockopt, EPERM),
    /* system(), threads: clone3 too with EPERM, since ENOSYS would only lead to clone */
    REFUSE(clone, EPERM), REFUSE(clone3, EPERM), REFUSE(fork, EPERM), REFUSE(vfork, EPERM),
    REFUSE_IF(ioctl, 1, TEST_OTHER, SIOCOUTQ, ENOTTY), /* stdio asks whether a stream is a terminal; SQLite asks file systems for features */
    REFUSE(prctl, EPERM),
    REFUSE(fchown, EPERM), REFUSE(fchmod, EPERM), /* SQLite as root gives its files the owner of the database */
    /* code is never made while a role runs */
    REFUSE_IF(mmap, 2, TEST_SET, PROT_EXEC, EACCES), REFUSE_IF(mprotect, 2, TEST_SET, PROT_EXEC, EACCES),
};

/* Looking into other processes, changing the system, and ways around Landlock: of no use to a PAM stack. */
static const struct confine_call denials[] = {
    REFUSE(ptrace, EPERM), REFUSE(process_vm_readv, EPERM), REFUSE(process_vm_writev, EPERM), REFUSE(kcmp, EPERM),
    REFUSE(pidfd_getfd, EPERM), REFUSE(perf_event_open, EPERM), REFUSE(bpf, EPERM), REFUSE(userfaultfd, EPERM),
    REFUSE(io_uring_setup, EPERM), REFUSE(io_uring_enter, EPERM), REFUSE(io_uring_register, EPERM),
    REFUSE(mount, EPERM), REFUSE(umount2, EPERM), REFUSE(pivot_root, EPERM), REFUSE(chroot, EPERM),
    REFUSE(move_mount, EPERM), REFUSE(open_tree, EPERM), REFUSE(fsopen, EPERM), REFUSE(fsmount, EPERM),
    REFUSE(fsconfig, EPERM), REFUSE(fspick, EPERM), REFUSE(mount_setattr, EPERM), REFUSE(setns, EPERM),
    REFUSE(unshare, EPERM), REFUSE_IF(clone, 0, TEST_SET, CLONE_NEWUSER, EPERM),
    REFUSE(clone3, ENOSYS), /* its flags are out of a filter's reach: clone is tried then */
    REFUSE(open_by_handle_at, EPERM), REFUSE(quotactl, EPERM), REFUSE(acct, EPERM),
    REFUSE(init_module, EPERM), REFUSE(finit_module, EPERM), REFUSE(delete_module, EPERM),
    REFUSE(kexec_load, EPERM), REFUSE(kexec_file_load, EPERM), REFUSE(reboot, EPERM),
    REFUSE(swapon, EPERM), REFUSE(swapoff, EPERM), REFUSE(iopl, EPERM), REFUSE(ioperm, EPERM),
    REFUSE(settimeofday, EPERM), REFUSE(clock_settime, EPERM), REFUSE(adjtimex, EPERM), REFUSE(clock_adjtime, EPERM),
    REFUSE(sethostname, EPERM), REFUSE(setdomainname, EPERM),
};

#define BIT(cap) (UINT64_C(1) << (cap))

/* Reading shadow and tally files, becoming the user, the log of the audit system, locked memory. */
#define PAM_CAPABILITIES                                                                                               \
    (BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FOWNER) | BIT(CAP_FSETID) |           \
     BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_AUDIT_WRITE) | BIT(CAP_IPC_LOCK))
#define PAM_HIDDEN (1u << CONFINE_STATE | 1u << CONFINE_CONFIG)

static const struct confine_profile profiles[] = {
    /*
     * Enters after every role was started: Landlock and seccomp pass on to children, so roles started later would be
     * held by the parent's row as well; those that are started on demand are the starter's. A role is never started
     * again. Signals must leave the Landlock domain,
     * because the roles are not in it. /etc is a rule for the folder: /etc/passwd is replaced, not written, and a rule
     * for the file would hold the old one.
     */
    {"secregd-parent", GROUP_BASE | GROUP_LOOP | GROUP_STREAM | GROUP_READ | GROUP_UNLINK | GROUP_SIGNAL | GROUP_WAIT |
     GROUP_PAIR,
     BIT(CAP_KILL), 1024, true,
     {{CONFINE_CONFIG, NULL, CONFINE_READ | CONFINE_LIST, true},
      {CONFINE_ETC, NULL, CONFINE_READ, false},
      {CONFINE_RUN, NULL, CONFINE_REMOVE, false}}, .is_open = false},
    /* Parses hostile bytes: no file, no new socket, only descriptors it was handed. */
    {"secregd-front", GROUP_BASE | GROUP_LOOP | GROUP_STREAM, 0, 65536, false, {{CONFINE_STATE, NULL, 0, false}},
     .is_open = false},
    /* Without /dev/urandom SQLite would seed its generator from the clock. Which units are active, access rules ask. */
    {"secregd-engine",
     GROUP_BASE | GROUP_LOOP | GROUP_STREAM | GROUP_ACCEPT | GROUP_READ | GROUP_WRITE | GROUP_UNLINK, 0,
     65536, false,
     {{CONFINE_STATE, NULL, CONFINE_READ | CONFINE_LIST | CONFINE_WRITE | CONFINE_CREATE | CONFINE_REMOVE, false},
      {CONFINE_PROC, NULL, CONFINE_READ, false},
      {CONFINE_PLACES_COUNT, "/dev/urandom", CONFINE_READ, true},
      {CONFINE_PLACES_COUNT, "/sys/fs/cgroup/system.slice", CONFINE_READ, true}}, .is_open = false},
    {"secregd-init", GROUP_BASE | GROUP_READ | GROUP_WRITE | GROUP_UNLINK | GROUP_FOLDERS, 0, 256, false,
     {{CONFINE_STATE, NULL,
       CONFINE_READ | CONFINE_LIST | CONFINE_WRITE | CONFINE_CREATE | CONFINE_REMOVE | CONFINE_FOLDERS, false},
      {CONFINE_CONFIG, NULL, CONFINE_READ | CONFINE_LIST | CONFINE_WRITE | CONFINE_CREATE | CONFINE_REMOVE, false},
      {CONFINE_PLACES_COUNT, "/dev/urandom", CONFINE_READ, true}}, .is_open = false},
    /* Reads hostile files and prints: nothing else. An export is read through a descriptor that it has already. */
    {"secreg-verify", GROUP_BASE | GROUP_READ, 0, 64, false,
     {{CONFINE_STATE, NULL, CONFINE_READ | CONFINE_LIST, true}, {CONFINE_PEER, NULL, CONFINE_READ, true}}, .is_open = false},
    /* Send the trail elsewhere, each to one place; the cursor is a descriptor that they have already. */
    {"secreg-follow-journal", GROUP_BASE | GROUP_LOOP | GROUP_STREAM | GROUP_LOCAL | GROUP_WRITE, 0, 64, false,
     {{CONFINE_RUN, NULL, CONFINE_CONNECT, true}, {CONFINE_PEER, NULL, CONFINE_CONNECT, true}}, .is_open = false},
    {"secreg-follow-syslog", GROUP_BASE | GROUP_LOOP | GROUP_STREAM | GROUP_LOCAL | GROUP_TCP | GROUP_WRITE, 0, 64, false,
     {{CONFINE_RUN, NULL, CONFINE_CONNECT, true}}, .is_open = false},
    {"secreg-follow-files",
     GROUP_BASE | GROUP_LOOP | GROUP_STREAM | GROUP_LOCAL | GROUP_READ | GROUP_WRITE | GROUP_UNLINK, 0, 64, false,
     {{CONFINE_STATE, NULL, CONFINE_READ | CONFINE_LIST | CONFINE_WRITE | CONFINE_CREATE | CONFINE_REMOVE, false},
      {CONFINE_RUN, NULL, CONFINE_CONNECT, true}}, .is_open = false},
    {"secreg-follow-witness",
     GROUP_BASE | GROUP_LOOP | GROUP_STREAM | GROUP_LOCAL | GROUP_READ | GROUP_WRITE | GROUP_UNLINK, 0, 64, false,
     {{CONFINE_STATE, NULL, CONFINE_READ | CONFINE_WRITE | CONFINE_CREATE | CONFINE_REMOVE, false},
      {CONFINE_RUN, NULL, CONFINE_CONNECT, true}}, .is_open = false},
    {"secreg-follow-remote",
     GROUP_BASE | GROUP_LOOP | GROUP_STREAM | GROUP_LOCAL | GROUP_TCP | GROUP_READ | GROUP_WRITE | GROUP_UNLINK, 0, 64,
     false,
     {{CONFINE_STATE, NULL, CONFINE_READ | CONFINE_WRITE | CONFINE_CREATE | CONFINE_REMOVE, false},
      {CONFINE_RUN, NULL, CONFINE_CONNECT, true}}, .is_open = false},
    {"secreg-follow-kernel", GROUP_BASE | GROUP_LOOP | GROUP_STREAM | GROUP_LOCAL | GROUP_WRITE, BIT(CAP_AUDIT_WRITE), 64,
     false, {{CONFINE_RUN, NULL, CONFINE_CONNECT, true}}, .is_open = false},
    /*
     * Starts the roles on demand and ends them. What it gives up they cannot have, so it is as open as the most open of
     * them; and it hides nothing, because what is hidden is worked out from the files of the moment, and /etc/shadow is
     * replaced while it runs. CAP_KILL: to end one that has become another user; Landlock keeps its signals inside what
     * it started.
     */
    {.name = "secregd-starter", .capabilities = PAM_CAPABILITIES | BIT(CAP_KILL), .files_max_count = 1024,
     .is_open = true},
    /* Runs the PAM stack of the host for one login: it lives for seconds. */
    {.name = "secregd-auth", .capabilities = PAM_CAPABILITIES, .files_max_count = 256,
     .is_open = true, .hidden_places = PAM_HIDDEN, .cpu_max_s = 30, .memory_max_mb = 1024},
};
// clang-format on

const struct confine_profile *profiles_at(size_t i)
{
    return i < COUNT_OF(profiles) ? &profiles[i] : NULL;
}

struct confine_calls profiles_group(unsigned bit)
{
    assert(bit < GROUPS_COUNT);
    return groups[bit];
}

struct confine_calls profiles_refusals(void)
{
    return (struct confine_calls){refusals, COUNT_OF(refusals)};
}

struct confine_calls profiles_denials(void)
{
    return (struct confine_calls){denials, COUNT_OF(denials)};
}

static bool has_call(struct confine_calls calls, int number)
{
    for (size_t i = 0; i < calls.count; i++) {
        if (calls.calls[i].number == number)
            return true;
    }
    return false;
}

bool profiles_allow(const struct confine_profile *profile, int number)
{
    assert(profile != NULL);
    for (unsigned bit = 0; bit < GROUPS_COUNT; bit++) {
        if ((profile->groups & (1u << bit)) != 0 && has_call(groups[bit], number))
            return true;
    }
    return false;
}

const struct confine_profile *confine_find(const char *name)
{
    assert(name != NULL);
    for (size_t i = 0; i < COUNT_OF(profiles); i++) {
        if (strcmp(profiles[i].name, name) == 0)
            return &profiles[i];
    }
    return NULL;
}
