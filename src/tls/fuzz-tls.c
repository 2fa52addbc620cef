/*
 * fuzz-tls - what a hostile server sends.
 *
 * The first byte chooses. Even: the rest is what comes after the client's greeting, raw. Odd: a real server answers,
 * and the rest changes its first flight: four bytes each, where (2), which bits, and how many bytes the next step
 * takes. What must hold: bytes that no server with a trusted certificate made never establish a connection, nor does a
 * flight in which a byte that means something was changed, while a whole one does; what ended stays so, and whoever is
 * refused is told why.
 */
#include "test-server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct cert ca, own;
static struct tls_client *client;

static void start(void)
{
    char why[TLS_WHY_BYTES];
    struct cert_pem pem = {0};
    ca = cert_make(&(struct cert_wish){.cn = "ca", .is_ca = true}, NULL);
    own = cert_make(&(struct cert_wish){.san = "DNS:log.example"}, &ca);
    cert_pem(&pem, ca.x509);
    const struct tls_client_settings settings = {.ca = cert_pem_view(&pem), .name = "log.example"};
    cert_need(tls_client_new(&settings, &client, why) == 0);
}

/* Whether the version in the head of a record in the clear lies there, which means nothing. */
static bool means_nothing(struct bytes flight, size_t at)
{
    for (size_t head = 0; head + 5 <= flight.n; head += 5u + ((size_t)flight.p[head + 3] << 8) + flight.p[head + 4]) {
        if (flight.p[head] != 23 && (at == head + 1 || at == head + 2))
            return true;
    }
    return false;
}

static int end(struct link *l, int r)
{
    cert_need((r == TLS_REFUSED) == (tls_conn_why(l->conn)[0] != '\0'));
    if (r != 0 && r != TLS_HANDSHAKE) {
        buf_clear(&l->out);
        cert_need(link_step(l, BYTES_LITERAL("more")) == r && link_put(l, BYTES_LITERAL("more")) == r);
        cert_need(buf_size(&l->out) == 0);
    }
    return r;
}

static void raw(struct link *l, struct bytes in)
{
    int r = end(l, link_step(l, in));
    cert_need(r != 0 && buf_size(&l->plain) == 0);
}

static void changed(struct link *l, struct bytes edits)
{
    static uint8_t flight[1 << 14];
    bool is_changed = false;
    size_t at = 0;
    int r = TLS_HANDSHAKE;
    link_server(l);
    struct bytes whole = buf_view(&l->wire);
    cert_need(whole.n > 0 && whole.n <= sizeof flight);
    memcpy(flight, whole.p, whole.n);
    for (size_t i = 0; i + 4 <= edits.n; i += 4)
        flight[((size_t)edits.p[i] << 8 | edits.p[i + 1]) % whole.n] ^= edits.p[i + 2];
    for (size_t i = 0; i < whole.n; i++)
        is_changed = is_changed || (flight[i] != whole.p[i] && !means_nothing(whole, i));
    for (size_t i = 0; i + 4 <= edits.n && at < whole.n; i += 4) {
        r = link_step(l, bytes_head(bytes_from(bytes_of(flight, whole.n), at), edits.p[i + 3]));
        at += edits.p[i + 3];
    }
    r = end(l, link_step(l, bytes_from(bytes_of(flight, whole.n), at)));
    cert_need(r != 0 || !is_changed);
    cert_need(r == 0 || memcmp(flight, whole.p, whole.n) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct link l;
    if (size == 0)
        return 0;
    if (client == NULL)
        start();
    link_init(&l, client, &(struct server_wish){.own = &own});
    cert_need(link_step(&l, BYTES_NONE) == TLS_HANDSHAKE);
    struct bytes rest = bytes_of(data + 1, size - 1);
    if (data[0] % 2 == 0)
        raw(&l, rest);
    else
        changed(&l, rest);
    link_fini(&l);
    return 0;
}
