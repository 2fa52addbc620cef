/*
 * op-schema - showing, setting and removing schemas, and finding what does not fit them; see engine.h and schema.h.
 *
 * A schema is set by who may edit rules there: it binds everybody else. Setting one does not look at what is stored;
 * schema-check does, and says what does not fit, what is missing, and what should have been replaced by now.
 */
#include <string.h>

#include "engine/engine.h"
#include "model/path.h"
#include "model/schema-json.h"
#include "model/value.h"

enum { CHECK_LIMIT_COUNT = 1000 };

static void decode(const struct node_schema *held, struct schema *ret_schema)
{
    bool is_good = schema_decode(bytes_of(held->form, held->form_bytes), ret_schema);
    assert(is_good); /* checked when it was loaded or set */
}

/* ---- show ------------------------------------------------------------------------------------------------ */

static int put_schema(struct engine_req *q, const struct node *n)
{
    uint8_t storage[PATH_MAX_BYTES];
    struct schema schema;
    struct buf *doc = &q->doc;
    struct bytes path = node_path(n, storage);
    if (n->schema == NULL || !engine_may(q, n, path, AUTHZ_LIST))
        return 0;
    decode(n->schema, &schema);
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "path", path));
    TRY(doc_key(doc, "schema"));
    TRY(schema_put_doc(doc, &schema));
    TRY(engine_put_time(doc, "created", n->schema->created_us));
    TRY(doc_put_int(doc, "created_by", n->schema->created_by));
    return doc_map_end(doc);
}

static int put_below(struct node *child, void *arg)
{
    TRY(put_schema(arg, child));
    return node_each_child(child, BYTES_NONE, put_below, arg);
}

/* Schemas that bear on a path: above it, on it and below it. */
int op_schema_show(struct engine_req *q)
{
    struct buf *doc = &q->doc;
    struct tree_walk w = engine_walk(q);
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_LIST))
        return engine_refusal(q, &w);
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "path", q->m->path));
    TRY(doc_key(doc, "schemas"));
    TRY(doc_list_begin(doc));
    for (const struct node *n = w.nearest; n != NULL; n = n->parent)
        TRY(put_schema(q, n));
    if (w.node != NULL)
        TRY(node_each_child(w.node, BYTES_NONE, put_below, q));
    TRY(doc_list_end(doc));
    return doc_map_end(doc);
}

/* ---- set and remove -------------------------------------------------------------------------------------- */

int op_schema_set(struct engine_req *q)
{
    static char words[SCHEMA_WHY_BYTES]; /* outlives this call: the reply is written after it */
    struct schema schema;
    struct schema_flaw flaw;
    struct registry_actor actor = engine_actor(q);
    struct tree_walk w = engine_walk(q);
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_GRANT))
        return OUTCOME_REFUSED;
    if (q->m->body.n > SCHEMA_FORM_MAX_BYTES || !schema_decode(q->m->body, &schema))
        return OUTCOME_BAD_REQUEST;
    if (!schema_validate(&schema, &flaw)) {
        schema_flaw_text(&flaw, words, sizeof words);
        q->reply.detail = bytes_of_text(words);
        return OUTCOME_BAD_VALUE;
    }
    int x = registry_schema_set(q->engine->registry, q->m->path, q->m->body, &actor);
    if (x == OUTCOME_BAD_REQUEST)
        q->reply.detail = bytes_of_text(q->engine->registry->why);
    if (x != 0)
        return x;
    q->is_change = true;
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_text(&q->doc, "path", q->m->path));
    return doc_map_end(&q->doc);
}

int op_schema_remove(struct engine_req *q)
{
    struct tree_walk w = engine_walk(q);
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_GRANT))
        return OUTCOME_REFUSED;
    if (w.node == NULL)
        return OUTCOME_NOT_FOUND;
    int x = registry_schema_remove(q->engine->registry, w.node);
    if (x != 0)
        return x;
    q->is_change = true;
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_text(&q->doc, "path", q->m->path));
    return doc_map_end(&q->doc);
}

/* ---- check ----------------------------------------------------------------------------------------------- */

struct checking {
    struct engine_req *q;
    size_t left;
    bool has_more;
};

static int put_finding(struct checking *c, const struct node *n, const char *kind, const char *why)
{
    uint8_t storage[PATH_MAX_BYTES];
    struct buf *doc = &c->q->doc;
    if (c->left == 0) {
        c->has_more = true;
        return TRAIL_ENOUGH;
    }
    c->left--;
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "path", node_path(n, storage)));
    TRY(doc_put_text(doc, "finding", bytes_of_text(kind)));
    TRY(doc_put_text(doc, "why", bytes_of_text(why)));
    return doc_map_end(doc);
}

/* The nearest schema that says how often the value is to be replaced. */
static bool is_overdue(const struct node *n, int64_t now_us)
{
    for (const struct node *at = n; at != NULL; at = at->parent) {
        struct schema schema;
        if (at->schema == NULL)
            continue;
        decode(at->schema, &schema);
        if ((schema.has & SCHEMA_HAS_ROTATE) != 0)
            return schema_is_overdue(&schema, n->entry->changed_us, now_us);
    }
    return false;
}

static int check_entry(struct checking *c, const struct node *n)
{
    struct registry_value v;
    struct registry *r = c->q->engine->registry;
    int x = registry_get(r, n, false, &v);
    if (x != 0)
        return x < 0 ? x : put_finding(c, n, "corrupt", outcome_text((unsigned)x));
    if (!registry_fits_schemas(r, n, v.type, (v.flags & ENTRY_SEALED) != 0, v.body))
        return put_finding(c, n, "unfit", r->why);
    return is_overdue(n, c->q->engine->turn_wall.us)
               ? put_finding(c, n, "overdue", "it should have been replaced by now")
               : 0;
}

static int check_node(struct node *n, void *arg)
{
    uint8_t storage[PATH_MAX_BYTES];
    struct checking *c = arg;
    struct schema schema = {0};
    int x = 0;
    if (engine_may(c->q, n, node_path(n, storage), AUTHZ_READ)) {
        if (n->schema != NULL)
            decode(n->schema, &schema);
        if (node_is_live(n))
            x = check_entry(c, n);
        else if (schema.is_required && n->live == 0)
            x = put_finding(c, n, "missing", "an entry should be there");
    }
    return x != 0 ? x : node_each_child(n, BYTES_NONE, check_node, c);
}

int op_schema_check(struct engine_req *q)
{
    struct buf *doc = &q->doc;
    struct tree_walk w = engine_walk(q);
    struct checking c = {.q = q, .left = CHECK_LIMIT_COUNT};
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_LIST))
        return engine_refusal(q, &w);
    if (w.node == NULL)
        return OUTCOME_NOT_FOUND;
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "path", q->m->path));
    TRY(doc_key(doc, "findings"));
    TRY(doc_list_begin(doc));
    int x = check_node(w.node, &c);
    if (x != 0 && x != TRAIL_ENOUGH)
        return x;
    TRY(doc_list_end(doc));
    TRY(doc_put_bool(doc, "more", c.has_more));
    return doc_map_end(doc);
}

/* ---- defaults -------------------------------------------------------------------------------------------- */

bool engine_default(const struct node *node, struct registry_value *ret_value)
{
    struct schema schema;
    if (node == NULL || node->schema == NULL)
        return false;
    decode(node->schema, &schema);
    if ((schema.has & SCHEMA_HAS_DEFAULT) == 0)
        return false;
    *ret_value = (struct registry_value){.type = schema.type,
                                         .changed_us = node->schema->created_us,
                                         .changed_by = node->schema->created_by,
                                         .comment = schema.description,
                                         .body = schema.proposed,
                                         .size_bytes = schema.proposed.n};
    return true;
}
