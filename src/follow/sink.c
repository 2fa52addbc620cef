/* sink - the kinds there are; see sink.h. */
#include "follow/sink.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct sink_kind *const kinds[] = {&sink_journal, &sink_files};

const struct sink_kind *sink_kind_at(size_t i)
{
    return i < COUNT_OF(kinds) ? kinds[i] : NULL;
}

const struct sink_kind *sink_kind_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    }
    return NULL;
}

int sink_down(struct sink *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(s->why, sizeof s->why, format, args);
    va_end(args);
    return SINK_DOWN;
}
