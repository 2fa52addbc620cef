/* epoch - see epoch.h: the texts. */
#include "trail/epoch.h"

#include <stdio.h>

#include "base/code.h"
#include "base/num.h"
#include "trail/trail-internal.h"

#define NEW_SEED ", new seed"

void epoch_write(const struct epoch_statement *s, char ret[static EPOCH_TEXT_MAX_BYTES])
{
    char hex[2 * DIGEST_BYTES + 1];
    code_hex_text(BYTES_OF(s->tag), hex);
    int n = snprintf(ret, EPOCH_TEXT_MAX_BYTES, "epoch %llu, sealed to %llu: %s%s", (unsigned long long)s->number,
                     (unsigned long long)s->sealed, hex, s->is_reseeded ? NEW_SEED : "");
    assert(n > 0 && n < EPOCH_TEXT_MAX_BYTES);
}

/* Takes a literal text, or a number up to the next text, off the front. */
static bool take_text(struct bytes *in, const char *text)
{
    struct bytes t = bytes_of_text(text);
    if (!bytes_starts(*in, t))
        return false;
    *in = bytes_from(*in, t.n);
    return true;
}

static bool take_number(struct bytes *in, uint64_t *ret_number)
{
    size_t n = 0;
    while (n < in->n && in->p[n] >= '0' && in->p[n] <= '9')
        n++;
    struct bytes digits = bytes_head(*in, n);
    *in = bytes_from(*in, n);
    return num_parse_u64(digits, TRAIL_MAX_COUNT, ret_number);
}

static bool take_hash(struct bytes *in, uint8_t ret[static DIGEST_BYTES])
{
    struct bytes hex = bytes_head(*in, MIN_OF(in->n, (size_t)2 * DIGEST_BYTES));
    *in = bytes_from(*in, hex.n);
    for (size_t i = 0; i < hex.n; i++) { /* one text for one hash */
        if (hex.p[i] >= 'A' && hex.p[i] <= 'F')
            return false;
    }
    return hex.n == (size_t)2 * DIGEST_BYTES && code_unhex(hex, ret, DIGEST_BYTES);
}

bool epoch_read(struct bytes detail, struct epoch_statement *ret_statement)
{
    struct epoch_statement *s = ret_statement;
    bool is_good = take_text(&detail, "epoch ") && take_number(&detail, &s->number) &&
                   take_text(&detail, ", sealed to ") && take_number(&detail, &s->sealed) && take_text(&detail, ": ") &&
                   take_hash(&detail, s->tag);
    if (!is_good)
        return false;
    s->is_reseeded = take_text(&detail, NEW_SEED);
    return detail.n == 0;
}

bool epoch_begins(struct bytes record)
{
    enum { AT = 3 + 3 * 8 /* the kind, behind "SR", version, number and clocks: doc/spec/trail.md */ };
    return record.n >= AT + 2 && (record.p[AT] << 8 | record.p[AT + 1]) == RECORD_EPOCH;
}

#define SEED_BEGIN "secreg-seed:"

void epoch_seed_write(const struct epoch_seed *seed, char ret[static EPOCH_SEED_MAX_BYTES])
{
    char hex[2 * FORWARD_KEY_BYTES + 1];
    code_hex_text(BYTES_OF(seed->start), hex);
    int n = snprintf(ret, EPOCH_SEED_MAX_BYTES, SEED_BEGIN "%llu:%s", (unsigned long long)seed->number, hex);
    assert(n > 0 && n < EPOCH_SEED_MAX_BYTES);
    secret_wipe(hex, sizeof hex);
}

bool epoch_seed_read(struct bytes text, struct epoch_seed *ret_seed)
{
    return take_text(&text, SEED_BEGIN) && take_number(&text, &ret_seed->number) && take_text(&text, ":") &&
           take_hash(&text, ret_seed->start) && text.n == 0;
}
