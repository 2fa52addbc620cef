/* proc-internal - what the files of proc share. */
#ifndef PROC_PROC_INTERNAL_H
#define PROC_PROC_INTERNAL_H

#include "base/log.h"
#include "proc/proc.h"

struct proc_args {
    const char *root; /* "" for none */
    const char *role; /* NULL: parent */
    const char *mode; /* NULL: none */
    unsigned instance;
    int ready_fd; /* -1 */
    bool shows_help, shows_version, checks_conf, dumps_conf;
};

/* proc_role_main, proc_parent_main - run; return the exit status. */
int proc_role_main(const struct proc_daemon *daemon, const struct proc_args *args);
int proc_parent_main(const struct proc_daemon *daemon, const struct proc_args *args);

/*
 * proc_conf_load - read the configuration file, or take the defaults if there is none.
 * why  CONF_WHY_BYTES; set when CONF_BAD is returned
 * Returns 0, CONF_BAD, or a fault.
 */
int proc_conf_load(const struct proc_daemon *daemon, const char *root, struct conf_values *ret_values,
                   char *why) MUST_USE;

/* proc_starter_spawn - start the role of a message with the descriptor, which is taken over. False: not a legal row. */
bool proc_starter_spawn(struct proc_child *child, const struct msg_spawn *m, int fd);

/* proc_starter_dismiss - end what was started for a token, if it runs. */
void proc_starter_dismiss(struct proc_child *child, uint64_t token);

/* proc_log_level - the level an option's value stands for (words error, warning, info, debug). */
enum log_level proc_log_level(const struct proc_daemon *daemon, const struct conf_values *values);

#endif
