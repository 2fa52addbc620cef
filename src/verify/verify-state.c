/* verify-state - whether a database is what the trail says it is; see verify.h. */
#include <string.h>

#include "store/store.h"
#include "verify/verify.h"

void verify_sees_states(struct verify *v)
{
    v->sees_states = true;
}

static int add(struct bytes digest, void *arg)
{
    static_assert((int)STORE_DIGEST_BYTES == (int)DIGEST_BYTES, "a MAC is a digest");
    digest_sum_add(arg, digest.p);
    return 0;
}

int verify_database(struct verify *v, const char *path)
{
    uint8_t sum[DIGEST_BYTES] = {0};
    uint64_t end;
    if (v->why != NULL)
        return 0; /* nothing is known of what would have come */
    int r = store_look(path, add, sum, &end);
    if (r == FAULT_CORRUPT || r == FAULT_SCHEMA) {
        v->state = VERIFY_BAD;
        return 0;
    }
    TRY(r);
    bool is_same =
        v->has_state && v->state_seq < end && end <= v->check.tree.size && memcmp(sum, v->stated, sizeof sum) == 0;
    v->state = is_same ? VERIFY_OK : VERIFY_BAD;
    return 0;
}
