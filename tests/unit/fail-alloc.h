/*
 * Allocation failure for unit tests: the linker routes malloc, calloc and realloc here (--wrap).
 *
 * fail_alloc_after(n)  let n more allocations succeed, then fail one (and all after it until fail_alloc_off)
 * fail_alloc_off()     allocate normally again; returns true if an allocation was refused since the last call
 */
#ifndef TEST_FAIL_ALLOC_H
#define TEST_FAIL_ALLOC_H
#include <stdbool.h>
void fail_alloc_after(unsigned count);
bool fail_alloc_off(void);

/* Run `expr` with the 1st, 2nd, 3rd ... allocation failing until a run needs no more allocations than it got. */
#define EACH_ALLOC_FAILURE(expr)                                                                                       \
    do {                                                                                                               \
        for (unsigned fa_n_ = 0; fa_n_ < 10000; fa_n_++) {                                                             \
            fail_alloc_after(fa_n_);                                                                                   \
            expr;                                                                                                      \
            if (!fail_alloc_off())                                                                                     \
                break;                                                                                                 \
        }                                                                                                              \
    } while (0)
#endif
