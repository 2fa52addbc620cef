/*
 * glob - names and paths with wildcards, in time O(glob x text), without memory of its own and without recursion.
 *
 *   *      any run of characters of one component, also none
 *   ?      one character of a component
 *   [...]  one of these characters: single ones, ranges a-z; [!...] and [^...]: one character that is none of these.
 *          A slash is in no class. A '-' stands first, last or between two characters; ']' and '[' need a backslash.
 *   \      takes the special meaning from the character after it
 *   **     as a whole component: any number of components, also none; at the end: at least one; alone: everything
 *
 * The whole text must match; text and glob are UTF-8 and compared code point by code point. A dot is nothing special.
 * Source: glob(7); gitignore(5) for `**`.
 */
#ifndef WIRE_GLOB_H
#define WIRE_GLOB_H

#include "base/bytes.h"

enum { GLOB_MAX_BYTES = 512 };

/*
 * glob_check - true if `glob` is well-formed.
 * ret_why  if false: what is wrong; static; else NULL
 * ret_at   if false: the byte of the glob where it is wrong
 * Pure; O(bytes).
 */
bool glob_check(struct bytes glob, const char **ret_why, size_t *ret_at) MUST_USE;

/*
 * glob_match - true if the whole of `text` is what the glob describes.
 * glob  was let pass by glob_check()
 * Returns false as well for a text that is not UTF-8. Pure; usually O(text).
 */
bool glob_match(struct bytes glob, struct bytes text) MUST_USE;

/*
 * glob_base - the folder that whatever matches is in or below: the leading components without any wildcard, the last
 * component of the glob left out. "/a/b" for "/a/b/c*" and for "/a/b/c"; empty if there is none.
 * glob  was let pass by glob_check()
 */
struct bytes glob_base(struct bytes glob);

#endif
