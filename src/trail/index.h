/*
 * index - what the records of each run are about, so that a query passes over runs that hold nothing of it. No other
 * folder includes it.
 *
 * Beside each file of the log a file of the same name with the ending .idx has 1024 bytes for each run of
 * SEGMENT_TILE_COUNT records in it, at the place of the run: a sum over what follows (8), number of the first record
 * (8), how many (8), kinds as bits (8), outcomes as bits (16), the least and the greatest wall clock (8 each), and a
 * Bloom filter of uids, rules, sessions, and of paths with every folder above them.
 *
 * It is made from the records and made again if it is missing or damaged; it is never believed by who verifies, and a
 * query looks at each record again. So a file that somebody changed can only hide records from queries, as
 * doc/spec/trail.md says.
 */
#ifndef TRAIL_INDEX_H
#define TRAIL_INDEX_H

#include "trail/segments.h"

enum { INDEX_TILE_BYTES = 1024, INDEX_PROBES_MAX_COUNT = 40 };

/* What is asked for, as bits to be found. */
struct index_probe {
    uint64_t kinds, outcomes[2]; /* any of these; 0: any at all */
    int64_t since_us, until_us;  /* 0: no bound */
    uint64_t keys[3];            /* all of these */
    size_t keys_count;
    uint64_t path, hidden[INDEX_PROBES_MAX_COUNT]; /* the first, or any of the others, if has_path */
    size_t hidden_count;
    bool has_path;
};

/* index_prepare - a filter as a probe. Pure. */
void index_prepare(const struct trail_filter *filter, struct index_probe *ret_probe);

/* index_may_hold - the summary of a run does not exclude it. Pure. */
bool index_may_hold(const uint8_t summary[static INDEX_TILE_BYTES], const struct index_probe *probe);

/* A run, or the part of it that is in one file. */
struct index_tile {
    size_t segment, tile;
    uint64_t first, end;
    bool is_closed; /* nothing more comes */
};
void index_tile_of(const struct segments *s, uint64_t seq, struct index_tile *ret_tile);

/* What is gathered of records as they come, from record `first` on. It may hold more than the run's records: a summary
 * that says too much costs a look at them. */
struct index_running {
    uint64_t first, kinds, outcomes[2];
    int64_t since_us, until_us;
    uint8_t summary[INDEX_TILE_BYTES];
};

/* index_begin - nothing gathered yet. index_add - one more record. 0.1 us. Pure. */
void index_begin(struct index_running *ret_running, uint64_t first);
void index_add(struct index_running *running, const struct record *r);

/* index_find - the summary of a closed run, or NULL: it must be built first. index_build - build it from the records:
 * NULL, if it cannot be stored or they cannot be read. 0.1 ms. index_note - store that of the run that record `size` -
 * 1 ends: from `running`, if it began early enough, else built. */
const uint8_t *index_find(struct segments *s, const struct index_tile *tile);
const uint8_t *index_build(struct segments *s, const struct index_tile *tile);
void index_note(struct segments *s, uint64_t size, struct index_running *running);

/* index_name - of the file beside the one whose first record has that number. */
void index_name(uint64_t first, char ret[static SEGMENT_NAME_BYTES]);

/* index_complete - a file of the log gets no more records: its index has room for all of them, and keeps no descriptor.
 */
void index_complete(struct segments *s, size_t segment);

#endif
