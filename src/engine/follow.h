/*
 * follow - who takes the whole trail, record by record, to keep it elsewhere; see doc/spec/follow.md.
 *
 * A follow is a number: of the record that it is to be told next. It is told what power loss cannot take any more, so
 * that nobody keeps a record that the trail itself does not have. Telling leaves no record, belongs to no turn, and
 * nothing ever waits for it: who takes nothing costs a number and a window of bytes.
 */
#ifndef ENGINE_FOLLOW_H
#define ENGINE_FOLLOW_H

#include "engine/engine.h"

enum {
    FOLLOW_WINDOW_BYTES = 256 << 10, /* told and not yet taken: at that a follow has to wait */
    FOLLOW_MANY_COUNT = 256,         /* who is so far behind is told at once */
    FOLLOW_LINE_BYTES = 64 << 10,    /* of records in one line, unless a single one has more */
};
#define FOLLOW_PAUSE_US (20 * US_PER_MS) /* who is at the end is told at most this often */

struct follow {
    struct list link;
    struct engine_conn *conn;
    uint64_t request, next;
    size_t untaken_bytes;
    bool is_fresh;   /* the turn that began it is not committed */
    bool is_greeted; /* the first line was told */
    bool is_over;    /* the last one */
    struct mono_time told_at;
};

struct follows {
    struct list all;
    size_t count;
    struct loop_timer timer;
};

#endif
