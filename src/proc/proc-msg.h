/*
 * proc-msg - what the parent and its roles say to each other, for every daemon.
 */
#ifndef PROC_PROC_MSG_H
#define PROC_PROC_MSG_H

#include "wire/msg.h"

enum proc_to_role {
    PROC_CONF = 1, /* set-up: the configuration */
    PROC_LINK,     /* set-up, with a descriptor: one end of a channel to another role */
    PROC_FILE,     /* set-up and reload, with a descriptor: a named file or socket */
    PROC_PLACE,    /* set-up: where something lies */
    PROC_START,    /* set-up is complete: confine yourself and begin */
    PROC_PING,     /* are you alive? */
    PROC_RELOAD,   /* new configuration */
    PROC_ANSWER,   /* to PROC_ASK */
    PROC_SIBLING,  /* a role that runs, for status */
    PROC_STOP,     /* finish */
    PROC_SPAWN,    /* to a starter, with a descriptor: start a role on demand */
    PROC_DISMISS,  /* to a starter: end what a token stands for */
};

enum proc_to_parent {
    PROC_READY = 1, /* confined and serving */
    PROC_PONG,
    PROC_ASK, /* a question only the parent can answer */
};

enum proc_question {
    PROC_ASK_USER = 1,   /* name of a uid in /etc/passwd */
    PROC_ASK_RELOAD = 2, /* read the configuration again */
    PROC_ASK_ROLE = 3,   /* start a role on demand; a good answer comes with a descriptor, the channel to it */
    PROC_ASK_DISMISS = 4 /* end the one that was asked for with this token; no answer */
};

// clang-format off
#define PROC_CONF_FIELDS(X) X(bytes, values)
MSG_DECLARE(conf, PROC_CONF_FIELDS)

#define PROC_LINK_FIELDS(X) X(u32, role) X(u32, instance)
MSG_DECLARE(link, PROC_LINK_FIELDS)

#define PROC_NAMED_FIELDS(X) X(bytes, name) X(bytes, text)
MSG_DECLARE(named, PROC_NAMED_FIELDS)

#define PROC_EMPTY_FIELDS(X) X(u8, zero)
MSG_DECLARE(empty, PROC_EMPTY_FIELDS)

#define PROC_READY_FIELDS(X) X(u32, landlock_abi) X(bytes, dropped)
MSG_DECLARE(ready, PROC_READY_FIELDS)

#define PROC_ASK_FIELDS(X) X(u16, question) X(u64, token) X(u32, role)
MSG_DECLARE(ask, PROC_ASK_FIELDS)

#define PROC_ANSWER_FIELDS(X) X(u16, question) X(u64, token) X(bool, is_good) X(bytes, text)
MSG_DECLARE(answer, PROC_ANSWER_FIELDS)

#define PROC_SIBLING_FIELDS(X) X(bytes, role) X(u32, instance) X(u32, pid) X(u32, landlock_abi) X(bytes, dropped)
MSG_DECLARE(sibling, PROC_SIBLING_FIELDS)

#define PROC_SPAWN_FIELDS(X) X(u32, role) X(u64, token)
MSG_DECLARE(spawn, PROC_SPAWN_FIELDS)
// clang-format on

#endif
