/* SPDX-License-Identifier: MIT */
/* fetch_writer: what it has been given is in the file, or there is no file, and the caller hears why; and
 * its process keeps nothing of the caller's. */
#include "mount-helper/nightly/fetch_writer.h"

#include "store/base/cleanup.h"
#include "store/influxsnap/snap.h"
#include "tests/unit/wipe.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE 200000

static char folder[256], path[300];
static char data[SIZE];

static int setup(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%s/influxfs-writer.XXXXXX", base ? base : "/tmp");
    snprintf(path, sizeof(path), "%s/file", mkdtemp(folder));
    memset(data, 'x', sizeof(data));
    snap_catch_signals();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return wipe(folder);
}

static struct fetch_writer *begun(void)
{
    struct fetch_writer *w = NULL;
    assert_int_equal(fetch_writer_start(path, &w), 0);
    assert_int_equal(fetch_writer_put(w, data, sizeof(data)), 0);
    return w;
}

static void whole(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(fetch_writer_end(begun(), true), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, SIZE);
}

static void not_whole(void **state)
{
    (void)state;
    assert_int_equal(fetch_writer_end(begun(), false), -EPIPE);
    assert_int_equal(access(path, F_OK), -1);
}

static void file_that_cannot_be(void **state)
{
    (void)state;
    struct fetch_writer *w = NULL;
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(fetch_writer_start(path, &w), 0);
    fetch_writer_put(w, data, sizeof(data));
    assert_int_equal(fetch_writer_end(w, true), -EISDIR);
    assert_int_equal(rmdir(path), 0);
}

/* What reads this pipe is at its end as soon as the caller has gone, whatever the writer waits for. */
static void keeps_nothing(void **state)
{
    (void)state;
    int ends[2];
    char c;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    autoclose int below = ends[0];
    struct fetch_writer *w = begun();
    close(ends[1]);
    alarm(60);
    assert_int_equal(read(below, &c, 1), 0);
    alarm(0);
    assert_int_equal(fetch_writer_end(w, true), 0);
}

/* A signal after the last piece; the last of the tests, for it is not forgotten. */
static void told_to_stop(void **state)
{
    (void)state;
    struct fetch_writer *w = begun();
    raise(SIGTERM);
    assert_int_equal(fetch_writer_end(w, true), -EINTR);
    assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(not_whole),
        cmocka_unit_test(file_that_cannot_be),
        cmocka_unit_test(keeps_nothing),
        cmocka_unit_test(told_to_stop),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
