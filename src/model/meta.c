#include "model/meta.h"
#include <string.h>

static bool is_tag_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("._:@+-", c));
}

bool meta_tags_check(struct bytes tags)
{
    struct bytes before = BYTES_NONE;
    size_t count = 0;
    while (tags.n > 0) {
        size_t n = bytes_find(tags, '\n');
        struct bytes tag = bytes_head(tags, n);
        if (n == tags.n || n == 0 || n > META_TAG_MAX_BYTES || ++count > META_TAGS_MAX_COUNT)
            return false;
        for (size_t i = 0; i < n; i++) {
            if (!is_tag_byte(tag.p[i]))
                return false;
        }
        if (before.n > 0 && bytes_compare(before, tag) >= 0)
            return false;
        before = tag;
        tags = bytes_from(tags, n + 1);
    }
    return true;
}
