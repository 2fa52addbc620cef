/*
 * sink - where records go: what each kind of it does, and how the loop of a follower (follow.h) uses it.
 *
 * A sink is given records in order and says how far they are kept. It never blocks for a peer: what finds no room
 * waits in it, and it says when it wants to be called again. Whatever goes wrong with it is an answer, SINK_DOWN with
 * words; the loop tries again later, from the last record that was kept.
 */
#ifndef FOLLOW_SINK_H
#define FOLLOW_SINK_H

#include "base/clock.h"
#include "follow/cursor.h"
#include "follow/format.h"
#include "follow/options.h"
#include "trail/checkpoint.h"

#include <sys/types.h>

#define SINK_USER "secreg-log"
#define SINK_CURSORS_FOLDER "/var/lib/secreg-follow"
#define SINK_FILES_FOLDER "/var/log/secreg"
#define SINK_WITNESS_FOLDER "/var/lib/secreg-witness"
enum { SINK_PATH_MAX_BYTES = 512, SINK_BUSY_BYTES = 256 << 10 /* so much waits in it: no more for now */ };

struct sink;

/* What a sink may look at before it is confined. */
struct sink_setup {
    const char *root; /* "" for the running system */
    const struct conf_values *conf;
    uid_t uid; /* that it will run as */
    gid_t gid;
};

struct sink_kind {
    const char *name, *profile;
    const char *user;    /* that it becomes, if root starts it */
    const char *cursors; /* folder of its cursor */
    const char *folder;  /* that it writes in; NULL: none */
    mode_t folder_mode;
    bool is_faithful; /* to the trail it began with: another one is refused, not begun with */
    bool sees_again;  /* after any end it sees again what is behind the newest checkpoint: nothing has to wait for it */
    int port_option;  /* that holds the TCP port it connects to; 0: it connects to none */
    /* Makes the sink, with all that needs a name look-up or a file of somebody else. Returns 0, SINK_BAD (with words:
     * it is not set up as it must be), or a fault. */
    int (*make)(const struct sink_setup *setup, struct sink **ret_sink, char *ret_why);
    /* Begins anew behind `cursor`. Returns 0 (open, or on its way), SINK_DOWN, or a fault. */
    int (*open)(struct sink *s, struct cursor *cursor);
    int (*put)(struct sink *s, const struct format_item *item); /* 0, SINK_DOWN, or a fault */
    /* Goes on with what waits. Returns 0, SINK_DOWN, or a fault; s->kept says how far it is. */
    int (*flush)(struct sink *s, struct mono_time now);
    void (*close)(struct sink *s); /* what waits is forgotten */
    void (*free)(struct sink *s);
};
enum { SINK_DOWN = 1, SINK_BAD = 2 };

struct sink {
    const struct sink_kind *kind;
    int fd;                          /* to wait for, -1: none */
    short events;                    /* of poll(2) */
    bool is_well;                    /* it could keep a record now, as far as is known */
    int64_t give_up_us;              /* if it is not well for so long, the program ends; 0: never */
    struct buf out;                  /* what waits */
    struct source_place given, kept; /* behind the record that was put last; behind the last one that is kept */
    uint64_t size;                   /* for the cursor, with what is kept */
    int64_t anchored_us;             /* when the head of that size was anchored; 0: none was */
    struct mono_time wake;           /* flush() not later than this; INT64_MAX: when something happens */
    char why[SOURCE_WHY_BYTES];
};

/* sink_kind_find - by name; NULL: there is none. sink_kind_at - one after the other; NULL past the last. */
const struct sink_kind *sink_kind_find(const char *name);
const struct sink_kind *sink_kind_at(size_t i);

extern const struct sink_kind sink_journal, sink_syslog, sink_files, sink_witness, sink_kernel, sink_remote;

/* sink_folder - open the folder of a kind, made if absent, and the user's. Returns 0, SINK_BAD, or a fault. */
int sink_folder(const struct sink_setup *setup, const struct sink_kind *kind, int *ret_folder, char *ret_why);

/* sink_trail_key - what checkpoints of the trail are checked with. Returns 0, SINK_BAD, or a fault. */
int sink_trail_key(const struct sink_setup *setup, struct checkpoint_key *ret_key, char *ret_why) MUST_USE;

/* sink_down - note why, in words of at most SOURCE_WHY_BYTES. Returns SINK_DOWN. */
int sink_down(struct sink *s, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
