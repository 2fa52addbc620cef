/*
 * Tests of the verb load-host against a daemon that is made up: a child process that answers each request with the
 * first row that fits, and notes what it was asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/test-host.h"
#include "cli/verbs.h"
#include "os/file.h"

/* A request that begins with `request` is answered with a status line, more fields (or NULL), and a body. */
struct answer {
    const char *request, *status, *fields, *body;
};

#define OK "200 OK"
#define LIST "GET /registry/system/?recursive&limit=1000 "
#define SYSTEM_PATH(name) "{\"path\":\"/registry/system/" name "\",\"type\":\"string\",\"version\":3,\"sealed\":false}"
#define DATA(text) "{\"success\":true,\"data\":" text ",\"error\":null}"
#define ENTRIES(list) DATA("{\"path\":\"/registry/system\",\"entries\":[" list "],\"next\":null}")
#define VERSION(n, deleted, reason) "{\"version\":" #n ",\"deleted\":" deleted ",\"reason\":\"" reason "\"}"
#define HISTORY(list) DATA("{\"path\":\"x\",\"versions\":[" list "]}")
#define ERROR(code) "{\"success\":false,\"data\":null,\"error\":{\"code\":\"" code "\",\"message\":\"why\"}}"
#define STRING_7 "ETag: \"7\"\r\nSecreg-Type: string\r\n"
#define WRITTEN DATA("{\"version\":1}")

static char root[64];
static pid_t daemon_pid;
static int listener = -1;
static bool is_slow; /* with writes */

/* ---- the made-up daemon -------------------------------------------------------------------------------------------
 */

static int read_request(int fd, char *text, size_t size)
{
    size_t n = 0;
    for (;;) {
        ssize_t got = read(fd, text + n, size - 1 - n);
        if (got <= 0)
            return -1;
        n += (size_t)got;
        text[n] = '\0';
        const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "Content-Length: ");
        size_t body = length != NULL && end != NULL && length < end ? strtoul(length + 16, NULL, 10) : 0;
        if (end != NULL && n >= (size_t)(end + 4 - text) + body)
            return 0;
    }
}

/* The request without its line ends, so that a test can look for a line in it. */
static void note_request(int log, char *text)
{
    for (char *c = text; *c != '\0'; c++) {
        if (*c == '\r')
            *c = ' ';
        else if (*c == '\n')
            *c = '|';
    }
    dprintf(log, "%s\n", text);
}

static void answer_request(int fd, const struct answer *answers, const char *text)
{
    const struct answer *a = answers;
    static const struct answer none = {"", "404 Not Found", NULL, ERROR("not-found")};
    while (a->request != NULL && strncmp(text, a->request, strlen(a->request)) != 0)
        a++;
    if (a->request == NULL)
        a = &none;
    dprintf(fd, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s", a->status, strlen(a->body),
            a->fields != NULL ? a->fields : "", a->body);
}

static void NORETURN serve(const struct answer *answers, int log)
{
    static char text[65536];
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        while (fd >= 0 && read_request(fd, text, sizeof text) == 0) {
            note_request(log, text);
            if (is_slow && strncmp(text, "PUT ", 4) == 0)
                usleep(1100 * 1000);
            answer_request(fd, answers, text);
        }
        close(fd);
    }
}

static int open_in_root(const char *name, int flags)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    return open(path, flags | O_CLOEXEC, 0644);
}

static void start_daemon(const struct answer *answers)
{
    int log = open_in_root("log", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);
    assert_true(log >= 0);
    daemon_pid = fork();
    assert_true(daemon_pid >= 0);
    if (daemon_pid == 0)
        serve(answers, log);
    close(log);
}

static void stop_daemon(void)
{
    if (daemon_pid > 0) {
        kill(daemon_pid, SIGKILL);
        waitpid(daemon_pid, NULL, 0);
    }
    daemon_pid = 0;
}

/* ---- the made-up host ---------------------------------------------------------------------------------------------
 */

static void make_file(const char *folder, const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/host/%s", root, folder);
    assert_int_equal(file_make_folders(path, 0755), 0);
    snprintf(path, sizeof path, "host/%s/%s", folder, name);
    int fd = open_in_root(path, O_WRONLY | O_CREAT | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, bytes_of_text(text)), 0);
    close(fd);
}

static int setup(void **state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    char path[96];
    (void)state;
    snprintf(root, sizeof root, "/tmp/secreg-test-load.XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/run/secreg", root);
    if (file_make_folders(path, 0755) != 0)
        return -1;
    snprintf(name.sun_path, sizeof name.sun_path, "%.80s/run/secreg/socket", root);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&name, sizeof name) < 0 || listen(listener, 4) < 0)
        return -1;
    make_file("etc", "hostname", "web1\n");
    make_file("etc", "hosts", "10.0.0.1 a\nnot an address\n");
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    stop_daemon();
    close(listener);
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- the run ------------------------------------------------------------------------------------------------------
 */

static char printed[65536], said[65536], asked[65536];

static void read_back(const char *name, char *text, size_t size)
{
    int fd = open_in_root(name, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, text, size - 1) : 0;
    text[n > 0 ? n : 0] = '\0';
    close(fd);
}

static void redirect(int from, int to)
{
    assert_true(dup2(from, to) == to);
    close(from);
}

static const char *typed; /* by somebody at a terminal; NULL: there is none */

/* Standard input. ret_far: the other end of a terminal, to be closed afterwards. */
static int open_input(int *ret_far)
{
    if (typed == NULL)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    *ret_far = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(*ret_far >= 0 && grantpt(*ret_far) == 0 && unlockpt(*ret_far) == 0);
    int near = open(ptsname(*ret_far), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_int_equal(file_write_all(*ret_far, bytes_of_text(typed)), 0);
    return near;
}

/* Runs the verb with its output in files. words: ends with NULL. */
static int run(const struct cli *like, const char *const *words)
{
    struct cli cli = *like;
    struct args args = {.verb = args_find(verbs, "load-host", NULL)};
    char host[96], *argv[8] = {(char[]){"load-host"}, (char[]){"--from"}, host};
    int argc = 3, far = -1;
    snprintf(host, sizeof host, "%s/host", root);
    for (; *words != NULL; words++)
        argv[argc++] = strdup(*words);
    cli.root = root;
    cli.args = &args;
    fflush(stdout);
    int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO), in = dup(STDIN_FILENO);
    redirect(open_in_root("out", O_WRONLY | O_CREAT | O_TRUNC), STDOUT_FILENO);
    redirect(open_in_root("err", O_WRONLY | O_CREAT | O_TRUNC), STDERR_FILENO);
    redirect(open_input(&far), STDIN_FILENO);
    clearerr(stdin);
    int status = cmd_load_host(&cli, argc, argv);
    fflush(stdout);
    redirect(out, STDOUT_FILENO);
    redirect(err, STDERR_FILENO);
    redirect(in, STDIN_FILENO);
    file_drop_fd(&far);
    secreg_close(cli.link);
    for (int i = 3; i < argc; i++)
        free(argv[i]);
    read_back("out", printed, sizeof printed);
    read_back("err", said, sizeof said);
    read_back("log", asked, sizeof asked);
    return status;
}

static const struct cli plain;
static const char *const no_words[] = {NULL};

#define assert_has(text, part)                                                                                         \
    do {                                                                                                               \
        if (strstr((text), (part)) == NULL)                                                                            \
            fail_msg("\"%s\" is not in: %s", (part), (text));                                                          \
    } while (0)
#define assert_has_not(text, part) assert_null(strstr((text), (part)))

/* ---- tests --------------------------------------------------------------------------------------------------------
 */

static void first_run_adds_everything(void **state)
{
    static const struct answer answers[] = {
        {LIST, OK, NULL, ENTRIES("")}, {"PUT ", "201 Created", NULL, WRITTEN}, {NULL, NULL, NULL, NULL}};
    (void)state;
    start_daemon(answers);
    assert_int_equal(run(&plain, no_words), 0);
    assert_string_equal(printed, "+ /registry/system/network/hostname = web1\n"
                                 "+ /registry/system/network/hosts/10.0.0.1 = [\"a\"]\n"
                                 "2 added, 0 changed, 0 removed, 0 unchanged, 1 skipped\n");
    assert_string_equal(said, "sreg: left out: hosts, line 2: it does not begin with an address\n");
    assert_has(asked, "PUT /registry/system/network/hostname ");
    assert_has(asked, "If-None-Match: * ");
    assert_has(asked, "Secreg-Reason: load-host ");
    assert_has(asked, "Secreg-Type: list ");
    assert_has(asked, "|[\"a\"]\n");
    assert_has_not(asked, "DELETE");
}

static void dry_run_writes_nothing(void **state)
{
    static const struct answer answers[] = {{LIST, OK, NULL, ENTRIES("")}, {NULL, NULL, NULL, NULL}};
    static const char *const dry[] = {"--dry-run", NULL};
    static const struct cli json = {.is_json = true}, quiet = {.is_quiet = true};
    (void)state;
    start_daemon(answers);
    assert_int_equal(run(&plain, dry), 0);
    assert_has(printed, "2 added, 0 changed, 0 removed, 0 unchanged, 1 skipped (dry run: nothing was written)\n");
    assert_int_equal(run(&json, dry), 0);
    assert_string_equal(
        printed,
        "{\"written\":false,\"added\":2,\"changed\":0,\"removed\":0,\"unchanged\":0,\"skipped\":1,\"failed\":0,"
        "\"steps\":["
        "{\"change\":\"add\",\"path\":\"/registry/system/network/hostname\",\"type\":\"string\",\"value\":\"web1\"},"
        "{\"change\":\"add\",\"path\":\"/registry/system/network/hosts/"
        "10.0.0.1\",\"type\":\"list\",\"value\":\"[\\\"a\\\"]\"}"
        "],\"left_out\":[\"hosts, line 2: it does not begin with an address\"]}\n");
    assert_int_equal(run(&quiet, dry), 0);
    assert_has(printed, "+ /registry/system/network/hostname = web1\n");
    assert_string_equal(said, "");
    assert_has_not(asked, "PUT");
}

static const struct answer later_answers[] = {
    {LIST, OK, NULL,
     DATA("{\"entries\":[" SYSTEM_PATH("a/mine") "," SYSTEM_PATH("b/gone") "," SYSTEM_PATH(
         "c/touched") "],\"next\":\"/registry/system/c/touched\"}")},
    {"GET /registry/system/?recursive&limit=1000&after=/registry/system/c/touched ", OK, NULL,
     ENTRIES(SYSTEM_PATH("network/hostname") "," SYSTEM_PATH("network/hosts/10.0.0.1"))},
    {"GET /registry/system/network/hostname ", OK, STRING_7, "old"},
    {"GET /registry/system/network/hosts/10.0.0.1 ", OK, "ETag: \"1\"\r\nSecreg-Type: list\r\n", "[\"a\"]"},
    {"GET /registry/system/a/mine?history ", OK, NULL, HISTORY(VERSION(3, "false", ""))},
    {"GET /registry/system/b/gone?history ", OK, NULL,
     HISTORY(VERSION(3, "false", "load-host") "," VERSION(2, "true", "load-host"))},
    {"GET /registry/system/c/touched?history ", OK, NULL,
     HISTORY(VERSION(3, "false", "by hand") "," VERSION(2, "false", "load-host"))},
    {"PUT ", OK, NULL, WRITTEN},
    {"DELETE ", OK, NULL, WRITTEN},
    {NULL, NULL, NULL, NULL},
};

static void later_run_changes_what_differs(void **state)
{
    (void)state;
    start_daemon(later_answers);
    assert_int_equal(run(&plain, no_words), 0);
    assert_string_equal(printed,
                        "- /registry/system/b/gone (no longer on this host)\n"
                        "- /registry/system/c/touched (no longer on this host; written by somebody else since, "
                        "so it stays)\n"
                        "~ /registry/system/network/hostname: old -> web1\n"
                        "0 added, 1 changed, 0 removed, 1 unchanged, 1 skipped\n");
    assert_has(said, "1 of the entries are no longer on this host; --yes removes them");
    assert_has(asked, "PUT /registry/system/network/hostname ");
    assert_has(asked, "If-Match: \"7\" ");
    assert_has_not(asked, "PUT /registry/system/network/hosts");
    assert_has_not(asked, "DELETE");
}

static void yes_removes_what_was_loaded_and_is_gone(void **state)
{
    static const char *const yes[] = {"--yes", NULL}, *const y[] = {"-y", NULL};
    (void)state;
    start_daemon(later_answers);
    assert_int_equal(run(&plain, yes), 0);
    assert_has(printed, "0 added, 1 changed, 1 removed, 1 unchanged, 1 skipped\n");
    assert_has(asked, "DELETE /registry/system/b/gone ");
    assert_has(asked, "If-Match: \"3\" ");
    assert_has_not(asked, "DELETE /registry/system/a");
    assert_has_not(asked, "DELETE /registry/system/c");
    assert_int_equal(run(&plain, y), 0);
}

static void a_person_is_asked_first(void **state)
{
    static const struct cli person = {.is_tty_err = true};
    (void)state;
    start_daemon(later_answers);
    typed = "n\n";
    assert_int_equal(run(&person, no_words), CLI_FAILED);
    assert_has(said, "Apply 2 changes to the registry? [y/N] ");
    assert_has(printed, "0 added, 1 changed, 1 removed, 1 unchanged, 1 skipped (nothing was written)\n");
    assert_has_not(asked, "PUT");
    typed = "\x04";
    assert_int_equal(run(&person, no_words), CLI_FAILED);
    assert_has_not(asked, "PUT");
    typed = "y\n";
    assert_int_equal(run(&person, no_words), 0);
    assert_has(printed, "0 added, 1 changed, 1 removed, 1 unchanged, 1 skipped\n");
    assert_has(asked, "DELETE /registry/system/b/gone ");
    typed = NULL;
}

static void long_work_shows_how_far_it_is(void **state)
{
    static const struct answer answers[] = {
        {LIST, OK, NULL, ENTRIES("")}, {"PUT ", "201 Created", NULL, WRITTEN}, {NULL, NULL, NULL, NULL}};
    static const struct cli person = {.is_tty_err = true};
    (void)state;
    is_slow = true;
    start_daemon(answers);
    assert_int_equal(run(&person, no_words), 0);
    assert_has(said, "\rwriting [###############...............] 1 of 2 \r\033[K");
    is_slow = false;
}

static void what_may_not_be_read_stays(void **state)
{
    static const struct answer answers[] = {
        {LIST, OK, NULL,
         ENTRIES(SYSTEM_PATH("network/hostname") ",{\"path\":\"/registry/system/network/hosts/10.0.0.1\",\"version\":1,"
                                                 "\"sealed\":true}," SYSTEM_PATH("x"))},
        {"GET /registry/system/network/hostname ", "403 Forbidden", NULL, ERROR("refused")},
        {"GET /registry/system/x?history ", "403 Forbidden", NULL, ERROR("refused")},
        {NULL, NULL, NULL, NULL}};
    (void)state;
    start_daemon(answers);
    assert_int_equal(run(&plain, no_words), 0);
    assert_string_equal(printed, "? /registry/system/network/hostname (may not be read)\n"
                                 "? /registry/system/network/hosts/10.0.0.1 (sealed, so it is not compared)\n"
                                 "0 added, 0 changed, 0 removed, 0 unchanged, 3 skipped\n");
    assert_has_not(asked, "PUT");
}

static void one_failure_does_not_stop_the_others(void **state)
{
    static const struct answer answers[] = {
        {LIST, OK, NULL, ENTRIES("")},
        {"PUT /registry/system/network/hostname ", "409 Conflict", NULL, ERROR("is-folder")},
        {"PUT ", "201 Created", NULL, WRITTEN},
        {NULL, NULL, NULL, NULL}};
    (void)state;
    start_daemon(answers);
    assert_int_equal(run(&plain, no_words), 6);
    assert_has(printed, "1 added, 0 changed, 0 removed, 0 unchanged, 1 skipped, 1 failed\n");
    assert_has(said, "sreg: /registry/system/network/hostname: why\n");
}

static void of_many_failures_the_first_are_said(void **state)
{
    static const struct answer answers[] = {
        {LIST, OK, NULL, ENTRIES("")}, {"PUT ", "403 Forbidden", NULL, ERROR("refused")}, {NULL, NULL, NULL, NULL}};
    char text[2048] = "";
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        char line[32];
        snprintf(line, sizeof line, "10.0.1.%u a\n", i);
        strcat(text, line);
    }
    make_file("etc", "hosts", text);
    start_daemon(answers);
    assert_int_equal(run(&plain, no_words), 4);
    assert_has(printed, "0 added, 0 changed, 0 removed, 0 unchanged, 0 skipped, 21 failed\n");
    assert_has(said, "hosts/10.0.1.16: why\n");
    assert_has_not(said, "hosts/10.0.1.9: why\n");
    assert_has(said, "more entries failed, which are not listed");
}

static void a_locked_registry_ends_the_run(void **state)
{
    static const struct answer locked_list[] = {{LIST, "503 Service Unavailable", NULL, ERROR("locked")},
                                                {NULL, NULL, NULL, NULL}};
    static const struct answer locked_later[] = {{LIST, OK, NULL, ENTRIES("")},
                                                 {"PUT ", "503 Service Unavailable", NULL, ERROR("locked")},
                                                 {NULL, NULL, NULL, NULL}};
    static const struct answer locked_value[] = {
        {LIST, OK, NULL, ENTRIES(SYSTEM_PATH("network/hostname"))},
        {"GET /registry/system/network/hostname ", "503 Service Unavailable", NULL, ERROR("locked")},
        {NULL, NULL, NULL, NULL}};
    static const struct answer locked_history[] = {
        {LIST, OK, NULL, ENTRIES(SYSTEM_PATH("x"))},
        {"GET /registry/system/x?history ", "503 Service Unavailable", NULL, ERROR("locked")},
        {NULL, NULL, NULL, NULL}};
    static const struct answer *const all[] = {locked_list, locked_value, locked_history};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        start_daemon(all[i]);
        assert_int_equal(run(&plain, no_words), 7);
        assert_string_equal(printed, "");
        stop_daemon();
    }
    start_daemon(locked_later);
    assert_int_equal(run(&plain, no_words), 7);
    assert_has(printed, "0 added, 0 changed, 0 removed, 0 unchanged, 1 skipped, 1 failed\n");
    assert_has_not(asked, "PUT /registry/system/network/hosts");
}

static void replies_that_are_none_are_refused(void **state)
{
    static const char *const lists[] = {
        DATA("{}"),
        "{}",
        ENTRIES("{\"path\":\"/registry/system/x\"}"),
        ENTRIES("{\"version\":1}"),
        ENTRIES("{\"path\":\"/registry/system/x\",\"version\":-1}"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        const struct answer answers[] = {{LIST, OK, NULL, lists[i]}, {NULL, NULL, NULL, NULL}};
        start_daemon(answers);
        assert_int_equal(run(&plain, no_words), 1);
        assert_has(said, "the daemon's reply is not what");
        stop_daemon();
    }
    static const char *const fields[] = {NULL, "ETag: \"7\"\r\n", "ETag: 7\r\nSecreg-Type: string\r\n",
                                         "ETag: \"x\"\r\nSecreg-Type: string\r\n"};
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        const struct answer answers[] = {{LIST, OK, NULL, ENTRIES(SYSTEM_PATH("network/hostname"))},
                                         {"GET /registry/system/network/hostname ", OK, fields[i], "web1"},
                                         {NULL, NULL, NULL, NULL}};
        start_daemon(answers);
        assert_int_equal(run(&plain, no_words), 1);
        stop_daemon();
    }
    static const struct answer no_history[] = {{LIST, OK, NULL, ENTRIES(SYSTEM_PATH("x"))},
                                               {"GET /registry/system/x?history ", OK, NULL, DATA("{}")},
                                               {NULL, NULL, NULL, NULL}};
    start_daemon(no_history);
    assert_int_equal(run(&plain, no_words), 1);
}

static void wrong_command_lines_are_refused(void **state)
{
    static const char *const rows[][3] = {{"--from", NULL}, {"word", NULL}, {"--dry", NULL}, {"--dry-run", "-x", NULL}};
    static const char *const nowhere[] = {"--from=/nonexistent-host", NULL};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(run(&plain, rows[i]), CLI_USAGE);
        assert_string_equal(printed, "");
    }
    assert_int_equal(run(&plain, nowhere), CLI_FAILED);
    assert_has(said, "cannot read the settings of the host");
}

#define LOAD_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        LOAD_TEST(first_run_adds_everything),
        LOAD_TEST(dry_run_writes_nothing),
        LOAD_TEST(later_run_changes_what_differs),
        LOAD_TEST(yes_removes_what_was_loaded_and_is_gone),
        LOAD_TEST(a_person_is_asked_first),
        LOAD_TEST(long_work_shows_how_far_it_is),
        LOAD_TEST(what_may_not_be_read_stays),
        LOAD_TEST(one_failure_does_not_stop_the_others),
        LOAD_TEST(of_many_failures_the_first_are_said),
        LOAD_TEST(a_locked_registry_ends_the_run),
        LOAD_TEST(replies_that_are_none_are_refused),
        LOAD_TEST(wrong_command_lines_are_refused),
    };
    return cmocka_run_group_tests_name("host-load", tests, NULL, NULL);
}
