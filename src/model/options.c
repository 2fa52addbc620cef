/* options - see options.h. */
#include "model/options.h"

static const struct conf_option options[] = {
#define OPTIONS_ROW_(id, group, name, kind, min, max, normal, words, apply, text)                                      \
    {group, name, kind, min, max, normal, words, apply, text},
    OPTIONS_LIST(OPTIONS_ROW_)
#undef OPTIONS_ROW_
};

const struct conf_schema options_schema = {options, COUNT_OF(options)};
