/*
 * replay - run a fuzz target over files and folders, without a fuzzing engine.
 *
 * Why: a crash that was found once becomes a corpus file and is tried again in every test run, by both compilers.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t replayed;

static void replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    static uint8_t data[4u << 20];
    if (f == NULL) {
        perror(path);
        exit(1);
    }
    size_t n = fread(data, 1, sizeof data, f);
    fclose(f);
    uint8_t *exact = malloc(n + 1); /* exact size, so that a read past the end is seen by the sanitizer */
    if (exact == NULL)
        exit(1);
    uint8_t *p = realloc(exact, n > 0 ? n : 1);
    memcpy(p, data, n);
    LLVMFuzzerTestOneInput(p, n);
    free(p);
    replayed++;
}

static void replay_path(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        perror(path);
        exit(1);
    }
    if (!S_ISDIR(st.st_mode)) {
        replay_file(path);
        return;
    }
    DIR *d = opendir(path);
    if (d == NULL)
        exit(1);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        char name[4096];
        if (e->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        replay_path(name);
    }
    closedir(d);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay_path(argv[i]);
    printf("replayed %zu inputs\n", replayed);
    return replayed > 0 ? 0 : 1;
}
