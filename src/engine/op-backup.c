/*
 * op-backup - handing a backup to a client, part by part; see engine.h and backup.h.
 *
 * When it begins, the turn is committed and the log folded into the database file, which then stays as it is while the
 * client fetches it; the records of the trail up to there never change. Each part is read, sealed and handed over in
 * the turn that is asked for it, so a backup of any size never holds the loop, needs no room beside the database, and
 * is as fast as its client. What must not wait, overwriting what was destroyed, or room in a full storage, ends it: its
 * client begins again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/code.h"
#include "base/log.h"
#include "engine/engine.h"

enum { PART_CHUNKS_COUNT = 8 /* half a megabyte */ };
#define PATIENCE_US (30 * US_PER_S)

static bool may_control(struct engine_req *q)
{
    return engine_allows(q, q->engine->registry->tree.root, BYTES_LITERAL("/registry"), AUTHZ_CONTROL);
}

void engine_end_backup(struct engine *e)
{
    struct engine_backup *b = &e->backup;
    loop_timer_cancel(&e->backup_timer);
    store_release(e->registry->store);
    secret_fini(&b->key);
    buf_clear(&b->header);
    b->id = 0;
}

static void plan_end(struct engine *e)
{
    struct mono_time now = loop_now(e->child->loop);
    e->backup.asked = now;
    if (e->backup_timer.loop != NULL)
        return; /* when it comes, it looks how long ago that is */
    if (loop_timer_set(e->child->loop, &e->backup_timer, clock_mono_add(now, PATIENCE_US)) < 0)
        proc_child_fail(e->child, RAISE(-ENOMEM), "cannot plan the end of a backup");
}

void engine_on_backup(struct loop_timer *timer)
{
    struct engine *e = CONTAINER_OF(timer, struct engine, backup_timer);
    struct mono_time end = clock_mono_add(e->backup.asked, PATIENCE_US);
    if (e->backup.id == 0)
        return;
    if (!clock_mono_passed(loop_now(e->child->loop), end)) {
        if (loop_timer_set(e->child->loop, &e->backup_timer, end) < 0)
            proc_child_fail(e->child, RAISE(-ENOMEM), "cannot plan the end of a backup");
        return;
    }
    engine_end_backup(e);
    LOG_WARNING("a backup was given up: its client asked no more");
    if (engine_record_own(e, RECORD_BACKUP, BYTES_LITERAL("given up: its client asked no more")) < 0)
        LOG_DEBUG("turn fails"); /* said once, with its origin, when the turn ends */
}

/* ---- beginning ------------------------------------------------------------------------------------------- */

struct gather {
    struct backup_header *header;
    uint8_t slots[BACKUP_SLOTS_MAX_COUNT][KEYS_SLOT_MAX_BYTES];
};

/* A slot that is malformed opens nothing, in the store as in a backup. */
static int take_slot(const struct registry_slot *slot, void *arg)
{
    struct gather *g = arg;
    struct backup_header *h = g->header;
    if (slot->kind == 0 || slot->body.n > KEYS_SLOT_MAX_BYTES || h->slots_count == BACKUP_SLOTS_MAX_COUNT)
        return 0;
    memcpy(g->slots[h->slots_count], slot->body.p, slot->body.n);
    h->slots[h->slots_count] = bytes_of(g->slots[h->slots_count], slot->body.n);
    h->slots_count++;
    return 0;
}

/* What the header says; the file is held. */
static int describe(struct engine *e, struct backup_header *h)
{
    static struct gather g;
    struct registry *r = e->registry;
    struct trail_head head;
    TRY(trail_head(r->trail, &head));
    memset(h, 0, sizeof *h);
    g.header = h;
    memcpy(h->store_id, r->store_id, sizeof h->store_id);
    h->created_us = e->turn_wall.us;
    h->revision = r->state.revision;
    h->era = r->state.era;
    h->records = head.size;
    memcpy(h->root, head.root, sizeof h->root);
    crypt_random(h->salt, sizeof h->salt);
    uint64_t trail_size_bytes;
    TRY(store_held_bytes(r->store, &h->database_bytes));
    TRY(trail_bytes(r->trail, &trail_size_bytes));
    h->content_bytes = h->database_bytes + trail_size_bytes;
    TRY(registry_slot_each(r, take_slot, &g));
    return h->slots_count > 0 ? 0 : RAISE(FAULT_CORRUPT);
}

static int hold(struct engine *e, uid_t uid, struct backup_header *h)
{
    struct engine_backup *b = &e->backup;
    TRY(store_hold(e->registry->store));
    TRY(describe(e, h));
    TRY(keys_backup(&e->registry->keys, BYTES_OF(h->salt), &b->key, h->commitment));
    TRY(backup_header_write(&b->header, h));
    TRY(backup_ad(buf_view(&b->header), b->ad));
    crypt_random(&b->id, sizeof b->id);
    b->id = (b->id & ((UINT64_C(1) << 53) - 1)) | 1; /* a number that JSON readers keep exact, and never 0 */
    b->uid = uid;
    b->database_bytes = h->database_bytes;
    b->content_bytes = h->content_bytes;
    b->next = 0;
    b->parts = 1 + (stream_chunks(h->content_bytes) + PART_CHUNKS_COUNT - 1) / PART_CHUNKS_COUNT;
    return 0;
}

/* The backup holds the record of its own making: that is committed, and with it all that the turn did so far. */
static int commit_before(struct engine_req *q)
{
    struct engine *e = q->engine;
    bool is_synced;
    struct engine_asked this = e->asked[--e->asked_count];
    engine_turn_end(e);
    e->asked[e->asked_count++] = this;
    q->record.detail = BYTES_LITERAL("begin");
    q->is_recorded = true;
    TRY(registry_record(e->registry, &q->record, false));
    return registry_turn_end(e->registry, true, &is_synced);
}

static int put_begun(struct engine_req *q, const struct backup_header *h)
{
    struct engine_backup *b = &q->engine->backup;
    char text[DIGEST_BYTES * 2 + 1];
    struct buf *doc = &q->doc;
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(doc));
    TRY(doc_put_int(doc, "id", (int64_t)b->id));
    TRY(doc_put_int(doc, "parts", (int64_t)b->parts));
    TRY(doc_put_int(doc, "bytes", (int64_t)(buf_size(&b->header) + stream_bytes(h->content_bytes))));
    TRY(doc_put_int(doc, "revision", (int64_t)h->revision));
    TRY(doc_put_int(doc, "records", (int64_t)h->records));
    code_hex_text(BYTES_OF(h->root), text);
    TRY(doc_put_text(doc, "root", bytes_of_text(text)));
    return doc_map_end(doc);
}

int op_backup(struct engine_req *q)
{
    struct engine *e = q->engine;
    struct backup_header h;
    if (!may_control(q))
        return OUTCOME_REFUSED;
    if (e->backup.id != 0 && e->backup.uid != q->conn->peer.uid) {
        q->reply.detail = BYTES_LITERAL("somebody else takes a backup");
        return OUTCOME_BUSY;
    }
    engine_end_backup(e); /* the same user begins again */
    TRY(commit_before(q));
    int x = hold(e, q->conn->peer.uid, &h);
    if (x < 0) {
        engine_end_backup(e);
        return x;
    }
    plan_end(e);
    return put_begun(q, &h);
}

/* ---- parts ----------------------------------------------------------------------------------------------- */

/* Returns 0, or OUTCOME_GONE: there is no such backup of the caller's any more. */
static int find(struct engine_req *q)
{
    struct engine *e = q->engine;
    struct engine_backup *b = &e->backup;
    if (b->id != 0 && !store_is_held(e->registry->store)) {
        LOG_WARNING("a backup was given up: too much was written meanwhile");
        engine_end_backup(e);
    }
    if (b->id == 0 || b->id != q->m->match || b->uid != q->conn->peer.uid) {
        q->reply.detail = BYTES_LITERAL("the backup was given up; begin again");
        return OUTCOME_GONE;
    }
    return 0;
}

/* `n` bytes of the content from `at` on: of the database, then of the trail. */
static int read_content(struct engine *e, uint64_t at, uint8_t *to, size_t n)
{
    struct registry *r = e->registry;
    uint64_t end = e->backup.database_bytes;
    size_t first = at < end ? (size_t)MIN_OF((uint64_t)n, end - at) : 0;
    if (first > 0)
        TRY(store_held_read(r->store, at, to, first));
    return first < n ? trail_copy(r->trail, at + first - end, to + first, n - first) : 0;
}

static int put_chunk(struct engine_req *q, uint64_t chunk)
{
    static uint8_t plain[STREAM_CHUNK_BYTES];
    const struct engine_backup *b = &q->engine->backup;
    uint64_t at = chunk * STREAM_CHUNK_BYTES;
    size_t n = (size_t)MIN_OF((uint64_t)STREAM_CHUNK_BYTES, b->content_bytes - at);
    bool is_last = at + n == b->content_bytes;
    uint8_t *to;
    TRY(buf_reserve(&q->doc, n + STREAM_TAG_BYTES, &to));
    int x = read_content(q->engine, at, plain, n);
    if (x == 0)
        x = stream_close(to, &b->key, BYTES_OF(b->ad), chunk, is_last, bytes_of(plain, n));
    secret_wipe(plain, sizeof plain);
    if (x == 0)
        buf_commit(&q->doc, n + STREAM_TAG_BYTES);
    return x;
}

int op_backup_part(struct engine_req *q)
{
    struct engine_backup *b = &q->engine->backup;
    uint64_t part = q->m->version;
    if (!may_control(q))
        return OUTCOME_REFUSED;
    int x = find(q);
    if (x != 0)
        return x;
    if (part >= b->parts)
        return OUTCOME_BAD_REQUEST;
    q->reply.shape = PROTO_RAW;
    b->next = MAX_OF(b->next, part + 1);
    plan_end(q->engine);
    if (part == 0)
        return buf_append(&q->doc, buf_view(&b->header));
    uint64_t first = (part - 1) * PART_CHUNKS_COUNT;
    uint64_t end = MIN_OF(first + PART_CHUNKS_COUNT, stream_chunks(b->content_bytes));
    for (uint64_t i = first; i < end; i++)
        TRY(put_chunk(q, i));
    return 0;
}

int op_backup_end(struct engine_req *q)
{
    static char detail[96]; /* outlives this call: the record is written after it */
    struct engine_backup *b = &q->engine->backup;
    if (!may_control(q))
        return OUTCOME_REFUSED;
    int x = find(q);
    if (x != 0)
        return x;
    bool is_whole = b->next == b->parts;
    uint64_t bytes = buf_size(&b->header) + stream_bytes(b->content_bytes);
    snprintf(detail, sizeof detail, "end: %s, %llu bytes", is_whole ? "handed over" : "not wanted any more",
             (unsigned long long)bytes);
    q->record.detail = bytes_of_text(detail);
    engine_end_backup(q->engine);
    return 0;
}
