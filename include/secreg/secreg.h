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
