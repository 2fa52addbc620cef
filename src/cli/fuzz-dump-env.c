/* Fuzz target of dump-env: what is read is printed so that names and values are read back; beside a tree too. */
#include <stdio.h>

#include "cli/test-dump.h"
#include "model/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A tree of texts that has some of the entries, under paths that only the names lead to. */
static void adopt(struct dump *d)
{
    char why[DUMP_WHY_BYTES] = "", path[PATH_MAX_BYTES + 1];
    struct dump tree;
    dump_init(&tree);
    for (size_t i = 0; i < d->count; i += 2) {
        struct dump_entry e = {.path = bytes_of(path, d->entries[i].path.n), .type = VALUE_STRING, .has_value = true};
        memcpy(path, d->entries[i].path.p, e.path.n);
        for (size_t j = 0; j < e.path.n; j++)
            path[j] = (char)(path[j] == '_' ? '-' : path[j]);
        assert(dump_add(&tree, &e) == 0);
    }
    size_t count = d->count;
    int r = dump_sort(&tree, why);
    if (r == 0)
        r = dump_env_adopt(d, &tree, why);
    assert(r == 0 || r == DUMP_BAD);
    for (size_t i = 0; r == 0 && i < d->count; i++)
        assert(d->entries[i].type == VALUE_STRING && dump_check(d, &d->entries[i], why) == 0);
    assert(d->count == count);
    dump_fini(&tree);
}

/* Some paths have no name, or the same one. */
static bool is_printed(const struct dump *d)
{
    char why[DUMP_WHY_BYTES] = "";
    struct buf out;
    buf_init(&out, DUMP_TEXT_MAX_BYTES);
    int r = dump_env_print(&out, d, why);
    assert(r == 0 || (r == DUMP_BAD && why[0] != '\0'));
    buf_fini(&out);
    return r == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[DUMP_WHY_BYTES] = "";
    struct dump d;
    dump_init(&d);
    int r = dump_env_parse(bytes_of(data, size), &d, why);
    assert(r == 0 || (r == DUMP_BAD && d.count == 0 && why[0] != '\0'));
    if (r == 0) {
        if (is_printed(&d))
            dump_check_round("env", &d);
        adopt(&d);
    }
    dump_fini(&d);
    return 0;
}
