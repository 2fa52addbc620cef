/* front-policy - requests about rules, roles and decisions: their arguments and JSON bodies; see front.h. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "front/front.h"
#include "wire/json.h"

/* ---- arguments ------------------------------------------------------------------------------------------- */

int front_read_path_arg(struct front_ask *ask)
{
    int r = front_read_text(ask, "path", ask->path, sizeof ask->path, &ask->m.path);
    if (r == OUTCOME_TOO_LARGE)
        return OUTCOME_BAD_PATH;
    if (r == 0 && front_arg(ask, "path") == NULL)
        r = front_bad(ask, "the argument path is missing");
    return r;
}

/* What every edit takes: the revision of the policy that it is meant for, and whether it is meant at all. */
static int read_edit(struct front_ask *ask)
{
    int r = front_read_flag(ask, "dry_run", PROTO_DRY_RUN);
    if (r == 0)
        r = front_read_match(ask);
    if (r == 0 && (ask->m.flags & PROTO_MATCH_ABSENT) != 0)
        r = front_bad(ask, "If-None-Match does not go with rules and roles");
    return r;
}

int front_read_acl_test(struct front_ask *ask)
{
    int r = front_read_path_arg(ask);
    if (r == 0)
        r = front_read_text(ask, "principal", ask->after, sizeof ask->after, &ask->m.after);
    if (r == 0)
        r = front_read_text(ask, "action", ask->comment, sizeof ask->comment, &ask->m.comment);
    return r;
}

int front_read_acl_remove(struct front_ask *ask)
{
    if (front_arg(ask, "id") == NULL)
        return front_bad(ask, "the argument id is missing");
    int r = front_read_number(ask, "id", 1, INT64_MAX, &ask->m.version);
    return r == 0 ? read_edit(ask) : r;
}

int front_read_explain(struct front_ask *ask)
{
    int r = front_read_acl_test(ask);
    if (r == 0 && front_arg(ask, "principal") != NULL)
        ask->m.flags |= PROTO_HAS_AFTER;
    return r;
}

int front_read_roles_show(struct front_ask *ask)
{
    int r = front_read_text(ask, "role", ask->filter, sizeof ask->filter, &ask->m.name);
    return r == 0 && front_arg(ask, "role") != NULL && ask->m.name.n == 0 ? front_bad(ask, "the role is empty") : r;
}

int front_read_role_remove(struct front_ask *ask)
{
    int r = front_read_text(ask, "role", ask->filter, sizeof ask->filter, &ask->m.name);
    if (r == 0)
        r = front_read_text(ask, "principal", ask->after, sizeof ask->after, &ask->m.after);
    if (r == 0 && (front_arg(ask, "role") == NULL || front_arg(ask, "principal") == NULL))
        r = front_bad(ask, "the arguments role and principal are needed");
    return r == 0 ? read_edit(ask) : r;
}

/* Which of the requests that wait; absent: all. */
int front_read_approvals(struct front_ask *ask)
{
    return front_read_number(ask, "id", 1, INT64_MAX, &ask->m.version);
}

int front_read_approval(struct front_ask *ask)
{
    return front_arg(ask, "id") == NULL ? front_bad(ask, "the argument id is missing") : front_read_approvals(ask);
}

int front_read_break_glass(struct front_ask *ask)
{
    int r = front_read_path_arg(ask);
    if (r == 0 && front_arg(ask, "for") == NULL)
        r = front_bad(ask, "the argument for is missing: seconds");
    if (r == 0)
        r = front_read_number(ask, "for", 1, INT32_MAX, &ask->m.version);
    if (r == 0)
        r = front_read_header(ask, "Secreg-Reason", &ask->m.reason);
    return r == 0 && !text_is_utf8(ask->m.reason) ? front_bad(ask, "a reason is UTF-8 text") : r;
}

/* ---- JSON bodies: a map of texts ------------------------------------------------------------------------- */

/* One member: copied, because the parsed text is freed before the message is sent. */
struct text_member {
    const char *name;
    uint8_t *storage;
    size_t room;
    struct bytes *to;
    bool is_optional, is_seen;
};

struct text_members {
    struct front_ask *ask;
    struct text_member *all;
    size_t count;
    const char *unknown; /* what is said of any other member */
};

static int take_member(struct bytes key, const struct json *value, void *arg)
{
    struct text_members *t = arg;
    struct bytes text = json_text(value);
    for (size_t i = 0; i < t->count; i++) {
        struct text_member *m = &t->all[i];
        if (!bytes_equal(key, bytes_of_text(m->name)))
            continue;
        if (json_kind(value) != JSON_KIND_TEXT || text.n > m->room)
            return front_bad(t->ask, "a member is not a text, or too long");
        if (text.n > 0)
            memcpy(m->storage, text.p, text.n);
        *m->to = bytes_of(m->storage, text.n);
        m->is_seen = true;
        return 0;
    }
    return front_bad(t->ask, t->unknown);
}

static int read_members(struct front_ask *ask, struct text_members *t, const char *missing)
{
    struct json *j;
    int r = json_parse(ask->http->body, &j, ask->why_text, sizeof ask->why_text);
    if (r == JSON_BAD)
        return front_bad(ask, ask->why_text);
    TRY(r);
    r = json_kind(j) == JSON_KIND_MAP ? json_each(j, take_member, t) : front_bad(ask, "the body is not a JSON map");
    json_free(j);
    for (size_t i = 0; r == 0 && i < t->count; i++) {
        if (!t->all[i].is_seen && !t->all[i].is_optional)
            r = front_bad(ask, missing);
    }
    return r == 0 ? read_edit(ask) : r;
}

int front_read_acl_add(struct front_ask *ask)
{
    enum { EFFECT_BYTES = 16 };
    struct text_member all[] = {
        {"effect", ask->comment, EFFECT_BYTES, &ask->m.body, false, false},
        {"actions", ask->comment + EFFECT_BYTES, sizeof ask->comment - EFFECT_BYTES, &ask->m.comment, false, false},
        {"principal", ask->after, sizeof ask->after, &ask->m.after, false, false},
        {"path", ask->path, sizeof ask->path, &ask->m.path, false, false},
        {"condition", ask->filter, sizeof ask->filter, &ask->m.name, true, false},
    };
    struct text_members t = {ask, all, COUNT_OF(all),
                             "a member is unknown: it knows path, effect, principal, actions and condition"};
    int r = read_members(ask, &t, "the body needs path, effect, principal and actions");
    if (r == 0 && all[4].is_seen && ask->m.name.n == 0)
        r = front_bad(ask, "a condition is not empty: leave it out");
    return r;
}

int front_read_role_add(struct front_ask *ask)
{
    struct text_member all[] = {
        {"role", ask->filter, sizeof ask->filter, &ask->m.name, false, false},
        {"principal", ask->after, sizeof ask->after, &ask->m.after, false, false},
    };
    struct text_members t = {ask, all, COUNT_OF(all), "a member is unknown: it knows role and principal"};
    return read_members(ask, &t, "the body needs role and principal");
}

/* ---- a proposed policy: a list of changes ---------------------------------------------------------------- */

/* One change, as the frame of the request that would make it. */
struct change {
    struct front_ask *ask;
    struct msg_request m;
    const char *verb; /* add or remove */
    unsigned seen;    /* a bit for each of its members */
    const char *why;
};

enum { CHANGES_MAX_COUNT = 1000 };

static const struct {
    const char *verb, *what;
    uint16_t op;
    unsigned needs, may; /* bits of `change_members`, by their place */
} change_kinds[] = {
    {"add", "rule", PROTO_OP_ACL_ADD, 0x0f, 0x1f},
    {"remove", "rule", PROTO_OP_ACL_REMOVE, 0x20, 0x20},
    {"add", "member", PROTO_OP_ROLE_ADD, 0x44, 0x44},
    {"remove", "member", PROTO_OP_ROLE_REMOVE, 0x44, 0x44},
};

static const char *const change_members[] = {"path", "effect", "principal", "actions", "condition", "id", "role"};

static int take_change_member(struct bytes key, const struct json *value, void *arg)
{
    struct change *c = arg;
    struct bytes id = BYTES_NONE;
    struct bytes *const to[] = {&c->m.path, &c->m.body, &c->m.after, &c->m.comment, &c->m.name, &id, &c->m.name};
    if (bytes_equal(key, bytes_of_text(c->verb)))
        return 0;
    for (size_t i = 0; i < COUNT_OF(change_members); i++) {
        if (!bytes_equal(key, bytes_of_text(change_members[i])))
            continue;
        c->seen |= 1u << i;
        if (to[i] == &id && json_kind(value) == JSON_KIND_INT && json_int(value) > 0) {
            c->m.version = (uint64_t)json_int(value);
            return 0;
        }
        c->why = to[i] == &id ? "id is the number of a rule" : "a member is not a text";
        *to[i] = json_text(value);
        return to[i] == &id || json_kind(value) != JSON_KIND_TEXT || to[i]->n == 0 ? OUTCOME_BAD_REQUEST : 0;
    }
    c->why = "a member is unknown";
    return OUTCOME_BAD_REQUEST;
}

static int read_change(struct change *c, const struct json *j)
{
    for (size_t i = 0; i < COUNT_OF(change_kinds); i++) {
        struct bytes what = json_text(json_get(j, change_kinds[i].verb));
        if (!bytes_equal(what, bytes_of_text(change_kinds[i].what)))
            continue;
        c->m.op = change_kinds[i].op;
        c->verb = change_kinds[i].verb;
        int r = json_each(j, take_change_member, c);
        if (r != 0)
            return r;
        c->why = "a member is missing, or does not belong there";
        if ((c->seen & change_kinds[i].needs) != change_kinds[i].needs || (c->seen & ~change_kinds[i].may) != 0)
            return OUTCOME_BAD_REQUEST;
        r = msg_request_put(c->ask->leaves, PROTO_THEN, &c->m);
        return r == FAULT_LIMIT ? OUTCOME_TOO_LARGE : r;
    }
    c->why = "it adds or removes a rule or a member";
    return OUTCOME_BAD_REQUEST;
}

static int read_changes(struct front_ask *ask, const struct json *list)
{
    int r = 0;
    if (json_kind(list) != JSON_KIND_LIST || json_count(list) > CHANGES_MAX_COUNT)
        return front_bad(ask, "the body is {\"changes\": [...]}, at most 1000 of them");
    for (size_t i = 0; r == 0 && i < json_count(list); i++) {
        struct change c = {.ask = ask};
        r = read_change(&c, json_at(list, i));
        if (r > 0 && c.why != NULL) {
            snprintf(ask->why_text, sizeof ask->why_text, "changes[%zu]: %s", i, c.why);
            ask->why = ask->why_text;
        }
    }
    return r;
}

int front_read_policy_test(struct front_ask *ask)
{
    struct json *j;
    int r = front_read_time(ask, "since", &ask->m.since_us);
    if (r == 0)
        r = front_read_number(ask, "after", 0, INT64_MAX, &ask->m.match);
    if (r != 0)
        return r;
    if (front_arg(ask, "after") != NULL)
        ask->m.flags |= PROTO_HAS_AFTER;
    r = json_parse(ask->http->body, &j, ask->why_text, sizeof ask->why_text);
    if (r == JSON_BAD)
        return front_bad(ask, ask->why_text);
    TRY(r);
    buf_clear(ask->leaves);
    r = json_count(j) == 1 ? read_changes(ask, json_get(j, "changes"))
                           : front_bad(ask, "the body is {\"changes\": [...]}, at most 1000 of them");
    json_free(j);
    ask->m.body = buf_view(ask->leaves);
    return r;
}
