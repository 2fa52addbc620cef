/*
 * doctor - the findings of `sreg doctor`, and those checks that are made on texts alone.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "base/bytes.h"

enum { DOCTOR_FINDINGS_MAX_COUNT = 64, DOCTOR_TEXT_BYTES = 640, DOCTOR_NAME_BYTES = 48 };

enum doctor_verdict { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct cli;

struct doctor {
    struct cli *cli;
    uint64_t engine_pid; /* 0 until it is known */
    size_t count, failed;
    struct doctor_finding {
        enum doctor_verdict verdict;
        char name[DOCTOR_NAME_BYTES];
        char text[DOCTOR_TEXT_BYTES]; /* not escaped */
    } findings[DOCTOR_FINDINGS_MAX_COUNT];
};

/* doctor_say - add a finding; left out when there is no room. */
void doctor_say(struct doctor *d, enum doctor_verdict verdict, const char *name, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* doctor_status - judge what the daemon says of itself: the data of GET /v1/status. */
void doctor_status(struct doctor *d, struct bytes data);

/* doctor_role_text - judge the text of /proc/PID/status of a role of secregd against the role's profile. */
void doctor_role_text(struct doctor *d, const char *role, const char *proc_status);

/* doctor_lock_limit - the soft limit of locked memory in the text of /proc/PID/limits; UINT64_MAX: none. False if
 * absent. */
bool doctor_lock_limit(struct bytes limits, uint64_t *ret_bytes);

#endif
