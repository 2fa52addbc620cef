/*
 * sync - the bare cost of making 4 KiB durable: overwrite the next block of a file that was written ahead, fdatasync().
 * A daemon that answers only what will survive a power failure cannot, for one client, be faster than this.
 *
 * pause-us  sleep so long before each block, which is not counted: what a sync costs that does not follow the one
 * before at once. A daemon with one client never syncs without such a pause.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK_BYTES = 4096, BLOCKS_COUNT = 2048 };

static const char *path;
static uint64_t window_ms = 1000, pause_us = 0;
static const struct bench_option options[] = {
    {"file", NULL, &path}, {"window-ms", &window_ms, NULL}, {"pause-us", &pause_us, NULL}, {NULL, NULL, NULL}};

static void write_block(int fd, uint64_t number, uint8_t fill)
{
    uint8_t block[BLOCK_BYTES];
    memset(block, fill, sizeof block);
    if (pwrite(fd, block, sizeof block, (off_t)(number % BLOCKS_COUNT * BLOCK_BYTES)) != (ssize_t)sizeof block)
        bench_fail("%s: %s", path, strerror(errno));
}

int main(int argc, char **argv)
{
    static struct bench_meter meter;
    bench_options(argc, argv, options);
    bench_die_with_parent();
    if (path == NULL)
        bench_fail("wants --file");
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        bench_fail("%s: %s", path, strerror(errno));
    for (uint64_t i = 0; i < BLOCKS_COUNT; i++)
        write_block(fd, i, 0);
    if (fsync(fd) < 0)
        bench_fail("%s: %s", path, strerror(errno));
    bench_meter_init(&meter, 50, window_ms, 10, "");
    uint64_t before_ns = bench_now_ns(), now_ns;
    bool is_going = true;
    for (uint64_t i = 0; is_going; i++) {
        if (pause_us > 0) {
            (void)usleep((useconds_t)pause_us);
            before_ns = bench_now_ns();
        }
        write_block(fd, i, (uint8_t)(i + 1));
        if (fdatasync(fd) < 0)
            bench_fail("%s: %s", path, strerror(errno));
        now_ns = bench_now_ns();
        is_going = bench_meter_add(&meter, now_ns, now_ns - before_ns);
        before_ns = now_ns;
    }
    bench_meter_print(&meter);
    return 0;
}
