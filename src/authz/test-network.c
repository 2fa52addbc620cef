/* Tests of networks: what parses, and which address lies in which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "authz/network.h"
#include "fail-alloc.h"

static const char *const good[] = {"0.0.0.0/0",           "192.0.2.0/24",      "192.0.2.7/32", "128.0.0.0/1",
                                   "10.0.0.0/8",          "172.16.0.0/12",     "::/0",         "::1/128",
                                   "2001:db8::/32",       "2001:db8:0:1::/64", "fe80::/10",    "2001:db8::1:0:0:1/128",
                                   "1:2:3:4:5:6:7:8/128", "8000::/1",          "64:ff9b::/96", "::fffe:0:0/96"};

static void what_parses_prints_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct authz_network n;
        SCOPED(buf_fini) struct buf out;
        buf_init(&out, 64);
        if (!authz_network_parse(bytes_of_text(good[i]), &n))
            fail_msg("refused: %s", good[i]);
        assert_int_equal(authz_network_text(&out, &n), 0);
        assert_true(bytes_equal(buf_view(&out), bytes_of_text(good[i])));
        assert_true(authz_network_has(&n, &n.base));
    }
}

static void refuses_what_is_not_the_one_text(void **state)
{
    static const char *const bad[] = {"",
                                      "/",
                                      "/0",
                                      "192.0.2.7",
                                      "192.0.2.0/",
                                      "192.0.2.0/33",
                                      "192.0.2.0/024",
                                      "192.0.2.0/+24",
                                      "192.0.2.0/24/24",
                                      "192.0.2.0/ 24",
                                      " 192.0.2.0/24",
                                      "192.0.2.1/24", /* bits behind the prefix */
                                      "192.0.2.0/22",
                                      "1.0.0.0/0",
                                      "192.0.02.0/24",
                                      "192.0.2/24",
                                      "192.0.2.0.0/24",
                                      "0xc0.0.2.0/24",
                                      "3221225984/24",
                                      "256.0.0.0/8",
                                      "192.0.2.0/255.255.255.0",
                                      "2001:DB8::/32", /* RFC 5952 writes small letters, no zeros in front, and :: */
                                      "2001:0db8::/32",
                                      "2001:db8:0:0:0:0:0:0/32",
                                      "2001:db8::/129",
                                      "2001:db8::1/64",
                                      "2001:db8::1::/64",
                                      "2001:db8::/0x20",
                                      "[2001:db8::]/32",
                                      "fe80::%eth0/10",
                                      "fe80::1%eth0/128",
                                      "::ffff:192.0.2.0/120", /* has a text as IPv4 */
                                      "::ffff:c000:200/120",
                                      "::ffff:0:0/96",
                                      "::ffff:0.0.0.0/96",
                                      "1:2:3:4:5:6:7:8:9/128",
                                      "1:2:3:4:5:6:192.0.2.0/128",
                                      "localhost/32",
                                      "any",
                                      "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff:2001:db8:aaaa:bbbb/32"};
    struct authz_network n = {.prefix_bits = 77};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (authz_network_parse(bytes_of_text(bad[i]), &n))
            fail_msg("accepted: %s", bad[i]);
    }
    assert_false(authz_network_parse(BYTES_OF("192.0.2.0/24"), &n)); /* with the NUL */
    assert_false(authz_network_parse(bytes_of("192.0.2.0\0/24", 13), &n));
    assert_false(authz_network_parse(BYTES_NONE, &n));
    assert_int_equal(n.prefix_bits, 77);
}

static bool has(const char *network, const char *address)
{
    struct authz_network n;
    struct authz_address a = {.kind = AUTHZ_ADDRESS_IPV4};
    assert_true(authz_network_parse(bytes_of_text(network), &n));
    if (strchr(address, ':') != NULL)
        a.kind = AUTHZ_ADDRESS_IPV6;
    assert_int_equal(inet_pton(a.kind == AUTHZ_ADDRESS_IPV6 ? AF_INET6 : AF_INET, address, a.bytes), 1);
    return authz_network_has(&n, &a);
}

static void knows_who_lies_within(void **state)
{
    (void)state;
    assert_true(has("192.0.2.0/24", "192.0.2.0"));
    assert_true(has("192.0.2.0/24", "192.0.2.255"));
    assert_false(has("192.0.2.0/24", "192.0.3.0"));
    assert_false(has("192.0.2.0/24", "192.0.1.255"));
    assert_true(has("172.16.0.0/12", "172.31.255.255"));
    assert_false(has("172.16.0.0/12", "172.32.0.0"));
    assert_true(has("192.0.2.7/32", "192.0.2.7"));
    assert_false(has("192.0.2.7/32", "192.0.2.6"));
    assert_true(has("0.0.0.0/0", "255.255.255.255"));
    assert_true(has("128.0.0.0/1", "128.0.0.1"));
    assert_false(has("128.0.0.0/1", "127.255.255.255"));
    assert_true(has("2001:db8::/32", "2001:db8:ffff::1"));
    assert_false(has("2001:db8::/32", "2001:db9::"));
    assert_true(has("fe80::/10", "febf::1"));
    assert_false(has("fe80::/10", "fec0::1"));
    assert_true(has("::1/128", "::1"));
    assert_false(has("::1/128", "::2"));
}

static void families_do_not_mix(void **state)
{
    static const enum authz_address_kind without[] = {AUTHZ_ADDRESS_UNKNOWN, AUTHZ_ADDRESS_NONE};
    (void)state;
    assert_false(has("::/0", "192.0.2.1"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
    assert_true(has("192.0.2.0/24", "::ffff:192.0.2.1")); /* what a socket for both families shows */
    assert_false(has("192.0.2.0/24", "::ffff:192.0.3.1"));
    assert_false(has("::/0", "::ffff:192.0.2.1"));
    assert_false(has("192.0.2.0/24", "::192.0.2.1"));
    assert_false(has("0.0.0.0/0", "64:ff9b::192.0.2.1"));
    for (size_t i = 0; i < 2; i++) {
        struct authz_address a = {.kind = without[i]};
        struct authz_network n;
        assert_true(authz_network_parse(BYTES_LITERAL("0.0.0.0/0"), &n));
        assert_false(authz_network_has(&n, &a));
        assert_true(authz_network_parse(BYTES_LITERAL("::/0"), &n));
        assert_false(authz_network_has(&n, &a));
    }
}

/* Every prefix of one address, against that address with one bit turned: a network ends exactly at its prefix. */
static void a_prefix_ends_at_its_bit(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= 128; bits++) {
        struct authz_network n = {.base.kind = AUTHZ_ADDRESS_IPV6, .prefix_bits = (uint8_t)bits};
        for (unsigned i = 0; i < 128; i++) {
            struct authz_address a = {.kind = AUTHZ_ADDRESS_IPV6};
            a.bytes[i / 8] = (uint8_t)(0x80u >> i % 8);
            assert_int_equal(authz_network_has(&n, &a), i >= bits);
        }
    }
}

static void printing_passes_faults_up(void **state)
{
    struct authz_network n;
    struct buf out;
    int r = 0;
    (void)state;
    assert_true(authz_network_parse(BYTES_LITERAL("2001:db8::/32"), &n));
    buf_init(&out, 12);
    assert_int_equal(authz_network_text(&out, &n), FAULT_LIMIT);
    buf_fini(&out);
    buf_init(&out, 64);
    fail_alloc_after(0);
    r = authz_network_text(&out, &n);
    assert_true(fail_alloc_off());
    assert_int_equal(r, -ENOMEM);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_parses_prints_the_same), cmocka_unit_test(refuses_what_is_not_the_one_text),
        cmocka_unit_test(knows_who_lies_within),       cmocka_unit_test(families_do_not_mix),
        cmocka_unit_test(a_prefix_ends_at_its_bit),    cmocka_unit_test(printing_passes_faults_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
