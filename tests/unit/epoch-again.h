/*
 * epoch-again - what the records of a trail leave under its seed, computed again: each statement must be about what the
 * epoch before left. Hand epoch_again() to trail_read() from record 0 on, with a struct whose `next` is the seed.
 */
#ifndef TEST_EPOCH_AGAIN_H
#define TEST_EPOCH_AGAIN_H
#include <string.h>

#include "crypt/merkle.h"
#include "trail/epoch.h"

enum { EPOCH_AGAIN_MAX_COUNT = 1 << 17 };

struct epoch_again {
    struct epoch_seed next;
    uint8_t key[FORWARD_KEY_BYTES];
    uint8_t tags[EPOCH_AGAIN_MAX_COUNT][DIGEST_BYTES]; /* behind each record */
    uint64_t first, lost, epochs;
};

static inline int epoch_again(uint64_t seq, struct bytes record, void *arg)
{
    static const uint8_t zeros[DIGEST_BYTES];
    struct epoch_again *a = arg;
    uint8_t leaf[DIGEST_BYTES], tag[DIGEST_BYTES] = {0};
    struct record r;
    struct epoch_statement s;
    bool begins = record_is_of(record, RECORD_EPOCH);
    assert_true(seq < EPOCH_AGAIN_MAX_COUNT);
    if (begins) {
        assert_true(record_decode(record, &r) && epoch_read(r.detail, &s));
        assert_int_equal(s.number, a->next.number);
        assert_true(s.sealed >= a->first && s.sealed <= seq);
        assert_memory_equal(s.tag, s.sealed == a->first ? zeros : a->tags[s.sealed - 1], DIGEST_BYTES);
        a->lost += seq - s.sealed;
        a->epochs++;
    }
    if (seq == 0 || begins) {
        forward_begin(a->next.start, a->key, a->next.start);
        a->next.number++;
        a->first = seq;
    } else {
        memcpy(tag, a->tags[seq - 1], sizeof tag);
    }
    assert_int_equal(merkle_leaf(record, leaf), 0);
    forward_add(a->key, tag, leaf);
    memcpy(a->tags[seq], tag, sizeof tag);
    return 0;
}

#endif
