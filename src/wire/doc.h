/*
 * doc - a document: maps, lists and scalars in a compact binary form, written by the role that decides and rendered as
 * JSON by the role that serialises. So the engine never touches JSON and one format serves every structured reply.
 *
 * Encoding: one tag byte, then: MAP_BEGIN, MAP_END, LIST_BEGIN, LIST_END, NULL_, TRUE_, FALSE_ nothing; INT 8 bytes
 * little-endian signed; KEY u8 length and bytes; TEXT u32 length and UTF-8 bytes; BLOB u32 length and bytes (rendered
 * as base64 text); JSON u32 length and a JSON text that is inserted as it is (checked by who stored it).
 * Invariant of a complete document: exactly one value; inside a map keys and values alternate.
 */
#ifndef WIRE_DOC_H
#define WIRE_DOC_H

#include "base/buf.h"

enum { DOC_DEPTH_MAX_COUNT = 16, DOC_KEY_MAX_BYTES = 64 };

/* Writers append one token each; results as buf_reserve(). `key` is a literal of at most DOC_KEY_MAX_BYTES. */
int doc_map_begin(struct buf *out) MUST_USE;
int doc_map_end(struct buf *out) MUST_USE;
int doc_list_begin(struct buf *out) MUST_USE;
int doc_list_end(struct buf *out) MUST_USE;
int doc_key(struct buf *out, const char *key) MUST_USE;
int doc_null(struct buf *out) MUST_USE;
int doc_bool(struct buf *out, bool v) MUST_USE;
int doc_int(struct buf *out, int64_t v) MUST_USE;
int doc_text(struct buf *out, struct bytes v) MUST_USE;
int doc_blob(struct buf *out, struct bytes v) MUST_USE;
int doc_json(struct buf *out, struct bytes v) MUST_USE;

/* doc_put_KIND - key and value at once, inside a map. */
int doc_put_bool(struct buf *out, const char *key, bool v) MUST_USE;
int doc_put_int(struct buf *out, const char *key, int64_t v) MUST_USE;
int doc_put_text(struct buf *out, const char *key, struct bytes v) MUST_USE;

/*
 * doc_to_json - append the compact JSON text of a complete document.
 * Text that is not UTF-8 is rendered with U+FFFD in the place of each bad byte.
 * Returns 0, DOC_BAD (not a complete document, too deep; `out` is unchanged), or a fault of buf_reserve().
 * O(bytes); no allocation but the growth of `out`.
 */
enum { DOC_BAD = 1 };
int doc_to_json(struct buf *out, struct bytes doc) MUST_USE;

/* doc_json_string - append one JSON string, quotes included. Results as buf_reserve(). */
int doc_json_string(struct buf *out, struct bytes text) MUST_USE;

#endif
