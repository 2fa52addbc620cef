/* op-keys - key slots, a new root key, a new epoch of the field key; see engine.h. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "engine/engine.h"

static bool may_control(struct engine_req *q)
{
    return engine_allows(q, q->engine->registry->tree.root, BYTES_LITERAL("/registry"), AUTHZ_CONTROL);
}

static const char *kind_text(unsigned kind)
{
    return kind == KEYS_SLOT_PASSPHRASE ? "passphrase" : kind == KEYS_SLOT_KEY_FILE ? "key-file" : "malformed";
}

/* ---- slots ----------------------------------------------------------------------------------------------- */

static int put_slot(const struct registry_slot *slot, void *arg)
{
    struct engine_req *q = arg;
    struct buf *doc = &q->doc;
    TRY(doc_map_begin(doc));
    TRY(doc_put_int(doc, "id", (int64_t)slot->id));
    TRY(doc_put_text(doc, "kind", bytes_of_text(kind_text(slot->kind))));
    TRY(doc_put_text(doc, "label", slot->label));
    if (slot->rounds > 0)
        TRY(doc_put_int(doc, "rounds", slot->rounds));
    TRY(engine_put_time(doc, "created", slot->created_us));
    TRY(doc_put_int(doc, "created_by", slot->created_by));
    TRY(doc_key(doc, "good"));
    TRY(registry_is_locked(q->engine->registry) ? doc_null(doc) : doc_bool(doc, slot->is_good));
    return doc_map_end(doc);
}

int op_slots(struct engine_req *q)
{
    if (!may_control(q))
        return OUTCOME_REFUSED;
    q->reply.shape = PROTO_DOC;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_key(&q->doc, "slots"));
    TRY(doc_list_begin(&q->doc));
    TRY(registry_slot_each(q->engine->registry, put_slot, q));
    TRY(doc_list_end(&q->doc));
    return doc_map_end(&q->doc);
}

/* What a request says opens a slot; nothing stands for the key file of the daemon. */
static int take_material(const struct engine *e, struct bytes body, struct secret *ret_material)
{
    if (body.n == 0)
        return engine_read_key_file(e, ret_material);
    return body.n > KEYS_PASSPHRASE_MAX_BYTES ? OUTCOME_TOO_LARGE : secret_init_copy(ret_material, body);
}

static bool fits_kind(unsigned kind, const struct secret *material)
{
    return kind == KEYS_SLOT_PASSPHRASE || (kind == KEYS_SLOT_KEY_FILE && material->n == KEYS_FILE_BYTES);
}

/* Returns 0, an outcome, or a fault. */
static int check_add(struct engine_req *q, uint32_t rounds)
{
    const struct msg_request *m = q->m;
    bool is_passphrase = m->type == KEYS_SLOT_PASSPHRASE;
    if (m->comment.n > META_LABEL_MAX_BYTES)
        return OUTCOME_TOO_LARGE;
    q->reply.detail = is_passphrase ? BYTES_LITERAL("there is no passphrase, or its rounds are out of range")
                                    : BYTES_LITERAL("a slot is a passphrase or a key-file of 32 bytes");
    if (is_passphrase && (m->body.n == 0 || rounds < KDF_ROUNDS_MIN_COUNT || rounds > KDF_ROUNDS_MAX_COUNT))
        return OUTCOME_BAD_REQUEST;
    if (!is_passphrase && (m->type != KEYS_SLOT_KEY_FILE || m->match != 0))
        return OUTCOME_BAD_REQUEST;
    return 0;
}

static int add_slot(struct engine_req *q, uint32_t rounds, uint64_t *ret_id)
{
    struct secret material;
    struct registry_actor actor = engine_actor(q);
    struct registry_slot slot = {.kind = q->m->type, .rounds = rounds, .label = q->m->comment};
    int x = take_material(q->engine, q->m->body, &material);
    if (x != 0) {
        q->reply.detail = BYTES_LITERAL("the daemon has no key file, or it is not one");
        return x == OUTCOME_AUTH_FAILED ? OUTCOME_BAD_REQUEST : x;
    }
    x = fits_kind(slot.kind, &material) ? registry_slot_add(q->engine->registry, &actor, &slot, &material, ret_id)
                                        : OUTCOME_BAD_REQUEST;
    secret_fini(&material);
    return x;
}

int op_slot_add(struct engine_req *q)
{
    static char detail[64 + META_LABEL_MAX_BYTES]; /* outlives this call: the record is written after it */
    uint64_t id = 0;
    uint64_t rounds = q->m->match == 0 && q->m->type == KEYS_SLOT_PASSPHRASE ? KDF_ROUNDS_MIN_COUNT : q->m->match;
    if (!may_control(q))
        return OUTCOME_REFUSED;
    if (rounds > KDF_ROUNDS_MAX_COUNT)
        return OUTCOME_BAD_REQUEST;
    int x = check_add(q, (uint32_t)rounds);
    if (x == 0)
        x = add_slot(q, (uint32_t)rounds, &id);
    if (x == OUTCOME_LIMIT)
        q->reply.detail = BYTES_LITERAL("there are 8 slots already");
    if (x != 0)
        return x;
    snprintf(detail, sizeof detail, "slot %llu, %s: %.*s", (unsigned long long)id, kind_text(q->m->type),
             (int)q->m->comment.n, (const char *)q->m->comment.p);
    q->record.detail = bytes_of_text(detail);
    q->reply.detail = BYTES_NONE;
    q->reply.shape = PROTO_DOC;
    q->is_change = true;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_int(&q->doc, "id", (int64_t)id));
    return doc_map_end(&q->doc);
}

int op_slot_remove(struct engine_req *q)
{
    static char detail[48];
    snprintf(detail, sizeof detail, "slot %llu", (unsigned long long)q->m->match);
    q->record.detail = bytes_of_text(detail);
    if (!may_control(q))
        return OUTCOME_REFUSED;
    int x = registry_slot_remove(q->engine->registry, q->m->match);
    if (x == OUTCOME_NOT_FOUND)
        q->reply.detail = BYTES_LITERAL("there is no such slot");
    if (x != 0)
        return x;
    q->is_change = true;
    q->engine->wants_scrub = true; /* it must not be left in the log */
    return 0;
}

/* ---- a new root key -------------------------------------------------------------------------------------- */

struct rekey {
    struct engine_req *q;
    struct registry_material materials[META_SLOTS_MAX_COUNT];
    size_t count;
    bool keeps; /* the list at hand is of those that stay */
    char text[128];
    size_t used;
};

static bool is_kept(const struct rekey *k, uint64_t slot)
{
    for (size_t i = 0; i < k->count; i++) {
        if (k->materials[i].slot == slot)
            return true;
    }
    return false;
}

static int add_material(struct rekey *k, const struct msg_request *m)
{
    struct registry_material *to = &k->materials[k->count];
    if (k->count == META_SLOTS_MAX_COUNT || is_kept(k, m->match))
        return OUTCOME_BAD_REQUEST;
    int x = take_material(k->q->engine, m->body, &to->secret);
    if (x != 0) {
        k->q->reply.detail = BYTES_LITERAL("the daemon has no key file, or it is not one");
        return x;
    }
    to->slot = m->match;
    k->count++;
    return 0;
}

static int take_materials(struct rekey *k)
{
    struct bytes in = k->q->m->body, body;
    uint16_t type;
    size_t used;
    int x = 0;
    while (x == 0 && in.n > 0) {
        struct msg_request m;
        if (msg_next(in, &type, &body, &used) != 0 || type != PROTO_SLOT || !msg_request_get(body, &m))
            return RAISE(FAULT_PROTOCOL);
        in = bytes_from(in, used);
        x = add_material(k, &m);
    }
    return x != 0 || k->count > 0 ? x : OUTCOME_BAD_REQUEST;
}

static int put_if_listed(const struct registry_slot *slot, void *arg)
{
    struct rekey *k = arg;
    if (is_kept(k, slot->id) != k->keeps)
        return 0;
    int n = snprintf(k->text + k->used, sizeof k->text - k->used, " %llu", (unsigned long long)slot->id);
    k->used += n > 0 ? MIN_OF((size_t)n, sizeof k->text - k->used - 1) : 0;
    return put_slot(slot, k->q);
}

static int put_list(struct rekey *k, const char *name, bool keeps)
{
    struct buf *doc = &k->q->doc;
    int n = snprintf(k->text + k->used, sizeof k->text - k->used, "%s%s", keeps ? "" : "; ", name);
    k->used += n > 0 ? MIN_OF((size_t)n, sizeof k->text - k->used - 1) : 0;
    k->keeps = keeps;
    size_t used = k->used;
    TRY(doc_key(doc, name));
    TRY(doc_list_begin(doc));
    TRY(registry_slot_each(k->q->engine->registry, put_if_listed, k));
    if (k->used == used)
        snprintf(k->text + used, sizeof k->text - used, " none");
    return doc_list_end(doc);
}

/* What becomes of each slot, as it is before. */
static int put_plan(struct rekey *k, bool is_dry)
{
    struct buf *doc = &k->q->doc;
    TRY(doc_map_begin(doc));
    TRY(put_list(k, "kept", true));
    TRY(put_list(k, "dropped", false));
    TRY(doc_put_int(doc, "rows", (int64_t)k->q->engine->registry->prune.rows_count));
    TRY(doc_put_bool(doc, "dry_run", is_dry));
    return doc_map_end(doc);
}

static int check_materials(struct rekey *k)
{
    static char why[64];
    size_t bad = 0;
    int x = engine_try_begin(k->q);
    if (x == 0)
        x = registry_rekey_check(k->q->engine->registry, k->materials, k->count, &bad);
    if (x == 0 || x == OUTCOME_AUTH_FAILED)
        engine_try_end(k->q, x == 0);
    if (x == OUTCOME_NOT_FOUND || x == OUTCOME_AUTH_FAILED) {
        snprintf(why, sizeof why, "slot %llu", (unsigned long long)k->materials[bad].slot);
        k->q->reply.detail = k->q->record.detail = bytes_of_text(why);
    }
    return x;
}

static int run_rekey(struct rekey *k)
{
    static char detail[sizeof k->text + 32];
    struct engine_req *q = k->q;
    bool is_dry = (q->m->flags & PROTO_DRY_RUN) != 0;
    int x = take_materials(k);
    if (x == OUTCOME_BAD_REQUEST && k->q->reply.detail.n == 0)
        q->reply.detail = BYTES_LITERAL("it takes what opens each slot that is to stay, at least one, none twice");
    if (x == 0)
        x = check_materials(k);
    if (x != 0)
        return x;
    TRY(put_plan(k, is_dry));
    snprintf(detail, sizeof detail, "%s: %s", is_dry ? "dry run" : "begin", k->text);
    q->record.detail = bytes_of_text(detail);
    q->reply.shape = PROTO_DOC;
    if (is_dry)
        return 0;
    q->is_change = q->engine->wants_scrub = true;
    return registry_rekey(q->engine->registry, k->materials, k->count);
}

static bool has_pass(struct engine_req *q)
{
    if (q->engine->registry->state.pass.kind == ROWS_PASS_NONE)
        return false;
    q->reply.detail = BYTES_LITERAL("a rekey or rotate goes on");
    return true;
}

int op_rekey(struct engine_req *q)
{
    struct rekey k = {.q = q};
    if (!may_control(q))
        return OUTCOME_REFUSED;
    if (has_pass(q))
        return OUTCOME_BUSY;
    int x = run_rekey(&k);
    for (size_t i = 0; i < k.count; i++)
        secret_fini(&k.materials[i].secret);
    return x;
}

int op_rotate(struct engine_req *q)
{
    if (!may_control(q))
        return OUTCOME_REFUSED;
    if (has_pass(q))
        return OUTCOME_BUSY;
    q->record.detail = BYTES_LITERAL("begin");
    q->reply.shape = PROTO_DOC;
    q->is_change = true;
    int x = registry_rotate(q->engine->registry);
    if (x != 0)
        return x;
    TRY(doc_map_begin(&q->doc));
    TRY(doc_put_int(&q->doc, "rows", (int64_t)q->engine->registry->prune.rows_count));
    TRY(doc_put_int(&q->doc, "epoch", (int64_t)q->engine->registry->state.epoch));
    return doc_map_end(&q->doc);
}
