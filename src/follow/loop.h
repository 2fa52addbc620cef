/*
 * loop - the work of a follower between its source and its sink; see follow.h.
 */
#ifndef FOLLOW_LOOP_H
#define FOLLOW_LOOP_H

#include "follow/sink.h"

struct follow_loop {
    struct source source;
    struct sink *sink;
    struct cursor_file file;
    struct cursor cursor, saved; /* as it is; as the file has it */
    bool is_once;
    uint64_t repeats_below; /* records before this number may have been sent already */
    /* life of the connections */
    bool is_up;                          /* the sink is open */
    struct mono_time source_at, sink_at; /* when to try again */
    int64_t source_wait_us, sink_wait_us;
    struct mono_time well_at, saved_at;  /* well_at: when the sink was last */
    bool has_said_source, has_said_sink; /* that it is away */
};

/* follow_loop_run - until a signal of `signal_fd`, or, with is_once, until all is kept. Returns an exit status. */
int follow_loop_run(struct follow_loop *f, int signal_fd);

#endif
