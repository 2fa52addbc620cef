/* token - see token.h. */
#include "cli/token.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/code.h"
#include "base/text.h"
#include "cli/cli.h"
#include "crypt/digest.h"
#include "model/outcome.h"
#include "os/file.h"

enum { ROOT_HASH_BYTES = 8, OTHERS = 077 };

static char path[PATH_MAX];

static bool is_own_folder(const char *folder)
{
    struct stat st;
    return stat(folder, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

/* "session", or with a root "session-HASH". False: it cannot be worked out. */
static bool file_name(const char *root, char *ret, size_t ret_bytes)
{
    uint8_t hash[DIGEST_BYTES];
    char hex[2 * ROOT_HASH_BYTES + 1] = "";
    if (*root != '\0') {
        char *real = realpath(root, NULL);
        struct bytes part = bytes_of_text(real != NULL ? real : root);
        int r = digest_sha256(&part, 1, hash);
        free(real);
        if (r < 0)
            return false;
        code_hex_text(bytes_of(hash, ROOT_HASH_BYTES), hex);
    }
    int n = snprintf(ret, ret_bytes, "session%s%s", *hex != '\0' ? "-" : "", hex);
    return n > 0 && (size_t)n < ret_bytes;
}

static bool folder_name(char *ret, size_t ret_bytes)
{
    const char *runtime = secure_getenv("XDG_RUNTIME_DIR"), *home = secure_getenv("HOME");
    char own[64];
    int n;
    snprintf(own, sizeof own, "/run/user/%u", (unsigned)geteuid());
    if (runtime == NULL || *runtime != '/' || !is_own_folder(runtime))
        runtime = is_own_folder(own) ? own : NULL;
    if (home == NULL || *home != '/') {
        const struct passwd *p = getpwuid(geteuid());
        home = p != NULL ? p->pw_dir : NULL;
    }
    if (runtime != NULL)
        n = snprintf(ret, ret_bytes, "%s/secreg", runtime);
    else if (home != NULL)
        n = snprintf(ret, ret_bytes, "%s/.cache/secreg", home);
    else
        return false;
    return n > 0 && (size_t)n < ret_bytes;
}

const char *token_path(struct cli *cli)
{
    char folder[PATH_MAX - 64], name[64];
    const char *given = secure_getenv("SECREG_SESSION");
    path[0] = '\0';
    if (given != NULL && *given != '\0')
        snprintf(path, sizeof path, "%s", strlen(given) < sizeof path ? given : "");
    else if (folder_name(folder, sizeof folder) && file_name(cli->root, name, sizeof name))
        snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* A token is short and printable ASCII without blanks: so nothing else can get into a header field. */
static bool is_token(struct bytes text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] <= ' ' || text.p[i] >= 0x7f)
            return false;
    }
    return text.n > 0;
}

/* Returns NULL, or why the file is not to be used. */
static const char *why_not(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return "it is no regular file";
    if (st.st_uid != geteuid())
        return "it belongs to another user";
    return (st.st_mode & OTHERS) != 0 ? "others may read or write it" : NULL;
}

static const char *read_token(int fd, char *ret, size_t ret_bytes)
{
    struct buf text;
    const char *why = why_not(fd);
    if (why != NULL)
        return why;
    buf_init_wiping(&text, ret_bytes);
    int r = file_read_all(fd, &text);
    struct bytes token = buf_view(&text);
    if (token.n > 0 && token.p[token.n - 1] == '\n')
        token.n--;
    if (r < 0 || !is_token(token) || !text_copy(ret, ret_bytes, token))
        why = "it does not hold a token";
    buf_fini(&text);
    return why;
}

void token_load(struct cli *cli, char *ret, size_t ret_bytes)
{
    *ret = '\0';
    if (*token_path(cli) == '\0')
        return;
    SCOPED(file_drop_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return;
    const char *why = fd < 0 ? strerrordesc_np(errno) : read_token(fd, ret, ret_bytes);
    if (why != NULL) {
        *ret = '\0';
        cli_warn(cli, "the session token in %s is not used: %s", path, why);
    }
}

static int store(struct bytes token)
{
    SCOPED(file_drop_fd) int folder = -1;
    char parent[PATH_MAX], line[SECREG_SESSION_MAX_BYTES + 1];
    struct stat st;
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    const char *name = slash != NULL ? path + (slash - parent) + 1 : path;
    if (slash == NULL)
        snprintf(parent, sizeof parent, ".");
    else
        slash[slash == parent] = '\0';
    TRY(file_make_folders(parent, 0700));
    int r = file_open_folder(parent, &folder);
    if (r == FILE_ABSENT || (r == 0 && fstat(folder, &st) < 0))
        return RAISE(-ENOENT);
    TRY(r);
    if (st.st_uid != geteuid() || (st.st_mode & 022) != 0) /* who may write there may take the file away */
        return RAISE(-EPERM);
    int n = snprintf(line, sizeof line, "%.*s\n", BYTES_PRINT(token));
    assert(n > 0 && (size_t)n < sizeof line);
    r = file_replace(folder, name, bytes_of(line, (size_t)n), 0600);
    explicit_bzero(line, sizeof line);
    return r;
}

int token_store(struct cli *cli, struct bytes token)
{
    if (*token_path(cli) == '\0')
        return cli_error(cli, OUTCOME_INTERNAL, "there is no folder to keep the token in: set SECREG_SESSION");
    if (token.n >= SECREG_SESSION_MAX_BYTES || !is_token(token))
        return cli_error(cli, OUTCOME_BAD_HTTP, "the daemon's reply is not what doc/spec/http-api.md says");
    int r = store(token);
    return r < 0 ? cli_error(cli, OUTCOME_INTERNAL, "the token cannot be kept in %s: %s", path, fault_text(r)) : 0;
}

bool token_remove(struct cli *cli)
{
    return *token_path(cli) != '\0' && unlink(path) == 0;
}
