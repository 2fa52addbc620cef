/*
 * fuzz-template - any bytes as a template, rendered with a registry in memory that answers by the path alone.
 *
 * Checks: an error names a place inside the template; a template that was accepted renders twice to the same bytes,
 * within its limits; what a value says is never asked for; every byte of the output is marked; what is marked comes
 * from a template that asks for a value.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/template.h"
#include "model/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(truth)                                                                                                   \
    do {                                                                                                               \
        if (!(truth))                                                                                                  \
            abort();                                                                                                   \
    } while (0)

#define NEVER "/registry/system/never"

/* What a value of the registry may try. */
static const char hostile[] = "{{ get \"" NEVER "\" }}{{ end }}\n'\"\\ \xc3\xa4\xff";

struct memory {
    bool may_ask; /* the template itself names what must not be asked for */
    size_t reads_count;
};

static void look_at(struct memory *m, struct bytes path)
{
    const char *why;
    CHECK(path_check(path, &why));
    CHECK(m->may_ask || !bytes_equal(path, BYTES_LITERAL(NEVER)));
    CHECK(++m->reads_count <= TEMPLATE_READS_MAX_COUNT);
}

static int get(void *arg, struct bytes path, struct buf *value)
{
    struct bytes name = path_name(path);
    look_at(arg, path);
    if (name.p[0] == 'n')
        return TEMPLATE_ABSENT;
    if (name.p[0] == 'd')
        return TEMPLATE_FOLDER;
    if (name.p[0] == 's')
        return TEMPLATE_STOP;
    if (name.p[0] == 'f')
        return buf_append_text(value, "false");
    return name.p[0] == 'e' ? 0 : buf_append(value, BYTES_OF(hostile));
}

static int list(void *arg, struct bytes folder, struct buf *lines)
{
    static const char *const names[] = {"/a\n", "/b/c\n", "/empty\n"};
    const char *why;
    look_at(arg, folder);
    if (path_name(folder).p[0] == 'n')
        return TEMPLATE_ABSENT;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        size_t before = buf_size(lines);
        TRY(buf_append(lines, folder));
        TRY(buf_append_text(lines, names[i]));
        struct bytes path = bytes_from(buf_view(lines), before);
        if (!path_check(bytes_head(path, path.n - 1), &why)) /* there is no such entry in any registry */
            buf_truncate(lines, before);
    }
    return 0;
}

static void check_error(struct bytes text, const struct template_error *e)
{
    size_t line = 1, line_at = 0;
    CHECK(memchr(e->why, '\0', sizeof e->why) != NULL && e->why[0] != '\0');
    for (size_t i = 0; i < text.n && line < e->line; i++) {
        if (text.p[i] == '\n') {
            line++;
            line_at = i + 1;
        }
    }
    CHECK(line == e->line && e->column >= 1 && line_at + e->column - 1 <= text.n);
}

static int render(const struct template *t, struct bytes text, struct buf *out, struct buf *marks)
{
    struct template_error e;
    struct memory m = {.may_ask = memmem(text.p, text.n, NEVER, sizeof NEVER - 1) != NULL};
    const struct template_source source = {.get = get, .list = list, .arg = &m};
    int r = template_render(t, &source, out, marks, &e);
    CHECK(r >= 0 && r <= TEMPLATE_STOP);
    if (r > 0)
        check_error(text, &e);
    return r;
}

static void check_marks(struct bytes text, struct bytes marks)
{
    bool has_data = memchr(marks.p, 1, marks.n) != NULL;
    CHECK(!has_data || memmem(text.p, text.n, "get", 3) != NULL || memmem(text.p, text.n, ".value", 6) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct template *t = NULL;
    struct template_error e;
    struct buf once, again, marks;
    struct bytes text = bytes_of(data, size);
    int r = template_parse(text, &t, &e);
    if (r != 0) {
        CHECK(r == TEMPLATE_BAD);
        check_error(text, &e);
        return 0;
    }
    buf_init_wiping(&once, TEMPLATE_OUT_MAX_BYTES);
    buf_init_wiping(&again, TEMPLATE_OUT_MAX_BYTES);
    buf_init(&marks, TEMPLATE_OUT_MAX_BYTES);
    r = render(t, text, &once, &marks);
    CHECK(render(t, text, &again, NULL) == r);
    if (r == 0) {
        CHECK(bytes_equal(buf_view(&once), buf_view(&again)) && buf_size(&marks) == buf_size(&once));
        if (buf_size(&marks) > 0)
            check_marks(text, buf_view(&marks));
    }
    buf_fini(&once);
    buf_fini(&again);
    buf_fini(&marks);
    template_free(t);
    return 0;
}
