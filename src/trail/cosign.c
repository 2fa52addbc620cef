/* cosign - see cosign.h. */
#include "trail/cosign.h"

#include <stdio.h>
#include <string.h>

#include "base/code.h"
#include "trail/trail-internal.h"

enum { TIME_BYTES = 8, LINE_BYTES = CHECKPOINT_KEY_ID_BYTES + TIME_BYTES + SIGN_BYTES };

int cosign_key_of(const char *name, const struct secret *seed, struct checkpoint_key *ret_key)
{
    return note_key_of(NOTE_COSIGNATURE, name, seed, ret_key);
}

bool cosign_key_read(struct bytes text, struct checkpoint_key *ret_key)
{
    return note_key_read(NOTE_COSIGNATURE, text, ret_key);
}

int cosign_key_write(struct buf *out, const struct checkpoint_key *key)
{
    return note_key_write(NOTE_COSIGNATURE, out, key);
}

/* What is signed. */
static int put_message(struct buf *out, struct bytes body, uint64_t time_s)
{
    TRY(buf_print(out, "cosignature/v1\ntime %llu\n", (unsigned long long)time_s));
    return buf_append(out, body);
}

static int sign(struct bytes body, uint64_t time_s, const struct checkpoint_key *key, const struct secret *seed,
                uint8_t raw[static LINE_BYTES])
{
    struct buf message;
    buf_init(&message, CHECKPOINT_NOTE_MAX_BYTES + 64);
    memcpy(raw, key->id, sizeof key->id);
    uint8_t *signature = bytes_put_u64(raw + sizeof key->id, time_s);
    int r = put_message(&message, body, time_s);
    if (r == 0)
        r = sign_make(seed, buf_view(&message), signature);
    buf_fini(&message);
    return r;
}

int cosign_write(struct buf *out, struct bytes note, uint64_t time_s, const struct checkpoint_key *key,
                 const struct secret *seed)
{
    struct bytes body, signatures;
    uint8_t raw[LINE_BYTES];
    if (!note_split(note, &body, &signatures))
        return CHECKPOINT_BAD;
    TRY(sign(body, time_s, key, seed, raw));
    TRY(buf_append(out, note));
    return note_put_line(out, key, BYTES_OF(raw));
}

#define TIME_MAX_S UINT64_C(253402300799) /* the end of the year 9999: no clock is set later */

static int check(struct bytes body, const struct checkpoint_key *key, const uint8_t raw[static LINE_BYTES],
                 uint64_t *ret_time_s)
{
    struct buf message;
    buf_init(&message, CHECKPOINT_NOTE_MAX_BYTES + 64);
    *ret_time_s = bytes_get_u64(raw + sizeof key->id);
    int r = put_message(&message, body, *ret_time_s);
    bool is_good = r == 0 && *ret_time_s <= TIME_MAX_S &&
                   sign_check(key->public_key, buf_view(&message), raw + CHECKPOINT_KEY_ID_BYTES + TIME_BYTES);
    buf_fini(&message);
    return r < 0 ? r : is_good ? 0 : CHECKPOINT_FORGED;
}

int cosign_read(struct bytes note, const struct checkpoint_key *key, uint64_t *ret_time_s)
{
    struct bytes body, signatures, line;
    uint8_t raw[LINE_BYTES];
    int result = CHECKPOINT_OTHER;
    uint64_t time_s, newest = 0;
    if (!note_split(note, &body, &signatures))
        return CHECKPOINT_BAD;
    while (trail_take_line(&signatures, &line)) {
        int x = note_read_line(line, key, raw, sizeof raw);
        if (x == CHECKPOINT_OTHER)
            continue;
        if (x == 0)
            x = check(body, key, raw, &time_s);
        if (x != 0)
            return x;
        newest = time_s > newest ? time_s : newest;
        result = 0;
    }
    if (result == 0)
        *ret_time_s = newest;
    return result;
}
