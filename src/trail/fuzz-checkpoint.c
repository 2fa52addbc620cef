/*
 * fuzz-checkpoint - notes and keys as text from anywhere.
 *
 * Input: a byte, then text. 0: a key; 1: a note; 2: a note whose body is the text, signed by the key of this program.
 * Invariants: a key that is read is written the same; a note passes only with the signature of the key, and one that we
 * make of what was read is read the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/code.h"
#include "trail/cosign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct secret seed;
static struct checkpoint_key key;

static void must(bool is_true)
{
    if (!is_true)
        abort();
}

/* A note of anybody's: a line that is added is found, and no other changes. */
static void check_witnessed(struct bytes in)
{
    struct checkpoint_key witness, again;
    struct buf out, text;
    uint64_t time_s;
    buf_init(&out, 1 << 20);
    buf_init(&text, CHECKPOINT_KEY_MAX_BYTES);
    must(cosign_key_of("origin.example/witness", &seed, &witness) == 0);
    must(cosign_key_write(&text, &witness) == 0 && cosign_key_read(buf_view(&text), &again));
    int r = cosign_read(in, &witness, &time_s);
    must(r == CHECKPOINT_BAD || r == CHECKPOINT_OTHER || r == CHECKPOINT_FORGED);
    int x = cosign_write(&out, in, 1700000000, &witness, &seed);
    must(x == 0 || (x == CHECKPOINT_BAD && r == CHECKPOINT_BAD));
    if (x == 0 && r == CHECKPOINT_OTHER && buf_size(&out) <= CHECKPOINT_NOTE_MAX_BYTES)
        must(cosign_read(buf_view(&out), &witness, &time_s) == 0 && time_s == 1700000000);
    buf_fini(&out);
    buf_fini(&text);
}

static void check_key(struct bytes in)
{
    struct checkpoint_key k, again;
    struct buf out;
    if (!checkpoint_key_read(in, &k))
        return;
    buf_init(&out, CHECKPOINT_KEY_MAX_BYTES);
    must(checkpoint_key_write(&out, &k) == 0 && checkpoint_key_read(buf_view(&out), &again));
    must(memcmp(&k, &again, sizeof k) == 0);
    buf_fini(&out);
}

static void check_same(const struct checkpoint *c)
{
    struct checkpoint again;
    struct buf out;
    buf_init(&out, CHECKPOINT_NOTE_MAX_BYTES);
    must(checkpoint_write(&out, c, &key, &seed) == 0 && checkpoint_read(buf_view(&out), &key, &again) == 0);
    must(again.size == c->size && memcmp(again.root, c->root, sizeof again.root) == 0);
    buf_fini(&out);
}

static void check_signed(struct bytes body)
{
    struct checkpoint c;
    struct buf out;
    uint8_t raw[CHECKPOINT_KEY_ID_BYTES + SIGN_BYTES];
    buf_init(&out, 1 << 20);
    memcpy(raw, key.id, sizeof key.id);
    must(sign_make(&seed, body, raw + sizeof key.id) == 0 && buf_append(&out, body) == 0);
    must(buf_print(&out, "\n\xe2\x80\x94 %s ", key.name) == 0 && code_base64(&out, BYTES_OF(raw)) == 0);
    must(buf_append_text(&out, "\n") == 0);
    int r = checkpoint_read(buf_view(&out), &key, &c);
    must(r == 0 || r == CHECKPOINT_BAD || r == CHECKPOINT_OTHER || r == CHECKPOINT_FORGED);
    if (r == 0)
        check_same(&c);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t bytes[SIGN_SEED_BYTES] = {1, 2, 3};
    struct checkpoint c;
    if (secret_is_empty(&seed))
        must(crypt_start() >= 0 && secret_init_copy(&seed, BYTES_OF(bytes)) == 0 &&
             checkpoint_key_of("origin.example/log", &seed, &key) == 0);
    if (size == 0)
        return 0;
    struct bytes in = bytes_of(data + 1, size - 1);
    check_witnessed(in);
    if (data[0] % 3 == 0)
        check_key(in);
    else if (data[0] % 3 == 1)
        must(checkpoint_read(in, &key, &c) != 0); /* nobody who does not know the seed makes one */
    else
        check_signed(in);
    return 0;
}
