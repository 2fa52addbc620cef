/* options - see options.h. */
#include "follow/options.h"

static const struct conf_option options[] = {
#define FOLLOW_OPTIONS_ROW_(id, group, name, kind, min, max, normal, words, apply, text)                               \
    {group, name, kind, min, max, normal, words, apply, text},
    FOLLOW_OPTIONS_LIST(FOLLOW_OPTIONS_ROW_)
#undef FOLLOW_OPTIONS_ROW_
};

const struct conf_schema follow_options = {options, COUNT_OF(options)};
