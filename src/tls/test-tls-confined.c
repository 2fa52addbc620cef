/*
 * Tests of tls: after tls_client_new() nothing is opened, whatever comes.
 *
 * The client lives in a child that has never used OpenSSL before, allows itself hardly any system call, and is ended by
 * the kernel for any other. The server is another child, which made the certificates too: nothing that OpenSSL loads
 * for it is loaded for the client.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "remove-tree.h"
#include "test-server.h"

#define NAME "log.example"

enum { PIECE_BYTES = 1 << 14, ALL_IS_WELL = 0, NOT_MADE = 2, NOT_CONFINED = 3, NOT_AS_WANTED = 4, BROKEN_WIRE = 5 };

/* What the server is, and what the client must come to. */
struct meeting {
    struct cert_wish server;
    bool wants_client_cert, is_garbage;
    const char *name, *why; /* why: NULL if they get on */
};

struct texts {
    struct cert_pem ca, cert, key;
};

/* ---- the server's child ------------------------------------------------------------------------------------- */

static void send_all(int fd, const void *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t sent = write(fd, (const uint8_t *)p + at, n - at);
        cert_need(sent > 0);
        at += (size_t)sent;
    }
}

static void receive_all(int fd, void *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = read(fd, (uint8_t *)p + at, n - at);
        cert_need(got > 0);
        at += (size_t)got;
    }
}

static void serve(const struct server_wish *wish, int fd)
{
    char text[64];
    SSL_CTX *ctx = server_ctx(wish);
    SSL *ssl = SSL_new(ctx);
    cert_need(ssl != NULL && SSL_set_fd(ssl, fd) == 1);
    if (SSL_accept(ssl) == 1) {
        int n;
        while ((n = SSL_read(ssl, text, sizeof text)) > 0)
            cert_need(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_write(ssl, text, n) == n);
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void be_server(const struct meeting *m, int fd)
{
    static struct texts texts;
    struct cert ca = cert_make(&(struct cert_wish){.cn = "ca", .is_ca = true}, NULL);
    struct cert client = cert_make(&(struct cert_wish){.cn = "client"}, &ca);
    struct cert own = cert_make(&m->server, &ca);
    cert_pem(&texts.ca, ca.x509);
    cert_pem(&texts.cert, client.x509);
    cert_key_pem(&texts.key, client.key, NULL, false);
    send_all(fd, &texts, sizeof texts);
    if (m->is_garbage)
        send_all(fd, "220 mail.example ESMTP\r\n", 24);
    else
        serve(&(struct server_wish){.own = &own, .client_ca = m->wants_client_cert ? ca.x509 : NULL}, fd);
    cert_free(&ca);
    cert_free(&client);
    cert_free(&own);
}

/* ---- the client's child ------------------------------------------------------------------------------------- */

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define ALLOW_CALL(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), ALLOW
/* Of a call that was loaded and whose third argument may not ask for executable memory. */
#define ALLOW_MEMORY(name)                                                                                             \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 4), LOAD(args[2]),                                              \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0), ALLOW,                                                  \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

/* What a role may do in any profile (confine's base group), less what this needs not; builds with sanitizers keep a
 * signal stack and look at time and scheduling. */
static bool confine_hard(void)
{
    struct sock_filter calls[] = {
        LOAD(nr),
        ALLOW_CALL(read),
        ALLOW_CALL(write),
        ALLOW_CALL(exit_group),
        ALLOW_CALL(brk),
        ALLOW_CALL(munmap),
        ALLOW_CALL(mremap),
        ALLOW_CALL(madvise),
        ALLOW_CALL(futex),
        ALLOW_CALL(getrandom),
        ALLOW_CALL(getpid),
        ALLOW_CALL(clock_gettime),
        ALLOW_CALL(rt_sigprocmask),
#ifdef SYS_time
        ALLOW_CALL(time),
#endif
        ALLOW_CALL(sigaltstack),
        ALLOW_CALL(sched_yield),
        ALLOW_CALL(gettid),
        ALLOW_MEMORY(mmap),
        ALLOW_MEMORY(mprotect),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    const struct sock_fprog filter = {COUNT_OF(calls), calls};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/* One turn with the server; false if it has gone and left no word. */
static bool exchange(int fd, struct tls_conn *conn, int *state, struct buf *plain, struct buf *out)
{
    static uint8_t piece[PIECE_BYTES];
    (void)!write(fd, buf_view(out).p, buf_size(out)); /* a server that refuses has gone already */
    buf_clear(out);
    ssize_t n = read(fd, piece, sizeof piece);
    if (n <= 0)
        return false;
    *state = tls_conn_step(conn, bytes_of(piece, (size_t)n), plain, out);
    return true;
}

static int meet(struct tls_conn *conn, const struct meeting *m, int fd, struct buf *plain, struct buf *out)
{
    struct bytes text = BYTES_LITERAL("a record");
    int state = tls_conn_step(conn, BYTES_NONE, plain, out);
    while (state == TLS_HANDSHAKE) {
        if (!exchange(fd, conn, &state, plain, out))
            return BROKEN_WIRE;
    }
    for (int i = 0; i < 3 && state == 0; i++) {
        if (tls_conn_put(conn, text, out) != 0)
            return NOT_AS_WANTED;
        while (state == 0 && buf_size(plain) < text.n) {
            if (!exchange(fd, conn, &state, plain, out))
                return BROKEN_WIRE;
        }
        bool is_echo = bytes_equal(buf_view(plain), text);
        buf_clear(plain);
        if (state == 0 && !is_echo)
            return NOT_AS_WANTED;
    }
    if (m->why != NULL)
        return state == TLS_REFUSED && strcmp(tls_conn_why(conn), m->why) == 0 ? ALL_IS_WELL : NOT_AS_WANTED;
    if (state != 0 || tls_conn_close(conn, out) != 0)
        return NOT_AS_WANTED;
    send_all(fd, buf_view(out).p, buf_size(out));
    return ALL_IS_WELL;
}

static int be_client(const struct meeting *m, int fd)
{
    static struct texts texts;
    char why[TLS_WHY_BYTES];
    struct tls_client *client = NULL;
    struct tls_conn *conn = NULL;
    struct buf plain, out;
    bool shows = m->wants_client_cert && m->why == NULL;
    buf_init(&plain, 1 << 16);
    buf_init(&out, 1 << 16);
    receive_all(fd, &texts, sizeof texts);
    const struct tls_client_settings s = {.ca = cert_pem_view(&texts.ca),
                                          .cert = shows ? cert_pem_view(&texts.cert) : BYTES_NONE,
                                          .key = shows ? cert_pem_view(&texts.key) : BYTES_NONE,
                                          .name = m->name};
    if (tls_client_new(&s, &client, why) != 0)
        return NOT_MADE;
    if (!confine_hard())
        return NOT_CONFINED;
    if (tls_conn_new(client, &conn) != 0)
        return NOT_AS_WANTED;
    int r = meet(conn, m, fd, &plain, &out);
    tls_conn_free(conn);
    tls_client_free(client);
    buf_fini(&plain);
    buf_fini(&out);
    return r;
}

/* ---- the tests ---------------------------------------------------------------------------------------------- */

static int end_of(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void assert_meeting(const struct meeting *m)
{
    int ends[2];
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    pid_t server = fork();
    assert_true(server >= 0);
    if (server == 0) {
        close(ends[0]);
        be_server(m, ends[1]);
        _exit(0);
    }
    pid_t client = fork();
    assert_true(client >= 0);
    if (client == 0) {
        close(ends[1]);
        _exit(be_client(m, ends[0]));
    }
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(end_of(client), ALL_IS_WELL);
    assert_int_equal(end_of(server), 0);
}

/* That the filter ends who opens a file, looks one up, makes a socket or executable memory. */
static void test_filter(void **state)
{
    (void)state;
    for (int act = 0; act < 5; act++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            if (!confine_hard())
                _exit(NOT_CONFINED);
            if (act == 0)
                (void)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY, 0);
            else if (act == 1)
                (void)syscall(SYS_faccessat, AT_FDCWD, "/", 0);
            else if (act == 2)
                (void)syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
            else if (act == 3)
                (void)syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            _exit(0);
        }
        assert_int_equal(end_of(child), act < 4 ? 1000 + SIGSYS : 0);
    }
}

static void test_established(void **state)
{
    static const char *const kinds[] = {"P-256", "P-384", "ED25519", "RSA"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds) * 2; i++)
        assert_meeting(&(struct meeting){
            .server = {.kind = kinds[i / 2], .san = "DNS:" NAME}, .name = NAME, .wants_client_cert = i % 2 == 0});
    assert_meeting(&(struct meeting){.server = {.san = "IP:192.0.2.1"}, .name = "192.0.2.1"});
}

/* The words for each are in memory too. */
static void test_refused(void **state)
{
    (void)state;
    assert_meeting(&(struct meeting){
        .server = {.san = "DNS:other.example"}, .name = NAME, .why = "certificate is for another name"});
    assert_meeting(&(struct meeting){.server = {.san = "DNS:" NAME, .from_days = -9, .to_days = -1},
                                     .name = NAME,
                                     .why = "certificate has expired"});
    assert_meeting(&(struct meeting){.server = {.san = "DNS:" NAME, .kind = "RSA-1024"},
                                     .name = NAME,
                                     .why = "certificate has a key that is too short"});
    assert_meeting(&(struct meeting){.server = {.san = "DNS:" NAME},
                                     .name = NAME,
                                     .wants_client_cert = true,
                                     .why = "alert from the server: certificate required"});
    assert_meeting(&(struct meeting){.is_garbage = true, .name = NAME, .why = "the server does not speak TLS"});
}

/* Nor does tls_client_new() open the configuration file of OpenSSL. */
static void test_configuration(void **state)
{
    char path[] = "/tmp/test-tls-XXXXXX";
    uint8_t event[512];
    (void)state;
    int fd = mkstemp(path), watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    assert_true(fd >= 0 && watch >= 0);
    close(fd);
    assert_true(inotify_add_watch(watch, path, IN_OPEN) >= 0);
    close(open(path, O_RDONLY | O_CLOEXEC));
    assert_true(read(watch, event, sizeof event) > 0); /* an opening is seen */
    assert_int_equal(setenv("OPENSSL_CONF", path, 1), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char why[TLS_WHY_BYTES];
        struct tls_client *client = NULL;
        _exit(tls_client_new(&(struct tls_client_settings){.ca = BYTES_LITERAL("none"), .name = NAME}, &client, why));
    }
    assert_int_equal(end_of(child), TLS_BAD);
    assert_int_equal(read(watch, event, sizeof event), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(unsetenv("OPENSSL_CONF"), 0);
    close(watch);
    unlink(path);
}

static void write_text(const char *path, const void *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cert_need(fd >= 0);
    send_all(fd, p, n);
    close(fd);
}

/* A process that has read a configuration which trusts another CA, knows old versions and asks for no certificate. */
static int be_configured(const char *folder)
{
    static const char rules[] = "openssl_conf = all\n[all]\nssl_conf = tls\n[tls]\nsystem_default = rules\n[rules]\n"
                                "VerifyMode = Peer\nMaxProtocol = TLSv1.2\nCipherString = DEFAULT@SECLEVEL=0\n"
                                "VerifyCAFile = ";
    static struct cert_pem trusted, other;
    struct link l;
    struct tls_client *client = NULL;
    char why[TLS_WHY_BYTES], path[64], text[sizeof rules + sizeof path];
    struct cert ca = cert_make(&(struct cert_wish){.cn = "ca", .is_ca = true}, NULL);
    struct cert other_ca = cert_make(&(struct cert_wish){.cn = "other", .is_ca = true}, NULL);
    struct cert own = cert_make(&(struct cert_wish){.san = "DNS:" NAME}, &other_ca);
    cert_pem(&trusted, ca.x509);
    cert_pem(&other, other_ca.x509);
    (void)snprintf(path, sizeof path, "%s/ca", folder);
    write_text(path, other.p, other.n);
    int n = snprintf(text, sizeof text, "%s%s\n", rules, path);
    (void)snprintf(path, sizeof path, "%s/conf", folder);
    write_text(path, text, (size_t)n);
    cert_need(CONF_modules_load_file(path, NULL, 0) == 1);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    bool is_read = ctx != NULL && SSL_CTX_get_max_proto_version(ctx) == TLS1_2_VERSION; /* others see it */
    SSL_CTX_free(ctx);
    const struct tls_client_settings s = {.ca = cert_pem_view(&trusted), .name = NAME};
    if (!is_read || tls_client_new(&s, &client, why) != 0)
        return NOT_MADE;
    link_init(&l, client, &(struct server_wish){.own = &own});
    int r = link_run(&l);
    bool is_refused = r == TLS_REFUSED && strstr(tls_conn_why(l.conn), "not signed by a trusted CA") != NULL;
    return is_refused ? ALL_IS_WELL : NOT_AS_WANTED;
}

static void test_configured_before(void **state)
{
    char folder[] = "/tmp/test-tls-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(folder));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(be_configured(folder));
    int r = end_of(child);
    assert_int_equal(remove_tree(folder), 0);
    assert_int_equal(r, ALL_IS_WELL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter),        cmocka_unit_test(test_established),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_configuration), cmocka_unit_test(test_configured_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
