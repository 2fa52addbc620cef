/*
 * proc - the skeleton of every daemon: a parent that opens, starts and reaps, and roles that are confined before they
 * see their first byte. A daemon is a table of roles, links and sockets; main() hands it to proc_main().
 *
 * Order of a start, which never varies: read the configuration; take the lock of the state folder; open sockets; start
 * every role (fork + exec of this program with --role=NAME) and send it its set-up; each role confines itself, then
 * says ready; the parent confines itself, then reports readiness. A role that ends unasked takes the daemon down.
 * Source: OpenSMTPD smtpd.c, OpenSSH monitor.c, Postfix single_server.c.
 */
#ifndef PROC_PROC_H
#define PROC_PROC_H

#include "conf/conf.h"
#include "confine/confine.h"
#include "os/chan.h"
#include "os/loop.h"
#include "proc/proc-msg.h"

enum {
    PROC_ROLES_MAX_COUNT = 8,      /* rows of a role table */
    PROC_INSTANCES_MAX_COUNT = 16, /* of one role */
    PROC_LINKS_MAX_COUNT = 32,     /* channels of one role */
    PROC_FILES_MAX_COUNT = 8,      /* named descriptors of one role */
    PROC_PATH_MAX_BYTES = 512,
    PROC_CHAN_MAX_BYTES = 8 << 20, /* waiting in one direction of one channel */
};

struct proc_child;

struct proc_role {
    const char *name;
    const char *user;    /* system user when started by root without --root; NULL: the one that started the daemon */
    int count_option;    /* index of the option that says how many; -1: one */
    bool gets_listeners; /* receives the sockets of the daemon's table */
    bool gets_files;     /* receives the named files */
    bool asks;           /* may ask for names of users, and for a reload */
    int (*on_start)(struct proc_child *child) MUST_USE; /* confined; add sources to the loop */
    void (*on_reload)(struct proc_child *child);        /* child->conf has changed */
    void (*on_answer)(struct proc_child *child, const struct msg_answer *answer);
    void (*on_stop)(struct proc_child *child); /* finish, then call proc_child_end() */
    void (*on_end)(struct proc_child *child);  /* the loop is over: free everything */
    /*
     * A role that is started on demand, once each time a role with a link to it asks (proc_child_start_role()). Of the
     * fields above only `name` counts. It stays who the daemon was started as, is confined by its profile, has one
     * descriptor, the channel to who asked, and this function for its life. Its end never ends the daemon.
     * fd    the channel: a connected stream socket, close-on-exec
     * root  as --root; "" for the running system
     * Returns the exit status.
     */
    int (*on_demand)(int fd, const char *root);
    int limit_option; /* on demand: index of the option (ms) that bounds its life: it is killed after that */
    bool is_starter;  /* starts those on demand: the three functions of proc-starter.c */
};

struct proc_link {
    /* Rows of the role table: every instance of one is joined with every instance of the other; if `to` is a role on
     * demand, `from` may ask for it. */
    unsigned from, to;
};

struct proc_socket {
    const char *name; /* also the name systemd passes it by */
    const char *path; /* below the root */
    mode_t mode;
};

struct proc_file {
    const char *name;
    const char *path; /* below the root; opened for reading by the parent; may be absent */
};

struct proc_daemon {
    const char *name;
    const struct conf_schema *schema;
    const char *conf_path;  /* below the root */
    const char *state_path; /* below the root; must exist, except for `extra` modes */
    const char *run_path;   /* below the root; made if absent */
    const struct proc_role *roles;
    size_t roles_count;
    const struct proc_link *links;
    size_t links_count;
    const struct proc_socket *sockets;
    size_t sockets_count;
    const struct proc_file *files;
    size_t files_count;
    int log_option; /* index of the log level option */
    /* Another mode of the program, chosen by --mode=NAME (NULL: none). Returns the exit status. */
    int (*on_mode)(const char *mode, const char *root, int argc, char **argv);
    const char *usage;
};

/* What a role has. */
struct proc_child {
    const struct proc_daemon *daemon;
    const struct proc_role *role;
    unsigned instance;
    const char *root; /* of a starter: as --root */
    struct loop *loop;
    struct conf_values conf;
    struct confine_report report;
    char state_path[PROC_PATH_MAX_BYTES]; /* absolute */
    size_t links_count;
    struct proc_end {
        unsigned role, instance;
        int fd; /* -1 once taken */
    } links[PROC_LINKS_MAX_COUNT];
    size_t siblings_count;
    struct proc_sibling {
        char role[32];
        unsigned instance;
        uint32_t pid, landlock_abi;
        char dropped[CONFINE_REPORT_BYTES];
    } siblings[PROC_ROLES_MAX_COUNT * PROC_INSTANCES_MAX_COUNT];
    void *own; /* the role's */
    struct proc_child_state *hidden;
};

/* proc_main - run a daemon, or one of its roles, as the arguments say. Returns the exit status. */
int proc_main(const struct proc_daemon *daemon, int argc, char **argv);

/* proc_child_take_file - the named descriptor that the parent sent, now the caller's; -1 if there is none (any more).
 */
int proc_child_take_file(struct proc_child *child, const char *name);

/* proc_child_ask - put a question to the parent; the answer comes to on_answer with the same token. 0 or a fault. */
int proc_child_ask(struct proc_child *child, enum proc_question question, uint64_t token) MUST_USE;

/*
 * proc_child_start_role - ask the parent for a role on demand. The answer comes to on_answer with the same token; if it
 * is good, proc_child_take_answer() gives the descriptor, once, inside that call. role: its row. 0 or a fault.
 */
int proc_child_start_role(struct proc_child *child, unsigned role, uint64_t token) MUST_USE;
int proc_child_take_answer(struct proc_child *child);

/* proc_child_dismiss_role - have the role that was started for a token killed, if it still runs. 0 or a fault. */
int proc_child_dismiss_role(struct proc_child *child, unsigned role, uint64_t token) MUST_USE;

/* proc_child_end - leave the loop after this turn, with this exit status. */
void proc_child_end(struct proc_child *child, int status);

/* Exit status of a role that ends because another one did: not the cause of anything. */
enum { PROC_ORPHANED = 3 };

/* proc_child_fail - log a fault with its origin, and leave. what: the act that failed; static. */
void proc_child_fail(struct proc_child *child, int fault, const char *what);

/*
 * The starter: a role of the daemon's table that starts the roles on demand. The parent cannot: what confines it would
 * confine them too. It gets a role's row and a descriptor from the parent and sees no other byte.
 */
int proc_starter_on_start(struct proc_child *child) MUST_USE;
void proc_starter_on_stop(struct proc_child *child);
void proc_starter_on_end(struct proc_child *child);

/* proc_log_fault - one line: what failed, why, and where the fault arose. */
void proc_log_fault(int fault, const char *what);

/* proc_path - join root and path into `ret` (PROC_PATH_MAX_BYTES). Returns 0 or FAULT_LIMIT. */
int proc_path(const char *root, const char *path, char *ret) MUST_USE;

#endif
