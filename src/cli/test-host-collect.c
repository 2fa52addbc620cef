/* Tests of collecting the settings of a host that is made up in a temporary folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/test-host.h"
#include "fail-alloc.h"
#include "os/file.h"

static char root[64];
static int root_fd = -1;

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static int setup(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/secreg-test-host.XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return root_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    close(root_fd);
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_folder(const char *path)
{
    char whole[600];
    snprintf(whole, sizeof whole, "%s/%s", root, path);
    assert_int_equal(file_make_folders(whole, 0755), 0);
}

/* With the folders above it. */
static void make_file_bytes(const char *path, struct bytes text)
{
    char folder[512];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash != NULL) {
        *slash = '\0';
        make_folder(folder);
    }
    int fd = openat(root_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, text), 0);
    close(fd);
}

static void make_file(const char *path, const char *text)
{
    make_file_bytes(path, bytes_of_text(text));
}

static void make_link(const char *path, const char *target)
{
    assert_int_equal(symlinkat(target, root_fd, path), 0);
}

static struct host_settings collected(void)
{
    struct host_settings s;
    assert_int_equal(host_collect(root, &s), 0);
    return s;
}

static bool is_unread(const struct host_settings *s, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, HOST_SYSTEM "/%s", name);
    return host_is_unread(s, bytes_of_text(path));
}

/* ---- tests --------------------------------------------------------------------------------------------------------
 */

static void an_empty_host_has_no_settings(void **state)
{
    (void)state;
    struct host_settings s = collected();
    assert_int_equal(s.count, 0);
    assert_int_equal(s.skipped_count, 0);
    assert_int_equal(s.unread_count, 0);
    host_fini(&s);
}

static void a_host_that_is_not_there_is_a_fault(void **state)
{
    struct host_settings s;
    char path[80];
    (void)state;
    snprintf(path, sizeof path, "%s/none", root);
    assert_int_equal(host_collect(path, &s), -ENOENT);
    make_file("file", "");
    snprintf(path, sizeof path, "%s/file", root);
    assert_int_equal(host_collect(path, &s), -ENOTDIR);
}

static void kernel_settings_are_read(void **state)
{
    static char huge[HOST_SYSCTL_MAX_BYTES + 2];
    (void)state;
    memset(huge, 'x', sizeof huge - 1);
    make_file("proc/sys/kernel/hostname", "web1\n");
    make_file("proc/sys/kernel/osrelease", "6.1.0-40-amd64\n");
    make_file("proc/sys/kernel/version", "#1 SMP Debian 6.1.153-1\n");
    make_file("proc/sys/kernel/ostype", "Linux\n");
    make_file("proc/sys/kernel/random/uuid", "1-2-3\n");
    make_file("proc/sys/kernel/core_pattern", huge);
    make_file("proc/sys/kernel/a b", "1\n");
    make_file("proc/sys/vm/swappiness", "60\n");
    make_file("proc/sys/fs/binfmt_misc/status", "enabled\n");
    make_file("proc/sys/net/ipv4/conf/eth0.1/forwarding", "0\n");
    make_file("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n");
    make_file("proc/sys/net/ipv6/conf/all/stable_secret", "2001:db8::1\n");
    make_file("proc/sys/dev/cdrom/debug", "0\n");
    make_file("proc/sys/vm/drop_caches", "0\n");
    assert_int_equal(fchmodat(root_fd, "proc/sys/vm/drop_caches", 0200, 0), 0);
    assert_int_equal(mkfifoat(root_fd, "proc/sys/vm/pipe", 0644), 0);
    make_link("proc/sys/vm/link", "swappiness");
    struct host_settings s = collected();
    assert_value(&s, "kernel/hostname", "string web1");
    assert_value(&s, "kernel/release", "string 6.1.0-40-amd64");
    assert_value(&s, "kernel/version", "string #1 SMP Debian 6.1.153-1");
    assert_value(&s, "kernel/ostype", "string Linux");
    assert_value(&s, "kernel/sysctl/kernel/hostname", "string web1");
    assert_value(&s, "kernel/sysctl/vm/swappiness", "integer 60");
    assert_value(&s, "kernel/sysctl/net/ipv4/conf/eth0.1/forwarding", "integer 0");
    assert_value(&s, "kernel/sysctl/net/ipv4/tcp_rmem", "string 4096\t131072\t6291456");
    assert_value(&s, "network/hostname", "string web1");
    assert_int_equal(s.count, 12);
    assert_true(is_unread(&s, "kernel/sysctl/kernel/core_pattern"));
    assert_skipped(&s, "core_pattern: it is larger than what is read");
    assert_skipped(&s, "/registry/system/kernel/sysctl/kernel/a b: a component holds a character");
    assert_int_equal(s.skipped_count, 2);
    host_fini(&s);
}

static void network_settings_are_read(void **state)
{
    (void)state;
    make_file("etc/hostname", "web1.example\n");
    make_file("proc/sys/kernel/hostname", "other\n");
    make_file("run/resolv.conf", "nameserver 10.0.0.1\n");
    make_link("etc/resolv.conf", "/run/resolv.conf");
    make_file("etc/hosts", "127.0.0.1 localhost\n");
    make_file("sys/devices/pci/eth0/mtu", "1500\n");
    make_file("sys/devices/pci/eth0/address", "02:00:00:00:00:01\n");
    make_file("sys/devices/pci/eth0/flags", "0x1003\n");
    make_folder("sys/class/net");
    make_link("sys/class/net/eth0", "../../devices/pci/eth0");
    make_file("sys/class/net/bonding_masters", "bond0\n");
    make_file("sys/class/net/odd%name/mtu", "9000\n");
    struct host_settings s = collected();
    assert_value(&s, "network/hostname", "string web1.example");
    assert_value(&s, "network/resolver/nameservers", "list [\"10.0.0.1\"]");
    assert_value(&s, "network/hosts/127.0.0.1", "list [\"localhost\"]");
    assert_value(&s, "network/interfaces/eth0/mtu", "integer 1500");
    assert_value(&s, "network/interfaces/eth0/mac", "string 02:00:00:00:00:01");
    assert_value(&s, "network/interfaces/eth0/up", "boolean true");
    assert_no_value(&s, "network/interfaces/eth0/addresses");
    assert_int_equal(s.count, 8);
    assert_skipped(&s, "odd%name/mtu");
    assert_int_equal(s.skipped_count, 1);
    host_fini(&s);
}

static void links_cannot_leave_the_root(void **state)
{
    (void)state;
    make_folder("etc");
    make_link("etc/hostname", "/etc/hostname-of-nobody");
    make_link("etc/os-release", "../../../../../../../../etc/os-release");
    make_link("etc/fstab", "/proc/self/mounts");
    struct host_settings s = collected();
    assert_int_equal(s.count, 0);
    assert_true(is_unread(&s, "os"));
    assert_int_equal(s.skipped_count, 1);
    host_fini(&s);
    make_file("etc/hostname-of-nobody", "inside\n");
    s = collected();
    assert_value(&s, "network/hostname", "string inside");
    host_fini(&s);
}

static void the_second_place_of_a_file_counts_if_the_first_is_absent(void **state)
{
    (void)state;
    make_file("usr/lib/os-release", "ID=debian\n");
    make_link("usr/lib/systemd", "systemd-here");
    make_folder("usr/lib/systemd-here/system");
    make_link("usr/lib/systemd-here/system/default.target", "graphical.target");
    struct host_settings s = collected();
    assert_value(&s, "os/id", "string debian");
    assert_value(&s, "services/default-target", "string graphical.target");
    host_fini(&s);
    make_file("etc/os-release", "ID=other\n");
    make_folder("etc/systemd/system");
    make_link("etc/systemd/system/default.target", "/lib/systemd/system/multi-user.target");
    s = collected();
    assert_value(&s, "os/id", "string other");
    assert_value(&s, "services/default-target", "string multi-user.target");
    assert_int_equal(s.count, 2);
    host_fini(&s);
}

static void enabled_units_are_the_links(void **state)
{
    (void)state;
    make_folder("etc/systemd/system/multi-user.target.wants");
    make_folder("etc/systemd/system/sshd.service.requires");
    make_folder("etc/systemd/system/ssh.service.d");
    make_link("etc/systemd/system/multi-user.target.wants/ssh.service", "/lib/systemd/system/ssh.service");
    make_link("etc/systemd/system/multi-user.target.wants/cron.service", "/lib/systemd/system/cron.service");
    make_link("etc/systemd/system/sshd.service.requires/ssh.service", "/dev/null");
    make_link("etc/systemd/system/ssh.service.d/no.service", "/dev/null");
    make_file("etc/systemd/system/multi-user.target.wants/file.service", "");
    make_link("etc/systemd/system/odd.wants", "/nowhere");
    struct host_settings s = collected();
    assert_value(&s, "services/enabled", "list [\"cron.service\",\"ssh.service\"]");
    assert_int_equal(s.count, 1);
    assert_int_equal(s.skipped_count, 0);
    host_fini(&s);
}

static void sshd_files_are_found_by_their_patterns(void **state)
{
    (void)state;
    make_file("etc/ssh/sshd_config", "Include sshd_config.d/*.conf\nInclude /etc/extra.d/[ab]? none* /x/y\nPort 22\n");
    make_file("etc/ssh/sshd_config.d/20-b.conf", "Banner b\nInclude nested\n");
    make_file("etc/ssh/sshd_config.d/10-a.conf", "Banner a\n");
    make_file("etc/ssh/sshd_config.d/.hidden.conf", "Banner hidden\n");
    make_file("etc/ssh/sshd_config.d/readme", "Banner readme\n");
    make_file("etc/ssh/nested", "UsePAM yes\n");
    make_file("etc/extra.d/b1", "X b1\n");
    make_file("etc/extra.d/c1", "X c1\n");
    struct host_settings s = collected();
    assert_value(&s, "services/sshd/banner", "string a");
    assert_value(&s, "services/sshd/usepam", "string yes");
    assert_value(&s, "services/sshd/x", "string b1");
    assert_value(&s, "services/sshd/port", "list [\"22\"]");
    assert_int_equal(s.count, 4);
    assert_int_equal(s.unread_count, 0);
    host_fini(&s);
    assert_int_equal(mkfifoat(root_fd, "etc/ssh/sshd_config.d/30-pipe.conf", 0644), 0);
    s = collected();
    assert_skipped(&s, "etc/ssh/sshd_config.d/30-pipe.conf: it is not a regular file");
    assert_true(is_unread(&s, "services/sshd/port"));
    assert_value(&s, "services/sshd/banner", "string a");
    host_fini(&s);
}

static void what_is_no_file_leaves_its_part_unread(void **state)
{
    (void)state;
    make_folder("etc/hosts");
    make_folder("etc/ssh");
    assert_int_equal(mkfifoat(root_fd, "etc/fstab", 0644), 0);
    make_link("etc/resolv.conf", "resolv.conf");
    make_folder("proc/sys/kernel/ostype");
    make_link("sys", "sys");
    make_folder("sys2");
    make_folder("etc/systemd");
    make_link("etc/systemd/system", "system");
    struct host_settings s = collected();
    assert_true(is_unread(&s, "network/hosts/127.0.0.1"));
    assert_true(is_unread(&s, "storage/fstab/1/source"));
    assert_true(is_unread(&s, "network/resolver/nameservers"));
    assert_true(is_unread(&s, "kernel/ostype"));
    assert_true(is_unread(&s, "network/interfaces/eth0/mtu"));
    assert_true(is_unread(&s, "services/enabled"));
    assert_false(is_unread(&s, "services/sshd/port"));
    assert_int_equal(s.count, 0);
    host_fini(&s);
}

static void attributes_and_folders_that_fail_are_unread(void **state)
{
    (void)state;
    make_folder("sys/class/net/eth0/mtu");
    make_folder("etc/systemd/system");
    make_link("etc/systemd/system/loop.wants", "loop.wants");
    struct host_settings s = collected();
    assert_true(is_unread(&s, "network/interfaces/eth0/mtu"));
    assert_true(is_unread(&s, "services/enabled"));
    host_fini(&s);
}

static void folders_in_folders_end_somewhere(void **state)
{
    char path[256] = "proc/sys/vm";
    (void)state;
    for (unsigned i = 0; i < 2 * HOST_SYSCTL_DEPTH_MAX_COUNT; i++)
        strcat(path, "/d");
    strcat(path, "/x");
    make_file(path, "1\n");
    struct host_settings s = collected();
    assert_int_equal(s.count, 0);
    assert_skipped(&s, "too many folders in folders");
    host_fini(&s);
}

/* As root, one would read everything. */
static struct host_settings collected_as_ordinary_user(void)
{
    struct host_settings s;
    uid_t own = geteuid();
    if (own == 0)
        assert_int_equal(seteuid(65534), 0);
    int r = host_collect(root, &s);
    assert_int_equal(seteuid(own), 0);
    assert_int_equal(r, 0);
    return s;
}

static void what_an_ordinary_user_may_not_read_is_unread(void **state)
{
    (void)state;
    assert_int_equal(fchmod(root_fd, 0755), 0);
    make_file("proc/sys/vm/closed", "1\n");
    assert_int_equal(fchmodat(root_fd, "proc/sys/vm/closed", geteuid() == 0 ? 0400 : 0040, 0), 0);
    make_folder("proc/sys/fs");
    assert_int_equal(fchmodat(root_fd, "proc/sys/fs", 0, 0), 0);
    struct host_settings s = collected_as_ordinary_user();
    assert_true(is_unread(&s, "kernel/sysctl/vm/closed"));
    assert_true(is_unread(&s, "kernel/sysctl/fs/file-max"));
    assert_skipped(&s, "closed: Permission denied");
    host_fini(&s);
    assert_int_equal(fchmodat(root_fd, "proc/sys/fs", 0755, 0), 0);
}

static void the_running_system_has_its_names(void **state)
{
    struct host_settings s, again;
    (void)state;
    assert_int_equal(host_collect("", &s), 0);
    assert_int_equal(host_collect("", &again), 0);
    assert_non_null(host_value(&s, "kernel/machine"));
    assert_non_null(host_value(&s, "kernel/release"));
    assert_value(&s, "kernel/ostype", "string Linux");
    for (size_t i = 0; i < s.count; i++) {
        const struct host_setting *other = host_find(&again, bytes_of_text(s.items[i].path));
        assert_true(strncmp(s.items[i].path, HOST_SYSTEM "/", strlen(HOST_SYSTEM "/")) == 0);
        if (other != NULL)
            assert_int_equal(other->type, s.items[i].type);
    }
    host_fini(&s);
    host_fini(&again);
}

static void every_allocation_may_fail(void **state)
{
    bool has_failed = false, has_passed = false;
    (void)state;
    make_file("proc/sys/kernel/hostname", "web1\n");
    make_folder("proc/sys/vm/bad");
    make_file("etc/ssh/sshd_config", "Include *.d/* x\n");
    make_file("etc/ssh/a.d/f", "Port 1\n");
    make_folder("etc/hosts");
    make_folder("etc/systemd/system/a.wants");
    make_link("etc/systemd/system/a.wants/u.service", "/dev/null");
    make_link("etc/systemd/system/default.target", "multi-user.target");
    make_file("sys/class/net/lo/mtu", "65536\n");
    for (unsigned n = 0; n < 2000 && !has_passed; n++) {
        struct host_settings s;
        fail_alloc_after(n);
        int r = host_collect(root, &s);
        bool was_refused = fail_alloc_off();
        assert_int_equal(r, was_refused ? -ENOMEM : 0);
        has_failed = has_failed || was_refused;
        has_passed = !was_refused;
        if (r == 0)
            host_fini(&s);
    }
    assert_true(has_failed && has_passed);
    for (unsigned n = 0; n < 40; n++) {
        struct host_settings s;
        host_init(&s);
        fail_alloc_after(n);
        int r = host_collect_running(&s);
        assert_int_equal(r, fail_alloc_off() ? -ENOMEM : 0);
        host_fini(&s);
    }
}

#define HOST_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        HOST_TEST(an_empty_host_has_no_settings),
        HOST_TEST(a_host_that_is_not_there_is_a_fault),
        HOST_TEST(kernel_settings_are_read),
        HOST_TEST(network_settings_are_read),
        HOST_TEST(links_cannot_leave_the_root),
        HOST_TEST(the_second_place_of_a_file_counts_if_the_first_is_absent),
        HOST_TEST(enabled_units_are_the_links),
        HOST_TEST(sshd_files_are_found_by_their_patterns),
        HOST_TEST(what_is_no_file_leaves_its_part_unread),
        HOST_TEST(attributes_and_folders_that_fail_are_unread),
        HOST_TEST(folders_in_folders_end_somewhere),
        HOST_TEST(what_an_ordinary_user_may_not_read_is_unread),
        HOST_TEST(the_running_system_has_its_names),
        HOST_TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("host-collect", tests, NULL, NULL);
}
