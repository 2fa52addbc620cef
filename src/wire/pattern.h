/*
 * pattern - regular expressions for whole values, in time that only grows with the text.
 *
 * Why own code: the engine holds keys, and a library that backtracks over what a client sent can be made to run for
 * ever. A pattern becomes a program of at most PATTERN_STEPS_MAX_COUNT steps, and a match walks all ways through it
 * at once, so that each code point of the text costs at most one visit of each step. Nothing is allocated, and neither
 * the pattern nor the text is answered with recursion. doc/adr/0005-own-pattern-matcher.md says what was weighed.
 *
 * The language is a part of what Python's re.fullmatch() with re.ASCII understands, over Unicode code points, and means
 * the same there; doc/spec/schema.md lists it. What is not listed is an error, never a literal.
 * Source: K. Thompson, "Regular Expression Search Algorithm", 1968; R. Pike's simulation, as R. Cox describes it.
 */
#ifndef WIRE_PATTERN_H
#define WIRE_PATTERN_H

#include "base/bytes.h"

enum {
    PATTERN_MAX_BYTES = 1024,       /* text of a pattern */
    PATTERN_VALUE_MAX_BYTES = 2048, /* text that is matched */
    PATTERN_STEPS_MAX_COUNT = 512,
    PATTERN_RANGES_MAX_COUNT = 256, /* of all classes together */
    PATTERN_REPEAT_MAX_COUNT = 1000,
    PATTERN_DEPTH_MAX_COUNT = 32, /* groups in groups */
};

enum pattern_op {
    PATTERN_CHAR,      /* the code point `arg` */
    PATTERN_ANY,       /* all but the line feed */
    PATTERN_CLASS,     /* one of `to` ranges from number `arg` on, which are sorted and do not touch */
    PATTERN_NOT_CLASS, /* none of them */
    PATTERN_SPLIT,     /* go on behind this step, and `to` steps from it as well */
    PATTERN_JUMP,      /* go on `to` steps from it */
    PATTERN_DONE,      /* the last step, and the only one of its kind */
};

struct pattern_step {
    uint16_t op; /* enum pattern_op */
    int16_t to;
    uint32_t arg;
};

struct pattern_range {
    uint32_t first, last;
};

/* About 6 KiB; holds no pointer. To be made by pattern_compile() only. */
struct pattern {
    uint16_t steps_count, ranges_count;
    struct pattern_step steps[PATTERN_STEPS_MAX_COUNT];
    struct pattern_range ranges[PATTERN_RANGES_MAX_COUNT];
};

/*
 * pattern_compile - make the program of a pattern.
 * text         the pattern, UTF-8
 * ret_pattern  undefined if false is returned
 * ret_why      if false: what is wrong; static, without any of the text; else NULL
 * ret_at       if false: the byte of the text where it is wrong
 * Returns true, or false. Pure; a few microseconds, at most O(bytes x steps).
 */
bool pattern_compile(struct bytes text, struct pattern *ret_pattern, const char **ret_why, size_t *ret_at) MUST_USE;

/*
 * pattern_match - true if the whole of `text` is what the pattern describes.
 * Returns false as well for a text that is not UTF-8 or longer than PATTERN_VALUE_MAX_BYTES. Pure; O(bytes x steps):
 * usually about 20 ns a byte, a few milliseconds in the worst case.
 */
bool pattern_match(const struct pattern *p, struct bytes text) MUST_USE;

#endif
