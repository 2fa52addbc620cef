/* test-host - what the tests of host share: settings as lines of text. */
#ifndef CLI_TEST_HOST_H
#define CLI_TEST_HOST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/host-internal.h"

/* The value at a path below /registry/system as text with its type before it: "string abc"; NULL if it is not there. */
static inline UNUSED const char *host_value(const struct host_settings *s, const char *name)
{
    static char text[2048];
    char path[600];
    snprintf(path, sizeof path, HOST_SYSTEM "/%s", name);
    for (size_t i = s->count; i > 0; i--) {
        const struct host_setting *x = &s->items[i - 1];
        if (strcmp(x->path, path) != 0)
            continue;
        snprintf(text, sizeof text, "%s %.*s", value_type_text(x->type), (int)x->value_bytes, (const char *)x->value);
        return text;
    }
    return NULL;
}

/* True if a report holds `part`. */
static inline UNUSED bool host_is_skipped(const struct host_settings *s, const char *part)
{
    for (size_t i = 0; i < s->skipped_count; i++) {
        if (strstr(s->skipped[i], part) != NULL)
            return true;
    }
    return false;
}

#define assert_value(s, name, text)                                                                                    \
    do {                                                                                                               \
        const char *value_ = host_value((s), (name));                                                                  \
        if (value_ == NULL)                                                                                            \
            fail_msg("%s is not there", (name));                                                                       \
        assert_string_equal(value_, (text));                                                                           \
    } while (0)
#define assert_no_value(s, name) assert_null(host_value((s), (name)))
#define assert_skipped(s, part) assert_true(host_is_skipped((s), (part)))

#endif
