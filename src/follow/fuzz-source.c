/*
 * fuzz-source - any bytes as what the daemon's stream brings. Whatever comes, records are handed out in order of their
 * numbers and each with the hash of the one before, unless a gap was said.
 */
#include <stdlib.h>

#include "crypt/secret.h"
#include "test-attach.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct source s;
    static bool is_made;
    struct source_place from = {0};
    struct bytes record;
    struct record r;
    if (!is_made && (crypt_start() < 0 || source_init(&s, "/nowhere") < 0))
        abort();
    is_made = true;
    int fd = attach(&s, &from);
    if (fd < 0)
        return 0;
    uint64_t next = 0;
    for (size_t at = 0; at <= n && source_fd(&s) >= 0; at += 1000) {
        size_t part = n - at < 1000 ? n - at : 1000;
        if (part > 0 && write(fd, data + at, part) != (ssize_t)part)
            abort();
        if (part == 0)
            shutdown(fd, SHUT_WR);
        int x = source_receive(&s);
        while (x == 0 && (x = source_next(&s, &record, &r)) == 0) {
            if (r.seq < next || (r.seq > next && s.gaps == 0) || s.place.next != r.seq + 1)
                abort();
            next = r.seq + 1;
        }
        s.gaps = 0;
        if (x < 0)
            abort();
    }
    source_leave(&s);
    close(fd);
    return 0;
}
