/* outcome - see outcome.h. */
#include "model/outcome.h"

static const struct row {
    const char *code, *text;
    unsigned status;
    int exit;
} rows[OUTCOME_COUNT] = {
#define OUTCOME_ROW_(name, number, code, status, exit, text) [number] = {code, text, status, exit},
    OUTCOME_LIST(OUTCOME_ROW_)
#undef OUTCOME_ROW_
};

static const struct row *row(unsigned outcome)
{
    return &rows[outcome < OUTCOME_COUNT ? outcome : OUTCOME_INTERNAL];
}

const char *outcome_code(unsigned outcome)
{
    return row(outcome)->code;
}

unsigned outcome_status(unsigned outcome)
{
    return row(outcome)->status;
}

int outcome_exit(unsigned outcome)
{
    return row(outcome)->exit;
}

const char *outcome_text(unsigned outcome)
{
    return row(outcome)->text;
}

unsigned outcome_of_code(struct bytes code)
{
    unsigned i = 0;
    while (i < OUTCOME_COUNT && !bytes_equal(code, bytes_of_text(rows[i].code)))
        i++;
    return i;
}
