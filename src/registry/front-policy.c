/* front-policy - requests about rules, roles and decisions: their arguments and JSON bodies; see front.h. */
#include <string.h>

#include "base/text.h"
#include "registry/front.h"
#include "wire/json.h"

/* ---- arguments ------------------------------------------------------------------------------------------- */

static int need_path(struct front_ask *ask)
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

int front_read_acl_show(struct front_ask *ask)
{
    return need_path(ask);
}

int front_read_acl_test(struct front_ask *ask)
{
    int r = need_path(ask);
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
    int r = need_path(ask);
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
