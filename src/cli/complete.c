/*
 * complete - see complete.h. Each script finds the verb among the words typed so far in the same way: options are left
 * out (and DIR of --root), and a word that begins verbs of two words takes the next one with it.
 */
#include "cli/complete.h"

#include <string.h>

#include "cli/cli.h"
#include "cli/verbs.h"

enum { SCRIPT_MAX_BYTES = 256 << 10 };

/* ---- the table, word by word --------------------------------------------------------------------------------------
 */

static struct bytes first_word(const struct verb *v)
{
    return bytes_head(bytes_of_text(v->name), strcspn(v->name, " "));
}

static bool has_two_words(const struct verb *v)
{
    return strchr(v->name, ' ') != NULL;
}

/* True for the first verb of the table with this first word. */
static bool is_first_of_word(const struct verb *table, const struct verb *v)
{
    for (const struct verb *other = table; other != v; other++) {
        if (bytes_equal(first_word(other), first_word(v)))
            return false;
    }
    return true;
}

static int append_first_words(const struct verb *table, bool only_pairs, const char *between, struct buf *out)
{
    bool has_some = false;
    for (const struct verb *v = table; v->name != NULL; v++) {
        if (!is_first_of_word(table, v) || (only_pairs && !has_two_words(v)))
            continue;
        TRY(buf_append_text(out, has_some ? between : ""));
        TRY(buf_append(out, first_word(v)));
        has_some = true;
    }
    return 0;
}

static int append_second_words(const struct verb *table, struct bytes first, struct buf *out)
{
    bool has_some = false;
    for (const struct verb *v = table; v->name != NULL; v++) {
        if (!has_two_words(v) || !bytes_equal(first_word(v), first))
            continue;
        TRY(buf_append_text(out, has_some ? " " : ""));
        TRY(buf_append_text(out, v->name + first.n + 1));
        has_some = true;
    }
    return 0;
}

static int append_option_names(const struct args_option *options, struct buf *out)
{
    for (; options != NULL && options->name != NULL; options++) {
        TRY(buf_append_text(out, " --"));
        TRY(buf_append_text(out, options->name));
        if (options->letter != 0)
            TRY(buf_print(out, " -%c", options->letter));
    }
    return 0;
}

/* Text inside single quotes of a shell. */
static int append_quoted(const char *text, struct buf *out)
{
    for (; *text != '\0'; text++)
        TRY(*text == '\'' ? buf_append_text(out, "'\\''") : buf_append(out, bytes_of(text, 1)));
    return 0;
}

/* What may stand where an operand is wanted, as one word that the scripts understand. */
static int append_operands(const struct verb *table, const struct verb *v, struct buf *out)
{
    switch (v->complete) {
    case ARGS_PATH:
        return buf_append_text(out, "@path");
    case ARGS_VERB:
        return append_first_words(table, false, " ", out);
    case ARGS_WORDS:
        return buf_append_text(out, v->words);
    case ARGS_FILE:
        return buf_append_text(out, "@file");
    case ARGS_PROGRAM:
        return buf_append_text(out, "@program");
    case ARGS_NOTHING:
        break;
    }
    return 0;
}

/* "'acl show') options='...'; operands='...' ;;" for each verb, and "'acl') ..." for each first word of pairs. */
static int append_cases(const struct verb *table, struct buf *out)
{
    for (const struct verb *v = table; v->name != NULL; v++) {
        if (has_two_words(v) && is_first_of_word(table, v)) {
            TRY(buf_print(out, "    '%.*s') operands='", BYTES_PRINT(first_word(v))));
            TRY(append_second_words(table, first_word(v), out));
            TRY(buf_append_text(out, "' ;;\n"));
        }
        TRY(buf_print(out, "    '%s') options='", v->name));
        TRY(append_option_names(v->options, out));
        TRY(buf_append_text(out, "' operands='"));
        TRY(append_operands(table, v, out));
        TRY(buf_append_text(out, "' ;;\n"));
    }
    TRY(buf_append_text(out, "    '') operands='"));
    TRY(append_first_words(table, false, " ", out));
    TRY(buf_append_text(out, "' ;;\n    esac\n    options+='"));
    TRY(append_option_names(args_globals, out));
    return buf_append_text(out, "'\n");
}

/* ---- bash ---------------------------------------------------------------------------------------------------------
 */

static const char bash_head[] =
    "# bash completion for sreg, made by `sreg completion bash`\n"
    "_sreg() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} verb='' options='' operands='' past='' word parent name i\n"
    "    local -a root=()\n"
    "    COMPREPLY=()\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        case $word in\n"
    "        --root) root=(--root \"${COMP_WORDS[i + 1]}\"); ((i++)) ;;\n"
    "        --) past=1 ;;\n"
    "        -*) ;;\n"
    "        *) case $verb in '') verb=$word ;; ";

static const char bash_middle[] = ") verb=\"$verb $word\" ;; esac ;;\n"
                                  "        esac\n"
                                  "    done\n"
                                  "    case $verb in\n";

static const char bash_tail[] =
    "    if [[ $operands == @program && $past ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -c -- \"$cur\"; compgen -f -- \"$cur\")\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
    "    elif [[ $operands == @file ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "        compopt -o filenames\n"
    "    elif [[ $operands == @path || $operands == @program ]]; then\n"
    "        parent=${cur%/*}\n"
    "        if [[ $cur != /registry/* ]]; then COMPREPLY=(/registry/); compopt -o nospace; return; fi\n"
    "        while IFS= read -r name; do\n"
    "            [[ $parent/$name == \"$cur\"* ]] && COMPREPLY+=(\"$parent/$name\")\n"
    "        done < <(\"${COMP_WORDS[0]}\" \"${root[@]}\" --quiet ls -- \"$parent\" 2>/dev/null)\n"
    "        [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace\n"
    "    else\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$operands\" -- \"$cur\")\n"
    "    fi\n"
    "}\n"
    "complete -F _sreg sreg\n";

int complete_bash(const struct verb *table, struct buf *out)
{
    TRY(buf_append_text(out, bash_head));
    TRY(append_first_words(table, true, "|", out));
    TRY(buf_append_text(out, bash_middle));
    TRY(append_cases(table, out));
    return buf_append_text(out, bash_tail);
}

/* ---- zsh ----------------------------------------------------------------------------------------------------------
 */

static const char zsh_head[] = "#compdef sreg\n"
                               "# zsh completion for sreg, made by `sreg completion zsh`\n"
                               "_sreg() {\n"
                               "    local verb='' options='' operands='' past='' word parent i\n"
                               "    local -a root found\n"
                               "    for ((i = 2; i < CURRENT; i++)); do\n"
                               "        word=${words[i]}\n"
                               "        case $word in\n"
                               "        --root) root=(--root \"${words[i + 1]}\"); ((i++)) ;;\n"
                               "        --) past=1 ;;\n"
                               "        -*) ;;\n"
                               "        *) case $verb in '') verb=$word ;; ";

static const char zsh_tail[] =
    "    if [[ $operands == @program && -n $past ]]; then\n"
    "        _command_names -e\n"
    "        _files\n"
    "    elif [[ $PREFIX == -* ]]; then\n"
    "        compadd -- ${=options}\n"
    "    elif [[ $operands == @file ]]; then\n"
    "        _files\n"
    "    elif [[ $operands == @path || $operands == @program ]]; then\n"
    "        if [[ $PREFIX != /registry/* ]]; then compadd -S '' -- /registry/; return; fi\n"
    "        parent=${PREFIX%/*}\n"
    "        found=(${(f)\"$(\"${words[1]}\" $root --quiet ls -- \"$parent\" 2>/dev/null)\"})\n"
    "        compadd -S '' -p \"$parent/\" -- ${(M)found:#*/}\n"
    "        compadd -p \"$parent/\" -- ${found:#*/}\n"
    "    else\n"
    "        compadd -- ${=operands}\n"
    "    fi\n"
    "}\n"
    "if [[ ${funcstack[1]} == _sreg ]]; then _sreg \"$@\"; else compdef _sreg sreg; fi\n";

int complete_zsh(const struct verb *table, struct buf *out)
{
    TRY(buf_append_text(out, zsh_head));
    TRY(append_first_words(table, true, "|", out));
    TRY(buf_append_text(out, bash_middle));
    TRY(append_cases(table, out));
    return buf_append_text(out, zsh_tail);
}

/* ---- fish ---------------------------------------------------------------------------------------------------------
 */

static const char fish_head[] = "# fish completion for sreg, made by `sreg completion fish`\n"
                                "function __sreg_verb\n"
                                "    set -l verb\n"
                                "    set -l skip 0\n"
                                "    for word in (commandline -opc)[2..-1]\n"
                                "        if test $skip = 1\n"
                                "            set skip 0\n"
                                "        else if test \"$word\" = --root\n"
                                "            set skip 1\n"
                                "        else if string match -q -- '-*' \"$word\"\n"
                                "        else if test -z \"$verb\"\n"
                                "            set verb $word\n"
                                "        else if contains -- \"$verb\" ";

static const char fish_middle[] = "\n"
                                  "            set verb \"$verb $word\"\n"
                                  "        end\n"
                                  "    end\n"
                                  "    test \"$verb\" = \"$argv[1]\"\n"
                                  "end\n"
                                  "function __sreg_paths\n"
                                  "    set -l words (commandline -opc)\n"
                                  "    set -l cur (commandline -ct)\n"
                                  "    set -l root\n"
                                  "    if set -l i (contains -i -- --root $words)\n"
                                  "        set root --root $words[(math $i + 1)]\n"
                                  "    end\n"
                                  "    if not string match -q -- '/registry/*' \"$cur\"\n"
                                  "        echo /registry/\n"
                                  "        return\n"
                                  "    end\n"
                                  "    set -l parent (string replace -r '/[^/]*$' '' -- \"$cur\")\n"
                                  "    for name in (command $words[1] $root --quiet ls -- \"$parent\" 2>/dev/null)\n"
                                  "        echo $parent/$name\n"
                                  "    end\n"
                                  "end\n"
                                  "complete -c sreg -f\n";

static int append_fish_options(const char *verb, const struct args_option *options, struct buf *out)
{
    for (; options != NULL && options->name != NULL; options++) {
        TRY(buf_append_text(out, "complete -c sreg"));
        if (verb != NULL)
            TRY(buf_print(out, " -n '__sreg_verb \"%s\"'", verb));
        if (options->letter != 0)
            TRY(buf_print(out, " -s %c", options->letter));
        TRY(buf_print(out, " -l %s%s -d '", options->name, options->value != NULL ? " -x" : ""));
        TRY(append_quoted(options->help, out));
        TRY(buf_append_text(out, "'\n"));
    }
    return 0;
}

/* The word that names a verb, offered after what stands before it. */
static int append_fish_verb(const struct verb *table, const struct verb *v, struct buf *out)
{
    struct bytes first = first_word(v);
    if (!has_two_words(v) || is_first_of_word(table, v)) {
        TRY(buf_print(out, "complete -c sreg -n '__sreg_verb \"\"' -a %.*s -d '", BYTES_PRINT(first)));
        TRY(has_two_words(v) ? append_second_words(table, first, out) : append_quoted(v->help, out));
        TRY(buf_append_text(out, "'\n"));
    }
    if (!has_two_words(v))
        return 0;
    TRY(buf_print(out, "complete -c sreg -n '__sreg_verb \"%.*s\"' -a %s -d '", BYTES_PRINT(first),
                  v->name + first.n + 1));
    TRY(append_quoted(v->help, out));
    return buf_append_text(out, "'\n");
}

static int append_fish_operands(const struct verb *table, const struct verb *v, struct buf *out)
{
    if (v->complete == ARGS_NOTHING)
        return 0;
    if (v->complete == ARGS_FILE)
        return buf_print(out, "complete -c sreg -n '__sreg_verb \"%s\"' -F\n", v->name);
    TRY(buf_print(out, "complete -c sreg -n '__sreg_verb \"%s\"' -a '", v->name));
    TRY(v->complete == ARGS_PATH || v->complete == ARGS_PROGRAM ? buf_append_text(out, "(__sreg_paths)")
                                                                : append_operands(table, v, out));
    return buf_append_text(out, "'\n");
}

int complete_fish(const struct verb *table, struct buf *out)
{
    TRY(buf_append_text(out, fish_head));
    TRY(append_first_words(table, true, " ", out));
    TRY(buf_append_text(out, fish_middle));
    TRY(append_fish_options(NULL, args_globals, out));
    for (const struct verb *v = table; v->name != NULL; v++) {
        TRY(append_fish_verb(table, v, out));
        TRY(append_fish_options(v->name, v->options, out));
        TRY(append_fish_operands(table, v, out));
    }
    return 0;
}

/* ---- the verb -----------------------------------------------------------------------------------------------------
 */

int cmd_completion(struct cli *cli, const struct args *args)
{
    static const struct {
        const char *shell;
        int (*complete)(const struct verb *table, struct buf *out);
    } shells[] = {{"bash", complete_bash}, {"zsh", complete_zsh}, {"fish", complete_fish}};
    struct buf out;
    for (size_t i = 0; i < COUNT_OF(shells); i++) {
        if (strcmp(shells[i].shell, args->operands[0]) != 0)
            continue;
        buf_init(&out, SCRIPT_MAX_BYTES);
        int r = shells[i].complete(verbs, &out);
        if (r == 0)
            fwrite(buf_view(&out).p, 1, buf_size(&out), stdout);
        buf_fini(&out);
        return cli_fault(cli, r, "cannot make the completion");
    }
    return cli_usage_error(cli, "there is completion for bash, zsh and fish");
}
