/*
 * watch - who follows the tree, and how far each has been told; see doc/spec/watch.md.
 *
 * A watch is a cursor in the trail: the number of the record it has to look at next. Changes are told after the turn
 * that made them was committed, and each is decided on anew for the watcher before it is told. What is told is a turn
 * of its own, because a value that is told leaves a record; if that turn cannot be committed, no cursor has moved. A
 * watcher that takes nothing costs a cursor and a window of bytes; it is caught up from the trail.
 */
#ifndef ENGINE_WATCH_H
#define ENGINE_WATCH_H

#include "engine/engine.h"

enum {
    WATCH_WINDOW_BYTES = 16 << 10,  /* told and not yet taken: at that a watch has to wait */
    WATCH_SCAN_COUNT = 1024,        /* records that are read from the trail in one turn, for all that are behind */
    WATCH_FEED_MAX_BYTES = 4 << 20, /* of the newest changes, kept for those that are not behind */
    WATCH_FEED_MAX_COUNT = 16384,
    WATCH_USER_PART = 4, /* of a user's bytes in flight: what all its watches may have untaken */
};

/* ---- the newest changes: watch-feed.c -------------------------------------------------------------------- */

struct watch_item {
    uint64_t seq;
    size_t at, n; /* its record: place counted from the first byte ever */
};

struct watch_feed {
    uint64_t first; /* every change from this record on is here */
    struct buf bytes;
    size_t dropped_bytes;
    struct watch_item *items;
    size_t count, cap;
    struct record decoded; /* of record decoded_seq; one turn is mostly one change for many watchers */
    uint64_t decoded_seq;
    bool has_decoded;
};

void watch_feed_init(struct watch_feed *f);
void watch_feed_fini(struct watch_feed *f);

/* watch_feed_begin - nothing is kept, and changes are from record `first` on. */
void watch_feed_begin(struct watch_feed *f, uint64_t first);

/*
 * watch_feed_take - add the changes among the committed records from `first` on.
 * ret_other  set to true if something else changed: the access rules
 * Returns 0 or a fault.
 */
int watch_feed_take(struct watch_feed *f, struct trail *trail, uint64_t first, bool *ret_other) MUST_USE;

/*
 * watch_feed_each - hand over the changes from record `first` on, which is not below f->first. The record lives until
 * on_change returns. A non-zero return of on_change ends it and is returned.
 */
int watch_feed_each(struct watch_feed *f, uint64_t first, int (*on_change)(const struct record *r, void *arg),
                    void *arg) MUST_USE;

/* watch_is_change - the record states that an entry got a new version, or lost one. */
bool watch_is_change(const struct record *r);

/*
 * watch_find - where the changes after a revision begin: a number from which every committed record of a later revision
 * is seen. Revisions never go down in the trail, but for records that were made while the registry was locked, which
 * have none. O(log records), and the records made while it was locked. Returns 0 or a fault.
 */
int watch_find(struct trail *trail, uint64_t revision, uint64_t *ret_first) MUST_USE;

/* watch_is_cut - changes behind a revision may be among the records that were pruned. Returns 0 or a fault. O(records
 * at the beginning that were made while the registry was locked); beyond WATCH_CUT_COUNT of them it is taken to be so.
 */
enum { WATCH_CUT_COUNT = 1 << 16 };
int watch_is_cut(struct trail *trail, uint64_t revision, bool *ret_is_cut) MUST_USE;

/* ---- one watch: watch.c ---------------------------------------------------------------------------------- */

/* How far a watch is. */
struct watch_place {
    uint64_t cursor;   /* the record to look at next */
    uint64_t revision; /* everything up to it was told */
    bool is_inside;    /* of the next one that is told, some was told already */
    bool is_greeted;   /* the first line was told */
};

struct watch {
    struct list link; /* of all; the one that was served last stands last */
    struct list idle; /* of all, by idle_at */
    struct engine_conn *conn;
    uint64_t request, since;
    bool has_values;
    bool is_fresh;                    /* the turn that began it is not committed */
    bool is_over;                     /* the last line was told */
    struct watch_place now, was;      /* was: before the open turn */
    size_t untaken_bytes, told_bytes; /* told_bytes: of them, those of the open turn */
    struct mono_time idle_at;
    size_t path_bytes;
    uint8_t path[];
};

struct watches {
    struct list all, idle;
    size_t count;
    struct watch_feed feed;
    uint64_t changed_from; /* the first record of the first turn whose changes are not in the feed; UINT64_MAX: none */
    bool has_work;         /* a watch may have something to be told */
    unsigned waits;        /* what those that are behind wait for */
    bool is_open;          /* some was told something, or began, in the open turn */
    bool is_telling;       /* the open turn is that of what is told */
    size_t scan_left;      /* records that may still be read from the trail in this turn */
    struct loop_timer idle_timer, retry_timer;
};

/*
 * watches_add - the request's connection watches its path from record `cursor` on, once the turn is committed.
 * revision  everything up to it is known to the client
 * Returns 0, OUTCOME_LIMIT or -ENOMEM.
 */
int watches_add(struct engine_req *q, uint64_t cursor, uint64_t revision) MUST_USE;

/* watch_path - what is watched. */
struct bytes watch_path(const struct watch *w);

/* watches_wait - what a watch has to wait for before it is told more; 0: nothing. */
enum {
    WATCH_CLIENT = 1u << 0,  /* word that its client, or others of its user, took what they were told */
    WATCH_FRONT = 1u << 1,   /* room on the way to its front */
    WATCH_STORAGE = 1u << 2, /* the storage takes no record of a value that is told */
    WATCH_TURN = 1u << 3,    /* the next turn: enough was done in this one */
};
unsigned watches_wait(const struct engine *e, const struct watch *w);

/* watches_tell - one more line, a document, in the open turn. Returns 0 or a fault: the turn fails. */
int watches_tell(struct engine *e, struct watch *w, struct bytes doc, bool is_end) MUST_USE;

/* ---- what one watcher sees of the changes: watch-event.c --------------------------------------------------- */

/*
 * watch_tell_changes - tell a watch what it may see, from its cursor on, as far as there is room, and move its cursor.
 * Returns 0 (it is at the end), what it has to wait for, or a fault.
 */
int watch_tell_changes(struct engine *e, struct watch *w) MUST_USE;

/* watch_may_go_on - does the watcher still have the right to list what it watches? */
bool watch_may_go_on(struct engine *e, const struct watch *w);

/* watch_begin - a request as the watcher would make it now; m: storage for it. */
void watch_begin(struct engine_req *q, struct engine *e, const struct watch *w, unsigned op, struct msg_request *m);

#endif
