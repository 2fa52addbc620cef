/*
 * fuzz-epoch - what is said of epochs, and seeds, as text from anywhere.
 *
 * Input: a byte, then text. Even: the detail of a record; odd: a seed. Invariant: what is read is written the same.
 */
#include <stdlib.h>
#include <string.h>

#include "trail/epoch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
    if (!is_true)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[EPOCH_TEXT_MAX_BYTES > EPOCH_SEED_MAX_BYTES ? EPOCH_TEXT_MAX_BYTES : EPOCH_SEED_MAX_BYTES];
    struct epoch_statement statement;
    struct epoch_seed seed;
    if (size == 0)
        return 0;
    struct bytes in = bytes_of(data + 1, size - 1);
    bool is_seed = data[0] % 2 != 0;
    if (is_seed ? !epoch_seed_read(in, &seed) : !epoch_read(in, &statement))
        return 0;
    if (is_seed)
        epoch_seed_write(&seed, text);
    else
        epoch_write(&statement, text);
    must(bytes_equal(bytes_of_text(text), in));
    return 0;
}
