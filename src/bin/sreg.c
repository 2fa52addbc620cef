/* sreg - the command line of the registry: see src/cli/verbs.c for what it can do, and sreg(1). */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
