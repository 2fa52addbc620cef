/*
 * get - print the value of an entry of the registry: the smallest useful program with libsecreg.
 *
 *     cc get.c -o get $(pkg-config --cflags --libs secreg)
 *     SECREG_ROOT=/tmp/try ./get /registry/system/kernel/hostname
 */
#include <secreg/secreg.h>

#include <stdio.h>

int main(int argc, char **argv)
{
    struct secreg *registry = NULL;
    struct secreg_value value;
    if (argc != 2) {
        fprintf(stderr, "usage: get PATH\n");
        return 2;
    }
    enum secreg_result result = secreg_connect(NULL, &registry);
    if (result != SECREG_OK) {
        fprintf(stderr, "get: %s\n", secreg_result_text(result));
        return 1;
    }
    result = secreg_get(registry, argv[1], &value);
    if (result == SECREG_OK) {
        fwrite(value.bytes, 1, value.size, stdout);
        if (value.type != SECREG_TYPE_BINARY)
            putchar('\n');
        secreg_value_fini(&value);
    } else {
        fprintf(stderr, "get: %s\n", secreg_error_text(registry));
    }
    secreg_close(registry);
    return result == SECREG_OK ? 0 : 1;
}
