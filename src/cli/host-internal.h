/*
 * host-internal - what the files of host share: the growing set, paths and lists, opening below a root, the parsers.
 *
 * A parser takes the bytes of one file and adds settings. It does no I/O, accepts any bytes, and fails only for want
 * of memory (-ENOMEM) or past HOST_SETTINGS_MAX_COUNT (FAULT_LIMIT); a line it cannot understand is reported with
 * host_skip() and left out.
 */
#ifndef CLI_HOST_INTERNAL_H
#define CLI_HOST_INTERNAL_H

#include "cli/host.h"
#include "model/value.h"

#define HOST_SYSTEM "/registry/system"

enum {
    HOST_SYSCTL_MAX_BYTES = 4096,
    HOST_SYSCTL_DEPTH_MAX_COUNT = 24,
    HOST_PATH_ROOM_BYTES = 1024, /* more than any legal path, so that one cut to this room is refused */
    HOST_WHY_BYTES = 160,
    HOST_INCLUDE_DEPTH_MAX_COUNT = 16,
    HOST_INCLUDED_FILES_MAX_COUNT = 256,
    HOST_SSHD_OPTIONS_MAX_COUNT = 512, /* of one block; sshd(8) has about 120 */
    HOST_SSHD_BLOCKS_MAX_COUNT = 512,
    HOST_FOLDER_NAMES_MAX_COUNT = 65536,
};

/* ---- the set (host.c) ---------------------------------------------------------------------------------------------
 */

/* A path under construction; too long a one stays too long, and is refused by host_add(). */
struct host_path {
    char text[HOST_PATH_ROOM_BYTES];
    size_t n;
};

/* host_path_init - begin with a folder, a legal path. */
void host_path_init(struct host_path *p, const char *folder);

/* host_path_push - append a slash and a component (any bytes but a slash). Returns the length to give to _pop. */
size_t host_path_push(struct host_path *p, struct bytes name);
void host_path_pop(struct host_path *p, size_t n);

/* host_path_view - the path so far. */
struct bytes host_path_view(const struct host_path *p);

/* A growing list of byte strings that it owns. */
struct host_names {
    struct bytes *items;
    size_t count, cap;
};

/* host_names_add - append a copy. Returns 0 or -ENOMEM. */
int host_names_add(struct host_names *names, struct bytes name) MUST_USE;

/* host_names_sort - in byte order, each once. */
void host_names_sort(struct host_names *names);
void host_names_fini(struct host_names *names);

/*
 * host_add - add a setting. A name or value the registry would refuse is reported and left out; a value that is refused
 * makes its path unread. Of one path added twice the later value counts. Returns 0, -ENOMEM or FAULT_LIMIT.
 */
int host_add(struct host_settings *s, const struct host_path *path, unsigned type, struct bytes value) MUST_USE;

/* host_add_at - the same for an entry `name` in a folder. */
int host_add_at(struct host_settings *s, const struct host_path *folder, const char *name, unsigned type,
                struct bytes value) MUST_USE;

/* host_add_names - the same for a list; an empty one is not added. */
int host_add_names(struct host_settings *s, const struct host_path *folder, const char *name,
                   const struct host_names *names) MUST_USE;

/* host_skip - report what was left out: "PLACE: WHY", PLACE any bytes. Returns 0 or -ENOMEM. */
int host_skip(struct host_settings *s, struct bytes place, const char *why) MUST_USE;

/* host_skip_line - the same for a line of a file. */
int host_skip_line(struct host_settings *s, const char *file, unsigned line, const char *why) MUST_USE;

/* host_unread - report, and remember that nothing is known about this path and what is below. Returns 0 or -ENOMEM. */
int host_unread(struct host_settings *s, struct bytes path, const char *why) MUST_USE;

/* host_sort - bring the set into its final form: sorted by path, each path once. */
void host_sort(struct host_settings *s);

/* ---- words and lines (host-text.c) --------------------------------------------------------------------------------
 */

/* host_next_line - take the next line off the front, without its newline; false at the end. */
bool host_next_line(struct bytes *rest, struct bytes *ret_line);

/* host_next_word - take the next run of bytes that are not blank (space, tab, CR) off the front; empty at the end. */
struct bytes host_next_word(struct bytes *rest);

/* host_trim - without blanks (space, tab, CR, form feed) at both ends. */
struct bytes host_trim(struct bytes text);

/* host_lower - copy ASCII letters and digits, `_` and `-` in lower case; false if another byte is there or no room. */
bool host_lower(char *ret, size_t size, struct bytes text);

/* host_cut - without what follows the first `mark`. */
struct bytes host_cut(struct bytes text, uint8_t mark);

/* ---- parsers ------------------------------------------------------------------------------------------------------
 */

/* host_parse_line - a file of one line, such as those of /proc/sys/kernel: a string at folder/name. */
int host_parse_line(struct host_settings *s, const char *folder, const char *name, struct bytes text) MUST_USE;

/* host_parse_sysctl - the value of one kernel parameter: an integer if it is one, else a string. */
int host_parse_sysctl(struct host_settings *s, const struct host_path *path, struct bytes text) MUST_USE;

/* host_sysctl_is_setting - false for parameters that change by themselves, hold a key, or act when they are read. */
bool host_sysctl_is_setting(const char *name);

/* host_parse_os_release - os-release(5): strings. */
int host_parse_os_release(struct host_settings *s, struct bytes text) MUST_USE;

/* host_parse_resolver - resolv.conf(5): lists. */
int host_parse_resolver(struct host_settings *s, struct bytes text) MUST_USE;

/* host_parse_hosts - hosts(5): for each address the list of its names. */
int host_parse_hosts(struct host_settings *s, struct bytes text) MUST_USE;

/* host_parse_hostname - hostname(5): the first line that is no comment; the kernel's name has the same form. */
int host_parse_hostname(struct host_settings *s, struct bytes text) MUST_USE;

/* host_parse_interface - one attribute of /sys/class/net/NAME: "mtu", "address" (entry mac) or "flags" (entry up). */
int host_parse_interface(struct host_settings *s, const struct host_path *folder, const char *attribute,
                         struct bytes text) MUST_USE;

/* host_parse_fstab - fstab(5): a folder for each line. */
int host_parse_fstab(struct host_settings *s, struct bytes text) MUST_USE;

/* One configuration of sshd, gathered over its files: blocks (0 is the part outside Match) of options. */
struct host_sshd;

/*
 * host_include_fn - parse the files that `pattern` names with host_sshd_parse().
 * pattern  as it stands in the file; relative ones mean /etc/ssh
 * Returns 0 or a fault.
 */
typedef int host_include_fn(struct host_sshd *d, struct bytes pattern, void *arg);

/* host_sshd_new - for settings `s`, which gets what is skipped. Returns NULL if there is no memory. */
struct host_sshd *host_sshd_new(struct host_settings *s, host_include_fn *include, void *arg);
struct host_sshd *host_sshd_free(struct host_sshd *d);

/* host_sshd_parse - read one file; `name` is used in reports. Called again by `include` for the files included. */
int host_sshd_parse(struct host_sshd *d, const char *name, struct bytes text) MUST_USE;

/* host_sshd_finish - add all options to the settings. */
int host_sshd_finish(struct host_sshd *d) MUST_USE;

/* ---- reading below a root (host-read.c) ---------------------------------------------------------------------------
 */

/*
 * host_read - append a regular file below the folder `root` to `out`, whose maximum is the most that is read. Symbolic
 * links are followed, but never out of `root`. Never waits for a pipe or device.
 * path  relative
 * Returns 0, HOST_ABSENT, HOST_UNREADABLE (set ret_why; static), or -ENOMEM.
 */
enum { HOST_ABSENT = 1, HOST_UNREADABLE };
int host_read(int root, const char *path, struct buf *out, const char **ret_why) MUST_USE;

/* host_list - the names in a folder below `root`, sorted, without . and ..; results as host_read(). */
int host_list(int root, const char *path, struct host_names *names, const char **ret_why) MUST_USE;

enum host_kind { HOST_KIND_OTHER, HOST_KIND_FILE, HOST_KIND_FOLDER, HOST_KIND_LINK };

/* host_kind - what stands at a path below `root` (the last link is not followed); *ret_is_readable by its mode bits. */
enum host_kind host_kind(int root, const char *path, bool *ret_is_readable);

/* host_link - where the link at a path below `root` points, as text. Returns 0, HOST_ABSENT (no link), or -ENOMEM. */
int host_link(int root, const char *path, struct host_names *ret_target) MUST_USE;

/* host_glob - the paths below `root` that match a relative pattern (glob(7)), in byte order. Returns 0 or -ENOMEM. */
int host_glob(int root, struct bytes pattern, struct host_names *paths) MUST_USE;

/* ---- collectors: each reads its files below `root` and runs their parsers ------------------------------------------
 */

int host_collect_kernel(struct host_settings *s, int root) MUST_USE;
int host_collect_network(struct host_settings *s, int root) MUST_USE;
int host_collect_services(struct host_settings *s, int root) MUST_USE;

/* host_collect_running - what only the running system tells: machine hardware name, addresses of interfaces. */
int host_collect_running(struct host_settings *s) MUST_USE;

#endif
