/*
 * Power loss at any moment: whatever was synced is there, of the rest each sector is as it was or as it became.
 *
 * fdatasync() and fsync() of this program stand before those of the C library, for SQLite as well: they note what each
 * file held when it was last made durable. A crash copies the folder, and of each sector that differs from that it
 * keeps the old content, the new one, or, in the last sector touched, a part of it; a file may also have lost its new
 * length. What is opened then has every change that was answered, the trail of all of them, and of the reads that were
 * answered no more are missing than it says. POWER_SEED and POWER_POINTS in the environment make it another run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/hash.h"
#include "epoch-again.h"
#include "model/value.h"
#include "registry/registry-internal.h"
#include "remove-tree.h"

enum { FILES_MAX_COUNT = 64, SECTOR_BYTES = 512, POINTS_COUNT = 40, KEYS_COUNT = 24 };

/* What a file held when it was last synced, by its inode. */
static struct file {
    ino_t inode;
    uint8_t *bytes;
    size_t size;
} files[FILES_MAX_COUNT];
static size_t files_count;
static bool is_watching; /* syncs are noted */
static uint64_t seed;
static size_t points;

static uint64_t any(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % below;
}

static void read_whole(int fd, uint8_t **bytes, size_t *size)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    if (*bytes == NULL || *size != (size_t)st.st_size) {
        free(*bytes);
        *bytes = malloc((size_t)st.st_size + 1);
        assert_non_null(*bytes);
    }
    *size = (size_t)st.st_size;
    for (size_t at = 0; at < *size;) {
        ssize_t n = pread(fd, *bytes + at, *size - at, (off_t)at);
        assert_true(n > 0);
        at += (size_t)n;
    }
}

static struct file *file_of(ino_t inode)
{
    for (size_t i = 0; i < files_count; i++) {
        if (files[i].inode == inode)
            return &files[i];
    }
    return NULL;
}

static void note(int fd)
{
    struct stat st;
    if (!is_watching || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    struct file *f = file_of(st.st_ino);
    if (f == NULL) {
        assert_true(files_count < FILES_MAX_COUNT);
        f = &files[files_count++];
        *f = (struct file){.inode = st.st_ino};
    }
    read_whole(fd, &f->bytes, &f->size);
}

static void crash(bool may_have_asked);
static bool is_in_turn; /* the power may go before a sync is done */

int fdatasync(int fd)
{
    if (is_watching && is_in_turn && any(4) == 0)
        crash(true);
    int r = (int)syscall(SYS_fdatasync, fd);
    note(fd);
    return r;
}

int fsync(int fd)
{
    int r = (int)syscall(SYS_fsync, fd);
    note(fd);
    return r;
}

/* ---- the crash ------------------------------------------------------------------------------------------- */

/* Each sector of `p` is what it is, or what it was when it was synced (before that it was nothing), or torn: the one up
 * to some byte and the other behind it. */
static void lose_sectors(uint8_t *p, size_t size, const struct file *old)
{
    uint64_t share = any(5); /* of the sectors, how likely each is to be lost: from none to all */
    for (size_t at = 0; at < size; at += SECTOR_BYTES) {
        size_t n = MIN_OF((size_t)SECTOR_BYTES, size - at), has = old != NULL && old->size > at ? old->size - at : 0;
        uint8_t before[SECTOR_BYTES] = {0};
        if (has > 0)
            memcpy(before, old->bytes + at, MIN_OF(n, has));
        if (memcmp(before, p + at, n) == 0)
            continue;
        size_t from = any(10) == 0 ? any(n) : any(4) < share ? 0 : n;
        memcpy(p + at + from, before + from, n - from);
    }
}

static void crash_file(int from, int to, const char *name)
{
    static uint8_t *p;
    static size_t room;
    struct stat st;
    int in = openat(from, name, O_RDONLY | O_CLOEXEC), out;
    assert_true(in >= 0 && fstat(in, &st) == 0);
    const struct file *old = file_of(st.st_ino);
    read_whole(in, &p, &room);
    close(in);
    size_t size = room, kept = old != NULL ? old->size : 0;
    lose_sectors(p, size, old);
    if (size > kept && any(3) == 0)
        size = kept + any(size - kept);
    out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(out >= 0 && ftruncate(out, (off_t)size) == 0);
    while (size > 0 && p[size - 1] == 0)
        size--; /* most of the log is zeros */
    assert_true(write(out, p, size) == (ssize_t)size);
    close(out);
}

static void crash_folder(int from, int to)
{
    int copy = dup(from);
    DIR *list = fdopendir(copy);
    const struct dirent *d;
    assert_non_null(list);
    rewinddir(list);
    while ((d = readdir(list)) != NULL) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        if (d->d_type != DT_DIR) {
            crash_file(from, to, d->d_name);
            continue;
        }
        assert_int_equal(mkdirat(to, d->d_name, 0700), 0);
        int a = openat(from, d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int b = openat(to, d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        crash_folder(a, b);
        close(a);
        close(b);
    }
    closedir(list);
}

/* ---- the store ------------------------------------------------------------------------------------------- */

static struct registry_settings settings = {.versions_count = 3, .tombs_count = 20, .spare_count = 10};

static struct {
    char folder[64], crashed[72], db[96];
    struct secret key;
    struct registry *r;
    int values[KEYS_COUNT];     /* as answered; 0: absent */
    int asked[KEYS_COUNT];      /* as the turn on its way would make them */
    uint64_t answered, durable; /* records answered; of them, those up to the last that may not be lost */
} t;

static const struct registry_actor actor = {.uid = 1000, .now_us = 1700000000000000};

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    snprintf(t.folder, sizeof t.folder, "/tmp/secreg-power-XXXXXX");
    if (crypt_start() < 0 || mkdtemp(t.folder) == NULL || secret_init_random(&t.key, KEYS_FILE_BYTES) < 0)
        return -1;
    snprintf(t.crashed, sizeof t.crashed, "%s.x", t.folder);
    snprintf(t.db, sizeof t.db, "%s/registry.db", t.folder);
    is_watching = true;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    is_watching = false;
    registry_close(t.r);
    secret_fini(&t.key);
    for (size_t i = 0; i < files_count; i++)
        free(files[i].bytes);
    files_count = 0;
    return remove_tree(t.folder);
}

static void ignore(struct bytes path, void *arg)
{
    (void)path;
    (void)arg;
    fail();
}

static int unlock(struct registry *r)
{
    char why[REGISTRY_WHY_BYTES];
    return registry_unlock(r, KEYS_SLOT_KEY_FILE, &t.key, ignore, NULL, why);
}

/* As the daemon does at each start. */
static void begin_epoch(struct registry *r)
{
    struct record epoch = {.wall_us = actor.now_us};
    bool synced;
    assert_int_equal(registry_begin_epoch(r, &epoch), 0);
    assert_int_equal(registry_turn_end(r, true, &synced), 0);
}

static void open_store(void)
{
    assert_int_equal(registry_open(t.db, &settings, &t.r), 0);
    assert_int_equal(unlock(t.r), 0);
    begin_epoch(t.r);
    t.answered = t.durable = trail_size(t.r->trail);
}

static int record(bool is_change)
{
    struct record r = {.kind = is_change ? RECORD_SET : RECORD_GET, .wall_us = actor.now_us};
    return registry_record(t.r, &r, is_change);
}

static struct bytes path_of(size_t key, char *storage, size_t size)
{
    snprintf(storage, size, "/registry/applications/k%zu", key);
    return bytes_of_text(storage);
}

static void change(size_t key, int value)
{
    char path[64], text[2400];
    struct registry_done done;
    struct bytes p = path_of(key, path, sizeof path);
    struct node *n = tree_walk(&t.r->tree, p).node;
    if (value == 0) {
        assert_int_equal(n == NULL ? 0 : registry_delete(t.r, n, &actor, &done), 0);
    } else {
        int length = snprintf(text, sizeof text, "%d %*d", value, (int)any(2000) + 1, 7);
        struct registry_put put = {.body = bytes_of(text, (size_t)length), .seals = key % 3 == 0};
        assert_int_equal(registry_set(t.r, p, &actor, &put, &done), 0);
    }
    assert_int_equal(record(true), 0);
    t.asked[key] = value;
}

/* A turn of changes, reads, or both; answered if `is_answered`. */
static void turn(bool is_durable, int *counter)
{
    bool synced, has_changed = any(3) == 0;
    size_t reads = any(any(20) == 0 ? 900 : 6) + !has_changed;
    memcpy(t.asked, t.values, sizeof t.asked);
    for (size_t i = has_changed ? any(3) + 1 : 0; i > 0; i--) {
        size_t key = any(KEYS_COUNT);
        bool is_there = t.asked[key] != 0;
        change(key, is_there && any(4) == 0 ? 0 : ++*counter);
    }
    for (size_t i = 0; i < reads; i++)
        assert_int_equal(record(false), 0);
    has_changed = t.r->is_changed;
    is_in_turn = true;
    assert_int_equal(registry_turn_end(t.r, is_durable, &synced), 0);
    is_in_turn = false;
    memcpy(t.values, t.asked, sizeof t.values);
    t.answered = trail_size(t.r->trail);
    if (has_changed || is_durable)
        t.durable = t.answered;
    if (any(12) == 0) {
        struct record epoch = {.wall_us = actor.now_us};
        assert_int_equal(registry_begin_epoch(t.r, &epoch), 0);
        assert_int_equal(registry_turn_end(t.r, is_durable, &synced), 0);
        t.answered = trail_size(t.r->trail);
        t.durable = is_durable ? t.answered : t.durable;
    }
    if (any(25) == 0) {
        assert_int_equal(registry_sync(t.r), 0);
        t.durable = t.answered;
    }
}

static int check_one(uint64_t seq, struct bytes raw, void *arg)
{
    struct trail_check *c = arg;
    assert_int_equal(seq, c->tree.size);
    assert_int_equal(trail_check_add(c, raw), 0);
    return 0;
}

static int value_at(struct registry *r, size_t key)
{
    char path[64], text[8] = "";
    struct registry_value v;
    const struct node *n = tree_walk(&r->tree, path_of(key, path, sizeof path)).node;
    if (n == NULL || !node_is_live(n))
        return 0;
    assert_int_equal(registry_get(r, n, true, &v), 0);
    memcpy(text, v.body.p, MIN_OF(v.body.n, sizeof text - 1));
    return atoi(text);
}

static struct epoch_again again;
static struct registry_made made;

/* What the crash left is opened, checked, and goes on. */
static void judge(bool may_have_asked)
{
    char db[128], why[200];
    struct registry *r = NULL;
    static struct trail_check c;
    struct trail_head head, read;
    bool synced, is_asked = may_have_asked;
    snprintf(db, sizeof db, "%s/registry.db", t.crashed);
    int x = registry_open(db, &settings, &r), line = 0;
    if (x != 0) {
        const char *where = fault_origin(&line);
        fail_msg("%s:%d: %s", where, line, fault_text(x));
    }
    assert_int_equal(store_check(r->store, why, sizeof why), 0);
    assert_int_equal(unlock(r), 0);
    assert_int_equal(r->corrupt_count, 0);
    for (size_t i = 0; i < KEYS_COUNT && is_asked; i++)
        is_asked = value_at(r, i) == t.asked[i];
    for (size_t i = 0; i < KEYS_COUNT && !is_asked; i++)
        assert_int_equal(value_at(r, i), t.values[i]);
    uint64_t size = trail_size(r->trail);
    assert_true(size >= t.durable);
    assert_true(size >= t.answered || t.answered - size <= settings.unsynced_count);
    trail_check_init(&c);
    assert_int_equal(trail_read(r->trail, 0, false, check_one, &c), 0);
    assert_int_equal(trail_check_head(&c, &read), 0);
    assert_int_equal(trail_head(r->trail, &head), 0);
    assert_memory_equal(&head, &read, sizeof head);
    begin_epoch(r);
    memset(&again, 0, sizeof again);
    again.next = made.seed;
    assert_int_equal(trail_read(r->trail, 0, false, epoch_again, &again), 0);
    struct record more = {.kind = RECORD_GET, .wall_us = actor.now_us};
    assert_int_equal(registry_record(r, &more, false), 0);
    assert_int_equal(registry_turn_end(r, true, &synced), 0);
    registry_close(r);
}

static void crash(bool may_have_asked)
{
    assert_int_equal(mkdir(t.crashed, 0700), 0);
    int from = open(t.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int to = open(t.crashed, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    is_watching = false;
    points++;
    crash_folder(from, to);
    close(from);
    close(to);
    judge(may_have_asked);
    assert_int_equal(remove_tree(t.crashed), 0);
    is_watching = true;
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void run(bool is_durable)
{
    settings.unsynced_count = is_durable ? 0 : TRAIL_RESERVE_COUNT;
    int counter = 0;
    size_t wanted = from_environment("POWER_POINTS", POINTS_COUNT);
    points = 0;
    seed = from_environment("POWER_SEED", 1);
    assert_int_equal(registry_create(t.db, &actor, KEYS_SLOT_KEY_FILE, &t.key, 0, &made), 0);
    open_store();
    for (size_t i = 0; i < wanted; i++) {
        for (size_t n = any(8); n > 0; n--)
            turn(is_durable, &counter);
        if (any(10) == 0) {
            t.r = registry_close(t.r);
            open_store();
        }
        crash(false);
    }
    assert_true(points > wanted * 11 / 10); /* also in the middle of turns */
}

static void reads_are_bounded(void **state)
{
    (void)state;
    run(false);
}

static void no_read_is_lost(void **state)
{
    (void)state;
    run(true);
    assert_int_equal(t.answered, t.durable);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {T(reads_are_bounded), T(no_read_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
