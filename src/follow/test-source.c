/* Tests of source: lines in any pieces, gaps, another trail, and everything that a stream must not hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/code.h"
#include "crypt/merkle.h"
#include "crypt/secret.h"
#include "test-attach.h"

static struct source source;
static const struct source_place start = {0};

static int make(void **state)
{
    (void)state;
    return crypt_start() < 0 || source_init(&source, "/nowhere") != 0;
}

static int unmake(void **state)
{
    (void)state;
    source_fini(&source);
    return 0;
}

/* Records of a trail, each as `?raw` gives it; last: of the record before, then of the last one. */
static void add_record(struct buf *out, uint64_t seq, uint8_t last[static DIGEST_BYTES])
{
    struct record r = {.seq = seq, .kind = RECORD_GET, .prev.n = DIGEST_BYTES, .path = BYTES_LITERAL("/registry/a")};
    struct buf one;
    uint8_t head[4];
    buf_init(&one, RECORD_MAX_BYTES);
    memcpy(r.prev.h, last, DIGEST_BYTES);
    assert_int_equal(record_encode(&one, &r), 0);
    assert_int_equal(merkle_leaf(buf_view(&one), last), 0);
    bytes_put_u32(head, (uint32_t)buf_size(&one));
    assert_int_equal(buf_append(out, BYTES_OF(head)), 0);
    assert_int_equal(buf_append(out, buf_view(&one)), 0);
    buf_fini(&one);
}

static void add_line(struct buf *lines, uint64_t first, uint64_t next, struct bytes records)
{
    assert_int_equal(buf_print(lines, "{\"first\":%llu,\"next\":%llu,\"records\":\"", (unsigned long long)first,
                               (unsigned long long)next),
                     0);
    assert_int_equal(code_base64(lines, records), 0);
    assert_int_equal(buf_append_text(lines, "\"}\n"), 0);
}

/* A line of records `first` to before `next`. */
static void add_records(struct buf *lines, uint64_t first, uint64_t next, uint8_t last[static DIGEST_BYTES])
{
    struct buf records;
    buf_init(&records, 1 << 20);
    for (uint64_t seq = first; seq < next; seq++)
        add_record(&records, seq, last);
    add_line(lines, first, next, buf_view(&records));
    buf_fini(&records);
}

/* Sends lines as chunks of so many bytes, and reads what comes of them. Returns what source_next() ended with. */
static int feed(const struct source_place *from, struct bytes lines, size_t piece, uint64_t *ret_count)
{
    struct bytes bytes;
    struct record r;
    int x = 0, fd = attach(&source, from);
    assert_true(fd >= 0);
    *ret_count = 0;
    for (size_t at = 0; at < lines.n && x == 0; at += piece) {
        struct bytes part = bytes_head(bytes_from(lines, at), piece);
        dprintf(fd, "%zx\r\n", part.n);
        assert_int_equal(write(fd, part.p, part.n), part.n);
        dprintf(fd, "\r\n");
        x = source_receive(&source);
        assert_int_equal(x, 0);
        while ((x = source_next(&source, &bytes, &r)) == 0)
            *ret_count += 1;
        x = x == SOURCE_EMPTY ? 0 : x;
    }
    close(fd);
    return x;
}

static int feed_text(const char *text)
{
    uint64_t count;
    return feed(&start, bytes_of_text(text), 1000, &count);
}

static void test_pieces(void **state)
{
    struct buf lines;
    uint8_t last[DIGEST_BYTES] = {0};
    uint64_t count;
    (void)state;
    buf_init(&lines, 1 << 20);
    assert_int_equal(buf_append_text(&lines, "{\"next\":0,\"end\":40,\"every_ms\":30000}\n"), 0);
    add_records(&lines, 0, 1, last);
    add_records(&lines, 1, 30, last);
    assert_int_equal(buf_append_text(&lines, "{\"next\":30,\"end\":40,\"every_ms\":30000}\n"), 0);
    add_records(&lines, 30, 40, last);
    for (size_t piece = 1; piece < buf_size(&lines); piece += piece < 50 ? 1 : 997) {
        assert_int_equal(feed(&start, buf_view(&lines), piece, &count), 0);
        assert_int_equal(count, 40);
        assert_int_equal(source.place.next, 40);
        assert_memory_equal(source.place.last, last, sizeof last);
        assert_int_equal(source.end, 40);
    }
    buf_fini(&lines);
}

static void test_other_trail(void **state)
{
    struct buf lines;
    uint8_t last[DIGEST_BYTES] = {0};
    uint64_t count;
    (void)state;
    buf_init(&lines, 1 << 20);
    add_records(&lines, 0, 5, last);
    struct source_place from = {.next = 5};
    memcpy(from.last, last, sizeof last);
    buf_clear(&lines);
    uint8_t good[DIGEST_BYTES];
    memcpy(good, last, sizeof good);
    add_records(&lines, 5, 7, good);
    assert_int_equal(feed(&from, buf_view(&lines), 4096, &count), 0);
    assert_int_equal(count, 2);
    buf_clear(&lines);
    last[31] ^= 1;
    add_records(&lines, 5, 7, last);
    assert_int_equal(feed(&from, buf_view(&lines), 4096, &count), SOURCE_OTHER);
    assert_int_equal(count, 0);
    assert_int_equal(source_fd(&source), -1);
    assert_non_null(strstr(source.why, "replaced"));
    buf_fini(&lines);
}

static void test_gap(void **state)
{
    struct buf lines;
    uint8_t last[DIGEST_BYTES] = {0};
    uint64_t count;
    (void)state;
    buf_init(&lines, 1 << 20);
    add_records(&lines, 0, 3, last);
    memset(last, 7, sizeof last); /* of record 9, which nobody has */
    add_records(&lines, 10, 12, last);
    source.gaps = 0;
    assert_int_equal(feed(&start, buf_view(&lines), 4096, &count), 0);
    assert_int_equal(count, 5);
    assert_int_equal(source.gaps, 7);
    assert_int_equal(source.place.next, 12);
    buf_fini(&lines);
}

/* What stands for the records that are gone is told with the ones behind it, and forgotten with the next line. */
static void test_base(void **state)
{
    struct buf line;
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct buf lines;
        uint8_t last[DIGEST_BYTES] = {0};
        uint64_t count;
        buf_init(&lines, 1 << 20);
        buf_init(&line, 1 << 20);
        add_records(&lines, 10, 12, last);
        struct bytes all = buf_view(&lines);
        assert_int_equal(buf_append(&line, BYTES_LITERAL("{\"base\":\"AAAAAAAA\",")), 0);
        assert_int_equal(buf_append(&line, bytes_from(all, 1)), 0);
        if (i == 1)
            add_records(&line, 12, 13, last);
        assert_int_equal(feed(&start, buf_view(&line), 4096, &count), 0);
        assert_int_equal(count, 2 + i);
        assert_int_equal(buf_size(&source.base), i == 0 ? 6 : 0);
        buf_fini(&lines);
        buf_fini(&line);
    }
}

static void test_bad_lines(void **state)
{
    static const char *const bad[] = {
        "\n",
        "{}\n",
        "{\"next\":-1,\"end\":1}\n",
        "{\"next\":1}\n",
        "{\"next\":0,\"end\":99999999999999999999}\n",
        "{\"first\":0,\"next\":1,\"records\":\"AAAA\"}\n",     /* three bytes: no length */
        "{\"first\":0,\"next\":1,\"records\":\"AAAAAA==\"}\n", /* a record of no bytes */
        "{\"first\":0,\"next\":1,\"records\":\"/////w==\"}\n", /* of four gigabytes */
        "{\"first\":0,\"next\":1,\"records\":\"!\"}\n",
        "{\"first\":0,\"next\":1,\"records\":5}\n",
        "{\"first\":1,\"next\":1,\"records\":\"\"}\n",
        "{\"next\":1,\"records\":\"\"}\n",
        "{\"next\":0,\"ended\":\"stopping\"}\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(feed_text(bad[i]), SOURCE_DOWN);
        assert_int_equal(source_fd(&source), -1);
        assert_true(source.why[0] != '\0');
    }
}

/* Each byte of a line of records changed: nothing that is handed out has another number or another predecessor. */
static void test_changed_bytes(void **state)
{
    struct buf lines;
    uint8_t last[DIGEST_BYTES] = {0};
    uint64_t count;
    (void)state;
    buf_init(&lines, 1 << 20);
    add_records(&lines, 0, 3, last);
    for (size_t i = 0; i < buf_size(&lines); i++) {
        lines.p[lines.start + i] ^= 4;
        (void)feed(&start, buf_view(&lines), 4096, &count);
        assert_true(count <= 3);
        lines.p[lines.start + i] ^= 4;
    }
    buf_fini(&lines);
}

static void test_bad_chunks(void **state)
{
    struct bytes bytes;
    struct record r;
    (void)state;
    int fd = attach(&source, &start);
    dprintf(fd, "zz\r\n");
    assert_int_equal(source_receive(&source), SOURCE_DOWN);
    assert_int_equal(source_next(&source, &bytes, &r), SOURCE_DOWN);
    close(fd);
    fd = attach(&source, &start);
    close(fd);
    assert_int_equal(source_receive(&source), SOURCE_DOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces),    cmocka_unit_test(test_other_trail),
                                       cmocka_unit_test(test_gap),       cmocka_unit_test(test_base),
                                       cmocka_unit_test(test_bad_lines), cmocka_unit_test(test_changed_bytes),
                                       cmocka_unit_test(test_bad_chunks)};
    return cmocka_run_group_tests(tests, make, unmake);
}
