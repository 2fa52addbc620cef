/*
 * Fuzzing of policy-file: any text is read or refused, with a reason; what is read is a JSON text of the shape that the
 * daemon takes, and reading that again, as the YAML that JSON is, gives the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/policy-file.h"
#include "wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_so)
{
    if (!is_so)
        abort();
}

static void check_shape(struct bytes text)
{
    char why[160];
    struct json *j;
    must(json_parse(text, &j, why, sizeof why) == 0);
    const struct json *list = json_get(j, "changes");
    must(json_kind(j) == JSON_KIND_MAP && json_count(j) == 1 && json_kind(list) == JSON_KIND_LIST);
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *change = json_at(list, i);
        must(json_kind(change) == JSON_KIND_MAP);
        must((json_get(change, "add") != NULL) != (json_get(change, "remove") != NULL));
        must(json_get(change, "id") == NULL || json_int(json_get(change, "id")) > 0);
    }
    json_free(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[POLICY_FILE_WHY_BYTES] = "";
    struct buf out, again;
    buf_init(&out, 4 << 20);
    buf_init(&again, 4 << 20);
    int r = policy_file_read(bytes_of(data, size), &out, why);
    must(r == 0 || r == POLICY_FILE_BAD);
    must((r == 0) == (why[0] == '\0'));
    if (r == 0) {
        check_shape(buf_view(&out));
        /* a text that grew too long when it was written is not read again */
        if (buf_size(&out) <= POLICY_FILE_MAX_BYTES && policy_file_read(buf_view(&out), &again, why) == 0)
            must(bytes_equal(buf_view(&out), buf_view(&again)));
    }
    buf_fini(&out);
    buf_fini(&again);
    return 0;
}
