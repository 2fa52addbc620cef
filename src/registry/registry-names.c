/*
 * registry-names - names that do not stand in the store in the clear; see registry.h.
 *
 * Below a folder whose schema has the secrecy "sealed-names", what follows the folder in a path is stored as one token:
 * "~" and the base64 (RFC 4648 section 5) of its bytes, filled up with zeros to a multiple of 16, under AES-256-SIV
 * with the folder as associated data. "~" is in no name, so a stored path says itself whether it holds a token; the
 * same name gives the same token, so that rows and records of one entry can be found. The key outlives every root key,
 * because records are never written again. While locked nothing can be hidden or shown: a record then says "~" alone.
 */
#include <string.h>

#include "base/code.h"
#include "crypt/siv.h"
#include "model/path.h"
#include "model/schema.h"
#include "registry/registry-internal.h"

#define NAMES_NAME "names" /* of the key in the table meta */

enum { TOKEN_MARK = RECORD_HIDDEN_MARK, PAD_BYTES = 16 };

static_assert(2 + 4 * (PATH_MAX_BYTES + PAD_BYTES + SIV_OVERHEAD_BYTES + 2) / 3 <= REGISTRY_STORED_PATH_MAX_BYTES,
              "where the folder is long the name is short, and a token is longer than its name");

/* ---- the key --------------------------------------------------------------------------------------------- */

int registry_make_names(struct registry *r)
{
    TRY(secret_init_random(&r->names, SIV_KEY_BYTES));
    return registry_rekey_names(r);
}

int registry_rekey_names(struct registry *r)
{
    return registry_put_kept(r, NAMES_NAME, KEYS_KEPT_NAMES, &r->names);
}

int registry_load_names(struct registry *r)
{
    return registry_load_kept(r, NAMES_NAME, KEYS_KEPT_NAMES, SIV_KEY_BYTES, &r->names);
}

/* ---- where names are hidden ------------------------------------------------------------------------------ */

bool registry_form_hides(struct bytes form)
{
    struct schema schema;
    return schema_decode(form, &schema) && (schema.has & SCHEMA_HAS_SECRECY) != 0 &&
           schema.secrecy == SCHEMA_SEALED_NAMES;
}

static bool hides_names(const struct node *node)
{
    return node->schema != NULL && registry_form_hides(bytes_of(node->schema->form, node->schema->form_bytes));
}

void registry_note_schema(struct registry *r, const struct node *node)
{
    r->may_hide = r->may_hide || hides_names(node);
}

/* Bytes of the nearest folder above `path` that hides names; 0: none does. The path need not be well formed. */
static size_t find_folder(const struct registry *r, struct bytes path)
{
    static const char root[] = "/registry";
    const struct node *n = r->tree.root;
    size_t at = sizeof root - 1;
    if (!r->may_hide || !bytes_starts(path, BYTES_LITERAL("/registry")))
        return 0;
    while (n != NULL && at + 1 < path.n && path.p[at] == '/') {
        if (hides_names(n))
            return at;
        struct bytes rest = bytes_from(path, at + 1), name = bytes_head(rest, bytes_find(rest, '/'));
        n = tree_child(&r->tree, n, name);
        at += 1 + name.n;
    }
    return 0;
}

bool registry_hides(const struct registry *r, struct bytes path)
{
    return find_folder(r, path) > 0;
}

/* ---- hiding and showing ---------------------------------------------------------------------------------- */

static void swap_letters(uint8_t *p, size_t n, const char *from, const char *to)
{
    for (size_t i = 0; i < n; i++)
        p[i] = p[i] == (uint8_t)from[0] ? (uint8_t)to[0] : p[i] == (uint8_t)from[1] ? (uint8_t)to[1] : p[i];
}

static int make_token(struct registry *r, struct bytes folder, struct bytes rest)
{
    uint8_t padded[PATH_MAX_BYTES + PAD_BYTES] = {0};
    size_t n = (rest.n + PAD_BYTES - 1) / PAD_BYTES * PAD_BYTES;
    assert(rest.n > 0 && rest.n <= PATH_MAX_BYTES);
    memcpy(padded, rest.p, rest.n);
    buf_clear(&r->name);
    buf_clear(&r->token);
    TRY(siv_close(&r->name, &r->names, folder, bytes_of(padded, n)));
    return code_base64(&r->token, buf_view(&r->name));
}

/* The name that a token stands for, into r->name. False: it is none of ours, or there is no key. */
static bool read_token(struct registry *r, struct bytes folder, struct bytes token)
{
    uint8_t letters[REGISTRY_STORED_PATH_MAX_BYTES];
    if (token.n == 0 || token.n > sizeof letters || secret_is_empty(&r->names))
        return false;
    memcpy(letters, token.p, token.n);
    swap_letters(letters, token.n, "-_", "+/");
    buf_clear(&r->name);
    buf_clear(&r->token);
    return code_unbase64(&r->token, bytes_of(letters, token.n)) == 0 &&
           siv_open(&r->name, &r->names, folder, buf_view(&r->token)) == 0;
}

int registry_hide(struct registry *r, struct bytes path, uint8_t storage[static REGISTRY_STORED_PATH_MAX_BYTES],
                  struct bytes *ret_stored)
{
    size_t n = find_folder(r, path);
    *ret_stored = path;
    if (n == 0 || n > PATH_MAX_BYTES)
        return 0;
    struct bytes folder = bytes_head(path, n), rest = bytes_from(path, n + 1);
    if (bytes_starts(rest, BYTES_LITERAL("~")) && read_token(r, folder, bytes_from(rest, 1)))
        return 0; /* it is stored so: what names a damaged row */
    buf_clear(&r->token);
    if (!secret_is_empty(&r->names) && path.n <= PATH_MAX_BYTES)
        TRY(make_token(r, folder, rest));
    struct bytes token = buf_view(&r->token);
    assert(folder.n + 2 + token.n <= REGISTRY_STORED_PATH_MAX_BYTES);
    memcpy(storage, folder.p, folder.n);
    storage[folder.n] = '/';
    storage[folder.n + 1] = TOKEN_MARK;
    if (token.n > 0)
        memcpy(storage + folder.n + 2, token.p, token.n);
    swap_letters(storage + folder.n + 2, token.n, "+/", "-_");
    *ret_stored = bytes_of(storage, folder.n + 2 + token.n);
    return 0;
}

struct bytes registry_show(struct registry *r, struct bytes stored, uint8_t storage[static PATH_MAX_BYTES])
{
    size_t n = bytes_find(stored, TOKEN_MARK);
    if (n == stored.n || n < 2 || !read_token(r, bytes_head(stored, n - 1), bytes_from(stored, n + 1)))
        return stored;
    struct bytes name = buf_view(&r->name);
    name.n = bytes_find(name, '\0');
    if (n + name.n > PATH_MAX_BYTES)
        return stored;
    memcpy(storage, stored.p, n);
    memcpy(storage + n, name.p, name.n);
    return bytes_of(storage, n + name.n);
}

/* ---- records --------------------------------------------------------------------------------------------- */

/* Where a path begins in the text of a record: some name another place, behind a few words. */
static size_t path_in(struct bytes text)
{
    size_t at = bytes_find(text, '/');
    return bytes_starts(bytes_from(text, at), BYTES_LITERAL("/registry/")) ? at : text.n;
}

/* The text with `path` in the place of what stood from `at` on; without the words before it if both have no room, since
 * a text that is cut may be no text. */
static void put_path(struct bytes *text, size_t at, struct bytes path, uint8_t storage[static RECORD_TEXT_MAX_BYTES])
{
    at = at <= RECORD_TEXT_MAX_BYTES - path.n ? at : 0;
    memcpy(storage, text->p, at);
    memcpy(storage + at, path.p, path.n);
    *text = bytes_of(storage, at + path.n);
}

int registry_record_hide(struct registry *r, struct record *record, struct registry_texts *texts)
{
    uint8_t path[REGISTRY_STORED_PATH_MAX_BYTES];
    struct bytes stored;
    size_t at = path_in(record->detail);
    if (!r->may_hide)
        return 0;
    TRY(registry_hide(r, bytes_from(record->detail, at), path, &stored));
    if (stored.p == path)
        put_path(&record->detail, at, stored, texts->detail);
    return registry_hide(r, record->path, texts->path, &record->path);
}

void registry_record_show(struct registry *r, struct record *record, struct registry_texts *texts)
{
    uint8_t path[PATH_MAX_BYTES];
    size_t at = path_in(record->detail);
    struct bytes shown = registry_show(r, bytes_from(record->detail, at), path);
    if (shown.p == path)
        put_path(&record->detail, at, shown, texts->detail);
    record->path = registry_show(r, record->path, texts->path);
}

struct bytes registry_record_source(const struct record *record)
{
    return bytes_from(record->detail, path_in(record->detail));
}
