/* format - see format.h. */
#include "follow/format.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/code.h"
#include "base/text.h"
#include "model/outcome.h"
#include "wire/doc.h"

enum { TEXT_MAX_BYTES = 4 * RECORD_TEXT_MAX_BYTES, LENGTH_DIGITS = 6 };
#define SYSLOG_ID "secreg@32473" /* RFC 5612 */

/* ---- severity -------------------------------------------------------------------------------------------- */

/* How it ended says more than what it was. 0: nothing. */
static unsigned severity_of_outcome(unsigned outcome)
{
    switch (outcome) {
    case OUTCOME_CORRUPT:
        return 2;
    case OUTCOME_INTERNAL:
    case OUTCOME_FULL:
    case OUTCOME_LOGIN_BROKEN:
    case OUTCOME_BAD_CONFIG:
        return 3;
    case OUTCOME_REFUSED:
    case OUTCOME_AUTH_FAILED:
    case OUTCOME_LIMIT:
    case OUTCOME_LOGIN_FAILED:
    case OUTCOME_LOGIN_EXPIRED:
    case OUTCOME_LOCKED_OUT:
    case OUTCOME_BAD_SESSION:
        return 4;
    default:
        return 0;
    }
}

unsigned format_severity(const struct record *r)
{
    static const uint8_t warnings[] = {RECORD_STORE_FULL, RECORD_BREAK_GLASS, RECORD_RESTORE};
    static const uint8_t notices[] = {RECORD_INIT,      RECORD_START,       RECORD_STOP,       RECORD_UNLOCK,
                                      RECORD_LOCK,      RECORD_RELOAD,      RECORD_ACL_ADD,    RECORD_ACL_REMOVE,
                                      RECORD_ROLE_ADD,  RECORD_ROLE_REMOVE, RECORD_SCHEMA_SET, RECORD_SCHEMA_REMOVE,
                                      RECORD_SLOT_ADD,  RECORD_SLOT_REMOVE, RECORD_REKEY,      RECORD_ROTATE,
                                      RECORD_BACKUP,    RECORD_DESTROY,     RECORD_APPROVE,    RECORD_REJECT,
                                      RECORD_ACL_EXPIRE};
    unsigned severity = severity_of_outcome(r->outcome);
    if (severity != 0)
        return severity;
    if (r->kind == RECORD_CORRUPT)
        return 2;
    if (memchr(warnings, r->kind, sizeof warnings) != NULL)
        return 4;
    return memchr(notices, r->kind, sizeof notices) != NULL ? 5 : 6;
}

/* ---- the members of a record ----------------------------------------------------------------------------- */

struct form {
    struct buf *out;
    int (*put)(struct form *f, const char *name, struct bytes text, bool is_number); /* 0 or a fault */
    bool has_some;
};

static int put_number(struct form *f, const char *name, uint64_t number)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    return f->put(f, name, bytes_of(text, (size_t)n), true);
}

/* What somebody else may have chosen. */
static int put_text(struct form *f, const char *name, struct bytes text)
{
    struct buf safe;
    buf_init(&safe, TEXT_MAX_BYTES);
    int r = text_escape(&safe, text);
    if (r == 0)
        r = f->put(f, name, buf_view(&safe), false);
    buf_fini(&safe);
    return r;
}

static int put_plain(struct form *f, const char *name, const char *text)
{
    return f->put(f, name, bytes_of_text(text), false);
}

static int put_who(struct form *f, const struct record *r)
{
    char request[CODE_NUMBER_BYTES], session[CODE_NUMBER_BYTES] = "";
    code_number_text(r->request, request);
    if (r->session != 0)
        code_number_text(r->session, session);
    TRY(put_plain(f, "request_id", request));
    TRY(put_number(f, "uid", r->uid));
    TRY(put_number(f, "gid", r->gid));
    TRY(put_number(f, "pid", r->pid));
    TRY(put_plain(f, "session", session));
    TRY(put_text(f, "unit", r->unit));
    return put_text(f, "label", r->label);
}

static int put_members(struct form *f, const struct format_item *item)
{
    const struct record *r = item->record;
    char time[CLOCK_TEXT_BYTES], leaf[2 * DIGEST_BYTES + 1];
    clock_wall_text((struct wall_time){r->wall_us}, time);
    code_hex_text(bytes_of(item->leaf, DIGEST_BYTES), leaf);
    TRY(put_number(f, "seq", r->seq));
    TRY(put_plain(f, "time", time));
    TRY(put_plain(f, "kind", record_kind_text(r->kind)));
    TRY(put_plain(f, "outcome", outcome_code(r->outcome)));
    TRY(put_who(f, r));
    TRY(put_text(f, "path", r->path));
    TRY(put_text(f, "detail", r->detail));
    TRY(put_number(f, "version_before", r->version_before));
    TRY(put_number(f, "version_after", r->version_after));
    TRY(put_number(f, "rule", r->rule));
    TRY(put_number(f, "revision", r->revision));
    TRY(put_plain(f, "leaf", leaf));
    return item->is_repeat ? put_number(f, "repeat", 1) : 0;
}

/* The same in words, for people. */
static int put_words(struct buf *out, const struct record *r)
{
    TRY(buf_append_text(out, record_kind_text(r->kind)));
    if (r->path.n > 0) {
        TRY(buf_append_text(out, " "));
        TRY(text_escape(out, r->path));
    }
    TRY(buf_append_text(out, ": "));
    TRY(buf_append_text(out, outcome_code(r->outcome)));
    return buf_print(out, ", uid %u", r->uid);
}

/* ---- JSON ------------------------------------------------------------------------------------------------ */

static int json_member(struct form *f, const char *name, struct bytes text, bool is_number)
{
    TRY(buf_print(f->out, "%s\"%s\":", f->has_some ? "," : "", name));
    f->has_some = true;
    return is_number ? buf_append(f->out, text) : doc_json_string(f->out, text);
}

int format_json(struct buf *out, const struct format_item *item)
{
    struct form f = {.out = out, .put = json_member};
    TRY(buf_append_text(out, "{"));
    TRY(put_members(&f, item));
    return buf_append_text(out, "}\n");
}

/* ---- journald -------------------------------------------------------------------------------------------- */

static int journal_member(struct form *f, const char *name, struct bytes text, bool is_number)
{
    char upper[32];
    size_t n = strlen(name);
    (void)is_number;
    assert(n < sizeof upper);
    if (text.n == 0)
        return 0;
    for (size_t i = 0; i <= n; i++)
        upper[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A') : name[i];
    TRY(buf_print(f->out, "SECREG_%s=", upper)); /* no text holds a newline, so the plain form of a field will do */
    TRY(buf_append(f->out, text));
    return buf_append_text(f->out, "\n");
}

int format_journal(struct buf *out, const struct format_item *item)
{
    struct form f = {.out = out, .put = journal_member};
    TRY(buf_append_text(out, "MESSAGE="));
    TRY(put_words(out, item->record));
    TRY(buf_print(out, "\nPRIORITY=%u\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=secreg\n", format_severity(item->record)));
    return put_members(&f, item);
}

/* ---- syslog ---------------------------------------------------------------------------------------------- */

static int syslog_member(struct form *f, const char *name, struct bytes text, bool is_number)
{
    (void)is_number;
    if (text.n == 0)
        return 0;
    TRY(buf_print(f->out, " %s=\"", name));
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"' || text.p[i] == '\\' || text.p[i] == ']')
            TRY(buf_append_text(f->out, "\\"));
        TRY(buf_append(f->out, bytes_of(text.p + i, 1)));
    }
    return buf_append_text(f->out, "\"");
}

static int put_message(struct buf *out, const struct format_item *item, unsigned facility, const char *host)
{
    const struct record *r = item->record;
    struct form f = {.out = out, .put = syslog_member};
    char time[CLOCK_TEXT_BYTES];
    clock_wall_text((struct wall_time){r->wall_us}, time);
    TRY(buf_print(out, "<%u>1 %s %s secreg - %s [" SYSLOG_ID, facility * 8 + format_severity(r), time, host,
                  record_kind_text(r->kind)));
    TRY(put_members(&f, item));
    TRY(buf_append_text(out, "] "));
    return put_words(out, r);
}

int format_syslog(struct buf *out, const struct format_item *item, unsigned facility, const char *host)
{
    struct buf message;
    assert(facility < 24 && host[0] != '\0');
    buf_init(&message, FORMAT_MAX_BYTES);
    int r = put_message(&message, item, facility, host);
    if (r == 0)
        r = buf_print(out, "%zu ", buf_size(&message));
    if (r == 0)
        r = buf_append(out, buf_view(&message));
    buf_fini(&message);
    return r;
}
