/* merge-print - lines for people, JSON for programs and the request for the daemon; see merge.h. */
#include <string.h>

#include "base/text.h"
#include "cli/merge.h"
#include "model/value.h"
#include "wire/doc.h"

static const struct {
    const char *mark, *word;
} kinds[] = {
#define MERGE_ROW_(name, mark, word) {mark, word},
    MERGE_KIND_LIST(MERGE_ROW_)
#undef MERGE_ROW_
};

static const unsigned parts[] = {
#define PART_ROW_(name, bit, word) bit,
    DUMP_PART_LIST(PART_ROW_)
#undef PART_ROW_
};

/* Of a value that is cut for a line, more is never looked at. */
enum { SHOWN_MAX_BYTES = 4096 };

static bool is_secret(const struct dump_entry *e)
{
    return e != NULL && e->is_sealed;
}

/* If one side is sealed, the value of the other may be the same. */
static bool hides_values(const struct merge_step *s)
{
    return is_secret(s->base) || is_secret(s->ours) || is_secret(s->theirs);
}

static unsigned differences(const struct merge_step *s)
{
    return s->ours != NULL && s->theirs != NULL ? dump_differences(s->ours, s->theirs) : 0;
}

bool merge_is_shown(const struct merge_step *step)
{
    if (step->kind == MERGE_LEFT)
        return step->ours == NULL;
    return (step->kind != MERGE_SAME && step->kind != MERGE_KEEP) || step->was_conflict;
}

static int put_path(struct buf *out, const struct merge_step *s, const char *folder)
{
    TRY(buf_append_text(out, folder));
    TRY(buf_append_text(out, *folder != '\0' ? "/" : ""));
    return buf_append(out, merge_step_path(s));
}

/* ---- lines --------------------------------------------------------------------------------------------------------
 */

/* Cuts what was appended from `from` on to `width` characters of which three are dots. */
static int cut(struct buf *out, size_t from, size_t width)
{
    struct bytes line = bytes_from(buf_view(out), from);
    size_t characters = 0, keep = line.n, room = width > 3 ? width - 3 : 0;
    for (size_t i = 0; i < line.n; i++) {
        bool begins = (line.p[i] & 0xc0) != 0x80;
        keep = begins && characters == room ? i : keep;
        characters += begins;
    }
    if (characters <= width)
        return 0;
    buf_truncate(out, from + keep);
    return buf_append_text(out, width > 3 ? "..." : "");
}

static int put_value(struct buf *out, const struct dump_entry *e, size_t width)
{
    if (e == NULL)
        return buf_append_text(out, "(none)");
    return text_escape(out, width > 0 ? bytes_head(e->value, SHOWN_MAX_BYTES) : e->value);
}

/* " (type, comment)": the parts that differ, but those of `but`. */
static int put_parts(struct buf *out, unsigned bits, unsigned but)
{
    const char *before = " (";
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if ((bits & ~but & parts[i]) == 0)
            continue;
        TRY(buf_append_text(out, before));
        TRY(buf_append_text(out, dump_part_text(parts[i])));
        before = ", ";
    }
    return buf_append_text(out, *before == ',' ? ")" : "");
}

static int put_change(struct buf *out, const struct merge_step *s, size_t width)
{
    unsigned bits = differences(s);
    if (hides_values(s) || (bits & (DUMP_VALUE | DUMP_TYPE)) == 0)
        return put_parts(out, bits, 0);
    TRY(buf_append_text(out, ": "));
    TRY(put_value(out, s->ours, width));
    TRY(buf_append_text(out, " -> "));
    TRY(put_value(out, s->theirs, width));
    return put_parts(out, bits, DUMP_VALUE);
}

static int put_conflict(struct buf *out, const struct merge_step *s, size_t width)
{
    if (s->is_clash)
        return buf_append_text(out, ": one side has an entry here and the other a folder");
    if (s->ours == NULL || s->theirs == NULL)
        return buf_append_text(out, s->ours == NULL ? ": deleted in ours, changed in theirs"
                                                    : ": changed in ours, deleted in theirs");
    TRY(buf_append_text(out, s->base != NULL ? ": changed in both" : ": made in both"));
    if (hides_values(s) || (differences(s) & DUMP_VALUE) == 0)
        return put_parts(out, differences(s), 0);
    TRY(buf_append_text(out, ", ours "));
    TRY(put_value(out, s->ours, width));
    TRY(buf_append_text(out, ", theirs "));
    return put_value(out, s->theirs, width);
}

static int put_rest(struct buf *out, const struct merge_step *s, size_t width)
{
    switch (s->kind) {
    case MERGE_ADD:
        if (hides_values(s))
            return buf_append_text(out, " (sealed)");
        TRY(buf_append_text(out, " = "));
        return put_value(out, s->theirs, width);
    case MERGE_CHANGE:
        return put_change(out, s, width);
    case MERGE_CONFLICT:
        return put_conflict(out, s, width);
    case MERGE_LEFT:
        return buf_append_text(out, " (sealed, and its value is not in the file)");
    case MERGE_SAME:
    case MERGE_KEEP:
    case MERGE_DELETE:
    case MERGE_KIND_COUNT:
        break;
    }
    return 0;
}

int merge_step_print(struct buf *out, const struct merge_step *step, const char *folder, size_t width)
{
    size_t from = buf_size(out);
    assert(step->kind < MERGE_KIND_COUNT);
    TRY(buf_append_text(out, kinds[step->kind].mark));
    TRY(buf_append_text(out, " "));
    TRY(put_path(out, step, folder)); /* a path holds nothing to escape */
    TRY(put_rest(out, step, width));
    if (step->was_conflict)
        TRY(buf_append_text(out,
                            step->kind == MERGE_KEEP ? " (conflict: ours stays)" : " (conflict: theirs is taken)"));
    return width > 0 ? cut(out, from, width) : 0;
}

/* ---- JSON ---------------------------------------------------------------------------------------------------------
 */

static int put_json_text(struct buf *out, const char *before, struct bytes text)
{
    TRY(buf_append_text(out, before));
    return doc_json_string(out, text);
}

static int put_json_path(struct buf *out, const char *before, const struct merge_step *s, const char *folder)
{
    SCOPED(buf_fini) struct buf path;
    buf_init(&path, 2 * PATH_MAX_BYTES + 2);
    TRY(put_path(&path, s, folder));
    return put_json_text(out, before, buf_view(&path));
}

/* ,"old":{"type":"integer","sealed":false,"value":1} */
static int put_side(struct buf *out, const char *name, const struct dump_entry *e, bool hides)
{
    if (e == NULL)
        return 0;
    TRY(buf_print(out, ",\"%s\":{", name));
    TRY(put_json_text(out, "\"type\":", bytes_of_text(value_type_text(e->type))));
    TRY(buf_append_text(out, e->is_sealed ? ",\"sealed\":true" : ",\"sealed\":false"));
    if (!hides && e->has_value) {
        TRY(buf_append_text(out, ",\"value\":"));
        TRY(dump_json_value(out, e));
    }
    return buf_append_text(out, "}");
}

static int put_json_parts(struct buf *out, unsigned bits)
{
    const char *comma = "";
    TRY(buf_append_text(out, ",\"differs\":["));
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if ((bits & parts[i]) == 0)
            continue;
        TRY(buf_print(out, "%s\"%s\"", comma, dump_part_text(parts[i])));
        comma = ",";
    }
    return buf_append_text(out, "]");
}

int merge_step_json(struct buf *out, const struct merge_step *step, const char *folder)
{
    bool is_conflict = step->was_conflict || step->kind == MERGE_CONFLICT;
    TRY(buf_print(out, "{\"change\":\"%s\"", kinds[step->kind].word));
    TRY(put_json_path(out, ",\"path\":", step, folder));
    TRY(buf_append_text(out, is_conflict ? ",\"conflict\":true" : ""));
    if (step->ours != NULL && step->theirs != NULL)
        TRY(put_json_parts(out, differences(step)));
    TRY(put_side(out, "ours", step->ours, hides_values(step)));
    TRY(put_side(out, "theirs", step->theirs, hides_values(step)));
    return buf_append_text(out, "}");
}

/* ---- the request --------------------------------------------------------------------------------------------------
 */

static int put_tags(struct buf *out, struct bytes tags)
{
    struct bytes tag;
    const char *comma = "";
    TRY(buf_append_text(out, ",\"tags\":["));
    while (dump_each_tag(&tags, &tag)) {
        TRY(put_json_text(out, comma, tag));
        comma = ",";
    }
    return buf_append_text(out, "]");
}

/* What is not given stays as it is, so what ours has and theirs has not is given as nothing. */
static int put_notes(struct buf *out, const struct dump_entry *e, const struct dump_entry *old)
{
    if (e->comment.n > 0 || (old != NULL && old->comment.n > 0))
        TRY(put_json_text(out, ",\"comment\":", e->comment));
    if (e->tags.n > 0 || (old != NULL && old->tags.n > 0))
        TRY(put_tags(out, e->tags));
    if (e->expires[0] != '\0')
        return put_json_text(out, ",\"expires\":", bytes_of_text(e->expires));
    return buf_append_text(out, old != NULL && old->expires[0] != '\0' ? ",\"expires\":null" : "");
}

static int put_condition(struct buf *out, const struct dump_entry *old)
{
    if (old == NULL)
        return buf_append_text(out, ",\"absent\":true}");
    assert(old->version > 0);
    return buf_print(out, ",\"version\":%llu}", (unsigned long long)old->version);
}

/* As a text the value arrives byte for byte; the daemon would print the JSON of it anew. */
static int put_request_value(struct buf *out, const struct dump_entry *e)
{
    if (e->type != VALUE_BINARY)
        return put_json_text(out, ",\"text\":", e->value);
    TRY(buf_append_text(out, ",\"value\":"));
    return dump_json_value(out, e);
}

static int put_set(struct buf *out, const struct merge_step *s, const char *folder)
{
    const struct dump_entry *e = s->theirs;
    TRY(put_json_path(out, "{\"op\":\"set\",\"path\":", s, folder));
    TRY(put_json_text(out, ",\"type\":", bytes_of_text(value_type_text(e->type))));
    TRY(put_request_value(out, e));
    TRY(buf_append_text(out, e->is_sealed ? ",\"seal\":true" : ",\"seal\":false"));
    TRY(put_notes(out, e, s->ours));
    return put_condition(out, s->ours);
}

static int put_delete(struct buf *out, const struct merge_step *s, const char *folder)
{
    TRY(put_json_path(out, "{\"op\":\"delete\",\"path\":", s, folder));
    return put_condition(out, s->ours);
}

/* Deletions come first: a folder may have to make room for an entry of its name. */
int merge_request(struct buf *out, const struct merge_plan *plan, const char *folder, const char *reason, bool is_dry)
{
    const char *before = "{\"then\":[";
    assert(plan->counts[MERGE_CONFLICT] == 0 && merge_changes_count(plan) > 0);
    for (int is_set = 0; is_set <= 1; is_set++) {
        for (size_t i = 0; i < plan->count; i++) {
            const struct merge_step *s = &plan->steps[i];
            bool is_wanted = is_set == 1 ? s->kind == MERGE_ADD || s->kind == MERGE_CHANGE : s->kind == MERGE_DELETE;
            if (!is_wanted)
                continue;
            TRY(buf_append_text(out, before));
            TRY(is_set == 1 ? put_set(out, s, folder) : put_delete(out, s, folder));
            before = ",";
        }
    }
    TRY(buf_append_text(out, "]"));
    if (reason != NULL)
        TRY(put_json_text(out, ",\"reason\":", bytes_of_text(reason)));
    return buf_append_text(out, is_dry ? ",\"dry_run\":true}" : "}");
}
