/*
 * watch-event - what one watcher sees of the changes: rights asked anew for each, and one line for each that may be
 * seen; see watch.h.
 *
 * The last line of a revision is marked, so that a client never goes on from the middle of one. So a change is held
 * until the next one that may be seen is known, or the revision is over. All changes of a revision are of one request
 * and stand together in the trail, so it is over where a record of another request or revision stands, or the trail
 * ends. Invariant: a cursor stands on a record of which nothing was told, and w->now.revision is one that was told
 * whole.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "engine/watch.h"
#include "model/path.h"
#include "model/value.h"

enum sees { SEES_PATH = 1u << 0, SEES_SOURCE = 1u << 1 /* of a move or a copy */ };

struct view {
    struct engine *engine;
    struct watch *watch;
    struct engine_req q;
    struct msg_request m;
    const struct record *held; /* the change that was seen last and is not told yet */
    unsigned held_sees;
    /* a record does not outlive the call it comes with, so two are kept in turn; their bytes too if of the trail */
    struct record records[2];
    struct registry_texts texts[2];
    struct buf copies[2];
    unsigned at;
    int stop; /* why the trail was not read to its end */
};

void watch_begin(struct engine_req *q, struct engine *e, const struct watch *w, unsigned op, struct msg_request *m)
{
    *m = (struct msg_request){.conn = w->conn->number, .request = w->request, .path = watch_path(w)};
    *q = (struct engine_req){.engine = e, .conn = w->conn, .m = m};
    engine_begin(q, engine_op_find(op));
    q->record.path = m->path;
}

bool watch_may_go_on(struct engine *e, const struct watch *w)
{
    struct engine_req q;
    struct msg_request m;
    watch_begin(&q, e, w, PROTO_OP_WATCH, &m);
    struct tree_walk walk = engine_walk(&q);
    return engine_may(&q, walk.nearest, m.path, AUTHZ_LIST);
}

/* ---- what may be seen ------------------------------------------------------------------------------------ */

static bool may_see(const struct view *v, struct bytes path)
{
    struct bytes watched = watch_path(v->watch);
    if (!path_is_within(path, watched))
        return false;
    struct tree_walk w = tree_walk(&v->engine->registry->tree, path);
    return engine_may(&v->q, w.nearest, path, AUTHZ_LIST) &&
           (!v->watch->has_values || engine_may(&v->q, w.nearest, path, AUTHZ_READ));
}

static unsigned sees_of(const struct view *v, const struct record *r)
{
    bool is_move = r->kind == RECORD_MOVE;
    unsigned sees = may_see(v, r->path) ? SEES_PATH : 0;
    if (is_move && may_see(v, registry_record_source(r)))
        sees |= SEES_SOURCE;
    return sees;
}

/* May the watcher hear of the other end of a move or copy? It need not lie in what is watched. */
static bool may_name(const struct view *v, struct bytes path)
{
    const char *why;
    if (!path_check(path, &why))
        return false;
    struct tree_walk w = tree_walk(&v->engine->registry->tree, path);
    return engine_may(&v->q, w.nearest, path, AUTHZ_LIST);
}

/* ---- what is known of a version -------------------------------------------------------------------------- */

struct facts {
    uint64_t version;  /* 0: not known */
    uint64_t revision; /* wanted, instead of a version: of the deletion made then */
    bool is_known;     /* the rest is */
    unsigned type, flags;
};

/* Positive: found, and no earlier version is wanted. */
static int on_version(const struct registry_value *v, void *arg)
{
    struct facts *f = arg;
    bool is_it =
        f->version != 0 ? v->version == f->version : v->revision == f->revision && (v->flags & ENTRY_DELETED) != 0;
    if (!is_it)
        return f->version == 0 && v->revision < f->revision;
    f->is_known = true;
    f->version = v->version;
    f->type = v->type;
    f->flags = v->flags;
    return 1;
}

/* Of the newest version the tree knows; older ones are looked up as far as they are kept. Returns 0 or a fault. */
static int find_facts(struct registry *r, const struct node *n, struct facts *f)
{
    const struct entry *e = n != NULL ? n->entry : NULL;
    if (e == NULL || (e->flags & (ENTRY_CORRUPT | ENTRY_FORGOTTEN)) != 0)
        return 0;
    bool is_newest =
        f->version != 0 ? e->version == f->version : e->revision == f->revision && (e->flags & ENTRY_DELETED) != 0;
    if (is_newest) {
        *f = (struct facts){.version = e->version, .is_known = true, .type = e->type, .flags = e->flags};
        return 0;
    }
    int x = registry_history(r, n, on_version, f);
    return x < 0 ? x : 0; /* what cannot be read is not known */
}

/* ---- lines ----------------------------------------------------------------------------------------------- */

static int put_head(struct buf *doc, const struct record *r, struct bytes path, const char *kind)
{
    TRY(doc_map_begin(doc));
    TRY(doc_put_int(doc, "revision", (int64_t)r->revision));
    TRY(doc_put_text(doc, "path", path));
    return doc_put_text(doc, "kind", bytes_of_text(kind));
}

static int put_version(struct buf *doc, uint64_t version)
{
    if (version != 0)
        return doc_put_int(doc, "version", (int64_t)version);
    TRY(doc_key(doc, "version"));
    return doc_null(doc);
}

static int put_tail(struct buf *doc, const struct record *r, bool is_last)
{
    TRY(doc_put_int(doc, "changed_by", r->uid));
    TRY(engine_put_time(doc, "time", r->wall_us));
    TRY(doc_put_bool(doc, "last", is_last));
    return doc_map_end(doc);
}

/* A value that is told leaves the record of a read, as in a listing. */
static int record_read(struct view *v, const struct record *r)
{
    struct record read = v->q.record;
    read.kind = RECORD_GET;
    read.outcome = OUTCOME_DONE;
    read.path = r->path;
    read.version_before = read.version_after = r->version_after;
    return registry_record(v->engine->registry, &read, false);
}

/* The value of the version, if it is still kept and whole. */
static int put_value(struct view *v, struct buf *doc, const struct record *r, const struct node *n, bool is_newest)
{
    struct registry *registry = v->engine->registry;
    struct registry_value value;
    int x = is_newest ? registry_get(registry, n, false, &value)
                      : registry_get_version(registry, n, r->version_after, &value);
    if (x != 0)
        return x < 0 ? x : doc_put_bool(doc, "gone", true);
    TRY(engine_put_value(doc, &value));
    return record_read(v, r);
}

/* Type, sealing and value of a version that holds one. */
static int put_content(struct view *v, struct buf *doc, const struct record *r, const struct node *n,
                       const struct facts *f)
{
    const char *type = value_type_text(f->type);
    if (!f->is_known || type == NULL || (f->flags & ENTRY_SHREDDED) != 0)
        return doc_put_bool(doc, "gone", true);
    TRY(doc_put_text(doc, "type", bytes_of_text(type)));
    TRY(doc_put_bool(doc, "sealed", (f->flags & ENTRY_SEALED) != 0));
    return v->watch->has_values ? put_value(v, doc, r, n, n->entry->version == r->version_after) : 0;
}

/* The change at the record's own path. */
static int put_change(struct view *v, struct buf *doc, const struct record *r, bool is_last)
{
    struct facts f = {.version = r->version_after};
    const struct node *n = tree_walk(&v->engine->registry->tree, r->path).node;
    bool has_source = r->kind == RECORD_MOVE || r->kind == RECORD_COPY;
    TRY(find_facts(v->engine->registry, n, &f));
    bool is_deleted =
        r->kind == RECORD_DELETE || r->kind == RECORD_EXPIRE || (f.is_known && (f.flags & ENTRY_DELETED) != 0);
    TRY(put_head(doc, r, r->path, record_kind_text(r->kind)));
    TRY(put_version(doc, r->version_after));
    TRY(doc_put_bool(doc, "deleted", is_deleted));
    if (has_source && may_name(v, registry_record_source(r)))
        TRY(doc_put_text(doc, "from", registry_record_source(r)));
    if (!is_deleted)
        TRY(put_content(v, doc, r, n, &f));
    return put_tail(doc, r, is_last);
}

/* What a move is at the place it took the entry from. */
static int put_departure(struct view *v, struct buf *doc, const struct record *r, bool is_last)
{
    struct facts f = {.revision = r->revision};
    struct bytes path = registry_record_source(r);
    const struct node *n = tree_walk(&v->engine->registry->tree, path).node;
    TRY(find_facts(v->engine->registry, n, &f));
    TRY(put_head(doc, r, path, "delete"));
    TRY(put_version(doc, f.version));
    TRY(doc_put_bool(doc, "deleted", true));
    if (may_name(v, r->path))
        TRY(doc_put_text(doc, "to", r->path));
    return put_tail(doc, r, is_last);
}

static int tell(struct view *v, int (*put)(struct view *v, struct buf *doc, const struct record *r, bool is_last),
                bool is_last)
{
    struct engine *e = v->engine;
    int x = put(v, &e->doc, v->held, is_last);
    if (x == 0)
        x = watches_tell(e, v->watch, buf_view(&e->doc), false);
    buf_clear(&e->doc);
    buf_shrink(&e->doc, ENGINE_DOC_KEEP_BYTES);
    return x;
}

/* Tells the change that is held. Returns 0, what has to be waited for, or a fault. */
static int tell_held(struct view *v, bool is_last)
{
    struct watch *w = v->watch;
    unsigned wait = watches_wait(v->engine, w);
    if (wait != 0)
        return (int)wait;
    bool has_more = (v->held_sees & SEES_PATH) != 0;
    if ((v->held_sees & SEES_SOURCE) != 0)
        TRY(tell(v, put_departure, is_last && !has_more));
    if (has_more)
        TRY(tell(v, put_change, is_last));
    w->now.cursor = v->held->seq + 1;
    w->now.is_inside = !is_last;
    if (is_last)
        w->now.revision = v->held->revision;
    v->held = NULL;
    return 0;
}

/* ---- the scan -------------------------------------------------------------------------------------------- */

static int on_change(struct view *v, const struct record *r)
{
    struct watch *w = v->watch;
    const struct record *held = v->held;
    bool is_same = held != NULL && r->revision == held->revision && r->request == held->request;
    unsigned sees = r->revision > w->since ? sees_of(v, r) : 0;
    if (held != NULL && (!is_same || sees != 0)) {
        int x = tell_held(v, !is_same);
        if (x != 0)
            return x;
    }
    if (v->held == NULL)
        w->now.revision = MAX_OF(w->now.revision, r->revision - 1);
    if (sees != 0) {
        v->held = r;
        v->held_sees = sees;
    }
    return 0;
}

static int see(struct view *v, uint64_t seq, struct bytes bytes)
{
    struct watches *s = v->engine->watches;
    struct record *r = &v->records[v->at];
    if (s->scan_left == 0 && v->held == NULL)
        return WATCH_TURN;
    s->scan_left -= s->scan_left > 0;
    buf_clear(&v->copies[v->at]);
    TRY(buf_append(&v->copies[v->at], bytes));
    if (!record_decode(buf_view(&v->copies[v->at]), r))
        return RAISE(FAULT_CORRUPT);
    registry_record_show(v->engine->registry, r, &v->texts[v->at]);
    bool is_change = watch_is_change(r);
    bool is_over = v->held != NULL && !is_change && r->request != v->held->request;
    int x = is_over ? tell_held(v, true) : 0;
    if (x == 0 && is_change)
        x = on_change(v, r);
    if (x != 0)
        return x;
    if (v->held == r)
        v->at = 1 - v->at;
    else if (v->held == NULL)
        v->watch->now.cursor = seq + 1;
    return 0;
}

static int on_record(uint64_t seq, struct bytes bytes, void *arg)
{
    struct view *v = arg;
    int x = see(v, seq, bytes);
    v->stop = x > 0 ? x : 0;
    return x > 0 ? TRAIL_ENOUGH : x;
}

static int tell_from_trail(struct view *v)
{
    for (size_t i = 0; i < COUNT_OF(v->copies); i++)
        buf_init(&v->copies[i], RECORD_MAX_BYTES);
    int x = trail_read(v->engine->registry->trail, v->watch->now.cursor, false, on_record, v);
    if (x == 0)
        x = v->stop;
    if (x == 0 && v->held != NULL)
        x = tell_held(v, true);
    for (size_t i = 0; i < COUNT_OF(v->copies); i++)
        buf_fini(&v->copies[i]);
    return x;
}

static int on_item(const struct record *r, void *arg)
{
    struct view *v = arg;
    v->records[v->at] = *r;
    registry_record_show(v->engine->registry, &v->records[v->at], &v->texts[v->at]);
    int x = on_change(v, &v->records[v->at]);
    if (v->held == &v->records[v->at])
        v->at = 1 - v->at;
    return x;
}

static int tell_from_feed(struct view *v)
{
    int x = watch_feed_each(&v->engine->watches->feed, v->watch->now.cursor, on_item, v);
    return x == 0 && v->held != NULL ? tell_held(v, true) : x;
}

int watch_tell_changes(struct engine *e, struct watch *w)
{
    struct view v = {.engine = e, .watch = w};
    const struct registry *r = e->registry;
    uint64_t end = trail_size(r->trail) - trail_pending(r->trail);
    assert(w->now.cursor <= end && !w->is_fresh);
    watch_begin(&v.q, e, w, PROTO_OP_WATCH, &v.m);
    bool is_behind = w->now.cursor < e->watches->feed.first;
    if (is_behind && e->watches->scan_left == 0)
        return WATCH_TURN;
    int x = is_behind ? tell_from_trail(&v) : tell_from_feed(&v);
    if (x != 0)
        return x;
    w->now.cursor = end;
    w->now.revision = MAX_OF(w->now.revision, r->state.revision);
    return 0;
}
