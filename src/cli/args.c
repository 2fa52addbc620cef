/* args - see args.h. */
#include "cli/args.h"

#include <stdio.h>
#include <string.h>

// clang-format off
const struct args_option args_globals[] = {
    {"root", 0, "DIR", "use DIR/etc, DIR/run and DIR/var (also: SECREG_ROOT)"},
    {"json", 0, NULL, "print data as one line of JSON"},
    {"quiet", 'q', NULL, "no warnings and notes"},
    {"no-color", 0, NULL, "no colour (also: NO_COLOR)"},
    {"help", 'h', NULL, "show help"},
    {"version", 'V', NULL, "show the version"},
    {0},
};
// clang-format on

struct reader {
    const struct verb *verbs;
    struct args *args;
    char *why;
    char **argv;
    int argc, at;
    const char *first; /* of a verb of two words */
    bool is_open;      /* options may still come */
};

static int bad(struct reader *r, const char *what, const char *word, size_t n)
{
    snprintf(r->why, ARGS_WHY_BYTES, "%s: %.*s", what, (int)MIN_OF(n, (size_t)64), word);
    return ARGS_BAD;
}

static int bad_word(struct reader *r, const char *what, const char *word)
{
    assert(word != NULL);
    return bad(r, what, word, strlen(word));
}

const struct verb *args_find(const struct verb *verbs, const char *first, const char *second)
{
    size_t n = strlen(first);
    for (const struct verb *v = verbs; v->name != NULL; v++) {
        if (second == NULL
                ? strcmp(v->name, first) == 0
                : strncmp(v->name, first, n) == 0 && v->name[n] == ' ' && strcmp(v->name + n + 1, second) == 0)
            return v;
    }
    return NULL;
}

static bool begins_verb(const struct verb *verbs, const char *first)
{
    size_t n = strlen(first);
    for (const struct verb *v = verbs; v->name != NULL; v++) {
        if (strncmp(v->name, first, n) == 0 && v->name[n] == ' ')
            return true;
    }
    return false;
}

static size_t find_option(const struct args_option *options, struct bytes name, char letter)
{
    size_t i = 0;
    while (options != NULL && options[i].name != NULL) {
        if (letter != 0 ? options[i].letter == letter : bytes_equal(name, bytes_of_text(options[i].name)))
            return i;
        i++;
    }
    return SIZE_MAX;
}

static void set_global(struct args *a, const char *name, const char *value)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"json", &a->is_json},
                 {"quiet", &a->is_quiet},
                 {"no-color", &a->no_color},
                 {"help", &a->wants_help},
                 {"version", &a->wants_version}};
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        if (strcmp(flags[i].name, name) == 0)
            *flags[i].flag = true;
    }
    if (strcmp(name, "root") == 0)
        a->root = value;
}

/* An option of the verb or a global one: its row, and its place in the verb's list or SIZE_MAX. */
static const struct args_option *look_up(const struct reader *r, struct bytes name, char letter, size_t *ret_index)
{
    const struct args_option *own = r->args->verb != NULL ? r->args->verb->options : NULL;
    *ret_index = find_option(own, name, letter);
    if (*ret_index != SIZE_MAX)
        return &own[*ret_index];
    size_t i = find_option(args_globals, name, letter);
    return i != SIZE_MAX ? &args_globals[i] : NULL;
}

static int read_option(struct reader *r, const char *word)
{
    size_t index;
    bool is_long = word[1] == '-';
    const char *equals = is_long ? strchr(word, '=') : NULL;
    struct bytes name =
        is_long ? bytes_of(word + 2, equals ? (size_t)(equals - word - 2) : strlen(word + 2)) : BYTES_NONE;
    const struct args_option *o = look_up(r, name, is_long ? 0 : word[1], &index);
    if (o == NULL || (!is_long && word[2] != '\0' && o->value == NULL))
        return bad_word(r, "unknown option", word);
    const char *value = equals != NULL ? equals + 1 : !is_long && word[2] != '\0' ? word + 2 : NULL;
    if (value != NULL && o->value == NULL)
        return bad(r, "this option takes no value", word, (size_t)(equals - word));
    if (value == NULL && o->value != NULL) {
        if (r->at >= r->argc)
            return bad_word(r, "this option needs a value", word);
        value = r->argv[r->at++];
    }
    if (index == SIZE_MAX) {
        set_global(r->args, o->name, value);
        return 0;
    }
    if (r->args->given[index])
        return bad_word(r, "this option is given twice", word);
    r->args->given[index] = true;
    r->args->values[index] = value;
    return 0;
}

static int read_word(struct reader *r, const char *word)
{
    struct args *a = r->args;
    if (a->verb == NULL) {
        a->verb = args_find(r->verbs, r->first != NULL ? r->first : word, r->first != NULL ? word : NULL);
        if (a->verb != NULL)
            return 0;
        if (r->first != NULL || !begins_verb(r->verbs, word))
            return bad_word(r, "unknown verb", word);
        r->first = word;
        return 0;
    }
    if (a->operands_count >= a->verb->operands_max)
        return bad_word(r, "one argument too many", word);
    assert(a->operands_count < ARGS_OPERANDS_MAX_COUNT);
    a->operands[a->operands_count++] = word;
    return 0;
}

/* A raw verb gets all that follows it, but the global options before a "--". */
static int read_raw(struct reader *r)
{
    struct args *a = r->args;
    size_t index;
    a->raw_argv = r->argv + r->at - 1;
    a->raw_argc = 1;
    while (r->at < r->argc) {
        char *word = r->argv[r->at++];
        bool is_long = strncmp(word, "--", 2) == 0 && word[2] != '\0';
        bool is_option = is_long || (word[0] == '-' && word[1] != '\0' && word[2] == '\0');
        const char *equals = is_long ? strchr(word, '=') : NULL;
        struct bytes name =
            is_long ? bytes_head(bytes_of_text(word + 2), equals ? (size_t)(equals - word - 2) : SIZE_MAX) : BYTES_NONE;
        r->is_open = r->is_open && strcmp(word, "--") != 0;
        if (!r->is_open || !is_option || look_up(r, name, is_long ? 0 : word[1], &index) == NULL || index != SIZE_MAX) {
            a->raw_argv[a->raw_argc++] = word;
            continue;
        }
        int x = read_option(r, word);
        if (x != 0)
            return x;
    }
    a->raw_argv[a->raw_argc] = NULL;
    return 0;
}

static int check_count(struct reader *r)
{
    const struct args *a = r->args;
    if (a->wants_help || a->wants_version || (a->verb == NULL && r->first == NULL))
        return 0;
    if (a->verb == NULL)
        return bad_word(r, "a second word is missing after", r->first);
    if (a->operands_count < a->verb->operands_min)
        return bad_word(r, "an argument is missing; it takes", a->verb->operands);
    return 0;
}

int args_parse(const struct verb *verbs, int argc, char **argv, struct args *ret_args,
               char ret_why[static ARGS_WHY_BYTES])
{
    struct reader r = {.verbs = verbs, .args = ret_args, .why = ret_why, .argv = argv, .argc = argc, .is_open = true};
    int x = 0;
    *ret_args = (struct args){0};
    while (x == 0 && r.at < argc) {
        const char *word = argv[r.at++];
        if (r.is_open && strcmp(word, "--") == 0) {
            r.is_open = false;
            continue;
        }
        bool is_number = word[0] == '-' && word[1] >= '0' && word[1] <= '9'; /* a value such as -5 */
        bool is_option = r.is_open && word[0] == '-' && word[1] != '\0' && !is_number;
        x = is_option ? read_option(&r, word) : read_word(&r, word);
        if (x == 0 && ret_args->verb != NULL && ret_args->verb->is_raw) {
            x = read_raw(&r);
            break;
        }
    }
    return x != 0 ? x : check_count(&r);
}

static size_t index_of(const struct args *args, const char *name)
{
    size_t i = find_option(args->verb->options, bytes_of_text(name), 0);
    assert(i < ARGS_OPTIONS_MAX_COUNT);
    return i;
}

bool args_has(const struct args *args, const char *name)
{
    return args->given[index_of(args, name)];
}

const char *args_value(const struct args *args, const char *name)
{
    return args->values[index_of(args, name)];
}
