/* fetch - see fetch.h. */
#include "cli/fetch.h"

#include "base/text.h"
#include "cli/cli.h"
#include "model/outcome.h"
#include "model/path.h"

int fetch_value(struct cli *cli, struct bytes path, struct buf *value, unsigned *ret_outcome)
{
    char text[PATH_MAX_BYTES + 1];
    struct buf target;
    struct secreg_answer answer;
    int r = 0;
    buf_init(&target, CLI_TARGET_MAX_BYTES);
    if (!text_copy(text, sizeof text, path) || cli_target_path(cli, &target, text, false) != 0)
        r = RAISE(FAULT_LIMIT);
    struct secreg_ask ask = {.method = "GET", .target = buf_view(&target), .is_read = true};
    if (r == 0 && cli_try(cli, &ask, &answer, ret_outcome))
        r = buf_append(value, answer.body);
    buf_fini(&target);
    return r;
}

int fetch_names(struct cli *cli, struct bytes folder, struct names *names, unsigned *ret_outcome)
{
    char text[PATH_MAX_BYTES + 1];
    if (!text_copy(text, sizeof text, folder))
        return RAISE(FAULT_LIMIT);
    return names_try(cli, text, true, names, ret_outcome);
}
