/*
 * authz-text - principals and actions as people write them; see authz.h.
 *
 * Invariant: a principal has exactly one text form, so a rule can be found, compared and authenticated by its text.
 * Source: systemd.unit(5) for unit names; apparmor(7), selinux(8) for labels.
 */
#include "authz/authz-internal.h"
#include "base/num.h"

/* A prefix and the kind it stands for. */
static const struct principal_form {
    enum authz_principal_kind kind;
    struct bytes prefix;
} principal_forms[] = {
    {AUTHZ_UID, {(const uint8_t *)"uid:", 4}},   {AUTHZ_GID, {(const uint8_t *)"gid:", 4}},
    {AUTHZ_UNIT, {(const uint8_t *)"unit:", 5}}, {AUTHZ_LABEL, {(const uint8_t *)"label:", 6}},
    {AUTHZ_ROLE, {(const uint8_t *)"role:", 5}},
};

/* Everything a list of actions may name: actions first, in the order of their table, then roles. */
static const struct action_word {
    struct bytes text;
    unsigned actions;
} action_words[] = {
#define ACTION_WORD_(name, bit, text) {{(const uint8_t *)(text), sizeof(text) - 1}, AUTHZ_##name},
    AUTHZ_ACTION_LIST(ACTION_WORD_)
#undef ACTION_WORD_
#define ROLE_WORD_(text, actions) {{(const uint8_t *)(text), sizeof(text) - 1}, (actions)},
        AUTHZ_ROLE_LIST(ROLE_WORD_)
#undef ROLE_WORD_
};

#define ONE_MORE_(name, bit, text) +1
enum { ACTIONS_COUNT = 0 AUTHZ_ACTION_LIST(ONE_MORE_) };
#undef ONE_MORE_
static_assert(AUTHZ_ALL == (1u << ACTIONS_COUNT) - 1, "AUTHZ_ALL is every action");
static_assert(COUNT_OF(action_words) <= 32, "the items seen fit into one word");

static bool parse_id(struct bytes text, uint32_t *ret_id)
{
    uint64_t n;
    if (!num_parse_u64(text, AUTHZ_NOBODY, &n) || !authz_id_is_known((uint32_t)n))
        return false;
    *ret_id = (uint32_t)n;
    return true;
}

static bool is_unit_char(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == ':' || c == '_' ||
           c == '.' || c == '@' || c == '\\' || c == '-';
}

static bool ends_with(struct bytes name, struct bytes suffix)
{
    return name.n > suffix.n && bytes_equal(bytes_from(name, name.n - suffix.n), suffix);
}

bool authz_is_unit_name(struct bytes name, const struct bytes *suffixes, size_t suffixes_count)
{
    bool is_suffixed = false;
    for (size_t i = 0; i < suffixes_count; i++)
        is_suffixed = is_suffixed || ends_with(name, suffixes[i]);
    for (size_t i = 0; i < name.n; i++) {
        if (!is_unit_char(name.p[i]))
            return false;
    }
    return is_suffixed && name.n <= AUTHZ_NAME_MAX_BYTES;
}

/* Only services and scopes have processes of their own. */
static bool is_unit(struct bytes name)
{
    static const struct bytes suffixes[] = {{(const uint8_t *)".service", 8}, {(const uint8_t *)".scope", 6}};
    return authz_is_unit_name(name, suffixes, COUNT_OF(suffixes));
}

/* [a-z][a-z0-9-]{0,31}: no case to fold, no separator to smuggle. */
static bool is_role(struct bytes name)
{
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        bool is_letter = c >= 'a' && c <= 'z';
        if (!is_letter && (i == 0 || ((c < '0' || c > '9') && c != '-')))
            return false;
    }
    return name.n > 0 && name.n <= AUTHZ_ROLE_MAX_BYTES;
}

static bool is_label(struct bytes name)
{
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] <= ' ' || name.p[i] > '~')
            return false;
    }
    return name.n > 0 && name.n <= AUTHZ_NAME_MAX_BYTES;
}

static bool is_name(enum authz_principal_kind kind, struct bytes name)
{
    assert(kind == AUTHZ_UNIT || kind == AUTHZ_LABEL || kind == AUTHZ_ROLE);
    return kind == AUTHZ_UNIT ? is_unit(name) : kind == AUTHZ_LABEL ? is_label(name) : is_role(name);
}

static bool parse_form(enum authz_principal_kind kind, struct bytes rest, struct authz_principal *ret_who)
{
    struct authz_principal who = {.kind = kind};
    if (kind == AUTHZ_UID || kind == AUTHZ_GID) {
        if (!parse_id(rest, &who.id))
            return false;
    } else {
        if (!is_name(kind, rest))
            return false;
        who.name = rest;
    }
    *ret_who = who;
    return true;
}

bool authz_principal_parse(struct bytes text, struct authz_principal *ret_who)
{
    if (bytes_equal(text, BYTES_LITERAL("any"))) {
        *ret_who = (struct authz_principal){.kind = AUTHZ_ANY};
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(principal_forms); i++) {
        struct bytes prefix = principal_forms[i].prefix;
        if (bytes_starts(text, prefix))
            return parse_form(principal_forms[i].kind, bytes_from(text, prefix.n), ret_who);
    }
    return false;
}

int authz_principal_text(struct buf *out, const struct authz_principal *who)
{
    if (who->kind == AUTHZ_ANY)
        return buf_append_text(out, "any");
    assert(who->kind >= AUTHZ_UID && who->kind <= AUTHZ_ROLE);
    const struct principal_form *form = &principal_forms[who->kind - AUTHZ_UID];
    assert(form->kind == who->kind);
    TRY(buf_append(out, form->prefix));
    if (who->kind == AUTHZ_UID || who->kind == AUTHZ_GID)
        return buf_append_u64(out, who->id);
    assert(who->name.n > 0 && who->name.n <= AUTHZ_NAME_MAX_BYTES);
    return buf_append(out, who->name);
}

/* Index of the word, or COUNT_OF(action_words). */
static size_t find_word(struct bytes text)
{
    size_t i = 0;
    while (i < COUNT_OF(action_words) && !bytes_equal(action_words[i].text, text))
        i++;
    return i;
}

unsigned authz_actions_parse(struct bytes text)
{
    unsigned actions = 0;
    uint32_t seen = 0;
    for (size_t at = 0; at <= text.n;) {
        struct bytes rest = bytes_from(text, at);
        struct bytes item = bytes_head(rest, bytes_find(rest, ','));
        size_t word = find_word(item);
        if (word == COUNT_OF(action_words) || (seen & UINT32_C(1) << word) != 0)
            return 0;
        seen |= UINT32_C(1) << word;
        actions |= action_words[word].actions;
        at += item.n + 1;
    }
    assert(actions != 0 && (actions & ~(unsigned)AUTHZ_ALL) == 0);
    return actions;
}

int authz_actions_text(struct buf *out, unsigned actions)
{
    bool is_first = true;
    assert((actions & ~(unsigned)AUTHZ_ALL) == 0);
    for (size_t i = 0; i < ACTIONS_COUNT; i++) {
        if ((actions & action_words[i].actions) == 0)
            continue;
        if (!is_first)
            TRY(buf_append_text(out, ","));
        TRY(buf_append(out, action_words[i].text));
        is_first = false;
    }
    return 0;
}
