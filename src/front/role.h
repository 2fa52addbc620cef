/* role - what the front's row of the role table calls: bin/secregd.c. */
#ifndef FRONT_ROLE_H
#define FRONT_ROLE_H

#include "proc/proc.h"

int front_on_start(struct proc_child *child) MUST_USE;
void front_on_reload(struct proc_child *child);
void front_on_stop(struct proc_child *child);
void front_on_end(struct proc_child *child);

#endif
