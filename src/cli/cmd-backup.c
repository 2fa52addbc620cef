/*
 * cmd-backup - the verbs backup and restore; see verbs.h.
 *
 * A backup is fetched part by part into a file beside the one that is to be, which gets its name when all of it is
 * there and durable: who is killed, or whose disk fills up, leaves no half backup under that name. Verifying needs no
 * daemon.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/code.h"
#include "base/num.h"
#include "cli/cli.h"
#include "cli/material.h"
#include "cli/mode.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "model/backup.h"
#include "model/outcome.h"
#include "os/file.h"

enum { BEGIN_TRIES_COUNT = 5, TARGET_BYTES = 96 };

/* ---- taking one ------------------------------------------------------------------------------------------ */

struct taking {
    struct cli *cli;
    const char *path;
    char temporary[PATH_MAX];
    int fd, folder;
    bool replaces;
    uint64_t id, parts, bytes, revision, records;
};

static bool take_number(struct bytes data, const char *name, uint64_t *ret)
{
    struct bytes text;
    return secreg_member(data, name, &text) && num_parse_u64(text, INT64_MAX, ret);
}

static int begin(struct taking *t)
{
    struct secreg_ask ask = {.method = "POST", .target = BYTES_LITERAL("/v1/backup")};
    struct bytes data;
    int status = cli_data(t->cli, &ask, &data);
    if (status != 0)
        return status;
    bool is_good = take_number(data, "id", &t->id) && take_number(data, "parts", &t->parts) &&
                   take_number(data, "bytes", &t->bytes) && take_number(data, "revision", &t->revision) &&
                   take_number(data, "records", &t->records);
    return is_good ? 0 : cli_error(t->cli, OUTCOME_INTERNAL, "the answer to a backup is not understood");
}

static void end(struct taking *t)
{
    char target[TARGET_BYTES];
    unsigned outcome;
    struct secreg_answer answer;
    int n = snprintf(target, sizeof target, "/v1/backup?id=%llu", (unsigned long long)t->id);
    struct secreg_ask ask = {.method = "DELETE", .target = bytes_of(target, (size_t)n)};
    if (!cli_try(t->cli, &ask, &answer, &outcome))
        cli_warn(t->cli, "the daemon could not be told that the backup is over");
}

/* Returns a status; ret_gone: the daemon gave the backup up, and it has to begin again. */
static int fetch_part(struct taking *t, uint64_t part, bool *ret_gone)
{
    char target[TARGET_BYTES];
    unsigned outcome;
    struct secreg_answer answer;
    int n = snprintf(target, sizeof target, "/v1/backup?id=%llu&part=%llu", (unsigned long long)t->id,
                     (unsigned long long)part);
    struct secreg_ask ask = {.method = "GET", .target = bytes_of(target, (size_t)n), .is_read = true};
    *ret_gone = false;
    if (!cli_try(t->cli, &ask, &answer, &outcome)) {
        *ret_gone = outcome == OUTCOME_GONE;
        return *ret_gone ? 0 : cli_refused(t->cli, outcome, "the backup");
    }
    return cli_fault(t->cli, file_write_all(t->fd, answer.body), "cannot write the backup");
}

/* One attempt from the first part to the last. */
static int fetch_all(struct taking *t, bool *ret_gone)
{
    struct progress progress;
    int status = begin(t);
    *ret_gone = false;
    if (status != 0)
        return status;
    if (ftruncate(t->fd, 0) < 0 || lseek(t->fd, 0, SEEK_SET) < 0)
        return cli_fault(t->cli, RAISE(-errno), "cannot write the backup");
    progress_init(&progress, t->cli);
    for (uint64_t part = 0; status == 0 && !*ret_gone && part < t->parts; part++) {
        progress_show(&progress, "parts", part, t->parts);
        status = fetch_part(t, part, ret_gone);
    }
    progress_clear(&progress);
    if (!*ret_gone)
        end(t);
    return status;
}

static int fetch(struct taking *t)
{
    bool is_gone = true;
    int status = 0;
    struct stat st;
    for (int i = 0; status == 0 && is_gone && i < BEGIN_TRIES_COUNT; i++)
        status = fetch_all(t, &is_gone);
    if (status == 0 && is_gone)
        return cli_error(t->cli, OUTCOME_GONE, "the daemon gave the backup up %d times", BEGIN_TRIES_COUNT);
    if (status == 0 && (fstat(t->fd, &st) < 0 || (uint64_t)st.st_size != t->bytes))
        return cli_error(t->cli, OUTCOME_INTERNAL, "the backup is not as long as it should be");
    return status;
}

/* Durable first, then its name. */
static int give_name(struct taking *t)
{
    if (fsync(t->fd) < 0)
        return RAISE(-errno);
    if (renameat2(AT_FDCWD, t->temporary, AT_FDCWD, t->path, t->replaces ? 0 : RENAME_NOREPLACE) < 0)
        return RAISE(-errno);
    return file_sync_folder(t->folder);
}

static int open_files(struct taking *t)
{
    const char *slash = strrchr(t->path, '/');
    char folder[PATH_MAX];
    int n = snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - t->path + 1) : 1,
                     slash != NULL ? t->path : ".");
    if (n < 0 || (size_t)n >= sizeof folder)
        return RAISE(-ENAMETOOLONG);
    if (!t->replaces && faccessat(AT_FDCWD, t->path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return RAISE(-EEXIST);
    n = snprintf(t->temporary, sizeof t->temporary, "%s.XXXXXX", t->path);
    if (n < 0 || (size_t)n >= sizeof t->temporary)
        return RAISE(-ENAMETOOLONG);
    int r = file_open_folder(folder, &t->folder);
    if (r != 0)
        return r < 0 ? r : RAISE(-ENOENT);
    t->fd = mkostemp(t->temporary, O_CLOEXEC); /* 0600, and nobody else's */
    return t->fd < 0 ? RAISE(-errno) : 0;
}

static int say_taken(struct taking *t)
{
    struct cli *cli = t->cli;
    if (!cli->is_json) {
        cli_note(cli, "%s: revision %llu, %llu records, %llu bytes", t->path, (unsigned long long)t->revision,
                 (unsigned long long)t->records, (unsigned long long)t->bytes);
        return 0;
    }
    printf("{\"revision\":%llu,\"records\":%llu,\"bytes\":%llu}\n", (unsigned long long)t->revision,
           (unsigned long long)t->records, (unsigned long long)t->bytes);
    return 0;
}

static int take(struct cli *cli, const char *path, bool replaces)
{
    static struct taking t = {.fd = -1, .folder = -1}; /* too large for the stack */
    t.cli = cli;
    t.path = path;
    t.replaces = replaces;
    int r = open_files(&t);
    if (r == -EEXIST)
        return cli_error(cli, OUTCOME_EXISTS, "%s is there already; --force replaces it", path);
    int status = r < 0 ? cli_fault(cli, r, path) : fetch(&t);
    if (status == 0)
        status = cli_fault(cli, give_name(&t), path);
    if (status != 0 && t.fd >= 0)
        (void)unlink(t.temporary);
    file_drop_fd(&t.fd);
    file_drop_fd(&t.folder);
    return status != 0 ? status : say_taken(&t);
}

/* ---- verifying one --------------------------------------------------------------------------------------- */

struct verifying {
    struct progress progress;
    uint64_t done, of;
};

static int on_content(struct bytes content, void *arg)
{
    struct verifying *v = arg;
    v->done += content.n;
    progress_show(&v->progress, "pages", v->done / BACKUP_PAGE_BYTES, v->of / BACKUP_PAGE_BYTES);
    return 0;
}

static int say_verified(struct cli *cli, const char *path, const struct backup_header *h)
{
    char id[KEYS_STORE_ID_BYTES * 2 + 1], root[DIGEST_BYTES * 2 + 1], when[CLOCK_TEXT_BYTES];
    code_hex_text(BYTES_OF(h->store_id), id);
    code_hex_text(BYTES_OF(h->root), root);
    clock_wall_text((struct wall_time){h->created_us}, when);
    if (cli->is_json)
        printf(
            "{\"whole\":true,\"taken\":\"%s\",\"store\":\"%s\",\"revision\":%llu,\"records\":%llu,\"root\":\"%s\"}\n",
            when, id, (unsigned long long)h->revision, (unsigned long long)h->records, root);
    else
        printf("%s is whole\ntaken     %s\nstore     %s\nrevision  %llu\nrecords   %llu\nroot      %s\n", path, when,
               id, (unsigned long long)h->revision, (unsigned long long)h->records, root);
    return 0;
}

/* What backup.h says of a file, as a status; it is said. */
static int judge(struct cli *cli, const char *path, int r)
{
    if (r == BACKUP_BAD)
        return cli_error(cli, OUTCOME_CORRUPT, "%s is not a backup, or damaged", path);
    if (r == BACKUP_WRONG)
        return cli_error(cli, OUTCOME_AUTH_FAILED, "the passphrase or key file does not open %s", path);
    return cli_fault(cli, r, path);
}

static int check_content(struct cli *cli, const char *path, struct backup *b, struct bytes material, bool is_key)
{
    struct secret secret = {0};
    struct verifying v = {.of = b->header.content_bytes};
    int r = crypt_start();
    progress_init(&v.progress, cli);
    if (r >= 0)
        r = secret_init_copy(&secret, material);
    if (r == 0)
        r = backup_unlock(b, is_key ? KEYS_SLOT_KEY_FILE : KEYS_SLOT_PASSPHRASE, &secret);
    if (r == 0)
        r = backup_each(b, on_content, &v);
    progress_clear(&v.progress);
    secret_fini(&secret);
    return r != 0 ? judge(cli, path, r) : say_verified(cli, path, &b->header);
}

/* Opens a backup to read; the status was said. */
static int open_backup(struct cli *cli, const char *path, int *ret_fd, struct backup *ret_backup)
{
    SCOPED(file_drop_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return cli_fault(cli, RAISE(-errno), path);
    int r = crypt_start();
    if (r >= 0)
        r = backup_open(fd, ret_backup);
    if (r != 0)
        return judge(cli, path, r);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int verify(struct cli *cli, const struct args *args, const char *path)
{
    SCOPED(file_drop_fd) int fd = -1;
    struct backup backup = {0};
    struct buf material;
    bool is_key;
    int status = open_backup(cli, path, &fd, &backup);
    if (status != 0)
        return status;
    material_init(&material);
    status = material_choose(cli, args, backup_has_slot(&backup, KEYS_SLOT_KEY_FILE), &material, &is_key);
    if (status == 0 && buf_size(&material) == 0)
        status = cli_error(cli, OUTCOME_BAD_REQUEST, "the passphrase is empty");
    if (status == 0)
        status = check_content(cli, path, &backup, buf_view(&material), is_key);
    buf_fini(&material);
    backup_close(&backup);
    return status;
}

int cmd_backup(struct cli *cli, const struct args *args)
{
    bool verifies = args_has(args, "verify");
    if (verifies && args_has(args, "force"))
        return cli_usage_error(cli, "--verify and --force exclude each other");
    if (!verifies && (args_has(args, "passphrase-stdin") || args_has(args, "key-file")))
        return cli_usage_error(cli, "--passphrase-stdin and --key-file are for --verify");
    return verifies ? verify(cli, args, args->operands[0]) : take(cli, args->operands[0], args_has(args, "force"));
}

/* ---- restoring one --------------------------------------------------------------------------------------- */

static int run_restore(struct cli *cli, const struct args *args, struct bytes material, bool is_key)
{
    SCOPED(file_drop_fd) int fd = -1;
    const char *words[] = {is_key ? "key-file" : "passphrase", cli->is_json ? "json" : "text",
                           args_has(args, "force") ? "any" : "same", args->operands[0], NULL};
    int status = cli_fault(cli, mode_fill_pipe(material, &fd), "cannot hand the passphrase over");
    return status != 0 ? status : mode_run(cli, "restore", words, fd);
}

int cmd_restore(struct cli *cli, const struct args *args)
{
    SCOPED(file_drop_fd) int fd = -1;
    struct backup backup = {0};
    struct buf material;
    bool is_key;
    int status = open_backup(cli, args->operands[0], &fd, &backup);
    if (status != 0)
        return status;
    material_init(&material);
    status = material_choose(cli, args, backup_has_slot(&backup, KEYS_SLOT_KEY_FILE), &material, &is_key);
    if (status == 0 && (buf_size(&material) == 0 || buf_size(&material) > KEYS_PASSPHRASE_MAX_BYTES))
        status = cli_error(cli, OUTCOME_BAD_REQUEST, "the passphrase is empty or too long");
    if (status == 0)
        status = run_restore(cli, args, buf_view(&material), is_key);
    buf_fini(&material);
    backup_close(&backup);
    return status;
}
