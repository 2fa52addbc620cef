/*
 * op-list - folders: their children, everything below them, with values or as they once were, and what they amount to;
 * see engine.h. Whatever the caller may not see is left out before anything is counted or paged.
 */
#include <errno.h>
#include <string.h>

#include "base/code.h"
#include "engine/engine.h"
#include "model/path.h"
#include "model/value.h"
#include "wire/glob.h"

enum {
    LIST_LIMIT_MAX_COUNT = 1000,
    LIST_LIMIT_COUNT = 1000,
    LIST_DOC_MAX_BYTES = 2 << 20, /* a page with values ends behind it; one more value and its rendering still fit */
    LISTING_GONE = 2, /* of a walk, beside 0 and TRAIL_ENOUGH: a version that is asked for is no longer kept */
    FINGERPRINT_FOLD_BYTES = 64 << 10,
};

struct listing {
    struct engine_req *q;
    size_t left;
    bool is_recursive, is_plain, is_long, has_values, is_past, has_more;
    bool may_list; /* holds for children without rules of their own */
    struct bytes base;
    uint8_t last[PATH_MAX_BYTES];
    size_t last_bytes;
};

/* May the caller see this child? Children without rules of their own inherit the answer of their folder. */
static bool sees(const struct listing *l, const struct node *child, bool inherited)
{
    uint8_t path[PATH_MAX_BYTES];
    bool owner_matters =
        child->parent != NULL && child->parent->parent != NULL && child->parent->parent->parent == NULL;
    if (child->rules_count == 0 && !owner_matters)
        return inherited;
    return engine_may(l->q, child, node_path(child, path), AUTHZ_LIST);
}

static int put_name(struct listing *l, const struct node *n, struct bytes name)
{
    TRY(buf_append(&l->q->doc, name));
    return buf_append_text(&l->q->doc, node_is_live(n) ? "\n" : "/\n");
}

/* What a row says of an entry: the current version, or the one it had at the revision asked for. */
static int put_row(struct listing *l, const struct node *n, const char *key, struct bytes name)
{
    struct buf *doc = &l->q->doc;
    const struct entry *e = n->entry;
    if (l->is_plain)
        return put_name(l, n, name);
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, key, name));
    if (!node_is_live(n)) {
        TRY(doc_put_bool(doc, "folder", true));
        return doc_map_end(doc);
    }
    if ((e->flags & ENTRY_CORRUPT) != 0) {
        TRY(doc_put_bool(doc, "corrupt", true));
        return doc_map_end(doc);
    }
    TRY(doc_put_text(doc, "type", bytes_of_text(value_type_text(e->type))));
    TRY(doc_put_int(doc, "version", (int64_t)e->version));
    TRY(doc_put_bool(doc, "sealed", (e->flags & ENTRY_SEALED) != 0));
    if (l->is_long) {
        TRY(doc_put_int(doc, "size", e->size_bytes));
        TRY(engine_put_time(doc, "changed", e->changed_us));
        TRY(engine_put_tags(doc, bytes_of_text(e->tags)));
        TRY(engine_put_expires(doc, e->expiry.key));
    }
    return doc_map_end(doc);
}

static int add_row(struct listing *l, const struct node *n, const char *key, struct bytes name)
{
    if (l->left == 0) {
        l->has_more = true;
        return TRAIL_ENOUGH;
    }
    l->left--;
    memcpy(l->last, name.p, name.n);
    l->last_bytes = name.n;
    return put_row(l, n, key, name);
}

/* ---- filters --------------------------------------------------------------------------------------------- */

static bool has_tag(struct bytes rest, struct bytes wanted)
{
    while (rest.n > 0) {
        size_t n = bytes_find(rest, '\n');
        if (bytes_equal(bytes_head(rest, n), wanted))
            return true;
        rest = bytes_from(rest, n + 1);
    }
    return false;
}

static bool fits_name(const struct listing *l, const struct node *n)
{
    return l->q->m->name.n == 0 || glob_match(l->q->m->name, node_name(n));
}

/* What an entry is, or was, against the filters that look into it. */
static bool fits_content(const struct listing *l, unsigned type, struct bytes tags, int64_t expires_us)
{
    const struct msg_request *m = l->q->m;
    return (m->tags.n == 0 || has_tag(tags, m->tags)) && (m->type == 0 || type == m->type) &&
           (m->until_us == 0 || (expires_us != 0 && expires_us <= m->until_us));
}

static bool fits(const struct listing *l, const struct node *n)
{
    const struct msg_request *m = l->q->m;
    const struct entry *e = n->entry;
    if (!fits_name(l, n))
        return false;
    if (m->tags.n == 0 && m->type == 0 && m->until_us == 0)
        return true;
    if (!node_is_live(n) || (e->flags & ENTRY_CORRUPT) != 0)
        return false;
    return fits_content(l, e->type, bytes_of_text(e->tags), e->expiry.key);
}

static int on_child(struct node *child, void *arg)
{
    struct listing *l = arg;
    if ((!node_is_live(child) && !node_is_folder(child)) || !sees(l, child, l->may_list) || !fits(l, child))
        return 0;
    return add_row(l, child, "name", node_name(child));
}

/* ---- values ---------------------------------------------------------------------------------------------- */

static int put_with_value(struct listing *l, struct bytes path, const struct registry_value *v, bool is_shredded)
{
    struct buf *doc = &l->q->doc;
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "path", path));
    TRY(doc_put_text(doc, "type", bytes_of_text(value_type_text(v->type))));
    TRY(doc_put_int(doc, "version", (int64_t)v->version));
    TRY(doc_put_bool(doc, "sealed", (v->flags & ENTRY_SEALED) != 0));
    if (is_shredded) {
        TRY(doc_key(doc, "value"));
        TRY(doc_null(doc));
        return doc_map_end(doc);
    }
    TRY(engine_put_value(doc, v));
    TRY(doc_put_text(doc, "comment", v->comment));
    TRY(engine_put_tags(doc, v->tags));
    TRY(engine_put_expires(doc, v->expires_us));
    TRY(engine_put_time(doc, "changed", v->changed_us));
    return doc_map_end(doc);
}

/* Who takes a value away in a listing leaves the record of a read of it. */
static int record_read(struct listing *l, struct bytes path, uint64_t version)
{
    struct record record = l->q->record;
    record.kind = RECORD_GET;
    record.outcome = OUTCOME_DONE;
    record.path = path;
    record.version_before = record.version_after = version;
    return registry_record(l->q->engine->registry, &record, false);
}

/* One entry with its value, if the caller may read it. Returns 0, TRAIL_ENOUGH (no room is left), LISTING_GONE, or a
 * fault. */
static int visit_value(struct listing *l, const struct node *n, bool is_seen)
{
    uint8_t storage[PATH_MAX_BYTES];
    struct registry *r = l->q->engine->registry;
    struct registry_value v = {0};
    uint64_t version = n->entry != NULL ? n->entry->version : 0;
    if (n->entry == NULL || !fits_name(l, n) || (!l->is_past && (!node_is_live(n) || !fits(l, n))))
        return 0;
    struct bytes path = node_path(n, storage);
    if (!is_seen || !engine_may(l->q, n, path, AUTHZ_READ))
        return 0;
    if (l->left == 0 || buf_size(&l->q->doc) > LIST_DOC_MAX_BYTES ||
        trail_room(r->trail) < RECORD_MAX_BYTES + ENGINE_RECORD_ROOM_BYTES) {
        l->has_more = true;
        return TRAIL_ENOUGH;
    }
    int x = l->is_past ? registry_at(r, n, l->q->m->match, &version) : 0;
    if (x == OUTCOME_GONE)
        return LISTING_GONE;
    if (x == 0 && version == 0)
        return 0;
    if (x == 0)
        x = l->is_past ? registry_get_version(r, n, version, &v) : registry_get(r, n, false, &v);
    if (x == OUTCOME_CORRUPT)
        return 0; /* as if it could not be read: it is named where it is asked for */
    if (x == OUTCOME_GONE)
        v = (struct registry_value){.type = n->entry->type, .version = version};
    else if (x != 0)
        return x < 0 ? x : RAISE(FAULT_INTERNAL);
    if (l->is_past && !fits_content(l, v.type, v.tags, v.expires_us))
        return 0;
    l->left--;
    memcpy(l->last, path.p, path.n);
    l->last_bytes = path.n;
    TRY(record_read(l, path, version));
    return put_with_value(l, path, &v, x == OUTCOME_GONE);
}

/* One folder on the way down of a recursive listing. */
struct level {
    const struct node *folder;
    struct bytes after; /* name of the child visited last, or named by the caller; it need not exist (any more) */
    bool may_list;
};

/* Entries that are gone by now may have been there at a revision of the past. */
static bool has_below(const struct listing *l, const struct node *n)
{
    return l->is_past ? n->children != NULL : n->live > 0;
}

/* Where to go on behind path `after`: the levels down to it, of which the first is there. Returns the depth. */
static size_t resume(const struct listing *l, struct bytes after, struct level *levels)
{
    size_t depth = 1;
    struct bytes rest = bytes_from(after, l->base.n);
    while (rest.n > 0 && depth < PATH_DEPTH_MAX_COUNT) {
        struct level *v = &levels[depth - 1];
        struct bytes name = path_next(&rest);
        uint8_t path[PATH_MAX_BYTES];
        struct bytes folder = node_path(v->folder, path);
        const struct node *child = NULL;
        v->after = name;
        if (folder.n + 1 + name.n <= PATH_MAX_BYTES) {
            path[folder.n] = '/';
            memcpy(path + folder.n + 1, name.p, name.n);
            child = tree_walk(&l->q->engine->registry->tree, bytes_of(path, folder.n + 1 + name.n)).node;
        }
        if (child == NULL)
            break;                               /* whatever was below it is gone: go on with the names behind it */
        if (rest.n > 0 || has_below(l, child)) { /* what is below a path stands behind it */
            levels[depth] = (struct level){child, BYTES_NONE, sees(l, child, v->may_list)};
            depth++;
        }
    }
    return depth;
}

static int visit(struct listing *l, const struct node *n, bool is_seen)
{
    uint8_t path[PATH_MAX_BYTES];
    if (l->has_values)
        return visit_value(l, n, is_seen);
    if (!node_is_live(n) || !is_seen || !fits(l, n))
        return 0;
    return add_row(l, n, "path", node_path(n, path));
}

/* Depth first, in the byte order of names within each folder; only entries, each with its path. */
static int list_below(struct listing *l, const struct node *base, struct bytes after)
{
    struct level levels[PATH_DEPTH_MAX_COUNT + 1];
    size_t depth = 1;
    levels[0] = (struct level){base, BYTES_NONE, l->may_list};
    if (after.n > 0)
        depth = resume(l, after, levels);
    while (depth > 0) {
        struct level *v = &levels[depth - 1];
        const struct node *child = node_child_after(v->folder, v->after);
        if (child == NULL) {
            depth--;
            continue;
        }
        v->after = node_name(child);
        bool is_seen = sees(l, child, v->may_list);
        int x = visit(l, child, is_seen);
        if (x != 0)
            return x;
        if (has_below(l, child) && depth <= PATH_DEPTH_MAX_COUNT)
            levels[depth++] = (struct level){child, BYTES_NONE, is_seen};
    }
    return 0;
}

static int put_rows(struct listing *l, const struct node *folder)
{
    struct bytes after = l->q->m->after;
    int x = l->is_recursive ? list_below(l, folder, after) : node_each_child(folder, after, on_child, l);
    return x == TRAIL_ENOUGH ? 0 : x;
}

static int put_plain(struct listing *l, const struct node *folder)
{
    static uint8_t next[PATH_MAX_BYTES]; /* outlives this call: the reply is written after it */
    TRY(put_rows(l, folder));
    memcpy(next, l->last, l->last_bytes);
    l->q->reply.detail = bytes_of(next, l->has_more ? l->last_bytes : 0);
    return 0;
}

static int put_listing(struct listing *l, const struct node *folder)
{
    struct engine_req *q = l->q;
    struct buf *doc = &q->doc;
    TRY(doc_map_begin(doc));
    TRY(doc_put_text(doc, "path", q->m->path));
    TRY(doc_put_int(doc, "revision", (int64_t)q->engine->registry->state.revision));
    TRY(doc_key(doc, "entries"));
    TRY(doc_list_begin(doc));
    int x = put_rows(l, folder);
    if (x != 0)
        return x == LISTING_GONE ? OUTCOME_GONE : x;
    TRY(doc_list_end(doc));
    TRY(doc_key(doc, "next"));
    TRY(l->has_more ? doc_text(doc, bytes_of(l->last, l->last_bytes)) : doc_null(doc));
    return doc_map_end(doc);
}

/* Returns 0 or an outcome. */
static int check_arguments(struct engine_req *q, const struct listing *l)
{
    const struct msg_request *m = q->m;
    const char *why = NULL;
    size_t at;
    if (m->version > LIST_LIMIT_MAX_COUNT || (l->has_values && !l->is_recursive) || (l->is_past && !l->has_values))
        return OUTCOME_BAD_REQUEST;
    if (l->is_recursive && m->after.n > 0 && (!path_check(m->after, &why) || !path_is_within(m->after, m->path)))
        return OUTCOME_BAD_REQUEST;
    if (m->name.n > 0 && !glob_check(m->name, &why, &at)) {
        q->reply.detail = bytes_of_text(why);
        return OUTCOME_BAD_REQUEST;
    }
    return 0;
}

int op_list(struct engine_req *q)
{
    struct tree_walk w = engine_walk(q);
    uint32_t f = q->m->flags;
    struct listing l = {.q = q, .left = LIST_LIMIT_COUNT, .may_list = true, .base = q->m->path};
    l.is_recursive = (f & PROTO_RECURSIVE) != 0;
    l.is_long = (f & PROTO_LONG) != 0;
    l.is_plain = (f & PROTO_PLAIN) != 0;
    l.has_values = (f & PROTO_VALUES) != 0;
    l.is_past = (f & PROTO_HAS_REVISION) != 0;
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_LIST))
        return engine_refusal(q, &w);
    if (w.node == NULL || (!node_is_folder(w.node) && !l.is_past))
        return w.node != NULL && node_is_live(w.node) ? OUTCOME_NOT_FOLDER : OUTCOME_NOT_FOUND;
    int x = check_arguments(q, &l);
    if (x != 0)
        return x;
    if (q->m->version > 0)
        l.left = (size_t)q->m->version;
    q->reply.shape = l.is_plain ? PROTO_TEXT : PROTO_DOC;
    return l.is_plain ? put_plain(&l, w.node) : put_listing(&l, w.node);
}

/* ---- fingerprint ----------------------------------------------------------------------------------------- */

/*
 * What a subtree amounts to, whatever its versions and times: SHA-256 over one frame for each entry the caller may
 * read, in the order of a recursive listing: length of the path below the folder (4 bytes big-endian) and the path,
 * type (1 byte), length of the value (4 bytes) and its SHA-256. So two hosts can compare what they hold.
 */
struct printing {
    struct listing l;
    struct buf frames;
    uint64_t count;
};

static void put_u32(uint8_t p[static 4], size_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Frames are folded into their hash whenever they fill the buffer, so that its size bounds the memory. */
static int fold(struct printing *p)
{
    uint8_t digest[DIGEST_BYTES];
    struct bytes frames = buf_view(&p->frames);
    TRY(digest_sha256(&frames, 1, digest));
    buf_clear(&p->frames);
    return buf_append(&p->frames, BYTES_OF(digest));
}

static int print_entry(struct printing *p, const struct node *n, struct bytes path)
{
    uint8_t head[4], tail[1 + 4 + DIGEST_BYTES];
    struct registry_value v;
    int x = registry_get(p->l.q->engine->registry, n, false, &v);
    if (x != 0)
        return x;
    struct bytes name = bytes_from(path, p->l.base.n);
    put_u32(head, name.n);
    tail[0] = (uint8_t)v.type;
    put_u32(tail + 1, v.body.n);
    TRY(digest_sha256(&v.body, 1, tail + 5));
    if (buf_size(&p->frames) > FINGERPRINT_FOLD_BYTES)
        TRY(fold(p));
    TRY(buf_append(&p->frames, BYTES_OF(head)));
    TRY(buf_append(&p->frames, name));
    TRY(buf_append(&p->frames, BYTES_OF(tail)));
    p->count++;
    return 0;
}

static int print_below(struct printing *p, const struct node *base)
{
    struct level levels[PATH_DEPTH_MAX_COUNT + 1];
    size_t depth = 1;
    levels[0] = (struct level){base, BYTES_NONE, true};
    while (depth > 0) {
        uint8_t storage[PATH_MAX_BYTES];
        struct level *v = &levels[depth - 1];
        const struct node *child = node_child_after(v->folder, v->after);
        if (child == NULL) {
            depth--;
            continue;
        }
        v->after = node_name(child);
        struct bytes path = node_path(child, storage);
        if (node_is_live(child) && engine_may(p->l.q, child, path, AUTHZ_READ)) {
            int x = print_entry(p, child, path);
            if (x != 0)
                return x;
        }
        if (child->live > 0)
            levels[depth++] = (struct level){child, BYTES_NONE, true};
    }
    return 0;
}

int engine_fingerprint(struct engine_req *q, const struct node *folder, uint8_t ret[static DIGEST_BYTES],
                       uint64_t *ret_count)
{
    struct printing p = {.l = {.q = q, .base = q->m->path}};
    buf_init(&p.frames, 2 * FINGERPRINT_FOLD_BYTES);
    int x = print_below(&p, folder);
    if (x == 0) {
        struct bytes frames = buf_view(&p.frames);
        x = digest_sha256(&frames, 1, ret);
        *ret_count = p.count;
    }
    buf_fini(&p.frames);
    return x;
}

int op_fingerprint(struct engine_req *q)
{
    uint8_t digest[DIGEST_BYTES];
    char hex[2 * DIGEST_BYTES + 1];
    uint64_t count;
    struct tree_walk w = engine_walk(q);
    if (!engine_allows(q, w.nearest, q->m->path, AUTHZ_READ))
        return engine_refusal(q, &w);
    if (w.node == NULL || !node_is_folder(w.node))
        return w.node != NULL && node_is_live(w.node) ? OUTCOME_NOT_FOLDER : OUTCOME_NOT_FOUND;
    int x = engine_fingerprint(q, w.node, digest, &count);
    if (x != 0)
        return x;
    code_hex_text(BYTES_OF(digest), hex);
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_text(&q->doc, "path", q->m->path));
    TRY(doc_put_text(&q->doc, "fingerprint", bytes_of_text(hex)));
    TRY(doc_put_int(&q->doc, "entries", (int64_t)count));
    TRY(doc_put_int(&q->doc, "revision", (int64_t)q->engine->registry->state.revision));
    return doc_map_end(&q->doc);
}
