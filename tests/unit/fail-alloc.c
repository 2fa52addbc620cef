/* See fail-alloc.h. */
#include "fail-alloc.h"

#include <errno.h>
#include <stddef.h>

static bool armed, refused;
static unsigned left;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

void fail_alloc_after(unsigned count)
{
    armed = true;
    refused = false;
    left = count;
}

bool fail_alloc_off(void)
{
    bool r = refused;
    armed = refused = false;
    return r;
}

static bool refuse(void)
{
    if (!armed)
        return false;
    if (left > 0) {
        left--;
        return false;
    }
    refused = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t n)
{
    return refuse() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return refuse() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return refuse() ? NULL : __real_realloc(p, n);
}
