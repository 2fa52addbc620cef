/* Tests of policy-file: what is read, what is refused and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/policy-file.h"
#include "fail-alloc.h"

static char why[POLICY_FILE_WHY_BYTES];

static int read_text(const char *text, char ret[static 1024])
{
    struct buf out;
    buf_init(&out, 1000);
    why[0] = '\0';
    int r = policy_file_read(bytes_of_text(text), &out, why);
    snprintf(ret, 1024, "%.*s", BYTES_PRINT(r == 0 ? buf_view(&out) : BYTES_NONE));
    buf_fini(&out);
    return r;
}

static void reads_every_kind_of_change(void **state)
{
    static const struct {
        const char *text, *json;
    } cases[] = {
        {"changes: []", "{\"changes\":[]}"},
        {"changes:\n- {remove: rule, id: 7}", "{\"changes\":[{\"remove\":\"rule\",\"id\":7}]}"},
        {"changes:\n- add: member\n  role: web\n  principal: uid:5\n- {principal: gid:6, role: ops, remove: member}\n",
         "{\"changes\":[{\"add\":\"member\",\"role\":\"web\",\"principal\":\"uid:5\"},"
         "{\"remove\":\"member\",\"principal\":\"gid:6\",\"role\":\"ops\"}]}"},
        {"changes:\n- add: rule\n  path: /registry\n  effect: allow\n  principal: any\n  actions: read,list\n"
         "  condition: \"days=fri auth=pam\"\n",
         "{\"changes\":[{\"add\":\"rule\",\"path\":\"/registry\",\"effect\":\"allow\",\"principal\":\"any\","
         "\"actions\":\"read,list\",\"condition\":\"days=fri auth=pam\"}]}"},
        {"{\"changes\":[{\"remove\":\"rule\",\"id\":12}]}", "{\"changes\":[{\"remove\":\"rule\",\"id\":12}]}"},
        {"{\"changes\": [{\"add\": \"member\", \"role\": \"a\\\"b\", \"principal\": \"\\u00e9\"}]}",
         "{\"changes\":[{\"add\":\"member\",\"role\":\"a\\\"b\",\"principal\":\"\xc3\xa9\"}]}"},
    };
    char json[1024];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (read_text(cases[i].text, json) != 0)
            fail_msg("%s: %s", cases[i].text, why);
        assert_string_equal(json, cases[i].json);
    }
    EACH_ALLOC_FAILURE({
        int r = read_text(cases[3].text, json);
        assert_true(r == 0 || r == -ENOMEM);
    });
}

static void says_what_is_wrong_and_where(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "line 1, column 1: the file is a map"},
        {"a: b", "the file is a map with one member"},
        {"changes: x", "the file is a map with one member"},
        {"changes: []\nmore: 1", "the file is a map with one member"},
        {"- add: rule", "line 1"},
        {"changes:\n- x", "line 2, column 3: a change is a map"},
        {"changes:\n- {}", "line 2, column 3: a change says"},
        {"changes:\n- {add: sugar}", "line 2, column 3: a change says"},
        {"changes:\n- {add: [rule]}", "line 2, column 3: a change says"},
        {"changes:\n- {remove: rule}", "line 2, column 3: a member is missing"},
        {"changes:\n- {remove: rule, id: x}", "the number of a rule is meant"},
        {"changes:\n- {remove: rule, id: 0}", "the number of a rule is meant"},
        {"changes:\n- {remove: rule, id: 1, path: /x}", "such a change has no such member"},
        {"changes:\n- {add: member, remove: member, role: a, principal: b}", "such a change has no such member"},
        {"changes:\n- {add: member, role: [a], principal: b}", "a text is meant"},
        {"changes:\n- {add: member, role: '', principal: b}", "a text is meant"},
        {"changes:\n- {add: member, role: a, role: b, principal: b}", "line 2"},
        {"changes: &a []", "line 1"},
        {"changes:\n- {add: member, role: \"a\\P\", principal: b}", "that can be shown"},
        {"changes:\n- {add: member, role: \"a\xe2\x80\xa9\", principal: b}", "U+2029"},
    };
    char json[1024];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(read_text(cases[i].text, json), POLICY_FILE_BAD);
        if (strstr(why, cases[i].why) == NULL)
            fail_msg("%s: %s", cases[i].text, why);
    }
}

static void is_bounded(void **state)
{
    static char text[POLICY_FILE_MAX_BYTES + 2];
    char json[1024];
    struct buf out;
    (void)state;
    memset(text, ' ', sizeof text - 1);
    assert_int_equal(read_text(text, json), POLICY_FILE_BAD);
    assert_non_null(strstr(why, "longer than"));
    int used = snprintf(text, sizeof text, "changes:\n");
    for (int i = 0; i < POLICY_FILE_CHANGES_MAX_COUNT; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "- {remove: rule, id: 1}\n");
    buf_init(&out, 1 << 20);
    assert_int_equal(policy_file_read(bytes_of_text(text), &out, why), 0);
    snprintf(text + used, sizeof text - (size_t)used, "- {remove: rule, id: 1}\n");
    assert_int_equal(policy_file_read(bytes_of_text(text), &out, why), POLICY_FILE_BAD);
    assert_non_null(strstr(why, "more than 1000"));
    buf_fini(&out);
    assert_int_equal(read_text("changes:\n- {add: member, role: "
                               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, principal: b}\n",
                               json),
                     0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_every_kind_of_change),
                                       cmocka_unit_test(says_what_is_wrong_and_where), cmocka_unit_test(is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
