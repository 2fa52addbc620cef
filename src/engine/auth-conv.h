/*
 * auth-conv - one login under way, as the engine sees it: the process that was asked for, its channel, and whose turn
 * it is to speak. Everything is a source or timer of the loop: nothing waits.
 *
 * States: the parent was asked for a process (STARTING), the process works (WORKING), the client owes answers (ASKING),
 * it is over. A message is legal in some of them; a process that sends another one, or anything malformed, is killed
 * and the login has failed. on_result is called once, unless auth_conv_fini() came before.
 */
#ifndef ENGINE_AUTH_CONV_H
#define ENGINE_AUTH_CONV_H

#include "model/auth-proto.h"
#include "proc/proc.h"

enum auth_state { AUTH_STARTING = 1u << 0, AUTH_WORKING = 1u << 1, AUTH_ASKING = 1u << 2, AUTH_OVER = 1u << 3 };

struct auth_conv {
    struct proc_child *child;
    unsigned role;  /* row of the auth role */
    uint64_t token; /* what the parent was asked with */
    uid_t uid;      /* who logs in */
    enum auth_state state;
    bool is_tried; /* an answer went to the process: whoever gives up now has failed */
    unsigned rounds;
    size_t asked; /* answers the client owes */
    char user[AUTH_NAME_MAX_BYTES + 1];
    struct chan chan;
    struct loop_source source;
    struct loop_timer limit;
    int64_t prompt_us;                                              /* how long the client may take to answer */
    void (*on_prompts)(struct auth_conv *conv, struct bytes texts); /* checked; may not end it */
    void (*on_result)(struct auth_conv *conv, enum auth_result result, struct bytes notes); /* the owner ends it */
    void (*on_silence)(struct auth_conv *conv); /* the client did not answer in time; the owner ends it */
};

/* auth_conv_start - ask the parent for a process. The fields up to `uid`, user, prompt_us and the functions are set.
 * Returns 0 or a fault: nothing was asked then. */
int auth_conv_start(struct auth_conv *conv) MUST_USE;

/* auth_conv_join - the parent's answer; fd: the channel, taken over; -1: there is none. */
void auth_conv_join(struct auth_conv *conv, int fd);

/* auth_conv_answer - hand checked answers to the process; state AUTH_ASKING, as many as conv->asked. 0 or a fault. */
int auth_conv_answer(struct auth_conv *conv, struct bytes texts) MUST_USE;

/* auth_conv_fini - end it: a process that still runs is killed. */
void auth_conv_fini(struct auth_conv *conv);

#endif
