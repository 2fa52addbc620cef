/*
 * cmd-verify - the verb audit verify: the whole trail is fetched record by record, its chain and tree are computed
 * here, and compared with the head that the daemon gave before, and with a checkpoint that was kept elsewhere. Nothing
 * the daemon stores beside the records is believed. And audit checkpoint: the signed head, to be kept; and audit prove.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/code.h"
#include "base/num.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "model/outcome.h"
#include "model/roles.h"
#include "os/file.h"
#include "trail/checkpoint.h"
#include "trail/prune.h"
#include "trail/trail.h"

enum { PROGRESS_FROM_COUNT = 20000, PROGRESS_WIDTH = 40 };

enum verdict { VERDICT_OK, VERDICT_BAD, VERDICT_UNKNOWN };

struct verify {
    struct cli *cli;
    bool is_anchored; /* there is a checkpoint to compare with */
    struct checkpoint anchor;
    enum verdict tail;
    struct trail_head head; /* what the daemon says */
    struct trail_check check;
    const char *why; /* what is wrong with the first bad record, or NULL */
    enum verdict order, chain, tree, signatures;
    bool has_key;
    struct checkpoint_key key; /* of the checkpoints in the trail */
    struct checkpoint_seen seen;
    struct prune_seen pruned;
    bool is_overtaken; /* records were removed while it was read */
};

/* ---- the daemon's head --------------------------------------------------------------------------------------------
 */

static bool read_hash(struct bytes data, const char *name, uint8_t ret[static DIGEST_BYTES])
{
    struct bytes raw;
    return secreg_member(data, name, &raw) && raw.n == 2 * DIGEST_BYTES + 2 &&
           code_unhex(bytes_of(raw.p + 1, raw.n - 2), ret, DIGEST_BYTES);
}

static int fetch_head(struct verify *v)
{
    struct bytes data, size;
    int status = cli_get_data(v->cli, BYTES_LITERAL("/v1/checkpoint"), &data);
    if (status != 0)
        return status;
    if (!secreg_member(data, "size", &size) || !num_parse_u64(size, INT64_MAX, &v->head.size) ||
        !read_hash(data, "root", v->head.root) || !read_hash(data, "last", v->head.last))
        return cli_error(v->cli, OUTCOME_BAD_HTTP, "the daemon's head of the trail cannot be read");
    return 0;
}

/* ---- records ------------------------------------------------------------------------------------------------------
 */

static void bad(struct verify *v, int result)
{
    v->why = result == TRAIL_MALFORMED ? "is not a canonical record"
             : result == TRAIL_GAP     ? "has another number"
                                       : "does not hold the hash of the record before it";
    v->order = result == TRAIL_GAP ? VERDICT_BAD : VERDICT_UNKNOWN;
    v->chain = result == TRAIL_BROKEN ? VERDICT_BAD : VERDICT_UNKNOWN;
    if (result == TRAIL_BROKEN)
        v->order = VERDICT_OK;
}

/* The tree of so many records as the checkpoint says has the root that it says. */
static int compare_anchor(struct verify *v)
{
    struct trail_head head;
    if (!v->is_anchored || v->check.tree.size != v->anchor.size)
        return 0;
    TRY(trail_check_head(&v->check, &head));
    v->tail = memcmp(head.root, v->anchor.root, sizeof head.root) == 0 ? VERDICT_OK : VERDICT_BAD;
    return 0;
}

/* A checkpoint that is not good ends it, as a record that does not fit does. */
static int check_signature(struct verify *v, struct bytes record)
{
    int x = v->has_key ? checkpoint_see(&v->seen, record, &v->check, &v->key) : 0;
    TRY(x);
    if (x != 0) {
        v->signatures = VERDICT_BAD;
        v->order = v->chain = VERDICT_OK; /* as far as it was looked at */
        v->why = checkpoint_why(x);
    }
    return 0;
}

/* What stands for records that were removed comes before the first one. Returns 0 or a fault. */
static int take_base(struct verify *v, struct bytes *page)
{
    static struct trail_check read; /* a tree is too large for the stack */
    enum prune_base base = prune_take_base(page, &read);
    if (base == PRUNE_BASE_NONE || page->n == 0)
        return 0;
    if (base != PRUNE_BASE_TAKEN) {
        bad(v, TRAIL_MALFORMED);
        return 0;
    }
    v->is_overtaken = v->check.tree.size > 0 || read.tree.size > v->head.size;
    if (v->is_overtaken)
        return 0;
    v->check = read;
    TRY(prune_begin(&v->pruned, &v->check));
    return compare_anchor(v);
}

static int see_prune(struct verify *v, struct bytes record)
{
    int x = prune_see(&v->pruned, record);
    TRY(x);
    if (x != 0) {
        v->order = VERDICT_BAD;
        v->why = "states another beginning of the trail";
    }
    return 0;
}

/* Adds the records of one page, up to the size of the head: what came after it is not part of the question. 0 or a
 * fault. */
static int add_page(struct verify *v, struct bytes page)
{
    TRY(take_base(v, &page));
    while (v->why == NULL && !v->is_overtaken && page.n > 0 && v->check.tree.size < v->head.size) {
        size_t n = page.n < 4 ? SIZE_MAX
                              : (size_t)page.p[0] << 24 | (size_t)page.p[1] << 16 | (size_t)page.p[2] << 8 | page.p[3];
        page = bytes_from(page, 4);
        TRY(check_signature(v, bytes_head(page, n)));
        if (v->why != NULL)
            break;
        int r = n <= page.n ? trail_check_add(&v->check, bytes_head(page, n)) : TRAIL_MALFORMED;
        if (r > 0)
            bad(v, r);
        TRY(r);
        if (r == 0)
            TRY(compare_anchor(v));
        if (r == 0)
            TRY(see_prune(v, bytes_head(page, n)));
        page = bytes_from(page, n);
    }
    return 0;
}

static void show_progress(const struct verify *v, bool is_over)
{
    char bar[PROGRESS_WIDTH + 1];
    if (!v->cli->is_tty_err || v->cli->is_quiet || v->cli->is_json || v->head.size < PROGRESS_FROM_COUNT)
        return;
    size_t n = (size_t)(MIN_OF(v->check.tree.size, v->head.size) * PROGRESS_WIDTH / v->head.size);
    memset(bar, '#', n);
    memset(bar + n, '.', PROGRESS_WIDTH - n);
    bar[PROGRESS_WIDTH] = '\0';
    fprintf(stderr, is_over ? "\r\033[K" : "\r[%s] %llu of %llu records", bar, (unsigned long long)v->check.tree.size,
            (unsigned long long)v->head.size);
}

static int fetch_page(struct verify *v, struct bytes *ret_page)
{
    char target[64];
    struct secreg_answer answer;
    uint64_t size = v->check.tree.size;
    if (size == 0)
        snprintf(target, sizeof target, "/v1/audit?raw");
    else
        snprintf(target, sizeof target, "/v1/audit?raw&after=%llu", (unsigned long long)(size - 1));
    struct secreg_ask ask = {.method = "GET", .target = bytes_of_text(target), .is_read = true};
    int status = cli_ask(v->cli, &ask, &answer);
    if (status == 0)
        *ret_page = answer.body;
    return status;
}

static int check_records(struct verify *v)
{
    int status = 0, r = compare_anchor(v); /* it may be of the empty trail */
    while (status == 0 && r == 0 && v->why == NULL && v->check.tree.size < v->head.size) {
        struct bytes page;
        uint64_t before = v->check.tree.size;
        status = fetch_page(v, &page);
        if (status == 0)
            r = add_page(v, page);
        if (v->is_overtaken)
            break;
        if (status == 0 && r == 0 && v->why == NULL && v->check.tree.size == before) {
            v->why = "is missing";
            v->order = VERDICT_BAD;
        }
        show_progress(v, false);
    }
    show_progress(v, true);
    if (v->is_overtaken)
        return cli_error(v->cli, OUTCOME_BUSY,
                         "records were removed from the trail while it was read; verify it again");
    return status != 0 ? status : cli_fault(v->cli, r, "cannot check the records");
}

static int compare_head(struct verify *v)
{
    struct trail_head head;
    int r = trail_check_head(&v->check, &head);
    if (r != 0)
        return cli_fault(v->cli, r, "cannot check the head");
    bool is_same = head.size == v->head.size && memcmp(head.root, v->head.root, sizeof head.root) == 0 &&
                   memcmp(head.last, v->head.last, sizeof head.last) == 0;
    v->tree = v->why != NULL ? VERDICT_UNKNOWN : is_same ? VERDICT_OK : VERDICT_BAD;
    if (v->is_anchored && (v->anchor.size > v->head.size || v->anchor.size < v->pruned.before))
        v->tail = VERDICT_BAD;
    if (v->why == NULL && v->pruned.before > 0 && !v->pruned.is_stated) {
        v->order = VERDICT_BAD;
        v->tree = VERDICT_UNKNOWN;
    }
    if (v->has_key && v->signatures == VERDICT_UNKNOWN && (v->seen.size > 0 || v->why == NULL))
        v->signatures = v->seen.size > v->pruned.seq ? VERDICT_OK : VERDICT_BAD; /* nothing is signed, or not that */
    return 0;
}

/* ---- verdicts -----------------------------------------------------------------------------------------------------
 */

static int append_verdict(const struct verify *v, struct buf *out, const char *name, enum verdict verdict,
                          const char *when_bad)
{
    static const enum out_color colors[] = {OUT_GREEN, OUT_RED, OUT_YELLOW};
    const char *text = verdict == VERDICT_OK ? "ok" : verdict == VERDICT_BAD ? when_bad : "not checked";
    TRY(buf_print(out, "%s: ", name));
    TRY(out_colored(out, v->cli->has_color, colors[verdict], text));
    return buf_append_text(out, "\n");
}

static int append_signed(const struct verify *v, struct buf *out)
{
    char time[CLOCK_TEXT_BYTES];
    clock_wall_text((struct wall_time){v->seen.us}, time);
    TRY(append_verdict(v, out, "signatures", v->signatures, v->seen.size > 0 || v->why != NULL ? "bad" : "none"));
    return v->seen.size == 0 ? 0
                             : buf_print(out, "signed: %llu records, at %s\n", (unsigned long long)v->seen.size, time);
}

static int append_text(const struct verify *v, struct buf *out)
{
    TRY(buf_print(out, "records: %llu\n", (unsigned long long)v->head.size));
    if (v->pruned.is_stated)
        TRY(buf_print(out, "removed: records before %llu, as record %llu states\n",
                      (unsigned long long)v->pruned.before, (unsigned long long)v->pruned.seq));
    else if (v->pruned.before > 0)
        TRY(buf_print(out, "missing: records before %llu, and no record says that they were removed\n",
                      (unsigned long long)v->pruned.before));
    TRY(append_verdict(v, out, "order", v->order, "bad"));
    TRY(append_verdict(v, out, "chain", v->chain, "bad"));
    TRY(append_verdict(v, out, "tree head", v->tree, "mismatch"));
    TRY(append_signed(v, out));
    if (!v->is_anchored)
        TRY(buf_append_text(out, "tail: not anchored outside this host\n"));
    else
        TRY(append_verdict(v, out, "checkpoint", v->tail, "not what the trail is, or was cut to"));
    if (v->is_anchored)
        TRY(buf_print(out, "anchored: %llu records\n", (unsigned long long)v->anchor.size));
    if (v->why != NULL)
        TRY(buf_print(out, "first bad record: %llu %s\n", (unsigned long long)v->check.tree.size, v->why));
    return 0;
}

static int append_json(const struct verify *v, struct buf *out)
{
    static const char *const texts[] = {"ok", "bad", "unknown"};
    char root[2 * DIGEST_BYTES + 1];
    code_hex_text(BYTES_OF(v->head.root), root);
    TRY(buf_print(out,
                  "{\"records\":%llu,\"first\":%llu,\"order\":\"%s\",\"chain\":\"%s\",\"tree_head\":\"%s\","
                  "\"root\":\"%s\",",
                  (unsigned long long)v->head.size, (unsigned long long)v->pruned.before, texts[v->order],
                  texts[v->chain], texts[v->tree], root));
    TRY(buf_print(out, "\"signatures\":\"%s\",\"signed\":%llu,", texts[v->signatures],
                  (unsigned long long)v->seen.size));
    if (v->is_anchored)
        TRY(buf_print(out, "\"tail\":\"%s\",\"anchored\":%llu,\"first_bad\":", texts[v->tail],
                      (unsigned long long)v->anchor.size));
    else
        TRY(buf_append_text(out, "\"tail\":\"not-anchored\",\"anchored\":null,\"first_bad\":"));
    if (v->why == NULL)
        return buf_append_text(out, "null}\n");
    return buf_print(out, "{\"seq\":%llu,\"why\":\"%s\"}}\n", (unsigned long long)v->check.tree.size, v->why);
}

/* ---- checkpoints --------------------------------------------------------------------------------------------------
 */

/* A small file, or standard input for "-". */
static int read_small(struct cli *cli, const char *name, struct buf *out)
{
    int r = strcmp(name, "-") == 0 ? file_read_all(STDIN_FILENO, out) : file_read_path(name, out);
    if (r == FILE_ABSENT)
        return cli_error(cli, OUTCOME_BAD_REQUEST, "%s does not exist", name);
    return r == 0 ? 0 : cli_error(cli, OUTCOME_BAD_REQUEST, "%s: %s", name, fault_text(r));
}

/* The key itself, or the file that holds it; without either, the file that init has written, if it can be read. */
static int read_key(struct verify *v, const char *given, bool is_needed)
{
    char place[512];
    struct buf text;
    struct cli *cli = v->cli;
    v->has_key = given != NULL && checkpoint_key_read(bytes_of_text(given), &v->key);
    snprintf(place, sizeof place, "%s" PLACE_SIGNER, cli->root);
    const char *name = given != NULL ? given : place;
    if (v->has_key || (given == NULL && !is_needed && access(name, R_OK) != 0))
        return 0;
    buf_init(&text, CHECKPOINT_KEY_MAX_BYTES + 1);
    int status = read_small(cli, name, &text);
    struct bytes line = bytes_head(buf_view(&text), bytes_find(buf_view(&text), '\n'));
    v->has_key = status == 0 && checkpoint_key_read(line, &v->key);
    if (status == 0 && !v->has_key)
        status = cli_error(cli, OUTCOME_BAD_REQUEST, "%s holds no key of a trail", name);
    buf_fini(&text);
    return status;
}

static int read_anchor(struct verify *v, const char *name)
{
    struct buf note;
    buf_init(&note, CHECKPOINT_NOTE_MAX_BYTES);
    int status = read_small(v->cli, name, &note);
    int r = status == 0 ? checkpoint_read(buf_view(&note), &v->key, &v->anchor) : 0;
    buf_fini(&note);
    if (r == CHECKPOINT_BAD)
        return cli_error(v->cli, OUTCOME_BAD_REQUEST, "%s holds no checkpoint", name);
    if (r == CHECKPOINT_OTHER)
        return cli_error(v->cli, OUTCOME_CORRUPT, "%s is not signed by the key of %s", name, v->key.name);
    if (r == CHECKPOINT_FORGED)
        return cli_error(v->cli, OUTCOME_CORRUPT, "the signature in %s is wrong", name);
    v->is_anchored = status == 0;
    return status;
}

/* One member of the data, as text and not as JSON. */
static int print_member(struct cli *cli, struct bytes quoted, const char *end)
{
    struct buf text;
    buf_init(&text, CLI_TEXT_MAX_BYTES);
    int r = secreg_unquote(&text, quoted);
    if (r == 0)
        r = buf_append_text(&text, end);
    if (r == 0)
        r = out_write(&text);
    buf_fini(&text);
    return cli_fault(cli, r, "cannot show it");
}

static bool has_text(struct bytes data, const char *member, struct bytes *ret_quoted)
{
    return secreg_member(data, member, ret_quoted) && ret_quoted->n >= 2 && ret_quoted->p[0] == '"';
}

int cmd_audit_checkpoint(struct cli *cli, const struct args *args)
{
    struct bytes data, note;
    int status = cli_get_data(cli, BYTES_LITERAL("/v1/checkpoint"), &data);
    if (status != 0 || cli->is_json)
        return status != 0 ? status : cli_print_json(data);
    bool is_key = args_has(args, "key");
    if (!has_text(data, is_key ? "key" : "note", &note))
        return cli_error(cli, OUTCOME_LOCKED, "a locked registry signs nothing");
    return print_member(cli, note, is_key ? "\n" : "");
}

/* The number of a record, or how many there were. */
static int add_number(struct cli *cli, struct buf *target, const char *name, const char *text)
{
    uint64_t n;
    if (!num_parse_u64(bytes_of_text(text), INT64_MAX, &n))
        return cli_usage_error(cli, "%s is no number of records", text);
    return cli_target_arg(cli, target, name, text);
}

int cmd_audit_prove(struct cli *cli, const struct args *args)
{
    struct bytes data, proof;
    struct buf target;
    const char *from = args_value(args, "from");
    if ((from != NULL) == (args->operands_count > 0))
        return cli_usage_error(cli, "audit prove takes the number of a record, or --from");
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = cli_fault(cli, buf_append_text(&target, "/v1/audit/proof"), "cannot ask");
    if (status == 0)
        status = from != NULL ? add_number(cli, &target, "from", from)
                              : add_number(cli, &target, "record", args->operands[0]);
    if (status == 0)
        status = cli_get_data(cli, buf_view(&target), &data);
    buf_fini(&target);
    if (status != 0 || cli->is_json)
        return status != 0 ? status : cli_print_json(data);
    if (!has_text(data, "proof", &proof))
        return cli_error(cli, OUTCOME_BAD_HTTP, "the daemon's proof cannot be read");
    return print_member(cli, proof, "");
}

int cmd_audit_verify(struct cli *cli, const struct args *args)
{
    static struct verify v; /* a tree is too large for the stack */
    struct buf out;
    int status = 0;
    v = (struct verify){.cli = cli, .tail = VERDICT_UNKNOWN, .signatures = VERDICT_UNKNOWN};
    trail_check_init(&v.check);
    status = read_key(&v, args_has(args, "key") ? args_value(args, "key") : NULL, args_has(args, "checkpoint"));
    if (status == 0 && args_has(args, "checkpoint"))
        status = read_anchor(&v, args_value(args, "checkpoint"));
    if (status == 0)
        status = fetch_head(&v);
    if (status == 0)
        status = check_records(&v);
    if (status == 0)
        status = compare_head(&v);
    if (status != 0)
        return status;
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    int r = cli->is_json ? append_json(&v, &out) : append_text(&v, &out);
    if (r == 0)
        r = out_write(&out);
    buf_fini(&out);
    if (r != 0)
        return cli_fault(cli, r, "cannot show the verdicts");
    bool is_good = v.order == VERDICT_OK && v.chain == VERDICT_OK && v.tree == VERDICT_OK &&
                   (!v.has_key || v.signatures == VERDICT_OK) && (!v.is_anchored || v.tail == VERDICT_OK);
    return is_good ? 0 : CLI_CORRUPT;
}
