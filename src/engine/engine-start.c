/* engine-start - opening the registry and the first records of a run; see engine.h. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "engine/engine.h"
#include "model/options.h"

enum { OPEN_TRIES_COUNT = 40 };
#define OPEN_WAIT_NS (50 * 1000 * 1000)

int engine_open(struct engine *e)
{
    struct registry_settings settings;
    struct timespec wait = {0, OPEN_WAIT_NS};
    engine_settings(e->child, &settings);
    int r = FAULT_BUSY;
    /* after a kill, the engine before us may need a moment to be gone */
    for (int i = 0; r == FAULT_BUSY && i < OPEN_TRIES_COUNT; i++) {
        if (i > 0)
            nanosleep(&wait, NULL);
        r = registry_open(e->db_path, &settings, &e->registry);
    }
    if (r == STORE_ABSENT) {
        LOG_ERROR("%s does not exist: run 'sreg init' first", e->db_path);
        return RAISE(-ENOENT);
    }
    if (r == -ENOENT)
        LOG_ERROR("the key of the trail's next epoch (epoch.key, in the folder trail-*) is missing: without it nothing "
                  "could be sealed; put the file back, or restore a backup");
    return r;
}

/* A run ends with its last record, a checkpoint if it was unlocked, and the end of the epoch. */

static int see_last(uint64_t seq, struct bytes record, void *arg)
{
    struct record r;
    bool *was_stopped = arg;
    (void)seq;
    bool is_good = record_decode(record, &r);
    if (is_good && (r.kind == RECORD_CHECKPOINT || r.kind == RECORD_EPOCH))
        return 0;
    *was_stopped = is_good && (r.kind == RECORD_STOP || r.kind == RECORD_INIT || r.kind == RECORD_RESTORE);
    return TRAIL_ENOUGH;
}

/* The first record of a run; it says if the run before did not end in order, and what that may have cost. */
static int record_start(struct engine *e)
{
    bool was_stopped = true;
    char text[RECORD_TEXT_MAX_BYTES] = "";
    uint64_t lost = trail_lost(e->registry->trail);
    uint64_t size = trail_size(e->registry->trail) - trail_pending(e->registry->trail);
    if (size > 0)
        TRY(trail_read(e->registry->trail, size - 1, true, see_last, &was_stopped));
    if (!was_stopped)
        snprintf(text, sizeof text, "the run before did not end in order");
    if (!was_stopped && lost > 0)
        snprintf(text, sizeof text,
                 "the host ended before records were durable: behind record %llu at most %llu answered reads have none",
                 (unsigned long long)size - 1, (unsigned long long)lost);
    if (!was_stopped)
        LOG_WARNING("%s", text);
    return engine_record_own(e, RECORD_START, bytes_of_text(text));
}

int engine_first_turn(struct engine *e)
{
    char why[REGISTRY_WHY_BYTES];
    struct record epoch = registry_own(RECORD_EPOCH);
    int r = registry_begin_epoch(e->registry, &epoch);
    if (r == 0)
        r = record_start(e);
    if (r == 0)
        r = engine_try_key_file(e, why);
    if (r == OUTCOME_AUTH_FAILED || r == OUTCOME_CORRUPT || r == OUTCOME_NOT_FOUND) {
        if (r != OUTCOME_NOT_FOUND)
            LOG_ERROR("the key file does not unlock the registry: %s%s%s", outcome_text((unsigned)r),
                      *why != '\0' ? ": " : "", why);
        r = 0;
    }
    bool is_synced;
    engine_sign(e);
    int x = registry_turn_end(e->registry, true, &is_synced);
    engine_signed(e, x == 0);
    if (x == FAULT_FULL) { /* served, locked or not, until there is room; the start is then stated with the recovery */
        e->is_full = true;
        e->unrecorded = 1;
        x = 0;
        if (engine_tell_full(e))
            (void)engine_turn_end(e);
    }
    if (r == 0 && x == 0 && engine_begin_epoch(e)) /* behind the checkpoint, if there is one */
        (void)engine_turn_end(e);
    return r < 0 ? r : x;
}
