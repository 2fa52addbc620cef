/*
 * yaml - see yaml.h. libyaml gives events; a small builder takes only those of the closed part of YAML that is ours.
 *
 * Invariant: stack[0] is the root, each further element is the last child of the one before it; a key is pending only
 * while the innermost container is a map. Keys are looked up by hash, so that a map of many keys costs no square.
 */
#include "wire/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/hash.h"
#include "base/map.h"

/* A node and, right behind it, the bytes of its key and text. */
struct node {
    struct yaml_node pub;
    struct map_link link; /* in builder.keys, if it stands in a map */
    const struct node *parent;
    struct node *last;
    uint8_t content[];
};

struct builder {
    const struct yaml_limits *limits;
    yaml_parser_t parser;
    yaml_event_t event;
    yaml_event_t key; /* a scalar event, if has_key */
    bool has_event, has_key;
    struct node *stack[YAML_DEPTH_MAX_COUNT];
    size_t depth, nodes_count;
    struct yaml_node *root;
    struct map keys;
    char *why;
    size_t why_bytes;
};

static struct node *node_of(struct yaml_node *n)
{
    return CONTAINER_OF(n, struct node, pub);
}

struct yaml_node *yaml_node_free(struct yaml_node *root)
{
    if (root == NULL)
        return NULL;
    for (struct yaml_node *n = root->first, *next; n != NULL; n = next) {
        next = n->next;
        yaml_node_free(n); /* at most YAML_DEPTH_MAX_COUNT + 1 levels */
    }
    explicit_bzero(node_of(root)->content, root->key.n + root->text.n);
    free(node_of(root));
    return NULL;
}

/* `line` and `column` count from 0, as libyaml does. */
static int refuse_at(struct builder *b, size_t line, size_t column, const char *what)
{
    snprintf(b->why, b->why_bytes, "line %zu, column %zu: %s", line + 1, column + 1, what);
    return YAML_BAD;
}

static int refuse(struct builder *b, const char *what)
{
    yaml_mark_t at = b->event.start_mark;
    return refuse_at(b, at.line, at.column, what);
}

static struct bytes scalar_text(const yaml_event_t *e)
{
    assert(e->type == YAML_SCALAR_EVENT);
    return bytes_of(e->data.scalar.value, e->data.scalar.length);
}

static bool is_in_map(const struct builder *b)
{
    return b->depth > 0 && b->stack[b->depth - 1]->pub.kind == YAML_KIND_MAP;
}

static uint64_t key_hash(const struct node *parent, struct bytes key)
{
    struct hash_key seed = *hash_process_key();
    seed.k1 ^= (uint64_t)(uintptr_t)parent; /* the same key in another map is another key */
    return hash_siphash(&seed, key);
}

static bool is_known_key(const struct builder *b, const struct node *parent, struct bytes key)
{
    for (struct map_link *l = map_first(&b->keys, key_hash(parent, key)); l != NULL; l = map_next(l)) {
        struct node *n = CONTAINER_OF(l, struct node, link);
        if (n->parent == parent && bytes_equal(n->pub.key, key))
            return true;
    }
    return false;
}

static struct bytes keep(struct node *n, size_t at, struct bytes content)
{
    if (content.n > 0)
        memcpy(n->content + at, content.p, content.n);
    return bytes_of(n->content + at, content.n);
}

static struct node *node_new(enum yaml_kind kind, yaml_mark_t mark, struct bytes key, struct bytes text)
{
    struct node *n = malloc(sizeof *n + key.n + text.n);
    if (n == NULL)
        return NULL;
    *n = (struct node){.pub = {.kind = kind, .line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1}};
    n->pub.key = keep(n, 0, key);
    n->pub.text = keep(n, key.n, text);
    return n;
}

static void append(struct node *parent, struct node *n)
{
    n->parent = parent;
    if (parent->last == NULL)
        parent->pub.first = &n->pub;
    else
        parent->last->pub.next = &n->pub;
    parent->last = n;
}

/* A scalar may be a secret: what libyaml holds of it is wiped. */
static void drop_event(yaml_event_t *e)
{
    if (e->type == YAML_SCALAR_EVENT)
        explicit_bzero(e->data.scalar.value, e->data.scalar.length);
    yaml_event_delete(e);
}

static void drop_key(struct builder *b)
{
    if (b->has_key)
        drop_event(&b->key);
    b->has_key = false;
}

/* Makes the node of the current event and hangs it in the tree. */
static int add_node(struct builder *b, enum yaml_kind kind, struct bytes text, struct node **ret_node)
{
    struct bytes key = b->has_key ? scalar_text(&b->key) : BYTES_NONE;
    struct node *parent = b->depth > 0 ? b->stack[b->depth - 1] : NULL;
    assert(b->has_key == is_in_map(b));
    assert((parent == NULL) == (b->root == NULL));
    if (b->nodes_count == b->limits->nodes_count)
        return refuse(b, "there are too many values");
    struct node *n = node_new(kind, b->event.start_mark, key, text);
    if (n == NULL)
        return RAISE(-ENOMEM);
    b->nodes_count++;
    if (parent == NULL)
        b->root = &n->pub;
    else
        append(parent, n);
    if (b->has_key)
        TRY(map_add(&b->keys, &n->link, key_hash(parent, n->pub.key)));
    drop_key(b);
    *ret_node = n;
    return 0;
}

static int on_key(struct builder *b)
{
    struct bytes key = scalar_text(&b->event);
    if (b->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && bytes_equal(key, BYTES_LITERAL("<<")))
        return refuse(b, "merge keys are not allowed");
    if (key.n == 0)
        return refuse(b, "a key is empty");
    if (key.n > b->limits->key_bytes)
        return refuse(b, "a key is too long");
    if (is_known_key(b, b->stack[b->depth - 1], key))
        return refuse(b, "a key stands twice in one map");
    b->key = b->event;
    b->has_key = true;
    b->has_event = false; /* moved */
    return 0;
}

static int on_scalar(struct builder *b)
{
    struct node *n;
    struct bytes text = scalar_text(&b->event);
    if (b->event.data.scalar.anchor != NULL)
        return refuse(b, "anchors are not allowed");
    if (b->event.data.scalar.tag != NULL)
        return refuse(b, "tags are not allowed");
    if (bytes_find(text, 0) != text.n)
        return refuse(b, "a text holds a NUL");
    if (b->depth == 0)
        return refuse(b, "the document is not a map");
    if (is_in_map(b) && !b->has_key)
        return on_key(b);
    bool is_plain = b->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    int r = add_node(b, YAML_KIND_SCALAR, text, &n);
    if (r == 0)
        n->pub.is_plain = is_plain;
    return r;
}

static int on_begin(struct builder *b, enum yaml_kind kind, bool has_anchor, bool has_tag)
{
    struct node *n;
    if (has_anchor)
        return refuse(b, "anchors are not allowed");
    if (has_tag)
        return refuse(b, "tags are not allowed");
    if (b->depth == 0 && kind != YAML_KIND_MAP)
        return refuse(b, "the document is not a map");
    if (is_in_map(b) && !b->has_key)
        return refuse(b, "a key is not a plain text");
    if (b->depth == YAML_DEPTH_MAX_COUNT)
        return refuse(b, "there are too many levels");
    int r = add_node(b, kind, BYTES_NONE, &n);
    if (r == 0)
        b->stack[b->depth++] = n;
    return r;
}

static int on_end(struct builder *b)
{
    assert(b->depth > 0 && !b->has_key);
    b->depth--;
    return 0;
}

static int on_document(struct builder *b)
{
    if (b->root != NULL)
        return refuse(b, "there is more than one document");
    if (b->event.data.document_start.tag_directives.start != b->event.data.document_start.tag_directives.end)
        return refuse(b, "tags are not allowed");
    return 0;
}

static int on_event(struct builder *b)
{
    const yaml_event_t *e = &b->event;
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        return on_document(b);
    case YAML_ALIAS_EVENT:
        return refuse(b, "aliases are not allowed");
    case YAML_SCALAR_EVENT:
        return on_scalar(b);
    case YAML_SEQUENCE_START_EVENT:
        return on_begin(b, YAML_KIND_LIST, e->data.sequence_start.anchor != NULL, e->data.sequence_start.tag != NULL);
    case YAML_MAPPING_START_EVENT:
        return on_begin(b, YAML_KIND_MAP, e->data.mapping_start.anchor != NULL, e->data.mapping_start.tag != NULL);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_end(b);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    default:
        return 0;
    }
}

/* libyaml's words are literals of its own, without a byte of the text. */
static int parser_failed(struct builder *b, struct bytes text)
{
    const char *what = b->parser.problem != NULL ? b->parser.problem : "this is not YAML";
    yaml_mark_t at = b->parser.problem_mark;
    if (b->parser.error == YAML_MEMORY_ERROR)
        return RAISE(-ENOMEM);
    if (b->parser.error == YAML_READER_ERROR) {
        /* The reader knows only an offset. */
        at = (yaml_mark_t){0};
        for (size_t i = 0; i < MIN_OF(b->parser.problem_offset, text.n); i++) {
            bool ends_line = text.p[i] == '\n';
            at.line += ends_line;
            at.column = ends_line ? 0 : at.column + 1;
        }
    }
    return refuse_at(b, at.line, at.column, what);
}

static int step(struct builder *b, struct bytes text, bool *ret_is_done)
{
    if (yaml_parser_parse(&b->parser, &b->event) == 0)
        return parser_failed(b, text);
    b->has_event = true;
    *ret_is_done = b->event.type == YAML_STREAM_END_EVENT;
    int r = on_event(b);
    if (b->has_event)
        drop_event(&b->event);
    b->has_event = false;
    return r;
}

static int build(struct builder *b, struct bytes text)
{
    bool is_done = false;
    yaml_parser_set_encoding(&b->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b->parser, text.n > 0 ? text.p : (const uint8_t *)"", text.n);
    while (!is_done) {
        int r = step(b, text, &is_done);
        if (r != 0)
            return r;
    }
    if (b->root != NULL)
        return 0;
    struct node *n = node_new(YAML_KIND_MAP, (yaml_mark_t){0}, BYTES_NONE, BYTES_NONE);
    if (n == NULL)
        return RAISE(-ENOMEM);
    b->root = &n->pub;
    return 0;
}

/* The text passed through these; how libyaml grew a scalar is beyond reach. */
static void drop_parser(yaml_parser_t *p)
{
    explicit_bzero(p->raw_buffer.start, (size_t)(p->raw_buffer.end - p->raw_buffer.start));
    explicit_bzero(p->buffer.start, (size_t)(p->buffer.end - p->buffer.start));
    yaml_parser_delete(p);
}

int yaml_parse(struct bytes text, struct yaml_node **ret_root, char *why, size_t why_bytes)
{
    static const struct yaml_limits limits = {YAML_TEXT_MAX_BYTES, YAML_KEY_MAX_BYTES, YAML_NODES_MAX_COUNT};
    return yaml_parse_within(text, &limits, ret_root, why, why_bytes);
}

int yaml_parse_within(struct bytes text, const struct yaml_limits *limits, struct yaml_node **ret_root, char *why,
                      size_t why_bytes)
{
    struct builder b = {.limits = limits, .why = why, .why_bytes = why_bytes};
    assert(why_bytes > 0 && limits->nodes_count > 0);
    if (text.n > limits->text_bytes)
        return refuse_at(&b, 0, 0, "the text is too long");
    if (yaml_parser_initialize(&b.parser) == 0)
        return RAISE(-ENOMEM);
    map_init(&b.keys);
    int r = build(&b, text);
    map_fini(&b.keys);
    drop_key(&b);
    drop_parser(&b.parser);
    if (r == 0)
        *ret_root = b.root;
    else
        yaml_node_free(b.root);
    return r;
}
