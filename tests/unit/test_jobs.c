/* SPDX-License-Identifier: MIT */
/* jobs, joblock: how nightly jobs ended is remembered, and one at a time is at work, whatever became of
 * the one before it. */
#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/time.h"
#include "store/program/joblock.h"
#include "tests/unit/wipe.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

static char folder[256];

static int setup(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%s/influxfs-jobs.XXXXXX", base ? base : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return wipe(folder);
}

static void add(enum job_kind kind, enum history_result result, int64_t ended_ns, const char *day,
                const char *text)
{
    struct err e = {0};
    const struct job_end end = {.result = result,
                                .code = result == HISTORY_FAILED ? 4 : 0,
                                .began_ns = ended_ns - 7,
                                .ended_ns = ended_ns,
                                .day = (char *)day,
                                .remote = (char *)"swift:",
                                .bytes = UINT64_C(1) << 60,
                                .objects = 3,
                                .text = (char *)text};
    assert_int_equal(jobs_add(folder, kind, &end, &e), 0);
}

/* The caller clears it. */
static struct jobs look(void)
{
    struct jobs j;
    struct err e = {0};
    assert_int_equal(jobs_read(folder, &j, &e), 0);
    return j;
}

static void nothing_yet(void **state)
{
    (void)state;
    struct jobs j = look();
    for (int k = 0; k < JOB_KINDS; k++)
        assert_true(j.of[k].last.ended_ns == 0 && j.of[k].good_ns == 0 && !j.of[k].good_day);
    jobs_clear(&j);
}

static void read_back(void **state)
{
    (void)state;
    add(JOB_FETCH, HISTORY_OMISSIONS, 1000, "2016-06-10", "the day before");
    add(JOB_FETCH, HISTORY_FAILED, 2000, "2016-06-11", "a \"b\"\n\xff");
    struct jobs j = look();
    const struct job_end *last = &j.of[JOB_FETCH].last;
    assert_int_equal(last->result, HISTORY_FAILED);
    assert_int_equal(last->code, 4);
    assert_true(last->began_ns == 1993 && last->ended_ns == 2000);
    assert_true(last->bytes == UINT64_C(1) << 60 && last->objects == 3);
    assert_string_equal(last->day, "2016-06-11");
    assert_string_equal(last->remote, "swift:");
    assert_string_equal(last->text, "a \"b\"\n\xef\xbf\xbd");
    assert_true(j.of[JOB_FETCH].good_ns == 1000);
    assert_string_equal(j.of[JOB_FETCH].good_day, "2016-06-10");
    assert_int_equal(j.of[JOB_FETCH].total[HISTORY_FAILED], 1);
    assert_int_equal(j.of[JOB_FETCH].total[HISTORY_OMISSIONS], 1);
    assert_true(j.of[JOB_ARCHIVE].last.ended_ns == 0);
    jobs_clear(&j);
    add(JOB_FETCH, HISTORY_DONE, 3000, "2016-06-12", NULL);
    j = look();
    assert_null(j.of[JOB_FETCH].last.text);
    assert_string_equal(j.of[JOB_FETCH].good_day, "2016-06-12");
    jobs_clear(&j);
}

static size_t slurp(char text[8192])
{
    char path[300];
    snprintf(path, sizeof(path), "%s/" JOBS_FILE, folder);
    FILE *f = fopen(path, "r");
    size_t n = fread(text, 1, 8191, f);
    text[n] = 0;
    fclose(f);
    return n;
}

static void put(const char *text, size_t n)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/" JOBS_FILE, folder);
    FILE *f = fopen(path, "w");
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
}

static void expect_damaged(void)
{
    struct jobs j;
    struct err e = {0};
    assert_int_equal(jobs_read(folder, &j, &e), -EBADMSG);
    assert_non_null(strstr(e.text, JOBS_FILE " is damaged"));
    assert_true(j.of[JOB_DUMP].good_ns == 0 && !j.of[JOB_DUMP].last.day);
}

static void damaged(void **state)
{
    (void)state;
    char good[8192];
    static const char *const keys[] = {"\"dump\":{", "\"result\":\"", "\"code\":0",
                                       "\"day\":\"", "\"objects\":",  "\"last\":{",
                                       "\"good\":{", "\"failed\":0"};
    add(JOB_DUMP, HISTORY_DONE, 1, "2016-06-11", NULL);
    const size_t n = slurp(good);
    for (size_t cut = 0; cut < n - 1; cut++) {
        put(good, cut);
        expect_damaged();
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        char bad[8192 + 16];
        const char *at = strstr(strstr(good, "\"dump\""), keys[i]);
        assert_non_null(at);
        const size_t to = (size_t)(strchr(at, ':') + 1 - good);
        int len = snprintf(bad, sizeof(bad), "%.*s[], \"was\":%s", (int)to, good, good + to);
        put(bad, (size_t)len);
        expect_damaged();
    }
    add(JOB_DUMP, HISTORY_DONE, 2, "2016-06-12", NULL);
    struct jobs j = look();
    assert_int_equal(j.of[JOB_DUMP].total[HISTORY_DONE], 1);
    jobs_clear(&j);
}

static void not_writable(void **state)
{
    (void)state;
    struct err e = {0};
    const struct job_end end = {.ended_ns = 1};
    char path[300];
    snprintf(path, sizeof(path), "%s/" JOBS_FILE ".tmp", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(jobs_add(folder, JOB_DUMP, &end, &e) < 0);
    assert_non_null(strstr(e.text, folder));
    assert_int_equal(wipe(folder), 0);
    assert_int_equal(jobs_add(folder, JOB_DUMP, &end, &e), -ENOENT);
    int lock;
    assert_int_equal(joblock_take(folder, JOB_DUMP, 0, NULL, NULL, &lock, &e), -ENOENT);
}

/* The lock */

static struct job_now now(void)
{
    struct job_now n;
    struct err e = {0};
    assert_int_equal(joblock_look(folder, &n, &e), 0);
    return n;
}

/* A process that has the lock, and hangs. */
static pid_t holder(void)
{
    int ready[2], lock;
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (joblock_take(folder, JOB_ARCHIVE, 0, NULL, NULL, &lock, NULL) < 0)
            _exit(1);
        (void)!write(ready[1], "x", 1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void killed(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void one_at_a_time(void **state)
{
    (void)state;
    int lock;
    struct err e = {0};
    char process[32];
    assert_false(now().working);
    const pid_t pid = holder();
    snprintf(process, sizeof(process), "process %d;", (int)pid);
    for (int i = 0; i < 3; i++) { /* whoever looks takes nothing away */
        assert_true(now().working && now().known);
        assert_int_equal(now().kind, JOB_ARCHIVE);
        assert_int_equal(now().pid, pid);
        assert_true(time_wall_ns() - now().since_ns < 3600 * SECOND_NS);
        assert_int_equal(joblock_take(folder, JOB_DUMP, 0, NULL, NULL, &lock, &e), -EBUSY);
        assert_non_null(strstr(e.text, "influxfs-archive has been at work on this store since "));
        assert_non_null(strstr(e.text, process));
    }
    killed(pid);
    assert_false(now().working);
    assert_int_equal(joblock_take(folder, JOB_DUMP, 0, NULL, NULL, &lock, &e), 0);
    assert_int_equal(now().kind, JOB_DUMP);
    close(lock);
    assert_false(now().working);
}

static bool after_some(void *ctx)
{
    return ++*(int *)ctx > 2;
}

static bool kills_then(void *ctx)
{
    killed(*(pid_t *)ctx);
    return false;
}

static void waits(void **state)
{
    (void)state;
    int lock, asked = 0;
    struct err e = {0};
    pid_t pid = holder();
    const int64_t began = time_mono_ns();
    assert_int_equal(joblock_take(folder, JOB_DUMP, SECOND_NS / 4, NULL, NULL, &lock, &e), -EBUSY);
    assert_true(time_mono_ns() - began >= SECOND_NS / 4);
    assert_int_equal(joblock_take(folder, JOB_DUMP, DAY_NS, after_some, &asked, &lock, &e), -EINTR);
    assert_int_equal(joblock_take(folder, JOB_DUMP, DAY_NS, kills_then, &pid, &lock, &e), 0);
    close(lock);
}

/* What an editor left in the file, or a disk that was full. */
static void odd_text(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "?", "[]",
                                        "{\"job\":\"cook\",\"pid\":1,\"since_ns\":2}"};
    char path[300];
    int lock, other;
    struct err e = {0};
    snprintf(path, sizeof(path), "%s/jobs.lock", folder);
    assert_int_equal(joblock_take(folder, JOB_FETCH, 0, NULL, NULL, &lock, &e), 0);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        FILE *f = fopen(path, "w");
        fputs(texts[i], f);
        fclose(f);
        assert_true(now().working && !now().known);
        assert_int_equal(joblock_take(folder, JOB_DUMP, 0, NULL, NULL, &other, &e), -EBUSY);
        assert_non_null(strstr(e.text, "another job is at work"));
    }
    close(lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_yet, setup, teardown),
        cmocka_unit_test_setup_teardown(read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(not_writable, setup, teardown),
        cmocka_unit_test_setup_teardown(one_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(waits, setup, teardown),
        cmocka_unit_test_setup_teardown(odd_text, setup, teardown),
    };
    return cmocka_run_group_tests_name("jobs", tests, NULL, NULL);
}
