/*
 * diff - which lines differ between two texts, for people. Pure.
 */
#ifndef CLI_DIFF_H
#define CLI_DIFF_H

#include "base/bytes.h"
#include "base/fault.h"

enum { DIFF_TABLE_MAX_COUNT = 1000 }; /* lines on either side that are compared one by one */

/* One line that is only in the old text (is_new false) or only in the new one. */
struct diff_line {
    bool is_new;
    size_t number; /* from 1, in its text */
    size_t at, n;  /* offset and bytes in its text, without the line feed */
};

/*
 * diff_lines - call on_line (0 to go on, else its result is returned) for each line that differs, from top to bottom.
 * Between the first and the last difference a longest common subsequence is sought if there are at most
 * DIFF_TABLE_MAX_COUNT lines on either side; of longer parts all lines count as different.
 * Returns 0, what on_line returned, or -ENOMEM.
 */
int diff_lines(struct bytes old, struct bytes new, int (*on_line)(const struct diff_line *line, void *arg),
               void *arg) MUST_USE;

#endif
