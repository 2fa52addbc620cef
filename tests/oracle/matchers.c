/*
 * matchers - pattern and glob on the command line, for tests that compare them with what others say.
 *
 * Reads lines: a letter (p: pattern, g: glob), a blank, then words of hexadecimal digits with blanks between them: the
 * pattern or glob, and one text after the other. Answers each line with "bad AT WHY", or with one 0 or 1 for each text.
 * An empty word is written as "-".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/code.h"
#include "wire/glob.h"
#include "wire/pattern.h"

enum { LINE_MAX_BYTES = 1 << 20 };

static struct pattern program;
static uint8_t rule[LINE_MAX_BYTES], text[LINE_MAX_BYTES];

static struct bytes read_word(char **rest, uint8_t *to)
{
    const char *word = strsep(rest, " ");
    size_t n = strlen(word) / 2;
    if (strcmp(word, "-") == 0)
        return BYTES_NONE;
    if (!code_unhex(bytes_of_text(word), to, n)) {
        fprintf(stderr, "matchers: not hexadecimal\n");
        exit(2);
    }
    return bytes_of(to, n);
}

static void answer(bool is_glob, char *rest)
{
    struct bytes r = read_word(&rest, rule);
    const char *why;
    size_t at;
    bool is_good = is_glob ? glob_check(r, &why, &at) : pattern_compile(r, &program, &why, &at);
    if (!is_good) {
        printf("bad %zu %s\n", at, why);
        return;
    }
    while (rest != NULL) {
        struct bytes t = read_word(&rest, text);
        putchar((is_glob ? glob_match(r, t) : pattern_match(&program, t)) ? '1' : '0');
    }
    putchar('\n');
}

int main(void)
{
    static char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if ((line[0] != 'p' && line[0] != 'g') || line[1] != ' ')
            return 2;
        answer(line[0] == 'g', line + 2);
    }
    return 0;
}
