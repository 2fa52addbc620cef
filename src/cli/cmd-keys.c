/* cmd-keys - the verbs slot list, slot add, slot remove, rekey and rotate; see verbs.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/code.h"
#include "base/num.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/material.h"
#include "cli/out.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "crypt/keys.h"
#include "model/meta.h"
#include "model/outcome.h"
#include "os/file.h"

enum { TARGET_BYTES = 512, BODY_BYTES = 16 << 10, STDIN_BYTES = 16 << 10 };
#define POLL_NS (200 * 1000 * 1000)

/* ---- slots ----------------------------------------------------------------------------------------------- */

int cmd_slot_list(struct cli *cli, const struct args *args)
{
    static const struct out_column columns[] = {
        {"SLOT", "id", OUT_NUMBER},       {"KIND", "kind", OUT_TEXT},     {"LABEL", "label", OUT_TEXT},
        {"CREATED", "created", OUT_TEXT}, {"BY", "created_by", OUT_USER}, {"ROUNDS", "rounds", OUT_NUMBER},
        {"GOOD", "good", OUT_TEXT},
    };
    struct bytes data;
    (void)args;
    int status = cli_get_data(cli, BYTES_LITERAL("/v1/slots"), &data);
    if (status != 0 || cli->is_json)
        return status != 0 ? status : cli_print_json(data);
    int r = out_list(data, "slots", columns, COUNT_OF(columns), cli->has_color);
    return cli_fault(cli, r, "cannot show the slots");
}

/* A key file that nobody has seen before; never over another one. */
static int make_key_file(struct cli *cli, const char *path, struct buf *material)
{
    struct secret key = {0};
    SCOPED(file_drop_fd) int fd = -1;
    int r = crypt_start();
    if (r >= 0)
        r = secret_init_random(&key, KEYS_FILE_BYTES);
    if (r == 0) {
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0400);
        r = fd < 0 ? RAISE(-errno) : file_write_all(fd, secret_view(&key));
    }
    if (r == 0 && fsync(fd) < 0)
        r = RAISE(-errno);
    if (r == 0)
        r = buf_append(material, secret_view(&key));
    secret_fini(&key);
    return cli_fault(cli, r, path);
}

/* What opens the new slot; nothing for the key file that the daemon has. */
static int new_material(struct cli *cli, const struct args *args, bool is_key, struct buf *material)
{
    const char *file = args->operands_count > 1 ? args->operands[1] : NULL;
    bool is_new = args_has(args, "new"), is_stdin = args_has(args, "passphrase-stdin");
    if (is_key && (is_stdin || args_has(args, "rounds")))
        return cli_usage_error(cli, "--rounds and --passphrase-stdin are for a passphrase");
    if (is_new && (!is_key || file == NULL))
        return cli_usage_error(cli, "--new makes the key file that is named");
    if (is_stdin && file != NULL)
        return cli_usage_error(cli, "a file or --passphrase-stdin, not both");
    if (is_new)
        return make_key_file(cli, file, material);
    if (file != NULL)
        return material_file(cli, file, is_key, material);
    if (is_key)
        return 0;
    return is_stdin ? ask_read_line(cli, material) : ask_new_secret(cli, material);
}

static int add_target(struct cli *cli, const struct args *args, struct buf *target)
{
    int status = cli_fault(cli, buf_append_text(target, "/v1/slots"), "cannot ask");
    if (status == 0)
        status = cli_target_arg(cli, target, "kind", args->operands[0]);
    if (status == 0 && args_has(args, "label"))
        status = cli_target_arg(cli, target, "label", args_value(args, "label"));
    if (status == 0 && args_has(args, "rounds"))
        status = cli_target_arg(cli, target, "rounds", args_value(args, "rounds"));
    return status;
}

int cmd_slot_add(struct cli *cli, const struct args *args)
{
    bool is_key = strcmp(args->operands[0], "key-file") == 0;
    struct buf material, target;
    struct bytes data = BYTES_NONE, id;
    if (!is_key && strcmp(args->operands[0], "passphrase") != 0)
        return cli_usage_error(cli, "a slot is a passphrase or a key-file");
    material_init(&material);
    buf_init(&target, TARGET_BYTES);
    int status = new_material(cli, args, is_key, &material);
    if (status == 0 && !is_key && buf_size(&material) == 0)
        status = cli_error(cli, OUTCOME_BAD_REQUEST, "the passphrase is empty");
    if (status == 0)
        status = add_target(cli, args, &target);
    struct secreg_ask ask = {.method = "POST", .target = buf_view(&target), .body = buf_view(&material)};
    if (status == 0)
        status = cli_data(cli, &ask, &data);
    if (status == 0 && cli->is_json)
        status = cli_print_json(data);
    else if (status == 0 && secreg_member(data, "id", &id))
        cli_note(cli, "slot %.*s opens the registry from now on", (int)id.n, (const char *)id.p);
    buf_fini(&material);
    buf_fini(&target);
    return status;
}

int cmd_slot_remove(struct cli *cli, const struct args *args)
{
    char target[TARGET_BYTES];
    struct bytes data;
    uint64_t id;
    if (!num_parse_u64(bytes_of_text(args->operands[0]), INT64_MAX, &id))
        return cli_usage_error(cli, "a slot is named by its number");
    int n = snprintf(target, sizeof target, "/v1/slots?id=%llu", (unsigned long long)id);
    struct secreg_ask ask = {.method = "DELETE", .target = bytes_of(target, (size_t)n)};
    int status = cli_data(cli, &ask, &data);
    if (status == 0)
        cli_warn(cli,
                 "who kept a copy of the database and what opened slot %llu can still open that copy, and learns the "
                 "root key; 'sreg rekey' makes another one",
                 (unsigned long long)id);
    return status;
}

/* ---- waiting for a pass ---------------------------------------------------------------------------------- */

static bool member_number(struct bytes map, const char *name, uint64_t *ret)
{
    struct bytes text;
    return secreg_member(map, name, &text) && num_parse_u64(text, INT64_MAX, ret);
}

/* Returns a status; ret_more: it goes on. */
static int look_at_pass(struct cli *cli, struct progress *progress, bool *ret_more)
{
    struct bytes data, pass, state;
    uint64_t done = 0, of = 0;
    int status = cli_get_data(cli, BYTES_LITERAL("/v1/status"), &data);
    if (status != 0)
        return status;
    if (!secreg_member(data, "state", &state) || !bytes_equal(state, BYTES_LITERAL("\"unlocked\"")))
        return cli_error(cli, OUTCOME_LOCKED, "the registry was locked; the work goes on when it is unlocked");
    *ret_more =
        secreg_member(data, "pass", &pass) && member_number(pass, "done", &done) && member_number(pass, "of", &of);
    if (*ret_more)
        progress_show(progress, "rows", done, of);
    return 0;
}

static int wait_for_pass(struct cli *cli)
{
    const struct timespec pause = {0, POLL_NS};
    bool is_more = true;
    int status = 0;
    struct progress progress;
    progress_init(&progress, cli);
    while (status == 0 && is_more) {
        status = look_at_pass(cli, &progress, &is_more);
        if (status == 0 && is_more)
            nanosleep(&pause, NULL);
    }
    progress_clear(&progress);
    return status;
}

/* Begins something that goes on by itself, and shows its end if that is wanted. */
static int begin_pass(struct cli *cli, const struct args *args, const char *target, struct bytes body)
{
    struct secreg_ask ask = {.method = "POST", .target = bytes_of_text(target), .body = body};
    struct bytes data;
    int status = cli_data(cli, &ask, &data);
    if (status == 0 && cli->is_json)
        status = cli_print_json(data);
    if (status == 0 && args_has(args, "wait"))
        return wait_for_pass(cli);
    if (status == 0 && !cli->is_json)
        cli_note(cli, "begun; 'sreg status' shows how far it is");
    return status;
}

int cmd_rotate(struct cli *cli, const struct args *args)
{
    return begin_pass(cli, args, "/v1/rotate", BYTES_NONE);
}

/* ---- rekey ----------------------------------------------------------------------------------------------- */

struct slot_row {
    uint64_t id;
    bool is_key;
    char label[META_LABEL_MAX_BYTES * 2];
};

struct rekey {
    struct cli *cli;
    struct slot_row slots[META_SLOTS_MAX_COUNT];
    size_t slots_count;
    bool is_kept[META_SLOTS_MAX_COUNT];
    struct buf input, body; /* input: of standard input, what no slot has taken yet */
    bool has_input;
};

static int take_row(struct rekey *k, struct bytes slot)
{
    struct slot_row *row = &k->slots[k->slots_count];
    struct bytes kind = BYTES_NONE;
    struct buf label, safe;
    if (k->slots_count == META_SLOTS_MAX_COUNT || !member_number(slot, "id", &row->id) ||
        !secreg_member(slot, "kind", &kind))
        return RAISE(FAULT_PROTOCOL);
    row->is_key = bytes_equal(kind, BYTES_LITERAL("\"key-file\""));
    buf_init(&label, sizeof row->label);
    buf_init(&safe, sizeof row->label * 4);
    int r = out_member(&label, slot, "label", OUT_TEXT);
    if (r == 0)
        r = out_value(&safe, buf_view(&label));
    snprintf(row->label, sizeof row->label, "%.*s", BYTES_PRINT(buf_view(&safe)));
    buf_fini(&label);
    buf_fini(&safe);
    k->slots_count++;
    return r;
}

static int fetch_slots(struct rekey *k)
{
    struct bytes data, slots, slot;
    int status = cli_get_data(k->cli, BYTES_LITERAL("/v1/slots"), &data);
    if (status != 0)
        return status;
    int r = secreg_member(data, "slots", &slots) ? 0 : RAISE(FAULT_PROTOCOL);
    while (r == 0 && secreg_element(&slots, &slot))
        r = take_row(k, slot);
    return cli_fault(k->cli, r, "cannot read the slots");
}

/* The next line of standard input. */
static int take_line(struct rekey *k, struct buf *material)
{
    int r = k->has_input ? 0 : file_read_all(STDIN_FILENO, &k->input);
    k->has_input = true;
    struct bytes rest = buf_view(&k->input);
    size_t n = bytes_find(rest, '\n');
    if (r == 0 && n == 0)
        return cli_error(k->cli, OUTCOME_BAD_REQUEST, "standard input does not hold a line for each slot");
    if (r == 0)
        r = buf_append(material, bytes_head(rest, n));
    buf_consume(&k->input, MIN_OF(n + 1, rest.n));
    return cli_fault(k->cli, r, "cannot read standard input");
}

/* Nothing stands for the key file of the daemon. */
static int source_material(struct rekey *k, const struct slot_row *row, const char *source, struct buf *material)
{
    char prompt[64 + sizeof row->label];
    if (strcmp(source, "key-file") == 0)
        return row->is_key ? 0 : cli_usage_error(k->cli, "slot %llu is a passphrase", (unsigned long long)row->id);
    if (strcmp(source, "-") != 0 && strcmp(source, "ask") != 0)
        return material_file(k->cli, source, row->is_key, material);
    if (row->is_key)
        return cli_usage_error(k->cli, "slot %llu is a key file: name it", (unsigned long long)row->id);
    if (strcmp(source, "-") == 0)
        return take_line(k, material);
    snprintf(prompt, sizeof prompt, "Passphrase of slot %llu (%s): ", (unsigned long long)row->id, row->label);
    return ask_secret(k->cli, prompt, material);
}

static int put_material(struct rekey *k, uint64_t id, struct bytes material, bool is_first)
{
    struct buf *b = &k->body;
    TRY(buf_print(b, "%s{\"id\":%llu", is_first ? "" : ",", (unsigned long long)id));
    if (material.n > 0) {
        TRY(buf_append_text(b, ",\"material\":\""));
        TRY(code_base64(b, material));
        TRY(buf_append_text(b, "\""));
    }
    return buf_append_text(b, "}");
}

static struct slot_row *find_row(struct rekey *k, uint64_t id)
{
    for (size_t i = 0; i < k->slots_count; i++) {
        if (k->slots[i].id == id)
            return &k->slots[i];
    }
    return NULL;
}

/* One "SLOT=SOURCE". */
static int take_operand(struct rekey *k, const char *operand, bool is_first)
{
    uint64_t id;
    struct buf material;
    const char *equals = strchr(operand, '=');
    if (equals == NULL || equals[1] == '\0' ||
        !num_parse_u64(bytes_of(operand, (size_t)(equals - operand)), INT64_MAX, &id))
        return cli_usage_error(k->cli, "%s is not SLOT=SOURCE, as 1=ask or 2=/media/key", operand);
    struct slot_row *row = find_row(k, id);
    if (row == NULL)
        return cli_error(k->cli, OUTCOME_NOT_FOUND, "there is no slot %llu", (unsigned long long)id);
    if (k->is_kept[row - k->slots])
        return cli_usage_error(k->cli, "slot %llu is named twice", (unsigned long long)id);
    k->is_kept[row - k->slots] = true;
    material_init(&material);
    int status = source_material(k, row, equals + 1, &material);
    if (status == 0)
        status = cli_fault(k->cli, put_material(k, id, buf_view(&material), is_first), "cannot ask");
    buf_fini(&material);
    return status;
}

/* Whoever would no longer get in is named; only then, and with consent, it is done. */
static int check_dropped(struct rekey *k, const struct args *args)
{
    bool is_any = false;
    for (size_t i = 0; i < k->slots_count; i++) {
        const struct slot_row *row = &k->slots[i];
        if (k->is_kept[i])
            continue;
        is_any = true;
        cli_warn(k->cli, "slot %llu (%s: %s) is dropped: what opens it now opens nothing any more",
                 (unsigned long long)row->id, row->is_key ? "key-file" : "passphrase", row->label);
    }
    if (is_any && !args_has(args, "yes") && !args_has(args, "dry-run"))
        return cli_usage_error(k->cli, "name every slot that is to stay, or give --yes; nothing was changed");
    return 0;
}

static int make_body(struct rekey *k, const struct args *args)
{
    int status = cli_fault(k->cli, buf_append_text(&k->body, "{\"slots\":["), "cannot ask");
    for (size_t i = 0; status == 0 && i < args->operands_count; i++)
        status = take_operand(k, args->operands[i], i == 0);
    if (status == 0)
        status = check_dropped(k, args);
    const char *end = args_has(args, "dry-run") ? "],\"dry_run\":true}" : "]}";
    return status != 0 ? status : cli_fault(k->cli, buf_append_text(&k->body, end), "cannot ask");
}

static int dry_run(struct rekey *k)
{
    struct secreg_ask ask = {.method = "POST", .target = BYTES_LITERAL("/v1/rekey"), .body = buf_view(&k->body)};
    struct bytes data;
    int status = cli_data(k->cli, &ask, &data);
    if (status != 0 || k->cli->is_json)
        return status != 0 ? status : cli_print_json(data);
    for (size_t i = 0; i < k->slots_count; i++)
        printf("%s  slot %llu  %s  %s\n", k->is_kept[i] ? "stays  " : "dropped", (unsigned long long)k->slots[i].id,
               k->slots[i].is_key ? "key-file" : "passphrase", k->slots[i].label);
    return 0;
}

int cmd_rekey(struct cli *cli, const struct args *args)
{
    struct rekey k = {.cli = cli};
    buf_init_wiping(&k.input, STDIN_BYTES);
    buf_init_wiping(&k.body, BODY_BYTES);
    int status = fetch_slots(&k);
    if (status == 0)
        status = make_body(&k, args);
    if (status == 0)
        status = args_has(args, "dry-run") ? dry_run(&k) : begin_pass(cli, args, "/v1/rekey", buf_view(&k.body));
    buf_fini(&k.input);
    buf_fini(&k.body);
    return status;
}
