/*
 * yaml - configuration texts, as events of libyaml; a small, closed part of YAML.
 *
 * Accepted: one document, a map of scalars, lists of scalars and further maps, at most YAML_DEPTH_MAX_COUNT deep.
 * Refused with line and column: anchors, aliases, tags, merge keys, several documents, duplicate keys, non-scalar keys,
 * bad UTF-8. Every scalar is text; who reads it knows its type. Source: YAML 1.1, libyaml 0.2.5.
 */
#ifndef WIRE_YAML_H
#define WIRE_YAML_H

#include "base/buf.h"

enum {
    YAML_TEXT_MAX_BYTES = 256 * 1024,
    YAML_DEPTH_MAX_COUNT = 8,
    YAML_KEY_MAX_BYTES = 256,
    YAML_NODES_MAX_COUNT = 20000
};

enum yaml_kind { YAML_KIND_SCALAR = 1, YAML_KIND_LIST, YAML_KIND_MAP };

struct yaml_node {
    enum yaml_kind kind;
    unsigned line, column; /* from 1 */
    struct bytes key;      /* inside a map; else empty */
    struct bytes text;     /* of a scalar; NUL-free */
    bool is_plain;         /* a scalar without quotes, of which other readers guess the type */
    struct yaml_node *first, *next;
};

/*
 * yaml_parse - read a whole text.
 * ret_root  a map (an empty text gives an empty map); free with yaml_node_free()
 * why       on YAML_BAD: "line 3, column 5: ..." ; `why_bytes` > 0 room for it
 * Returns 0, YAML_BAD, or -ENOMEM.
 */
enum { YAML_BAD = 1 };
int yaml_parse(struct bytes text, struct yaml_node **ret_root, char *why, size_t why_bytes) MUST_USE;

/* What yaml_parse() is held to beside the depth; yaml_parse_within() takes the caller's own. */
struct yaml_limits {
    size_t text_bytes, key_bytes, nodes_count;
};

/* yaml_parse_within - yaml_parse() with other limits, for texts that no peer sends. */
int yaml_parse_within(struct bytes text, const struct yaml_limits *limits, struct yaml_node **ret_root, char *why,
                      size_t why_bytes) MUST_USE;

/* yaml_node_free - wipe and free a node and all below it. NULL is allowed; returns NULL. (libyaml exports a yaml_free.)
 */
struct yaml_node *yaml_node_free(struct yaml_node *root);

#endif
