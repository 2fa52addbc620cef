#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypt/crypt-internal.h"
#include "crypt/test-crypt.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { DRAW_BYTES = 32, NONCE_COUNT = 100000, BULK_BYTES = 1 << 20 };

static int compare_draws(const void *a, const void *b)
{
    return memcmp(a, b, SEAL_NONCE_BYTES);
}

static bool repeats(uint8_t (*draws)[SEAL_NONCE_BYTES], size_t count)
{
    qsort(draws, count, sizeof *draws, compare_draws);
    for (size_t i = 1; i < count; i++) {
        if (memcmp(draws[i - 1], draws[i], sizeof *draws) == 0)
            return true;
    }
    return false;
}

/* Draws in a child and in its parent, both after the fork. True if they drew the same. */
static bool child_repeats_parent(void)
{
    int fds[2], status = 0;
    uint8_t mine[DRAW_BYTES], theirs[DRAW_BYTES];
    crypt_random(mine, sizeof mine);
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        crypt_random(mine, sizeof mine);
        _exit(write(fds[1], mine, sizeof mine) == (ssize_t)sizeof mine ? 0 : 1);
    }
    crypt_random(mine, sizeof mine);
    assert_int_equal(read(fds[0], theirs, sizeof theirs), sizeof theirs);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(close(fds[0]) | close(fds[1]), 0);
    return memcmp(mine, theirs, sizeof mine) == 0;
}

/* Runs before any other test: the page is not mapped yet. */
static void test_without_memory_the_kernel_is_asked(void **state)
{
    struct rlimit old, none;
    uint8_t a[DRAW_BYTES] = {0}, b[DRAW_BYTES] = {0}, zeros[DRAW_BYTES] = {0};
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
    none = (struct rlimit){0, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    crypt_random(a, sizeof a);
    crypt_random(b, sizeof b);
    assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a, zeros, sizeof a);
}

static void refuse_madvise(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {COUNT_OF(rules), rules};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(2);
    if (child_repeats_parent())
        _exit(1);
}

static void test_a_page_that_would_survive_fork_is_not_used(void **state)
{
    (void)state;
    assert_int_equal(in_child(refuse_madvise), 0);
}

static void test_forked_child_never_repeats(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        assert_false(child_repeats_parent());
}

static void test_nonces_do_not_repeat(void **state)
{
    uint8_t(*draws)[SEAL_NONCE_BYTES] = malloc(NONCE_COUNT * sizeof *draws);
    (void)state;
    assert_non_null(draws);
    for (size_t i = 0; i < NONCE_COUNT; i++)
        crypt_random(draws[i], sizeof draws[i]);
    assert_false(repeats(draws, NONCE_COUNT));
    free(draws);
}

/* One request across many blocks and seeds: no repeats inside, and each byte value about as often as any other. */
static void test_bulk_is_uniform(void **state)
{
    size_t count = BULK_BYTES / SEAL_NONCE_BYTES, seen[256] = {0};
    uint8_t(*draws)[SEAL_NONCE_BYTES] = malloc(count * sizeof *draws);
    (void)state;
    assert_non_null(draws);
    crypt_random(draws, count * sizeof *draws);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < SEAL_NONCE_BYTES; j++)
            seen[draws[i][j]]++;
    }
    for (size_t i = 0; i < COUNT_OF(seen); i++)
        assert_in_range(seen[i], 4096 - 512, 4096 + 512); /* eight standard deviations */
    assert_false(repeats(draws, count));
    free(draws);
}

static void test_length_is_kept(void **state)
{
    uint8_t area[64];
    (void)state;
    crypt_random(NULL, 0);
    for (size_t n = 0; n <= 32; n++) {
        size_t changed = 0;
        memset(area, 0xa5, sizeof area);
        for (int i = 0; i < 4; i++) { /* one draw leaves a byte as it was once in 256 times */
            crypt_random(area + 16, n);
            for (size_t j = 0; j < n; j++)
                changed += area[16 + j] != 0xa5;
        }
        assert_true(n == 0 || changed > 0);
        for (size_t j = 0; j < sizeof area; j++)
            assert_true((j >= 16 && j < 16 + n) || area[j] == 0xa5);
    }
}

/* The generator's page is the only one that the kernel wipes on fork. */
static const uint8_t *generator_page(void)
{
    char line[512];
    unsigned long from = 0, to = 0, found = 0, page_bytes = (unsigned long)sysconf(_SC_PAGESIZE);
    FILE *f = fopen("/proc/self/smaps", "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        unsigned long a, b;
        if (sscanf(line, "%lx-%lx ", &a, &b) == 2)
            from = a, to = b;
        else if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " wf") != NULL && to - from == page_bytes)
            found = from;
    }
    assert_int_equal(fclose(f), 0);
    return (const uint8_t *)(uintptr_t)found;
}

static void test_what_was_handed_out_is_gone(void **state)
{
    uint8_t drawn[DRAW_BYTES];
    char flags[256];
    const uint8_t *page;
    (void)state;
    crypt_random(drawn, sizeof drawn);
    page = generator_page();
    assert_non_null(page);
    mapping_flags(page, flags, sizeof flags);
    assert_non_null(strstr(flags, " dd")); /* not in core dumps */
    assert_null(memmem(page, 4096, drawn, sizeof drawn));
    assert_null(memmem(page, 4096, drawn, 8));
}

static void test_kernel_random(void **state)
{
    static uint8_t a[100000], zeros[64];
    (void)state;
    random_kernel(NULL, 0);
    random_kernel(a, sizeof a);
    assert_null(memmem(a, sizeof a, zeros, sizeof zeros));
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_without_memory_the_kernel_is_asked),
        cmocka_unit_test(test_a_page_that_would_survive_fork_is_not_used),
        cmocka_unit_test(test_forked_child_never_repeats),
        cmocka_unit_test(test_nonces_do_not_repeat),
        cmocka_unit_test(test_bulk_is_uniform),
        cmocka_unit_test(test_length_is_kept),
        cmocka_unit_test(test_what_was_handed_out_is_gone),
        cmocka_unit_test(test_kernel_random),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
