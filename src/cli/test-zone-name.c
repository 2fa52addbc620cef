/* Tests of zone-name: names, footers of TZif files, and the zones of this host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/zone-name.h"
#include "fail-alloc.h"

static char folder[64];

static void write_zone(const char *name, const char *head, const char *footer)
{
    char path[128], file[128] = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    memcpy(file, head, strlen(head));
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fwrite(file, 1, 44, f);
    fputs(footer, f);
    fclose(f);
}

static int setup(void **state)
{
    char path[96];
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test-zone-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/Europe", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    write_zone("Europe/Berlin", "TZif2", "\nCET-1CEST,M3.5.0,M10.5.0/3\n");
    write_zone("Old", "TZif", "data");
    write_zone("Empty", "TZif2", "\n\n");
    write_zone("Text", "Zone", "\nCET-1\n");
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"Europe/Berlin", "Old", "Empty", "Text"};
    char path[128];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/Europe", folder);
    rmdir(path);
    rmdir(folder);
    return 0;
}

static void names(void **state)
{
    static const char *const good[] = {"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "GMT-0"};
    static const char *const bad[] = {"",    "/etc/passwd", "../x", "Europe/../x", "Europe/", "Europe//Berlin",
                                      "a.b", "1a",          "x\n"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(zone_name_check(bytes_of_text(good[i])));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(zone_name_check(bytes_of_text(bad[i])));
    assert_false(zone_name_check(bytes_of("a\0b", 3)));
}

static int resolve(const char *condition, char text[static 256])
{
    struct buf out;
    struct bytes name, rule;
    buf_init(&out, 200);
    int r = zone_name_resolve(folder, bytes_of_text(condition), &out, &name, &rule);
    snprintf(text, 256, "%.*s|%.*s|%.*s", BYTES_PRINT(r == 0 ? buf_view(&out) : BYTES_NONE), BYTES_PRINT(name),
             BYTES_PRINT(rule));
    buf_fini(&out);
    return r;
}

static void a_name_becomes_its_rule(void **state)
{
    static const struct {
        const char *condition, *text;
        int result;
    } cases[] = {
        {"days=fri zone=Europe/Berlin auth=pam",
         "days=fri zone=CET-1CEST,M3.5.0,M10.5.0/3 auth=pam|Europe/Berlin|CET-1CEST,M3.5.0,M10.5.0/3", 0},
        {"zone=Europe/Berlin", "zone=CET-1CEST,M3.5.0,M10.5.0/3|Europe/Berlin|CET-1CEST,M3.5.0,M10.5.0/3", 0},
        {"days=fri", "days=fri||", 0},
        {"days=fri zone=UTC", "days=fri zone=UTC||", 0},
        {"days=fri zone=CET-1", "days=fri zone=CET-1||", 0},
        {"days=fri zone=/etc/passwd", "days=fri zone=/etc/passwd||", 0}, /* for the daemon to refuse */
        {"xzone=Europe/Berlin", "xzone=Europe/Berlin||", 0},
        {"zone", "zone||", 0},
        {"zone=", "zone=||", 0},
        {"zone=Europe/Paris", "||", ZONE_NAME_ABSENT},
        {"zone=Europe", "||", ZONE_NAME_ABSENT},
        {"zone=Old", "||", ZONE_NAME_ABSENT},
        {"zone=Empty", "||", ZONE_NAME_ABSENT},
        {"zone=Text", "||", ZONE_NAME_ABSENT},
    };
    char text[256];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(resolve(cases[i].condition, text), cases[i].result);
        assert_string_equal(text, cases[i].text);
    }
    EACH_ALLOC_FAILURE({
        int r = resolve(cases[0].condition, text);
        assert_true(r == 0 || r == -ENOMEM);
    });
}

static void a_long_condition_is_refused(void **state)
{
    char text[256], condition[256];
    (void)state;
    memset(condition, 'x', sizeof condition - 1);
    condition[sizeof condition - 1] = '\0';
    assert_int_equal(resolve(condition, text), FAULT_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(a_name_becomes_its_rule),
                                       cmocka_unit_test(a_long_condition_is_refused)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
