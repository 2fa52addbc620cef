/* Tests of the reader of transactions: what comes out of a body, and what is said of a bad one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail-alloc.h"
#include "front/front.h"
#include "model/value.h"
#include "wire/json.h"

#define P "\"path\":\"/registry/a\""

static struct {
    struct http_request http;
    struct front_ask ask;
    struct buf leaves;
} t;

static int setup(void **state)
{
    (void)state;
    buf_init_wiping(&t.leaves, 8 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_fini(&t.leaves);
    return 0;
}

static int read_body(const char *body)
{
    t.http = (struct http_request){.body = bytes_of_text(body)};
    t.ask = (struct front_ask){.http = &t.http, .leaves = &t.leaves};
    return front_read_txn(&t.ask);
}

/* The n-th frame of what was read last. */
static struct msg_request frame(size_t n, unsigned *ret_part)
{
    struct bytes in = t.ask.m.body, body = BYTES_NONE;
    struct msg_request m = {0};
    uint16_t part = 0;
    size_t used;
    for (size_t i = 0; i <= n; i++) {
        assert_int_equal(msg_next(in, &part, &body, &used), 0);
        in = bytes_from(in, used);
    }
    assert_true(msg_request_get(body, &m));
    *ret_part = part;
    return m;
}

static struct msg_request only(const char *body, unsigned wanted_part)
{
    unsigned part;
    int r = read_body(body);
    if (r != 0)
        print_message("%s: %s\n", body, t.ask.why);
    assert_int_equal(r, 0);
    struct msg_request m = frame(0, &part);
    assert_int_equal(part, wanted_part);
    return m;
}

static void leaves_become_requests(void **state)
{
    static const struct {
        const char *leaf;
        uint16_t op;
        uint32_t flags;
        uint64_t match, version;
    } rows[] = {
        {"{\"op\":\"get\"," P "}", PROTO_OP_GET, PROTO_WANTS_ENTRY, 0, 0},
        {"{\"op\":\"delete\"," P "}", PROTO_OP_DELETE, 0, 0, 0},
        {"{\"op\":\"delete\"," P ",\"version\":7}", PROTO_OP_DELETE, PROTO_MATCH_VERSION, 7, 0},
        {"{\"op\":\"delete-tree\"," P "}", PROTO_OP_DELETE_TREE, 0, 0, 0},
        {"{\"op\":\"revert\"," P ",\"version\":3}", PROTO_OP_REVERT, 0, 0, 3},
        {"{\"op\":\"revert\"," P ",\"revision\":3}", PROTO_OP_REVERT, PROTO_HAS_REVISION, 3, 0},
        {"{\"op\":\"destroy\"," P ",\"version\":3}", PROTO_OP_DESTROY, 0, 0, 3},
    };
    char body[256];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(body, sizeof body, "{\"then\":[%s]}", rows[i].leaf);
        struct msg_request m = only(body, PROTO_THEN);
        assert_int_equal(m.op, rows[i].op);
        assert_int_equal(m.flags, rows[i].flags);
        assert_int_equal(m.match, rows[i].match);
        assert_int_equal(m.version, rows[i].version);
        assert_true(bytes_equal(m.path, BYTES_LITERAL("/registry/a")));
    }
    struct msg_request m =
        only("{\"else\":[{\"op\":\"move\",\"from\":\"/registry/a\",\"to\":\"/registry/b\"}]}", PROTO_ELSE);
    assert_int_equal(m.op, PROTO_OP_MOVE);
    assert_true(bytes_equal(m.to, BYTES_LITERAL("/registry/b")));
}

static void values_become_what_put_would_send(void **state)
{
    enum { KEEP = PROTO_KEEP_TYPE, J = PROTO_IS_JSON, L = PROTO_IS_LIST };
    const struct {
        const char *members;
        unsigned type;
        uint32_t flags;
        struct bytes body;
    } rows[] = {
        {"\"value\":\"x\"", 0, KEEP, BYTES_LITERAL("x")},
        {"\"value\":\"\"", 0, KEEP, BYTES_LITERAL("")},
        {"\"value\":\"42\"", 0, KEEP | J, BYTES_LITERAL("42")},
        {"\"value\":\"[\\\"a\\\"]\"", 0, KEEP | J | L, BYTES_LITERAL("[\"a\"]")},
        {"\"value\":42", VALUE_INTEGER, 0, BYTES_LITERAL("42")},
        {"\"value\":-9223372036854775808", VALUE_INTEGER, 0, BYTES_LITERAL("-9223372036854775808")},
        {"\"value\":1.5", VALUE_FLOAT, 0, BYTES_LITERAL("1.5")},
        {"\"value\":true", VALUE_BOOLEAN, 0, BYTES_LITERAL("true")},
        {"\"value\":null", VALUE_JSON, J, BYTES_LITERAL("null")},
        {"\"value\":[\"a\",\"b\"]", VALUE_LIST, L, BYTES_LITERAL("[\"a\",\"b\"]")},
        {"\"value\":[\"a\",1]", VALUE_JSON, J, BYTES_LITERAL("[\"a\",1]")},
        {"\"value\":{\"b\":1,\"a\":2}", VALUE_JSON, J, BYTES_LITERAL("{\"b\":1,\"a\":2}")},
        {"\"value\":\"7\",\"type\":\"integer\"", VALUE_INTEGER, 0, BYTES_LITERAL("7")},
        {"\"value\":\"t\",\"type\":\"json\"", VALUE_JSON, J, BYTES_LITERAL("\"t\"")},
        {"\"value\":\"t\",\"type\":\"string\"", VALUE_STRING, 0, BYTES_LITERAL("t")},
        {"\"value\":\"/wA=\",\"type\":\"binary\"", VALUE_BINARY, 0, BYTES_LITERAL("\xff\0")},
        {"\"value\":[1],\"type\":\"list\"", VALUE_LIST, 0, BYTES_LITERAL("[1]")}, /* and the engine refuses it */
        {"\"value\":[\"a\"],\"type\":\"json\"", VALUE_JSON, J, BYTES_LITERAL("[\"a\"]")},
    };
    char body[256];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        snprintf(body, sizeof body, "{\"then\":[{\"op\":\"set\"," P ",%s}]}", rows[i].members);
        struct msg_request m = only(body, PROTO_THEN);
        assert_int_equal(m.type, rows[i].type);
        assert_int_equal(m.flags, rows[i].flags);
        assert_true(bytes_equal(m.body, rows[i].body));
    }
}

static void metadata_and_conditions(void **state)
{
    (void)state;
    struct msg_request m =
        only("{\"then\":[{\"op\":\"set\"," P ",\"value\":\"x\",\"seal\":true,\"comment\":\"c\",\"tags\":[\"b\",\"a\"],"
             "\"expires\":\"2100-01-01T00:00:00Z\",\"version\":3}]}",
             PROTO_THEN);
    assert_int_equal(m.flags, PROTO_SEAL | PROTO_HAS_COMMENT | PROTO_HAS_TAGS | PROTO_HAS_EXPIRES |
                                  PROTO_MATCH_VERSION | PROTO_KEEP_TYPE);
    assert_true(bytes_equal(m.comment, BYTES_LITERAL("c")) && bytes_equal(m.tags, BYTES_LITERAL("a\nb\n")));
    assert_true(m.expires_us == INT64_C(4102444800) * US_PER_S && m.match == 3);
    m = only("{\"then\":[{\"op\":\"set\"," P
             ",\"value\":\"x\",\"seal\":false,\"tags\":[],\"expires\":null,\"absent\":true}]}",
             PROTO_THEN);
    assert_int_equal(m.flags, PROTO_UNSEAL | PROTO_HAS_TAGS | PROTO_HAS_EXPIRES | PROTO_MATCH_ABSENT | PROTO_KEEP_TYPE);
    assert_true(m.tags.n == 0 && m.expires_us == 0);
    m = only("{\"then\":[],\"compare\":[{" P ",\"value\":\"x\"}]}", PROTO_COMPARE);
    assert_true(m.op == PROTO_OP_COMPARE && m.flags == PROTO_MATCH_VALUE && m.type == 0);
    m = only("{\"then\":[],\"compare\":[{" P ",\"value\":7}]}", PROTO_COMPARE);
    assert_true(m.flags == PROTO_MATCH_VALUE && m.type == VALUE_INTEGER && bytes_equal(m.body, BYTES_LITERAL("7")));
    m = only("{\"then\":[],\"compare\":[{" P
             ",\"fingerprint\":\"00ff0000000000000000000000000000000000000000000000000000"
             "00000001\"}]}",
             PROTO_COMPARE);
    assert_true(m.flags == PROTO_MATCH_PRINT && m.body.n == DIGEST_BYTES && m.body.p[1] == 0xff);
}

static void parts_keep_their_order(void **state)
{
    unsigned part;
    (void)state;
    assert_int_equal(read_body("{\"reason\":\"why\",\"else\":[{\"op\":\"get\"," P "}],\"dry_run\":true,"
                               "\"then\":[{\"op\":\"delete\"," P "},{\"op\":\"get\"," P "}]}"),
                     0);
    assert_true(bytes_equal(t.ask.m.reason, BYTES_LITERAL("why")) && t.ask.m.flags == PROTO_DRY_RUN);
    assert_true(frame(0, &part).op == PROTO_OP_GET && part == PROTO_ELSE);
    assert_true(frame(1, &part).op == PROTO_OP_DELETE && part == PROTO_THEN);
    assert_true(frame(2, &part).op == PROTO_OP_GET && part == PROTO_THEN);
    assert_int_equal(read_body("{\"then\":[]}"), 0);
    assert_int_equal(t.ask.m.body.n, 0);
}

static void a_bad_body_is_told_where_it_is_bad(void **state)
{
    static const struct {
        const char *body, *why; /* how it begins */
    } rows[] = {
        {"", "line 1"},
        {"[]", "the body is a JSON map"},
        {"{\"compare\":[]}", "the body is a JSON map"},
        {"{\"then\":[],\"then\":[]}", "line 1"},
        {"{\"then\":{}}", "compare, then and else are lists"},
        {"{\"then\":[],\"more\":1}", "a member is unknown or of the wrong kind"},
        {"{\"then\":[],\"dry_run\":1}", "a member is unknown or of the wrong kind"},
        {"{\"then\":[1]}", "then[0]: it is not a JSON map"},
        {"{\"then\":[{\"op\":\"get\"," P "},{\"op\":\"x\"}]}", "then[1]: op is"},
        {"{\"then\":[{\"op\":\"get\"}]}", "then[0]: it needs a path"},
        {"{\"then\":[{\"op\":\"get\",\"path\":1}]}", "then[0]: a member is not a text"},
        {"{\"then\":[{\"op\":\"get\"," P ",\"value\":1}]}", "then[0]: a member is unknown here"},
        {"{\"then\":[{\"op\":\"set\"," P "}]}", "then[0]: it needs a value"},
        {"{\"then\":[{\"op\":\"set\"," P ",\"value\":1,\"type\":\"x\"}]}", "then[0]: there is no such type"},
        {"{\"then\":[{\"op\":\"set\"," P ",\"value\":\"*\",\"type\":\"binary\"}]}",
         "then[0]: a binary value is base64"},
        {"{\"then\":[{\"op\":\"set\"," P ",\"value\":1,\"seal\":1}]}", "then[0]: a member is not true or false"},
        {"{\"then\":[{\"op\":\"set\"," P ",\"value\":1,\"tags\":\"a\"}]}", "then[0]: tags are a list"},
        {"{\"then\":[{\"op\":\"set\"," P ",\"value\":1,\"tags\":[\"a\",\"a\"]}]}", "then[0]: a tag is malformed"},
        {"{\"then\":[{\"op\":\"set\"," P ",\"value\":1,\"tags\":[1]}]}", "then[0]: a tag is malformed"},
        {"{\"then\":[{\"op\":\"set\"," P ",\"value\":1,\"expires\":\"soon\"}]}", "then[0]: the end is null"},
        {"{\"then\":[{\"op\":\"set\"," P ",\"value\":1,\"version\":0}]}", "then[0]: a version or revision"},
        {"{\"then\":[{\"op\":\"set\"," P ",\"value\":1,\"absent\":false}]}", "then[0]: absent and present can only"},
        {"{\"then\":[{\"op\":\"set\"," P ",\"value\":1,\"absent\":true,\"version\":1}]}",
         "then[0]: version and absent"},
        {"{\"then\":[{\"op\":\"move\",\"from\":\"/registry/a\"}]}", "then[0]: it needs from and to"},
        {"{\"then\":[{\"op\":\"move\"," P ",\"to\":\"/registry/b\"}]}", "then[0]: a member is unknown here"},
        {"{\"then\":[{\"op\":\"revert\"," P "}]}", "then[0]: it needs a version or a revision"},
        {"{\"then\":[{\"op\":\"revert\"," P ",\"version\":1,\"revision\":1}]}", "then[0]: it needs a version or a rev"},
        {"{\"then\":[{\"op\":\"destroy\"," P "}]}", "then[0]: it needs a version"},
        {"{\"then\":[],\"compare\":[{" P "}]}", "compare[0]: it compares one of"},
        {"{\"then\":[],\"compare\":[{" P ",\"absent\":true,\"version\":1}]}", "compare[0]: it compares one of"},
        {"{\"then\":[],\"compare\":[{" P ",\"fingerprint\":\"ab\"}]}", "compare[0]: a fingerprint is 64"},
        {"{\"then\":[],\"compare\":[{\"op\":\"get\"," P ",\"absent\":true}]}", "compare[0]: a member is unknown here"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int r = read_body(rows[i].body);
        if (r != OUTCOME_BAD_REQUEST || t.ask.why == NULL || strncmp(t.ask.why, rows[i].why, strlen(rows[i].why)) != 0)
            print_message("%s: %d %s\n", rows[i].body, r, t.ask.why != NULL ? t.ask.why : "");
        assert_int_equal(r, OUTCOME_BAD_REQUEST);
        assert_non_null(t.ask.why);
        assert_int_equal(strncmp(t.ask.why, rows[i].why, strlen(rows[i].why)), 0);
    }
}

static void too_much_is_refused(void **state)
{
    static char body[900000];
    (void)state;
    strcpy(body, "{\"then\":[");
    size_t at = strlen(body), reset = at;
    for (int i = 0; i < 10001; i++)
        at += (size_t)sprintf(body + at, "%s{\"op\":\"get\"," P "}", i > 0 ? "," : "");
    strcpy(body + at, "]}");
    assert_int_equal(read_body(body), OUTCOME_BAD_REQUEST);
    buf_fini(&t.leaves);
    buf_init_wiping(&t.leaves, 300000); /* less than the frames need */
    body[reset] = '\0';
    for (int i = 0, n = (int)reset; i < 5000; i++)
        n += sprintf(body + n, "%s{\"op\":\"get\"," P "}", i > 0 ? "," : "");
    strcat(body, "]}");
    assert_int_equal(read_body(body), OUTCOME_TOO_LARGE);
}

static void every_allocation_may_fail(void **state)
{
    static const char body[] =
        "{\"compare\":[{" P ",\"value\":\"/w==\",\"type\":\"binary\"}],\"reason\":\"why\",\"then\":["
        "{\"op\":\"set\"," P ",\"value\":[\"a\"],\"tags\":[\"b\",\"a\"]},{\"op\":\"set\"," P
        ",\"value\":\"text\"}],\"else\":[{\"op\":\"get\"," P "}]}";
    unsigned tries = 0, part;
    int r = -ENOMEM;
    (void)state;
    EACH_ALLOC_FAILURE({
        buf_fini(&t.leaves);
        buf_init_wiping(&t.leaves, 8 << 20);
        r = read_body(body);
        assert_true(r == 0 || r == -ENOMEM);
        tries++;
    });
    assert_true(tries > 5);
    assert_int_equal(r, 0);
    assert_true(frame(3, &part).op == PROTO_OP_GET && part == PROTO_ELSE);
}

static void lists_of_tags_and_ends_in_headers(void **state)
{
    uint8_t storage[META_TAGS_MAX_BYTES];
    struct bytes tags;
    int64_t us;
    (void)state;
    assert_true(front_tags(BYTES_LITERAL("web, net"), storage, &tags));
    assert_true(bytes_equal(tags, BYTES_LITERAL("net\nweb\n")));
    assert_true(front_tags(BYTES_LITERAL(""), storage, &tags) && tags.n == 0);
    assert_false(front_tags(BYTES_LITERAL("a,,b"), storage, &tags));
    assert_false(front_tags(BYTES_LITERAL("a,a"), storage, &tags));
    assert_false(front_tags(BYTES_LITERAL("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"), storage, &tags));
    assert_true(front_expires(BYTES_LITERAL("never"), &us) && us == 0);
    assert_true(front_expires(BYTES_LITERAL("1970-01-01T00:00:01Z"), &us) && us == US_PER_S);
    assert_false(front_expires(BYTES_LITERAL("1970-01-01T00:00:00Z"), &us));
    assert_false(front_expires(BYTES_LITERAL("2100-01-01T00:00:00.000000000000000000000Z"), &us));
    assert_false(front_expires(BYTES_LITERAL(""), &us));
}

static int start(void **state)
{
    (void)state;
    json_start();
    return 0;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(leaves_become_requests),    T(values_become_what_put_would_send),  T(metadata_and_conditions),
        T(parts_keep_their_order),    T(a_bad_body_is_told_where_it_is_bad), T(too_much_is_refused),
        T(every_allocation_may_fail), T(lists_of_tags_and_ends_in_headers),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
