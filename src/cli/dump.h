/*
 * dump - a subtree as one document: entries with paths relative to a base, in memory and in three formats. Pure.
 *
 * JSON and YAML keep everything: what is printed is read back the same, byte for byte of each value. The format env is
 * for other programs and loses all about an entry but its path and value. Layout of the formats: doc/spec/dump.md.
 * Invariant of a sorted document: paths are in tree order, none twice, and no entry lies below another. All memory that
 * holds values is wiped before it is freed.
 */
#ifndef CLI_DUMP_H
#define CLI_DUMP_H

#include "base/buf.h"
#include "base/clock.h"
#include "model/path.h"

#define DUMP_FORMAT "secreg-dump"
#define DUMP_TAG_WHY "a tag has 1 to 64 bytes of A-Z a-z 0-9 . _ : @ + -, none stands twice, and there are at most 16"

enum {
    DUMP_VERSION = 1,
    DUMP_ENTRIES_MAX_COUNT = 10000,
    DUMP_TEXT_MAX_BYTES = 64 << 20,
    DUMP_COMMENT_MAX_BYTES = 1024,
    DUMP_TAGS_MAX_BYTES = 16 * (64 + 1), /* at most 16 of at most 64 bytes */
    DUMP_WHY_BYTES = 1024                /* room for two paths and words */
};

/* One entry. In a document the views belong to it; in an entry that is added they are the caller's. */
struct dump_entry {
    struct bytes path; /* relative: "web/port" */
    unsigned type;     /* of model/value.h; 0: not known, as in the format env */
    bool has_value;    /* false: sealed, and the value was not written down */
    bool is_sealed;
    struct bytes value;
    struct bytes comment;           /* empty: none */
    struct bytes tags;              /* as the registry keeps them: sorted, each with a newline behind it */
    char expires[CLOCK_TEXT_BYTES]; /* as clock_wall_text() prints it; "": never */
    bool is_named;                  /* the path was made from a name of the format env. Not printed */
    uint64_t version;               /* in the tree it was read from; 0 otherwise. Not printed */
    uint8_t *memory;                /* what the views of an entry of a document point into */
    size_t memory_bytes;
};

struct dump {
    char base[PATH_MAX_BYTES + 1]; /* "": not known */
    uint64_t revision;             /* 0: not known */
    char time[CLOCK_TEXT_BYTES];   /* "": not known */
    struct dump_entry *entries;
    size_t count, cap;
};

/* Positive outcome of all functions below that read or check: `why` says what is wrong, without any value. */
enum { DUMP_BAD = 1 };

/* dump_init - an empty document. dump_fini - wipe and free it; it is then empty. dump_start - once, before a parser. */
void dump_init(struct dump *d);
void dump_fini(struct dump *d);
void dump_start(void);

/* dump_add - add a copy of an entry. Returns 0, -ENOMEM, or FAULT_LIMIT (DUMP_ENTRIES_MAX_COUNT). */
int dump_add(struct dump *d, const struct dump_entry *e) MUST_USE;

/* dump_entry_hide - wipe and forget the value of a sealed entry of a document. */
void dump_entry_hide(struct dump_entry *e);

/* dump_sort - put the entries in order. Returns 0, or DUMP_BAD for a path twice or an entry below an entry. */
int dump_sort(struct dump *d, char why[static DUMP_WHY_BYTES]) MUST_USE;

/* dump_path_compare - tree order: a slash comes before any other byte. Returns <0, 0 or >0. */
int dump_path_compare(struct bytes a, struct bytes b);

/* dump_path_is_below - true if `path` lies below `folder`, both relative. */
bool dump_path_is_below(struct bytes path, struct bytes folder);

/* dump_find - the entry of a path in a sorted document, or NULL. O(log entries). */
const struct dump_entry *dump_find(const struct dump *d, struct bytes path);

/*
 * dump_path - the whole path of an entry.
 * base      absolute, or "" for any folder of the tree
 * ret_path  may be NULL; if base is "", a valid path that stands for it
 * Returns 0, or DUMP_BAD if there can be no such path.
 */
int dump_path(const char *base, struct bytes relative, char ret_path[PATH_MAX_BYTES + 1],
              char why[static DUMP_WHY_BYTES]) MUST_USE;

/* dump_check - path, value, comment and tags of an entry that was read from outside. 0, DUMP_BAD or
 * -ENOMEM. */
int dump_check(const struct dump *d, const struct dump_entry *e, char why[static DUMP_WHY_BYTES]) MUST_USE;

/* dump_check_base - take the base of a document. 0, or DUMP_BAD if it is no path of the tree. */
int dump_check_base(struct dump *d, struct bytes base, char why[static DUMP_WHY_BYTES]) MUST_USE;

/* dump_read_time - the canonical form of an RFC 3339 time. False if it is none. */
bool dump_read_time(struct bytes text, char ret_time[static CLOCK_TEXT_BYTES]) MUST_USE;

/* dump_add_tag - put one tag in its place in a list of tags. Returns 0, DUMP_BAD (no valid tag, twice, too many), or a
 * fault. */
int dump_add_tag(struct buf *out, struct bytes tag) MUST_USE;

/* dump_each_tag - take the first tag off a list of tags. False at the end. */
bool dump_each_tag(struct bytes *rest, struct bytes *ret_tag);

// clang-format off
/* name, bit, word */
#define DUMP_PART_LIST(X)                                                                                              \
    X(TYPE,    1,  "type")                                                                                             \
    X(VALUE,   2,  "value")                                                                                            \
    X(SEALED,  4,  "sealed")                                                                                           \
    X(COMMENT, 8,  "comment")                                                                                          \
    X(TAGS,    16, "tags")                                                                                             \
    X(EXPIRES, 32, "expires")
// clang-format on

enum dump_part {
#define DUMP_PART_ENUM_(name, bit, word) DUMP_##name = bit,
    DUMP_PART_LIST(DUMP_PART_ENUM_)
#undef DUMP_PART_ENUM_
};

/*
 * dump_differences - in which parts two entries differ, as bits; 0: they are the same.
 * Values of type json and list are the same if they are but for blanks, and floats if the numbers are. An entry without
 * its value differs from each that has one.
 */
unsigned dump_differences(const struct dump_entry *a, const struct dump_entry *b);

/* dump_part_text - the word for one bit. */
const char *dump_part_text(unsigned bit);

/* ---- formats ------------------------------------------------------------------------------------------------------
 * PRINT(out, d, why): append the text of a sorted document; `out` is a wiping buffer. 0, DUMP_BAD or a fault.
 * PARSE(text, ret, why): read a text into an empty document, which is sorted then, or empty if it is not 0.
 * 0, DUMP_BAD or a fault.
 */

int dump_json_print(struct buf *out, const struct dump *d, char why[static DUMP_WHY_BYTES]) MUST_USE;
int dump_json_parse(struct bytes text, struct dump *ret, char why[static DUMP_WHY_BYTES]) MUST_USE;
int dump_yaml_print(struct buf *out, const struct dump *d, char why[static DUMP_WHY_BYTES]) MUST_USE;
int dump_yaml_parse(struct bytes text, struct dump *ret, char why[static DUMP_WHY_BYTES]) MUST_USE;
int dump_env_print(struct buf *out, const struct dump *d, char why[static DUMP_WHY_BYTES]) MUST_USE;
int dump_env_parse(struct bytes text, struct dump *ret, char why[static DUMP_WHY_BYTES]) MUST_USE;

/* dump_json_value - append a value as JSON: base64 text for binary, else as its type is written there. 0 or a fault. */
int dump_json_value(struct buf *out, const struct dump_entry *e) MUST_USE;

/*
 * dump_env_adopt - make whole entries of what was read from the format env: each takes type, seal, comment, tags and
 * expiry of the entry of the tree that has its path, or, where the file gives no path, its name; others become strings.
 * d, tree  sorted; d is sorted again
 * Returns 0, DUMP_BAD (two entries of the tree have the name, or a value does not fit the type), or -ENOMEM.
 */
int dump_env_adopt(struct dump *d, const struct dump *tree, char why[static DUMP_WHY_BYTES]) MUST_USE;

/* dump_tree_add - add an entry from the daemon's listing (a map of JSON) of the folder d->base. 0, DUMP_BAD or a fault.
 */
int dump_tree_add(struct dump *d, struct bytes map, char why[static DUMP_WHY_BYTES]) MUST_USE;

struct dump_format {
    const char *name;
    const char *suffixes[2]; /* of files */
    bool is_lossy;
    int (*print)(struct buf *out, const struct dump *d, char *why);
    int (*parse)(struct bytes text, struct dump *ret, char *why);
};

/* dump_format - a format by its name, or NULL. */
const struct dump_format *dump_format(const char *name);

/* dump_format_of - by the end of a file's name, or NULL. */
const struct dump_format *dump_format_of(const char *file);

#endif
