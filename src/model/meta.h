/*
 * meta - what is kept beside a value, and its limits: reason and comment of a change, tags of an entry, labels of
 * slots.
 */
#ifndef MODEL_META_H
#define MODEL_META_H

#include "base/bytes.h"

enum {
    META_REASON_MAX_BYTES = 256,
    META_COMMENT_MAX_BYTES = 1024,
    META_TAG_MAX_BYTES = 64,
    META_TAGS_MAX_COUNT = 16,
    META_TAGS_MAX_BYTES = META_TAGS_MAX_COUNT * (META_TAG_MAX_BYTES + 1),
    META_TEXTS_MAX_BYTES = META_REASON_MAX_BYTES + META_COMMENT_MAX_BYTES + META_TAGS_MAX_BYTES,
    META_LABEL_MAX_BYTES = 64, /* of a slot */
    META_SLOTS_MAX_COUNT = 8,
};

/* meta_tags_check - tags in their stored form: sorted, none twice, each [A-Za-z0-9._:@+-]+ and a newline. O(bytes). */
bool meta_tags_check(struct bytes tags) MUST_USE;

#endif
