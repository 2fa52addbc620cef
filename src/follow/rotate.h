/*
 * rotate - files of past days: their names, compressing one in small steps, and which of them are old enough to go.
 *
 * The file that is written is `audit.log`; a past one is `audit-YYYY-MM-DD.log`, or `audit-YYYY-MM-DD.N.log` if there
 * is one of that day already, and .gz behind that once it is compressed. A compressed file appears under its name only
 * when all of it is durable, and then the other one goes; a kill in between leaves both, and it is done again.
 * Source: RFC 1952; zlib.
 */
#ifndef FOLLOW_ROTATE_H
#define FOLLOW_ROTATE_H

#include "base/clock.h"
#include "base/fault.h"

enum { ROTATE_NAME_BYTES = 64, ROTATE_STEP_BYTES = 256 << 10, ROTATE_GONE_MAX_COUNT = 2 };
#define ROTATE_LIVE "audit.log"

/* rotate_day - of a time, in days since 1970, UTC. Pure. */
int64_t rotate_day(struct wall_time t);

/* rotate_name - the name for the file of a day; n: 0, 1, ... Pure. rotate_read_name - what such a name says; false: it
 * is another file. Pure. */
void rotate_name(int64_t day, unsigned n, char ret[static ROTATE_NAME_BYTES]);
bool rotate_read_name(const char *name, int64_t *ret_day, bool *ret_is_packed) MUST_USE;

/* rotate_away - rename the live file to the name of its day. Returns 0 or a fault. */
int rotate_away(int folder, int64_t day) MUST_USE;

/*
 * rotate_expire - remove past files of days before `first`, the oldest ones first and at most ROTATE_GONE_MAX_COUNT at
 * a time: a clock that jumps ahead must not take all of them. Returns 0 or a fault.
 */
int rotate_expire(int folder, int64_t first) MUST_USE;

/* rotate_pack_begin - find a past file that is not compressed yet, and begin. Returns 0, ROTATE_NONE, or a fault.
 * rotate_pack_step - go on. Returns 0 (done), ROTATE_MORE, or a fault: what was made is removed again.
 * rotate_pack_end - give up; nothing under way is allowed. */
enum { ROTATE_NONE = 1, ROTATE_MORE = 2 };
struct rotate_pack;
int rotate_pack_begin(int folder, struct rotate_pack **ret_pack) MUST_USE;
int rotate_pack_step(struct rotate_pack *p) MUST_USE;
struct rotate_pack *rotate_pack_end(struct rotate_pack *p);

#endif
