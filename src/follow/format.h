/*
 * format - one record of the trail in the forms in which it leaves the host. Pure functions.
 *
 * Every text of a record goes through text_escape() first, so that no control character, terminal sequence or
 * right-to-left mark reaches a reader, whatever the form makes of it; then through the escapes of the form.
 *
 * Each form has all members of a record but the keyed ones (commitment, state) and `prev`; `leaf` is the leaf hash
 * (doc/spec/trail.md), and `repeat` says that the record may have been sent before.
 * Source: RFC 5424, RFC 5612 (the enterprise number for examples); systemd, Native Journal Protocol; RFC 8259.
 */
#ifndef FOLLOW_FORMAT_H
#define FOLLOW_FORMAT_H

#include "crypt/digest.h"
#include "wire/record.h"

enum { FORMAT_MAX_BYTES = 64 << 10, FORMAT_HOST_MAX_BYTES = 255 };

struct format_item {
    const struct record *record;
    struct bytes bytes;  /* its canonical form */
    const uint8_t *leaf; /* DIGEST_BYTES */
    struct bytes base;   /* what stands for the records that were not there before it (trail/prune.h); else empty */
    bool is_repeat;
};

/* format_syslog - append a message as RFC 5424 has it, with its length before it (octet counting, RFC 6587).
 * facility: 0 to 23. host: printable ASCII without space, not empty. 0 or as buf_reserve(). */
int format_syslog(struct buf *out, const struct format_item *item, unsigned facility, const char *host) MUST_USE;

/* format_journal - append the fields of one datagram to journald. 0 or as buf_reserve(). */
int format_journal(struct buf *out, const struct format_item *item) MUST_USE;

/* format_json - append one line of JSON, newline included. 0 or as buf_reserve(). */
int format_json(struct buf *out, const struct format_item *item) MUST_USE;

/* format_severity - of syslog and journal: 2 (critical) damage, 3 (error) failures, 4 (warning) refusals and what needs
 * a look, 5 (notice) changes of policy, keys and service, 6 (informational) the rest. */
unsigned format_severity(const struct record *r);

#endif
