/*
 * path - names in the tree: one parser, one form. Whatever is not in that form is refused, never repaired.
 *
 * A path is "/registry", or "/registry/ROOT" with ROOT one of system, user, security, applications, or deeper. A
 * component is 1 to 255 bytes of [A-Za-z0-9._@:+-] and letters of other scripts in NFC, not "." or "..". Bytes are
 * compared as bytes.
 */
#ifndef MODEL_PATH_H
#define MODEL_PATH_H

#include "base/bytes.h"

enum { PATH_MAX_BYTES = 512, PATH_COMPONENT_MAX_BYTES = 255, PATH_DEPTH_MAX_COUNT = 32 };

/*
 * path_check - true if `path` is in the one accepted form, without a slash at the end.
 * ret_why  if false: what is wrong, in words; static
 * Pure; O(bytes).
 */
bool path_check(struct bytes path, const char **ret_why) MUST_USE;

/*
 * path_next - take the next component off the front of a checked path.
 * rest  on entry what is left ("/a/b"), on return what follows ("/b")
 * Returns the component ("a"), empty at the end.
 */
struct bytes path_next(struct bytes *rest);

/* path_parent - the path one component shorter; "/registry" has the empty parent. */
struct bytes path_parent(struct bytes path);

/* path_name - the last component. */
struct bytes path_name(struct bytes path);

/* path_owner - NAME of a path below "/registry/user/NAME" (or that path itself); empty for all others. */
struct bytes path_owner(struct bytes path);

/* path_is_root - true for "/registry" and the four folders in it, which always exist. */
bool path_is_root(struct bytes path);

/* path_is_within - true if `path` is `folder` or lies below it. */
bool path_is_within(struct bytes path, struct bytes folder);

#endif
