/* past - see past.h. All changes of one request have one revision, and their records stand together in the trail. */
#include "cli/past.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "model/outcome.h"

enum { PROGRESS_FROM_PAGES = 4, TEXT_MAX_BYTES = 16384 };

/* ---- members ------------------------------------------------------------------------------------------------------
 */

static bool read_number(struct bytes map, const char *name, uint64_t *ret)
{
    struct bytes text;
    return secreg_member(map, name, &text) && num_parse_u64(text, INT64_MAX, ret);
}

static bool read_flag(struct bytes map, const char *name)
{
    struct bytes text;
    return secreg_member(map, name, &text) && bytes_equal(text, BYTES_LITERAL("true"));
}

/* A member that is a text without anything to unquote in it: paths, words and times are. */
static struct bytes plain_member(struct bytes map, const char *name)
{
    struct bytes text;
    if (!secreg_member(map, name, &text) || text.n < 2 || text.p[0] != '"')
        return BYTES_NONE;
    return bytes_of(text.p + 1, text.n - 2);
}

/* ---- history ------------------------------------------------------------------------------------------------------
 */

static int read_version(struct bytes map, struct past_version *v)
{
    bool is_good = read_number(map, "version", &v->version) && read_number(map, "revision", &v->revision) &&
                   text_copy(v->changed, sizeof v->changed, plain_member(map, "changed"));
    v->is_deleted = read_flag(map, "deleted");
    v->is_destroyed = read_flag(map, "destroyed");
    return is_good ? 0 : RAISE(FAULT_PROTOCOL);
}

static int each_version(struct bytes body, int (*on_version)(const struct past_version *v, void *arg), void *arg)
{
    struct bytes data, versions, map;
    struct past_version v;
    if (!secreg_member(body, "data", &data) || !secreg_member(data, "versions", &versions))
        return RAISE(FAULT_PROTOCOL);
    while (secreg_element(&versions, &map)) {
        TRY(read_version(map, &v));
        if (on_version(&v, arg) != 0)
            break;
    }
    return 0;
}

int past_history(struct cli *cli, const char *path, int (*on_version)(const struct past_version *v, void *arg),
                 void *arg, unsigned *ret_outcome)
{
    struct buf target;
    struct secreg_answer answer;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = cli_target_path(cli, &target, path, false);
    if (status == 0)
        status = cli_target_arg(cli, &target, "history", NULL);
    struct secreg_ask ask = {.method = "GET", .target = buf_view(&target), .is_read = true};
    if (status == 0 && cli_try(cli, &ask, &answer, ret_outcome))
        status = cli_fault(cli, each_version(answer.body, on_version, arg), "cannot take the history");
    buf_fini(&target);
    return status;
}

/* ---- a request in the trail ---------------------------------------------------------------------------------------
 */

struct search {
    struct cli *cli;
    struct bytes id;
    struct past_request *found;
    bool is_over; /* records of other requests stand before those found */
    bool has_any;
    size_t pages;
    char next[24];
};

/* Kinds of records that speak of a change of entries; of a move, the detail is where it came from. */
static bool is_change(struct bytes kind)
{
    static const char *const kinds[] = {"set", "delete", "move", "copy", "revert"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (bytes_equal(kind, bytes_of_text(kinds[i])))
            return true;
    }
    return false;
}

static bool is_other(struct bytes kind)
{
    static const char *const kinds[] = {"destroy", "acl-add", "acl-remove"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (bytes_equal(kind, bytes_of_text(kinds[i])))
            return true;
    }
    return false;
}

static int take_record(struct search *s, struct bytes record)
{
    struct bytes kind = plain_member(record, "kind");
    bool is_done = bytes_equal(plain_member(record, "outcome"), BYTES_LITERAL("done"));
    uint64_t made;
    if (!bytes_equal(plain_member(record, "request_id"), s->id)) {
        s->is_over = s->has_any;
        return 0;
    }
    s->has_any = true;
    s->found->other_count += is_done && is_other(kind);
    if (!is_done || !is_change(kind) || !read_number(record, "version_after", &made) || made == 0)
        return 0; /* a revert to what was there already makes no version */
    if (!read_number(record, "revision", &s->found->revision))
        return RAISE(FAULT_PROTOCOL);
    TRY(names_add(&s->found->paths, plain_member(record, "path")));
    return bytes_equal(kind, BYTES_LITERAL("move")) ? names_add(&s->found->paths, plain_member(record, "detail")) : 0;
}

static int take_page(struct search *s, struct bytes data)
{
    struct bytes records, record, next;
    if (!secreg_member(data, "records", &records) || !secreg_member(data, "next", &next))
        return RAISE(FAULT_PROTOCOL);
    while (!s->is_over && secreg_element(&records, &record))
        TRY(take_record(s, record));
    bool is_end = s->is_over || bytes_equal(next, BYTES_LITERAL("null"));
    return text_copy(s->next, sizeof s->next, is_end ? BYTES_NONE : next) ? 0 : RAISE(FAULT_PROTOCOL);
}

static void show_progress(const struct search *s, bool is_over)
{
    if (!s->cli->is_tty_err || s->cli->is_quiet || s->cli->is_json || s->pages < PROGRESS_FROM_PAGES)
        return;
    fprintf(stderr, is_over ? "\r\033[K" : "\rsearching the trail, at record %s ...", s->next);
    fflush(stderr);
}

static int fetch_page(struct search *s)
{
    struct buf target;
    struct bytes data;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    int status = cli_fault(s->cli, buf_append_text(&target, "/v1/audit?limit=1000"), "cannot ask");
    if (status == 0 && s->pages > 0)
        status = cli_target_arg(s->cli, &target, "after", s->next);
    if (status == 0)
        status = cli_get_data(s->cli, buf_view(&target), &data);
    if (status == 0)
        status = cli_fault(s->cli, take_page(s, data), "cannot take the records");
    s->pages++;
    buf_fini(&target);
    return status;
}

static void drop_repeats(struct names *names)
{
    size_t kept = 0;
    names_sort(names);
    for (size_t i = 0; i < names->count; i++) {
        if (kept > 0 && strcmp(names->items[kept - 1], names->items[i]) == 0)
            free(names->items[i]);
        else
            names->items[kept++] = names->items[i];
    }
    names->count = kept;
}

int past_request(struct cli *cli, const char *id, struct past_request *ret)
{
    struct search s = {.cli = cli, .id = bytes_of_text(id), .found = ret};
    int status;
    do {
        status = fetch_page(&s);
        show_progress(&s, false);
    } while (status == 0 && s.next[0] != '\0');
    show_progress(&s, true);
    drop_repeats(&ret->paths);
    return status;
}

/* ---- the revision at a time ---------------------------------------------------------------------------------------
 */

/* A page looks through a bounded number of records: it may end before it finds one. */
static int newest_of(struct bytes body, uint64_t *ret_revision, char next[static 24], bool *ret_found)
{
    struct bytes data, records, record, after;
    if (!secreg_member(body, "data", &data) || !secreg_member(data, "records", &records) ||
        !secreg_member(data, "next", &after))
        return RAISE(FAULT_PROTOCOL);
    *ret_found = secreg_element(&records, &record);
    if (*ret_found && !read_number(record, "revision", ret_revision))
        return RAISE(FAULT_PROTOCOL);
    bool is_end = bytes_equal(after, BYTES_LITERAL("null"));
    return text_copy(next, 24, is_end ? BYTES_NONE : after) ? 0 : RAISE(FAULT_PROTOCOL);
}

int past_revision(struct cli *cli, const char *time, uint64_t *ret_revision, unsigned *ret_outcome)
{
    struct buf target;
    struct secreg_answer answer;
    char next[24] = "";
    bool is_found = false;
    int status = 0;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    do {
        buf_clear(&target);
        status = cli_fault(cli, buf_append_text(&target, "/v1/audit?limit=1"), "cannot ask");
        if (status == 0)
            status = cli_target_arg(cli, &target, "until", time);
        if (status == 0 && next[0] != '\0')
            status = cli_target_arg(cli, &target, "after", next);
        struct secreg_ask ask = {.method = "GET", .target = buf_view(&target), .is_read = true};
        next[0] = '\0';
        if (status == 0 && cli_try(cli, &ask, &answer, ret_outcome))
            status = cli_fault(cli, newest_of(answer.body, ret_revision, next, &is_found), "cannot take the records");
        else if (status == 0 && *ret_outcome != OUTCOME_REFUSED)
            status = cli_refused(cli, *ret_outcome, NULL);
    } while (status == 0 && !is_found && next[0] != '\0');
    if (status == 0 && *ret_outcome == OUTCOME_DONE && !is_found)
        *ret_outcome = OUTCOME_NOT_FOUND;
    buf_fini(&target);
    return status;
}
