/*
 * zone-name - time zones by the names that people know: the daemon takes only the rule that stands for one, so that
 * what a condition means hangs on no file. Source: RFC 8536, section 3.3 (the footer of a TZif file); tzfile(5).
 */
#ifndef CLI_ZONE_NAME_H
#define CLI_ZONE_NAME_H

#include "base/buf.h"

enum { ZONE_FILE_MAX_BYTES = 256 << 10, ZONE_NAME_MAX_TEXT_BYTES = 64 };

/* zone_name_check - a name as "Europe/Berlin": parts of [A-Za-z0-9_+-] that begin with a letter, slashes between. */
bool zone_name_check(struct bytes name) MUST_USE;

/* zone_name_footer - the rule in the footer of a TZif file; a view. False: it has none, or is no such file. Pure. */
bool zone_name_footer(struct bytes file, struct bytes *ret_rule) MUST_USE;

/*
 * zone_name_resolve - append a condition with the name behind "zone=" replaced by its rule; any other text as it is.
 * folder     where the host keeps its zones: /usr/share/zoneinfo
 * ret_name, ret_rule  what was replaced, and by what (a view into `out`); empty if nothing was
 * Returns 0, ZONE_NAME_ABSENT (the host has no zone of that name, with a rule), or a fault.
 */
enum { ZONE_NAME_ABSENT = 1 };
int zone_name_resolve(const char *folder, struct bytes condition, struct buf *out, struct bytes *ret_name,
                      struct bytes *ret_rule) MUST_USE;

#endif
