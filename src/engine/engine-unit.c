/*
 * engine-unit - which units of this host are active, for conditions of rules; see engine.h.
 *
 * The manager of services makes a control group for each unit that runs processes, and the kernel says there whether
 * one of them lives: a file to read, no bus to speak. What has no group of its own in system.slice (timers, targets,
 * sockets, scopes of users, instances of templates, services elsewhere) stays unknown.
 * Source: cgroups(7), cgroup.events; systemd's control group layout.
 */
#include <stdio.h>

#include "engine/engine.h"
#include "os/file.h"

#define UNITS_PATH "/sys/fs/cgroup/system.slice/"

enum { EVENTS_MAX_BYTES = 4096 };

/* "populated 0" or "populated 1" on a line of its own. */
static enum authz_truth read_events(struct bytes text)
{
    while (text.n > 0) {
        struct bytes line = bytes_head(text, bytes_find(text, '\n'));
        text = bytes_from(text, line.n + 1);
        if (bytes_equal(line, BYTES_LITERAL("populated 1")))
            return AUTHZ_YES;
        if (bytes_equal(line, BYTES_LITERAL("populated 0")))
            return AUTHZ_NO;
    }
    return AUTHZ_UNKNOWN;
}

static enum authz_truth look(struct bytes name)
{
    char path[sizeof UNITS_PATH + AUTHZ_NAME_MAX_BYTES + sizeof "/cgroup.events"];
    enum authz_truth truth = AUTHZ_UNKNOWN;
    struct buf text;
    assert(name.n <= AUTHZ_NAME_MAX_BYTES && bytes_find(name, '/') == name.n); /* as conditions are parsed */
    snprintf(path, sizeof path, UNITS_PATH "%.*s/cgroup.events", BYTES_PRINT(name));
    buf_init(&text, EVENTS_MAX_BYTES);
    if (file_read_path(path, &text) == 0)
        truth = read_events(buf_view(&text));
    buf_fini(&text);
    return truth;
}

enum authz_truth engine_unit_is_active(struct bytes name, void *arg)
{
    struct engine *e = arg;
    struct engine_units *u = &e->units;
    for (size_t i = 0; i < u->count; i++) {
        if (bytes_equal(u->asked[i].name, name))
            return u->asked[i].is_active;
    }
    if (u->count == ENGINE_UNITS_MAX_COUNT)
        return AUTHZ_UNKNOWN;
    u->asked[u->count].name = name;
    u->asked[u->count].is_active = look(name);
    return u->asked[u->count++].is_active;
}
