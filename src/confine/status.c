/*
 * status - what /proc/PID/status shows of a confined process, and whether that is what its profile promises.
 *
 * The text comes from the kernel, but may be of a kernel that is younger or older than this code: unknown lines are
 * skipped, and a line we need that is absent, comes twice or cannot be read makes the whole text malformed.
 * Source: proc(5).
 */
#include "base/bytes.h"
#include "base/num.h"
#include "confine/confine-internal.h"

enum { SECCOMP_MODE_IS_FILTER = 2, HEX_DIGITS_MAX_COUNT = 16 };

enum line_kind { LINE_DECIMAL, LINE_HEX };

struct line_row {
    const char *name; /* with its colon */
    enum line_kind kind;
    bool is_optional; /* absent before Linux 5.9 */
};

enum line { LINE_NNP, LINE_MODE, LINE_FILTERS, LINE_EFF, LINE_PRM, LINE_BND, LINE_AMB, LINE_UID, LINES_COUNT };

static const struct line_row line_rows[LINES_COUNT] = {
    [LINE_NNP] = {"NoNewPrivs:", LINE_DECIMAL, false},
    [LINE_MODE] = {"Seccomp:", LINE_DECIMAL, false},
    [LINE_FILTERS] = {"Seccomp_filters:", LINE_DECIMAL, true},
    [LINE_EFF] = {"CapEff:", LINE_HEX, false},
    [LINE_PRM] = {"CapPrm:", LINE_HEX, false},
    [LINE_BND] = {"CapBnd:", LINE_HEX, false},
    [LINE_AMB] = {"CapAmb:", LINE_HEX, false},
    [LINE_UID] = {"Uid:", LINE_DECIMAL, false},
};

static bool parse_hex(struct bytes word, uint64_t *ret_number)
{
    uint64_t n = 0;
    if (word.n == 0 || word.n > HEX_DIGITS_MAX_COUNT)
        return false;
    for (size_t i = 0; i < word.n; i++) {
        size_t digit = bytes_find(BYTES_LITERAL("0123456789abcdef"), word.p[i]);
        if (digit > 15)
            return false;
        n = n << 4 | digit;
    }
    *ret_number = n;
    return true;
}

/* The first word after the name; "Uid:" has four, the real one first. */
static bool parse_value(enum line_kind kind, struct bytes rest, uint64_t *ret_number)
{
    while (rest.n > 0 && (rest.p[0] == '\t' || rest.p[0] == ' '))
        rest = bytes_from(rest, 1);
    struct bytes word = bytes_head(bytes_head(rest, bytes_find(rest, '\t')), bytes_find(rest, ' '));
    return kind == LINE_HEX ? parse_hex(word, ret_number) : num_parse_u64(word, UINT32_MAX, ret_number);
}

static bool read_line(struct bytes line, uint64_t values[static LINES_COUNT], bool seen[static LINES_COUNT])
{
    for (size_t i = 0; i < LINES_COUNT; i++) {
        struct bytes name = bytes_of_text(line_rows[i].name);
        if (!bytes_starts(line, name))
            continue;
        if (seen[i] || !parse_value(line_rows[i].kind, bytes_from(line, name.n), &values[i]))
            return false;
        seen[i] = true;
    }
    return true;
}

int confine_status_parse(const char *text, struct confine_status *ret_status)
{
    uint64_t values[LINES_COUNT] = {0};
    bool seen[LINES_COUNT] = {false};
    assert(text != NULL && ret_status != NULL);
    for (struct bytes rest = bytes_of_text(text); rest.n > 0;) {
        struct bytes line = bytes_head(rest, bytes_find(rest, '\n'));
        if (!read_line(line, values, seen))
            return CONFINE_MALFORMED;
        rest = bytes_from(rest, line.n + 1);
    }
    for (size_t i = 0; i < LINES_COUNT; i++) {
        if (!seen[i] && !line_rows[i].is_optional)
            return CONFINE_MALFORMED;
    }
    *ret_status = (struct confine_status){.has_no_new_privs = values[LINE_NNP] == 1,
                                          .seccomp_mode = (unsigned)values[LINE_MODE],
                                          .seccomp_filters = (unsigned)values[LINE_FILTERS],
                                          .cap_effective = values[LINE_EFF],
                                          .cap_permitted = values[LINE_PRM],
                                          .cap_bounding = values[LINE_BND],
                                          .cap_ambient = values[LINE_AMB],
                                          .uid = (uid_t)values[LINE_UID]};
    return 0;
}

bool confine_status_expected(const struct confine_profile *profile, const struct confine_status *status,
                             const char **ret_why_not)
{
    assert(profile != NULL && status != NULL);
    uint64_t excess = ~profile->capabilities;
    const char *why = NULL;
    bool is_left_open = profile->is_open && status->uid != 0; /* see profiles.h */
    if (is_left_open && (status->cap_effective & excess) == 0)
        return true;
    if (!status->has_no_new_privs)
        why = "no_new_privs is not set";
    else if (status->seccomp_mode != SECCOMP_MODE_IS_FILTER)
        why = "there is no seccomp filter";
    else if ((status->cap_effective & excess) != 0)
        why = "more effective capabilities than the profile names";
    else if ((status->cap_permitted & excess) != 0)
        why = "more permitted capabilities than the profile names";
    else if (status->cap_ambient != 0)
        why = "there are ambient capabilities";
    else if (status->uid == 0 && (status->cap_bounding & excess) != 0)
        why = "root could gain capabilities again"; /* for others no_new_privs makes the bounding set worthless */
    if (why == NULL)
        return true;
    *ret_why_not = why;
    return false;
}
