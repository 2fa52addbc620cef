/* Tests of cosign: a note that another implementation signed, and whatever differs from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "trail/cosign.h"

/* Made with python3-cryptography: seeds of the bytes 0 to 31 and 100 to 131. */
#define NOTE                                                                                                           \
    "secreg/0123\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"                                                   \
    "\n\xe2\x80\x94 secreg/0123 "                                                                                      \
    "44to20Rx2wzJc6OK5g69F/a3WabZ9t+RX8EgcnlDQ9xJfeVk/3SHJb1IKM1DdRRpESDU4D9H1Unt6l+Z2LuczNdGNgM=\n"
#define LINE                                                                                                           \
    "\xe2\x80\x94 host/w "                                                                                             \
    "KQoNZwAAAABlU/EAznBsJBlB19mkGbVkjIJbYGft/tzWPFgtIUssvPitat1X4N7jyuor+dVg8KlmMIGxi8Rzq36dsZbeJ1daXgTwCw==\n"
#define KEY "host/w+290a0d67+BAu8NGpXZnw4ASC9nH/X5R0sX9/qN80vW/QFssa/by14"
enum { TIME_S = 1700000000 };

static struct secret seed;
static struct checkpoint_key key;

static int start(void **state)
{
    uint8_t bytes[SIGN_SEED_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(100 + i);
    return crypt_start() < 0 || secret_init_copy(&seed, BYTES_OF(bytes)) != 0 ||
                   cosign_key_of("host/w", &seed, &key) != 0
               ? -1
               : 0;
}

static int end(void **state)
{
    (void)state;
    secret_fini(&seed);
    return 0;
}

static int read_text(const char *text, uint64_t *ret_time)
{
    *ret_time = 0;
    return cosign_read(bytes_of_text(text), &key, ret_time);
}

static void test_vector(void **state)
{
    struct buf out;
    struct checkpoint_key k;
    uint64_t time_s;
    (void)state;
    buf_init(&out, CHECKPOINT_NOTE_MAX_BYTES);
    assert_int_equal(cosign_key_write(&out, &key), 0);
    assert_true(bytes_equal(buf_view(&out), BYTES_LITERAL(KEY)));
    assert_true(cosign_key_read(BYTES_LITERAL(KEY), &k));
    assert_string_equal(k.name, "host/w");
    assert_memory_equal(k.public_key, key.public_key, sizeof k.public_key);
    assert_false(checkpoint_key_read(BYTES_LITERAL(KEY), &k)); /* of another type */
    buf_clear(&out);
    assert_int_equal(checkpoint_key_write(&out, &key), 0);
    assert_false(cosign_key_read(buf_view(&out), &k));
    buf_clear(&out);
    assert_int_equal(cosign_write(&out, BYTES_LITERAL(NOTE), TIME_S, &key, &seed), 0);
    assert_true(bytes_equal(buf_view(&out), BYTES_LITERAL(NOTE LINE)));
    assert_int_equal(cosign_read(buf_view(&out), &key, &time_s), 0);
    assert_int_equal(time_s, TIME_S);
    buf_fini(&out);
}

static void test_who_signed(void **state)
{
    struct buf twice;
    uint64_t time_s;
    (void)state;
    assert_int_equal(read_text(NOTE, &time_s), CHECKPOINT_OTHER);
    assert_int_equal(read_text("", &time_s), CHECKPOINT_BAD);
    assert_int_equal(read_text("no note\n", &time_s), CHECKPOINT_BAD);
    assert_int_equal(read_text(NOTE LINE "nonsense\n", &time_s), CHECKPOINT_BAD);
    assert_int_equal(read_text(NOTE LINE "\xe2\x80\x94 other/w AAAA\n", &time_s), 0);
    buf_init(&twice, CHECKPOINT_NOTE_MAX_BYTES); /* the newer one counts, wherever it stands */
    assert_int_equal(cosign_write(&twice, BYTES_LITERAL(NOTE LINE), TIME_S + 5, &key, &seed), 0);
    assert_int_equal(cosign_read(buf_view(&twice), &key, &time_s), 0);
    assert_int_equal(time_s, TIME_S + 5);
    buf_clear(&twice);
    assert_int_equal(cosign_write(&twice, BYTES_LITERAL("no note"), TIME_S, &key, &seed), CHECKPOINT_BAD);
    buf_fini(&twice);
}

/* Each bit of the note changed: not signed by the witness any more, or no note, or a change outside of what it signs.
 */
static void test_each_bit(void **state)
{
    static char text[] = NOTE LINE;
    size_t body = (size_t)(strstr(text, "\n\n") - text) + 1, line = sizeof NOTE - 1, good = 0;
    uint64_t time_s;
    (void)state;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            text[i] = (char)(text[i] ^ (1 << bit));
            int r = read_text(text, &time_s);
            assert_true(r >= 0);
            assert_true(r != 0 || (i > body && i < line));
            good += r == 0;
            text[i] = (char)(text[i] ^ (1 << bit));
        }
    }
    assert_true(good > 0); /* in the other signature */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vector), cmocka_unit_test(test_who_signed),
                                       cmocka_unit_test(test_each_bit)};
    return cmocka_run_group_tests(tests, start, end);
}
