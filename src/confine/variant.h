/*
 * variant - the only place where the type of a build changes confinement.
 *
 * A build for use has no variant: all of this is empty. Builds with sanitizers and builds that measure coverage run the
 * daemons in tests; their run-time libraries make calls of their own, and coverage is written to files beside the
 * objects when a process ends. Such a build says what it is in the report of every role.
 */
#ifndef CONFINE_VARIANT_H
#define CONFINE_VARIANT_H

#include "confine/profiles.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CONFINE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define CONFINE_SANITIZED 1
#endif
#endif

#if defined(SECREG_COVERAGE)
#define CONFINE_COVERAGE 1
#endif

/* variant_calls - calls that the run-time libraries of this build need; none in a build for use. */
struct confine_calls variant_calls(void);

/* variant_opens_files - true if Landlock leaves all files open, because coverage is written at exit. */
bool variant_opens_files(void);

/* variant_maps_all_memory - true if the run-time library of this build reserves more addresses than a limit may allow.
 */
bool variant_maps_all_memory(void);

/* variant_note - what the report says of this build; "" for a build for use. */
const char *variant_note(void);

#endif
