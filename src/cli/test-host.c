/* Tests of the settings of a host: the set, and the parsers of one file each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "cli/test-host.h"
#include "fail-alloc.h"

typedef int parse_fn(struct host_settings *s, struct bytes text);

static struct host_settings parsed(parse_fn *parse, const char *text)
{
    struct host_settings s;
    host_init(&s);
    assert_int_equal(parse(&s, bytes_of_text(text)), 0);
    return s;
}

static struct host_path path_of(const char *name)
{
    struct host_path p;
    host_path_init(&p, HOST_SYSTEM);
    host_path_push(&p, bytes_of_text(name));
    return p;
}

/* ---- the set ------------------------------------------------------------------------------------------------------
 */

static void later_value_of_a_path_counts(void **state)
{
    struct host_settings s;
    struct host_path b = path_of("b"), a = path_of("a"), c = path_of("c");
    (void)state;
    host_init(&s);
    for (unsigned i = 0; i < 40; i++) {
        char number[8];
        snprintf(number, sizeof number, "%u", i);
        assert_int_equal(host_add(&s, &b, VALUE_STRING, bytes_of_text(number)), 0);
    }
    assert_int_equal(host_add(&s, &c, VALUE_STRING, BYTES_LITERAL("z")), 0);
    assert_int_equal(host_add(&s, &a, VALUE_STRING, BYTES_NONE), 0);
    host_sort(&s);
    assert_int_equal(s.count, 3);
    assert_string_equal(s.items[0].path, HOST_SYSTEM "/a");
    assert_value(&s, "a", "string ");
    assert_value(&s, "b", "string 39");
    assert_ptr_equal(host_find(&s, BYTES_LITERAL(HOST_SYSTEM "/c")), &s.items[2]);
    assert_null(host_find(&s, BYTES_LITERAL(HOST_SYSTEM "/0")));
    assert_null(host_find(&s, BYTES_LITERAL(HOST_SYSTEM "/bb")));
    assert_null(host_find(&s, BYTES_LITERAL(HOST_SYSTEM "/d")));
    host_fini(&s);
    host_sort(&s);
    assert_int_equal(s.count, 0);
    assert_null(host_find(&s, BYTES_LITERAL(HOST_SYSTEM "/a")));
    host_fini(NULL);
}

static void illegal_names_are_reported(void **state)
{
    struct host_settings s;
    struct host_path p = path_of("a b\x1b");
    char longest[300];
    (void)state;
    host_init(&s);
    assert_int_equal(host_add(&s, &p, VALUE_STRING, BYTES_LITERAL("v")), 0);
    assert_int_equal(s.count, 0);
    assert_int_equal(s.unread_count, 0);
    assert_string_equal(s.skipped[0], HOST_SYSTEM "/a b\\x1b: a component holds a character other than letters, "
                                                  "digits and ._@:+-");
    memset(longest, 'x', sizeof longest);
    p = path_of("a");
    for (unsigned i = 0; i < 10; i++)
        host_path_push(&p, bytes_of(longest, 255));
    assert_int_equal(host_add(&s, &p, VALUE_STRING, BYTES_LITERAL("v")), 0);
    assert_int_equal(s.count, 0);
    assert_skipped(&s, "xxx...: it is longer than 512 bytes");
    host_path_pop(&p, 0);
    assert_int_equal(host_path_view(&p).n, 0);
    host_fini(&s);
}

static void refused_values_leave_their_path_unread(void **state)
{
    struct host_settings s;
    struct host_path a = path_of("a"), folder = path_of("f");
    struct host_names names = {0};
    (void)state;
    host_init(&s);
    assert_int_equal(host_add(&s, &a, VALUE_STRING, BYTES_LITERAL("\xff")), 0);
    assert_int_equal(host_add(&s, &a, VALUE_INTEGER, BYTES_LITERAL("01")), 0);
    assert_int_equal(s.count, 0);
    assert_true(host_is_unread(&s, BYTES_LITERAL(HOST_SYSTEM "/a")));
    assert_true(host_is_unread(&s, BYTES_LITERAL(HOST_SYSTEM "/a/b")));
    assert_false(host_is_unread(&s, BYTES_LITERAL(HOST_SYSTEM "/ab")));
    assert_int_equal(host_names_add(&names, BYTES_LITERAL("x\0y")), 0);
    assert_int_equal(host_add_names(&s, &folder, "nul", &names), 0);
    assert_int_equal(host_names_add(&names, BYTES_LITERAL("\xc3")), 0);
    assert_int_equal(host_add_names(&s, &folder, "utf8", &names), 0);
    assert_int_equal(s.count, 0);
    assert_true(host_is_unread(&s, BYTES_LITERAL(HOST_SYSTEM "/f/nul")));
    assert_true(host_is_unread(&s, BYTES_LITERAL(HOST_SYSTEM "/f/utf8")));
    host_names_fini(&names);
    host_fini(&s);
}

static void lists_are_json_and_empty_ones_are_left_out(void **state)
{
    struct host_settings s;
    struct host_path folder = path_of("f");
    struct host_names names = {0};
    (void)state;
    host_init(&s);
    assert_int_equal(host_add_names(&s, &folder, "empty", &names), 0);
    assert_int_equal(s.count, 0);
    assert_int_equal(host_names_add(&names, BYTES_LITERAL("b\"\\\n")), 0);
    assert_int_equal(host_names_add(&names, BYTES_LITERAL("")), 0);
    assert_int_equal(host_names_add(&names, BYTES_LITERAL("a")), 0);
    assert_int_equal(host_names_add(&names, BYTES_LITERAL("a")), 0);
    assert_int_equal(host_add_names(&s, &folder, "all", &names), 0);
    assert_value(&s, "f/all", "list [\"b\\\"\\\\\\n\",\"\",\"a\",\"a\"]");
    host_names_sort(&names);
    assert_int_equal(host_add_names(&s, &folder, "sorted", &names), 0);
    assert_value(&s, "f/sorted", "list [\"\",\"a\",\"b\\\"\\\\\\n\"]");
    host_names_fini(&names);
    host_names_sort(&names);
    assert_int_equal(names.count, 0);
    host_fini(&s);
}

static void lists_longer_than_a_value_are_reported(void **state)
{
    static uint8_t half[VALUE_MAX_BYTES / 2];
    struct host_settings s;
    struct host_path folder = path_of("f");
    struct host_names names = {0};
    (void)state;
    host_init(&s);
    memset(half, '"', sizeof half);
    assert_int_equal(host_names_add(&names, BYTES_OF(half)), 0);
    assert_int_equal(host_add_names(&s, &folder, "escaped", &names), 0);
    assert_skipped(&s, "/f/escaped: ");
    assert_int_equal(host_names_add(&names, BYTES_OF(half)), 0);
    assert_int_equal(host_add_names(&s, &folder, "long", &names), 0);
    assert_skipped(&s, "/f/long: the list is longer than 1 MiB");
    assert_int_equal(s.count, 0);
    assert_int_equal(s.unread_count, 2);
    host_names_fini(&names);
    host_fini(&s);
}

static void there_is_a_limit_of_settings(void **state)
{
    struct host_settings s;
    struct host_path p = path_of("p");
    (void)state;
    host_init(&s);
    for (size_t i = 0; i < HOST_SETTINGS_MAX_COUNT; i++)
        assert_int_equal(host_add(&s, &p, VALUE_STRING, BYTES_NONE), 0);
    assert_int_equal(host_add(&s, &p, VALUE_STRING, BYTES_NONE), FAULT_LIMIT);
    assert_int_equal(s.count, HOST_SETTINGS_MAX_COUNT);
    host_fini(&s);
}

static void reports_are_bounded(void **state)
{
    struct host_settings s;
    (void)state;
    host_init(&s);
    for (unsigned i = 0; i < HOST_SKIPPED_MAX_COUNT + 5; i++)
        assert_int_equal(host_skip_line(&s, "file", i, "why"), 0);
    assert_int_equal(s.skipped_count, HOST_SKIPPED_MAX_COUNT);
    assert_string_equal(s.skipped[0], "file, line 0: why");
    assert_string_equal(s.skipped[HOST_SKIPPED_MAX_COUNT - 1], "more was left out, which is not listed");
    host_fini(&s);
}

/* ---- words and lines ----------------------------------------------------------------------------------------------
 */

static void lines_and_words_are_taken_apart(void **state)
{
    struct bytes rest = BYTES_LITERAL("a\t b \r\n\nlast"), line;
    char lower[8];
    (void)state;
    assert_true(host_next_line(&rest, &line));
    assert_true(bytes_equal(host_next_word(&line), BYTES_LITERAL("a")));
    assert_true(bytes_equal(host_next_word(&line), BYTES_LITERAL("b")));
    assert_int_equal(host_next_word(&line).n, 0);
    assert_true(host_next_line(&rest, &line));
    assert_int_equal(line.n, 0);
    assert_true(host_next_line(&rest, &line));
    assert_true(bytes_equal(line, BYTES_LITERAL("last")));
    assert_false(host_next_line(&rest, &line));
    assert_true(bytes_equal(host_trim(BYTES_LITERAL(" \tx y\f\r")), BYTES_LITERAL("x y")));
    assert_int_equal(host_trim(BYTES_LITERAL("  ")).n, 0);
    assert_true(host_lower(lower, sizeof lower, BYTES_LITERAL("aB_-09z")));
    assert_string_equal(lower, "ab_-09z");
    assert_false(host_lower(lower, sizeof lower, BYTES_LITERAL("eightxxx")));
    assert_false(host_lower(lower, sizeof lower, BYTES_LITERAL("a.b")));
    assert_false(host_lower(lower, sizeof lower, BYTES_NONE));
}

/* ---- kernel -------------------------------------------------------------------------------------------------------
 */

static void sysctl_values_get_the_type_that_fits(void **state)
{
    static const struct {
        const char *text, *value;
    } rows[] = {
        {"1\n", "integer 1"},
        {"-1\n", "integer -1"},
        {"9223372036854775807\n", "integer 9223372036854775807"},
        {"9223372036854775808\n", "string 9223372036854775808"},
        {"4096\t131072\t6291456\n", "string 4096\t131072\t6291456"},
        {"007\n", "string 007"},
        {"1 \n", "string 1 "},
        {"\n", "string "},
        {"", "string "},
        {"core\n\n", "string core\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct host_settings s;
        struct host_path p = path_of("x");
        host_init(&s);
        assert_int_equal(host_parse_sysctl(&s, &p, bytes_of_text(rows[i].text)), 0);
        assert_value(&s, "x", rows[i].value);
        host_fini(&s);
    }
}

static void what_is_no_setting_is_known(void **state)
{
    static const char *const not [] = {
        "kernel/random/uuid",
        "kernel/pty/nr",
        "fs/dentry-state",
        "fs/quota/reads",
        "fs/binfmt_misc",
        "fs/binfmt_misc/status",
        "net/ipv6/conf/eth0.1/stable_secret",
        "net/netfilter/nf_conntrack_count",
    };
    static const char *const settings[] = {"kernel",
                                           "kernel/random",
                                           "net/ipv6/conf/a/b/stable_secret",
                                           "net/netfilter/nf_conntrack_count_x",
                                           "vm/swappiness",
                                           "fs"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(not ); i++)
        assert_false(host_sysctl_is_setting(not [i]));
    for (size_t i = 0; i < COUNT_OF(settings); i++)
        assert_true(host_sysctl_is_setting(settings[i]));
}

/* ---- os-release ---------------------------------------------------------------------------------------------------
 */

static void os_release_values_are_what_a_shell_assigns(void **state)
{
    struct host_settings s = parsed(host_parse_os_release, "# comment\n"
                                                           "\n"
                                                           "ID=debian\n"
                                                           "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"
                                                           "A=\"\\\"\\$\\`\\\\ \\n\"\n"
                                                           "B='single \"\\$ quoted'\n"
                                                           "C=a\\ b\\\\c  # comment\n"
                                                           "D=\"x\"\t# comment\n"
                                                           "E=\n"
                                                           "F=\"\"\r\n"
                                                           "G=1:2~3*\n"
                                                           "ID=later\n");
    (void)state;
    assert_int_equal(s.skipped_count, 0);
    assert_value(&s, "os/id", "string later");
    assert_value(&s, "os/pretty_name", "string Debian GNU/Linux 12 (bookworm)");
    assert_value(&s, "os/a", "string \"$`\\ \\n");
    assert_value(&s, "os/b", "string single \"\\$ quoted");
    assert_value(&s, "os/c", "string a b\\c");
    assert_value(&s, "os/d", "string x");
    assert_value(&s, "os/e", "string ");
    assert_value(&s, "os/f", "string ");
    assert_value(&s, "os/g", "string 1:2~3*");
    host_fini(&s);
}

static void os_release_lines_that_need_a_shell_are_reported(void **state)
{
    static const char *const rows[][2] = {
        {"A=\"open", "a quote is not closed"},
        {"A='open", "a quote is not closed"},
        {"A=\"open\\\"", "a quote is not closed"},
        {"A=$(id)", "it holds characters that must be quoted"},
        {"A=\"$HOME\"", "it holds characters that must be quoted"},
        {"A=\"`id`\"", "it holds characters that must be quoted"},
        {"A=a;b", "it holds characters that must be quoted"},
        {"A=~/x", "it holds characters that must be quoted"},
        {"A=a:~b", "it holds characters that must be quoted"},
        {"A=a\"b\"", "it holds characters that must be quoted"},
        {"A=\"a\"b", "something follows the value"},
        {"A=\"a\"#b", "something follows the value"},
        {"A= b", "something follows the value"},
        {"A=a b", "something follows the value"},
        {"A=a\\", "it ends in a backslash"},
        {"just text", "it is no assignment"},
        {"=x", "it does not begin with a name"},
        {"1A=x", "it does not begin with a name"},
        {"A-B=x", "it does not begin with a name"},
        {"A B=x", "it does not begin with a name"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct host_settings s = parsed(host_parse_os_release, rows[i][0]);
        if (s.count != 0 || !host_is_skipped(&s, rows[i][1]))
            fail_msg("%s: %s", rows[i][0], s.skipped_count > 0 ? s.skipped[0] : "not reported");
        host_fini(&s);
    }
}

static void os_release_values_have_a_limit(void **state)
{
    static const char opening[][4] = {"A=", "A='", "A=\""};
    static char text[6000];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(opening); i++) {
        memset(text, 'x', sizeof text - 1);
        memcpy(text, opening[i], strlen(opening[i]));
        text[sizeof text - 2] = opening[i][2] != '\0' ? opening[i][2] : 'x';
        struct host_settings s = parsed(host_parse_os_release, text);
        assert_skipped(&s, "os-release, line 1: it is too long");
        host_fini(&s);
    }
}

/* ---- network ------------------------------------------------------------------------------------------------------
 */

static void resolver_lines_are_read_as_the_resolver_does(void **state)
{
    struct host_settings s = parsed(host_parse_resolver, "# made by\n"
                                                         "; somebody\n"
                                                         "nameserver 10.0.0.1 ignored\n"
                                                         "nameserver\t2001:db8::1\n"
                                                         " nameserver 9.9.9.9\n"
                                                         "domain a.example rest\n"
                                                         "search b.example\tc.example\n"
                                                         "options ndots:2 rotate\n"
                                                         "options edns0\n"
                                                         "sortlist 10.0.0.0\n");
    (void)state;
    assert_value(&s, "network/resolver/nameservers", "list [\"10.0.0.1\",\"2001:db8::1\"]");
    assert_value(&s, "network/resolver/search", "list [\"b.example\",\"c.example\"]");
    assert_value(&s, "network/resolver/options", "list [\"ndots:2\",\"rotate\",\"edns0\"]");
    assert_int_equal(s.count, 3);
    host_fini(&s);
    s = parsed(host_parse_resolver, "search b.example\ndomain a.example rest\nnameserver\n");
    assert_value(&s, "network/resolver/search", "list [\"a.example\"]");
    assert_int_equal(s.count, 1);
    host_fini(&s);
}

static void hosts_are_gathered_by_address(void **state)
{
    struct host_settings s = parsed(host_parse_hosts, "127.0.0.1 localhost\n"
                                                      "# comment\n"
                                                      "\n"
                                                      "0:0:0:0:0:0:0:1 localhost ip6-localhost # loop\n"
                                                      "127.0.0.1\tvm  vm.example\n"
                                                      "::1 again\n"
                                                      "192.0.2.9\n"
                                                      "fe80::1%lo0 link\n"
                                                      "10.0.0.256 no\n"
                                                      "2001:db8::1:0:0:1 g\xc3\xbc\n");
    (void)state;
    assert_value(&s, "network/hosts/127.0.0.1", "list [\"localhost\",\"vm\",\"vm.example\"]");
    assert_value(&s, "network/hosts/::1", "list [\"localhost\",\"ip6-localhost\",\"again\"]");
    assert_value(&s, "network/hosts/2001:db8::1:0:0:1", "list [\"g\xc3\xbc\"]");
    assert_int_equal(s.count, 3);
    assert_skipped(&s, "hosts, line 8: it does not begin with an address");
    assert_skipped(&s, "hosts, line 9: it does not begin with an address");
    assert_int_equal(s.skipped_count, 2);
    host_fini(&s);
    s = parsed(host_parse_hosts, "");
    assert_int_equal(s.count, 0);
    host_fini(&s);
}

static void host_name_is_the_first_line_that_says_something(void **state)
{
    struct host_settings s = parsed(host_parse_hostname, "# set by hand\n\n  web1.example \nweb2\n");
    (void)state;
    assert_value(&s, "network/hostname", "string web1.example");
    assert_int_equal(s.count, 1);
    host_fini(&s);
    s = parsed(host_parse_hostname, "# nothing\n");
    assert_int_equal(s.count, 0);
    host_fini(&s);
}

static void interface_attributes_have_their_types(void **state)
{
    struct host_settings s;
    struct host_path p = path_of("i");
    (void)state;
    host_init(&s);
    assert_int_equal(host_parse_interface(&s, &p, "mtu", BYTES_LITERAL("1500\n")), 0);
    assert_int_equal(host_parse_interface(&s, &p, "address", BYTES_LITERAL("02:fc:00:00:00:01\n")), 0);
    assert_int_equal(host_parse_interface(&s, &p, "flags", BYTES_LITERAL("0x1003\n")), 0);
    assert_value(&s, "i/mtu", "integer 1500");
    assert_value(&s, "i/mac", "string 02:fc:00:00:00:01");
    assert_value(&s, "i/up", "boolean true");
    assert_int_equal(host_parse_interface(&s, &p, "flags", BYTES_LITERAL("0xaf0\n")), 0);
    assert_value(&s, "i/up", "boolean false");
    assert_int_equal(host_parse_interface(&s, &p, "address", BYTES_LITERAL("\n")), 0);
    assert_int_equal(s.count, 4);
    assert_int_equal(s.unread_count, 0);
    assert_int_equal(host_parse_interface(&s, &p, "mtu", BYTES_LITERAL("big\n")), 0);
    assert_true(host_is_unread(&s, BYTES_LITERAL(HOST_SYSTEM "/i/mtu")));
    static const char *const bad[] = {"", "1", "0x", "0xg", "0x123456789"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        size_t before = s.skipped_count;
        assert_int_equal(host_parse_interface(&s, &p, "flags", bytes_of_text(bad[i])), 0);
        assert_int_equal(s.skipped_count, before + 1);
    }
    assert_true(host_is_unread(&s, BYTES_LITERAL(HOST_SYSTEM "/i")));
    host_fini(&s);
}

/* ---- storage ------------------------------------------------------------------------------------------------------
 */

static void fstab_lines_become_folders(void **state)
{
    struct host_settings s = parsed(host_parse_fstab, "# comment\n"
                                                      "UUID=1 / ext4 errors=remount-ro,noatime 0 1\n"
                                                      "\n"
                                                      "  /dev/a\\040b /mnt/\\134x\\011y vfat defaults\n"
                                                      "two fields\n"
                                                      "none none swap\n"
                                                      "a b c ,x,,context=\"u,v\", 1 nine\n");
    (void)state;
    assert_value(&s, "storage/fstab/1/source", "string UUID=1");
    assert_value(&s, "storage/fstab/1/target", "string /");
    assert_value(&s, "storage/fstab/1/type", "string ext4");
    assert_value(&s, "storage/fstab/1/options", "list [\"errors=remount-ro\",\"noatime\"]");
    assert_value(&s, "storage/fstab/1/dump", "integer 0");
    assert_value(&s, "storage/fstab/1/pass", "integer 1");
    assert_value(&s, "storage/fstab/2/source", "string /dev/a b");
    assert_value(&s, "storage/fstab/2/target", "string /mnt/\\x\ty");
    assert_value(&s, "storage/fstab/2/pass", "integer 0");
    assert_skipped(&s, "fstab, line 5: it has less than three fields");
    assert_value(&s, "storage/fstab/3/type", "string swap");
    assert_no_value(&s, "storage/fstab/3/options");
    assert_value(&s, "storage/fstab/4/options", "list [\"x\",\"context=\\\"u,v\\\"\"]");
    assert_value(&s, "storage/fstab/4/dump", "integer 1");
    assert_no_value(&s, "storage/fstab/4/pass");
    assert_true(host_is_unread(&s, BYTES_LITERAL(HOST_SYSTEM "/storage/fstab/4/pass")));
    host_fini(&s);
}

static void fstab_escapes_that_are_none_stay(void **state)
{
    struct host_settings s = parsed(host_parse_fstab, "\\04 \\400 \\09\\\n\\000 b c\n");
    (void)state;
    assert_value(&s, "storage/fstab/1/source", "string \\04");
    assert_value(&s, "storage/fstab/1/target", "string \\400");
    assert_value(&s, "storage/fstab/1/type", "string \\09\\");
    assert_no_value(&s, "storage/fstab/2/source");
    assert_skipped(&s, "storage/fstab/2/source: a string holds no NUL");
    host_fini(&s);
}

static void fstab_passwords_are_not_stored(void **state)
{
    struct host_settings s =
        parsed(host_parse_fstab, "//a/b /b cifs username=u,password=s3cret 0 0\n//a/c /c cifs pass=s3cret,uid=1 0 0\n"
                                 "//a/d /d cifs p\\141ssword=s3cret,password2=s3cret\n");
    (void)state;
    assert_value(&s, "storage/fstab/1/options", "list [\"username=u\"]");
    assert_value(&s, "storage/fstab/2/options", "list [\"uid=1\"]");
    assert_no_value(&s, "storage/fstab/3/options");
    assert_int_equal(s.skipped_count, 4);
    for (size_t i = 0; i < s.skipped_count; i++)
        assert_null(strstr(s.skipped[i], "s3cret"));
    host_fini(&s);
}

/* ---- memory -------------------------------------------------------------------------------------------------------
 */

static void parse_or_fail(parse_fn *parse, const char *text)
{
    struct host_settings s;
    host_init(&s);
    int r = parse(&s, bytes_of_text(text));
    bool was_refused = fail_alloc_off();
    assert_int_equal(r, was_refused ? -ENOMEM : 0);
    host_fini(&s);
}

static void every_allocation_may_fail(void **state)
{
    static const struct {
        parse_fn *parse;
        const char *text;
    } rows[] = {
        {host_parse_os_release, "ID=debian\nbad\nB=\"\xff\"\n"},
        {host_parse_resolver, "nameserver 1.1.1.1\nsearch a b\ndomain c\noptions d e f\n"},
        {host_parse_hosts, "127.0.0.1 a b c d e f g h i j k l m n o p q r\nx y\n"},
        {host_parse_hostname, "name\n"},
        {host_parse_fstab, "a b c d,e,password=f 0 0\nx\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (unsigned n = 0; n < 60; n++) {
            fail_alloc_after(n);
            parse_or_fail(rows[i].parse, rows[i].text);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_value_of_a_path_counts),
        cmocka_unit_test(illegal_names_are_reported),
        cmocka_unit_test(refused_values_leave_their_path_unread),
        cmocka_unit_test(lists_are_json_and_empty_ones_are_left_out),
        cmocka_unit_test(lists_longer_than_a_value_are_reported),
        cmocka_unit_test(there_is_a_limit_of_settings),
        cmocka_unit_test(reports_are_bounded),
        cmocka_unit_test(lines_and_words_are_taken_apart),
        cmocka_unit_test(sysctl_values_get_the_type_that_fits),
        cmocka_unit_test(what_is_no_setting_is_known),
        cmocka_unit_test(os_release_values_are_what_a_shell_assigns),
        cmocka_unit_test(os_release_lines_that_need_a_shell_are_reported),
        cmocka_unit_test(os_release_values_have_a_limit),
        cmocka_unit_test(resolver_lines_are_read_as_the_resolver_does),
        cmocka_unit_test(hosts_are_gathered_by_address),
        cmocka_unit_test(host_name_is_the_first_line_that_says_something),
        cmocka_unit_test(interface_attributes_have_their_types),
        cmocka_unit_test(fstab_lines_become_folders),
        cmocka_unit_test(fstab_escapes_that_are_none_stay),
        cmocka_unit_test(fstab_passwords_are_not_stored),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
