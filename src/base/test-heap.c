/* Tests of the heap against a sorted array, and of memory that runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/heap.h"
#include "fail-alloc.h"

enum { LINKS = 300, STEPS = 20000 };

static uint64_t random_state = 88172645463325252u;

static unsigned next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 11);
}

static void the_smallest_is_on_top(void **state)
{
    static struct heap_link links[LINKS];
    struct heap h = {0};
    (void)state;
    assert_null(heap_top(&h));
    for (int step = 0; step < STEPS; step++) {
        struct heap_link *l = &links[next_random() % LINKS];
        if (l->place != 0) {
            heap_remove(&h, l);
        } else {
            l->key = (int64_t)(next_random() % 100) - 50;
            assert_int_equal(heap_reserve(&h, h.count + 1), 0);
            heap_add(&h, l);
        }
        int64_t least = INT64_MAX;
        size_t count = 0;
        for (size_t i = 0; i < LINKS; i++) {
            count += links[i].place != 0;
            least = links[i].place != 0 && links[i].key < least ? links[i].key : least;
        }
        assert_int_equal(count, h.count);
        assert_true(count == 0 ? heap_top(&h) == NULL : heap_top(&h)->key == least);
    }
    heap_fini(&h);
    assert_null(heap_top(&h));
}

static void room_may_run_out(void **state)
{
    struct heap h = {0};
    (void)state;
    fail_alloc_after(0);
    assert_int_equal(heap_reserve(&h, 1), -ENOMEM);
    assert_true(fail_alloc_off());
    assert_int_equal(heap_reserve(&h, 1000), 0);
    assert_true(h.cap >= 1000);
    heap_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_smallest_is_on_top), cmocka_unit_test(room_may_run_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
