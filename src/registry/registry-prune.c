/*
 * registry-prune - removing version rows that nobody may ask for any more; see registry.h.
 *
 * A row is spare when its entry has as many newer ones as are kept, or when its entry is forgotten: deleted, and too
 * many others after it. Removing each row as it becomes spare would touch a page of its own for every change. So spare
 * rows stay until they are as many as those that are wanted; then a pass goes over all rows from the old end, a few for
 * each row that is added meanwhile, and removes what it finds: most rows of a page at a time. What is stored is at most
 * about three times what is wanted, and history never shows a spare row.
 *
 * Invariant: a row is removed after every older row of its entry. Otherwise an older version would be the newest one
 * at the next start. Passes go upwards and versions become spare in their order; but a whole entry becomes spare at
 * once, and the pass may be past some of its rows. So which deleted entries go is decided when a pass begins.
 */
#include <string.h>

#include "model/path.h"
#include "registry/registry-internal.h"

enum {
    SPARE_PER_WANTED = 3,      /* a pass begins when there are so many times more */
    ROWS_PER_CHANGE_COUNT = 4, /* looked at for each row that the turn added */
    CHUNK_COUNT = 256,         /* looked at between two removals */
};

enum { HEAD_ID, HEAD_PATH, HEAD_VERSION }; /* columns of STORE_VERSION_HEADS */

bool registry_row_is_spare(const struct registry *r, const struct entry *e, uint64_t version)
{
    uint64_t keep = r->settings.versions_count;
    uint32_t newer = (uint32_t)(e->version - version); /* versions are counted in their low half: rows_next() */
    return (e->flags & ENTRY_BURIED) != 0 || (keep > 0 && version < e->version && newer >= keep);
}

/* Runs of rows that a chunk found to be removed, with nothing wanted between them; and deleted entries whose last row
 * is among them. */
struct chunk {
    struct {
        uint64_t first, last;
    } runs[CHUNK_COUNT];
    struct node *tombs[CHUNK_COUNT];
    size_t runs_count, tombs_count, count, seen;
    bool is_in_run;
    struct node *folder; /* of the row before: most rows of a page lie in the same one */
    uint8_t folder_path[PATH_MAX_BYTES];
    size_t folder_bytes;
};

/* The node at a stored path, or NULL: a path that was damaged after the start is looked for like any other. Nothing is
 * removed from the tree while a chunk is filled. */
static struct node *find_node(const struct registry *r, struct bytes path, struct chunk *c)
{
    const char *why;
    struct bytes parent = path_parent(path);
    if (c->folder == NULL || !bytes_equal(parent, bytes_of(c->folder_path, c->folder_bytes))) {
        c->folder = path_check(path, &why) && !path_is_root(path) ? tree_walk(&r->tree, parent).node : NULL;
        if (c->folder == NULL)
            return NULL;
        memcpy(c->folder_path, parent.p, parent.n);
        c->folder_bytes = parent.n;
    }
    return tree_child(&r->tree, c->folder, bytes_from(path, parent.n + 1));
}

static bool is_spare(struct registry *r, struct store_stmt *st, uint64_t id, struct chunk *c, struct node **ret_tomb)
{
    uint8_t storage[PATH_MAX_BYTES];
    struct node *node = find_node(r, registry_show(r, store_column_bytes(st, HEAD_PATH), storage), c);
    const struct entry *e = node != NULL ? node->entry : NULL;
    *ret_tomb = NULL;
    if (e == NULL || (e->flags & ENTRY_CORRUPT) != 0)
        return false; /* kept as it is: the next unlock will say so */
    if (e->row == id)
        *ret_tomb = node;
    return registry_row_is_spare(r, e, (uint64_t)store_column_i64(st, HEAD_VERSION));
}

static void look_at_row(struct registry *r, struct store_stmt *st, struct chunk *c)
{
    struct node *tomb;
    uint64_t id = (uint64_t)store_column_i64(st, HEAD_ID);
    bool is_going = is_spare(r, st, id, c, &tomb);
    r->prune.next = id + 1;
    c->seen++;
    if (is_going) {
        if (!c->is_in_run)
            c->runs[c->runs_count++].first = id;
        c->runs[c->runs_count - 1].last = id;
        c->count++;
        if (tomb != NULL)
            c->tombs[c->tombs_count++] = tomb;
    }
    c->is_in_run = is_going;
}

/* Looks at up to `limit` rows. Returns 0 (that was the last row), STORE_ROW, or a fault. */
static int fill_chunk(struct registry *r, size_t limit, struct chunk *c)
{
    int x = STORE_ROW;
    struct store_stmt *st = store_use(r->store, STORE_VERSION_HEADS);
    store_bind_i64(st, 1, (int64_t)r->prune.next);
    while (c->seen < limit && (x = store_step(r->store, st)) == STORE_ROW)
        look_at_row(r, st, c);
    store_done(st);
    return x;
}

/* The last row of a deleted entry goes: its versions stay below the floor of new entries. */
static int forget(struct registry *r, struct node *node)
{
    digest_sum_remove(r->state.sum, node->entry->mac);
    r->state.version_floor = MAX_OF(r->state.version_floor, node->entry->version);
    return registry_swap_entry(r, node, NULL);
}

static int remove_rows(struct registry *r, const struct chunk *c)
{
    for (size_t i = 0; i < c->runs_count; i++) {
        struct store_stmt *st = store_use(r->store, STORE_VERSION_REMOVE);
        store_bind_i64(st, 1, (int64_t)c->runs[i].first);
        store_bind_i64(st, 2, (int64_t)c->runs[i].last);
        TRY(store_run(r->store, st));
    }
    for (size_t i = 0; i < c->tombs_count; i++)
        TRY(forget(r, c->tombs[i]));
    r->prune.rows_count -= MIN_OF(r->prune.rows_count, c->count);
    r->prune.spare_count -= MIN_OF(r->prune.spare_count, c->count);
    return 0;
}

/* A deleted entry that is forgotten has its deletion and, unless that is spare already, the version before it. */
static bool is_due(const struct registry *r)
{
    uint64_t forgotten = r->tree.forgotten_count * (r->settings.versions_count == 1 ? 1 : 2);
    uint64_t spare = r->prune.spare_count + forgotten;
    uint64_t wanted = r->prune.rows_count - MIN_OF(r->prune.rows_count, spare);
    return spare > MAX_OF(wanted * SPARE_PER_WANTED, (uint64_t)r->settings.spare_count);
}

static void begin_pass(struct registry *r)
{
    r->prune.next = 1;
    r->prune.fresh_count = 0;
    LIST_EACH_SAFE(it, &r->tree.forgotten) {
        struct entry *e = CONTAINER_OF(it, struct entry, tomb);
        e->flags |= ENTRY_BURIED;
    }
}

int registry_prune_step(struct registry *r)
{
    size_t left = r->changes_count * ROWS_PER_CHANGE_COUNT;
    assert(r->changes_count > 0);
    if (r->prune.next == 0 && is_due(r))
        begin_pass(r);
    while (r->prune.next != 0 && left > 0) {
        struct chunk c = {.folder = NULL};
        int more = fill_chunk(r, MIN_OF(left, (size_t)CHUNK_COUNT), &c);
        TRY(more);
        TRY(remove_rows(r, &c));
        left -= c.seen;
        if (more == 0) {
            r->prune.next = 0;
            r->prune.spare_count = MIN_OF(r->prune.spare_count, r->prune.fresh_count);
        }
    }
    return 0;
}

void registry_set_settings(struct registry *r, const struct registry_settings *settings)
{
    if (settings->versions_count !=
        r->settings.versions_count) { /* nobody has counted by the new number: a pass sees */
        r->prune.spare_count = r->prune.rows_count;
        r->prune_before.spare_count = r->prune_before.rows_count;
    }
    r->settings = *settings;
    trail_set_reserve(r->trail, settings->unsynced_count);
}
