/*
 * init - "secregd --mode=init": make a new store; "--mode=manual": the manual of the options; see init.h.
 *
 * Runs as who administers the registry from then on. Only folders are made before the process is confined; key file and
 * database are written under the profile "secregd-init".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "model/options.h"
#include "model/roles.h"
#include "os/file.h"
#include "registry/init-internal.h"
#include "registry/init.h"
#include "registry/registry.h"

enum { EXIT_USAGE = 2, EXIT_CONFLICT = 6, INIT_EXISTS = 1 };

int init_find_places(const char *root, struct places *p)
{
    TRY(proc_path(root, PLACE_STATE, p->state));
    TRY(proc_path(root, "/etc/secreg", p->config));
    TRY(proc_path(root, PLACE_RUN, p->run));
    TRY(proc_path(root, PLACE_KEY, p->key));
    snprintf(p->db, sizeof p->db, "%s/" PLACE_DB_NAME, p->state);
    return 0;
}

int init_make_places(const struct places *p)
{
    TRY(file_make_folders(p->state, 0700));
    TRY(file_make_folders(p->config, 0755));
    return file_make_folders(p->run, 0755);
}

int init_enter_profile(const struct places *p)
{
    struct confine_params params = {.uid = (uid_t)-1, .gid = (gid_t)-1};
    struct confine_report report;
    params.places[CONFINE_STATE] = p->state;
    params.places[CONFINE_CONFIG] = p->config;
    params.places[CONFINE_PROC] = "/proc";
    const struct confine_profile *profile = confine_find("secregd-init");
    return profile == NULL ? RAISE(FAULT_CONFINE) : confine_enter(profile, &params, &report);
}

/* The key file is made first and never overwritten: a store whose key was lost is worse than no store. */
static int make_key_file(const struct places *p, struct secret *ret_key)
{
    SCOPED(file_drop_fd) int folder = -1;
    SCOPED(file_drop_fd) int fd = -1;
    TRY(file_open_folder(p->config, &folder));
    int r = file_open(folder, "master.key", O_WRONLY | O_CREAT | O_EXCL, 0400, &fd);
    if (r == -EEXIST)
        fprintf(stderr, "%s exists: it may be the key of another store; move it away first\n", p->key);
    TRY(r);
    TRY(secret_init_random(ret_key, KEYS_FILE_BYTES));
    TRY(file_write_all(fd, secret_view(ret_key)));
    if (fsync(fd) < 0)
        return RAISE(-errno);
    return file_sync_folder(folder);
}

int init_read_material(struct secret *ret_passphrase)
{
    uint8_t text[KEYS_PASSPHRASE_MAX_BYTES + 1];
    size_t n = 0;
    ssize_t got;
    while (n < sizeof text && (got = read(INIT_MATERIAL_FD, text + n, sizeof text - n)) > 0)
        n += (size_t)got;
    int r = n == 0 || n > KEYS_PASSPHRASE_MAX_BYTES ? RAISE(FAULT_LIMIT)
                                                    : secret_init_copy(ret_passphrase, bytes_of(text, n));
    secret_wipe(text, sizeof text);
    return r;
}

static void unlink_store(const char *db)
{
    char path[PROC_PATH_MAX_BYTES + 64];
    (void)unlink(db);
    snprintf(path, sizeof path, "%s-wal", db);
    (void)unlink(path);
}

/* What checkpoints of the trail are checked with, for whoever does. */
static int tell_signer(const struct places *p, const struct checkpoint_key *signer)
{
    SCOPED(file_drop_fd) int folder = -1;
    struct buf text;
    int r = file_open_folder(p->config, &folder);
    if (r != 0)
        return r < 0 ? r : RAISE(-ENOENT);
    buf_init(&text, CHECKPOINT_KEY_MAX_BYTES + 1);
    r = checkpoint_key_write(&text, signer);
    if (r == 0)
        r = buf_append_text(&text, "\n");
    if (r == 0)
        r = file_replace(folder, PLACE_SIGNER_NAME, buf_view(&text), 0644);
    buf_fini(&text);
    return r;
}

int init_tell_seed(const struct epoch_seed *seed, const char *before, const char *behind)
{
    char text[EPOCH_SEED_MAX_BYTES];
    epoch_seed_write(seed, text);
    int r = fflush(stdout) == 0 ? 0 : RAISE(-EIO);
    if (r == 0)
        r = file_write_all(STDOUT_FILENO, bytes_of_text(before));
    if (r == 0)
        r = file_write_all(STDOUT_FILENO, bytes_of_text(text));
    if (r == 0)
        r = file_write_all(STDOUT_FILENO, bytes_of_text(behind));
    secret_wipe(text, sizeof text);
    return r;
}

/* Made whole under another name and then renamed: who is killed half-way leaves nothing that looks like a store. */
static int create_store(const struct places *p, enum keys_slot_kind kind, const struct secret *material,
                        uint32_t rounds, struct registry_made *ret_made)
{
    char path[sizeof p->db + 8];
    SCOPED(file_drop_fd) int folder = -1;
    struct registry_actor admin = {.uid = (uint32_t)getuid(), .now_us = clock_wall_now().us};
    snprintf(path, sizeof path, "%s.new", p->db);
    unlink_store(path);
    TRY(registry_create(path, &admin, kind, material, rounds,
                        ret_made));                    /* closing it has folded the log into the file */
    int r = init_tell_seed(&ret_made->seed, "", "\n"); /* a store whose seed nobody has is not made */
    if (r == 0 && rename(path, p->db) < 0)
        r = RAISE(-errno);
    unlink_store(path);
    TRY(r);
    TRY(file_open_folder(p->state, &folder));
    TRY(file_sync_folder(folder));
    return tell_signer(p, &ret_made->signer);
}

static int create(const struct places *p, enum keys_slot_kind kind, uint32_t rounds)
{
    struct secret material = {0};
    struct registry_made made = {0};
    int r = crypt_start();
    if (r >= 0)
        r = kind == KEYS_SLOT_KEY_FILE ? make_key_file(p, &material) : init_read_material(&material);
    if (r >= 0)
        r = create_store(p, kind, &material, rounds, &made);
    secret_fini(&material);
    secret_wipe(&made.seed, sizeof made.seed);
    return r;
}

/* Under systemd or OpenRC the engine has a user of its own: the state is its. */
static int give_away(const struct places *p, const struct owner *owner)
{
    static const char *const tails[] = {"", "-wal"};
    char trail[REGISTRY_TRAIL_NAME_BYTES], path[sizeof p->db + REGISTRY_TRAIL_NAME_BYTES];
    struct store *store;
    int r = store_open(p->db, &store);
    if (r == 0) {
        r = registry_trail_name(store, trail);
        store_close(store);
    }
    if (r != 0)
        return r < 0 ? r : RAISE(-ENOENT);
    snprintf(path, sizeof path, "%s/%s", p->state, trail);
    TRY(init_give_folder(path, owner));
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        snprintf(path, sizeof path, "%s%s", p->db, tails[i]);
        if (lchown(path, owner->uid, owner->gid) < 0 && errno != ENOENT)
            return RAISE(-errno);
    }
    return chown(p->state, owner->uid, owner->gid) < 0 ? RAISE(-errno) : 0;
}

int init_give_folder(const char *path, const struct owner *owner)
{
    SCOPED(file_drop_fd) int folder = -1;
    int r = file_open_folder(path, &folder);
    if (r != 0)
        return r < 0 ? r : RAISE(-ENOENT);
    int copy = dup(folder);
    DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *d;
    if (list == NULL) {
        file_drop_fd(&copy);
        return RAISE(-ENOMEM);
    }
    while (r == 0 && (d = readdir(list)) != NULL) {
        bool is_file = strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
        if (is_file && fchownat(folder, d->d_name, owner->uid, owner->gid, AT_SYMLINK_NOFOLLOW) < 0)
            r = RAISE(-errno);
    }
    closedir(list);
    if (r == 0 && fchown(folder, owner->uid, owner->gid) < 0)
        r = RAISE(-errno);
    return r;
}

static int make_registry(const struct places *p, enum keys_slot_kind kind, uint32_t rounds, const struct owner *owner)
{
    umask(077);
    TRY(init_make_places(p));
    if (access(p->db, F_OK) == 0) {
        fprintf(stderr, "%s exists already\n", p->db);
        return INIT_EXISTS;
    }
    if (owner->uid == (uid_t)-1) /* who has to give files away afterwards needs the right to, and stays as he is */
        TRY(init_enter_profile(p));
    int r = create(p, kind, rounds);
    TRY(r);
    return owner->uid != (uid_t)-1 ? give_away(p, owner) : 0;
}

static int print_manual(void)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    int r = conf_manual(&options_schema, &text);
    if (r == 0)
        r = file_write_all(STDOUT_FILENO, buf_view(&text));
    buf_fini(&text);
    return r < 0 ? 1 : 0;
}

struct owner init_find_owner(const char *root)
{
    const struct passwd *user = geteuid() == 0 && *root == '\0' ? getpwnam("secreg") : NULL;
    return user != NULL ? (struct owner){user->pw_uid, user->pw_gid} : (struct owner){(uid_t)-1, (gid_t)-1};
}

int init_mode(const char *mode, const char *root, int argc, char **argv)
{
    struct places p;
    uint64_t rounds = 0;
    if (strcmp(mode, "manual") == 0 && argc == 0)
        return print_manual();
    if (strcmp(mode, "restore") == 0)
        return init_restore(root, argc, argv);
    if (strcmp(mode, "init") != 0 || argc != 2 || !num_parse_u64(bytes_of_text(argv[1]), KDF_ROUNDS_MAX_COUNT, &rounds))
        return EXIT_USAGE;
    bool uses_file = strcmp(argv[0], "key-file") == 0;
    if (!uses_file && strcmp(argv[0], "passphrase") != 0)
        return EXIT_USAGE;
    struct owner owner = init_find_owner(root);
    int r = init_find_places(root, &p);
    if (r == 0)
        r = make_registry(&p, uses_file ? KEYS_SLOT_KEY_FILE : KEYS_SLOT_PASSPHRASE, (uint32_t)rounds, &owner);
    if (r < 0)
        proc_log_fault(r, "cannot make the registry");
    return r < 0 ? 1 : r == INIT_EXISTS ? EXIT_CONFLICT : 0;
}
