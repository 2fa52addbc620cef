/*
 * restore - "secregd --mode=restore KIND FORM IF FILE": a backup takes the place of the store; see init.h.
 *
 * KIND is passphrase or key-file, FORM text or json, IF same or any (stores). Runs while the daemon does not: the lock
 * file says so. The content is written beside the store, each chunk found authentic before; then that store is opened
 * and checked like any other, row by row, its trail record by record against the head that the header names. What was
 * there stays, under another name; the change of names is one step. Restoring is an event, never a silent copy: the
 * restored trail gets a record that says who, from which head, and which head was replaced; and every number is of a
 * new era, so that no version or revision of the lost future ever means other content.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/code.h"
#include "model/backup.h"
#include "model/roles.h"
#include "os/file.h"
#include "registry/init-internal.h"
#include "registry/registry.h"

#define NEW_NAME PLACE_DB_NAME ".restore"
#define NEW_TRAIL REGISTRY_TRAIL_PREFIX "restore" /* until the name is given that stays */
#define ASIDE_NAME PLACE_DB_NAME ".replaced-"
enum { NAME_BYTES = 96, ASIDE_TRIES_COUNT = 1000 };

/* Hours since 2026: an era that no store had before, when nothing is left to ask. */
#define ERA_BEGIN_S INT64_C(1767225600)
enum {
    ERA_S = 3600,
    ERA_SLACK_COUNT = 4096 /* restores beyond it that numbers may speak of which nothing vouches for */
};

/* Keep everything: nothing is removed on the way. */
static const struct registry_settings keep_all = {.tombs_count = UINT32_MAX, .spare_count = UINT32_MAX};

/* The store that is to be replaced. */
struct present {
    bool is_there, opens, is_same;
    bool has_numbers, is_authentic; /* of its state: authentic if it opened with the same material, else as stored */
    struct rows_state state;
    struct trail_head head;
};

struct restore {
    struct places places;
    int folder; /* of the state */
    int lock_fd, file_fd, out_fd;
    bool is_json, takes_any;
    enum keys_slot_kind kind;
    struct secret material;
    struct backup backup;
    struct present present;
    struct registry *made;
    uint64_t revision, era;
    char path[sizeof(((struct places *)0)->db) + 16];       /* of the new store, until it is in place */
    char trail_path[sizeof(((struct places *)0)->db) + 16]; /* of its trail, until then */
    char trail[REGISTRY_TRAIL_NAME_BYTES];                  /* what that will be called */
    struct trail_import *import;
    struct epoch_seed seed; /* of the epochs of that trail from here on */
    uint64_t written;       /* bytes of the content */
    char aside[NAME_BYTES]; /* "": nothing was replaced */
};

/* Ends with a message for people; status: of model/outcome.h. */
static int refuse(unsigned outcome, const char *why)
{
    fprintf(stderr, "%s\n", why);
    return (int)outcome;
}

static void ignore_corrupt(struct bytes path, void *arg)
{
    (void)path;
    (void)arg;
}

/* ---- the new store, written and checked ------------------------------------------------------------------ */

static void remove_trail(const struct restore *s)
{
    int fd = openat(s->folder, NEW_TRAIL, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *d;
    if (list == NULL) {
        file_drop_fd(&fd);
        return;
    }
    while ((d = readdir(list)) != NULL)
        (void)unlinkat(fd, d->d_name, 0);
    closedir(list);
    (void)unlinkat(s->folder, NEW_TRAIL, AT_REMOVEDIR);
}

static void remove_new(const struct restore *s)
{
    (void)unlinkat(s->folder, NEW_NAME, 0);
    (void)unlinkat(s->folder, NEW_NAME "-wal", 0);
    remove_trail(s);
}

/* The database comes first, then the records of the trail. */
static int write_content(struct bytes content, void *arg)
{
    struct restore *s = arg;
    uint64_t left = s->backup.header.database_bytes - MIN_OF(s->written, s->backup.header.database_bytes);
    struct bytes database = bytes_head(content, (size_t)MIN_OF((uint64_t)content.n, left));
    s->written += content.n;
    TRY(file_write_all(s->out_fd, database));
    return trail_import_add(s->import, bytes_from(content, database.n));
}

static int write_both(struct restore *s)
{
    TRY(trail_import_begin(s->trail_path, &s->import));
    int r = backup_each(&s->backup, write_content, s);
    if (r == 0)
        r = trail_import_end(s->import, &s->seed);
    if (r == 0 && fsync(s->out_fd) < 0)
        r = RAISE(-errno);
    return r;
}

/* The trail of the new store is where it was written to. */
static int name_trail(const struct restore *s)
{
    struct store *store;
    int r = store_open(s->path, &store);
    if (r != 0)
        return r < 0 ? r : RAISE(FAULT_CORRUPT);
    struct store_stmt *st = store_use(store, STORE_META_SET);
    store_bind_text(st, 1, BYTES_LITERAL("trail"));
    store_bind_blob(st, 2, BYTES_LITERAL(NEW_TRAIL));
    r = store_run(store, st);
    store_close(store);
    return r;
}

static int write_new(struct restore *s)
{
    remove_new(s); /* what an earlier run left: never the only copy of anything */
    int r = file_open(s->folder, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL, 0600, &s->out_fd);
    if (r != 0)
        return r < 0 ? r : RAISE(-ENOENT);
    r = write_both(s);
    trail_import_free(s->import);
    file_drop_fd(&s->out_fd);
    s->out_fd = -1;
    if (r == BACKUP_BAD)
        return refuse(OUTCOME_CORRUPT, "the backup is damaged: nothing was changed");
    return r != 0 ? r : name_trail(s);
}

static int check_record(uint64_t seq, struct bytes record, void *arg)
{
    (void)seq;
    int x = trail_check_add(arg, record);
    return x <= 0 ? x : RAISE(FAULT_CORRUPT);
}

/* Every record again, against the head in the header. */
static int check_trail(const struct restore *s)
{
    static struct trail_check check;
    struct trail_head head;
    TRY(trail_base(s->made->trail, &check));
    TRY(trail_read(s->made->trail, 0, false, check_record, &check));
    TRY(trail_check_head(&check, &head));
    bool is_same =
        head.size == s->backup.header.records && bytes_equal(BYTES_OF(head.root), BYTES_OF(s->backup.header.root));
    return is_same ? 0 : RAISE(FAULT_CORRUPT);
}

/* Opens and checks what was written. Returns 0, an outcome that was said, or a fault. */
static int check_new(struct restore *s)
{
    char why[REGISTRY_WHY_BYTES];
    int r = registry_open(s->path, &keep_all, &s->made);
    if (r != 0)
        return r < 0 ? r : RAISE(FAULT_CORRUPT);
    TRY(store_check(s->made->store, why, sizeof why));
    r = registry_unlock(s->made, s->kind, &s->material, ignore_corrupt, NULL, why);
    TRY(r);
    if (r != 0)
        return refuse(OUTCOME_CORRUPT, *why != '\0' ? why : "the backup is not consistent: nothing was changed");
    if (s->made->corrupt_count > 0)
        fprintf(stderr, "warning: %zu entries were damaged when the backup was taken, and still are\n",
                s->made->corrupt_count);
    return check_trail(s);
}

/* ---- the store that is there ----------------------------------------------------------------------------- */

/* What it says about itself; with the same material more of it is authentic. */
static int read_present(struct restore *s, struct registry *r)
{
    char why[REGISTRY_WHY_BYTES];
    struct present *p = &s->present;
    p->opens = true;
    p->is_same = memcmp(r->store_id, s->backup.header.store_id, KEYS_STORE_ID_BYTES) == 0;
    TRY(trail_head(r->trail, &p->head));
    p->has_numbers = rows_state_peek(trail_state(r->trail), &p->state);
    int x = registry_unlock(r, s->kind, &s->material, ignore_corrupt, NULL, why);
    p->is_authentic = x == 0;
    if (x == 0)
        p->state = r->state;
    TRY(x);
    return registry_scrub(r); /* its log must hold nothing when another store gets its name */
}

static int look_at_present(struct restore *s)
{
    struct registry *r = NULL;
    s->present.is_there = faccessat(s->folder, PLACE_DB_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    if (!s->present.is_there)
        return 0;
    int x = registry_open(s->places.db, &keep_all, &r);
    if (x == FAULT_BUSY)
        return refuse(OUTCOME_UNAVAILABLE, "another process has the store open: stop it first");
    if (x == 0) {
        x = read_present(s, r);
        registry_close(r);
        TRY(x);
    }
    if (s->present.opens && !s->present.is_same && !s->takes_any)
        return refuse(OUTCOME_CONFLICT,
                      "the backup is of another store than the one that is here; --force replaces it");
    return 0;
}

/* Above every era that the backup or the store it replaces ever used. */
static int find_era(struct restore *s)
{
    const struct present *p = &s->present;
    uint64_t era = registry_era(&s->made->state), other = p->has_numbers ? registry_era(&p->state) : 0;
    int64_t now = (clock_wall_now().us / US_PER_S - ERA_BEGIN_S) / ERA_S;
    uint64_t hours = now > 0 ? (uint64_t)now : 0;
    bool is_plausible = p->is_authentic || other <= MAX_OF(era, hours) + ERA_SLACK_COUNT;
    if (p->has_numbers && is_plausible)
        era = MAX_OF(era, other);
    else
        era = MAX_OF(era, hours);
    s->era = era;
    return era <= ROWS_ERA_MAX ? 0 : RAISE(FAULT_LIMIT);
}

/* ---- the record ------------------------------------------------------------------------------------------ */

static void say_replaced(const struct present *p, char *text, size_t size)
{
    char root[DIGEST_BYTES * 2 + 1];
    if (!p->opens) {
        snprintf(text, size, "%s", p->is_there ? "a store that does not open" : "no store");
        return;
    }
    code_hex_text(BYTES_OF(p->head.root), root);
    snprintf(text, size, "%s%llu records, root %s", p->is_same ? "" : "another store, ",
             (unsigned long long)p->head.size, root);
}

static int record_restore(struct restore *s)
{
    const struct backup_header *h = &s->backup.header;
    char text[RECORD_TEXT_MAX_BYTES], when[CLOCK_TEXT_BYTES], root[DIGEST_BYTES * 2 + 1], replaced[160];
    bool synced;
    struct record r = {.wall_us = clock_wall_now().us,
                       .mono_us = clock_mono_now().us,
                       .kind = RECORD_RESTORE,
                       .uid = (uint32_t)getuid(),
                       .gid = (uint32_t)getgid(),
                       .pid = (uint32_t)getpid()};
    clock_wall_text((struct wall_time){h->created_us}, when);
    code_hex_text(BYTES_OF(h->root), root);
    say_replaced(&s->present, replaced, sizeof replaced);
    int n = snprintf(text, sizeof text, "backup of %s, %llu records, root %s; replaced %s; era %llu", when,
                     (unsigned long long)h->records, root, replaced, (unsigned long long)s->era);
    assert(n > 0 && (size_t)n < sizeof text);
    r.detail = bytes_of_text(text);
    uint8_t id[8];
    crypt_random(id, sizeof id);
    registry_trail_name_make(BYTES_OF(id), s->trail);
    registry_begin_era(s->made, s->era);
    TRY(registry_set_trail_name(s->made, s->trail));
    s->revision = s->made->state.revision;
    struct record epoch = r;
    TRY(registry_begin_epoch(s->made, &epoch));
    TRY(registry_record(s->made, &r, true));
    return registry_turn_end(s->made, true, &synced);
}

/* ---- names ----------------------------------------------------------------------------------------------- */

/* A name for what is replaced that nothing has yet. */
static int find_aside(struct restore *s)
{
    char text[CLOCK_TEXT_BYTES], when[CLOCK_TEXT_BYTES];
    size_t n = 0;
    clock_wall_text(clock_wall_now(), text);
    for (size_t i = 0; text[i] != '\0' && text[i] != '.'; i++) {
        if (text[i] != '-' && text[i] != ':') /* 20260131T120000, whole seconds */
            when[n++] = text[i];
    }
    when[n] = '\0';
    for (int i = 0; i < ASIDE_TRIES_COUNT; i++) {
        if (i == 0)
            snprintf(s->aside, sizeof s->aside, ASIDE_NAME "%sZ", when);
        else
            snprintf(s->aside, sizeof s->aside, ASIDE_NAME "%sZ-%d", when, i);
        if (faccessat(s->folder, s->aside, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
            return 0;
    }
    return RAISE(-EEXIST);
}

/* The log of a store that does not open cannot be folded: it goes with that store. */
static int move_log(const struct restore *s)
{
    char name[NAME_BYTES + 8];
    if (s->present.opens)
        return 0;
    snprintf(name, sizeof name, "%s-wal", s->aside);
    if (renameat(s->folder, PLACE_DB_NAME "-wal", s->folder, name) < 0 && errno != ENOENT)
        return RAISE(-errno);
    return 0;
}

/*
 * The new store first gets the name that the old one is to have, then the two change names in one step: at every
 * instant one whole store has the name of the store, and no later run takes the old one for something half made.
 */
static int change_names(struct restore *s)
{
    TRY(find_aside(s));
    TRY(move_log(s));
    if (!s->present.is_there) {
        *s->aside = '\0';
        if (renameat2(s->folder, NEW_NAME, s->folder, PLACE_DB_NAME, RENAME_NOREPLACE) < 0)
            return RAISE(-errno);
        return file_sync_folder(s->folder);
    }
    if (renameat(s->folder, NEW_NAME, s->folder, s->aside) < 0)
        return RAISE(-errno);
    TRY(file_sync_folder(s->folder));
    if (renameat2(s->folder, s->aside, s->folder, PLACE_DB_NAME, RENAME_EXCHANGE) < 0) {
        int error = errno;
        (void)unlinkat(s->folder, s->aside, 0);
        return RAISE(-error);
    }
    return file_sync_folder(s->folder);
}

/* ---- all of it ------------------------------------------------------------------------------------------- */

static int unlock_backup(struct restore *s)
{
    int r = backup_open(s->file_fd, &s->backup);
    if (r == 0)
        r = backup_unlock(&s->backup, s->kind, &s->material);
    if (r == BACKUP_BAD)
        return refuse(OUTCOME_CORRUPT, "the file is not a backup, or damaged: nothing was changed");
    if (r == BACKUP_WRONG)
        return refuse(OUTCOME_AUTH_FAILED, "the passphrase or key file does not open the backup");
    return r;
}

/* The new store is closed, whole, under its first name, with the owner it is to have; its trail has its last one. */
static int finish_new(struct restore *s, const struct owner *owner)
{
    s->made = registry_close(s->made); /* which folds its log */
    if (unlinkat(s->folder, NEW_NAME "-wal", 0) < 0 && errno != ENOENT)
        return RAISE(-errno);
    if (owner->uid != (uid_t)-1)
        TRY(init_give_folder(s->trail_path, owner));
    if (renameat2(s->folder, NEW_TRAIL, s->folder, s->trail, RENAME_NOREPLACE) < 0)
        return RAISE(-errno);
    if (owner->uid == (uid_t)-1)
        return 0;
    if (fchownat(s->folder, NEW_NAME, owner->uid, owner->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchown(s->folder, owner->uid, owner->gid) < 0)
        return RAISE(-errno);
    return 0;
}

static int run(struct restore *s, const struct owner *owner)
{
    static int (*const steps[])(struct restore * s) = {unlock_backup, look_at_present, write_new,
                                                       check_new,     find_era,        record_restore};
    int r = 0;
    for (size_t i = 0; r == 0 && i < COUNT_OF(steps); i++)
        r = steps[i](s);
    if (r == 0)
        r = finish_new(s, owner);
    if (r == 0)
        r = change_names(s);
    registry_close(s->made);
    if (r != 0 && s->folder >= 0)
        remove_new(s);
    return r;
}

/* What has to happen before the process is confined. Returns 0, an outcome that was said, or a fault. */
static int prepare(struct restore *s, const char *root, const char *file, const struct owner *owner)
{
    umask(077);
    TRY(init_find_places(root, &s->places));
    snprintf(s->path, sizeof s->path, "%s/" NEW_NAME, s->places.state);
    snprintf(s->trail_path, sizeof s->trail_path, "%s/" NEW_TRAIL, s->places.state);
    s->file_fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (s->file_fd < 0)
        return RAISE(-errno);
    TRY(init_make_places(&s->places));
    int r = file_open_folder(s->places.state, &s->folder);
    if (r == 0)
        r = file_lock(s->folder, "lock", &s->lock_fd);
    if (r == FILE_HELD)
        return refuse(OUTCOME_UNAVAILABLE, "the daemon is running: stop it first");
    if (r != 0)
        return r < 0 ? r : RAISE(-ENOENT);
    if (owner->uid == (uid_t)-1)
        TRY(init_enter_profile(&s->places));
    r = crypt_start();
    return r < 0 ? r : init_read_material(&s->material);
}

/* Returns 0, or -errno: the store is restored, and its seed could not be told. */
static int report(const struct restore *s)
{
    const struct backup_header *h = &s->backup.header;
    char when[CLOCK_TEXT_BYTES];
    const char *slash = *s->aside != '\0' ? "/" : "", *state = *s->aside != '\0' ? s->places.state : "";
    clock_wall_text((struct wall_time){h->created_us}, when);
    if (s->is_json)
        TRY(init_tell_seed(&s->seed, "{\"seed\":\"", "\","));
    if (s->is_json)
        printf("\"taken\":\"%s\",\"records\":%llu,\"revision\":%llu,\"era\":%llu,\"replaced\":\"%s%s%s\"}\n", when,
               (unsigned long long)h->records, (unsigned long long)s->revision, (unsigned long long)s->era, state,
               slash, s->aside);
    else
        printf("restored the backup of %s: %llu records, now at revision %llu\n", when, (unsigned long long)h->records,
               (unsigned long long)s->revision);
    if (!s->is_json && *s->aside != '\0')
        printf("the store before is kept as %s%s%s\n", state, slash, s->aside);
    return s->is_json ? 0 : init_tell_seed(&s->seed, "audit seed from here on: ", "\n");
}

static int status_of_fault(int fault)
{
    proc_log_fault(fault, "cannot restore; nothing was changed");
    if (fault == -ENOSPC || fault == -EDQUOT || fault == FAULT_FULL)
        return outcome_exit(OUTCOME_FULL);
    return fault == FAULT_CORRUPT ? outcome_exit(OUTCOME_CORRUPT) : 1;
}

static void drop_restore(struct restore *s)
{
    secret_fini(&s->material);
    secret_wipe(&s->seed, sizeof s->seed);
    backup_close(&s->backup);
    file_drop_fd(&s->file_fd);
    file_drop_fd(&s->lock_fd);
    file_drop_fd(&s->folder);
}

int init_restore(const char *root, int argc, char **argv)
{
    static struct restore s = {.folder = -1, .lock_fd = -1, .file_fd = -1, .out_fd = -1};
    struct owner owner = init_find_owner(root);
    if (argc != 4)
        return outcome_exit(OUTCOME_BAD_REQUEST);
    s.kind = strcmp(argv[0], "key-file") == 0 ? KEYS_SLOT_KEY_FILE : KEYS_SLOT_PASSPHRASE;
    s.is_json = strcmp(argv[1], "json") == 0;
    s.takes_any = strcmp(argv[2], "any") == 0;
    int r = prepare(&s, root, argv[3], &owner);
    if (r == 0)
        r = run(&s, &owner);
    bool is_told = r != 0 || report(&s) == 0;
    if (!is_told)
        fprintf(stderr, "the store is restored, but its audit seed could not be told: nothing will be proven with it; "
                        "restore again\n");
    drop_restore(&s);
    if (!is_told)
        return 1;
    return r < 0 ? status_of_fault(r) : outcome_exit((unsigned)r);
}
