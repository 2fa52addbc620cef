/* op-audit - reading the trail: filtered as a document, whole as canonical records, and its head; see engine.h. */
#include <string.h>

#include "base/code.h"
#include "engine/engine.h"
#include "engine/session.h"
#include "model/path.h"

enum {
    AUDIT_LIMIT_COUNT = 100,
    AUDIT_LIMIT_MAX_COUNT = 1000,
    AUDIT_SCAN_MAX_COUNT = 5000,
    AUDIT_RAW_MAX_BYTES = 1 << 20
};

bool engine_may_audit(struct engine_req *q)
{
    return engine_allows(q, q->engine->registry->tree.root, BYTES_LITERAL("/registry"), AUTHZ_AUDIT);
}

struct query {
    struct engine_req *q;
    unsigned outcome; /* OUTCOME_COUNT: any */
    uint64_t session; /* if one is asked for */
    size_t left, scanned;
    uint64_t last;
    bool has_more;
};

static bool in_time(const struct msg_request *m, int64_t us)
{
    return (m->since_us == 0 || us >= m->since_us) && (m->until_us == 0 || us < m->until_us);
}

static bool matches(const struct query *s, const struct record *r)
{
    const struct msg_request *m = s->q->m;
    const char *why;
    if ((s->outcome != OUTCOME_COUNT && r->outcome != s->outcome) ||
        (m->expires_us != 0 && r->rule != (uint64_t)m->expires_us) || (m->after.n > 0 && r->session != s->session))
        return false;
    if (((m->flags & PROTO_HAS_UID) != 0 && r->uid != m->uid) || (m->type != 0 && r->kind != m->type) ||
        ((m->flags & PROTO_REFUSED_ONLY) != 0 && r->outcome == 0) || !in_time(m, r->wall_us))
        return false;
    if (m->path.n > 0 && !path_is_within(r->path, m->path))
        return false;
    if (r->path.n == 0)
        return true; /* about the service: whoever may read the trail of /registry sees it */
    if (!path_check(r->path, &why))
        return true; /* a refused request with a malformed path has no place in the tree */
    struct tree_walk w = tree_walk(&s->q->engine->registry->tree, r->path);
    return engine_may(s->q, w.nearest, r->path, AUTHZ_AUDIT);
}

static int put_record(struct buf *doc, const struct record *r)
{
    char time[CLOCK_TEXT_BYTES], request[CODE_NUMBER_BYTES], session[CODE_NUMBER_BYTES] = "";
    code_number_text(r->request, request);
    clock_wall_text((struct wall_time){r->wall_us}, time);
    TRY(doc_map_begin(doc));
    TRY(doc_put_int(doc, "seq", (int64_t)r->seq));
    TRY(doc_put_text(doc, "time", bytes_of_text(time)));
    TRY(doc_put_text(doc, "kind", bytes_of_text(record_kind_text(r->kind))));
    TRY(doc_put_text(doc, "outcome", bytes_of_text(outcome_code(r->outcome))));
    TRY(doc_put_text(doc, "request_id", bytes_of_text(request)));
    TRY(doc_put_int(doc, "uid", r->uid));
    TRY(doc_put_int(doc, "gid", r->gid));
    TRY(doc_put_int(doc, "pid", r->pid));
    if (r->session != 0)
        code_number_text(r->session, session);
    TRY(doc_put_text(doc, "session", bytes_of_text(session)));
    TRY(doc_put_text(doc, "unit", r->unit));
    TRY(doc_put_text(doc, "label", r->label));
    TRY(doc_put_text(doc, "path", r->path));
    TRY(doc_put_text(doc, "detail", r->detail));
    TRY(doc_put_int(doc, "version_before", (int64_t)r->version_before));
    TRY(doc_put_int(doc, "version_after", (int64_t)r->version_after));
    TRY(doc_put_int(doc, "rule", (int64_t)r->rule));
    TRY(doc_put_int(doc, "revision", (int64_t)r->revision));
    return doc_map_end(doc);
}

static int on_record(uint64_t seq, struct bytes bytes, void *arg)
{
    struct query *s = arg;
    struct record r;
    struct registry_texts texts;
    if (!record_decode(bytes, &r))
        return RAISE(FAULT_CORRUPT);
    registry_record_show(s->q->engine->registry, &r, &texts);
    if (s->left == 0 || s->scanned == AUDIT_SCAN_MAX_COUNT) {
        s->has_more = true;
        return TRAIL_ENOUGH;
    }
    s->scanned++;
    s->last = seq;
    if (!matches(s, &r))
        return 0;
    s->left--;
    return put_record(&s->q->doc, &r);
}

static int ask_trail(struct query *s, uint64_t first)
{
    const struct msg_request *m = s->q->m;
    struct trail_query query = {.on_record = on_record,
                                .arg = s,
                                .filter = {.has_uid = (m->flags & PROTO_HAS_UID) != 0,
                                           .uid = m->uid,
                                           .kind = m->type,
                                           .has_outcome = s->outcome != OUTCOME_COUNT,
                                           .outcome = s->outcome,
                                           .is_refused = (m->flags & PROTO_REFUSED_ONLY) != 0,
                                           .rule = (uint64_t)m->expires_us,
                                           .has_session = m->after.n > 0,
                                           .session = s->session,
                                           .since_us = m->since_us,
                                           .until_us = m->until_us,
                                           .path = m->path}};
    TRY(trail_query(s->q->engine->registry->trail, first, (m->flags & PROTO_DOWNWARDS) != 0, &query));
    if (!query.ends && !s->has_more) {
        s->has_more = true;
        s->last = query.last;
    }
    return 0;
}

/* Where a query begins: behind `after`, or at the end it starts from. False: there is nothing behind it. */
static bool first_of(const struct engine_req *q, uint64_t size, uint64_t *ret_first)
{
    bool is_down = (q->m->flags & PROTO_DOWNWARDS) != 0;
    bool has_after = (q->m->flags & PROTO_HAS_AFTER) != 0;
    if (!has_after)
        *ret_first = is_down && size > 0 ? size - 1 : 0;
    else if (is_down)
        *ret_first = q->m->match > 0 ? MIN_OF(q->m->match - 1, size > 0 ? size - 1 : 0) : 0;
    else
        *ret_first = q->m->match < UINT64_MAX ? q->m->match + 1 : q->m->match;
    return size > 0 && *ret_first < size && !(has_after && is_down && q->m->match == 0);
}

int op_audit(struct engine_req *q)
{
    struct query s = {.q = q, .outcome = outcome_of_code(q->m->to), .left = AUDIT_LIMIT_COUNT};
    struct trail *trail = q->engine->registry->trail;
    uint64_t first, size = trail_size(trail) - trail_pending(trail);
    const char *why;
    if (!engine_may_audit(q))
        return OUTCOME_REFUSED;
    if ((q->m->after.n > 0 && !session_number_of(q->m->after, &s.session)) || q->m->version > AUDIT_LIMIT_MAX_COUNT ||
        (q->m->path.n > 0 && !path_check(q->m->path, &why)))
        return OUTCOME_BAD_REQUEST;
    if (q->m->version > 0)
        s.left = (size_t)q->m->version;
    q->record.path = q->m->path;
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_key(&q->doc, "records"));
    TRY(doc_list_begin(&q->doc));
    if (first_of(q, size, &first))
        TRY(ask_trail(&s, first));
    TRY(doc_list_end(&q->doc));
    TRY(doc_key(&q->doc, "next"));
    TRY(s.has_more ? doc_int(&q->doc, (int64_t)s.last) : doc_null(&q->doc));
    return doc_map_end(&q->doc);
}

static int on_raw(uint64_t seq, struct bytes record, void *arg)
{
    struct buf *out = arg;
    uint8_t head[4];
    (void)seq;
    bytes_put_u32(head, (uint32_t)record.n);
    if (buf_size(out) + record.n + sizeof head > AUDIT_RAW_MAX_BYTES)
        return TRAIL_ENOUGH;
    TRY(buf_append(out, bytes_of(head, sizeof head)));
    return buf_append(out, record);
}

int op_audit_raw(struct engine_req *q)
{
    struct trail *trail = q->engine->registry->trail;
    uint64_t first, size = trail_size(trail) - trail_pending(trail);
    if (!engine_may_audit(q))
        return OUTCOME_REFUSED;
    q->record.detail = BYTES_LITERAL("raw");
    q->reply.shape = PROTO_RAW;
    if (!first_of(q, size, &first))
        return 0;
    if (first < trail_first(trail))
        TRY(prune_put_base(&q->doc, trail));
    return trail_read(trail, first, false, on_raw, &q->doc);
}

/* The head as a signed note, and what it is checked with; null while there is no key. */
static int put_note(struct engine_req *q, const struct trail_head *head)
{
    struct registry *r = q->engine->registry;
    struct checkpoint_key key;
    struct buf text;
    bool is_locked = registry_is_locked(r);
    buf_init(&text, CHECKPOINT_NOTE_MAX_BYTES);
    int x = doc_key(&q->doc, "note");
    if (x == 0 && !is_locked)
        x = registry_checkpoint(r, head, &text);
    if (x == 0)
        x = is_locked ? doc_null(&q->doc) : doc_text(&q->doc, buf_view(&text));
    buf_clear(&text);
    if (x == 0)
        x = doc_key(&q->doc, "key");
    if (x == 0 && !is_locked)
        x = registry_signer(r, &key);
    if (x == 0 && !is_locked)
        x = checkpoint_key_write(&text, &key);
    if (x == 0)
        x = is_locked ? doc_null(&q->doc) : doc_text(&q->doc, buf_view(&text));
    buf_fini(&text);
    return x;
}

int op_head(struct engine_req *q)
{
    struct trail_head head;
    char hex[2 * DIGEST_BYTES + 1];
    if (!engine_may_audit(q))
        return OUTCOME_REFUSED;
    q->record.detail = BYTES_LITERAL("head");
    TRY(trail_sync(q->engine->registry->trail)); /* power loss must not take what is signed */
    TRY(trail_head(q->engine->registry->trail, &head));
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_int(&q->doc, "size", (int64_t)head.size));
    code_hex_text(BYTES_OF(head.root), hex);
    TRY(doc_put_text(&q->doc, "root", bytes_of_text(hex)));
    code_hex_text(BYTES_OF(head.last), hex);
    TRY(doc_put_text(&q->doc, "last", bytes_of_text(hex)));
    TRY(put_note(q, &head));
    return doc_map_end(&q->doc);
}
