/* main - secreg-verify: its command line, what it prints, and its exit status; see secreg-verify(1). */
#ifndef VERIFY_MAIN_H
#define VERIFY_MAIN_H

#include "trail/checkpoint.h"

/* verify_main - Returns the exit status: 0, VERIFY_BIT_* of what is bad, 64 (usage) or 66 (it cannot be read). */
int verify_main(int argc, char **argv);

/*
 * verify_proof - check the text of one proof and print what it amounts to.
 * old  the earlier head, whose signature was good; NULL: there is none, and a proof about it is none
 * Returns VERIFY_BIT_* of what is bad, VERIFY_NO_PROOF, or a fault.
 */
enum { VERIFY_NO_PROOF = 256 };
int verify_proof(struct bytes text, const struct checkpoint_key *key, const struct checkpoint *old,
                 bool is_json) MUST_USE;

#endif
