/*
 * front - what the files of the front role share: routes, reading requests, rendering replies.
 *
 * A front turns HTTP into role messages and back. It holds no key and decides nothing: what it refuses is only what is
 * malformed. Request ids are made here: a random half for the life of the process and a counter.
 */
#ifndef FRONT_FRONT_H
#define FRONT_FRONT_H

#include "crypt/digest.h"
#include "model/meta.h"
#include "model/outcome.h"
#include "model/path.h"
#include "model/proto.h"
#include "net/http-server.h"
#include "proc/proc.h"
#include "wire/uri.h"

struct front_conn {
    uint32_t number;
    struct http_conn *http;
    uint64_t request; /* that the engine has; 0: none */
    uint64_t stream;  /* that began the stream the connection is in; 0: none */
    uint32_t untaken; /* bytes of its events that wait for the client */
};

struct front {
    struct proc_child *child;
    struct http_server *server;
    struct chan engine;
    struct loop_source source;
    struct loop_hook hook;
    struct front_conn conns[PROTO_CONNS_MAX_COUNT];
    struct http_share shares[PROTO_CONNS_MAX_COUNT];
    uint64_t next_request;
    struct buf fields, body, text; /* of the reply that is being rendered */
    struct buf leaves;             /* of the transaction that is being read */
    bool is_draining, said_drained;
};

/* A request on its way to the engine; views live until the handler returns. */
struct front_ask {
    const struct http_request *http;
    struct uri uri;
    struct msg_request m;
    struct buf *scratch; /* wiping; lent by the front, for what is decoded and secret */
    const char *why;     /* of a refusal */
    uint8_t path[PATH_MAX_BYTES + 8];
    uint8_t after[PATH_MAX_BYTES + 8];
    uint8_t filter[PATH_MAX_BYTES];
    uint8_t tags[META_TAGS_MAX_BYTES];
    uint8_t comment[512];
    struct buf *leaves; /* of a transaction; lent by the front */
    char why_text[160];
};

/* A route that the front answers by itself: it tells nothing about anybody. */
enum { FRONT_OWN = 0 };

struct front_route {
    enum http1_method method;
    const char *path; /* whole, or a prefix if it ends with '/' */
    uint16_t op;
    size_t body_bytes;                           /* largest body */
    const char *args;                            /* query arguments it knows, separated by blanks */
    int (*read)(struct front_ask *ask) MUST_USE; /* fill in the message: 0 or an outcome, or a fault */
    const char *text;                            /* what it does, for people */
    const char *takes;                           /* body: name of a schema of front-openapi.c, "bytes", or NULL */
    const char *answers;                         /* data in the envelope: names of schemas; NULL: never in one */
    const char *raw;                             /* media type of what is answered without an envelope; NULL: nothing */
};

/* front_route_at - row `i` of the table, or NULL behind its end. */
const struct front_route *front_route_at(size_t i);

/* front_openapi - append the OpenAPI document of all routes. Returns 0 or a fault. About 20 KiB. */
int front_openapi(struct buf *out) MUST_USE;

/*
 * front_route_find - the route of a method and path.
 * Returns OUTCOME_DONE and sets ret_route, OUTCOME_NO_ROUTE, or OUTCOME_BAD_METHOD with ret_allow: the methods it has.
 */
unsigned front_route_find(enum http1_method method, struct bytes path, const struct front_route **ret_route,
                          const char **ret_allow);

/* front_read - what the route's arguments and headers say. Returns 0 or an outcome, or a fault. */
int front_read(const struct front_route *route, struct front_ask *ask) MUST_USE;

/* front_read_txn - the JSON body of a transaction as the frames that the engine takes: front-txn.c. Results as
 * front_read(). */
int front_read_txn(struct front_ask *ask) MUST_USE;

/* Streams: front-watch.c. front_read_watch - arguments of a watch, as front_read(). front_event - one more line; 0 or a
 * fault. front_drained - the client has taken all. */
int front_read_watch(struct front_ask *ask) MUST_USE;
int front_event(struct front *f, struct front_conn *c, const struct msg_event *m) MUST_USE;
int front_drained(struct front *f, struct front_conn *c) MUST_USE;
/* front_keys_route - the routes of keys and backups, one after the other; NULL past the last: front-keys.c. */
const struct front_route *front_keys_route(size_t i);

/*
 * front_arg - the argument of that name, or NULL. front_bad - OUTCOME_BAD_REQUEST with `why`, which is static.
 * front_read_flag - an argument that is present, without a value, sets `flag`. front_read_number - one between `min`
 * and `max`. front_read_text - one decoded into `storage`; too long: OUTCOME_TOO_LARGE. front_read_time - RFC 3339 in
 * UTC. front_read_header - the only field of that name. front_read_match - If-Match and If-None-Match. What is absent
 * leaves *ret as it is; a header that is absent gives the empty view. Results as front_read().
 */
const struct uri_arg *front_arg(const struct front_ask *ask, const char *name);
int front_bad(struct front_ask *ask, const char *why);
int front_read_flag(struct front_ask *ask, const char *name, uint32_t flag) MUST_USE;
int front_read_number(struct front_ask *ask, const char *name, uint64_t min, uint64_t max, uint64_t *ret) MUST_USE;
int front_read_text(struct front_ask *ask, const char *name, uint8_t *storage, size_t room, struct bytes *ret) MUST_USE;
int front_read_time(struct front_ask *ask, const char *name, int64_t *ret_us) MUST_USE;
int front_read_header(struct front_ask *ask, const char *name, struct bytes *ret_value) MUST_USE;
int front_read_match(struct front_ask *ask) MUST_USE;

/* front_read_KIND - requests about rules, roles and decisions: front-policy.c. */
int front_read_acl_add(struct front_ask *ask) MUST_USE;
int front_read_acl_remove(struct front_ask *ask) MUST_USE;
int front_read_acl_test(struct front_ask *ask) MUST_USE;
int front_read_roles_show(struct front_ask *ask) MUST_USE;
int front_read_role_add(struct front_ask *ask) MUST_USE;
int front_read_role_remove(struct front_ask *ask) MUST_USE;
int front_read_explain(struct front_ask *ask) MUST_USE;
int front_read_approvals(struct front_ask *ask) MUST_USE;
int front_read_approval(struct front_ask *ask) MUST_USE;
int front_read_break_glass(struct front_ask *ask) MUST_USE;
int front_read_policy_test(struct front_ask *ask) MUST_USE;

/*
 * front_tags - a list with commas as the engine stores tags: sorted, a newline behind each. front_expires - a time in
 * RFC 3339, or "never" (0). Return true, or false if it is malformed.
 */
bool front_tags(struct bytes text, uint8_t storage[static META_TAGS_MAX_BYTES], struct bytes *ret_tags) MUST_USE;
bool front_expires(struct bytes text, int64_t *ret_us) MUST_USE;
/* front_read_audit, front_read_proof, front_read_prune - what is asked of the trail: front-audit.c. Results as
 * front_read(). */
int front_read_audit(struct front_ask *ask) MUST_USE;
int front_read_follow(struct front_ask *ask) MUST_USE;
int front_read_proof(struct front_ask *ask) MUST_USE;
int front_read_prune(struct front_ask *ask) MUST_USE;
/* front_read_schema - PUT /v1/schema: front-schema.c. Results as front_read(). */
int front_read_schema(struct front_ask *ask) MUST_USE;

/* front_read_path_arg - the argument `path`, which has to be there. Results as front_read(). */
int front_read_path_arg(struct front_ask *ask) MUST_USE;

/* front_read_login - the body of POST /v1/login: front-login.c. Results as front_read(). */
int front_read_login(struct front_ask *ask) MUST_USE;

/* front_render - answer a connection with the engine's reply. */
void front_render(struct front *f, struct front_conn *c, const struct msg_reply *reply);

/* front_describe - answer a connection with the OpenAPI document. */
void front_describe(struct front *f, struct http_conn *c, uint64_t request);

/* front_refuse - answer a connection that gets no further. status 0: that of the outcome. why: static or outliving the
 * call */
void front_refuse(struct front *f, struct http_conn *c, uint64_t request, unsigned outcome, unsigned status,
                  const char *why);

#endif
