/* checkpoint - see checkpoint.h. */
#include "trail/checkpoint.h"

#include <stdio.h>
#include <string.h>

#include "base/code.h"
#include "base/num.h"
#include "base/text.h"
#include "trail/trail-internal.h"

enum { SIGNED_BYTES = CHECKPOINT_KEY_ID_BYTES + SIGN_BYTES };

static const char dash[] = "\xe2\x80\x94 "; /* em dash and a blank */

/* ---- keys ------------------------------------------------------------------------------------------------ */

bool checkpoint_name_check(struct bytes name)
{
    if (name.n == 0 || name.n > CHECKPOINT_NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] <= ' ' || name.p[i] >= 0x7f || name.p[i] == '+')
            return false;
    }
    return true;
}

/* The first bytes of SHA-256 over name, newline, algorithm and public key. */
static int key_id(enum note_type type, struct checkpoint_key *key)
{
    uint8_t digest[DIGEST_BYTES];
    const uint8_t between[] = {'\n', (uint8_t)type};
    struct bytes parts[] = {bytes_of_text(key->name), BYTES_OF(between), BYTES_OF(key->public_key)};
    TRY(digest_sha256(parts, COUNT_OF(parts), digest));
    memcpy(key->id, digest, sizeof key->id);
    return 0;
}

int note_key_of(enum note_type type, const char *name, const struct secret *seed, struct checkpoint_key *ret_key)
{
    assert(checkpoint_name_check(bytes_of_text(name)));
    struct checkpoint_key key = {.name = ""};
    (void)snprintf(key.name, sizeof key.name, "%s", name);
    TRY(sign_public(seed, key.public_key));
    TRY(key_id(type, &key));
    *ret_key = key;
    return 0;
}

int checkpoint_key_of(const char *name, const struct secret *seed, struct checkpoint_key *ret_key)
{
    return note_key_of(NOTE_SIGNATURE, name, seed, ret_key);
}

bool trail_unbase64(struct bytes text, uint8_t *ret, size_t n)
{
    struct buf raw;
    buf_init(&raw, n + 3);
    bool is_good = text.n <= (n + 2) / 3 * 4 && code_unbase64(&raw, text) == 0 && buf_size(&raw) == n;
    if (is_good)
        memcpy(ret, buf_view(&raw).p, n);
    buf_fini(&raw);
    return is_good;
}

bool note_key_read(enum note_type type, struct bytes text, struct checkpoint_key *ret_key)
{
    struct checkpoint_key key = {.name = ""};
    uint8_t raw[1 + SIGN_PUBLIC_BYTES], id[CHECKPOINT_KEY_ID_BYTES];
    size_t n = bytes_find(text, '+');
    struct bytes name = bytes_head(text, n), rest = bytes_from(text, n + 1);
    size_t m = bytes_find(rest, '+');
    if (text.n > CHECKPOINT_KEY_MAX_BYTES || !checkpoint_name_check(name) || m != 2 * sizeof id ||
        !code_unhex(bytes_head(rest, m), id, sizeof id) || !trail_unbase64(bytes_from(rest, m + 1), raw, sizeof raw) ||
        raw[0] != type)
        return false;
    memcpy(key.name, name.p, name.n);
    memcpy(key.public_key, raw + 1, sizeof key.public_key);
    if (key_id(type, &key) != 0 || memcmp(key.id, id, sizeof id) != 0)
        return false;
    *ret_key = key;
    return true;
}

bool checkpoint_key_read(struct bytes text, struct checkpoint_key *ret_key)
{
    return note_key_read(NOTE_SIGNATURE, text, ret_key);
}

int note_key_write(enum note_type type, struct buf *out, const struct checkpoint_key *key)
{
    uint8_t raw[1 + SIGN_PUBLIC_BYTES] = {(uint8_t)type};
    memcpy(raw + 1, key->public_key, sizeof key->public_key);
    TRY(buf_append_text(out, key->name));
    TRY(buf_append_text(out, "+"));
    TRY(code_hex(out, BYTES_OF(key->id)));
    TRY(buf_append_text(out, "+"));
    return code_base64(out, BYTES_OF(raw));
}

int checkpoint_key_write(struct buf *out, const struct checkpoint_key *key)
{
    return note_key_write(NOTE_SIGNATURE, out, key);
}

/* ---- writing --------------------------------------------------------------------------------------------- */

int note_put_line(struct buf *out, const struct checkpoint_key *key, struct bytes raw)
{
    TRY(buf_print(out, "%s%s ", dash, key->name));
    TRY(code_base64(out, raw));
    return buf_append_text(out, "\n");
}

int checkpoint_write(struct buf *out, const struct checkpoint *c, const struct checkpoint_key *key,
                     const struct secret *seed)
{
    uint8_t raw[SIGNED_BYTES];
    size_t at = buf_size(out);
    TRY(buf_print(out, "%s\n%llu\n", key->name, (unsigned long long)c->size));
    TRY(code_base64(out, BYTES_OF(c->root)));
    TRY(buf_append_text(out, "\n"));
    memcpy(raw, key->id, sizeof key->id);
    TRY(sign_make(seed, bytes_from(buf_view(out), at), raw + sizeof key->id));
    TRY(buf_append_text(out, "\n"));
    return note_put_line(out, key, BYTES_OF(raw));
}

/* ---- reading --------------------------------------------------------------------------------------------- */

bool trail_take_line(struct bytes *in, struct bytes *ret_line)
{
    size_t n = bytes_find(*in, '\n');
    if (n == in->n)
        return false;
    *ret_line = bytes_head(*in, n);
    *in = bytes_from(*in, n + 1);
    return true;
}

bool note_split(struct bytes note, struct bytes *ret_body, struct bytes *ret_signatures)
{
    if (note.n < 2 || note.n > CHECKPOINT_NOTE_MAX_BYTES || note.p[note.n - 1] != '\n' || !text_is_utf8(note))
        return false;
    for (size_t i = note.n - 1; i > 0; i--) {
        if (note.p[i] == '\n' && note.p[i - 1] == '\n') {
            *ret_body = bytes_head(note, i);
            *ret_signatures = bytes_from(note, i + 1);
            return ret_signatures->n > 0;
        }
    }
    return false;
}

static bool read_body(struct bytes body, struct bytes *ret_origin, struct checkpoint *ret_checkpoint)
{
    struct bytes size, root, more;
    if (!trail_take_line(&body, ret_origin) || !trail_take_line(&body, &size) || !trail_take_line(&body, &root) ||
        ret_origin->n == 0 || !num_parse_u64(size, INT64_MAX, &ret_checkpoint->size) ||
        !trail_unbase64(root, ret_checkpoint->root, sizeof ret_checkpoint->root))
        return false;
    while (trail_take_line(&body, &more)) {
        if (more.n == 0)
            return false;
    }
    return body.n == 0;
}

int note_read_line(struct bytes line, const struct checkpoint_key *key, uint8_t *raw, size_t n_raw)
{
    struct bytes begin = bytes_of_text(dash), rest = bytes_from(line, begin.n);
    size_t n = bytes_find(rest, ' ');
    struct bytes name = bytes_head(rest, n), text = bytes_from(rest, n + 1);
    if (!bytes_starts(line, begin) || name.n == 0 || text.n == 0 || bytes_find(name, '+') < name.n)
        return CHECKPOINT_BAD;
    if (!bytes_equal(name, bytes_of_text(key->name)) || !trail_unbase64(text, raw, n_raw) ||
        memcmp(raw, key->id, sizeof key->id) != 0)
        return CHECKPOINT_OTHER;
    return 0;
}

int checkpoint_read(struct bytes note, const struct checkpoint_key *key, struct checkpoint *ret_checkpoint)
{
    struct bytes body, signatures, origin, line;
    struct checkpoint c;
    uint8_t raw[SIGNED_BYTES];
    int result = CHECKPOINT_OTHER;
    if (!note_split(note, &body, &signatures) || !read_body(body, &origin, &c))
        return CHECKPOINT_BAD;
    while (trail_take_line(&signatures, &line)) {
        int x = note_read_line(line, key, raw, sizeof raw);
        if (x == CHECKPOINT_BAD)
            return CHECKPOINT_BAD;
        if (x == 0 && result != CHECKPOINT_FORGED)
            result = sign_check(key->public_key, body, raw + sizeof key->id) ? 0 : CHECKPOINT_FORGED;
    }
    if (result == 0 && !bytes_equal(origin, bytes_of_text(key->name)))
        return CHECKPOINT_OTHER;
    if (result == 0)
        *ret_checkpoint = c;
    return result;
}

int checkpoint_see(struct checkpoint_seen *seen, struct bytes record, const struct trail_check *before,
                   const struct checkpoint_key *key)
{
    struct record r;
    struct trail_head head;
    struct checkpoint c;
    if (!record_is_of(record, RECORD_CHECKPOINT) || !record_decode(record, &r))
        return 0;
    int x = checkpoint_read(r.detail, key, &c);
    if (x != 0)
        return x;
    TRY(trail_check_head(before, &head));
    if (c.size != head.size || memcmp(c.root, head.root, sizeof head.root) != 0)
        return CHECKPOINT_FALSE;
    *seen = (struct checkpoint_seen){c.size, r.wall_us};
    return 0;
}

const char *checkpoint_why(int result)
{
    return result == CHECKPOINT_FALSE ? "is a checkpoint that states other records than those before it"
                                      : "is a checkpoint without a good signature of the key";
}
