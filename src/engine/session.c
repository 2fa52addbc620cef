/* session - see session.h. */
#include "engine/session.h"

#include <string.h>

#include "base/code.h"

/* HMAC(key, "secreg/v1/session" | selector | verifier | uid): all parts have a fixed length. */
static int make_tag(struct digest_mac *mac, const uint8_t random[static SESSION_RANDOM_BYTES], uid_t uid,
                    uint8_t ret_tag[static DIGEST_BYTES])
{
    const uint8_t number[4] = {(uint8_t)(uid >> 24), (uint8_t)(uid >> 16 & 255), (uint8_t)(uid >> 8 & 255),
                               (uint8_t)(uid & 255)};
    const struct bytes parts[] = {BYTES_LITERAL("secreg/v1/session"), bytes_of(random, SESSION_RANDOM_BYTES),
                                  BYTES_OF(number)};
    return digest_mac(mac, parts, COUNT_OF(parts), ret_tag);
}

static bool is_over(const struct sessions *s, const struct session *row, struct mono_time now)
{
    return clock_mono_passed(now, clock_mono_add(row->last, s->limits.idle_us)) ||
           clock_mono_passed(now, clock_mono_add(row->made, s->limits.absolute_us));
}

/* What is over is freed when it is seen. */
static bool is_live(const struct sessions *s, struct session *row, struct mono_time now)
{
    if (row->is_used && !row->is_new && is_over(s, row, now))
        *row = (struct session){0};
    return row->is_used && !row->is_ending;
}

static struct session *find(struct sessions *s, const uint8_t selector[static SESSION_SELECTOR_BYTES],
                            struct mono_time now)
{
    for (size_t i = 0; i < SESSIONS_MAX_COUNT; i++) {
        struct session *row = &s->rows[i];
        if (is_live(s, row, now) && memcmp(row->selector, selector, SESSION_SELECTOR_BYTES) == 0)
            return row;
    }
    return NULL;
}

static bool is_older(const struct session *a, const struct session *b)
{
    return b == NULL || a->last.us < b->last.us;
}

/*
 * A free row; and what has to end for it, if the user has its share or the table is full. A row that ends in this turn
 * is still taken: it comes back if the turn is taken back.
 */
static struct session *make_room(struct sessions *s, uid_t uid, struct mono_time now)
{
    struct session *row = NULL, *own = NULL, *any = NULL;
    unsigned count = 0;
    for (size_t i = 0; i < SESSIONS_MAX_COUNT; i++) {
        struct session *r = &s->rows[i];
        if (!is_live(s, r, now)) {
            row = row == NULL && !r->is_used ? r : row;
            continue;
        }
        any = is_older(r, any) ? r : any;
        if (r->uid == uid) {
            count++;
            own = is_older(r, own) ? r : own;
        }
    }
    if (count >= s->limits.per_user_count)
        session_end(s, own);
    if (row != NULL)
        return row;
    if (any == NULL) /* every row of the table ends in this turn */
        any = &s->rows[0];
    *any = (struct session){0};
    return any;
}

static void write_token(const uint8_t random[static SESSION_RANDOM_BYTES], char ret_token[static SESSION_TOKEN_BYTES])
{
    code_hex_text(bytes_of(random, SESSION_SELECTOR_BYTES), ret_token);
    ret_token[2 * SESSION_SELECTOR_BYTES] = '.';
    code_hex_text(bytes_of(random + SESSION_SELECTOR_BYTES, SESSION_VERIFIER_BYTES),
                  ret_token + 2 * SESSION_SELECTOR_BYTES + 1);
}

static bool read_token(struct bytes token, uint8_t ret_random[static SESSION_RANDOM_BYTES])
{
    size_t at = 2 * SESSION_SELECTOR_BYTES;
    return token.n == SESSION_TOKEN_BYTES - 1 && token.p[at] == '.' &&
           code_unhex(bytes_head(token, at), ret_random, SESSION_SELECTOR_BYTES) &&
           code_unhex(bytes_from(token, at + 1), ret_random + SESSION_SELECTOR_BYTES, SESSION_VERIFIER_BYTES);
}

int session_make(struct sessions *s, enum session_key key, const struct session_order *order,
                 char ret_token[static SESSION_TOKEN_BYTES], struct session **ret_session)
{
    struct session made = {.is_used = true,
                           .is_new = true,
                           .key = key,
                           .uid = order->uid,
                           .made = order->now,
                           .last = order->now,
                           .made_wall = order->wall};
    assert(s->keys[key] != NULL && s->limits.per_user_count > 0);
    if (find(s, order->random, order->now) != NULL)
        return SESSION_AGAIN;
    memcpy(made.selector, order->random, SESSION_SELECTOR_BYTES);
    TRY(make_tag(s->keys[key], order->random, order->uid, made.tag));
    struct session *row = make_room(s, order->uid, order->now);
    *row = made;
    s->is_changed = true;
    write_token(order->random, ret_token);
    *ret_session = row;
    return 0;
}

int session_find(struct sessions *s, struct bytes token, uid_t uid, struct mono_time now, struct session **ret_session)
{
    uint8_t random[SESSION_RANDOM_BYTES], tag[DIGEST_BYTES];
    static const uint8_t none[DIGEST_BYTES];
    if (!read_token(token, random))
        return SESSION_BAD;
    struct session *row = find(s, random, now);
    struct digest_mac *mac = row != NULL ? s->keys[row->key] : NULL;
    bool is_known = mac != NULL; /* else the same work, for nothing */
    for (size_t i = 0; mac == NULL && i < SESSION_KEYS_COUNT; i++)
        mac = s->keys[i];
    int r = mac != NULL ? make_tag(mac, random, uid, tag) : SESSION_BAD;
    secret_wipe(random, sizeof random);
    if (r != 0)
        return r;
    bool is_equal = secret_equal(BYTES_OF(tag), is_known ? BYTES_OF(row->tag) : BYTES_OF(none));
    if (!is_known || !is_equal || row->uid != uid)
        return SESSION_BAD;
    row->last = now;
    *ret_session = row;
    return 0;
}

struct session *session_of_id(struct sessions *s, struct bytes id, uid_t uid, struct mono_time now)
{
    uint8_t selector[SESSION_SELECTOR_BYTES];
    if (id.n != SESSION_ID_BYTES - 1 || !code_unhex(id, selector, sizeof selector))
        return NULL;
    struct session *row = find(s, selector, now);
    return row != NULL && row->uid == uid ? row : NULL;
}

struct session *session_next(struct sessions *s, uid_t uid, struct mono_time now, size_t *at)
{
    while (*at < SESSIONS_MAX_COUNT) {
        struct session *row = &s->rows[(*at)++];
        if (is_live(s, row, now) && row->uid == uid)
            return row;
    }
    return NULL;
}

void session_end(struct sessions *s, struct session *row)
{
    assert(row->is_used);
    s->is_changed = true;
    row->is_ending = true;
}

void session_end_key(struct sessions *s, enum session_key key)
{
    for (size_t i = 0; i < SESSIONS_MAX_COUNT; i++) {
        if (s->rows[i].is_used && s->rows[i].key == key)
            s->rows[i] = (struct session){0};
    }
}

void session_commit(struct sessions *s)
{
    for (size_t i = 0; s->is_changed && i < SESSIONS_MAX_COUNT; i++) {
        if (s->rows[i].is_ending)
            s->rows[i] = (struct session){0};
        s->rows[i].is_new = false;
    }
    s->is_changed = false;
}

void session_rollback(struct sessions *s)
{
    for (size_t i = 0; s->is_changed && i < SESSIONS_MAX_COUNT; i++) {
        if (s->rows[i].is_new)
            s->rows[i] = (struct session){0};
        s->rows[i].is_ending = false;
    }
    s->is_changed = false;
}

static uint64_t number_of(const uint8_t selector[static SESSION_SELECTOR_BYTES])
{
    uint64_t number = 0;
    for (size_t i = 0; i < SESSION_SELECTOR_BYTES; i++)
        number = number << 8 | selector[i];
    return number;
}

uint64_t session_number(const struct session *row)
{
    return number_of(row->selector);
}

bool session_number_of(struct bytes id, uint64_t *ret_number)
{
    uint8_t selector[SESSION_SELECTOR_BYTES];
    bool is_good = code_unhex(id, selector, sizeof selector);
    *ret_number = is_good ? number_of(selector) : 0;
    return is_good;
}

void session_id(const struct session *row, char ret_id[static SESSION_ID_BYTES])
{
    assert(row->is_used);
    code_hex_text(BYTES_OF(row->selector), ret_id);
}

int64_t session_left_absolute_us(const struct sessions *s, const struct session *row, struct mono_time now)
{
    return MAX_OF(clock_mono_add(row->made, s->limits.absolute_us).us - now.us, INT64_C(0));
}

int64_t session_left_us(const struct sessions *s, const struct session *row, struct mono_time now)
{
    int64_t idle_us = MAX_OF(clock_mono_add(row->last, s->limits.idle_us).us - now.us, INT64_C(0));
    return MIN_OF(idle_us, session_left_absolute_us(s, row, now));
}
