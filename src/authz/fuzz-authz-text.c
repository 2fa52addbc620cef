/*
 * fuzz-authz-text - any bytes as a principal and as a list of actions.
 *
 * Checks: a principal that is accepted prints as exactly the bytes it was read from, within its named limits, and never
 * names nobody; a list of actions that is accepted prints as a list that means the same and prints the same again.
 */
#include <stdlib.h>

#include "authz/authz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(truth)                                                                                                   \
    do {                                                                                                               \
        if (!(truth))                                                                                                  \
            abort();                                                                                                   \
    } while (0)

static void check_principal(struct bytes text)
{
    struct authz_principal who, again;
    SCOPED(buf_fini) struct buf out;
    buf_init(&out, AUTHZ_PRINCIPAL_MAX_BYTES);
    if (!authz_principal_parse(text, &who))
        return;
    CHECK(text.n <= AUTHZ_PRINCIPAL_MAX_BYTES);
    CHECK(who.kind >= AUTHZ_UID && who.kind <= AUTHZ_ANY);
    CHECK(who.id != 65534 && who.id != UINT32_MAX);
    CHECK((who.name.n > 0) == (who.kind == AUTHZ_UNIT || who.kind == AUTHZ_LABEL || who.kind == AUTHZ_ROLE));
    CHECK(who.kind != AUTHZ_ROLE || who.name.n <= AUTHZ_ROLE_MAX_BYTES);
    CHECK(authz_principal_text(&out, &who) == 0);
    CHECK(bytes_equal(buf_view(&out), text));
    CHECK(authz_principal_parse(buf_view(&out), &again));
    CHECK(again.kind == who.kind && again.id == who.id && bytes_equal(again.name, who.name));
}

static void check_actions(struct bytes text)
{
    SCOPED(buf_fini) struct buf out;
    unsigned actions = authz_actions_parse(text);
    buf_init(&out, 64);
    if (actions == 0)
        return;
    CHECK((actions & ~(unsigned)AUTHZ_ALL) == 0);
    CHECK(authz_actions_text(&out, actions) == 0);
    CHECK(authz_actions_parse(buf_view(&out)) == actions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_principal(bytes_of(data, size));
    check_actions(bytes_of(data, size));
    return 0;
}
