/* SPDX-License-Identifier: MIT */
/* The options of mount.influxfs, and where an idle time is found. */
#include "mount-helper/idletime.h"
#include "mount-helper/mountopts.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include <cmocka.h>

/* What influxfs is given for a text. */
static void assert_text(const char *text, const char *expected)
{
    struct mountopts o = {0};
    struct err e = {0};
    assert_int_equal(mountopts_read(text, false, &o, &e), 0);
    autofree char *got = mountopts_text(&o);
    assert_string_equal(got, expected);
    mountopts_clear(&o);
}

static void assert_refused(const char *text, const char *named)
{
    struct mountopts o = {0};
    struct err e = {0};
    assert_int_equal(mountopts_read(text, false, &o, &e), -EINVAL);
    assert_non_null(strstr(e.text, named));
    mountopts_clear(&o);
}

static void handed_on(void **state)
{
    (void)state;
    assert_text("", "");
    assert_text("rw,nofail,x-anything=1,keep=2,_netdev", "keep=2");
    assert_text("noexec,ro,nosuid,suid,dev", "ro,suid,dev,noexec");
    assert_text("ro,rw", "");
    assert_text("noatime,atime,relatime", "");
    assert_text("keep=2,allow_other,keep=3", "keep=2,allow_other,keep=3");
    assert_text("hide=dump,at,live,keep=2", "hide=dump\\,at\\,live,keep=2");
}

static void commas_and_backslashes(void **state)
{
    (void)state;
    struct mountopts o = {0};
    assert_text(",,keep=2,", "keep=2");
    assert_text("state=/a\\,b\\\\c", "state=/a\\,b\\\\c");
    assert_text("state=/a\\040b\\054c", "state=/a b\\,c");
    assert_text("state=/a\\04", "state=/a04");
    assert_text("state=/a\\", "state=/a\\\\");
    assert_int_equal(mountopts_read("keep=2,state=/a\\,b", false, &o, NULL), 0);
    assert_string_equal(o.values.state, "/a,b");
    assert_int_equal(o.values.keep, 2);
    mountopts_clear(&o);
}

static void refused(void **state)
{
    (void)state;
    assert_refused("rw,nonsense=1", "unknown option nonsense=1");
    assert_refused("keep", "unknown option keep");
    assert_refused("-f", "unknown option -f");
    assert_refused("keep=x", "option keep=x");
    assert_refused("hide=dump,ro,at", "unknown option at");
    assert_refused("loop=/dev/loop0", "option loop=/dev/loop0");
    assert_refused("user_id=0", "user_id=0");
    assert_refused("allow_otherwise", "allow_otherwise");
}

static void sloppy(void **state)
{
    (void)state;
    struct mountopts o = {0};
    assert_int_equal(mountopts_read("nonsense,keep=2,-f", true, &o, NULL), 0);
    assert_int_equal(o.nignored, 2);
    assert_string_equal(o.ignored[1], "-f");
    assert_int_equal(o.nwords, 1);
    mountopts_clear(&o);
}

static void of_a_remount(void **state)
{
    (void)state;
    struct mountopts o = {0};
    assert_int_equal(mountopts_read("user_id=0,noexec,remount,suid,noatime", false, &o, NULL), 0);
    assert_true(o.remount && o.whole);
    assert_int_equal(o.set, MS_NOEXEC | MS_NOATIME);
    assert_true(o.clear & MS_NOSUID && o.clear & MS_RELATIME);
    mountopts_clear(&o);
}

static bool is_idle(const char *folder, const char *line)
{
    char path[64];
    struct err where = {0};
    autoclose int fd = memfd_create("fstab", MFD_CLOEXEC);
    assert_true(fd >= 0 && dprintf(fd, "# a comment\n\n%s\n", line) > 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    bool found = idletime_is_set(folder, NULL, path, &where);
    assert_int_equal(found, where.text[0] != 0);
    return found;
}

static void idle_in_fstab(void **state)
{
    (void)state;
    assert_true(is_idle("/none/a b", "/s /none/a\\040b influxfs x-systemd.idle-timeout=10min 0 0"));
    assert_true(is_idle("/usr", "/s /usr/ fuse.influxfs ro,x-systemd.idle-timeout=060 0 0"));
    assert_false(is_idle("/none", "/s /none/other influxfs x-systemd.idle-timeout=10 0 0"));
    assert_false(is_idle("/none", "/s /none ext4 x-systemd.idle-timeout=10 0 0"));
    assert_false(is_idle("/none", "/s /none influxfs x-systemd.idle-timeout=0s 0 0"));
    assert_false(is_idle("/none", "/s /none influxfs x-systemd.idle-timeout=infinity 0 0"));
    assert_false(is_idle("/none", "/s /none influxfs x-systemd.idle-timeout 0 0"));
    assert_false(is_idle("/none", "/s /none influxfs x-systemd.automount 0 0"));
}

static void idle_by_option(void **state)
{
    (void)state;
    struct err where = {0};
    assert_false(idletime_is_set("/none", "x-systemd.idle-timeout=0", "/none", &where));
    assert_false(idletime_is_set("/none", NULL, "/none", &where));
    assert_true(idletime_is_set("/none", "x-systemd.idle-timeout=5", "/none", &where));
    assert_non_null(strstr(where.text, "x-systemd.idle-timeout=5"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handed_on),      cmocka_unit_test(commas_and_backslashes),
        cmocka_unit_test(refused),        cmocka_unit_test(sloppy),
        cmocka_unit_test(of_a_remount),   cmocka_unit_test(idle_in_fstab),
        cmocka_unit_test(idle_by_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
