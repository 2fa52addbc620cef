/* remove-tree - removes a folder that a test made, with everything below it. Returns 0, or -1 with errno. */
#ifndef TEST_REMOVE_TREE_H
#define TEST_REMOVE_TREE_H
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static inline int remove_tree_at(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *d;
    while (folder != NULL && (d = readdir(folder)) != NULL) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        if (d->d_type == DT_DIR)
            (void)remove_tree_at(fd, d->d_name); /* what stays is said by the folder that is not empty */
        else
            (void)unlinkat(fd, d->d_name, 0);
    }
    if (folder != NULL)
        closedir(folder);
    return unlinkat(at, name, AT_REMOVEDIR);
}

static inline int remove_tree(const char *path)
{
    return remove_tree_at(AT_FDCWD, path);
}
#endif
