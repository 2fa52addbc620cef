/*
 * rotate - put a new password into the registry, keep the old one beside it, and note when: all or nothing, and only if
 * nobody changed it meanwhile.
 *
 *     cc rotate.c -o rotate $(pkg-config --cflags --libs secreg)
 *     pwgen -s 32 1 | SECREG_ROOT=/tmp/try ./rotate /registry/applications/db/password
 */
#include <secreg/secreg.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "rotate: %s: %s\n", what, why);
    return 1;
}

static enum secreg_result rotate(struct secreg *registry, const char *path, const char *fresh, bool *ret_done)
{
    char old[SECREG_PATH_MAX_BYTES + 16], when[SECREG_PATH_MAX_BYTES + 16], now[32];
    struct secreg_value current;
    struct secreg_txn *txn = NULL;
    const struct secreg_set_options sealed = {.sealing = SECREG_SEALING_ON};
    time_t t = time(NULL);
    snprintf(old, sizeof old, "%s.old", path);
    snprintf(when, sizeof when, "%s.changed", path);
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime(&t));
    enum secreg_result result = secreg_get(registry, path, &current);
    if (result != SECREG_OK)
        return result;
    result = secreg_txn_new(registry, &txn);
    if (result == SECREG_OK) {
        (void)secreg_txn_if_version(txn, path, current.version);
        (void)secreg_txn_set(txn, old, current.bytes, current.size, &sealed);
        (void)secreg_txn_set(txn, path, fresh, strlen(fresh), &sealed);
        (void)secreg_txn_set(txn, when, now, strlen(now), NULL);
        result = secreg_txn_commit(txn, "rotated", false, ret_done, NULL); /* says what any call above could not take */
    }
    secreg_txn_free(txn);
    secreg_value_fini(&current);
    return result;
}

int main(int argc, char **argv)
{
    struct secreg *registry = NULL;
    char fresh[1024];
    bool is_done = false;
    if (argc != 2 || fgets(fresh, sizeof fresh, stdin) == NULL)
        return fail("usage", "rotate PATH, and the new value on standard input");
    fresh[strcspn(fresh, "\n")] = '\0';
    enum secreg_result result = secreg_connect(NULL, &registry);
    if (result != SECREG_OK)
        return fail("connect", secreg_result_text(result));
    result = rotate(registry, argv[1], fresh, &is_done);
    int status = 0;
    if (result != SECREG_OK)
        status = fail(argv[1], secreg_error_text(registry));
    else if (!is_done)
        status = fail(argv[1], "somebody else changed it meanwhile");
    secreg_close(registry);
    return status;
}
