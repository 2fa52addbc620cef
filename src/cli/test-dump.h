/*
 * test-dump - what tests and fuzz targets of dump and merge share: documents that are the same to the byte.
 */
#ifndef CLI_TEST_DUMP_H
#define CLI_TEST_DUMP_H

#include <stdio.h>
#include <string.h>

#include "cli/dump.h"

/* Byte for byte, where dump_differences() sees through blanks. */
static UNUSED bool dump_is_equal(const struct dump *a, const struct dump *b)
{
    if (strcmp(a->base, b->base) != 0 || a->revision != b->revision || strcmp(a->time, b->time) != 0)
        return false;
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct dump_entry *x = &a->entries[i], *y = &b->entries[i];
        if (!bytes_equal(x->path, y->path) || !bytes_equal(x->value, y->value) || x->has_value != y->has_value)
            return false;
        if (dump_differences(x, y) != 0)
            return false;
    }
    return true;
}

/* Prints and reads a document in one format, and checks that it came back the same. Aborts if not. */
static UNUSED void dump_check_round(const char *format, const struct dump *d)
{
    const struct dump_format *f = dump_format(format);
    char why[DUMP_WHY_BYTES] = "";
    struct dump again;
    struct buf text;
    buf_init_wiping(&text, 8u * DUMP_TEXT_MAX_BYTES);
    dump_init(&again);
    int printed = f->print(&text, d, why), read = f->parse(buf_view(&text), &again, why);
    if (printed != 0 || read != 0 || !dump_is_equal(d, &again))
        fprintf(stderr, "%s: %d %d %s\n%.*s\n", format, printed, read, why, BYTES_PRINT(buf_view(&text)));
    assert(printed == 0 && read == 0 && dump_is_equal(d, &again));
    dump_fini(&again);
    buf_fini(&text);
}

#endif
