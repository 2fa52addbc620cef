/*
 * args - a command line against a row of the table of verbs: options anywhere, "--" ends them. Pure.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "base/bytes.h"

enum { ARGS_OPTIONS_MAX_COUNT = 12, ARGS_OPERANDS_MAX_COUNT = 8, ARGS_WHY_BYTES = 160 };

struct cli;
struct args;

/* One option; a list of them ends with a row without a name. */
struct args_option {
    const char *name;  /* without "--" */
    char letter;       /* short form, or 0 */
    const char *value; /* what it takes, in words for the help; NULL: a flag */
    const char *help;
};

/* What stands for an operand in the help, and how a shell can complete it. */
enum args_complete {
    ARGS_NOTHING,
    ARGS_PATH,
    ARGS_VERB,
    ARGS_WORDS,
    ARGS_FILE,    /* of the file system */
    ARGS_PROGRAM, /* paths, and behind "--" a program and its arguments */
};

/* One verb. */
struct verb {
    const char *name; /* one word, or two: "acl show" */
    const char *operands;
    unsigned operands_min, operands_max;
    enum args_complete complete; /* of the operands; ARGS_WORDS: those of `words` */
    const char *words;
    bool is_raw; /* reads its own arguments: argv[0] is the verb, global options are taken out, up to a "--" */
    const struct args_option *options;
    int (*run)(struct cli *cli, const struct args *args);
    const char *help;     /* one line */
    const char *examples; /* lines that begin with "sreg" */
};

struct args {
    const struct verb *verb;
    size_t operands_count;
    const char *operands[ARGS_OPERANDS_MAX_COUNT];
    const char *values[ARGS_OPTIONS_MAX_COUNT];
    bool given[ARGS_OPTIONS_MAX_COUNT];
    int raw_argc;
    char **raw_argv;
    const char *root; /* global options */
    bool is_json, is_quiet, no_color, wants_help, wants_version;
};

extern const struct args_option args_globals[];

/*
 * args_parse - read a command line.
 * verbs     the table; ends with a row without a name
 * argv      without the name of the program; reordered only for a raw verb
 * ret_args  what was read; verb NULL: none was named
 * ret_why   on ARGS_BAD: what was wrong, in words
 * Returns 0 or ARGS_BAD (ret_args->verb is set as far as it was understood).
 */
enum { ARGS_BAD = 1 };
int args_parse(const struct verb *verbs, int argc, char **argv, struct args *ret_args,
               char ret_why[static ARGS_WHY_BYTES]) MUST_USE;

/* args_find - the verb of one or two words; NULL if there is none. second: may be NULL. */
const struct verb *args_find(const struct verb *verbs, const char *first, const char *second);

/* args_has, args_value - an option of the verb's row, which must have one of that name; NULL if it was not given. */
bool args_has(const struct args *args, const char *name);
const char *args_value(const struct args *args, const char *name);

#endif
