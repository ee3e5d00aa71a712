/* SPDX-License-Identifier: MIT */
/* notify: what the service manager hears, by a socket that stands in for its own. */
#include "fs/notify.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 60000
#define SKIPPED 77

struct manager {
    char folder[64], address[108];
    int fd;
    char heard[2048]; /* the last datagram */
};

/* Listens at a path, or at an abstract name. */
static void listen_at(struct manager *m, const char *address)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = (size_t)snprintf(m->address, sizeof(m->address), "%s", address);
    memcpy(to.sun_path, address, n);
    if (*address == '@')
        to.sun_path[0] = 0;
    m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(m->fd >= 0);
    assert_int_equal(bind(m->fd, (struct sockaddr *)&to,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
                     0);
    assert_int_equal(setenv("NOTIFY_SOCKET", address, 1), 0);
}

static void manager_begin(struct manager *m)
{
    char address[100];
    const char *tmp = getenv("TMPDIR");
    snprintf(m->folder, sizeof(m->folder), "%.40s/notify-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(m->folder));
    snprintf(address, sizeof(address), "%s/socket", m->folder);
    listen_at(m, address);
}

static void manager_end(struct manager *m)
{
    if (m->fd >= 0)
        close(m->fd);
    if (*m->address == '/')
        unlink(m->address);
    if (*m->folder)
        rmdir(m->folder);
}

static bool hears(struct manager *m, int patience_ms)
{
    struct pollfd p = {.fd = m->fd, .events = POLLIN};
    if (poll(&p, 1, patience_ms) != 1)
        return false;
    ssize_t n = recv(m->fd, m->heard, sizeof(m->heard) - 1, 0);
    m->heard[n > 0 ? n : 0] = 0;
    return n > 0;
}

static void assert_hears(struct manager *m, const char *text)
{
    assert_true(hears(m, PATIENCE_MS));
    assert_string_equal(m->heard, text);
}

static struct notify *opened(void)
{
    struct notify *n;
    struct err e = {0};
    assert_int_equal(notify_open(&n, &e), 0);
    return n;
}

static void test_nobody_listens(void **arg)
{
    (void)arg;
    unsetenv("NOTIFY_SOCKET");
    struct notify *n = opened();
    assert_null(n);
    notify_delay(n, "words");
    assert_int_equal(notify_ready(n, "/nowhere", false, NULL), 0);
    notify_status(n, "words");
    notify_failed(n, -EIO, "words");
    notify_stopping(n);
    notify_close(n);
}

static void test_life(void **arg)
{
    (void)arg;
    struct manager m = {0};
    struct err e = {0};
    char ready[64];
    manager_begin(&m);
    struct notify *n = opened();
    assert_null(getenv("NOTIFY_SOCKET")); /* for children */
    notify_status(n, "starting");
    assert_hears(&m, "STATUS=starting");
    assert_int_equal(notify_ready(n, "/proc", false, &e), 0);
    assert_hears(&m, "READY=1");
    notify_status(n, "mounted");
    notify_status(n, "mounted");
    notify_status(n, "mounted;\nrestoring"); /* one datagram is one line of words */
    assert_hears(&m, "STATUS=mounted");
    assert_hears(&m, "STATUS=mounted;?restoring");
    notify_stopping(n);
    assert_hears(&m, "STATUS=unmounting");
    assert_hears(&m, "STOPPING=1");
    notify_close(n);

    assert_int_equal(setenv("NOTIFY_SOCKET", m.address, 1), 0);
    n = opened();
    assert_int_equal(notify_ready(n, "/proc", true, &e), 0);
    snprintf(ready, sizeof(ready), "READY=1\nMAINPID=%ld", (long)getpid());
    assert_hears(&m, ready);
    notify_close(n);
    manager_end(&m);
}

static void test_abstract_address(void **arg)
{
    (void)arg;
    struct manager m = {0};
    char address[64];
    snprintf(address, sizeof(address), "@influxfs-test-%ld", (long)getpid());
    listen_at(&m, address);
    struct notify *n = opened();
    notify_failed(n, -ENOENT, "no store");
    assert_hears(&m, "STATUS=no store");
    assert_hears(&m, "ERRNO=2");
    notify_status(n, "mounted");
    assert_false(hears(&m, 0));
    notify_close(n);
    manager_end(&m);
}

static void test_delay(void **arg)
{
    (void)arg;
    struct manager m = {0};
    struct err e = {0};
    manager_begin(&m);
    struct notify *n = opened();
    notify_delay(n, "finishing");
    assert_hears(&m, "STATUS=finishing");
    assert_hears(&m, "EXTEND_TIMEOUT_USEC=60000000");
    assert_int_equal(notify_ready(n, "/proc", false, &e), 0);
    assert_hears(&m, "READY=1");
    notify_close(n);
    assert_false(hears(&m, 0));
    manager_end(&m);
}

static void test_not_an_address(void **arg)
{
    (void)arg;
    char longest[200];
    const char *const bad[] = {"", "/", "@", "run/socket", "vsock:2:1234", longest};
    memset(longest, 'x', sizeof(longest));
    longest[0] = '/';
    longest[sizeof(longest) - 1] = 0;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct notify *n;
        struct err e = {0};
        setenv("NOTIFY_SOCKET", bad[i], 1);
        assert_int_equal(notify_open(&n, &e), -EINVAL);
        assert_null(n);
        assert_non_null(strstr(e.text, "NOTIFY_SOCKET="));
        assert_null(getenv("NOTIFY_SOCKET"));
    }
}

/* A manager that is gone keeps nobody from serving. */
static void test_deaf(void **arg)
{
    (void)arg;
    struct manager m = {0};
    struct err e = {0};
    manager_begin(&m);
    struct notify *n = opened();
    manager_end(&m);
    assert_int_equal(notify_ready(n, "/proc", false, &e), 0);
    notify_status(n, "mounted");
    notify_close(n);
}

/* Runs it in a process of its own. */
static void in_child(int (*run)(struct manager *m), struct manager *m)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(run(m));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == SKIPPED) {
        manager_end(m);
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Makes a mount namespace, and mounts nothing but a tmpfs in it. */
static bool mounts_alone(const char *point)
{
    if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) == 0 &&
        mount("tmpfs", point, "tmpfs", 0, NULL) == 0)
        return true;
    printf("no mount namespace can be made: %s\n", strerror(errno));
    return false;
}

static int with_hidden_mount(struct manager *m)
{
    struct err e = {0};
    struct notify *n;
    if (!mounts_alone("/mnt"))
        return SKIPPED;
    if (notify_open(&n, &e) < 0 || notify_ready(n, "/mnt", false, &e) != -ENOENT)
        return 1;
    notify_close(n);
    return hears(m, 0) || !strstr(e.text, "/mnt") || !strstr(e.text, "PrivateMounts=");
}

static void test_hidden_mount(void **arg)
{
    (void)arg;
    struct manager m = {0};
    manager_begin(&m);
    in_child(with_hidden_mount, &m);
    manager_end(&m);
}

static int without_proc(struct manager *m)
{
    struct err e = {0};
    struct notify *n;
    if (!mounts_alone("/proc"))
        return SKIPPED;
    if (notify_open(&n, &e) < 0 || notify_ready(n, "/proc", false, &e) < 0)
        return 1;
    notify_status(n, "mounted");
    notify_close(n);
    if (!hears(m, PATIENCE_MS) || strcmp(m->heard, "READY=1") != 0)
        return 1;
    return !hears(m, PATIENCE_MS) || !strstr(m->heard, "mounted; whether others see the mount is");
}

static void test_pid_1_unreadable(void **arg)
{
    (void)arg;
    struct manager m = {0};
    manager_begin(&m);
    in_child(without_proc, &m);
    manager_end(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_listens),   cmocka_unit_test(test_life),
        cmocka_unit_test(test_abstract_address), cmocka_unit_test(test_delay),
        cmocka_unit_test(test_not_an_address),   cmocka_unit_test(test_deaf),
        cmocka_unit_test(test_hidden_mount),     cmocka_unit_test(test_pid_1_unreadable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
