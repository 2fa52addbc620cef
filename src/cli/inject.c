/* inject - see inject.h. */
#include "cli/inject.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OURS "SECREG_"
#define KEPT "SECREG_ROOT"

/* A name that ends with * stands for all that begin so. */
static const char *const special[] = {
    /* the loader and the C library; ld.so(8) drops these for set-user-ID programs */
    "LD_*", "GCONV_PATH", "GETCONF_DIR", "GLIBC_TUNABLES", "HOSTALIASES", "LOCALDOMAIN", "LOCPATH", "MALLOC_*",
    "NIS_PATH", "NLSPATH", "RESOLV_HOST_CONF", "RES_OPTIONS", "TMPDIR", "TZDIR",
    /* shells */
    "PATH", "IFS", "ENV", "BASH_ENV", "BASHOPTS", "SHELLOPTS", "CDPATH", "GLOBIGNORE", "PS4", "PROMPT_COMMAND",
    /* interpreters and libraries that load code */
    "PERL5LIB", "PERLLIB", "PERL5OPT", "PERL5DB", "PYTHON*", "RUBYLIB", "RUBYOPT", "NODE_OPTIONS", "NODE_PATH",
    "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "LUA_PATH*", "LUA_CPATH*", "LUA_INIT*",
    "PHPRC", "PHP_INI_SCAN_DIR", "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES",
    /* programs that others run */
    "GIT_*", "EDITOR", "VISUAL", "PAGER", "BROWSER", "SHELL"};

const char *inject_why(int result)
{
    static const char *const texts[] = {
        [INJECT_BAD_NAME] = "a variable is named by letters, digits and _, and does not begin with a digit",
        [INJECT_LONG_NAME] = "the name of the variable is too long",
        [INJECT_SPECIAL] = "programs obey a variable of this name; if that is meant, give it as NAME=PATH",
        [INJECT_OURS] = "names that begin with SECREG_ are kept for sreg",
        [INJECT_TWICE] = "another entry has this name",
        [INJECT_NUL] = "the value holds a NUL byte, which no variable can",
        [INJECT_LONG] = "the value is too long for a variable",
        [INJECT_MANY] = "these are too many variables",
    };
    assert(result > 0 && (size_t)result < COUNT_OF(texts));
    return texts[result];
}

void inject_init(struct inject *in)
{
    *in = (struct inject){0};
}

static void drop_item(struct inject_item *item)
{
    if (item->text != NULL)
        explicit_bzero(item->text, item->text_bytes);
    free(item->text);
    free(item->path);
}

void inject_fini(struct inject *in)
{
    for (size_t i = 0; i < in->count; i++)
        drop_item(&in->items[i]);
    free(in->items);
    inject_init(in);
}

/* ---- names --------------------------------------------------------------------------------------------------------
 */

static bool is_special(struct bytes name)
{
    for (size_t i = 0; i < COUNT_OF(special); i++) {
        struct bytes row = bytes_of_text(special[i]);
        bool is_start = row.p[row.n - 1] == '*';
        if (is_start ? bytes_starts(name, bytes_head(row, row.n - 1)) : bytes_equal(name, row))
            return true;
    }
    return false;
}

int inject_name_check(struct bytes name)
{
    if (name.n >= INJECT_NAME_MAX_BYTES)
        return INJECT_LONG_NAME;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        bool is_digit = c >= '0' && c <= '9';
        if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && c != '_' && !(is_digit && i > 0))
            return INJECT_BAD_NAME;
    }
    if (name.n == 0)
        return INJECT_BAD_NAME;
    return bytes_starts(name, BYTES_LITERAL(OURS)) ? INJECT_OURS : 0;
}

/* What cannot stand in a name stays as it is, and is refused when the name is checked. */
static char letter_of(uint8_t c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    return memchr("/-.@+:", c, 6) != NULL ? '_' : (char)c;
}

int inject_name_of(struct bytes path, struct bytes folder, const char *prefix, const char *suffix,
                   char ret_name[static INJECT_NAME_MAX_BYTES])
{
    char name[INJECT_NAME_MAX_BYTES];
    struct bytes below = bytes_from(path, folder.n + 1);
    size_t prefix_bytes = strlen(prefix), suffix_bytes = strlen(suffix), n = prefix_bytes + below.n;
    if (prefix_bytes >= sizeof name || below.n >= sizeof name || n + suffix_bytes >= sizeof name)
        return INJECT_LONG_NAME;
    memcpy(name, prefix, prefix_bytes);
    for (size_t i = 0; i < below.n; i++)
        name[prefix_bytes + i] = letter_of(below.p[i]);
    memcpy(name + n, suffix, suffix_bytes + 1);
    int x = inject_name_check(bytes_of_text(name));
    if (x == 0 && is_special(bytes_of_text(name)))
        x = INJECT_SPECIAL;
    if (x == 0)
        memcpy(ret_name, name, n + suffix_bytes + 1);
    return x;
}

/* ---- variables ----------------------------------------------------------------------------------------------------
 */

static const struct inject_item *find(const struct inject *in, const char *name, size_t name_bytes)
{
    for (size_t i = 0; i < in->count; i++) {
        const struct inject_item *item = &in->items[i];
        if (item->name_bytes == name_bytes && memcmp(item->text, name, name_bytes) == 0)
            return item;
    }
    return NULL;
}

const struct inject_item *inject_find(const struct inject *in, const char *name)
{
    return find(in, name, strlen(name));
}

static int grow(struct inject *in)
{
    size_t cap = in->cap > 0 ? 2 * in->cap : 16;
    if (in->count < in->cap)
        return 0;
    struct inject_item *items = realloc(in->items, cap * sizeof *items);
    if (items == NULL)
        return RAISE(-ENOMEM);
    in->items = items;
    in->cap = cap;
    return 0;
}

int inject_add(struct inject *in, const char *name, struct bytes path, struct bytes value)
{
    size_t n = strlen(name);
    if (inject_find(in, name) != NULL)
        return INJECT_TWICE;
    if (bytes_find(value, '\0') < value.n)
        return INJECT_NUL;
    if (value.n >= INJECT_TEXT_MAX_BYTES || n + value.n + 2 > INJECT_TEXT_MAX_BYTES)
        return INJECT_LONG;
    if (in->count == INJECT_MAX_COUNT)
        return INJECT_MANY;
    TRY(grow(in));
    struct inject_item item = {.name_bytes = n, .text_bytes = n + value.n + 2};
    item.text = malloc(item.text_bytes);
    item.path = strndup(path.n > 0 ? (const char *)path.p : "", path.n);
    if (item.text == NULL || item.path == NULL) {
        item.text_bytes = 0; /* nothing is in it yet */
        drop_item(&item);
        return RAISE(-ENOMEM);
    }
    memcpy(item.text, name, n);
    item.text[n] = '=';
    if (value.n > 0)
        memcpy(item.text + n + 1, value.p, value.n);
    item.text[item.text_bytes - 1] = '\0';
    in->items[in->count++] = item;
    return 0;
}

static bool is_inherited(const struct inject *in, const char *text)
{
    size_t n = strcspn(text, "=");
    bool is_ours = strncmp(text, OURS, strlen(OURS)) == 0;
    bool is_kept = n == strlen(KEPT) && strncmp(text, KEPT, n) == 0;
    return (!is_ours || is_kept) && find(in, text, n) == NULL;
}

int inject_environment(const struct inject *in, char *const *inherited, char ***ret_environment)
{
    size_t count = 0, n = 0;
    while (inherited[count] != NULL)
        count++;
    char **list = calloc(count + in->count + 1, sizeof *list);
    if (list == NULL)
        return RAISE(-ENOMEM);
    for (size_t i = 0; i < count; i++) {
        if (is_inherited(in, inherited[i]))
            list[n++] = inherited[i];
    }
    for (size_t i = 0; i < in->count; i++)
        list[n++] = in->items[i].text;
    *ret_environment = list;
    return 0;
}
