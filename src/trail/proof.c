/* proof - see proof.h. */
#include "trail/proof.h"

#include "base/code.h"
#include "base/num.h"
#include "trail/trail-internal.h"

static const char first_line[] = "c2sp.org/tlog-proof@v1";

static int put_hashes(struct buf *out, const struct merkle_proof *p)
{
    for (size_t i = 0; i < p->count; i++) {
        TRY(code_base64(out, BYTES_OF(p->hashes[i])));
        TRY(buf_append_text(out, "\n"));
    }
    return buf_append_text(out, "\n");
}

int proof_write(struct buf *out, const struct proof *proof)
{
    if (proof->hashes.count > PROOF_HASHES_MAX_COUNT)
        return RAISE(FAULT_LIMIT);
    if (proof->extends) {
        TRY(buf_print(out, "old %llu\n", (unsigned long long)proof->at));
    } else {
        TRY(buf_print(out, "%s\nextra ", first_line));
        TRY(code_base64(out, proof->record));
        TRY(buf_print(out, "\nindex %llu\n", (unsigned long long)proof->at));
    }
    TRY(put_hashes(out, &proof->hashes));
    return buf_append(out, proof->note);
}

/* The rest of a line that begins with `word` and a blank. */
static bool take_word(struct bytes *in, const char *word, struct bytes *ret_rest)
{
    struct bytes line, begin = bytes_of_text(word);
    if (!trail_take_line(in, &line) || !bytes_starts(line, begin))
        return false;
    *ret_rest = bytes_from(line, begin.n);
    return true;
}

static bool read_head(struct bytes *in, struct buf *record, struct proof *ret_proof)
{
    struct bytes line, extra, number;
    ret_proof->extends = bytes_starts(*in, BYTES_LITERAL("old "));
    if (ret_proof->extends)
        return take_word(in, "old ", &number) && num_parse_u64(number, INT64_MAX, &ret_proof->at);
    if (!trail_take_line(in, &line) || !bytes_equal(line, bytes_of_text(first_line)) ||
        !take_word(in, "extra ", &extra) || extra.n > (RECORD_MAX_BYTES + 2) / 3 * 4 ||
        code_unbase64(record, extra) != 0 || buf_size(record) == 0 || !take_word(in, "index ", &number) ||
        !num_parse_u64(number, INT64_MAX, &ret_proof->at))
        return false;
    ret_proof->record = buf_view(record);
    return true;
}

bool proof_read(struct bytes text, struct buf *record, struct proof *ret_proof)
{
    struct bytes line;
    struct merkle_proof *p = &ret_proof->hashes;
    p->count = 0;
    ret_proof->record = BYTES_NONE;
    if (text.n > PROOF_MAX_BYTES || !read_head(&text, record, ret_proof))
        return false;
    while (trail_take_line(&text, &line)) {
        if (line.n == 0) {
            ret_proof->note = text;
            return text.n > 0;
        }
        if (p->count == PROOF_HASHES_MAX_COUNT || !trail_unbase64(line, p->hashes[p->count], DIGEST_BYTES))
            return false;
        p->count++;
    }
    return false;
}

/* The record says itself which one it is. */
static int check_record(const struct proof *proof, const struct checkpoint *c)
{
    struct record r;
    uint8_t leaf[DIGEST_BYTES], root[DIGEST_BYTES];
    if (!record_decode(proof->record, &r) || r.seq != proof->at)
        return PROOF_FALSE;
    TRY(merkle_leaf(proof->record, leaf));
    int x = merkle_proof_root(&proof->hashes, leaf, proof->at, c->size, root);
    TRY(x);
    return x == 0 && bytes_equal(BYTES_OF(root), BYTES_OF(c->root)) ? 0 : PROOF_FALSE;
}

int proof_check(const struct proof *proof, const struct checkpoint *c, const struct checkpoint *old)
{
    if (!proof->extends)
        return check_record(proof, c);
    if (old->size != proof->at)
        return PROOF_FALSE;
    int x = merkle_proof_extends(&proof->hashes, (struct merkle_head){old->size, old->root},
                                 (struct merkle_head){c->size, c->root});
    return x > 0 ? PROOF_FALSE : x;
}
