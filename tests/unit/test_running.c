/* SPDX-License-Identifier: MIT */
/*
 * running: who uses a store, asked while helper processes do.
 *
 * A helper is this program started once more with TEST_HELPER in its environment: what to do, a
 * comma, and the file to do it with. It calls itself influxd where the test says so.
 */
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/influx/process.h"
#include "store/influx/running.h"
#include "store/influx/seen.h"
#include "store/influx/server.h"
#include "tests/unit/wipe.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

extern char **environ;

static char root[64];
static struct store_paths paths;

static char *below(const char *rel)
{
    size_t n = strlen(root) + strlen(rel) + 2;
    char *p = malloc(n);
    assert_non_null(p);
    snprintf(p, n, "%s/%s", root, rel);
    return p;
}

static void make_file(const char *rel, const char *text)
{
    autofree char *path = below(rel), *dir = below(rel);
    *strrchr(dir, '/') = 0;
    assert_int_equal(io_mkdir_p(dir, 0755, (uid_t)-1, (gid_t)-1), 0);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(io_write_all(fd, text, strlen(text)), 0);
    close(fd);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(root, "/tmp/influxfs-running-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    paths = (struct store_paths){below("meta"), below("data"), below("wal"), NULL};
    make_file("meta/meta.db", "m");
    make_file("data/db/rp/1/000000001-000000001.tsm", "t");
    make_file("data/.influxfs/staging/new", "n");
    make_file("wal/db/rp/1/_00001.wal", "w");
    make_file("outside", "o");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_paths_free(&paths);
    return wipe(root);
}

/* ---- the helper ---- */

static void *idle(void *arg)
{
    char ready = 1;
    (void)arg;
    if (write(STDOUT_FILENO, &ready, 1) == 1)
        for (;;)
            pause();
    return NULL;
}

static int help(char *order)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char *file = strchr(order, ',');
    *file++ = 0;
    bool maps = strncmp(order, "map", 3) == 0, writes = strstr(order, "write");
    int fd = *file ? open(file, writes ? O_RDWR : O_RDONLY) : -1;
    if (*file && fd < 0)
        return 1;
    if (maps) {
        int prot = PROT_READ | (writes ? PROT_WRITE : 0);
        if (mmap(NULL, 1, prot, strstr(order, "private") ? MAP_PRIVATE : MAP_SHARED, fd, 0) ==
            MAP_FAILED)
            return 1;
        close(fd);
    }
    if (strstr(order, "influxd"))
        prctl(PR_SET_NAME, "influxd");
    if (strstr(order, "thread")) {
        pthread_t t;
        pthread_create(&t, NULL, idle, NULL);
        pthread_exit(NULL);
    }
    idle(NULL);
    return 0;
}

struct helper {
    pid_t pid;
};

static void helper_end(struct helper *h)
{
    if (h->pid > 0) {
        kill(h->pid, SIGKILL);
        waitpid(h->pid, NULL, 0);
    }
    h->pid = 0;
}

/* Starts this program with order, arguments and extra variables (both end with NULL, or are NULL).
 * Returns when it is as ordered. */
static struct helper start(const char *order, const char *file, const char *const *args,
                           const char *const *env)
{
    char exe[4096], *argv[8] = {(char *)"helper"}, ready;
    autofree char *var = NULL;
    char *envp[8] = {NULL};
    int to_us[2];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    assert_true(n > 0 && pipe2(to_us, O_CLOEXEC) == 0);
    exe[n] = 0;
    assert_true(asprintf(&var, "TEST_HELPER=%s,%s", order, file ? file : "") > 0);
    envp[0] = var;
    for (int i = 0; env && env[i]; i++)
        envp[i + 1] = (char *)env[i];
    for (int i = 0; args && args[i]; i++)
        argv[i + 1] = (char *)args[i];
    struct helper h = {fork()};
    if (h.pid == 0) {
        dup2(to_us[1], STDOUT_FILENO);
        if (chdir(root) == 0)
            execve(exe, argv, envp);
        _exit(1);
    }
    close(to_us[1]);
    assert_int_equal(read(to_us[0], &ready, 1), 1);
    close(to_us[0]);
    return h;
}

#define with_helper __attribute__((unused)) cleanup(helper_end) struct helper

/* The verdict, with the words that it must hold where somebody uses the store. */
static void busy(const struct helper *h, const char *words)
{
    struct err e = {0};
    char pid[32];
    assert_int_equal(running_forbids(&paths, &e), -EBUSY);
    snprintf(pid, sizeof(pid), "(pid %d)", (int)h->pid);
    if (!strstr(e.text, pid) || !strstr(e.text, words))
        fail_msg("\"%s\" lacks \"%s\" or %s", e.text, words, pid);
    assert_int_equal(running_uses(&paths, NULL), -EBUSY);
}

static void quiet(void)
{
    struct err e = {0};
    if (running_uses(&paths, &e) != 0)
        fail_msg("%s", e.text);
}

static void test_nobody(void **state)
{
    (void)state;
    autofree char *wal = below("wal/db/rp/1/_00001.wal");
    autoclose int own = open(wal, O_RDWR | O_CLOEXEC);
    assert_true(own >= 0);
    quiet(); /* what we hold ourselves does not count */
    wipe(paths.wal);
    wipe(paths.data);
    quiet();
}

static void test_writers(void **state)
{
    (void)state;
    autofree char *wal = below("wal/db/rp/1/_00001.wal");
    autofree char *staged = below("data/.influxfs/staging/new");
    autofree char *outside = below("outside");
    {
        with_helper h = start("write", wal, NULL, NULL);
        busy(&h, "_00001.wal open for writing");
    }
    {
        with_helper h = start("map write", wal, NULL, NULL);
        busy(&h, "_00001.wal mapped for writing");
    }
    {
        with_helper h = start("write thread", wal, NULL, NULL);
        usleep(50000); /* its first thread ends a moment after the second says ready */
        busy(&h, "_00001.wal open for writing");
    }
    with_helper a = start("read", wal, NULL, NULL);
    with_helper b = start("map read", wal, NULL, NULL);
    with_helper c = start("map private write", wal, NULL, NULL);
    with_helper d = start("write", staged, NULL, NULL);
    with_helper f = start("write", outside, NULL, NULL);
    quiet();
}

static const char *const without_config[] = {"-config", "/dev/null", NULL};
static const char *const with_elsewhere[] = {"INFLUXDB_META_DIR=/nowhere/m",
                                             "INFLUXDB_DATA_DIR=/nowhere/d",
                                             "INFLUXDB_DATA_WAL_DIR=/nowhere/w", NULL};

static void test_influxd_files(void **state)
{
    (void)state;
    autofree char *tsm = below("data/db/rp/1/000000001-000000001.tsm");
    autofree char *outside = below("outside");
    {
        with_helper h = start("influxd read", tsm, without_config, with_elsewhere);
        busy(&h, "000000001-000000001.tsm open:");
    }
    {
        with_helper h = start("map influxd", tsm, without_config, with_elsewhere);
        busy(&h, "000000001-000000001.tsm mapped:");
    }
    {
        with_helper h = start("influxd", paths.data, without_config, with_elsewhere);
        busy(&h, "/data open:");
    }
    with_helper h = start("influxd read", outside, without_config, with_elsewhere);
    quiet();
}

static void write_config(const char *rel, const char *meta, const char *data, const char *wal)
{
    autofree char *text = NULL;
    assert_true(asprintf(&text, "[meta]\n dir='%s'\n[data]\n dir='%s'\n wal-dir='%s'\n", meta, data,
                         wal) > 0);
    make_file(rel, text);
}

static void test_influxd_config(void **state)
{
    (void)state;
    autofree char *conf = below("influxdb.conf"), *flag = NULL, *var = NULL;
    assert_true(asprintf(&flag, "--config=%s", conf) > 0 &&
                asprintf(&var, "INFLUXDB_DATA_DIR=%s/.", paths.data) > 0);
    write_config("influxdb.conf", "/nowhere/m", "/nowhere/d", paths.wal);
    const char *const by_flag[] = {"run", flag, NULL};
    const char *const relative[] = {"-config", "influxdb.conf", NULL};
    const char *const by_env[] = {"INFLUXDB_CONFIG_PATH=influxdb.conf", NULL};
    {
        with_helper h = start("influxd", NULL, by_flag, NULL);
        busy(&h, "runs on the wal folder");
    }
    {
        with_helper h = start("influxd", NULL, relative, NULL);
        busy(&h, "runs on the wal folder");
    }
    {
        with_helper h = start("influxd", NULL, NULL, by_env);
        busy(&h, "runs on the wal folder");
    }
    {
        const char *const args[] = {"-config", "/dev/null", NULL}, *const env[] = {
                                                                       var, "HOME=/nowhere", NULL};
        with_helper h = start("influxd", NULL, args, env);
        busy(&h, "runs on the data folder");
    }
    /* Another command, other folders, and programs that only mention the file. */
    const char *const command[] = {"backup", "-config", "influxdb.conf", NULL};
    with_helper a = start("influxd", NULL, command, NULL);
    with_helper b = start("influxd", NULL, relative, with_elsewhere);
    with_helper c = start("read", NULL, relative, NULL);
    quiet();
}

static void test_home(void **state)
{
    (void)state;
    autofree char *home = NULL;
    assert_true(asprintf(&home, "HOME=%s", root) > 0);
    const char *const env[] = {home, NULL};
    write_config(".influxdb/influxdb.conf", "/nowhere/m", paths.data, "/nowhere/w");
    {
        with_helper h = start("influxd", NULL, NULL, env);
        busy(&h, "runs on the data folder");
    }
    make_file(".influxdb/data/x", "");
    store_paths_free(&paths);
    paths = (struct store_paths){below(".influxdb/meta"), below(".influxdb/data"),
                                 below(".influxdb/wal"), NULL};
    with_helper h = start("influxd", NULL, without_config, env);
    busy(&h, "settings without a file");
}

static void test_missing_folders(void **state)
{
    (void)state;
    write_config("influxdb.conf", paths.meta, paths.data, paths.wal);
    const char *const args[] = {"-config", "influxdb.conf", NULL};
    with_helper h = start("influxd", NULL, args, NULL);
    wipe(paths.meta);
    wipe(paths.data);
    wipe(paths.wal);
    busy(&h, "runs on the meta folder"); /* wiped beneath it */
}

static void test_unknown(void **state)
{
    (void)state;
    const char *const args[] = {"-config", "gone.conf", NULL};
    {
        with_helper h = start("influxd", NULL, args, NULL);
        busy(&h, "cannot be told");
    }
    {
        with_helper h = start("influxd", NULL, args, with_elsewhere);
        quiet(); /* the file does not matter then */
    }
    autofree char *bolt = below("influxd.bolt");
    make_file("influxd.bolt", "");
    with_helper h = start("influxd write", bolt, args, NULL);
    quiet(); /* InfluxDB 2.x */
}

static void test_zombie(void **state)
{
    (void)state;
    const char *const args[] = {"-config", "gone.conf", NULL};
    with_helper h = start("influxd", NULL, args, NULL);
    siginfo_t info;
    kill(h.pid, SIGKILL);
    assert_int_equal(waitid(P_PID, (id_t)h.pid, &info, WEXITED | WNOWAIT), 0);
    quiet();
}

static void test_mismatch(void **state)
{
    (void)state;
    struct err e = {0};
    autofree char *other = below("other"), *var = NULL;
    assert_true(asprintf(&var, "INFLUXDB_DATA_DIR=%s", other) > 0);
    write_config("influxdb.conf", paths.meta, paths.data, paths.wal);
    const char *const args[] = {"-config", "influxdb.conf", NULL}, *const env[] = {var, NULL};
    assert_int_equal(running_mismatch(&paths, NULL, &e), 0);
    with_helper h = start("influxd", NULL, args, env);
    assert_int_equal(running_mismatch(&paths, NULL, &e), 0); /* no file of ours to compare */
    paths.config = below("influxdb.conf");
    assert_int_equal(running_mismatch(&paths, NULL, &e), -EINVAL);
    if (!strstr(e.text, other) || !strstr(e.text, paths.data) || !strstr(e.text, "data=FOLDER"))
        fail_msg("%s", e.text);
    with_helper right = start("influxd", NULL, args, NULL);
    assert_int_equal(running_mismatch(&paths, NULL, &e), 0);
    helper_end(&right);
    helper_end(&h);
    const char *const elsewhere[] = {"-config", "../etc/influxdb.conf", NULL};
    with_helper third = start("influxd", NULL, elsewhere, env);
    assert_int_equal(running_mismatch(&paths, NULL, &e), 0);
}

static void *make_soon(void *arg)
{
    autofree char *path = below("made/meta");
    usleep(*(const unsigned *)arg);
    return mkdir(path, 0755) == 0 ? arg : NULL;
}

/* As an influxd that has just started makes them: once, and while it is looked at. */
static void test_folder_made_meanwhile(void **state)
{
    (void)state;
    struct err e = {0};
    autofree char *meta = below("made/meta");
    make_file("made/beside", "");
    write_config("influxdb.conf", meta, paths.data, paths.wal);
    const char *const args[] = {"-config", "influxdb.conf", NULL};
    with_helper h = start("influxd", NULL, args, NULL);
    paths.config = below("influxdb.conf");
    free(paths.meta);
    paths.meta = strdup(meta);
    for (unsigned i = 0, wait_us = 0; i < 60; i++, wait_us = wait_us * 7 % 4001 + 50) {
        pthread_t t;
        void *made;
        assert_int_equal(pthread_create(&t, NULL, make_soon, &wait_us), 0);
        int r = running_mismatch(&paths, NULL, &e);
        pthread_join(t, &made);
        assert_non_null(made);
        if (r < 0)
            fail_msg("%s", e.text);
        assert_int_equal(rmdir(meta), 0);
    }
}

static void others(int state, const char *word)
{
    struct err e = {0};
    assert_int_equal(seen_check(&paths, state, &e), -EINVAL);
    if (!strstr(e.text, word) || !strstr(e.text, paths.data))
        fail_msg("%s", e.text);
}

/* What was seen of it is known when it has stopped. */
static void test_seen(void **state)
{
    (void)state;
    struct err e = {0};
    autofree char *other = below("other");
    write_config("influxdb.conf", paths.meta, paths.data, paths.wal);
    const char *const args[] = {"-config", "influxdb.conf", NULL};
    const char *const env[] = {"INFLUXDB_DATA_DIR=other", NULL}; /* from its working folder */
    paths.config = below("influxdb.conf");
    assert_int_equal(seen_look(&paths, NULL, false, &e), 0); /* nobody, so no folder either */
    autofree char *folder = below("influxfs");
    assert_true(access(folder, F_OK) < 0);
    with_helper h = start("influxd", NULL, args, env);
    assert_int_equal(seen_look(&paths, NULL, false, &e), -EINVAL);
    helper_end(&h);
    assert_int_equal(seen_look(&paths, NULL, false, &e), 0);
    autoclose int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    others(fd, other);
    assert_int_equal(seen_check(&paths, -1, &e), 0);
    /* It is moved to what the file says: that it ran there is what counts from then on. */
    with_helper right = start("influxd", NULL, args, NULL);
    assert_int_equal(seen_check(&paths, fd, &e), 0);
    helper_end(&right);
    assert_int_equal(seen_check(&paths, fd, &e), 0);
    /* And back, while a mount looks; another file is another matter. */
    with_helper again = start("influxd", NULL, args, env);
    others(fd, "folder is other,");
    helper_end(&again);
    others(fd, other);
    free(paths.config);
    paths.config = below("meta/meta.db");
    assert_int_equal(seen_check(&paths, fd, &e), 0);
    free(paths.config);
    paths.config = NULL;
    assert_int_equal(seen_check(&paths, fd, &e), 0);
}

/* What is in the file may be anything. */
static void test_seen_damaged(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "{",
                                        "[]",
                                        "null",
                                        "{\"meta\":1}",
                                        "{\"config\":\"/c\",\"meta\":\"m\",\"data\":\"/d\"}"};
    autofree char *folder = below("influxfs");
    write_config("influxdb.conf", paths.meta, paths.data, paths.wal);
    paths.config = below("influxdb.conf");
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct err e = {0};
        make_file("influxfs/influxd.json", texts[i]);
        autoclose int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(seen_check(&paths, fd, &e), 0);
    }
}

int main(void)
{
    char *order = getenv("TEST_HELPER");
    if (order)
        return help(order);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_writers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_influxd_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_influxd_config, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_home, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing_folders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_zombie, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mismatch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_folder_made_meanwhile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_seen_damaged, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
