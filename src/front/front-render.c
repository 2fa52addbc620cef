/* front-render - the engine's replies as HTTP: raw values, the JSON envelope, plain lists; see front.h. */
#include <stdio.h>
#include <string.h>

#include "base/code.h"
#include "base/log.h"
#include "front/front.h"
#include "model/value.h"
#include "wire/doc.h"

enum { KEEP_BYTES = 256 << 10 }; /* memory of a reply that is kept for the next one */

static int add_field(struct front *f, const char *name, struct bytes value)
{
    int r = http1_write_field(&f->fields, name, value);
    return r == HTTP1_BAD ? RAISE(FAULT_PROTOCOL) : r;
}

static int add_number(struct front *f, const char *name, const char *quote, uint64_t number)
{
    TRY(buf_append_text(&f->fields, name));
    TRY(buf_append_text(&f->fields, quote));
    TRY(buf_append_u64(&f->fields, number));
    TRY(buf_append_text(&f->fields, quote));
    return buf_append_text(&f->fields, "\r\n");
}

static int common_fields(struct front *f, uint64_t request, const char *media)
{
    char id[17];
    code_number_text(request, id);
    buf_clear(&f->fields);
    TRY(add_field(f, "Content-Type", bytes_of_text(media)));
    TRY(add_field(f, "Cache-Control", BYTES_LITERAL("no-store")));
    return add_field(f, "Secreg-Request", bytes_of_text(id));
}

/* ---- the envelope ---------------------------------------------------------------------------------------- */

static int envelope_begin(struct front *f, bool success, uint64_t request)
{
    char id[17], time[CLOCK_TEXT_BYTES];
    code_number_text(request, id);
    clock_wall_text(clock_wall_now(), time);
    buf_clear(&f->body);
    const char *const parts[] = {success ? "{\"success\":true,\"request_id\":\""
                                         : "{\"success\":false,\"request_id\":\"",
                                 id, "\",\"timestamp\":\"", time, "\",\"data\":"};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        TRY(buf_append_text(&f->body, parts[i]));
    return 0;
}

static int envelope_data(struct front *f, uint64_t request, struct bytes doc)
{
    TRY(envelope_begin(f, true, request));
    if (doc.n == 0) {
        TRY(buf_append_text(&f->body, "null"));
    } else {
        int r = doc_to_json(&f->body, doc);
        if (r != 0)
            return r < 0 ? r : RAISE(FAULT_PROTOCOL);
    }
    return buf_append_text(&f->body, ",\"error\":null}\n");
}

static int envelope_error(struct front *f, uint64_t request, unsigned outcome, struct bytes detail)
{
    TRY(envelope_begin(f, false, request));
    TRY(buf_print(&f->body, "null,\"error\":{\"code\":\"%s\",\"message\":", outcome_code(outcome)));
    buf_clear(&f->text);
    TRY(buf_append_text(&f->text, outcome_text(outcome)));
    if (detail.n > 0) {
        TRY(buf_append_text(&f->text, ": "));
        TRY(buf_append(&f->text, detail));
    }
    TRY(doc_json_string(&f->body, buf_view(&f->text)));
    return buf_append_text(&f->body, "}}\n");
}

static void send(struct front *f, struct http_conn *c, unsigned status, struct bytes body, bool closes)
{
    http_reply(c, status, buf_view(&f->fields), body, closes);
}

static void fail(struct http_conn *c, int fault)
{
    LOG_ERROR("a reply cannot be rendered: %s", fault_text(fault));
    http_conn_close(c);
}

void front_refuse(struct front *f, struct http_conn *c, uint64_t request, unsigned outcome, unsigned status,
                  const char *why)
{
    int r = common_fields(f, request, "application/json");
    bool is_method = outcome == OUTCOME_BAD_METHOD;
    if (r == 0 && is_method)
        r = add_field(f, "Allow", bytes_of_text(why));
    if (r == 0)
        r = envelope_error(f, request, outcome, bytes_of_text(is_method ? NULL : why));
    if (r < 0)
        fail(c, r);
    else
        send(f, c, status != 0 ? status : outcome_status(outcome), buf_view(&f->body), status != 0);
}

void front_describe(struct front *f, struct http_conn *c, uint64_t request)
{
    buf_clear(&f->body);
    int r = common_fields(f, request, "application/json");
    if (r == 0)
        r = front_openapi(&f->body);
    if (r < 0)
        fail(c, r);
    else
        send(f, c, 200, buf_view(&f->body), false);
    buf_clear(&f->body);
}

/* ---- the engine's replies -------------------------------------------------------------------------------- */

static int value_fields(struct front *f, const struct msg_reply *m)
{
    const char *type = value_type_text(m->type);
    if (type == NULL)
        return RAISE(FAULT_PROTOCOL);
    TRY(common_fields(f, m->request, value_type_media(m->type)));
    if (m->version != 0)
        TRY(add_number(f, "ETag: ", "\"", m->version));
    else
        TRY(add_field(f, "Secreg-Default", BYTES_LITERAL("true")));
    TRY(add_field(f, "Secreg-Type", bytes_of_text(type)));
    if (m->is_sealed)
        TRY(add_field(f, "Secreg-Sealed", BYTES_LITERAL("true")));
    return add_number(f, "Secreg-Revision: ", "", m->revision);
}

static int render_doc(struct front *f, const struct msg_reply *m, unsigned *ret_status)
{
    TRY(common_fields(f, m->request, "application/json"));
    if (m->version != 0)
        TRY(add_number(f, "ETag: ", "\"", m->version));
    TRY(add_number(f, "Secreg-Revision: ", "", m->revision));
    if (m->is_created)
        *ret_status = 201;
    return envelope_data(f, m->request, m->body);
}

static int text_fields(struct front *f, const struct msg_reply *m)
{
    struct buf next;
    TRY(common_fields(f, m->request, "text/plain; charset=utf-8"));
    if (m->detail.n > 0) { /* names may hold letters outside ASCII: a header field may not */
        buf_init(&next, 4 * PATH_MAX_BYTES);
        int r = uri_encode(&next, m->detail);
        if (r == 0)
            r = add_field(f, "Secreg-Next", buf_view(&next));
        buf_fini(&next);
        TRY(r);
    }
    return add_number(f, "Secreg-Revision: ", "", m->revision);
}

static int begin_stream(struct front *f, struct front_conn *c, const struct msg_reply *m)
{
    TRY(common_fields(f, m->request, "application/x-ndjson"));
    TRY(add_number(f, "Secreg-Revision: ", "", m->revision));
    c->stream = m->request;
    http_stream_begin(c->http, 200, buf_view(&f->fields));
    return 0;
}

static int render(struct front *f, struct front_conn *c, const struct msg_reply *m)
{
    unsigned status = outcome_status(m->outcome);
    struct bytes body = m->body;
    int r = 0;
    if (m->outcome == OUTCOME_DONE && m->shape == PROTO_STREAM)
        return begin_stream(f, c, m);
    if (m->outcome != OUTCOME_DONE) {
        r = common_fields(f, m->request, "application/json");
        if (r == 0 && status == 401) /* RFC 9110 section 15.5.2 */
            r = add_field(f, "WWW-Authenticate", BYTES_LITERAL("Secreg-Session"));
        if (r == 0 && m->outcome == OUTCOME_PENDING)
            r = add_number(f, "Secreg-Approval: ", "", m->version);
        if (r == 0)
            r = envelope_error(f, m->request, m->outcome, m->detail);
        body = buf_view(&f->body);
    } else if (m->shape == PROTO_VALUE) {
        r = value_fields(f, m);
    } else if (m->shape == PROTO_RAW) {
        r = common_fields(f, m->request, "application/octet-stream");
    } else if (m->shape == PROTO_TEXT) {
        r = text_fields(f, m);
    } else {
        r = render_doc(f, m, &status);
        body = buf_view(&f->body);
    }
    if (r == 0)
        send(f, c->http, status, body, false);
    buf_clear(&f->body);
    buf_clear(&f->text);
    buf_shrink(&f->body, KEEP_BYTES);
    buf_shrink(&f->text, KEEP_BYTES);
    return r;
}

void front_render(struct front *f, struct front_conn *c, const struct msg_reply *reply)
{
    int r = render(f, c, reply);
    if (r < 0)
        fail(c->http, r);
}
