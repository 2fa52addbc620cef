/*
 * fuzz-keys - the header of a stored slot, from hostile storage.
 *
 * Only the material of a key file is offered, so that no PBKDF2 runs. What must hold: the kind is named exactly for the
 * slots that are not malformed; a slot opens to the one root key or not at all; a flipped bit in a slot that opened
 * closes it.
 */
#include "crypt/keys.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t store_id[KEYS_STORE_ID_BYTES] = {0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
                                                      0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};
static struct secret key_file;

/* The key file and the root key of the worked example in doc/spec/keys.md: 60 61 62 ... and 00 01 02 ... */
static void start(void)
{
    uint8_t file[KEYS_FILE_BYTES];
    for (size_t i = 0; i < sizeof file; i++)
        file[i] = (uint8_t)(0x60 + i);
    if (crypt_start() < 0 || secret_init_copy(&key_file, BYTES_OF(file)) != 0)
        abort();
}

static int open_slot(struct bytes slot, struct keys *ret_keys)
{
    return keys_slot_open(slot, BYTES_OF(store_id), KEYS_SLOT_KEY_FILE, &key_file, ret_keys);
}

static void check_opened(struct bytes slot, const struct keys *k)
{
    uint8_t copy[KEYS_SLOT_MAX_BYTES];
    struct keys other = {0};
    assert(slot.n <= sizeof copy && !keys_is_empty(k));
    for (size_t i = 0; i < k->root.n; i++)
        assert(secret_view(&k->root).p[i] == i);
    for (size_t i = 0; i < slot.n; i++) {
        memcpy(copy, slot.p, slot.n);
        copy[i] ^= 1;
        assert(open_slot(bytes_of(copy, slot.n), &other) != 0);
    }
    assert(keys_is_empty(&other));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes slot = bytes_of(data, size);
    struct keys k = {0};
    if (secret_is_empty(&key_file))
        start();
    unsigned kind = keys_slot_kind(slot);
    int r = open_slot(slot, &k);
    switch (kind) {
    case 0:
        assert(r == FAULT_CORRUPT);
        break;
    case KEYS_SLOT_PASSPHRASE:
        assert(r == KEYS_KIND && size <= KEYS_SLOT_MAX_BYTES);
        break;
    default:
        assert(kind == KEYS_SLOT_KEY_FILE && (r == 0 || r == KEYS_WRONG));
        break;
    }
    assert(keys_is_empty(&k) == (r != 0));
    if (r == 0)
        check_opened(slot, &k);
    keys_fini(&k);
    return 0;
}
