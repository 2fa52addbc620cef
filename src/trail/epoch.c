/* epoch - see epoch.h: the texts. */
#include "trail/epoch.h"

#include <stdio.h>

#include "base/code.h"
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

bool epoch_read(struct bytes detail, struct epoch_statement *ret_statement)
{
    struct epoch_statement *s = ret_statement;
    bool is_good = words_take_text(&detail, "epoch ") && words_take_number(&detail, &s->number) &&
                   words_take_text(&detail, ", sealed to ") && words_take_number(&detail, &s->sealed) &&
                   words_take_text(&detail, ": ") && words_take_hash(&detail, s->tag);
    if (!is_good)
        return false;
    s->is_reseeded = words_take_text(&detail, NEW_SEED);
    return detail.n == 0;
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
    return words_take_text(&text, SEED_BEGIN) && words_take_number(&text, &ret_seed->number) &&
           words_take_text(&text, ":") && words_take_hash(&text, ret_seed->start) && text.n == 0;
}
