/*
 * op-glass - breaking the glass: who was named for it gives himself rights for a while; see engine.h.
 *
 * It is an ordinary rule in his name, with an end: what denies still denies, everybody who looks at the rules sees it,
 * it ends by its condition, and the sweep removes it. It says loudly who did it and why.
 */
#include <stdio.h>

#include "base/log.h"
#include "base/text.h"
#include "engine/engine.h"

enum { GLASS_RIGHTS = AUTHZ_OWNER, UNTIL_BYTES = 64 };

struct held {
    const struct engine_req *q;
    struct bytes principal;
    size_t count;
};

static int on_rule(const struct registry_rule *rule, void *arg)
{
    struct held *h = arg;
    h->count += rule->created_by == h->q->conn->peer.uid && rule->effect == AUTHZ_ALLOW &&
                rule->actions == GLASS_RIGHTS && rule->condition.n > 0 && bytes_equal(rule->principal, h->principal);
    return 0;
}

/* Returns 0 or an outcome. */
static int check(struct engine_req *q)
{
    const char *why = NULL;
    struct tree_walk w = engine_walk(q);
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_BREAK_GLASS))
        return OUTCOME_REFUSED;
    if (q->m->reason.n == 0)
        why = "it needs a reason";
    else if (q->m->version < 1 || q->m->version > ENGINE_GLASS_MAX_S)
        why = "it lasts one second to four hours";
    q->reply.detail = bytes_of_text(why);
    return why != NULL ? OUTCOME_BAD_REQUEST : 0;
}

/* "until=2026-01-31T12:00:00Z": the first whole second that is not before the end. */
static struct bytes until_text(const struct engine_req *q, char text[static UNTIL_BYTES])
{
    char time[CLOCK_TEXT_BYTES];
    int64_t end_s = q->engine->turn_wall.us / US_PER_S + 1 + (int64_t)q->m->version;
    clock_wall_text((struct wall_time){end_s * US_PER_S}, time);
    snprintf(text, UNTIL_BYTES, "until=%.19sZ", time);
    return bytes_of_text(text);
}

static int add_rule(struct engine_req *q, struct registry_rule *rule, uint64_t *ret_id)
{
    char who[32], until[UNTIL_BYTES];
    struct authz_condition c;
    const char *why;
    struct registry_actor actor = engine_actor(q);
    snprintf(who, sizeof who, "uid:%u", q->conn->peer.uid);
    *rule = (struct registry_rule){.path = q->m->path,
                                   .principal = bytes_of_text(who),
                                   .effect = AUTHZ_ALLOW,
                                   .actions = GLASS_RIGHTS,
                                   .condition = until_text(q, until)};
    struct held h = {.q = q, .principal = rule->principal};
    if (!authz_condition_parse(rule->condition, &c, &why))
        return RAISE(FAULT_INTERNAL);
    TRY(registry_rule_each(q->engine->registry, on_rule, &h));
    if (h.count >= ENGINE_GLASS_MAX_COUNT) {
        q->reply.detail = BYTES_LITERAL("too much glass is broken already");
        return OUTCOME_LIMIT;
    }
    int x = registry_rule_add(q->engine->registry, rule, &actor, ret_id);
    if (x == OUTCOME_BAD_REQUEST)
        q->reply.detail = bytes_of_text(q->engine->registry->why);
    if (x != 0)
        return x;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_int(&q->doc, "id", (int64_t)*ret_id));
    TRY(engine_put_actions(&q->doc, "actions", GLASS_RIGHTS));
    TRY(engine_put_expires(&q->doc, c.until_us));
    return doc_map_end(&q->doc);
}

static void say(const struct engine_req *q, uint64_t id)
{
    struct buf text;
    buf_init(&text, 4096);
    int x = text_escape(&text, q->m->path);
    if (x == 0)
        x = buf_append_text(&text, ": ");
    if (x == 0)
        x = text_escape(&text, q->m->reason);
    LOG_WARNING("uid %u broke the glass for %llu s (rule %llu): %.*s", q->conn->peer.uid,
                (unsigned long long)q->m->version, (unsigned long long)id, BYTES_PRINT(buf_view(&text)));
    buf_fini(&text);
}

int op_break_glass(struct engine_req *q)
{
    static char text[META_REASON_MAX_BYTES + 96]; /* outlives this call: the record is written after it */
    struct registry_rule rule;
    uint64_t id = 0;
    int x = check(q);
    snprintf(text, sizeof text, "%llu s: %.*s", (unsigned long long)q->m->version, BYTES_PRINT(q->m->reason));
    q->record.detail = bytes_of_text(text);
    if (x == 0)
        x = add_rule(q, &rule, &id);
    if (x != 0)
        return x;
    q->is_change = true;
    q->engine->is_turn_durable = true;
    q->reply.shape = PROTO_DOC;
    say(q, id);
    return 0;
}
