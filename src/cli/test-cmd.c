/* Tests of the verbs against a daemon that answers from a table: what is shown, and what is made of bad answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/code.h"
#include "cli/test-run.h"
#include "trail/trail.h"

#define JSON(data) BYTES_LITERAL("{\"success\":true,\"request_id\":\"0\",\"data\":" data ",\"error\":null}\n")
#define REFUSAL(code, text)                                                                                            \
    BYTES_LITERAL("{\"success\":false,\"data\":null,\"error\":{\"code\":\"" code "\",\"message\":\"" text "\"}}\n")
#define OK(request, data)                                                                                              \
    {                                                                                                                  \
        request, "200 OK", "", JSON(data)                                                                              \
    }
#define END                                                                                                            \
    {                                                                                                                  \
        NULL, NULL, NULL, BYTES_NONE                                                                                   \
    }

static void check(const char *line, int status, const char *wanted)
{
    int is = run_here(line);
    if (is != status || strcmp(printed, wanted) != 0)
        print_message("sreg %s: %d\n%s%s", line, is, printed, said);
    assert_int_equal(is, status);
    assert_string_equal(printed, wanted);
}

static void test_get(void **state)
{
    const struct fake_row rows[] = {
        {"GET /registry/a", "200 OK", "Secreg-Type: string\r\n", BYTES_LITERAL("x\033y")},
        {"GET /registry/b", "200 OK", "Secreg-Type: binary\r\n", BYTES_LITERAL("\001\002")},
        {"GET /registry/e", "200 OK", "Secreg-Type: string\r\n", BYTES_LITERAL("")},
        OK("GET /registry/c?version=3", "{\"path\":\"/registry/c\",\"type\":\"json\",\"version\":3,\"created_by\":0,"
                                        "\"value\":{\"x\":[1]},\"reason\":\"\",\"comment\":\"a\\nb\"}"),
        {"GET /registry/none", "404 Not Found", "", REFUSAL("not-found", "no such entry")},
        {"GET /registry/odd", "500 Internal Server Error", "", REFUSAL("odd", "what\\u001b?")},
        {"GET /registry/list", "200 OK", "", BYTES_LITERAL("[]")},
        END};
    (void)state;
    fake_start(rows);
    check("get /registry/a", 0, "x\033y\n");
    check("get /registry/b", 0, "\001\002");
    check("get /registry/e", 0, "\n");
    check("get --entry --version 3 /registry/c", 0,
          "path     /registry/c\ntype     json\nversion  3\nby       root\ncomment  a\\x0ab\n\n{\"x\":[1]}\n");
    check("get --json --version 3 /registry/c", 0,
          "{\"path\":\"/registry/c\",\"type\":\"json\",\"version\":3,\"created_by\":0,\"value\":{\"x\":[1]},"
          "\"reason\":\"\",\"comment\":\"a\\nb\"}\n");
    check("get /registry/none", 3, "");
    assert_string_equal(said, "sreg: no such entry\n");
    check("get --json /registry/none", 3, "");
    assert_string_equal(said, "{\"code\":\"not-found\",\"message\":\"no such entry\"}\n");
    check("get /registry/odd", 1, "");
    assert_string_equal(said, "sreg: what\\x1b?\n");
    check("get --json /registry/list", 1, "");
    check("get /registry/hangs-up", 7, "");
    fake_stop();
}

static void test_changes(void **state)
{
    const struct fake_row rows[] = {
        OK("PUT /registry/a", "{\"path\":\"/registry/a\",\"version\":4,\"revision\":9}"),
        OK("DELETE /registry/a", "{\"path\":\"/registry/a\",\"version\":5,\"revision\":10}"),
        {"PUT /registry/b", "412 Precondition Failed", "", REFUSAL("conflict", "no")},
        END};
    (void)state;
    fake_start(rows);
    check("set /registry/a value --type string --seal --if-version 3 --reason why --comment so", 0, "");
    assert_string_equal(said,
                        "sreg: warning: the value was visible in the list of processes; give it on standard input "
                        "instead\n");
    check("set /registry/a value --seal -q --json", 0, "{\"path\":\"/registry/a\",\"version\":4,\"revision\":9}\n");
    assert_string_equal(said, "");
    check("set /registry/b value --no-seal --if-absent", 6, "");
    check("del /registry/a --if-version 4 --reason why --json", 0,
          "{\"path\":\"/registry/a\",\"version\":5,\"revision\":10}\n");
    check("set /registry/a value --reason a\033b", 2, "");
    fake_stop();
}

static void test_lists(void **state)
{
    const struct fake_row rows[] = {
        {"GET /registry/a/?limit=1000", "200 OK", "Secreg-Next: b%20\r\n", BYTES_LITERAL("a/\nb\n")},
        {"GET /registry/a/?limit=1000&after=b%20", "200 OK", "", BYTES_LITERAL("c\n")},
        OK("GET /registry/j/?limit=1000",
           "{\"path\":\"/registry/j\",\"entries\":[{\"name\":\"a\",\"folder\":true}],\"next\":\"a b\"}"),
        OK("GET /registry/j/?limit=1000&after=a%20b", "{\"path\":\"/registry/j\",\"entries\":[],\"next\":\"c\"}"),
        OK("GET /registry/j/?limit=1000&after=c",
           "{\"path\":\"/registry/j\",\"entries\":[{\"name\":\"d\",\"type\":\"list\"}],\"next\":null}"),
        OK("GET /registry/j/?limit=1000&long",
           "{\"path\":\"/registry/j\",\"entries\":[{\"name\":\"d\",\"type\":\"list\",\"version\":2,\"size\":11,"
           "\"changed\":\"T\",\"expires\":\"E\",\"tags\":[\"a\",\"b\"],\"sealed\":true},{\"name\":\"e\",\"folder\":"
           "true}],\"next\":null}"),
        {"GET /registry/t/?limit=1000&recursive", "200 OK", "", BYTES_LITERAL("/registry/t/x\n/registry/t/y/z\n")},
        OK("GET /registry/bad/?limit=1000", "{\"path\":\"/registry/bad\",\"next\":null}"),
        OK("GET /registry/h?history",
           "{\"path\":\"/registry/h\",\"versions\":[{\"version\":2,\"type\":\"string\",\"sealed\":false,"
           "\"deleted\":true,\"size\":0,\"changed\":\"T\",\"changed_by\":0,\"revision\":7,"
           "\"reason\":\"gone\"}]}"),
        OK("GET /registry/none?history", "{}"),
        END};
    (void)state;
    fake_start(rows);
    check("ls /registry/a", 0, "a/\nb\nc\n");
    check("ls --json /registry/j/", 0,
          "{\"path\":\"/registry/j\",\"entries\":[{\"name\":\"a\",\"folder\":true},{\"name\":\"d\",\"type\":\"list\"}],"
          "\"next\":null}\n");
    check("ls -l /registry/j", 0,
          "TYPE    VERSION  SIZE  CHANGED  EXPIRES  TAGS  SEALED  NAME\n"
          "list          2    11  T        E        a,b   sealed  d\n"
          "folder                                                 e\n");
    check("ls -r /registry/t", 0, "/registry/t/x\n/registry/t/y/z\n");
    setenv("LC_ALL", "C", 1);
    check("tree /registry/t", 0, "/registry/t/\n|-- x\n`-- y/\n    `-- z\n");
    check("ls --json /registry/bad", 1, "");
    check("history /registry/h", 0,
          "VERSION  TYPE    SIZE  CHANGED  BY    REVISION  SEALED  DELETED  DESTROYED  REASON\n"
          "      2  string     0  T        root         7          deleted             gone\n");
    check("history /registry/none", 1, "");
    check("history /registry/none --json", 0, "{}\n");
    fake_stop();
}

static void test_service(void **state)
{
    const struct fake_row rows[] = {
        OK("GET /v1/status",
           "{\"version\":\"1\",\"state\":\"locked\",\"records\":5,\"reload\":{\"done\":true,\"text\":\"good\"},"
           "\"roles\":[{\"role\":\"front\",\"pid\":12,\"landlock_abi\":2,\"not_held\":\"x\"}]}"),
        OK("GET /v1/whoami", "{\"uid\":0,\"gid\":0,\"groups\":[4,27],\"pid\":1,\"unit\":\"\",\"label\":\"\",\"owns\":"
                             "\"/registry/user/root\",\"roles\":[\"ops\"],\"rights\":[\"list\",\"read\"]}"),
        OK("POST /v1/unlock", "null"),
        OK("POST /v1/lock", "null"),
        {"POST /v1/reload", "422 Unprocessable Content", "", REFUSAL("bad-config", "line 3")},
        END};
    (void)state;
    fake_start(rows);
    check("status", 0,
          "state    locked\nversion  1\nrecords  5\nreload  good\n\nROLE   PID  LANDLOCK  NOT HELD\nfront   12         "
          "2  x\n");
    check("whoami", 0,
          "user  root\nuid   0\ngid   0\npid   1\nowns  /registry/user/root\ngroups 4 27\nroles  ops\nrights list "
          "read\n");
    check("whoami --json", 0,
          "{\"uid\":0,\"gid\":0,\"groups\":[4,27],\"pid\":1,\"unit\":\"\",\"label\":\"\",\"owns\":\"/registry/user/"
          "root\","
          "\"roles\":[\"ops\"],\"rights\":[\"list\",\"read\"]}\n");
    check("unlock --key-file", 0, "");
    check("lock --json", 0, "null\n");
    check("reload", 1, "");
    assert_string_equal(said, "sreg: line 3\n");
    fake_stop();
}

static void test_acl(void **state)
{
    const struct fake_row rows[] = {
        OK("GET /v1/acl?path=/registry", "{\"path\":\"/registry\",\"rules\":[{\"id\":1,\"path\":\"/"
                                         "registry\",\"effect\":\"allow\",\"principal\":\"uid:0\","
                                         "\"actions\":\"list,read\",\"created\":\"T\",\"created_by\":0,"
                                         "\"condition\":\"days=fri\"}]}"),
        OK("POST /v1/acl", "{\"id\":7}"),
        OK("DELETE /v1/acl?id=7", "{\"id\":7}"),
        OK("GET /v1/acl/test?path=/registry&principal=uid:0&action=read", "{\"allowed\":true,\"rule\":1}"),
        OK("GET /v1/acl/test?path=/registry&principal=any&action=read", "{\"allowed\":false,\"rule\":0}"),
        OK("GET /v1/acl/test?path=/registry&principal=any&action=list", "{}"),
        END};
    (void)state;
    fake_start(rows);
    check("acl show", 0,
          "ID  EFFECT  PRINCIPAL  ACTIONS    PATH       CREATED  BY    CONDITION\n"
          " 1  allow   uid:0      list,read  /registry  T        root  days=fri\n");
    check("acl allow gid:root read /registry", 0, "added rule 7\n");
    check("acl deny uid:12 read /registry --json", 0, "{\"id\":7}\n");
    check("acl remove 7", 0, "");
    check("acl remove 7 --json", 0, "{\"id\":7}\n");
    check("acl test uid:root read /registry", 0, "allowed by rule 1\n");
    check("acl test any read /registry", 4, "refused: no rule decides\n");
    check("acl test any read /registry --json", 4, "{\"allowed\":false,\"rule\":0}\n");
    check("acl test any list /registry", 1, "");
    fake_stop();
}

static void test_policy(void **state)
{
    const struct fake_row rows[] = {
        OK("GET /v1/roles",
           "{\"policy\":4,\"members\":[{\"id\":3,\"role\":\"ops\",\"principal\":\"uid:12\",\"created\":"
           "\"T\",\"created_by\":0}]}"),
        OK("GET /v1/roles?role=ops", "{\"policy\":4,\"members\":[]}"),
        OK("POST /v1/roles", "{\"id\":5}"),
        OK("DELETE /v1/roles?role=ops&principal=uid:12", "{\"id\":5}"),
        OK("DELETE /v1/roles?role=ops&principal=uid:12&dry_run",
           "{\"dry_run\":true,\"changes\":[{\"principal\":\"uid:12\",\"path\":\"/"
           "registry\",\"action\":\"read\",\"before\":"
           "\"allowed\",\"after\":\"refused\"}],\"has_more\":true}"),
        OK("POST /v1/acl?dry_run", "{\"dry_run\":true,\"changes\":[],\"has_more\":false}"),
        OK("GET /v1/explain?path=/registry/a&action=read",
           "{\"allowed\":false,\"decided_by\":\"rule\",\"rule\":7,\"roles\":[\"ops\"],\"maybe_roles\":[\"web\"],"
           "\"rules\":[{\"id\":"
           "7,\"effect\":\"deny\",\"verdict\":\"decides\",\"failing\":[\"days\"],\"unknown\":[\"auth\"],\"path\":\"/"
           "registry\","
           "\"principal\":\"role:ops\",\"member\":\"uid:0\",\"condition\":\"days=fri auth=pam\"}]}"),
        OK("GET /v1/explain?path=/registry/a&action=list&principal=uid:0",
           "{\"allowed\":true,\"decided_by\":\"owner\",\"rule\":0,\"rules\":[]}"),
        OK("GET /v1/explain?path=/registry/a&action=write",
           "{\"allowed\":false,\"decided_by\":\"default\",\"rule\":0,\"rules\":[]}"),
        OK("GET /v1/explain?path=/registry/a&action=audit",
           "{\"allowed\":false,\"decided_by\":\"anonymous\",\"rule\":0,\"rules\":[]}"),
        OK("GET /v1/explain?path=/registry/a&action=grant", "{}"),
        END};
    (void)state;
    fake_start(rows);
    check("role list", 0, "ROLE  PRINCIPAL  CREATED  BY\nops   uid:12     T        root\n");
    check("role show ops", 0, "");
    check("role add ops uid:12", 0, "");
    check("role add ops uid:12 --json", 0, "{\"id\":5}\n");
    check("role add ops uid:no-such-user-here", CLI_USAGE, "");
    check("role remove ops uid:12", 0, "");
    check("role remove ops uid:12 --dry-run", 0,
          "PRINCIPAL  ACTION  BEFORE   AFTER    PATH\nuid:12     read    allowed  refused  /registry\n");
    check("acl allow any read /registry --dry-run", 0, "nobody would gain or lose anything\n");
    check("acl allow any read /registry --if-revision x", CLI_USAGE, "");
    check("explain /registry/a read", 4,
          "refused by rule 7\nroles: ops,web?\n"
          "RULE  EFFECT  VERDICT  PRINCIPAL  MEMBER  CONDITION          FAILS       PATH\n"
          "   7  deny    decides  role:ops   uid:0   days=fri auth=pam  days,auth?  /registry\n");
    check("explain /registry/a list --for uid:root", 0, "allowed: it is the owner's\n");
    check("explain /registry/a write", 4, "refused: no rule allows it\n");
    check("explain /registry/a audit", 4, "refused: the kernel cannot say who it is\n");
    check("explain /registry/a grant", 1, "");
    fake_stop();
}

static void test_prune(void **state)
{
    static const char hash[] = "ababababababababababababababababababababababababababababababab";
    char done[256], dry[256];
    (void)state;
    snprintf(done, sizeof done, "{\"removed\":90,\"first\":100,\"before\":100,\"root\":\"%s\"}", hash);
    snprintf(dry, sizeof dry, "{\"removed\":90,\"first\":10,\"before\":100,\"root\":\"%s\"}", hash);
    const struct fake_row rows[] = {
        OK("POST /v1/audit/prune?until=2026-01-31T00:00:00.000Z&dry_run", "{\"removed\":0,\"first\":10}"), END};
    fake_start(rows);
    check("audit prune 2026-01-31 --dry-run", 0, "");
    check("audit prune 2026-01-31 --dry-run --json", 0, "{\"removed\":0,\"first\":10}\n");
    check("audit prune 100", CLI_USAGE, "");
    check("audit prune soon --yes", CLI_USAGE, "");
    check("audit prune", CLI_USAGE, "");
    fake_stop();
    char done_data[320], dry_data[320];
    snprintf(done_data, sizeof done_data, "{\"success\":true,\"data\":%s,\"error\":null}", done);
    snprintf(dry_data, sizeof dry_data, "{\"success\":true,\"data\":%s,\"error\":null}", dry);
    const struct fake_row more[] = {{"POST /v1/audit/prune?before=100", "200 OK", "", bytes_of_text(done_data)},
                                    {"POST /v1/audit/prune?before=100&dry_run", "200 OK", "", bytes_of_text(dry_data)},
                                    END};
    fake_start(more);
    check("audit prune 100 --yes", 0, "");
    check("audit prune 100 --dry-run", 0, "would remove 90 records, from 10 to 99\n");
    fake_stop();
}

static void test_approval(void **state)
{
    const struct fake_row rows[] = {
        OK("GET /v1/approvals",
           "{\"approvals\":[{\"id\":12,\"path\":\"/registry/a\",\"op\":\"set\",\"uid\":0,\"created\":\"T\","
           "\"expires\":\"U\"}]}"),
        OK("GET /v1/approvals?id=12", "{\"id\":12,\"uid\":0,\"created\":\"T\",\"expires\":\"U\",\"requests\":[{\"op\":"
                                      "\"set\",\"path\":\"/registry/a\","
                                      "\"size\":3,\"sealed\":false,\"value\":\"new\"}]}"),
        OK("POST /v1/approvals?id=12", "{\"id\":12,\"revision\":9}"),
        OK("DELETE /v1/approvals?id=12", "{\"id\":12,\"revision\":9}"),
        OK("POST /v1/acl", "{\"id\":7}"),
        OK("POST /v1/break-glass?path=/registry/a&for=900", "{\"id\":8,\"actions\":\"list,read\",\"expires\":\"U\"}"),
        OK("POST /v1/break-glass?path=/registry/a&for=3600", "{\"id\":8,\"actions\":\"list,read\",\"expires\":\"U\"}"),
        END};
    (void)state;
    fake_start(rows);
    check("approval list", 0, "ID  OF    WHAT  PATH         ASKED  UNTIL\n12  root  set   /registry/a  T      U\n");
    check("approval show 12", 0,
          "id        12\nasked by  root\nasked     T\nuntil     U\n"
          "WHAT  PATH         TO  SIZE  SEALED  VALUE  EFFECT  PRINCIPAL  ROLE  ACTIONS  CONDITION  BEFORE  "
          "REASON\n"
          "set   /registry/a         3          new\n");
    check("approval show twelve", CLI_USAGE, "");
    check("approval approve 12", 0, "");
    check("approval approve 12 --json", 0, "{\"id\":12,\"revision\":9}\n");
    check("approval reject 12", 0, "");
    check("policy require-approval /registry/a", 0, "added rule 7\n");
    check("policy require-approval /registry/a --by uid:root --json", 0, "{\"id\":7}\n");
    check("break-glass /registry/a --reason fire --for 15m", 0, "you may list,read until U\n");
    check("break-glass /registry/a --reason fire", 0, "you may list,read until U\n");
    check("break-glass /registry/a", CLI_USAGE, "");
    check("break-glass /registry/a --reason fire --for 1d", CLI_USAGE, "");
    check("break-glass /registry/a --reason fire --for h", CLI_USAGE, "");
    fake_stop();
}

#define RECORD(seq, kind)                                                                                              \
    "{\"seq\":" seq ",\"time\":\"T\",\"kind\":\"" kind "\",\"outcome\":\"done\",\"uid\":0,\"pid\":1,\"unit\":\"\","    \
    "\"path\":\"/registry/a\",\"detail\":\"\"}"

static void test_audit(void **state)
{
    const struct fake_row rows[] = {
        OK("GET /v1/audit?limit=3", "{\"records\":[" RECORD("9", "get") "," RECORD("8", "set") "],\"next\":8}"),
        OK("GET /v1/audit?limit=1&after=8", "{\"records\":[],\"next\":5}"),
        OK("GET /v1/audit?limit=1&after=5", "{\"records\":[" RECORD("4", "list") "],\"next\":4}"),
        OK("GET "
           "/v1/audit?uid=0&path=/registry/a&kind=get&since=2026-01-31T00:00:00.000Z&until=2026-02-01T00:00:00.000Z&"
           "refused&limit=50",
           "{\"records\":[],\"next\":null}"),
        OK("GET /v1/audit?limit=50", "{\"records\":{}}"),
        END};
    (void)state;
    fake_start(rows);
    check("audit query -n 3", 0,
          "SEQ  TIME  USER  UNIT  KIND  OUTCOME  PATH         DETAIL\n"
          "  9  T     root        get   done     /registry/a\n"
          "  8  T     root        set   done     /registry/a\n"
          "  4  T     root        list  done     /registry/a\n");
    check("audit query -n 3 --json", 0,
          "{\"records\":[" RECORD("9", "get") "," RECORD("8", "set") "," RECORD("4", "list") "],\"next\":4}\n");
    check("audit tail -n 3", 0,
          "T                        root       list       done       /registry/a\n"
          "T                        root       set        done       /registry/a\n"
          "T                        root       get        done       /registry/a\n");
    check("audit tail -n 3 --json", 0, RECORD("4", "list") "\n" RECORD("8", "set") "\n" RECORD("9", "get") "\n");
    check("audit query --uid root --path /registry/a --kind get --since 2026-01-31 --until 2026-02-01 --refused", 0,
          "");
    check("audit query", 1, "");
    fake_stop();
}

/* ---- verify -------------------------------------------------------------------------------------------------------
 */

enum { RECORDS_COUNT = 40, PAGES_COUNT = 3 };

static struct buf pages[PAGES_COUNT];
static char checkpoint[512], refused_head[512];
static struct fake_row verify_rows[PAGES_COUNT + 2];
static char targets[PAGES_COUNT][64];

/* A trail of RECORDS_COUNT records on pages; what is changed in it before it is framed is given by the two arguments.
 */
static void make_trail(unsigned bad_seq, void (*change)(struct record *r))
{
    struct trail_check c, all;
    struct trail_head head;
    char root[2 * DIGEST_BYTES + 1], last[2 * DIGEST_BYTES + 1];
    trail_check_init(&c);
    trail_check_init(&all);
    for (unsigned i = 0; i < PAGES_COUNT; i++) {
        buf_init(&pages[i], 1 << 20);
        snprintf(targets[i], sizeof targets[i], i == 0 ? "GET /v1/audit?raw" : "GET /v1/audit?raw&after=%u",
                 i * 16 - 1);
    }
    for (unsigned seq = 0; seq < RECORDS_COUNT; seq++) {
        struct record r = {.seq = seq, .kind = RECORD_GET, .path = BYTES_LITERAL("/registry/a"), .prev = {.n = 32}};
        struct buf bytes, *page = &pages[seq / 16];
        memcpy(r.prev.h, c.last, sizeof r.prev.h);
        buf_init(&bytes, RECORD_MAX_BYTES);
        assert_int_equal(record_encode(&bytes, &r), 0);
        assert_int_equal(trail_check_add(&c, buf_view(&bytes)), 0);
        if (seq == bad_seq && change != NULL) {
            change(&r);
            buf_clear(&bytes);
            assert_int_equal(record_encode(&bytes, &r), 0);
        }
        uint8_t frame[4] = {0, 0, (uint8_t)(buf_size(&bytes) >> 8), (uint8_t)buf_size(&bytes)};
        assert_int_equal(buf_append(page, BYTES_OF(frame)), 0);
        assert_int_equal(buf_append(page, buf_view(&bytes)), 0);
        buf_fini(&bytes);
    }
    assert_int_equal(trail_check_head(&c, &head), 0);
    code_hex_text(BYTES_OF(head.root), root);
    code_hex_text(BYTES_OF(head.last), last);
    snprintf(checkpoint, sizeof checkpoint,
             "{\"success\":true,\"data\":{\"size\":%u,\"root\":\"%s\",\"last\":\"%s\"},\"error\":null}", RECORDS_COUNT,
             root, last);
}

static void serve_trail(void)
{
    verify_rows[0] = (struct fake_row){"GET /v1/checkpoint", "200 OK", "", bytes_of_text(checkpoint)};
    for (unsigned i = 0; i < PAGES_COUNT; i++)
        verify_rows[i + 1] = (struct fake_row){targets[i], "200 OK", "", buf_view(&pages[i])};
    fake_start(verify_rows);
}

static void drop_trail(void)
{
    fake_stop();
    for (unsigned i = 0; i < PAGES_COUNT; i++)
        buf_fini(&pages[i]);
}

static void change_path(struct record *r)
{
    r->path = BYTES_LITERAL("/registry/b");
}

static void change_seq(struct record *r)
{
    r->seq++;
}

static void test_verify(void **state)
{
    (void)state;
    make_trail(0, NULL);
    serve_trail();
    check("audit verify", 0,
          "records: 40\norder: ok\nchain: ok\ntree head: ok\nsignatures: not checked\ntail: not anchored outside this "
          "host\n");
    assert_int_equal(run_here("audit verify --json"), 0);
    assert_int_equal(
        strncmp(printed, "{\"records\":40,\"first\":0,\"order\":\"ok\",\"chain\":\"ok\",\"tree_head\":\"ok\",", 67), 0);
    assert_non_null(strstr(printed, "\"first_bad\":null}\n"));
    drop_trail();
}

static void test_verify_changed_record(void **state)
{
    (void)state;
    make_trail(20, change_path);
    serve_trail();
    check("audit verify", 8,
          "records: 40\norder: ok\nchain: bad\ntree head: not checked\nsignatures: not checked\ntail: not anchored "
          "outside this host\n"
          "first bad record: 21 does not hold the hash of the record before it\n");
    assert_int_equal(run_here("audit verify --json"), 8);
    assert_non_null(strstr(printed, "\"chain\":\"bad\",\"tree_head\":\"unknown\""));
    drop_trail();
}

static void test_verify_last_record(void **state)
{
    (void)state;
    make_trail(39, change_path);
    serve_trail();
    check("audit verify", 8,
          "records: 40\norder: ok\nchain: ok\ntree head: mismatch\nsignatures: not checked\ntail: not anchored outside "
          "this host\n");
    drop_trail();
}

static void test_verify_gap(void **state)
{
    (void)state;
    make_trail(5, change_seq);
    serve_trail();
    check("audit verify", 8,
          "records: 40\norder: bad\nchain: not checked\ntree head: not checked\nsignatures: not checked\ntail: not "
          "anchored outside this host\n"
          "first bad record: 5 has another number\n");
    drop_trail();
}

static void test_verify_cut(void **state)
{
    (void)state;
    make_trail(0, NULL);
    buf_clear(&pages[2]);
    serve_trail();
    check("audit verify", 8,
          "records: 40\norder: bad\nchain: ok\ntree head: not checked\nsignatures: not checked\ntail: not anchored "
          "outside this host\n"
          "first bad record: 32 is missing\n");
    drop_trail();
}

static void test_verify_frames(void **state)
{
    (void)state;
    make_trail(0, NULL);
    buf_truncate(&pages[2], buf_size(&pages[2]) - 3);
    serve_trail();
    check("audit verify", 8,
          "records: 40\norder: not checked\nchain: not checked\ntree head: not checked\nsignatures: not checked\ntail: "
          "not anchored outside this "
          "host\nfirst bad record: 39 is not a canonical record\n");
    drop_trail();
    make_trail(0, NULL);
    buf_truncate(&pages[0], 3);
    serve_trail();
    assert_int_equal(run_here("audit verify --json"), 8);
    assert_non_null(strstr(printed, "\"first_bad\":{\"seq\":0,\"why\":\"is not a canonical record\"}}\n"));
    drop_trail();
}

static void test_verify_heads(void **state)
{
    (void)state;
    static const char *const heads[] = {"{\"data\":{}}", "{\"data\":{\"size\":1,\"root\":\"00\",\"last\":\"00\"}}",
                                        "{\"data\":{\"size\":-1}}", "{}"};
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        make_trail(0, NULL);
        snprintf(checkpoint, sizeof checkpoint, "%s", heads[i]);
        serve_trail();
        check("audit verify", 1, "");
        drop_trail();
    }
    make_trail(0, NULL);
    snprintf(refused_head, sizeof refused_head, "%s", "{\"error\":{\"code\":\"refused\",\"message\":\"no\"}}");
    verify_rows[0] = (struct fake_row){"GET /v1/checkpoint", "403 Forbidden", "", bytes_of_text(refused_head)};
    verify_rows[1] = (struct fake_row){0};
    fake_start(verify_rows);
    check("audit verify", 4, "");
    drop_trail();
}

static void test_doctor(void **state)
{
    const struct fake_row rows[] = {OK("GET /v1/status",
                                       "{\"version\":\"" SECREG_VERSION
                                       "\",\"state\":\"unlocked\",\"storage\":\"ok\",\"corrupt_entries\":0,"
                                       "\"unrecorded\":0,\"roles\":[{\"role\":\"engine\",\"pid\":1,\"landlock_abi\":0},"
                                       "{\"role\":\"front\",\"pid\":4194304000}]}"),
                                    END};
    (void)state;
    fake_start(rows);
    assert_int_equal(run_here("doctor"), 1);
    assert_non_null(strstr(printed, "ok    daemon"));
    assert_non_null(strstr(printed, "role engine"));
    assert_null(strstr(printed, "ok    role"));
    assert_non_null(strstr(printed, "warn  landlock"));
    assert_non_null(strstr(printed, "warn  role front"));
    assert_non_null(strstr(printed, "fail  state folder"));
    assert_non_null(strstr(printed, "ok    key file"));
    fake_stop();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_service),
        cmocka_unit_test(test_acl),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_approval),
        cmocka_unit_test(test_prune),
        cmocka_unit_test(test_audit),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_verify_changed_record),
        cmocka_unit_test(test_verify_last_record),
        cmocka_unit_test(test_verify_gap),
        cmocka_unit_test(test_verify_cut),
        cmocka_unit_test(test_verify_frames),
        cmocka_unit_test(test_verify_heads),
        cmocka_unit_test(test_doctor),
    };
    return cmocka_run_group_tests(tests, run_make_folder, run_drop_folder);
}
