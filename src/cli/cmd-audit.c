/* cmd-audit - the verbs audit query and audit tail; see verbs.h. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/names.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "cli/when.h"
#include "model/outcome.h"

/* A page is small, since each record may hold four texts of a kilobyte. */
enum { PAGE_COUNT = 50, QUERY_COUNT = 100, TAIL_COUNT = 10, LIMIT_MAX_COUNT = 1000000 };

static const struct timespec follow_pause = {.tv_sec = 1};

/* Records that answer one question, page by page. */
struct query {
    struct cli *cli;
    struct buf target; /* with all filters */
    size_t base_bytes;
    uint64_t left;
    bool is_upwards;
    struct names records; /* the texts of the records of JSON */
    char next[24];        /* where the next page begins; "" at the end */
};

/* ---- fetching -----------------------------------------------------------------------------------------------------
 */

static int query_init(struct query *q, struct cli *cli, uint64_t limit)
{
    *q = (struct query){.cli = cli, .left = limit};
    names_init(&q->records);
    buf_init(&q->target, CLI_TARGET_MAX_BYTES);
    return cli_fault(cli, buf_append_text(&q->target, "/v1/audit"), "cannot ask");
}

static void query_fini(struct query *q)
{
    names_fini(&q->records);
    buf_fini(&q->target);
}

static int take_page(struct query *q, struct bytes data)
{
    struct bytes records, record, next;
    if (!secreg_member(data, "records", &records) || !secreg_member(data, "next", &next))
        return RAISE(FAULT_PROTOCOL);
    while (secreg_element(&records, &record)) {
        TRY(names_add(&q->records, record));
        q->left -= q->left > 0;
    }
    bool is_end = bytes_equal(next, BYTES_LITERAL("null"));
    return text_copy(q->next, sizeof q->next, is_end ? BYTES_NONE : next) ? 0 : RAISE(FAULT_PROTOCOL);
}

static int fetch_page(struct query *q)
{
    char limit[24];
    struct bytes data;
    snprintf(limit, sizeof limit, "%llu", (unsigned long long)MIN_OF(q->left, (uint64_t)PAGE_COUNT));
    buf_truncate(&q->target, q->base_bytes);
    int status = cli_target_arg(q->cli, &q->target, "limit", limit);
    if (status == 0 && q->is_upwards)
        status = cli_target_arg(q->cli, &q->target, "order", "up");
    if (status == 0 && q->next[0] != '\0')
        status = cli_target_arg(q->cli, &q->target, "after", q->next);
    if (status == 0)
        status = cli_get_data(q->cli, buf_view(&q->target), &data);
    return status != 0 ? status : cli_fault(q->cli, take_page(q, data), "cannot take the records");
}

static int fetch_all(struct query *q)
{
    int status;
    q->base_bytes = buf_size(&q->target);
    do {
        status = fetch_page(q);
    } while (status == 0 && q->left > 0 && q->next[0] != '\0');
    return status;
}

/* ---- query --------------------------------------------------------------------------------------------------------
 */

static int add_uid(struct query *q, const char *text)
{
    char number[24];
    uint64_t uid;
    if (!num_parse_u64(bytes_of_text(text), UINT32_MAX - 1, &uid)) {
        const struct passwd *user = getpwnam(text);
        if (user == NULL)
            return cli_usage_error(q->cli, "this host has no such user: %s", text);
        uid = user->pw_uid;
    }
    snprintf(number, sizeof number, "%llu", (unsigned long long)uid);
    return cli_target_arg(q->cli, &q->target, "uid", number);
}

static int add_time(struct query *q, const char *name)
{
    char text[CLOCK_TEXT_BYTES];
    const char *value = args_value(q->cli->args, name);
    if (value == NULL)
        return 0;
    if (!when_parse(value, clock_wall_now(), text))
        return cli_usage_error(q->cli, "--%s takes 2026-01-31, 2026-01-31T12:00:00Z, or an age as 90s, 15m, 6h, 7d",
                               name);
    return cli_target_arg(q->cli, &q->target, name, text);
}

static int add_filters(struct query *q)
{
    const struct args *args = q->cli->args;
    int status = args_has(args, "uid") ? add_uid(q, args_value(args, "uid")) : 0;
    static const char *const plain[] = {"path", "kind", "outcome", "rule", "session"};
    for (size_t i = 0; status == 0 && i < COUNT_OF(plain); i++) {
        if (args_has(args, plain[i]))
            status = cli_target_arg(q->cli, &q->target, plain[i], args_value(args, plain[i]));
    }
    if (status == 0)
        status = add_time(q, "since");
    if (status == 0)
        status = add_time(q, "until");
    if (status == 0 && args_has(args, "refused"))
        status = cli_target_arg(q->cli, &q->target, "refused", NULL);
    return status;
}

static int append_table(const struct query *q, struct buf *out)
{
    static const struct out_column columns[] = {
        {"SEQ", "seq", OUT_NUMBER}, {"TIME", "time", OUT_TEXT},       {"USER", "uid", OUT_USER},
        {"UNIT", "unit", OUT_TEXT}, {"KIND", "kind", OUT_TEXT},       {"OUTCOME", "outcome", OUT_TEXT},
        {"PATH", "path", OUT_TEXT}, {"DETAIL", "detail", OUT_DETAIL},
    };
    struct out_table t;
    int r = 0;
    out_table_init(&t, columns, COUNT_OF(columns));
    for (size_t i = 0; r == 0 && i < q->records.count; i++)
        r = out_table_row(&t, bytes_of_text(q->records.items[i]));
    if (r == 0)
        r = out_table_print(&t, q->cli->has_color, out);
    out_table_fini(&t);
    return r;
}

static int append_json(const struct query *q, struct buf *out)
{
    TRY(buf_append_text(out, "{\"records\":["));
    for (size_t i = 0; i < q->records.count; i++) {
        TRY(buf_append_text(out, i > 0 ? "," : ""));
        TRY(buf_append_text(out, q->records.items[i]));
    }
    return buf_print(out, "],\"next\":%s}\n", q->next[0] != '\0' ? q->next : "null");
}

int cmd_audit_query(struct cli *cli, const struct args *args)
{
    struct query q;
    struct buf out;
    uint64_t limit = QUERY_COUNT;
    (void)args;
    int status = cli_number_option(cli, "limit", LIMIT_MAX_COUNT, &limit);
    if (status != 0)
        return status;
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    status = query_init(&q, cli, MAX_OF(limit, (uint64_t)1));
    if (status == 0)
        status = add_filters(&q);
    if (status == 0)
        status = fetch_all(&q);
    int r = status != 0 ? 0 : cli->is_json ? append_json(&q, &out) : append_table(&q, &out);
    if (status == 0 && r == 0)
        r = out_write(&out);
    query_fini(&q);
    buf_fini(&out);
    return status != 0 ? status : cli_fault(cli, r, "cannot show the records");
}

/* ---- tail ---------------------------------------------------------------------------------------------------------
 */

/* Lines that are shown one at a time cannot be aligned by what comes later: columns have a usual width. */
static int append_line(struct buf *out, struct bytes record)
{
    static const struct {
        const char *member;
        enum out_kind kind;
        size_t width;
    } cells[] = {{"time", OUT_TEXT, 24},    {"uid", OUT_USER, 10}, {"kind", OUT_TEXT, 10},
                 {"outcome", OUT_TEXT, 10}, {"path", OUT_TEXT, 0}, {"detail", OUT_DETAIL, 0}};
    struct buf cell;
    int r = 0;
    buf_init(&cell, CLI_TEXT_MAX_BYTES);
    for (size_t i = 0; r == 0 && i < COUNT_OF(cells); i++) {
        buf_clear(&cell);
        r = out_member(&cell, record, cells[i].member, cells[i].kind);
        if (r != 0 || (buf_size(&cell) == 0 && cells[i].width == 0))
            continue;
        size_t before = buf_size(out);
        r = text_escape(out, buf_view(&cell));
        while (r == 0 && buf_size(out) - before < cells[i].width)
            r = buf_append_text(out, " ");
        if (r == 0)
            r = buf_append_text(out, " ");
    }
    buf_fini(&cell);
    while (buf_size(out) > 0 && buf_view(out).p[buf_size(out) - 1] == ' ')
        buf_truncate(out, buf_size(out) - 1);
    return r == 0 ? buf_append_text(out, "\n") : r;
}

/* A tail that goes on would only show itself reading: its own reads are left out. */
static bool is_own_read(struct bytes record)
{
    char pid[24];
    struct bytes raw, kind;
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    return secreg_member(record, "pid", &raw) && bytes_equal(raw, bytes_of_text(pid)) &&
           secreg_member(record, "kind", &kind) && bytes_equal(kind, BYTES_LITERAL("\"audit-read\""));
}

static int append_record(const struct query *q, struct buf *out, struct bytes record)
{
    if (!q->cli->is_json)
        return append_line(out, record);
    TRY(buf_append(out, record));
    return buf_append_text(out, "\n");
}

static int show_record(struct query *q, const char *text)
{
    struct buf out;
    struct bytes record = bytes_of_text(text), seq;
    buf_init(&out, CLI_TEXT_MAX_BYTES);
    int r = is_own_read(record) ? 0 : append_record(q, &out, record);
    if (r == 0)
        r = out_write(&out);
    if (r == 0 && secreg_member(record, "seq", &seq) && !text_copy(q->next, sizeof q->next, seq))
        r = RAISE(FAULT_PROTOCOL);
    buf_fini(&out);
    return r;
}

/* Goes on until a signal ends the program or the daemon goes away. */
static int follow(struct query *q)
{
    int status = 0, r = 0;
    while (status == 0 && r == 0) {
        names_fini(&q->records);
        q->left = PAGE_COUNT;
        char after[sizeof q->next];
        memcpy(after, q->next, sizeof after);
        status = fetch_page(q);
        memcpy(q->next, after, sizeof after); /* a page that is not full has no next one, yet */
        for (size_t i = 0; status == 0 && r == 0 && i < q->records.count; i++)
            r = show_record(q, q->records.items[i]);
        if (fflush(stdout) != 0)
            return 0; /* said when the program ends */
        if (q->records.count < PAGE_COUNT)
            nanosleep(&follow_pause, NULL);
    }
    return status != 0 ? status : cli_fault(q->cli, r, "cannot show the records");
}

int cmd_audit_tail(struct cli *cli, const struct args *args)
{
    struct query q;
    uint64_t lines = TAIL_COUNT;
    int r = 0, status = cli_number_option(cli, "lines", LIMIT_MAX_COUNT, &lines);
    if (status != 0)
        return status;
    status = query_init(&q, cli, MAX_OF(lines, (uint64_t)1));
    if (status == 0)
        status = fetch_all(&q);
    q.next[0] = '\0';
    for (size_t i = q.records.count; status == 0 && r == 0 && i > 0; i--)
        r = show_record(&q, q.records.items[i - 1]);
    if (status == 0)
        status = cli_fault(cli, r, "cannot show the records");
    if (status == 0 && args_has(args, "follow")) {
        q.is_upwards = true;
        status = follow(&q);
    }
    query_fini(&q);
    return status;
}
