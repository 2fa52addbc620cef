/* Tests of reading sshd_config. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "cli/test-host.h"
#include "fail-alloc.h"

/* Files that an Include names, by name. */
struct files {
    const char *name, *text;
};

static int include(struct host_sshd *d, struct bytes pattern, void *arg)
{
    for (const struct files *f = arg; f != NULL && f->name != NULL; f++) {
        if (bytes_equal(pattern, bytes_of_text(f->name)))
            return host_sshd_parse(d, f->name, bytes_of_text(f->text));
    }
    return 0;
}

static int parse(struct host_settings *s, struct bytes text, const struct files *files)
{
    union {
        const struct files *lent;
        void *arg;
    } u = {.lent = files};
    struct host_sshd *d = host_sshd_new(s, include, u.arg);
    if (d == NULL)
        return -ENOMEM;
    int r = host_sshd_parse(d, "sshd_config", text);
    if (r == 0)
        r = host_sshd_finish(d);
    assert_null(host_sshd_free(d));
    return r;
}

static struct host_settings parsed_with(const char *text, const struct files *files)
{
    struct host_settings s;
    host_init(&s);
    assert_int_equal(parse(&s, bytes_of_text(text), files), 0);
    return s;
}

static struct host_settings parsed(const char *text)
{
    return parsed_with(text, NULL);
}

static void first_value_of_an_option_wins(void **state)
{
    struct host_settings s = parsed("# comment\n\n"
                                    "PermitRootLogin no\n"
                                    "permitrootlogin yes\n"
                                    "\tX11Forwarding=yes\n"
                                    "MaxAuthTries = 3 # comment\n"
                                    "Ciphers=a,b\r\n"
                                    "IPQoS  lowdelay\tthroughput\n");
    (void)state;
    assert_value(&s, "services/sshd/permitrootlogin", "string no");
    assert_value(&s, "services/sshd/x11forwarding", "string yes");
    assert_value(&s, "services/sshd/maxauthtries", "string 3");
    assert_value(&s, "services/sshd/ciphers", "string a,b");
    assert_value(&s, "services/sshd/ipqos", "string lowdelay throughput");
    assert_int_equal(s.count, 5);
    assert_int_equal(s.skipped_count, 0);
    host_fini(&s);
}

static void options_that_may_repeat_are_lists(void **state)
{
    struct host_settings s = parsed("Port 22\nPort 2222\n"
                                    "ListenAddress 0.0.0.0\nListenAddress ::1 rdomain x\n"
                                    "HostKey /a\nHostKey /b\n"
                                    "AcceptEnv LANG LC_*\nAcceptEnv FOO\n"
                                    "AllowUsers a b\nAllowUsers c\n"
                                    "Subsystem sftp /usr/lib/sftp-server -l INFO\n"
                                    "AuthorizedKeysFile .ssh/a .ssh/b\nAuthorizedKeysFile .ssh/c\n");
    (void)state;
    assert_value(&s, "services/sshd/port", "list [\"22\",\"2222\"]");
    assert_value(&s, "services/sshd/listenaddress", "list [\"0.0.0.0\",\"::1 rdomain x\"]");
    assert_value(&s, "services/sshd/hostkey", "list [\"/a\",\"/b\"]");
    assert_value(&s, "services/sshd/acceptenv", "list [\"LANG\",\"LC_*\",\"FOO\"]");
    assert_value(&s, "services/sshd/allowusers", "list [\"a\",\"b\",\"c\"]");
    assert_value(&s, "services/sshd/subsystem", "list [\"sftp /usr/lib/sftp-server -l INFO\"]");
    assert_value(&s, "services/sshd/authorizedkeysfile", "list [\".ssh/a\",\".ssh/b\"]");
    host_fini(&s);
}

static void quotes_and_escapes_are_undone(void **state)
{
    struct host_settings s = parsed("Banner \"/etc/a b\" # comment\n"
                                    "AllowUsers \"a b\" c\\ d 'e\"f' \"g\\\"h\" i\\\\j k\\n l'm'n o#p\n"
                                    "IPQoS \"a b\" \"\" c\\\"d\n"
                                    "ForceCommand echo \"a  b\" # no comment\n"
                                    "VersionAddendum it's\n");
    (void)state;
    assert_value(&s, "services/sshd/banner", "string /etc/a b");
    assert_value(&s, "services/sshd/allowusers",
                 "list [\"a b\",\"c d\",\"e\\\"f\",\"g\\\"h\",\"i\\\\j\",\"k\\\\n\",\"lmn\",\"o#p\"]");
    assert_value(&s, "services/sshd/ipqos", "string \"a b\" \"\" \"c\\\"d\"");
    assert_value(&s, "services/sshd/forcecommand", "string echo \"a  b\" # no comment");
    assert_value(&s, "services/sshd/versionaddendum", "string it's");
    assert_int_equal(s.skipped_count, 0);
    host_fini(&s);
}

static void lines_that_make_no_sense_are_reported(void **state)
{
    struct host_settings s = parsed("Banner\nBanner #x\nBanner \"open\n=x\nA.B c\nPort 1\n");
    (void)state;
    assert_skipped(&s, "sshd_config, line 1: it has no value");
    assert_skipped(&s, "sshd_config, line 2: a quote is not closed");
    assert_skipped(&s, "sshd_config, line 3: a quote is not closed");
    assert_skipped(&s, "sshd_config, line 4: it is not a keyword and text");
    assert_skipped(&s, "sshd_config, line 5: it is not a keyword and text");
    assert_value(&s, "services/sshd/port", "list [\"1\"]");
    assert_int_equal(s.count, 1);
    host_fini(&s);
    host_init(&s);
    assert_int_equal(parse(&s, BYTES_LITERAL("Banner a\0b\n"), NULL), 0);
    assert_int_equal(s.count, 0);
    assert_int_equal(s.skipped_count, 1);
    host_fini(&s);
}

static void match_blocks_are_apart(void **state)
{
    struct host_settings s = parsed("PermitRootLogin no\n"
                                    "Match User git Address 10.0.0.0/8 # comment\n"
                                    "  PermitRootLogin yes\n"
                                    "  PermitRootLogin no\n"
                                    "Match User \"a b\"\n"
                                    "  PermitTTY no\n");
    (void)state;
    assert_value(&s, "services/sshd/permitrootlogin", "string no");
    assert_value(&s, "services/sshd/match/1/criteria", "string User git Address 10.0.0.0/8");
    assert_value(&s, "services/sshd/match/1/permitrootlogin", "string yes");
    assert_value(&s, "services/sshd/match/2/criteria", "string User \"a b\"");
    assert_value(&s, "services/sshd/match/2/permittty", "string no");
    assert_int_equal(s.count, 5);
    host_fini(&s);
}

static void lines_below_a_match_that_is_refused_count_nowhere(void **state)
{
    static const struct files files[] = {{"f", "Banner x\n"}, {NULL, NULL}};
    struct host_settings s =
        parsed_with("Port 1\nMatch\nPort 2\nInclude f\nMatch user \"x\nPort 3\nMatch all\nPort 4\n", files);
    (void)state;
    assert_value(&s, "services/sshd/port", "list [\"1\"]");
    assert_no_value(&s, "services/sshd/banner");
    assert_value(&s, "services/sshd/match/1/criteria", "string all");
    assert_value(&s, "services/sshd/match/1/port", "list [\"4\"]");
    assert_int_equal(s.count, 3);
    assert_int_equal(s.skipped_count, 2);
    host_fini(&s);
}

static void included_files_stand_in_for_their_line(void **state)
{
    static const struct files files[] = {{"a", "Banner a\nPort 1\n"},
                                         {"b", "Banner b\nPort 2\nMatch User b\nX 1\n"},
                                         {"c", "Y 1\nMatch Group c\nY 2\n"},
                                         {NULL, NULL}};
    struct host_settings s = parsed_with("Include a b\n"
                                         "Port 3\n"
                                         "Banner late\n"
                                         "Match Address 192.0.2.0/24\n"
                                         "Include c\n"
                                         "Y 3\n"
                                         "Z 3\n"
                                         "Match all\n"
                                         "Include c missing\n",
                                         files);
    (void)state;
    assert_value(&s, "services/sshd/banner", "string a");
    assert_value(&s, "services/sshd/port", "list [\"1\",\"2\",\"3\"]");
    assert_value(&s, "services/sshd/match/1/criteria", "string User b");
    assert_value(&s, "services/sshd/match/1/x", "string 1");
    assert_value(&s, "services/sshd/match/2/criteria", "string Address 192.0.2.0/24");
    assert_value(&s, "services/sshd/match/2/y", "string 1");
    assert_value(&s, "services/sshd/match/2/z", "string 3");
    assert_value(&s, "services/sshd/match/3/criteria", "string Address 192.0.2.0/24 Group c");
    assert_value(&s, "services/sshd/match/3/y", "string 2");
    assert_value(&s, "services/sshd/match/4/criteria", "string all");
    assert_value(&s, "services/sshd/match/5/criteria", "string Group c");
    host_fini(&s);
}

static void include_ends_at_its_limits(void **state)
{
    static const struct files loop[] = {{"f", "Include f\nX 1\n"}, {NULL, NULL}};
    static const struct files wide[] = {{"f", "Y 1\n"}, {NULL, NULL}};
    static char text[3 * HOST_INCLUDED_FILES_MAX_COUNT + 64];
    struct host_settings s = parsed_with("Include f\n", loop);
    (void)state;
    assert_skipped(&s, "f, line 1: files include each other too deeply");
    assert_int_equal(s.skipped_count, 1);
    assert_value(&s, "services/sshd/x", "string 1");
    host_fini(&s);
    memcpy(text, "Include", 7);
    for (size_t i = 0; i < HOST_INCLUDED_FILES_MAX_COUNT; i++)
        memcpy(text + 7 + 2 * i, " f", 2);
    s = parsed_with(text, wide);
    assert_skipped(&s, "f: there are too many included files");
    assert_int_equal(s.skipped_count, 1);
    host_fini(&s);
}

static void options_blocks_and_conditions_are_bounded(void **state)
{
    SCOPED(buf_fini) struct buf text;
    struct host_settings s;
    (void)state;
    buf_init(&text, 1 << 20);
    for (unsigned i = 0; i <= HOST_SSHD_OPTIONS_MAX_COUNT; i++)
        assert_int_equal(buf_print(&text, "o%u x\n", i), 0);
    for (unsigned i = 0; i < HOST_SSHD_BLOCKS_MAX_COUNT; i++)
        assert_int_equal(buf_print(&text, "Match User u%u\nX y\n", i), 0);
    host_init(&s);
    assert_int_equal(parse(&s, buf_view(&text), NULL), 0);
    assert_skipped(&s, "there are too many options");
    assert_skipped(&s, "there are too many Match blocks");
    assert_int_equal(s.skipped_count, 2);
    assert_no_value(&s, "services/sshd/x");
    assert_value(&s, "services/sshd/match/511/x", "string y");
    assert_no_value(&s, "services/sshd/match/512/x");
    host_fini(&s);
    buf_clear(&text);
    assert_int_equal(buf_append_text(&text, "Match User"), 0);
    for (unsigned i = 0; i < 2000; i++)
        assert_int_equal(buf_append_text(&text, " abcd"), 0);
    assert_int_equal(buf_append_text(&text, "\nX y\n"), 0);
    assert_int_equal(parse(&s, buf_view(&text), NULL), 0);
    assert_skipped(&s, "the condition is too long");
    assert_int_equal(s.count, 0);
    host_fini(&s);
}

static void every_allocation_may_fail(void **state)
{
    static const struct files files[] = {{"f", "Port 1\nMatch Group g\nX \"a b\"\n"}, {NULL, NULL}};
    static const char text[] =
        "Include f\nBanner\nAllowUsers a b\nForceCommand x y\nIPQoS a b\nMatch User u\nInclude f\n"
        "A 1\nB 1\nC 1\nD 1\nE 1\nF 1\nG 1\nH 1\nI 1\nJ 1\nK 1\nL 1\nM 1\nN 1\nO 1\nP 1\nQ 1\n";
    bool has_failed = false, has_passed = false;
    (void)state;
    for (unsigned n = 0; n < 1000 && !has_passed; n++) {
        struct host_settings s;
        host_init(&s);
        fail_alloc_after(n);
        int r = parse(&s, bytes_of_text(text), files);
        bool was_refused = fail_alloc_off();
        assert_int_equal(r, was_refused ? -ENOMEM : 0);
        has_failed = has_failed || was_refused;
        has_passed = !was_refused;
        host_fini(&s);
    }
    assert_true(has_failed && has_passed);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_value_of_an_option_wins),
        cmocka_unit_test(options_that_may_repeat_are_lists),
        cmocka_unit_test(quotes_and_escapes_are_undone),
        cmocka_unit_test(lines_that_make_no_sense_are_reported),
        cmocka_unit_test(match_blocks_are_apart),
        cmocka_unit_test(lines_below_a_match_that_is_refused_count_nowhere),
        cmocka_unit_test(included_files_stand_in_for_their_line),
        cmocka_unit_test(include_ends_at_its_limits),
        cmocka_unit_test(options_blocks_and_conditions_are_bounded),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("host-sshd", tests, NULL, NULL);
}
