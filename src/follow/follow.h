/*
 * follow - the program secreg-follow: records of this host's trail to one sink, from where it was when it ended, again
 * and again whatever breaks; see secreg-follow(8) and doc/spec/follow.md.
 *
 * One process a sink, with one thread that waits in one place (poll). It opens what needs a name or another user's
 * right, confines itself, and only then reads its first record. Invariant: the cursor on the disk is never ahead of
 * what the sink keeps, and no record at or above its `high` was ever sent.
 */
#ifndef FOLLOW_FOLLOW_H
#define FOLLOW_FOLLOW_H

/* follow_main - the program. Returns its exit status: 0 told to end, or with --once done; 1 a failure; 2 wrong usage;
 * 75 the sink could not be reached for so long that names should be looked up anew. */
int follow_main(int argc, char **argv);

#endif
