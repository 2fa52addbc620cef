/*
 * fuzz-verify - logs and exports from anywhere.
 *
 * Input: a byte, then content: 0, an export; else a file of a log behind its head, which is made here; with bit 1
 * checkpoints in it are checked with a key. Invariants: what is called good is, by trail_check alone, and without a key
 * that is all that is good; nothing that the key did not sign counts as signed.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "verify/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DATA_OFFSET = 53248 };

static void must(bool is_true)
{
    if (!is_true)
        abort();
}

/* Up to where the records at the front are good, by the simplest means. ret_first: where they begin. */
static uint64_t count_good(struct bytes in, size_t leaf_bytes, uint64_t *ret_first)
{
    static struct trail_check c;
    trail_check_init(&c);
    if (leaf_bytes == 0 && prune_take_base(&in, &c) == PRUNE_BASE_BAD)
        trail_check_init(&c);
    *ret_first = c.tree.size;
    while (in.n >= 4 + leaf_bytes) {
        size_t n = (size_t)in.p[0] << 24 | (size_t)in.p[1] << 16 | (size_t)in.p[2] << 8 | in.p[3];
        struct bytes leaf = bytes_of(in.p + 4, leaf_bytes), rest = bytes_from(in, 4 + leaf_bytes);
        uint8_t digest[DIGEST_BYTES];
        if (n == 0 || n > rest.n || merkle_leaf(bytes_head(rest, n), digest) != 0 ||
            (leaf_bytes > 0 && !bytes_equal(leaf, BYTES_OF(digest))) || trail_check_add(&c, bytes_head(rest, n)) != 0)
            break;
        in = bytes_from(rest, n);
    }
    return c.tree.size;
}

static void put(int fd, const void *p, size_t n)
{
    must(write(fd, p, n) == (ssize_t)n);
}

static void check_export(struct verify *v, struct bytes in)
{
    int fd = memfd_create("export", MFD_CLOEXEC);
    put(fd, in.p, in.n);
    must(lseek(fd, 0, SEEK_SET) == 0 && verify_export(v, fd) == 0);
    close(fd);
}

static void check_file(struct verify *v, struct bytes in)
{
    static char folder[] = "/dev/shm/secreg-fuzz-XXXXXX";
    static int at = -1;
    static uint8_t head[DATA_OFFSET] = {'S', 'R', 'T', 'R', 'A', 'I', 'L', 1};
    if (at < 0)
        must(mkdtemp(folder) != NULL && (at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0);
    int fd = openat(at, "00000000000000000000.log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0);
    put(fd, head, sizeof head);
    put(fd, in.p, in.n);
    close(fd);
    must(verify_folder(v, at) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct verify v;
    if (size == 0)
        return 0;
    struct bytes in = bytes_of(data + 1, size - 1);
    bool is_file = data[0] % 2 != 0, has_key = (data[0] & 2) != 0;
    verify_init(&v);
    if (has_key)
        verify_key(&v, &(struct checkpoint_key){.name = "secreg/0"}); /* nobody has what belongs to it */
    if ((data[0] & 4) != 0)
        must(verify_seed(&v, &(struct epoch_seed){0})); /* one that never was: some epochs are bad, none is sealed */
    if (is_file)
        check_file(&v, in);
    else
        check_export(&v, in);
    must(verify_end(&v) == 0);
    uint64_t first, good = count_good(in, is_file ? DIGEST_BYTES : 0, &first);
    /* a key or an epoch may show more to be bad; a chain that is good alone is not called bad for anything else */
    bool is_short = has_key || (v.why != NULL && v.forward == VERIFY_BAD);
    must(v.first == first && (v.why != NULL || first == 0 || v.pruned.is_stated));
    is_short = is_short || (first > 0 && !v.pruned.is_stated); /* nothing is called good that hangs in the air */
    must(is_short ? v.check.tree.size <= good : v.check.tree.size == good);
    must(!has_key || v.seen.size == 0);
    must(v.forward != VERIFY_OK || v.epochs.sealed > 0);
    verify_fini(&v);
    return 0;
}
