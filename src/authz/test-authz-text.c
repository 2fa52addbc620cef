/* Tests of the text forms of principals and actions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "authz/authz.h"
#include "fail-alloc.h"

static bool parses(const char *text)
{
    struct authz_principal who;
    return authz_principal_parse(bytes_of_text(text), &who);
}

/* Parses, checks the kind and number, and prints the same text again. */
static void assert_round(const char *text, enum authz_principal_kind kind, uint32_t id, const char *name)
{
    struct authz_principal who;
    struct buf out;
    buf_init(&out, AUTHZ_PRINCIPAL_MAX_BYTES);
    assert_true(authz_principal_parse(bytes_of_text(text), &who));
    assert_int_equal(who.kind, kind);
    assert_int_equal(who.id, id);
    assert_true(bytes_equal(who.name, bytes_of_text(name)));
    assert_int_equal(authz_principal_text(&out, &who), 0);
    assert_true(bytes_equal(buf_view(&out), bytes_of_text(text)));
    buf_fini(&out);
}

static void reads_and_prints_every_kind(void **state)
{
    (void)state;
    assert_round("uid:0", AUTHZ_UID, 0, "");
    assert_round("uid:1000", AUTHZ_UID, 1000, "");
    assert_round("uid:65533", AUTHZ_UID, 65533, "");
    assert_round("uid:65535", AUTHZ_UID, 65535, "");
    assert_round("uid:4294967294", AUTHZ_UID, 4294967294u, "");
    assert_round("gid:27", AUTHZ_GID, 27, "");
    assert_round("unit:sshd.service", AUTHZ_UNIT, 0, "sshd.service");
    assert_round("unit:dev-disk\\x2dby.service", AUTHZ_UNIT, 0, "dev-disk\\x2dby.service");
    assert_round("unit:getty@tty1.service", AUTHZ_UNIT, 0, "getty@tty1.service");
    assert_round("unit:session-4.scope", AUTHZ_UNIT, 0, "session-4.scope");
    assert_round("unit:a:b_c.D.service", AUTHZ_UNIT, 0, "a:b_c.D.service");
    assert_round("label:snap.web.daemon", AUTHZ_LABEL, 0, "snap.web.daemon");
    assert_round("label:system_u:system_r:sshd_t:s0-s0:c0.c1023", AUTHZ_LABEL, 0,
                 "system_u:system_r:sshd_t:s0-s0:c0.c1023");
    assert_round("label:/usr/sbin/nginx", AUTHZ_LABEL, 0, "/usr/sbin/nginx");
    assert_round("label:!", AUTHZ_LABEL, 0, "!");
    assert_round("label:~", AUTHZ_LABEL, 0, "~");
    assert_round("role:a", AUTHZ_ROLE, 0, "a");
    assert_round("role:web-admins", AUTHZ_ROLE, 0, "web-admins");
    assert_round("role:x9-", AUTHZ_ROLE, 0, "x9-");
    assert_round("role:admin", AUTHZ_ROLE, 0, "admin");
    assert_round("any", AUTHZ_ANY, 0, "");
}

static void refuses_what_is_not_canonical(void **state)
{
    static const char *const bad[] = {"",
                                      "a",
                                      "anyone",
                                      "any ",
                                      " any",
                                      "Any",
                                      "any:",
                                      "uid",
                                      "uid:",
                                      "uid: 1",
                                      "uid:+1",
                                      "uid:-1",
                                      "uid:01",
                                      "uid:0x1",
                                      "uid:1 ",
                                      "UID:1",
                                      "uid:65534",
                                      "uid:4294967295",
                                      "uid:4294967296",
                                      "uid:18446744073709551616",
                                      "uid:4295032830", /* nobody, when cut to 32 bits */
                                      "gid:",
                                      "gid:65534",
                                      "gid:4294967295",
                                      "gid:x",
                                      "user:1",
                                      "role",
                                      "role:",
                                      "role:Admin",
                                      "Role:admin",
                                      "roles:admin",
                                      "role:9a",
                                      "role:-a",
                                      "role:a_b",
                                      "role:a.b",
                                      "role:a b",
                                      "role:a,b",
                                      "role:*",
                                      "role:\xc3\xa9",
                                      "role: admin",
                                      "role:admin\n",
                                      "unit:",
                                      "unit:sshd",
                                      "unit:.service",
                                      "unit:.scope",
                                      "unit:sshd.socket",
                                      "unit:sshd.Service",
                                      "unit:a b.service",
                                      "unit:a/b.service",
                                      "unit:\xc3\xa9.service",
                                      "unit:a\n.service",
                                      "unit:sshd.service ",
                                      "unit:a.slice",
                                      "label:",
                                      "label: ",
                                      "label:a b",
                                      "label:a\tb",
                                      "label:a\x7f",
                                      "label:\xc3\xa9",
                                      "label:a\n",
                                      "label",
                                      "labels:a"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (parses(bad[i]))
            fail_msg("accepted: %s", bad[i]);
    }
    struct authz_principal who = {.kind = AUTHZ_GID, .id = 7};
    assert_false(authz_principal_parse(BYTES_OF("uid:1"), &who)); /* with the NUL */
    assert_false(authz_principal_parse(BYTES_OF("label:a"), &who));
    assert_false(authz_principal_parse(BYTES_NONE, &who));
    assert_int_equal(who.kind, AUTHZ_GID);
    assert_int_equal(who.id, 7);
}

static void names_end_at_their_limit(void **state)
{
    char text[AUTHZ_PRINCIPAL_MAX_BYTES + 2];
    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text, "label:", 6);
    text[6 + AUTHZ_NAME_MAX_BYTES] = '\0';
    assert_round(text, AUTHZ_LABEL, 0, text + 6);
    text[6 + AUTHZ_NAME_MAX_BYTES] = 'a';
    text[6 + AUTHZ_NAME_MAX_BYTES + 1] = '\0';
    assert_false(parses(text));

    memcpy(text, "unit:a", 6);
    memcpy(text + 5 + AUTHZ_NAME_MAX_BYTES - 8, ".service", 9);
    assert_round(text, AUTHZ_UNIT, 0, text + 5);
    text[5 + AUTHZ_NAME_MAX_BYTES - 8] = 'a';
    memcpy(text + 5 + AUTHZ_NAME_MAX_BYTES - 7, ".service", 9);
    assert_false(parses(text));
}

static void roles_end_at_their_limit(void **state)
{
    char text[sizeof "role:" + AUTHZ_ROLE_MAX_BYTES + 1];
    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text, "role:", 5);
    text[5 + AUTHZ_ROLE_MAX_BYTES] = '\0';
    assert_round(text, AUTHZ_ROLE, 0, text + 5);
    text[5 + AUTHZ_ROLE_MAX_BYTES] = 'a';
    text[6 + AUTHZ_ROLE_MAX_BYTES] = '\0';
    assert_false(parses(text));
}

static void parsed_names_are_views(void **state)
{
    static const char text[] = "unit:sshd.service";
    struct authz_principal who;
    (void)state;
    assert_true(authz_principal_parse(bytes_of_text(text), &who));
    assert_ptr_equal(who.name.p, text + 5);
}

static void printing_passes_faults_up(void **state)
{
    static const char *const texts[] = {"any", "uid:1000", "label:snap.web"};
    struct buf out;
    struct authz_principal who;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        assert_true(authz_principal_parse(bytes_of_text(texts[i]), &who));
        buf_init(&out, 2);
        assert_int_equal(authz_principal_text(&out, &who), FAULT_LIMIT);
        buf_fini(&out);
        buf_init(&out, 6);
        assert_int_equal(authz_principal_text(&out, &who), i == 0 ? 0 : FAULT_LIMIT);
        buf_fini(&out);
        int r = 0;
        buf_init(&out, 64);
        fail_alloc_after(0);
        r = authz_principal_text(&out, &who);
        assert_true(fail_alloc_off());
        assert_int_equal(r, -ENOMEM);
        buf_fini(&out);
    }
}

static unsigned actions(const char *text)
{
    return authz_actions_parse(bytes_of_text(text));
}

static void reads_actions_and_roles(void **state)
{
    (void)state;
    assert_int_equal(actions("list"), AUTHZ_LIST);
    assert_int_equal(actions("read"), AUTHZ_READ);
    assert_int_equal(actions("write"), AUTHZ_WRITE);
    assert_int_equal(actions("delete"), AUTHZ_DELETE);
    assert_int_equal(actions("grant"), AUTHZ_GRANT);
    assert_int_equal(actions("audit"), AUTHZ_AUDIT);
    assert_int_equal(actions("control"), AUTHZ_CONTROL);
    assert_int_equal(actions("read,list"), AUTHZ_LIST | AUTHZ_READ);
    assert_int_equal(actions("admin"), AUTHZ_ALL & ~(unsigned)AUTHZ_BREAK_GLASS);
    assert_int_equal(actions("operator"), AUTHZ_LIST | AUTHZ_READ | AUTHZ_WRITE);
    assert_int_equal(actions("auditor"), AUTHZ_LIST | AUTHZ_AUDIT);
    assert_int_equal(actions("operator,auditor"), AUTHZ_LIST | AUTHZ_READ | AUTHZ_WRITE | AUTHZ_AUDIT);
    assert_int_equal(actions("operator,delete"), AUTHZ_OWNER);
    assert_int_equal(actions("break-glass"), AUTHZ_BREAK_GLASS);
    assert_int_equal(actions("break-glass,control,audit,grant,delete,write,read,list"), AUTHZ_ALL);
}

/* Stored in rules and covered by their authentication: a change here would change what old rules mean. */
static void action_bits_never_change(void **state)
{
    static const char *const names[] = {"list", "read", "write", "delete", "grant", "audit", "control", "break-glass"};
    (void)state;
    for (unsigned i = 0; i < COUNT_OF(names); i++)
        assert_int_equal(actions(names[i]), 1u << i);
    assert_int_equal(AUTHZ_ALL, (1u << COUNT_OF(names)) - 1);
}

static void refuses_malformed_lists(void **state)
{
    static const char *const bad[] = {"",           ",",         "list,",        ",list",          "list,,read",
                                      "list, read", " list",     "list ",        "LIST",           "lis",
                                      "lists",      "list,list", "admin,admin",  "list,read,list", "all",
                                      "*",          "list;read", "list,unknown", "unknown",        "list\n"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (actions(bad[i]) != 0)
            fail_msg("accepted: %s", bad[i]);
    }
    assert_int_equal(authz_actions_parse(BYTES_OF("list")), 0); /* with the NUL */
}

static void every_set_of_actions_comes_back(void **state)
{
    (void)state;
    for (unsigned set = 0; set <= AUTHZ_ALL; set++) {
        struct buf out;
        buf_init(&out, 64);
        assert_int_equal(authz_actions_text(&out, set), 0);
        assert_int_equal(authz_actions_parse(buf_view(&out)), set);
        buf_fini(&out);
    }
}

static void actions_print_in_table_order(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, 64);
    assert_int_equal(authz_actions_text(&out, actions("write,list,read")), 0);
    assert_true(bytes_equal(buf_view(&out), BYTES_LITERAL("list,read,write")));
    buf_fini(&out);
    for (size_t room = 1; room < 15; room++) {
        buf_init(&out, room);
        assert_int_equal(authz_actions_text(&out, AUTHZ_LIST | AUTHZ_READ | AUTHZ_WRITE), FAULT_LIMIT);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_prints_every_kind),  cmocka_unit_test(refuses_what_is_not_canonical),
        cmocka_unit_test(names_end_at_their_limit),     cmocka_unit_test(roles_end_at_their_limit),
        cmocka_unit_test(parsed_names_are_views),       cmocka_unit_test(printing_passes_faults_up),
        cmocka_unit_test(reads_actions_and_roles),      cmocka_unit_test(action_bits_never_change),
        cmocka_unit_test(refuses_malformed_lists),      cmocka_unit_test(every_set_of_actions_comes_back),
        cmocka_unit_test(actions_print_in_table_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
