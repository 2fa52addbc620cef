/*
 * sink-witness - sees the trail grow, and signs checkpoints of it; see sink.h and trail/cosign.h.
 *
 * It recomputes the tree from the records themselves, and adds its signature to a checkpoint that is among them, has a
 * good signature of the trail's key, and states exactly the records before it. It never signs another trail than the
 * one it began with: what is not a continuation of it is refused until an administrator removes what it remembers.
 *
 * Its folder holds `witness.key` (name, and the seed in hex), `witness.vkey` (what its signatures are checked with),
 * `witness.state` (the tree so far) and `checkpoint`, the newest one with both signatures, for everybody to read. The
 * state is written behind the checkpoint: after a crash in between records are seen again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/code.h"
#include "base/log.h"
#include "follow/sink.h"
#include "os/file.h"
#include "trail/cosign.h"
#include "trail/prune.h"

#define STATE_NAME "witness.state"
#define KEY_NAME "witness.key"
#define VKEY_NAME "witness.vkey"
#define CHECKPOINT_NAME "checkpoint"

enum { STATE_MAX_BYTES = 4096, KEY_TEXT_MAX_BYTES = 256 };
static const uint8_t magic[8] = {'S', 'R', 'W', 'I', 'T', 'N', 'E', 1};

struct witness {
    struct sink sink; /* out is not used */
    int folder;
    struct checkpoint_key trail_key, key;
    struct secret seed;
    struct trail_check now;      /* of all records that were put */
    struct checkpoint_seen seen; /* the newest checkpoint among them */
    struct prune_seen pruned;    /* what it has to be told was removed, if it begins behind that */
    struct buf note;             /* it, if it is not signed yet */
};

/* ---- keys ------------------------------------------------------------------------------------------------ */

/* A name that says where it is, as far as it may stand in a note. */
static void make_name(char ret[static CHECKPOINT_NAME_MAX_BYTES + 1])
{
    char host[40] = "";
    if (gethostname(host, sizeof host - 1) < 0 || host[0] == '\0')
        memcpy(host, "host", 5);
    for (char *p = host; *p != '\0'; p++) {
        if (*p <= ' ' || *p > '~' || *p == '+')
            *p = '-';
    }
    (void)snprintf(ret, CHECKPOINT_NAME_MAX_BYTES + 1, "%s/secreg-witness", host);
}

static int make_key(int folder, struct buf *text)
{
    char name[CHECKPOINT_NAME_MAX_BYTES + 1];
    uint8_t seed[SIGN_SEED_BYTES];
    make_name(name);
    crypt_random(seed, sizeof seed);
    int r = buf_print(text, "%s\n", name);
    if (r == 0)
        r = code_hex(text, BYTES_OF(seed));
    if (r == 0)
        r = buf_append_text(text, "\n");
    if (r == 0)
        r = file_replace(folder, KEY_NAME, buf_view(text), 0600);
    secret_wipe(seed, sizeof seed);
    return r;
}

static int take_key(struct witness *w, struct bytes text)
{
    char name[CHECKPOINT_NAME_MAX_BYTES + 1] = "";
    uint8_t seed[SIGN_SEED_BYTES];
    size_t n = bytes_find(text, '\n');
    struct bytes hex = bytes_from(text, n + 1);
    hex = bytes_head(hex, bytes_find(hex, '\n'));
    if (!checkpoint_name_check(bytes_head(text, n)) || !code_unhex(hex, seed, sizeof seed))
        return RAISE(FAULT_CORRUPT);
    memcpy(name, text.p, n);
    int r = secret_init_copy(&w->seed, BYTES_OF(seed));
    secret_wipe(seed, sizeof seed);
    return r < 0 ? r : cosign_key_of(name, &w->seed, &w->key);
}

static int open_key(struct witness *w)
{
    struct buf text, public;
    SCOPED(file_drop_fd) int fd = -1;
    buf_init_wiping(&text, KEY_TEXT_MAX_BYTES);
    buf_init(&public, CHECKPOINT_KEY_MAX_BYTES + 1);
    int r = file_open(w->folder, KEY_NAME, O_RDONLY, 0, &fd);
    if (r == 0)
        r = file_read_all(fd, &text);
    else if (r == FILE_ABSENT)
        r = make_key(w->folder, &text);
    if (r == 0)
        r = take_key(w, buf_view(&text));
    if (r == 0)
        r = cosign_key_write(&public, &w->key);
    if (r == 0)
        r = buf_append_text(&public, "\n");
    if (r == 0)
        r = file_replace(w->folder, VKEY_NAME, buf_view(&public), 0644);
    buf_fini(&text);
    buf_fini(&public);
    return r;
}

/* ---- state ----------------------------------------------------------------------------------------------- */

static int save_state(struct witness *w)
{
    struct buf out;
    uint8_t digest[DIGEST_BYTES];
    buf_init(&out, STATE_MAX_BYTES);
    int r = buf_append(&out, BYTES_OF(magic));
    if (r == 0)
        r = buf_append(&out, BYTES_OF(w->now.last));
    if (r == 0)
        r = merkle_encode(&w->now.tree, &out);
    struct bytes all = buf_view(&out);
    if (r == 0)
        r = digest_sha256(&all, 1, digest);
    if (r == 0)
        r = buf_append(&out, BYTES_OF(digest));
    if (r == 0)
        r = file_replace(w->folder, STATE_NAME, buf_view(&out), 0600);
    buf_fini(&out);
    return r;
}

static bool take_state(struct witness *w, struct bytes all)
{
    uint8_t digest[DIGEST_BYTES];
    if (all.n < sizeof magic + 2 * (size_t)DIGEST_BYTES || memcmp(all.p, magic, sizeof magic) != 0)
        return false;
    struct bytes body = bytes_head(all, all.n - DIGEST_BYTES);
    if (digest_sha256(&body, 1, digest) != 0 || memcmp(digest, body.p + body.n, sizeof digest) != 0)
        return false;
    memcpy(w->now.last, all.p + sizeof magic, DIGEST_BYTES);
    return merkle_decode(bytes_from(body, sizeof magic + DIGEST_BYTES), &w->now.tree);
}

/* What is remembered; nothing in a new folder. */
static int load_state(struct witness *w)
{
    struct buf text;
    SCOPED(file_drop_fd) int fd = -1;
    trail_check_init(&w->now);
    int r = file_open(w->folder, STATE_NAME, O_RDONLY, 0, &fd);
    if (r == FILE_ABSENT)
        return 0;
    TRY(r);
    buf_init(&text, STATE_MAX_BYTES);
    r = file_read_all(fd, &text);
    if (r == 0 && !take_state(w, buf_view(&text)))
        r = RAISE(FAULT_CORRUPT);
    buf_fini(&text);
    return r;
}

/* ---- the sink -------------------------------------------------------------------------------------------- */

static int witness_make(const struct sink_setup *setup, struct sink **ret_sink, char *ret_why)
{
    struct witness *w = calloc(1, sizeof *w);
    if (w == NULL)
        return RAISE(-ENOMEM);
    w->folder = -1;
    w->sink = (struct sink){.kind = &sink_witness, .fd = -1};
    buf_init(&w->sink.out, 1);
    buf_init(&w->note, CHECKPOINT_NOTE_MAX_BYTES);
    *ret_sink = &w->sink;
    int r = sink_trail_key(setup, &w->trail_key, ret_why);
    if (r == 0)
        r = sink_folder(setup, &sink_witness, &w->folder, ret_why);
    return r;
}

static void witness_close(struct sink *s)
{
    struct witness *w = CONTAINER_OF(s, struct witness, sink);
    buf_clear(&w->note);
}

static int witness_open(struct sink *s, struct cursor *cursor)
{
    struct witness *w = CONTAINER_OF(s, struct witness, sink);
    if (secret_is_empty(&w->seed))
        TRY(open_key(w));
    TRY(load_state(w));
    w->pruned = (struct prune_seen){0};    /* what is remembered was founded */
    cursor->place.next = w->now.tree.size; /* what it remembers itself counts */
    memcpy(cursor->place.last, w->now.last, DIGEST_BYTES);
    s->is_well = true;
    s->wake.us = INT64_MAX;
    return 0;
}

/* A new witness may begin behind records that were removed; it signs nothing before a record has said so. */
static int take_base(struct witness *w, struct bytes base)
{
    if (w->now.tree.size > 0 || base.n == 0)
        return 0;
    trail_check_init(&w->now);
    if (prune_take_base(&base, &w->now) != PRUNE_BASE_TAKEN || base.n > 0)
        return RAISE(FAULT_PROTOCOL);
    return prune_begin(&w->pruned, &w->now);
}

static int witness_put(struct sink *s, const struct format_item *item)
{
    struct witness *w = CONTAINER_OF(s, struct witness, sink);
    uint64_t seq = item->record->seq, size = w->seen.size;
    TRY(take_base(w, item->base));
    int r = prune_see(&w->pruned, item->bytes);
    if (r > 0)
        return sink_down(s, "record %llu states another beginning of the trail; it is not witnessed",
                         (unsigned long long)seq);
    TRY(r);
    r = checkpoint_see(&w->seen, item->bytes, &w->now, &w->trail_key);
    if (r > 0)
        return sink_down(s, "record %llu %s; it is not witnessed", (unsigned long long)seq, checkpoint_why(r));
    if (r == 0)
        r = trail_check_add(&w->now, item->bytes);
    if (r > 0)
        return sink_down(s, "record %llu does not continue the trail; it is not witnessed", (unsigned long long)seq);
    if (r == 0 && w->seen.size != size) {
        buf_clear(&w->note);
        r = buf_append(&w->note, item->record->detail);
    }
    return r;
}

static int publish(struct witness *w)
{
    struct buf note;
    uint64_t now = (uint64_t)(clock_wall_now().us / US_PER_S);
    buf_init(&note, CHECKPOINT_NOTE_MAX_BYTES + 512);
    int r = cosign_write(&note, buf_view(&w->note), now, &w->key, &w->seed);
    if (r == CHECKPOINT_BAD)
        r = RAISE(FAULT_INTERNAL); /* it was read before */
    if (r == 0)
        r = file_replace(w->folder, CHECKPOINT_NAME, buf_view(&note), 0644);
    if (r == 0)
        r = save_state(w);
    buf_fini(&note);
    return r;
}

static int witness_flush(struct sink *s, struct mono_time now)
{
    struct witness *w = CONTAINER_OF(s, struct witness, sink);
    (void)now;
    bool is_founded = w->pruned.before == 0 || (w->pruned.is_stated && w->seen.size > w->pruned.seq);
    if (buf_size(&w->note) == 0 || !is_founded)
        return 0;
    int r = publish(w);
    if (r < 0)
        return sink_down(s, "cannot write: %s", fault_text(r));
    buf_clear(&w->note);
    s->kept = s->given;
    s->size = w->seen.size;
    s->anchored_us = clock_wall_now().us;
    return 0;
}

static void witness_free(struct sink *s)
{
    struct witness *w = CONTAINER_OF(s, struct witness, sink);
    secret_fini(&w->seed);
    file_drop_fd(&w->folder);
    buf_fini(&w->note);
    buf_fini(&s->out);
    free(w);
}

const struct sink_kind sink_witness = {.name = "witness",
                                       .profile = "secreg-follow-witness",
                                       .user = "secreg-witness",
                                       .cursors = SINK_WITNESS_FOLDER,
                                       .folder = SINK_WITNESS_FOLDER,
                                       .folder_mode = 0755,
                                       .is_faithful = true,
                                       .sees_again = true,
                                       .make = witness_make,
                                       .open = witness_open,
                                       .put = witness_put,
                                       .flush = witness_flush,
                                       .close = witness_close,
                                       .free = witness_free};
