/*
 * verify-epoch - what seeds that were kept elsewhere say of a trail; see verify.h.
 *
 * With the seed every key is made again, and with it the tag behind each record. What an epoch is said to have left is
 * compared when the next one says it. A process that ended in the middle of an epoch took its keys with it: the next
 * epoch then states the last tag that was stored, which may be behind; what came after it is counted, not passed over.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "verify/verify.h"

#define TOO_LONG "makes its epoch longer than any may be"

bool verify_seed(struct verify *v, const struct epoch_seed *seed)
{
    struct verify_epochs *e = &v->epochs;
    if (e->seeds_count == VERIFY_SEEDS_MAX_COUNT)
        return false;
    e->seeds[e->seeds_count++] = *seed;
    return true;
}

void verify_fini(struct verify *v)
{
    free(v->epochs.tags);
    secret_wipe(&v->epochs, sizeof v->epochs);
}

static void bad(struct verify *v, const char *why)
{
    v->forward = VERIFY_BAD;
    v->why = why;
}

/* The newest seed that speaks of epoch `number`. */
static const struct epoch_seed *find_seed(const struct verify_epochs *e, uint64_t number)
{
    const struct epoch_seed *found = NULL;
    for (size_t i = 0; i < e->seeds_count; i++) {
        const struct epoch_seed *s = &e->seeds[i];
        if (s->number <= number && s->number >= e->floor && (found == NULL || s->number > found->number))
            found = s;
    }
    return found;
}

static void begin(struct verify_epochs *e, uint64_t number, uint64_t first)
{
    const struct epoch_seed *seed = find_seed(e, number);
    struct epoch_seed at = e->next;
    if (!e->has_key || seed == NULL || at.number != number || seed->number == number)
        at = seed != NULL ? *seed : (struct epoch_seed){0};
    e->now = (struct epoch_seal){.number = number, .first = first, .size = first};
    e->is_known = true;
    e->has_key = seed != NULL;
    for (; e->has_key && at.number <= number; at.number++)
        forward_begin(at.start, e->key, at.start);
    e->next = at;
    secret_wipe(&at, sizeof at);
}

/* The running epoch ends, and the next one states what it left. */
static void end(struct verify *v, const struct epoch_statement *s, uint64_t seq)
{
    static const uint8_t none[DIGEST_BYTES];
    struct verify_epochs *e = &v->epochs;
    if (s->sealed < e->now.first || s->sealed > seq)
        bad(v, "states a seal of other records than those of the epoch before");
    if (v->why != NULL || !e->has_key) {
        e->uncovered += seq - e->now.first;
        return;
    }
    const uint8_t *tag = s->sealed == e->now.first ? none : e->tags[s->sealed - e->now.first - 1];
    if (memcmp(tag, s->tag, DIGEST_BYTES) != 0) {
        bad(v, "states a seal that the epoch before did not leave: it was not written in the time of its keys");
        return;
    }
    e->count++;
    e->sealed += s->sealed - e->now.first;
    e->lost += seq - s->sealed;
}

static void change(struct verify *v, struct bytes record)
{
    struct verify_epochs *e = &v->epochs;
    struct epoch_statement s;
    struct record r;
    bool is_good = record_decode(record, &r) && epoch_read(r.detail, &s);
    uint64_t seq = v->check.tree.size - 1;
    if (!is_good)
        bad(v, "begins an epoch without saying which");
    else if (e->is_known && s.number != e->now.number + 1)
        bad(v, "begins another epoch than the next one: some are missing");
    else if (e->is_known)
        end(v, &s, seq);
    else
        e->uncovered += seq - e->now.first;
    if (v->why != NULL)
        return;
    if (s.is_reseeded) {
        e->has_key = false;
        e->floor = s.number;
    }
    begin(e, s.number, seq);
}

/* One more tag behind the others. */
static int keep_tag(struct verify_epochs *e)
{
    size_t count = (size_t)(e->now.size - e->now.first);
    if (count >= e->tags_cap) {
        size_t cap = MAX_OF(e->tags_cap * 2, (size_t)4096);
        uint8_t(*tags)[DIGEST_BYTES] = realloc(e->tags, cap * sizeof *tags);
        if (tags == NULL)
            return RAISE(-ENOMEM);
        e->tags = tags;
        e->tags_cap = cap;
    }
    memcpy(e->tags[count], e->now.tag, DIGEST_BYTES);
    return 0;
}

int verify_epoch(struct verify *v, struct bytes record)
{
    struct verify_epochs *e = &v->epochs;
    if (v->check.tree.size - 1 == v->first && v->first == 0)
        begin(e, 0, 0);
    else if (v->check.tree.size - 1 == v->first)
        e->now.first = v->first; /* of an epoch whose beginning is not read */
    if (record_is_of(record, RECORD_EPOCH))
        change(v, record);
    if (v->why == NULL && !e->is_known && v->check.tree.size - e->now.first > EPOCH_MAX_COUNT)
        bad(v, TOO_LONG); /* behind a beginning that is not read: of the epoch that it is in the middle of */
    if (v->why != NULL || !e->has_key)
        return 0;
    if (e->now.size - e->now.first == EPOCH_MAX_COUNT) {
        bad(v, TOO_LONG);
        return 0;
    }
    forward_add(e->key, e->now.tag, v->check.last);
    TRY(keep_tag(e));
    e->now.size++;
    return 0;
}

void verify_epochs_end(struct verify *v)
{
    const struct verify_epochs *e = &v->epochs;
    if (e->seeds_count > 0 && v->why == NULL)
        v->forward = e->sealed > 0 ? VERIFY_OK : VERIFY_BAD;
}
