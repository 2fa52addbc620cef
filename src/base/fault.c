/* fault - see fault.h. The origin is one static pair: the daemons are single-threaded by design. */
#include "base/fault.h"

#include <string.h>

static const char *origin_file = "";
static int origin_line;

int fault_raise(int fault, const char *file, int line)
{
    assert(fault < 0);
    origin_file = file;
    origin_line = line;
    return fault;
}

const char *fault_text(int fault)
{
    switch (fault) {
#define FAULT_CASE_(name, number, text)                                                                                \
    case number:                                                                                                       \
        return text;
        FAULT_LIST(FAULT_CASE_)
#undef FAULT_CASE_
    default:
        break;
    }
    const char *text = fault < 0 && fault > -1001 ? strerrordesc_np(-fault) : NULL;
    return text != NULL ? text : "unknown fault";
}

const char *fault_origin(int *ret_line)
{
    const char *slash = strrchr(origin_file, '/');
    *ret_line = origin_line;
    return slash != NULL ? slash + 1 : origin_file;
}
