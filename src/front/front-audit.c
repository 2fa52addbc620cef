/* front-audit - what requests about the trail say; see front.h. */
#include "base/code.h"
#include "front/front.h"
#include "wire/record.h"

/* How it ended, and by which rule. */
static int read_audit_decision(struct front_ask *ask)
{
    uint64_t rule = 0;
    uint8_t text[32], number[8];
    struct bytes code = BYTES_NONE;
    int r = front_read_flag(ask, "refused", PROTO_REFUSED_ONLY);
    if (r == 0)
        r = front_read_number(ask, "rule", 1, INT64_MAX, &rule);
    if (r == 0)
        r = front_read_text(ask, "outcome", text, sizeof text, &code);
    if (r == 0)
        r = front_read_text(ask, "session", ask->after, sizeof ask->after, &ask->m.after);
    if (r != 0)
        return r;
    if (front_arg(ask, "session") != NULL && !code_unhex(ask->m.after, number, sizeof number))
        return front_bad(ask, "a session is named by its handle, 16 hex digits");
    ask->m.expires_us = (int64_t)rule;
    if (front_arg(ask, "outcome") == NULL)
        return 0;
    unsigned outcome = outcome_of_code(code);
    ask->m.to = outcome < OUTCOME_COUNT ? bytes_of_text(outcome_code(outcome)) : BYTES_NONE;
    return outcome < OUTCOME_COUNT ? 0 : front_bad(ask, "there is no such outcome");
}

static int read_audit_filter(struct front_ask *ask)
{
    uint64_t uid = 0;
    struct bytes kind = BYTES_NONE, order = BYTES_NONE;
    uint8_t kind_text[32], order_text[8];
    int r = front_read_number(ask, "uid", 0, UINT32_MAX - 1, &uid);
    if (r == 0)
        r = front_read_text(ask, "path", ask->path, sizeof ask->path, &ask->m.path);
    if (r == 0)
        r = front_read_text(ask, "kind", kind_text, sizeof kind_text, &kind);
    if (r == 0)
        r = front_read_text(ask, "order", order_text, sizeof order_text, &order);
    if (r == 0)
        r = front_read_time(ask, "since", &ask->m.since_us);
    if (r == 0)
        r = front_read_time(ask, "until", &ask->m.until_us);
    if (r == 0)
        r = read_audit_decision(ask);
    if (r != 0)
        return r;
    if (front_arg(ask, "uid") != NULL) {
        ask->m.uid = (uint32_t)uid;
        ask->m.flags |= PROTO_HAS_UID;
    }
    ask->m.type = (uint16_t)record_kind_of(kind);
    if (front_arg(ask, "kind") != NULL && ask->m.type == 0)
        return front_bad(ask, "there is no such kind of record");
    if (front_arg(ask, "order") != NULL && !bytes_equal(order, BYTES_LITERAL("up")) &&
        !bytes_equal(order, BYTES_LITERAL("down")))
        return front_bad(ask, "order is up or down");
    if (!bytes_equal(order, BYTES_LITERAL("up")))
        ask->m.flags |= PROTO_DOWNWARDS;
    return front_read_number(ask, "limit", 1, 1000, &ask->m.version);
}

int front_read_audit(struct front_ask *ask)
{
    int r = front_read_number(ask, "after", 0, INT64_MAX, &ask->m.match);
    if (r == 0 && front_arg(ask, "after") != NULL)
        ask->m.flags |= PROTO_HAS_AFTER;
    if (r != 0 || front_arg(ask, "raw") == NULL)
        return r != 0 ? r : read_audit_filter(ask);
    ask->m.op = PROTO_OP_AUDIT_RAW;
    if (ask->uri.args_count > 1u + (front_arg(ask, "after") != NULL))
        return front_bad(ask, "the raw form takes no filter");
    return front_read_flag(ask, "raw", 0);
}

int front_read_follow(struct front_ask *ask)
{
    return front_read_number(ask, "from", 0, INT64_MAX, &ask->m.match);
}

int front_read_proof(struct front_ask *ask)
{
    bool extends = front_arg(ask, "from") != NULL, is_entry = front_arg(ask, "path") != NULL;
    if (extends + is_entry + (front_arg(ask, "record") != NULL) != 1 || (!is_entry && ask->uri.args_count != 1))
        return front_bad(ask, "a proof is of one record, of the version of an entry, or from one number of records on");
    if (is_entry) {
        int r = front_read_number(ask, "version", 1, INT64_MAX, &ask->m.version);
        if (r == 0)
            r = front_read_path_arg(ask);
        return r == 0 && ask->m.path.n == 0 ? OUTCOME_BAD_PATH : r;
    }
    ask->m.flags |= extends ? PROTO_EXTENDS : 0;
    return front_read_number(ask, extends ? "from" : "record", 0, INT64_MAX, &ask->m.match);
}

int front_read_prune(struct front_ask *ask)
{
    ask->m.match = UINT64_MAX;
    ask->m.until_us = INT64_MAX;
    if ((front_arg(ask, "before") != NULL) == (front_arg(ask, "until") != NULL))
        return front_bad(ask, "records are removed before a number, or until a time");
    int r = front_read_flag(ask, "dry_run", PROTO_DRY_RUN);
    if (r == 0)
        r = front_read_number(ask, "before", 1, INT64_MAX, &ask->m.match);
    return r == 0 ? front_read_time(ask, "until", &ask->m.until_us) : r;
}
