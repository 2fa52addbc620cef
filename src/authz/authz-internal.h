/* authz-internal - shared by the files of authz. */
#ifndef AUTHZ_AUTHZ_INTERNAL_H
#define AUTHZ_AUTHZ_INTERNAL_H

#include "authz/authz.h"

/* What the kernel shows for an identity it cannot translate: overflowuid and overflowgid, user_namespaces(7). */
enum { AUTHZ_ID_OVERFLOW = 65534 };

/* authz_id_is_known - true if the number says who somebody is: neither that one nor AUTHZ_NOBODY. */
static inline bool authz_id_is_known(uint32_t id)
{
    return id != AUTHZ_ID_OVERFLOW && id != AUTHZ_NOBODY;
}

/* authz_is_unit_name - [A-Za-z0-9:_.@\\-]+ ending in one of the suffixes, at most AUTHZ_NAME_MAX_BYTES. */
bool authz_is_unit_name(struct bytes name, const struct bytes *suffixes, size_t suffixes_count);

#endif
