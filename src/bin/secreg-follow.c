/* secreg-follow - sends the trail elsewhere: see src/follow/follow.h and secreg-follow(8). */
#include "follow/follow.h"

int main(int argc, char **argv)
{
    return follow_main(argc, argv);
}
