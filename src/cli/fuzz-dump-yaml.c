/* Fuzz target of dump-yaml: what is read is sorted and sound, and both whole formats print it so that it is read back.
 */
#include <stdio.h>

#include "cli/test-dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[DUMP_WHY_BYTES] = "";
    struct dump d;
    dump_init(&d);
    int r = dump_yaml_parse(bytes_of(data, size), &d, why);
    assert(r == 0 || (r == DUMP_BAD && d.count == 0 && why[0] != '\0'));
    for (size_t i = 0; i < d.count; i++) {
        assert(dump_find(&d, d.entries[i].path) == &d.entries[i]);
        assert(dump_check(&d, &d.entries[i], why) == 0);
        assert(i == 0 || dump_path_compare(d.entries[i - 1].path, d.entries[i].path) < 0);
    }
    if (r == 0) {
        dump_check_round("json", &d);
        dump_check_round("yaml", &d);
    }
    dump_fini(&d);
    return 0;
}
