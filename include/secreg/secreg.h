/*
 * secreg - the client library of the registry: read, write and list entries of this host's secregd.
 *
 * A handle is one connection to the daemon's UNIX socket. Calls block until the daemon has answered or the handle's
 * timeout is over. The kernel tells the daemon who is calling: there is nothing to log in to.
 *
 * Contract for the program that uses the library:
 * - A handle may be used by one thread at a time; different handles are independent. There is no global state.
 * - Nothing is printed or logged, no signal is raised or handled, no descriptor but the handle's own (close-on-exec) is
 *   touched. After fork() a handle belongs to one of the two processes; the other may only call secreg_close().
 * - Values are wiped from the library's memory once they have been handed over, sent or freed.
 * - Every result and out parameter is set as stated; out parameters are set only when SECREG_OK is returned.
 *
 * Link with -lsecreg (pkg-config: secreg). Manual: secreg(3). Protocol: doc/spec/http-api.md.
 */
#ifndef SECREG_SECREG_H
#define SECREG_SECREG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* How a call ended. SECREG_OK is 0; all others are positive and will keep their numbers. */
enum secreg_result {
    SECREG_OK = 0,
    SECREG_NOT_FOUND = 1,   /* no such entry or folder, or none that the caller may know of */
    SECREG_REFUSED = 2,     /* the access rules do not permit it, or only once somebody else approves */
    SECREG_CONFLICT = 3,    /* not at the expected version, exists already, or a folder where an entry was meant */
    SECREG_LOCKED = 4,      /* the registry is locked: an administrator has to unlock it */
    SECREG_UNAVAILABLE = 5, /* no daemon answers, it stops, its storage is full, or it took longer than the timeout */
    SECREG_CORRUPT = 6,     /* stored data failed its check */
    SECREG_BAD_INPUT = 7,   /* a path, value or argument is malformed */
    SECREG_TOO_LARGE = 8,   /* larger than a limit */
    SECREG_FAILURE = 9      /* anything else: out of memory, or the daemon failed or broke the protocol */
};

/* Types of entries. The value always travels as bytes: integer "42", boolean "true", float as JSON writes it, json any
 * JSON text, list a JSON list of strings, binary raw bytes. */
enum secreg_type {
    SECREG_TYPE_KEEP = 0, /* for secreg_set(): the type that the entry has, string for a new one */
    SECREG_TYPE_STRING = 1,
    SECREG_TYPE_INTEGER = 2,
    SECREG_TYPE_BOOLEAN = 3,
    SECREG_TYPE_FLOAT = 4,
    SECREG_TYPE_JSON = 5,
    SECREG_TYPE_BINARY = 6,
    SECREG_TYPE_LIST = 7
};

/* Whether an entry is stored sealed (encrypted). */
enum secreg_sealing {
    SECREG_SEALING_KEEP = 0, /* as the entry is, in the clear for a new one */
    SECREG_SEALING_ON = 1,
    SECREG_SEALING_OFF = 2
};

#define SECREG_PATH_MAX_BYTES 512      /* of a path */
#define SECREG_VALUE_MAX_BYTES 1048576 /* of a value */
#define SECREG_TIMEOUT_MS 30000        /* of a new handle */

struct secreg; /* a handle */

/* A value as secreg_get() gives it; free it with secreg_value_fini(). */
struct secreg_value {
    unsigned char *bytes; /* `size` bytes and a NUL behind them; never NULL after SECREG_OK */
    size_t size;          /* without that NUL */
    enum secreg_type type;
    bool is_sealed;    /* stored sealed */
    uint64_t version;  /* of the entry, for compare-and-set */
    uint64_t revision; /* of the whole tree */
};

/* How to write; zero everything for "whatever is there, keep type and sealing". */
struct secreg_set_options {
    enum secreg_type type;
    enum secreg_sealing sealing;
    uint64_t expected_version; /* write only if the entry is at this version; 0: at any */
    bool must_not_exist;       /* write only if there is no entry; not together with expected_version */
    const char *reason;        /* for history and trail, at most 256 bytes; NULL: none */
};

/*
 * secreg_connect - make a handle and connect it.
 *
 * socket_path  path of the daemon's socket, at most 107 bytes; NULL: $SECREG_ROOT/run/secreg/socket, where an unset
 *              SECREG_ROOT (or one that a set-user-ID program must not trust) counts as empty
 * ret_handle   the handle; give it back with secreg_close()
 *
 * Returns SECREG_OK, SECREG_UNAVAILABLE (nobody listens there, or the socket may not be used), SECREG_BAD_INPUT (the
 * path is too long, or ret_handle is NULL) or SECREG_FAILURE (out of memory or descriptors).
 * Blocks for at most SECREG_TIMEOUT_MS, and only if the daemon is overloaded.
 */
enum secreg_result secreg_connect(const char *socket_path, struct secreg **ret_handle);

/* secreg_close - close the connection, wipe and free the handle. NULL is allowed. Keeps errno. Never blocks. */
void secreg_close(struct secreg *handle);

/*
 * secreg_set_timeout - bound the time that each later call may take as a whole.
 * timeout_ms  milliseconds, at least 1; 0: SECREG_TIMEOUT_MS
 */
void secreg_set_timeout(struct secreg *handle, unsigned timeout_ms);

/*
 * secreg_get - read the current value of an entry.
 *
 * path       absolute, such as "/registry/system/kernel/hostname"; UTF-8, not percent-encoded
 * ret_value  the value; free it with secreg_value_fini()
 *
 * Returns SECREG_OK, SECREG_NOT_FOUND, SECREG_REFUSED, SECREG_CONFLICT (the path is a folder), SECREG_LOCKED,
 * SECREG_UNAVAILABLE, SECREG_CORRUPT, SECREG_BAD_INPUT or SECREG_FAILURE. One round trip; blocks.
 * The read, or its refusal, is recorded in the trail before the answer leaves the daemon.
 */
enum secreg_result secreg_get(struct secreg *handle, const char *path, struct secreg_value *ret_value);

/* secreg_get_version - the same for a version that is kept; version > 0. SECREG_NOT_FOUND if it is not kept. */
enum secreg_result secreg_get_version(struct secreg *handle, const char *path, uint64_t version,
                                      struct secreg_value *ret_value);

/* secreg_value_fini - wipe and free the bytes of a value and zero it. NULL and a zeroed value are allowed. */
void secreg_value_fini(struct secreg_value *value);

/*
 * secreg_set - create an entry or give it a new value.
 *
 * path         as for secreg_get()
 * value, size  the bytes; at most SECREG_VALUE_MAX_BYTES; value may be NULL if size is 0; not kept
 * options      how; NULL: as a zeroed struct
 * ret_version  the version that was made; NULL if not wanted
 *
 * Returns SECREG_OK, SECREG_REFUSED, SECREG_CONFLICT (not at expected_version, exists, or is a folder), SECREG_LOCKED,
 * SECREG_UNAVAILABLE, SECREG_CORRUPT, SECREG_BAD_INPUT (also: the value does not fit the type), SECREG_TOO_LARGE or
 * SECREG_FAILURE. After SECREG_OK the value is durable. After SECREG_UNAVAILABLE or SECREG_FAILURE it may have been
 * written or not: a write is never sent twice; read the entry, or use expected_version, before trying again.
 * One round trip; blocks.
 */
enum secreg_result secreg_set(struct secreg *handle, const char *path, const void *value, size_t size,
                              const struct secreg_set_options *options, uint64_t *ret_version);

/*
 * secreg_delete - delete an entry; its kept versions stay readable by number.
 *
 * expected_version  delete only if the entry is at this version; 0: at any
 * reason            for history and trail, at most 256 bytes; NULL: none
 * ret_version       the version that says "deleted"; NULL if not wanted
 *
 * Returns as secreg_set(), and SECREG_NOT_FOUND. One round trip; blocks.
 */
enum secreg_result secreg_delete(struct secreg *handle, const char *path, uint64_t expected_version, const char *reason,
                                 uint64_t *ret_version);

/*
 * secreg_list - name what a folder holds, as far as the caller may list it, in the order of the tree.
 *
 * path       of the folder, with or without a slash at the end
 * recursive  true: all entries below, by whole path, and no folders; false: the children, by name
 * on_name    gets each name (a C string, valid during the call) and whether it is a folder; returns 0 to go on,
 * anything else to end. It may use the handle. arg        handed to on_name
 *
 * Returns SECREG_OK (also when on_name ended it), SECREG_NOT_FOUND, SECREG_REFUSED, SECREG_CONFLICT (the path is an
 * entry), SECREG_LOCKED, SECREG_UNAVAILABLE, SECREG_BAD_INPUT or SECREG_FAILURE; names given before a failure are good.
 * One round trip for each thousand names; blocks.
 */
enum secreg_result secreg_list(struct secreg *handle, const char *path, bool recursive,
                               int (*on_name)(const char *name, bool is_folder, void *arg), void *arg);

/* ---- following changes ----------------------------------------------------------------------------------- */

struct secreg_watch; /* a watch: a connection of its own */

/* Zero everything for "from now on, without values". */
struct secreg_watch_options {
    bool has_since; /* begin behind revision `since`, which may be 0: with everything that is known */
    uint64_t since;
    bool values; /* also the values, as far as they are kept; each is recorded in the trail as a read */
};

/* One thing that happened to one entry. Texts and value belong to the watch and are valid until its next call. */
struct secreg_change {
    const char *path;           /* NULL: nothing happened in the time given */
    const char *kind;           /* "set", "delete", "expire", "move", "copy", "revert", "destroy"; more may come */
    const char *from, *to;      /* where a moved or copied entry came from, or went to; or NULL */
    const char *time;           /* when: RFC 3339, UTC */
    uint64_t revision;          /* of the whole tree */
    uint64_t version;           /* of the entry; 0: not known */
    bool is_deleted;            /* there is no entry any more */
    bool is_gone;               /* the version is no longer kept: type and value are not known */
    bool is_last;               /* of its revision: what secreg_watch_revision() says is a place to go on from */
    bool is_sealed;             /* stored sealed */
    enum secreg_type type;      /* SECREG_TYPE_KEEP: not known, or deleted */
    uint32_t changed_by;        /* uid */
    const unsigned char *value; /* with a NUL behind it; NULL: none was asked for, or there is none */
    size_t value_size;
};

/*
 * secreg_watch_open - follow the changes of an entry, or of all below a folder; it need not exist.
 *
 * socket_path  as for secreg_connect()
 * path         as for secreg_get(); a folder has no slash at the end
 * options      what to begin with; NULL: as a zeroed struct
 * ret_watch    give it back with secreg_watch_close()
 *
 * Returns SECREG_OK, SECREG_NOT_FOUND (also: the tree has not been at that revision), SECREG_REFUSED, SECREG_LOCKED,
 * SECREG_UNAVAILABLE, SECREG_BAD_INPUT or SECREG_FAILURE. Blocks for at most SECREG_TIMEOUT_MS.
 */
enum secreg_result secreg_watch_open(const char *socket_path, const char *path,
                                     const struct secreg_watch_options *options, struct secreg_watch **ret_watch);

/*
 * secreg_watch_next - the next change.
 *
 * timeout_ms  how long to wait for one; 0: not at all; negative: for ever
 * ret_change  the change; its path is NULL if none came in time, or if secreg_watch_wake() was called
 *
 * A revision is handed out whole: its changes one after the other, none left out, none twice. A lost connection, a
 * restart of the daemon and a locked registry are waited out, and the watch goes on where it was.
 * Returns SECREG_OK, SECREG_REFUSED (the right to list the path was lost), SECREG_NOT_FOUND (the daemon's tree is an
 * older one than was followed), SECREG_TOO_LARGE (one revision has more than 64 MiB of changes), SECREG_BAD_INPUT or
 * SECREG_FAILURE; after these the watch may be called again, and tries again.
 */
enum secreg_result secreg_watch_next(struct secreg_watch *watch, int timeout_ms, struct secreg_change *ret_change);

/* secreg_watch_revision - everything up to this revision has been handed out: what to give as `since` another time. */
uint64_t secreg_watch_revision(const struct secreg_watch *watch);

/* secreg_watch_wake - end the secreg_watch_next() that waits, or the next one, without a change. The only function that
 * may be called while another thread uses the watch, and from a signal handler. */
void secreg_watch_wake(struct secreg_watch *watch);

/* secreg_watch_error_text, secreg_watch_error_code - as secreg_error_text() and secreg_error_code(), for the last call
 * with the watch; while it waits for the daemon, what it waits for. */
const char *secreg_watch_error_text(const struct secreg_watch *watch);
const char *secreg_watch_error_code(const struct secreg_watch *watch);

/* secreg_watch_close - end the watch and free it. NULL is allowed. Keeps errno. Never blocks. */
void secreg_watch_close(struct secreg_watch *watch);

/*
 * Transactions: several things at once, all of it or nothing. Build one with the calls below, in any number and order,
 * then commit it; every change of it has the same revision and is durable when the commit returns SECREG_OK. A
 * transaction belongs to its handle and lives until secreg_txn_free(); it can be committed more than once.
 *
 * The building calls send nothing. They return SECREG_OK, SECREG_BAD_INPUT (an argument is NULL or no UTF-8 where text
 * is wanted), SECREG_TOO_LARGE (more than 2 MiB in all) or SECREG_FAILURE (out of memory); after the first that failed,
 * the commit fails the same way, so only its result has to be looked at.
 */
struct secreg_txn;
enum secreg_result secreg_txn_new(struct secreg *handle, struct secreg_txn **ret_txn);

/* secreg_txn_free - wipe and free; NULL is allowed; returns NULL. Before secreg_close() of its handle. */
struct secreg_txn *secreg_txn_free(struct secreg_txn *txn);

/* secreg_txn_if_version, secreg_txn_if_value - do it only if the entry is at this version (0: if there is none), or
 * holds this value (type: of the value; SECREG_TYPE_KEEP: of whatever type). */
enum secreg_result secreg_txn_if_version(struct secreg_txn *txn, const char *path, uint64_t version);
enum secreg_result secreg_txn_if_value(struct secreg_txn *txn, const char *path, enum secreg_type type,
                                       const void *value, size_t size);

/* secreg_txn_set, secreg_txn_delete - as secreg_set() and secreg_delete(); options->reason is not used: the reason is
 * the commit's. secreg_txn_delete_tree - an entry or everything below a folder. */
enum secreg_result secreg_txn_set(struct secreg_txn *txn, const char *path, const void *value, size_t size,
                                  const struct secreg_set_options *options);
enum secreg_result secreg_txn_delete(struct secreg_txn *txn, const char *path, uint64_t expected_version);
enum secreg_result secreg_txn_delete_tree(struct secreg_txn *txn, const char *path);

/* secreg_txn_move, secreg_txn_copy - an entry, or a folder with all below it, to a place where nothing is. */
enum secreg_result secreg_txn_move(struct secreg_txn *txn, const char *from, const char *to);
enum secreg_result secreg_txn_copy(struct secreg_txn *txn, const char *from, const char *to);

/*
 * secreg_txn_commit - do it.
 * reason         for history and trail, at most 256 bytes; NULL: none
 * is_dry_run     find out whether it could be done, and change nothing
 * ret_succeeded  false: a condition does not hold, and nothing was done; NULL if not wanted
 * ret_revision   of the tree after it; NULL if not wanted
 * Returns SECREG_OK (also when a condition does not hold), or what the first part that cannot be done would have
 * returned by itself: nothing was changed then, and secreg_error_text() names the part. As secreg_set() for a commit
 * that may have taken place. One round trip; blocks.
 */
enum secreg_result secreg_txn_commit(struct secreg_txn *txn, const char *reason, bool is_dry_run, bool *ret_succeeded,
                                     uint64_t *ret_revision);

/*
 * secreg_error_text - what went wrong in the handle's last call, in English, for people; one line of printable text.
 * Returns a text that is valid until the next call with the handle; "" after SECREG_OK. Never NULL, never a value.
 */
const char *secreg_error_text(const struct secreg *handle);

/*
 * secreg_error_code - the same as a word for programs, a row of doc/spec/outcomes.md, such as "not-found" or "locked".
 * Returns a text that is valid until the next call with the handle; "" after SECREG_OK. Never NULL.
 */
const char *secreg_error_code(const struct secreg *handle);

/* secreg_result_text - a result in words; static, never NULL. */
const char *secreg_result_text(enum secreg_result result);

/* secreg_version_text - version of the library, such as "0.1.0"; static. */
const char *secreg_version_text(void);

#ifdef __cplusplus
}
#endif
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
