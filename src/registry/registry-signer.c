/*
 * registry-signer - the key that signs checkpoints of the trail: made with the store, kept sealed under the root key,
 * so that only an unlocked registry signs, and the same one over a rekey, so that who verifies needs no other; see
 * registry.h.
 */
#include <stdio.h>
#include <string.h>

#include "base/code.h"
#include "registry/registry-internal.h"

#define SIGNER_NAME "trail-signer" /* of the value in the table meta */

static int put_signer(struct registry *r)
{
    struct buf out;
    buf_init(&out, KEYS_WRAPPED_BYTES);
    int x = keys_signer_close(&out, &r->keys, bytes_of(r->store_id, sizeof r->store_id), &r->signer);
    if (x == 0)
        x = registry_put_meta(r, SIGNER_NAME, buf_view(&out));
    buf_fini(&out);
    return x;
}

int registry_make_signer(struct registry *r)
{
    TRY(secret_init_random(&r->signer, SIGN_SEED_BYTES));
    return put_signer(r);
}

int registry_rekey_signer(struct registry *r)
{
    return put_signer(r);
}

int registry_load_signer(struct registry *r)
{
    uint8_t stored[KEYS_WRAPPED_BYTES];
    int x = registry_get_meta(r, SIGNER_NAME, stored, sizeof stored);
    if (x == FAULT_CORRUPT)
        return ROWS_BAD;
    TRY(x);
    x = keys_signer_open(BYTES_OF(stored), &r->keys, bytes_of(r->store_id, sizeof r->store_id), &r->signer);
    return x == SEAL_BAD ? ROWS_BAD : x;
}

int registry_signer(const struct registry *r, struct checkpoint_key *ret_key)
{
    char name[CHECKPOINT_NAME_MAX_BYTES + 1], id[2 * KEYS_STORE_ID_BYTES + 1];
    assert(!registry_is_locked(r));
    code_hex_text(bytes_of(r->store_id, sizeof r->store_id), id);
    (void)snprintf(name, sizeof name, "secreg/%s", id);
    return checkpoint_key_of(name, &r->signer, ret_key);
}

int registry_checkpoint(struct registry *r, const struct trail_head *head, struct buf *out)
{
    struct checkpoint_key key;
    struct checkpoint c = {.size = head->size};
    memcpy(c.root, head->root, sizeof c.root);
    TRY(registry_signer(r, &key));
    return checkpoint_write(out, &c, &key, &r->signer);
}
