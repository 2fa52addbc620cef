/*
 * host - this host's settings, read for `sreg load-host`: pure parsers of the files, and a collector that opens them.
 *
 * Nothing here writes to the host or talks to the daemon. What cannot be expressed as a path or value is left out and
 * reported by name, never bent into shape.
 */
#ifndef CLI_HOST_H
#define CLI_HOST_H

#include "base/buf.h"

enum { HOST_FILE_MAX_BYTES = 1 << 20, HOST_SETTINGS_MAX_COUNT = 20000, HOST_SKIPPED_MAX_COUNT = 1000 };

struct host_setting {
    char *path;     /* "/registry/system/..." */
    unsigned type;  /* value_type of model/value.h */
    uint8_t *value; /* its canonical text */
    size_t value_bytes;
    size_t order; /* when it was added */
};

struct host_settings {
    struct host_setting *items; /* sorted by path, each path once */
    size_t count, cap;
    char **skipped; /* what was left out, and why, in words that are safe on a terminal */
    size_t skipped_count, skipped_cap;
    char **unread; /* paths that are on the host but could not be read: nothing is known about them and what is below */
    size_t unread_count, unread_cap;
};

/* host_init, host_fini - an empty set; free all. */
void host_init(struct host_settings *s);
void host_fini(struct host_settings *s);

/* host_find - the setting of a path, or NULL. O(log n); the set must come from host_collect(). */
const struct host_setting *host_find(const struct host_settings *s, struct bytes path);

/* host_is_unread - true if nothing is known about `path`, so that its absence from the set means nothing. */
bool host_is_unread(const struct host_settings *s, struct bytes path);

/*
 * host_collect - read the settings of the host whose files lie below `root` ("" for the running system).
 * Kernel state (/proc/sys, /sys/class/net) is also read below `root`, so that tests can give a made-up host; symbolic
 * links in the files are resolved within `root`. Missing files are no fault: what is not there has no settings.
 * ret_settings  free with host_fini()
 * Returns 0 or a fault: -ENOMEM, FAULT_LIMIT (more than HOST_SETTINGS_MAX_COUNT settings), -errno if `root` itself
 * cannot be opened.
 */
int host_collect(const char *root, struct host_settings *ret_settings) MUST_USE;

#endif
