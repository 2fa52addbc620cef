/*
 * proc-parent - what the parent's two files share: the daemon as the parent sees it.
 */
#ifndef PROC_PROC_PARENT_H
#define PROC_PROC_PARENT_H

#include "proc/proc-internal.h"

enum { STATUS_BYTES = 200 };

struct parent;

/* One running role. */
struct part {
    struct parent *parent;
    const struct proc_role *role;
    unsigned row, instance;
    pid_t pid;
    int pidfd;
    struct chan chan;
    struct loop_source chan_source, pid_source;
    struct confine_report report;
    bool is_started, is_ready, has_ponged, has_ended;
    int end_status;
};

struct parent {
    const struct proc_daemon *daemon;
    const struct proc_args *args;
    struct loop *loop;
    struct loop_hook hook;
    struct loop_timer limit, watchdog;
    struct conf_values conf;
    struct part parts[PROC_ROLES_MAX_COUNT * PROC_INSTANCES_MAX_COUNT];
    size_t parts_count;
    int lock_fd, socket_fds[PROC_FILES_MAX_COUNT];
    char state_path[PROC_PATH_MAX_BYTES], run_path[PROC_PATH_MAX_BYTES], conf_folder[PROC_PATH_MAX_BYTES];
    bool waits_for_cause; /* a role followed another into its end, and which one is not known yet */
    bool is_ready, is_stopping, owns_sockets[PROC_FILES_MAX_COUNT];
    int status;
    char last_reload[STATUS_BYTES];
};

/* proc_open_all - take the lock of the state folder and open the sockets. Returns 0 or a fault. */
int proc_open_all(struct parent *p) MUST_USE;

/* proc_start_all - start every role and queue its set-up; the roles begin when it has been sent. Returns 0 or a fault.
 */
int proc_start_all(struct parent *p) MUST_USE;

/* proc_send_files, proc_send_conf, proc_say - queue a message for one role. Return 0 or a fault. */
int proc_send_files(struct part *part) MUST_USE;
int proc_send_conf(struct part *part, uint16_t type, const struct conf_values *values) MUST_USE;
int proc_say(struct part *part, uint16_t type) MUST_USE;

/* proc_on_chan, proc_on_exit - events of a role: a message came, or it ended. */
void proc_on_chan(struct loop_source *source, unsigned events);
void proc_on_exit(struct loop_source *source, unsigned events);

#endif
