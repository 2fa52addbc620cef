/*
 * Shared by the tests of this folder that confine children: every attempt is a child that confines itself and then does
 * one thing. A child answers with its exit status: 0 it worked, an errno value it was refused; or it is ended by the
 * filter.
 */
#ifndef TEST_CHILDREN_H
#define TEST_CHILDREN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine/confine-internal.h"

enum { PATH_BYTES = 256, NOBODY = 65534, NOT_ENTERED = 200, ENDED_BY_FILTER = 1000 + SIGSYS };

/* Leaks are not looked for: children end without giving anything back. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static char root[64], places[CONFINE_PLACES_COUNT][96];
static struct confine_params params;
static uid_t started_as;
static int kernel_abi; /* asked before: a confined process may not ask */

static void write_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x\n", 2), 2);
    close(fd);
}

static const char *path_in(enum confine_place place, const char *name)
{
    static char path[PATH_BYTES];
    snprintf(path, sizeof path, "%.90s/%.90s", places[place], name);
    return path;
}

static int make_places(void **state)
{
    static const char *const names[CONFINE_PLACES_COUNT] = {"state", "config", "run", NULL, "etc", NULL};
    (void)state;
    kernel_abi = confine_landlock_abi();
    started_as = geteuid();
    snprintf(root, sizeof root, "/tmp/secreg-confine-XXXXXX");
    if (mkdtemp(root) == NULL || chmod(root, 0755) != 0)
        return -1;
    params = (struct confine_params){.uid = (uid_t)-1, .gid = (gid_t)-1};
    for (size_t i = 0; i < CONFINE_PLACES_COUNT; i++) {
        if (names[i] == NULL)
            continue;
        snprintf(places[i], sizeof places[i], "%s/%s", root, names[i]);
        if (mkdir(places[i], 0777) != 0 || chmod(places[i], 0777) != 0)
            return -1;
        params.places[i] = places[i];
        write_file(path_in((enum confine_place)i, "file"));
    }
    params.places[CONFINE_PROC] = "/proc";
    return 0;
}

static int remove_places(void **state)
{
    static const char *const names[] = {"file", "made", "moved"};
    (void)state;
    for (size_t i = 0; i < CONFINE_PLACES_COUNT; i++) {
        if (places[i][0] == '\0')
            continue;
        for (size_t n = 0; n < COUNT_OF(names); n++)
            unlink(path_in((enum confine_place)i, names[n]));
        rmdir(path_in((enum confine_place)i, "folder"));
        if (rmdir(places[i]) != 0)
            return -1;
    }
    return rmdir(root);
}

#ifdef SECREG_COVERAGE
void __gcov_dump(void);
#endif

static NORETURN void leave(int code)
{
#ifdef SECREG_COVERAGE
    if (geteuid() == started_as) /* another user may not write the files of coverage */
        __gcov_dump();
#endif
    _exit(code);
}

/* Runs `act` in a child. Returns its exit status, or 1000 and the signal that ended it. */
static int in_child(int (*act)(void))
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        leave(act());
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Creates a file in the state folder: 0 or an errno value. */
static UNUSED int act_create_in_state(void)
{
    int fd = open(path_in(CONFINE_STATE, "made"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || close(fd) < 0)
        return errno;
    return unlink(path_in(CONFINE_STATE, "made")) < 0 ? errno : 0;
}

#endif
