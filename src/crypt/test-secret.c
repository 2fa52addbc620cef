#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypt/test-crypt.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static int outcome_of_start;

static int start_and_note(void **state)
{
    (void)state;
    outcome_of_start = crypt_start();
    return outcome_of_start < 0 ? -1 : 0;
}

static void test_start_twice(void **state)
{
    (void)state;
    assert_true(outcome_of_start == 0 || outcome_of_start == CRYPT_UNLOCKED);
    assert_int_equal(crypt_start(), outcome_of_start);
}

static void drop_capabilities(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0}};
    if (syscall(SYS_capset, &head, none) != 0)
        _exit(2);
}

/* Root may lock whatever the limit says, so the right goes first. */
static void start_without_lock(void)
{
    struct rlimit none = {0, 0};
    struct secret s;
    drop_capabilities();
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || crypt_start() != CRYPT_UNLOCKED)
        _exit(1);
    if (secret_init(&s, 32) != 0) /* all works all the same */
        _exit(3);
    secret_fini(&s);
}

static void start_with_one_page(void)
{
    struct rlimit page = {4096, 4096};
    drop_capabilities();
    if (setrlimit(RLIMIT_MEMLOCK, &page) != 0 || crypt_start() != CRYPT_UNLOCKED)
        _exit(1);
}

static void test_start_says_that_memory_cannot_be_locked(void **state)
{
    (void)state;
    if (MLOCK_IS_REAL) {
        assert_int_equal(in_child(start_without_lock), 0);
        assert_int_equal(in_child(start_with_one_page), 0);
    }
}

static void test_no_memory(void **state)
{
    struct rlimit old, none;
    struct secret s = {0};
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
    none = (struct rlimit){0, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    int started = crypt_start(), made = secret_init(&s, 32), drawn = secret_init_random(&s, 32);
    int copied = secret_init_copy(&s, BYTES_LITERAL("x"));
    assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
    assert_int_equal(started, -ENOMEM);
    assert_int_equal(made, -ENOMEM);
    assert_int_equal(drawn, -ENOMEM);
    assert_int_equal(copied, -ENOMEM);
    assert_true(secret_is_empty(&s));
}

static void test_init_is_zeroed(void **state)
{
    static const size_t sizes[] = {1, 15, 16, 32, 4095, SECRET_MAX_BYTES};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct secret s = {0};
        assert_int_equal(secret_init(&s, sizes[i]), 0);
        assert_int_equal(s.n, sizes[i]);
        assert_int_equal(secret_view(&s).n, sizes[i]);
        assert_ptr_equal(secret_view(&s).p, s.p);
        for (size_t j = 0; j < s.n; j++)
            assert_int_equal(s.p[j], 0);
        secret_fini(&s);
        assert_true(secret_is_empty(&s));
        assert_null(s.p);
        secret_fini(&s);
    }
    secret_fini(NULL);
}

static void test_limits(void **state)
{
    static const uint8_t big[SECRET_MAX_BYTES + 1];
    struct secret s = {0};
    (void)state;
    assert_int_equal(secret_init(&s, 0), FAULT_LIMIT);
    assert_int_equal(secret_init(&s, SECRET_MAX_BYTES + 1), FAULT_LIMIT);
    assert_int_equal(secret_init(&s, SIZE_MAX), FAULT_LIMIT);
    assert_int_equal(secret_init_random(&s, 0), FAULT_LIMIT);
    assert_int_equal(secret_init_copy(&s, BYTES_NONE), FAULT_LIMIT);
    assert_int_equal(secret_init_copy(&s, BYTES_OF(big)), FAULT_LIMIT);
    assert_true(secret_is_empty(&s));
}

static void test_random_and_copy(void **state)
{
    struct secret a = {0}, b = {0};
    (void)state;
    assert_int_equal(secret_init_random(&a, 32), 0);
    assert_int_equal(secret_init_random(&b, 32), 0);
    assert_false(secret_equal(secret_view(&a), secret_view(&b)));
    secret_fini(&b);
    b = secret_of(secret_view(&a));
    assert_ptr_not_equal(a.p, b.p);
    assert_true(secret_equal(secret_view(&a), secret_view(&b)));
    secret_fini(&a);
    secret_fini(&b);
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(secret_equal(BYTES_NONE, BYTES_NONE));
    assert_true(secret_equal(BYTES_LITERAL("token"), BYTES_LITERAL("token")));
    assert_false(secret_equal(BYTES_LITERAL("token"), BYTES_LITERAL("tokem")));
    assert_false(secret_equal(BYTES_LITERAL("token"), BYTES_LITERAL("Token")));
    assert_false(secret_equal(BYTES_LITERAL("token"), BYTES_LITERAL("toke")));
    assert_false(secret_equal(BYTES_LITERAL("token"), BYTES_NONE));
}

static void test_wipe(void **state)
{
    uint8_t area[] = {1, 2, 3, 4}, wanted[] = {1, 0, 0, 4};
    (void)state;
    secret_wipe(area + 1, 2);
    secret_wipe(NULL, 0);
    assert_memory_equal(area, wanted, sizeof area);
}

static void test_memory_is_locked_and_not_dumped(void **state)
{
    struct secret s = {0};
    char flags[256];
    (void)state;
    assert_int_equal(secret_init(&s, 32), 0);
    mapping_flags(s.p, flags, sizeof flags);
    assert_non_null(strstr(flags, " dd"));
    if (outcome_of_start == 0 && MLOCK_IS_REAL)
        assert_non_null(strstr(flags, " lo"));
    secret_fini(&s);
}

static struct secret guarded;

static void read_inside(void)
{
    volatile const uint8_t *p = guarded.p;
    (void)p[guarded.n - 1];
}

static void read_past_end(void)
{
    volatile const uint8_t *p = guarded.p;
    (void)p[guarded.n];
}

static void write_before_start(void)
{
    volatile uint8_t *p = guarded.p;
    p[-1] = 1; /* the canary */
    secret_fini(&guarded);
}

static void test_guards(void **state)
{
    (void)state;
    assert_int_equal(secret_init(&guarded, 32), 0);
    assert_int_equal(in_child(read_inside), 0);
    assert_true(WIFSIGNALED(in_child(read_past_end)));
    assert_true(WIFSIGNALED(in_child(write_before_start)));
    secret_fini(&guarded);
}

static void test_fini_gives_memory_back(void **state)
{
    long before = locked_kib();
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct secret s;
        assert_int_equal(secret_init_random(&s, 4096), 0);
        secret_fini(&s);
    }
    assert_int_equal(locked_kib(), before);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_start_twice),
        cmocka_unit_test(test_start_says_that_memory_cannot_be_locked),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_init_is_zeroed),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_random_and_copy),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_wipe),
        cmocka_unit_test(test_memory_is_locked_and_not_dumped),
        cmocka_unit_test(test_guards),
        cmocka_unit_test(test_fini_gives_memory_back),
    };
    return cmocka_run_group_tests(all, start_and_note, NULL);
}
