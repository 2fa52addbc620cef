/* policy-file - see policy-file.h. */
#include "cli/policy-file.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "wire/doc.h"
#include "wire/yaml.h"

static_assert((int)POLICY_FILE_MAX_BYTES <= (int)YAML_TEXT_MAX_BYTES, "what is read can be parsed");

enum { NAMES_MAX_COUNT = 5 };

/* The kinds of changes; names that stand behind `needed` may be left out. */
static const struct kind {
    const char *verb, *what;
    size_t needed, count;
    const char *names[NAMES_MAX_COUNT];
} kinds[] = {
    {"add", "rule", 4, 5, {"path", "effect", "principal", "actions", "condition"}},
    {"remove", "rule", 1, 1, {"id"}},
    {"add", "member", 2, 2, {"role", "principal"}},
    {"remove", "member", 2, 2, {"role", "principal"}},
};

static int wrong(const struct yaml_node *at, char *why, const char *what)
{
    snprintf(why, POLICY_FILE_WHY_BYTES, "line %u, column %u: %s", at->line, at->column, what);
    return POLICY_FILE_BAD;
}

static const struct yaml_node *find(const struct yaml_node *map, const char *key)
{
    const struct yaml_node *n = map->first;
    while (n != NULL && !bytes_equal(n->key, bytes_of_text(key)))
        n = n->next;
    return n;
}

static const struct kind *kind_of(const struct yaml_node *map)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        const struct yaml_node *n = find(map, kinds[i].verb);
        if (n != NULL && n->kind == YAML_KIND_SCALAR && bytes_equal(n->text, bytes_of_text(kinds[i].what)))
            return &kinds[i];
    }
    return NULL;
}

static bool is_of_kind(const struct kind *kind, struct bytes key)
{
    for (size_t i = 0; i < kind->count; i++) {
        if (bytes_equal(key, bytes_of_text(kind->names[i])))
            return true;
    }
    return bytes_equal(key, bytes_of_text(kind->verb));
}

/* The number of a rule is one, the others are texts. */
static int put_member(struct buf *out, const struct yaml_node *n, char *why)
{
    uint64_t id;
    if (n->kind != YAML_KIND_SCALAR || n->text.n == 0 || !text_is_printable(n->text))
        return wrong(n, why, "a text is meant, of characters that can be shown");
    TRY(buf_append_text(out, ","));
    TRY(doc_json_string(out, n->key));
    TRY(buf_append_text(out, ":"));
    if (!bytes_equal(n->key, BYTES_LITERAL("id")))
        return doc_json_string(out, n->text);
    if (!num_parse_u64(n->text, INT64_MAX, &id) || id == 0)
        return wrong(n, why, "the number of a rule is meant");
    return buf_append_u64(out, id);
}

static int put_change(struct buf *out, const struct yaml_node *map, char *why)
{
    if (map->kind != YAML_KIND_MAP)
        return wrong(map, why, "a change is a map");
    const struct kind *kind = kind_of(map);
    if (kind == NULL)
        return wrong(map, why, "a change says \"add: rule\", \"remove: rule\", \"add: member\" or \"remove: member\"");
    for (size_t i = 0; i < kind->needed; i++) {
        if (find(map, kind->names[i]) == NULL)
            return wrong(map, why, "a member is missing");
    }
    TRY(buf_print(out, "{\"%s\":\"%s\"", kind->verb, kind->what));
    for (const struct yaml_node *n = map->first; n != NULL; n = n->next) {
        if (!is_of_kind(kind, n->key))
            return wrong(n, why, "such a change has no such member");
        int r = bytes_equal(n->key, bytes_of_text(kind->verb)) ? 0 : put_member(out, n, why);
        if (r != 0)
            return r;
    }
    return buf_append_text(out, "}");
}

static int put_changes(struct buf *out, const struct yaml_node *root, char *why)
{
    const struct yaml_node *list = root->first;
    size_t count = 0;
    if (list == NULL || list->next != NULL || list->kind != YAML_KIND_LIST ||
        !bytes_equal(list->key, BYTES_LITERAL("changes")))
        return wrong(list != NULL ? list : root, why, "the file is a map with one member, the list \"changes\"");
    TRY(buf_append_text(out, "{\"changes\":["));
    for (const struct yaml_node *n = list->first; n != NULL; n = n->next) {
        if (++count > POLICY_FILE_CHANGES_MAX_COUNT)
            return wrong(n, why, "there are more than 1000 changes");
        TRY(buf_append_text(out, count > 1 ? "," : ""));
        int r = put_change(out, n, why);
        if (r != 0)
            return r;
    }
    return buf_append_text(out, "]}");
}

/* What YAML takes for the end of a line, and JSON for a letter. */
static bool has_odd_line_end(struct bytes text)
{
    static const struct bytes ends[] = {
        {(const uint8_t *)"\xc2\x85", 2}, {(const uint8_t *)"\xe2\x80\xa8", 3}, {(const uint8_t *)"\xe2\x80\xa9", 3}};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        if (text.n > 0 && memmem(text.p, text.n, ends[i].p, ends[i].n) != NULL)
            return true;
    }
    return false;
}

int policy_file_read(struct bytes text, struct buf *out, char why[static POLICY_FILE_WHY_BYTES])
{
    struct yaml_node *root;
    if (text.n > POLICY_FILE_MAX_BYTES) {
        snprintf(why, POLICY_FILE_WHY_BYTES, "it is longer than %d bytes", POLICY_FILE_MAX_BYTES);
        return POLICY_FILE_BAD;
    }
    if (has_odd_line_end(text)) {
        snprintf(why, POLICY_FILE_WHY_BYTES, "it has line ends that are none in JSON (U+0085, U+2028 or U+2029)");
        return POLICY_FILE_BAD;
    }
    int r = yaml_parse(text, &root, why, POLICY_FILE_WHY_BYTES);
    if (r == YAML_BAD)
        return POLICY_FILE_BAD;
    TRY(r);
    r = put_changes(out, root, why);
    yaml_node_free(root);
    return r;
}
