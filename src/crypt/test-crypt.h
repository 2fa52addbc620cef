/*
 * test-crypt - what the unit tests of this folder share: vectors in hex, and OpenSSL on the allocator that can fail.
 */
#ifndef CRYPT_TEST_CRYPT_H
#define CRYPT_TEST_CRYPT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/code.h"
#include "base/text.h"
#include "crypt/secret.h"
#include "fail-alloc.h"

#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* AddressSanitizer replaces mlock(2) by a function that does nothing and says it worked. */
#if defined(__SANITIZE_ADDRESS__)
enum { MLOCK_IS_REAL = 0 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { MLOCK_IS_REAL = 0 };
#else
enum { MLOCK_IS_REAL = 1 };
#endif
#else
enum { MLOCK_IS_REAL = 1 };
#endif

/* What a text of hex digits stands for; valid until the program ends. Each text is decoded once. */
static inline UNUSED struct bytes hex(const char *text)
{
    static struct {
        const char *text;
        uint8_t p[256];
    } kept[64];
    struct bytes in = bytes_of_text(text);
    size_t i = 0;
    while (i < COUNT_OF(kept) && kept[i].text != NULL && strcmp(kept[i].text, text) != 0)
        i++;
    assert_true(i < COUNT_OF(kept) && in.n % 2 == 0 && in.n / 2 <= sizeof kept[i].p);
    if (kept[i].text == NULL) {
        kept[i].text = text;
        assert_true(code_unhex(in, kept[i].p, in.n / 2));
    }
    return bytes_of(kept[i].p, in.n / 2);
}

static inline UNUSED void assert_bytes(struct bytes got, struct bytes wanted)
{
    assert_int_equal(got.n, wanted.n);
    if (got.n > 0)
        assert_memory_equal(got.p, wanted.p, got.n);
}

static inline UNUSED struct secret secret_of(struct bytes in)
{
    struct secret s = {0};
    assert_int_equal(secret_init_copy(&s, in), 0);
    return s;
}

static inline UNUSED void *library_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return malloc(n);
}

static inline UNUSED void *library_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return realloc(p, n);
}

static inline UNUSED void library_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

/* Before the first use of OpenSSL: from then on fail-alloc.h reaches its allocations too. */
static inline UNUSED int start_on_failing_allocator(void **state)
{
    (void)state;
    if (CRYPTO_set_mem_functions(library_malloc, library_realloc, library_free) != 1)
        return -1;
    return crypt_start() < 0 ? -1 : 0;
}

static inline UNUSED int start(void **state)
{
    (void)state;
    return crypt_start() < 0 ? -1 : 0;
}

/* Locked memory of this process: what a secret that was not freed leaves behind, 0 where locking is not permitted. */
static inline UNUSED long locked_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *f = fopen("/proc/self/status", "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL)
        (void)sscanf(line, "VmLck: %ld", &kib);
    assert_int_equal(fclose(f), 0);
    assert_true(kib >= 0);
    return kib;
}

/* The flags of smaps(5) of the mapping that holds `p`; "" if there is none. */
static inline UNUSED void mapping_flags(const void *p, char *ret, size_t size)
{
    char line[512];
    bool inside = false;
    unsigned long from, to;
    FILE *f = fopen("/proc/self/smaps", "re");
    assert_non_null(f);
    ret[0] = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = (uintptr_t)p >= from && (uintptr_t)p < to;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            assert_true(text_copy(ret, size, bytes_of_text(line + 8)));
    }
    assert_int_equal(fclose(f), 0);
}

/*
 * Starts in children, each with one allocation more than the last, until one gets all it asks for. A library that ran
 * out of memory while setting itself up may stay unusable; what counts is that the start says so, and does not crash.
 */
static inline UNUSED void check_start_out_of_memory(int (*start_fn)(void))
{
    unsigned faults = 0;
    for (unsigned n = 0;; n++) {
        int status = 0;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            fail_alloc_after(n);
            int r = start_fn();
            bool refused = fail_alloc_off();
            _exit(r != 0 && r != FAULT_CRYPTO ? 99 : r != 0 ? 1 : refused ? 2 : 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 2);
        faults += WEXITSTATUS(status) == 1;
        if (status == 0)
            break;
    }
    assert_true(faults > 0);
    assert_int_equal(start_fn(), 0);
}

/* Runs `run` in a child where a bad access ends the process, not just a test. Returns its wait status. */
static inline UNUSED int in_child(void (*run)(void))
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)signal(SIGSEGV, SIG_DFL);
        (void)signal(SIGABRT, SIG_DFL);
        run();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

#endif
