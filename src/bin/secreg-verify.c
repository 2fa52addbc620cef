/* secreg-verify - checks a trail without a daemon: see src/verify/main.h and secreg-verify(1). */
#include "verify/main.h"

int main(int argc, char **argv)
{
    return verify_main(argc, argv);
}
