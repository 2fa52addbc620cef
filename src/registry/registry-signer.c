/*
 * registry-signer - keys that outlive the root key, and the one that signs checkpoints of the trail: made with the
 * store, kept sealed under the root key, so that only an unlocked registry signs, and the same one over a rekey, so
 * that who verifies needs no other; see registry.h.
 */
#include <stdio.h>
#include <string.h>

#include "base/code.h"
#include "crypt/siv.h"
#include "registry/registry-internal.h"

#define SIGNER_NAME "trail-signer" /* of the value in the table meta */

int registry_put_kept(struct registry *r, const char *name, enum keys_kept what, const struct secret *secret)
{
    struct buf out;
    buf_init(&out, KEYS_WRAPPED_BYTES + SIV_KEY_BYTES);
    int x = keys_kept_close(&out, &r->keys, bytes_of(r->store_id, sizeof r->store_id), what, secret);
    if (x == 0)
        x = registry_put_meta(r, name, buf_view(&out));
    buf_fini(&out);
    return x;
}

int registry_load_kept(struct registry *r, const char *name, enum keys_kept what, size_t n, struct secret *ret_secret)
{
    uint8_t stored[SEAL_OVERHEAD_BYTES + SIV_KEY_BYTES];
    assert(n + SEAL_OVERHEAD_BYTES <= sizeof stored);
    int x = registry_get_meta(r, name, stored, n + SEAL_OVERHEAD_BYTES);
    if (x == FAULT_CORRUPT)
        return ROWS_BAD;
    TRY(x);
    x = keys_kept_open(bytes_of(stored, n + SEAL_OVERHEAD_BYTES), &r->keys, bytes_of(r->store_id, sizeof r->store_id),
                       what, ret_secret);
    return x == SEAL_BAD ? ROWS_BAD : x;
}

int registry_make_signer(struct registry *r)
{
    TRY(secret_init_random(&r->signer, SIGN_SEED_BYTES));
    return registry_rekey_signer(r);
}

int registry_rekey_signer(struct registry *r)
{
    return registry_put_kept(r, SIGNER_NAME, KEYS_KEPT_SIGNER, &r->signer);
}

int registry_load_signer(struct registry *r)
{
    return registry_load_kept(r, SIGNER_NAME, KEYS_KEPT_SIGNER, SIGN_SEED_BYTES, &r->signer);
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
