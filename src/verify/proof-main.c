/* proof-main - checking one proof: see main.h. */
#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "model/outcome.h"
#include "trail/proof.h"
#include "verify/main.h"
#include "verify/verify.h"
#include "wire/doc.h"

enum { TEXT_MAX_BYTES = 64 << 10 };

/* What a proof amounts to. */
struct judgement {
    enum verify_verdict proven, authenticity;
    struct checkpoint head;
    struct record record; /* if there is one that can be read */
    bool has_record;
};

static const char *word(enum verify_verdict v)
{
    return v == VERIFY_OK ? "ok" : v == VERIFY_BAD ? "bad" : "not checked";
}

/* ---- showing it ------------------------------------------------------------------------------------------ */

static int put_line(struct buf *out, const char *name, struct bytes text)
{
    if (text.n == 0)
        return 0;
    TRY(buf_print(out, "%s: ", name));
    TRY(text_escape(out, text));
    return buf_append_text(out, "\n");
}

static int put_record_text(struct buf *out, const struct record *r)
{
    char time[CLOCK_TEXT_BYTES];
    clock_wall_text((struct wall_time){r->wall_us}, time);
    TRY(buf_print(out, "record: %llu\ntime: %s\nkind: %s\noutcome: %s\nuid: %u\n", (unsigned long long)r->seq, time,
                  record_kind_text(r->kind), outcome_code(r->outcome), r->uid));
    TRY(put_line(out, "unit", r->unit));
    TRY(put_line(out, "path", r->path));
    TRY(put_line(out, "detail", r->detail));
    return buf_print(out, "version before: %llu\nversion after: %llu\nrevision: %llu\n",
                     (unsigned long long)r->version_before, (unsigned long long)r->version_after,
                     (unsigned long long)r->revision);
}

static int put_record_json(struct buf *doc, const struct record *r)
{
    char time[CLOCK_TEXT_BYTES];
    clock_wall_text((struct wall_time){r->wall_us}, time);
    TRY(doc_key(doc, "record"));
    TRY(doc_map_begin(doc));
    TRY(doc_put_int(doc, "seq", (int64_t)r->seq));
    TRY(doc_put_text(doc, "time", bytes_of_text(time)));
    TRY(doc_put_text(doc, "kind", bytes_of_text(record_kind_text(r->kind))));
    TRY(doc_put_text(doc, "outcome", bytes_of_text(outcome_code(r->outcome))));
    TRY(doc_put_int(doc, "uid", r->uid));
    TRY(doc_put_text(doc, "unit", r->unit));
    TRY(doc_put_text(doc, "path", r->path));
    TRY(doc_put_text(doc, "detail", r->detail));
    TRY(doc_put_int(doc, "version_before", (int64_t)r->version_before));
    TRY(doc_put_int(doc, "version_after", (int64_t)r->version_after));
    TRY(doc_put_int(doc, "revision", (int64_t)r->revision));
    return doc_map_end(doc);
}

static const char *verdict_name(const struct proof *p)
{
    return p->extends ? "tail" : "integrity";
}

static int put_text(struct buf *out, const struct proof *p, const struct judgement *o)
{
    if (o->has_record)
        TRY(put_record_text(out, &o->record));
    TRY(buf_print(out, "%s: %s\n", verdict_name(p), word(o->proven)));
    if (o->proven == VERIFY_OK && p->extends)
        TRY(buf_print(out, "extends: the %llu records of then\n", (unsigned long long)p->at));
    TRY(buf_print(out, "authenticity: %s\n", word(o->authenticity)));
    return o->authenticity == VERIFY_OK ? buf_print(out, "signed: %llu records\n", (unsigned long long)o->head.size)
                                        : 0;
}

static int put_json(struct buf *out, const struct proof *p, const struct judgement *o)
{
    struct buf doc;
    buf_init(&doc, TEXT_MAX_BYTES);
    int x = doc_map_begin(&doc);
    if (x == 0 && o->has_record)
        x = put_record_json(&doc, &o->record);
    if (x == 0)
        x = doc_put_text(&doc, verdict_name(p), bytes_of_text(word(o->proven)));
    if (x == 0)
        x = doc_put_text(&doc, "authenticity", bytes_of_text(word(o->authenticity)));
    if (x == 0 && p->extends)
        x = doc_put_int(&doc, "from", (int64_t)p->at);
    if (x == 0 && o->authenticity == VERIFY_OK)
        x = doc_put_int(&doc, "signed", (int64_t)o->head.size);
    if (x == 0)
        x = doc_map_end(&doc);
    if (x == 0)
        x = doc_to_json(out, buf_view(&doc));
    buf_fini(&doc);
    return x == 0 ? buf_append_text(out, "\n") : x;
}

static unsigned bits(const struct proof *p, const struct judgement *o)
{
    unsigned bad = p->extends ? VERIFY_BIT_TAIL : VERIFY_BIT_INTEGRITY;
    return (o->proven == VERIFY_OK ? 0 : bad) | (o->authenticity == VERIFY_OK ? 0 : (unsigned)VERIFY_BIT_AUTHENTICITY);
}

static int show(const struct proof *p, const struct judgement *o, bool is_json)
{
    struct buf out;
    buf_init(&out, TEXT_MAX_BYTES);
    int x = is_json ? put_json(&out, p, o) : put_text(&out, p, o);
    struct bytes text = buf_view(&out);
    if (x == 0 && (fwrite(text.p, 1, text.n, stdout) != text.n || fflush(stdout) != 0))
        x = RAISE(FAULT_INTERNAL);
    buf_fini(&out);
    return x < 0 ? x : (int)bits(p, o);
}

/* ---- checking it ----------------------------------------------------------------------------------------- */

/* A checkpoint without a good signature states nothing, so nothing is proven by it. */
static int judge(const struct proof *p, const struct checkpoint_key *key, const struct checkpoint *old,
                 struct judgement *ret)
{
    *ret = (struct judgement){VERIFY_UNKNOWN, VERIFY_BAD, {0}, {0}, false};
    ret->has_record = !p->extends && record_decode(p->record, &ret->record);
    if (checkpoint_read(p->note, key, &ret->head) != 0)
        return 0;
    ret->authenticity = VERIFY_OK;
    int x = proof_check(p, &ret->head, old);
    ret->proven = x == 0 ? VERIFY_OK : VERIFY_BAD;
    return x < 0 ? x : 0;
}

int verify_proof(struct bytes text, const struct checkpoint_key *key, const struct checkpoint *old, bool is_json)
{
    struct buf record;
    struct proof p;
    struct judgement o;
    buf_init(&record, RECORD_MAX_BYTES + 3);
    int x = proof_read(text, &record, &p) && (!p.extends || old != NULL) ? 0 : VERIFY_NO_PROOF;
    if (x == 0)
        x = judge(&p, key, old, &o);
    if (x == 0)
        x = show(&p, &o, is_json);
    buf_fini(&record);
    return x;
}
