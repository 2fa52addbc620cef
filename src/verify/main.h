/* main - secreg-verify: its command line, what it prints, and its exit status; see secreg-verify(1). */
#ifndef VERIFY_MAIN_H
#define VERIFY_MAIN_H

/* verify_main - Returns the exit status: 0, VERIFY_BIT_* of what is bad, 64 (usage) or 66 (it cannot be read). */
int verify_main(int argc, char **argv);

#endif
