/* acts - see probe.h. */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_BYTES = 512 };

static const char *const *places;
static int a_fd = -1, b_fd = -1;
static pid_t a_pid;

void acts_in(const char *const in[static CONFINE_PLACES_COUNT])
{
    places = in;
}

const char *acts_place(enum confine_place place)
{
    return places[place];
}

static int result(long r)
{
    return r < 0 ? errno : 0;
}

/* ---- files ----------------------------------------------------------------------------------------------- */

static const char *in(enum confine_place place, const char *name)
{
    static char paths[2][PATH_BYTES];
    static unsigned turn;
    char *path = paths[turn++ % 2];
    snprintf(path, PATH_BYTES, "%s/%s", places[place], name);
    return path;
}

static int try_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    int r = result(fd);
    if (fd >= 0)
        close(fd);
    return r;
}

static int read_passwd(void)
{
    return try_open("/etc/passwd", O_RDONLY);
}

static int read_shadow(void)
{
    return try_open("/etc/shadow", O_RDONLY);
}

static int list_root(void)
{
    return try_open("/", O_RDONLY | O_DIRECTORY);
}

static int create_in_tmp(void)
{
    return try_open("/tmp/secreg-probe-outside", O_WRONLY | O_CREAT);
}

static int read_state(void)
{
    return try_open(in(CONFINE_STATE, "file"), O_RDONLY);
}

static int list_state(void)
{
    return try_open(places[CONFINE_STATE], O_RDONLY | O_DIRECTORY);
}

static int write_state(void)
{
    return try_open(in(CONFINE_STATE, "file"), O_WRONLY);
}

static int truncate_state(void)
{
    return try_open(in(CONFINE_STATE, "file"), O_WRONLY | O_TRUNC);
}

static int create_state(void)
{
    return try_open(in(CONFINE_STATE, "made"), O_WRONLY | O_CREAT);
}

static int remove_state(void)
{
    return result(unlink(in(CONFINE_STATE, "spare")));
}

static int rename_state(void)
{
    if (rename(in(CONFINE_STATE, "file"), in(CONFINE_STATE, "moved")) < 0)
        return errno;
    return result(rename(in(CONFINE_STATE, "moved"), in(CONFINE_STATE, "file")));
}

static int rename_out(void)
{
    return result(rename(in(CONFINE_STATE, "file"), in(CONFINE_RUN, "moved")));
}

static int folder_state(void)
{
    int r = result(mkdir(in(CONFINE_STATE, "folder"), 0700));
    return r == EEXIST ? 0 : r;
}

static int lock_state(void)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(in(CONFINE_STATE, "file"), O_RDWR | O_CLOEXEC);
    return fd < 0 ? errno : result(fcntl(fd, F_SETLK, &whole));
}

static int sync_state(void)
{
    int fd = open(in(CONFINE_STATE, "file"), O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return errno;
    if (fallocate(fd, 0, 0, 4096) < 0 || pwrite(fd, "x", 1, 0) != 1 || fdatasync(fd) < 0)
        return errno;
    return result(ftruncate(fd, 2));
}

static int read_config(void)
{
    return try_open(in(CONFINE_CONFIG, "file"), O_RDONLY);
}

static int create_config(void)
{
    return try_open(in(CONFINE_CONFIG, "made"), O_WRONLY | O_CREAT);
}

static int read_etc(void)
{
    return try_open(in(CONFINE_ETC, "file"), O_RDONLY);
}

static int write_etc(void)
{
    return try_open(in(CONFINE_ETC, "file"), O_WRONLY);
}

static int remove_run(void)
{
    return result(unlink(in(CONFINE_RUN, "spare")));
}

static int create_run(void)
{
    return try_open(in(CONFINE_RUN, "made"), O_WRONLY | O_CREAT);
}

static int read_cgroup(void)
{
    return try_open("/proc/self/cgroup", O_RDONLY);
}

static int read_environ_of_parent(void)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/environ", (int)getppid());
    return try_open(path, O_RDONLY);
}

static int write_own_memory(void)
{
    return try_open("/proc/self/mem", O_RDWR);
}

static int read_urandom(void)
{
    return try_open("/dev/urandom", O_RDONLY);
}

static int change_mode(void)
{
    return result(chmod(in(CONFINE_STATE, "file"), 0600));
}

static int link_state(void)
{
    return result(link(in(CONFINE_STATE, "file"), in(CONFINE_STATE, "made")));
}

static int symlink_state(void)
{
    return result(symlink("/etc/shadow", in(CONFINE_STATE, "made")));
}

static int fifo_state(void)
{
    return result(mknod(in(CONFINE_STATE, "made"), S_IFIFO | 0600, 0));
}

/* ---- sockets --------------------------------------------------------------------------------------------- */

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static bool make_tcp(void)
{
    a_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return a_fd >= 0;
}

static bool make_udp(void)
{
    a_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return a_fd >= 0;
}

static int bind_tcp(void)
{
    struct sockaddr_in to = loopback(0);
    return result(bind(a_fd, (const struct sockaddr *)&to, sizeof to));
}

static int connect_tcp(void)
{
    struct sockaddr_in to = loopback(9);
    return result(connect(a_fd, (const struct sockaddr *)&to, sizeof to));
}

static int send_udp(void)
{
    struct sockaddr_in to = loopback(9);
    return result(sendto(a_fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof to));
}

/* The address of sendmsg() is out of a filter's reach. */
static int send_message(int fd, void *to, socklen_t to_bytes)
{
    struct iovec bytes = {(char[]){'x'}, 1};
    struct msghdr m = {.msg_name = to, .msg_namelen = to_bytes, .msg_iov = &bytes, .msg_iovlen = 1};
    return result(sendmsg(fd, &m, MSG_NOSIGNAL));
}

static int message_udp(void)
{
    struct sockaddr_in to = loopback(9);
    return send_message(a_fd, &to, sizeof to);
}

static struct sockaddr_un abstract;

static bool make_abstract(void)
{
    abstract = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(abstract.sun_path + 1, sizeof abstract.sun_path - 1, "secreg-probe-%d", (int)getpid());
    a_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    b_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return a_fd >= 0 && b_fd >= 0 && bind(b_fd, (const struct sockaddr *)&abstract, sizeof abstract) == 0;
}

static int connect_abstract(void)
{
    return result(connect(a_fd, (const struct sockaddr *)&abstract, sizeof abstract));
}

static int message_abstract(void)
{
    return send_message(a_fd, &abstract, sizeof abstract);
}

static bool make_listener(void)
{
    abstract = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(abstract.sun_path + 1, sizeof abstract.sun_path - 1, "secreg-probe-%d", (int)getpid());
    a_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    b_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return a_fd >= 0 && b_fd >= 0 && bind(a_fd, (const struct sockaddr *)&abstract, sizeof abstract) == 0 &&
           listen(a_fd, 1) == 0 && connect(b_fd, (const struct sockaddr *)&abstract, sizeof abstract) == 0;
}

static int accept_one(void)
{
    struct ucred peer;
    socklen_t n = sizeof peer;
    int fd = accept4(a_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return fd < 0 ? errno : result(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n));
}

static bool make_pair(void)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return false;
    a_fd = fds[0];
    b_fd = fds[1];
    return true;
}

static int set_option(void)
{
    int one = 1;
    return result(setsockopt(a_fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one));
}

static int new_pair(void)
{
    int fds[2];
    return result(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
}

/* A descriptor through a socket pair, as between a front and the engine. */
static int pass_descriptor(void)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    char c = 'x';
    struct iovec bytes = {&c, 1};
    struct msghdr m = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *head = CMSG_FIRSTHDR(&m);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &b_fd, sizeof b_fd);
    if (sendmsg(a_fd, &m, MSG_NOSIGNAL) != 1)
        return errno;
    return recvmsg(b_fd, &m, MSG_CMSG_CLOEXEC) == 1 && (m.msg_flags & MSG_CTRUNC) == 0 ? 0 : EIO;
}

static int send_and_receive(void)
{
    char c;
    if (send(a_fd, "x", 1, MSG_NOSIGNAL) != 1)
        return errno;
    return recv(b_fd, &c, 1, 0) == 1 ? result(shutdown(a_fd, SHUT_RDWR)) : EIO;
}

/* ---- processes ------------------------------------------------------------------------------------------- */

static int signal_parent(void)
{
    return result(kill(getppid(), 0));
}

static int signal_parent_thread(void)
{
    return result(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static bool make_pidfd(void)
{
    a_fd = (int)syscall(SYS_pidfd_open, getppid(), 0);
    return a_fd >= 0;
}

static int signal_pidfd(void)
{
    return result(syscall(SYS_pidfd_send_signal, a_fd, 0, NULL, 0));
}

static int take_descriptor(void)
{
    return result(syscall(SYS_pidfd_getfd, a_fd, 0, 0));
}

static bool make_child(void)
{
    a_pid = fork();
    if (a_pid == 0)
        _exit(0);
    return a_pid > 0;
}

static int wait_for_child(void)
{
    siginfo_t info;
    return result(waitid(P_PID, (id_t)a_pid, &info, WEXITED));
}

static int new_process(void)
{
    long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0)
        _exit(0);
    return result(pid);
}

static int run_program(void)
{
    char *argv[] = {(char[]){"true"}, NULL}, *none[] = {NULL};
    return result(execve("/bin/true", argv, none));
}

static int trace_parent(void)
{
    return result(syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, getppid(), 0, 0));
}

static int raise_limit(void)
{
    struct rlimit limit = {64, 64};
    return result(setrlimit(RLIMIT_NOFILE, &limit));
}

static int end_by_abort(void)
{
    /* the signal is blocked, so that what abort() needs is tried and the process lives to tell */
    sigset_t set;
    if (sigemptyset(&set) < 0 || sigaddset(&set, SIGUSR1) < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return errno;
    return result(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1));
}

#ifdef __x86_64__
static int call_of_32_bit(void)
{
    long r = 20; /* getpid() of i386 */
    __asm__ volatile("int $0x80" : "+a"(r) : : "memory", "r8", "r9", "r10", "r11");
    return r < 0 ? (int)-r : 0;
}

/* Kernels can be built, or started, without the calls of 32-bit processes. */
static bool has_calls_of_32_bit(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL); /* a sanitizer would write a report */
        _exit(call_of_32_bit());
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}
#endif

/* ---- memory, time, the loop ------------------------------------------------------------------------------ */

static int map_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}

static int map_writable_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? errno
               : 0;
}

static int make_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? EFAULT : result(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int look_by_statx(void)
{
    struct statx s;
    return result(syscall(SYS_statx, AT_FDCWD, "/", 0, STATX_INO, &s)); /* statx() of the C library tries others */
}

static int use_memory(void)
{
    void *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return errno;
    if (mlock(p, 4096) < 0 || madvise(p, 8192, MADV_DONTDUMP) < 0 || mprotect(p, 4096, PROT_NONE) < 0)
        return errno;
    return result(munmap(p, 8192));
}

static int use_time(void)
{
    struct timespec now, wait = {0, 1000};
    if (syscall(SYS_clock_gettime, CLOCK_BOOTTIME, &now) < 0)
        return errno;
    return result(nanosleep(&wait, NULL));
}

static int use_loop(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    struct itimerspec soon = {.it_value = {0, 1000}};
    sigset_t set;
    int loop = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
    if (loop < 0 || timer < 0 || sigemptyset(&set) < 0 || signalfd(-1, &set, SFD_CLOEXEC) < 0)
        return errno;
    if (epoll_ctl(loop, EPOLL_CTL_ADD, timer, &event) < 0 || timerfd_settime(timer, 0, &soon, NULL) < 0)
        return errno;
    struct pollfd p = {.fd = loop, .events = POLLIN};
    return epoll_wait(loop, &event, 1, 1000) == 1 && poll(&p, 1, 0) == 1 ? 0 : EIO;
}

// clang-format off
/* rows: name, call, run, prepare, need, by the filter, by Landlock, from ABI */
#define FILE_ACT(name, call, run, groups, place, rights, filter) \
    {name, SYS_##call, {0}, run, NULL, {false, groups, rights, place, NULL, false}, filter, EACCES, 1}
#define NEVER(name, call, run, prepare, filter) \
    {name, SYS_##call, {0}, run, prepare, {true, 0, 0, CONFINE_PLACES_COUNT, NULL, false}, filter, 0, 0}
#define RAW(call, filter, ...) RAW_AS(#call, call, filter, __VA_ARGS__)
#define RAW_AS(name, call, filter, ...) \
    {name, SYS_##call, {__VA_ARGS__}, NULL, NULL, {true, 0, 0, CONFINE_PLACES_COUNT, NULL, false}, filter, 0, 0}
#define CAN(name, run, prepare, groups, filter) \
    {name, -1, {0}, run, prepare, {false, groups, 0, CONFINE_PLACES_COUNT, NULL, false}, filter, 0, 0}
#define OUTSIDE CONFINE_PLACES_COUNT

static const struct act acts[] = {
    /* files */
    FILE_ACT("read /etc/passwd", openat, read_passwd, GROUP_READ, OUTSIDE, CONFINE_READ, EACCES),
    FILE_ACT("read /etc/shadow", openat, read_shadow, GROUP_READ, OUTSIDE, CONFINE_READ, EACCES),
    FILE_ACT("list /", openat, list_root, GROUP_READ, OUTSIDE, CONFINE_LIST, EACCES),
    FILE_ACT("create a file in /tmp", openat, create_in_tmp, GROUP_READ, OUTSIDE, CONFINE_CREATE, EACCES),
    FILE_ACT("read the state", openat, read_state, GROUP_READ, CONFINE_STATE, CONFINE_READ, EACCES),
    FILE_ACT("list the state", openat, list_state, GROUP_READ, CONFINE_STATE, CONFINE_LIST, EACCES),
    FILE_ACT("write the state", openat, write_state, GROUP_READ, CONFINE_STATE, CONFINE_WRITE, EACCES),
    FILE_ACT("truncate the state", openat, truncate_state, GROUP_READ, CONFINE_STATE, CONFINE_WRITE, EACCES),
    FILE_ACT("create in the state", openat, create_state, GROUP_READ, CONFINE_STATE, CONFINE_CREATE | CONFINE_WRITE, EACCES),
    FILE_ACT("remove in the state", unlink, remove_state, GROUP_UNLINK, CONFINE_STATE, CONFINE_REMOVE, ENDED),
    FILE_ACT("rename in the state", rename, rename_state, GROUP_WRITE, CONFINE_STATE, CONFINE_CREATE | CONFINE_REMOVE, ENDED),
    FILE_ACT("make a folder in the state", mkdir, folder_state, GROUP_FOLDERS, CONFINE_STATE, CONFINE_FOLDERS, ENDED),
    FILE_ACT("lock the state", openat, lock_state, GROUP_READ | GROUP_WRITE, CONFINE_STATE, CONFINE_READ | CONFINE_WRITE, EACCES),
    FILE_ACT("flush the state", openat, sync_state, GROUP_READ | GROUP_WRITE, CONFINE_STATE, CONFINE_READ | CONFINE_WRITE, EACCES),
    FILE_ACT("read the configuration", openat, read_config, GROUP_READ, CONFINE_CONFIG, CONFINE_READ, EACCES),
    FILE_ACT("create in the configuration", openat, create_config, GROUP_READ, CONFINE_CONFIG, CONFINE_CREATE | CONFINE_WRITE, EACCES),
    FILE_ACT("read a file of the system", openat, read_etc, GROUP_READ, CONFINE_ETC, CONFINE_READ, EACCES),
    FILE_ACT("write a file of the system", openat, write_etc, GROUP_READ, CONFINE_ETC, CONFINE_WRITE, EACCES),
    FILE_ACT("remove a socket", unlink, remove_run, GROUP_UNLINK, CONFINE_RUN, CONFINE_REMOVE, ENDED),
    FILE_ACT("create beside the sockets", openat, create_run, GROUP_READ, CONFINE_RUN, CONFINE_CREATE, EACCES),
    FILE_ACT("read a cgroup", openat, read_cgroup, GROUP_READ, CONFINE_PROC, CONFINE_READ, EACCES),
    FILE_ACT("write its own memory through /proc", openat, write_own_memory, GROUP_READ, CONFINE_PROC, CONFINE_WRITE, EACCES),
    {"move a file out of the state", SYS_rename, {0}, rename_out, NULL,
     {false, GROUP_WRITE, CONFINE_CREATE, OUTSIDE, NULL, false}, ENDED, EACCES, 1},
    {"read the environment of another process", SYS_openat, {0}, read_environ_of_parent, NULL,
     {false, GROUP_READ, CONFINE_READ, OUTSIDE, NULL, false}, EACCES, EACCES, 1},
    {"read /dev/urandom", SYS_openat, {0}, read_urandom, NULL,
     {false, GROUP_READ, CONFINE_READ, OUTSIDE, "/dev/urandom", false}, EACCES, EACCES, 1},
    NEVER("change a mode", chmod, change_mode, NULL, ENDED),
    NEVER("make a link", link, link_state, NULL, ENDED),
    NEVER("make a symbolic link", symlink, symlink_state, NULL, ENDED),
    NEVER("make a pipe in the state", mknod, fifo_state, NULL, ENDED),
    RAW(fchown, EPERM, -1, 0, 0), RAW(setxattr, ENDED, 0), RAW(utimensat, ENDED, 0), RAW(chdir, ENDED, 0), RAW(truncate, ENDED, 0),
    RAW(open_by_handle_at, ENDED, -1), RAW(name_to_handle_at, ENDED, -1), RAW(fanotify_init, ENDED, 0),
    RAW(inotify_init1, ENDED, 0), RAW(copy_file_range, ENDED, -1, 0, -1), RAW(sync, ENDED, 0),
    /* sockets */
    RAW_AS("make a socket: TCP", socket, EACCES, AF_INET, SOCK_STREAM), RAW_AS("make a socket: UDP over IPv6", socket, EACCES, AF_INET6, SOCK_DGRAM),
    RAW_AS("make a socket: netlink", socket, EACCES, AF_NETLINK, SOCK_RAW),
    {"make a socket: UNIX", SYS_socket, {AF_UNIX, SOCK_STREAM}, NULL, NULL, {false, GROUP_LOCAL, 0, OUTSIDE, NULL, false}, EACCES, 0, 0},
    {"make a socket: TCP and nothing else", SYS_socket, {AF_INET, SOCK_STREAM, IPPROTO_TCP}, NULL, NULL,
     {false, GROUP_TCP, 0, OUTSIDE, NULL, false}, EACCES, 0, 0},
    RAW_AS("make a socket: packet", socket, EACCES, AF_PACKET, SOCK_RAW), RAW_AS("make a socket: kernel cryptography", socket, EACCES, AF_ALG, SOCK_SEQPACKET),
    CAN("make a pair of UNIX sockets", new_pair, NULL, GROUP_PAIR, EACCES), RAW(setsockopt, EPERM, -1), RAW(listen, ENDED, -1),
    NEVER("bind a TCP port", bind, bind_tcp, make_tcp, ENDED),
    {"connect to another TCP port", SYS_connect, {0}, connect_tcp, make_tcp,
     {false, GROUP_LOCAL, CONFINE_SOCKETS, OUTSIDE, NULL, false}, ENDED, EACCES, 4},
    {"connect to an abstract socket", SYS_connect, {0}, connect_abstract, make_abstract,
     {false, GROUP_LOCAL, CONFINE_SOCKETS, OUTSIDE, NULL, false}, ENDED, EPERM, 6},
    {"set an option of a socket", SYS_setsockopt, {0}, set_option, make_pair, {false, GROUP_LOCAL, 0, OUTSIDE, NULL, false}, EPERM, 0, 0},
    NEVER("send a datagram to an address", sendto, send_udp, make_udp, ENDED),
    {"send a message to an abstract socket", SYS_sendmsg, {0}, message_abstract, make_abstract,
     {false, GROUP_STREAM, CONFINE_SOCKETS, OUTSIDE, NULL, false}, ENDED, EPERM, 6},
    {"send a message to a UDP port", SYS_sendmsg, {0}, message_udp, make_udp,
     {false, GROUP_STREAM, CONFINE_SOCKETS, OUTSIDE, NULL, false}, ENDED, EACCES, 10},
    CAN("accept a connection and ask for its peer", accept_one, make_listener, GROUP_ACCEPT | GROUP_STREAM, ENDED),
    CAN("pass a descriptor", pass_descriptor, make_pair, GROUP_STREAM, ENDED),
    CAN("send and receive", send_and_receive, make_pair, GROUP_STREAM, ENDED),
    /* other processes */
    {"signal a process outside", SYS_kill, {0}, signal_parent, NULL,
     {false, GROUP_SIGNAL, 0, OUTSIDE, NULL, true}, ENDED, EPERM, 6},
    {"signal a process outside by pidfd", SYS_pidfd_send_signal, {0}, signal_pidfd, make_pidfd,
     {false, GROUP_SIGNAL, 0, OUTSIDE, NULL, true}, ENDED, EPERM, 6},
    NEVER("signal a thread outside", tgkill, signal_parent_thread, NULL, ENDED),
    NEVER("take a descriptor of another process", pidfd_getfd, take_descriptor, make_pidfd, ENDED),
    CAN("collect a child", wait_for_child, make_child, GROUP_WAIT, ENDED),
    NEVER("make a process", clone, new_process, NULL, EPERM),
    NEVER("run a program", execve, run_program, NULL, ENDED),
    NEVER("trace another process", ptrace, trace_parent, NULL, ENDED),
    NEVER("set a limit", prlimit64, raise_limit, NULL, ENDED),
    CAN("signal itself", end_by_abort, NULL, GROUP_BASE, ENDED),
    RAW(clone3, EPERM, 0), RAW(execveat, ENDED, -1), RAW(tkill, ENDED, 0), RAW(rt_sigqueueinfo, ENDED, 0),
    RAW(pidfd_open, ENDED, 0), RAW(process_vm_readv, ENDED, 0), RAW(process_vm_writev, ENDED, 0), RAW(kcmp, ENDED, 0),
    RAW(process_madvise, ENDED, -1), RAW(sched_setaffinity, ENDED, 0), RAW(setpriority, ENDED, 0), RAW(setsid, ENDED, 0),
    /* identity, namespaces, the machine */
    RAW(setuid, ENDED, 0), RAW(setgid, ENDED, 0), RAW(setresuid, ENDED, 0), RAW(setgroups, ENDED, 0), RAW(setfsuid, ENDED, 0),
    RAW(capset, ENDED, 0), RAW(prctl, EPERM, PR_SET_DUMPABLE, 1), RAW(seccomp, ENDED, 1), RAW(personality, ENDED, -1),
    RAW(landlock_create_ruleset, ENDED, 0, 0, 1), RAW(unshare, ENDED, 0), RAW(setns, ENDED, -1), RAW(chroot, ENDED, 0),
    RAW(mount, ENDED, 0), RAW(umount2, ENDED, 0), RAW(pivot_root, ENDED, 0), RAW(fsopen, ENDED, 0), RAW(open_tree, ENDED, -1),
    RAW(move_mount, ENDED, -1), RAW(mount_setattr, ENDED, -1), RAW(reboot, ENDED, 0), RAW(init_module, ENDED, 0),
    RAW(finit_module, ENDED, -1), RAW(delete_module, ENDED, 0), RAW(kexec_load, ENDED, 0), RAW(swapon, ENDED, 0),
    RAW(acct, ENDED, -1), RAW(quotactl, ENDED, -1), RAW(sethostname, ENDED, 0), RAW(settimeofday, ENDED, 0),
    RAW(clock_settime, ENDED, -1), RAW(adjtimex, ENDED, 0), RAW(syslog, ENDED, 10), RAW(vhangup, ENDED, 0),
    RAW(bpf, ENDED, -1), RAW(perf_event_open, ENDED, 0), RAW(keyctl, ENDED, -1), RAW(add_key, ENDED, 0),
    RAW(request_key, ENDED, 0), RAW(io_uring_setup, ENDED, 0), RAW(io_setup, ENDED, 0), RAW(userfaultfd, ENDED, 0),
    RAW(memfd_create, ENDED, 0), RAW(memfd_secret, ENDED, 0), RAW(shmget, ENDED, -1), RAW(msgget, ENDED, -1), RAW(semget, ENDED, -1),
    RAW(mq_open, ENDED, 0), RAW(pkey_mprotect, ENDED, 0), RAW(mincore, ENDED, 0), RAW(remap_file_pages, ENDED, 0),
    RAW(splice, ENDED, -1, 0, -1), RAW(vmsplice, ENDED, -1), RAW(tee, ENDED, -1, -1), RAW(set_mempolicy, ENDED, -1),
    RAW(fcntl, ENDED, 0, F_SETOWN, 1), RAW(ioctl, ENOTTY, 0, 0x5412 /* TIOCSTI */), RAW(uname, EPERM, 0),
    {"look at a file by statx", SYS_statx, {0}, look_by_statx, NULL, {false, GROUP_READ, 0, OUTSIDE, NULL, false}, ENOSYS, 0, 0},
#ifdef __x86_64__
    RAW(iopl, ENDED, 0), RAW(ioperm, ENDED, 0), RAW(modify_ldt, ENDED, -1), RAW(arch_prctl, ENDED, -1), RAW(fork, EPERM, 0), RAW(vfork, EPERM, 0),
    NEVER("call the kernel as a 32-bit process", getpid, call_of_32_bit, has_calls_of_32_bit, ENDED),
    {"call the kernel as an x32 process", -1, {0}, NULL, NULL, {true, 0, 0, OUTSIDE, NULL, false}, ENDED, 0, 0},
#endif
    /* memory, time */
    NEVER("map code", mmap, map_code, NULL, EACCES), NEVER("map writable code", mmap, map_writable_code, NULL, EACCES),
    NEVER("make memory executable", mprotect, make_code, NULL, EACCES),
    CAN("use memory", use_memory, NULL, GROUP_BASE, ENDED), CAN("use time", use_time, NULL, GROUP_BASE, ENDED),
    CAN("run a loop", use_loop, NULL, GROUP_LOOP, ENDED),
};
// clang-format on

const struct act *acts_at(size_t i)
{
    return i < COUNT_OF(acts) ? &acts[i] : acts_library_at(i - COUNT_OF(acts));
}
