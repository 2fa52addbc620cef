/* diff - see diff.h. */
#include "cli/diff.h"

#include <errno.h>
#include <stdlib.h>

static_assert(DIFF_TABLE_MAX_COUNT < UINT16_MAX, "lengths are 16 bits");

/* The lines of a text. The last one counts if it is not empty. */
struct lines {
    struct bytes text;
    size_t *starts; /* count + 1 of them */
    size_t count;
};

struct diff {
    struct lines old, new;
    size_t head, tail; /* common lines at both ends */
    int (*on_line)(const struct diff_line *line, void *arg);
    void *arg;
};

static int split(struct lines *l, struct bytes text)
{
    size_t count = 1;
    for (size_t i = 0; i < text.n; i++)
        count += text.p[i] == '\n';
    l->text = text;
    l->starts = calloc(count + 1, sizeof *l->starts);
    if (l->starts == NULL)
        return RAISE(-ENOMEM);
    for (size_t at = 0; at < text.n; l->count++) {
        l->starts[l->count] = at;
        at += bytes_find(bytes_from(text, at), '\n') + 1;
    }
    l->starts[l->count] = text.n;
    return 0;
}

/* With its line feed: a last line without one is another line. */
static struct bytes line(const struct lines *l, size_t i)
{
    assert(i < l->count);
    return bytes_of(l->text.p + l->starts[i], l->starts[i + 1] - l->starts[i]);
}

static bool is_same(const struct diff *d, size_t i, size_t j)
{
    return bytes_equal(line(&d->old, i), line(&d->new, j));
}

static int tell(const struct diff *d, bool is_new, size_t i)
{
    struct bytes text = line(is_new ? &d->new : &d->old, i);
    struct diff_line l = {.is_new = is_new,
                          .number = i + 1,
                          .at = (is_new ? &d->new : &d->old)->starts[i],
                          .n = text.n - (text.n > 0 && text.p[text.n - 1] == '\n')};
    return d->on_line(&l, d->arg);
}

/* Lengths of the longest common subsequence of what follows i and j, in a table of (rows + 1) * (columns + 1). */
static void fill(const struct diff *d, uint16_t *table, size_t rows, size_t columns)
{
    for (size_t i = rows; i-- > 0;) {
        for (size_t j = columns; j-- > 0;) {
            const uint16_t *here = table + i * (columns + 1) + j, *below = here + columns + 1;
            table[i * (columns + 1) + j] =
                is_same(d, d->head + i, d->head + j) ? (uint16_t)(below[1] + 1) : MAX_OF(here[1], below[0]);
        }
    }
}

/* table NULL: nothing in between is common. */
static int walk(const struct diff *d, const uint16_t *table, size_t rows, size_t columns)
{
    size_t i = 0, j = 0;
    while (i < rows || j < columns) {
        const uint16_t *here = table != NULL ? table + i * (columns + 1) + j : NULL;
        if (here != NULL && i < rows && j < columns && is_same(d, d->head + i, d->head + j)) {
            i++;
            j++;
            continue;
        }
        bool is_old = i < rows && (j == columns || here == NULL || here[columns + 1] >= here[1]);
        int x = tell(d, !is_old, d->head + (is_old ? i : j));
        if (x != 0)
            return x;
        *(is_old ? &i : &j) += 1;
    }
    return 0;
}

static int compare(struct diff *d)
{
    size_t most = MIN_OF(d->old.count, d->new.count);
    while (d->head < most && is_same(d, d->head, d->head))
        d->head++;
    while (d->tail < most - d->head && is_same(d, d->old.count - 1 - d->tail, d->new.count - 1 - d->tail))
        d->tail++;
    size_t rows = d->old.count - d->head - d->tail, columns = d->new.count - d->head - d->tail;
    uint16_t *table = NULL;
    if (rows <= DIFF_TABLE_MAX_COUNT && columns <= DIFF_TABLE_MAX_COUNT) {
        table = calloc((rows + 1) * (columns + 1), sizeof *table);
        if (table == NULL)
            return RAISE(-ENOMEM);
        fill(d, table, rows, columns);
    }
    int x = walk(d, table, rows, columns);
    free(table);
    return x;
}

int diff_lines(struct bytes old, struct bytes new, int (*on_line)(const struct diff_line *line, void *arg), void *arg)
{
    struct diff d = {.on_line = on_line, .arg = arg};
    int x = split(&d.old, old);
    if (x == 0)
        x = split(&d.new, new);
    if (x == 0)
        x = compare(&d);
    free(d.old.starts);
    free(d.new.starts);
    return x;
}
