/* role - what the engine's row of the role table calls: bin/secregd.c. */
#ifndef ENGINE_ROLE_H
#define ENGINE_ROLE_H

#include "proc/proc.h"

int engine_on_start(struct proc_child *child) MUST_USE;
void engine_on_reload(struct proc_child *child);
void engine_on_answer(struct proc_child *child, const struct msg_answer *answer);
void engine_on_stop(struct proc_child *child);
void engine_on_end(struct proc_child *child);

#endif
