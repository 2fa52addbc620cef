/* rows - see rows.h. */
#include "registry/rows.h"

#include <string.h>

/* A row is hashed as a run of columns: numbers as 8 bytes, texts as 8 bytes of length and their bytes. */
enum { COLUMNS_MAX_COUNT = 32 };

struct columns {
    uint8_t numbers[COLUMNS_MAX_COUNT][8];
    struct bytes parts[2 * COLUMNS_MAX_COUNT + 2];
    size_t numbers_count, parts_count;
};

static void put_u64(uint8_t p[static 8], uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (56 - 8 * i));
}

static uint64_t get_u64(const uint8_t p[static 8])
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

static void add_number(struct columns *c, uint64_t v)
{
    assert(c->numbers_count < COLUMNS_MAX_COUNT);
    uint8_t *p = c->numbers[c->numbers_count++];
    put_u64(p, v);
    c->parts[c->parts_count++] = bytes_of(p, 8);
}

static void add_text(struct columns *c, struct bytes text)
{
    add_number(c, text.n);
    c->parts[c->parts_count++] = text;
}

static void columns_begin(struct columns *c, const struct rows_ctx *ctx, const char *kind)
{
    c->numbers_count = c->parts_count = 0;
    add_text(c, bytes_of_text(kind));
    c->parts[c->parts_count++] = bytes_of(ctx->store_id, KEYS_STORE_ID_BYTES);
}

static int columns_mac(const struct columns *c, const struct rows_ctx *ctx, uint8_t ret[static DIGEST_BYTES])
{
    assert(c->parts_count <= COUNT_OF(c->parts));
    return digest_mac(ctx->keys->index, c->parts, c->parts_count, ret);
}

int rows_mac_version(const struct rows_ctx *ctx, const struct rows_version *row, uint8_t ret[static DIGEST_BYTES])
{
    struct columns c;
    columns_begin(&c, ctx, "secreg/v2/version");
    add_number(&c, row->id);
    add_text(&c, row->path);
    add_number(&c, row->previous);
    add_number(&c, row->entry);
    add_number(&c, row->version);
    add_number(&c, row->type);
    add_number(&c, row->flags);
    add_number(&c, (uint64_t)row->created_us);
    add_number(&c, row->created_by);
    add_number(&c, (uint64_t)row->changed_us);
    add_number(&c, row->changed_by);
    add_number(&c, row->revision);
    add_number(&c, (uint64_t)row->expires_us);
    add_text(&c, row->reason);
    add_text(&c, row->comment);
    add_text(&c, row->tags);
    add_text(&c, row->body);
    return columns_mac(&c, ctx, ret);
}

int rows_mac_rule(const struct rows_ctx *ctx, const struct rows_rule *row, uint8_t ret[static DIGEST_BYTES])
{
    struct columns c;
    columns_begin(&c, ctx, "secreg/v2/rule");
    add_number(&c, row->id);
    add_text(&c, row->path);
    add_number(&c, row->effect);
    add_text(&c, row->principal);
    add_number(&c, row->actions);
    add_text(&c, row->condition);
    add_number(&c, (uint64_t)row->created_us);
    add_number(&c, row->created_by);
    return columns_mac(&c, ctx, ret);
}

int rows_mac_approval(const struct rows_ctx *ctx, const struct rows_approval *row, uint8_t ret[static DIGEST_BYTES])
{
    struct columns c;
    columns_begin(&c, ctx, "secreg/v1/approval");
    add_number(&c, row->id);
    add_text(&c, row->path);
    add_number(&c, row->uid);
    add_number(&c, row->op);
    add_number(&c, (uint64_t)row->created_us);
    add_number(&c, (uint64_t)row->expires_us);
    add_text(&c, row->body);
    return columns_mac(&c, ctx, ret);
}

int rows_mac_role(const struct rows_ctx *ctx, const struct rows_role *row, uint8_t ret[static DIGEST_BYTES])
{
    struct columns c;
    columns_begin(&c, ctx, "secreg/v1/role");
    add_number(&c, row->id);
    add_text(&c, row->name);
    add_text(&c, row->principal);
    add_number(&c, (uint64_t)row->created_us);
    add_number(&c, row->created_by);
    return columns_mac(&c, ctx, ret);
}

int rows_mac_schema(const struct rows_ctx *ctx, const struct rows_schema *row, uint8_t ret[static DIGEST_BYTES])
{
    struct columns c;
    columns_begin(&c, ctx, "secreg/v1/schema");
    add_text(&c, row->path);
    add_text(&c, row->form);
    add_number(&c, (uint64_t)row->created_us);
    add_number(&c, row->created_by);
    return columns_mac(&c, ctx, ret);
}

int rows_mac_slot(const struct rows_ctx *ctx, const struct rows_slot *row, uint8_t ret[static DIGEST_BYTES])
{
    struct columns c;
    columns_begin(&c, ctx, "secreg/v1/slot");
    add_number(&c, row->id);
    add_text(&c, row->label);
    add_number(&c, (uint64_t)row->created_us);
    add_number(&c, row->created_by);
    add_text(&c, row->body);
    return columns_mac(&c, ctx, ret);
}

uint64_t rows_next(uint64_t era, uint64_t number)
{
    uint64_t next = number + 1;
    if (next >> ROWS_ERA_SHIFT >= era)
        return next;
    return era << ROWS_ERA_SHIFT | (next & UINT32_MAX);
}

static int state_mac(const struct rows_ctx *ctx, const uint8_t *body, uint8_t ret[static DIGEST_BYTES])
{
    struct columns c;
    columns_begin(&c, ctx, "secreg/v2/state");
    add_text(&c, bytes_of(body, ROWS_STATE_BYTES - DIGEST_BYTES));
    return columns_mac(&c, ctx, ret);
}

/* The numbers of a state in the order in which they are stored. */
#define STATE_NUMBERS(s)                                                                                               \
    {                                                                                                                  \
        &(s)->revision, &(s)->policy, &(s)->next_row, &(s)->next_rule, &(s)->next_slot, &(s)->version_floor,           \
            &(s)->era, &(s)->epoch, &(s)->pass.kind, &(s)->pass.next, &(s)->pass.last, &(s)->pass.seen,                \
            &(s)->pass.count                                                                                           \
    }

int rows_state_encode(const struct rows_ctx *ctx, const struct rows_state *state, uint8_t ret[static ROWS_STATE_BYTES])
{
    const uint64_t *const numbers[ROWS_STATE_COUNT] = STATE_NUMBERS(state);
    for (size_t i = 0; i < ROWS_STATE_COUNT; i++)
        put_u64(ret + i * 8, *numbers[i]);
    memcpy(ret + ROWS_STATE_COUNT * 8, state->sum, DIGEST_BYTES);
    return state_mac(ctx, ret, ret + ROWS_STATE_BYTES - DIGEST_BYTES);
}

bool rows_state_peek(struct bytes in, struct rows_state *ret_state)
{
    uint64_t *const numbers[ROWS_STATE_COUNT] = STATE_NUMBERS(ret_state);
    if (in.n != ROWS_STATE_BYTES)
        return false;
    for (size_t i = 0; i < ROWS_STATE_COUNT; i++)
        *numbers[i] = get_u64(in.p + i * 8);
    memcpy(ret_state->sum, in.p + ROWS_STATE_COUNT * 8, DIGEST_BYTES);
    return true;
}

int rows_state_decode(const struct rows_ctx *ctx, struct bytes in, struct rows_state *ret_state)
{
    uint8_t mac[DIGEST_BYTES];
    if (in.n != ROWS_STATE_BYTES)
        return ROWS_BAD;
    TRY(state_mac(ctx, in.p, mac));
    if (!secret_equal(bytes_of(mac, sizeof mac), bytes_from(in, ROWS_STATE_BYTES - DIGEST_BYTES)))
        return ROWS_BAD;
    return rows_state_peek(in, ret_state) ? 0 : ROWS_BAD;
}

struct bytes rows_ad(const struct rows_ctx *ctx, uint64_t entry, uint64_t version, unsigned type, unsigned flags,
                     uint8_t out[static ROWS_AD_BYTES])
{
    assert(type <= UINT8_MAX && flags <= UINT8_MAX);
    memset(out, 0, ROWS_AD_BYTES);
    out[0] = ROWS_FORMAT;
    memcpy(out + 1, ctx->store_id, KEYS_STORE_ID_BYTES);
    out[17] = ROWS_KEY_ID;
    put_u64(out + 18, entry);
    put_u64(out + 26, version);
    out[34] = (uint8_t)type;
    out[35] = (uint8_t)flags;
    return bytes_of(out, ROWS_AD_BYTES);
}
