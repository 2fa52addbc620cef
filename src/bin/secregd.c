/*
 * secregd - the registry daemon: its role table, and nothing else.
 *
 *     parent --- engine --- front (one or more)
 *        |          |
 *     starter ---  auth (one for each login)
 *
 * The parent opens and reaps. Fronts parse what clients send. The engine accepts, names the caller, decides, and keeps
 * keys, tree and trail. The starter starts what runs on demand. See doc/design.md, section 4.
 */
#include "bin/auth-pam.h"
#include "engine/role.h"
#include "front/role.h"
#include "model/options.h"
#include "model/roles.h"
#include "proc/proc.h"
#include "registry/init.h"

static const struct proc_role roles[] = {
    [ROLE_ENGINE] = {.name = "engine",
                     .user = "secreg",
                     .count_option = -1,
                     .gets_listeners = true,
                     .gets_files = true,
                     .asks = true,
                     .on_start = engine_on_start,
                     .on_reload = engine_on_reload,
                     .on_answer = engine_on_answer,
                     .on_stop = engine_on_stop,
                     .on_end = engine_on_end},
    [ROLE_FRONT] = {.name = "front",
                    .user = "secreg-net",
                    .count_option = OPTION_FRONT_COUNT,
                    .on_start = front_on_start,
                    .on_reload = front_on_reload,
                    .on_stop = front_on_stop,
                    .on_end = front_on_end},
    [ROLE_STARTER] = {.name = "starter",
                      .count_option = -1,
                      .is_starter = true,
                      .on_start = proc_starter_on_start,
                      .on_stop = proc_starter_on_stop,
                      .on_end = proc_starter_on_end},
    [ROLE_AUTH] = {.name = "auth", .on_demand = auth_pam_run, .limit_option = OPTION_LOGIN_LIMIT_MS},
};

static const struct proc_link links[] = {{ROLE_ENGINE, ROLE_FRONT}, {ROLE_ENGINE, ROLE_AUTH}};
static const struct proc_socket sockets[] = {{"socket", PLACE_SOCKET, 0666}};
static const struct proc_file files[] = {{"key", PLACE_KEY}};

static const char usage[] =
    "usage: secregd [--root DIR] [--ready-fd N] [--check-config | --dump-config] [--help] [--version]\n"
    "Serves the registry in the foreground; see secregd(8).\n"
    "  --root DIR       use DIR/etc, DIR/run and DIR/var instead of /etc, /run and /var (also: SECREG_ROOT)\n"
    "  --ready-fd N     write a newline to descriptor N when ready\n"
    "  --check-config   read the configuration, say what is wrong with it, and end\n"
    "  --dump-config    print the configuration in force and end\n";

int main(int argc, char **argv)
{
    static const struct proc_daemon daemon = {.name = "secregd",
                                              .schema = &options_schema,
                                              .conf_path = PLACE_CONF,
                                              .state_path = PLACE_STATE,
                                              .run_path = PLACE_RUN,
                                              .roles = roles,
                                              .roles_count = COUNT_OF(roles),
                                              .links = links,
                                              .links_count = COUNT_OF(links),
                                              .sockets = sockets,
                                              .sockets_count = COUNT_OF(sockets),
                                              .files = files,
                                              .files_count = COUNT_OF(files),
                                              .log_option = OPTION_LOG_LEVEL,
                                              .on_mode = init_mode,
                                              .usage = usage};
    return proc_main(&daemon, argc, argv);
}
