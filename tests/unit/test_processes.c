/* SPDX-License-Identifier: MIT */
/* processes: a process that starts another program, and cannot be looked at while it closes the files of
 * the old one, is left behind: at once where it asks us, and counts as gone; else in a while, and is known as
 * far as it was seen. Stand-ins for functions of the library wait as the kernel does. */
#include "store/base/cleanup.h"
#include "store/base/lock.h"
#include "store/base/time.h"
#include "store/influx/processes.h"
#include "store/influx/running.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static pid_t closing;  /* the process that closes its files; 0: none does */
static unsigned stuck; /* looks that wait for it */
static pid_t children[2];

/* Whether a folder of /proc, or one in it, is of that process. */
static bool is_closing(int dir)
{
    char folder[64], link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, folder, sizeof(folder) - 1);
    if (n < 0 || closing == 0)
        return false;
    folder[n] = 0;
    const int len = snprintf(link, sizeof(link), "/proc/%d", (int)closing);
    return strncmp(folder, link, (size_t)len) == 0 && (!folder[len] || folder[len] == '/');
}

static void wait_for_files(int dir)
{
    lock_scope(&lock);
    for (bool first = true; is_closing(dir); first = false) {
        stuck += first;
        pthread_cond_broadcast(&moved);
        pthread_cond_wait(&moved, &lock);
    }
}

ssize_t readlinkat(int dir, const char *restrict name, char *restrict buf, size_t size)
{
    if (strcmp(name, "exe") == 0)
        wait_for_files(dir);
    return syscall(SYS_readlinkat, dir, name, buf, size);
}

int statx(int dir, const char *restrict name, int flags, unsigned mask, struct statx *restrict out)
{
    wait_for_files(dir);
    return (int)syscall(SYS_statx, dir, name, flags, mask, out);
}

static void close_files(pid_t pid)
{
    lock_scope(&lock);
    closing = pid;
    stuck = 0;
    pthread_cond_broadcast(&moved);
}

static void until_stuck(void)
{
    lock_scope(&lock);
    while (stuck == 0)
        pthread_cond_wait(&moved, &lock);
}

static int begin(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            prctl(PR_SET_NAME, i == 1 ? "influxd" : "other");
            for (;;)
                pause();
        }
    }
    return children[0] < 0 || children[1] < 0;
}

static int end(void **state)
{
    (void)state;
    close_files(0);
    time_shift(0, 0);
    for (size_t i = 0; i < 2; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    return 0;
}

enum { GONE, IN_PART, WHOLE };

static unsigned how(const struct processes *p, pid_t pid)
{
    size_t i = 0;
    while (i < p->n && p->list[i].process.pid != pid)
        i++;
    return i == p->n ? GONE : p->list[i].error == -ETIMEDOUT ? IN_PART : WHOLE;
}

/* How the two children are seen: a digit each. */
static unsigned seen(void)
{
    cleanup(processes_free) struct processes all;
    assert_int_equal(processes_read(PROCESSES_FILES, &all), 0);
    assert_int_equal(how(&all, getpid()), GONE);
    return how(&all, children[0]) + 10 * how(&all, children[1]);
}

static void *see(void *arg)
{
    *(unsigned *)arg = seen();
    return NULL;
}

/* Looks that were left behind end some time after what they waited for. */
static void until_seen(unsigned which)
{
    while (seen() != which)
        usleep(1000);
}

/* What is seen by a look that is stuck at a child, when somebody asks, after so many seconds. */
static unsigned seen_while_stuck(pid_t child, struct process_away *asks, pid_t by, int64_t seconds)
{
    unsigned which = 0;
    pthread_t t;
    until_seen(22); /* they have their names */
    close_files(child);
    assert_int_equal(pthread_create(&t, NULL, see, &which), 0);
    until_stuck();
    time_shift(0, seconds * SECOND_NS);
    processes_asked_by(asks, by); /* wakes who waits */
    pthread_join(t, NULL);
    return which;
}

static void test_it_asks(void **state)
{
    struct process_away away;
    (void)state;
    assert_int_equal(seen_while_stuck(children[0], &away, children[0], 0), 20);
    assert_int_equal(seen(), 20);
    processes_answered(&away);
    assert_int_equal(seen(), 21); /* one look still waits for it */
    close_files(0);
    until_seen(22);
}

static void test_it_asks_others(void **state)
{
    struct process_away another;
    (void)state;
    const unsigned which = seen_while_stuck(children[0], &another, children[1], 11);
    assert_int_equal(which % 10, IN_PART);
    assert_int_equal(seen(), 1);
    processes_answered(&another);
    assert_int_equal(seen(), 21);
    close_files(0);
    until_seen(22);
}

/* It may use the store, whatever it waits for. */
static void test_an_influxd_is_known(void **state)
{
    const struct store_paths nowhere = {
        .meta = (char *)"/nowhere/m", .data = (char *)"/nowhere/d", .wal = (char *)"/nowhere/w"};
    struct process_away another;
    struct err e = {0};
    (void)state;
    const unsigned which = seen_while_stuck(children[1], &another, children[0], 11);
    processes_answered(&another);
    assert_int_equal(which / 10, IN_PART);
    assert_int_equal(running_forbids(&nowhere, &e), -EBUSY);
    assert_non_null(
        strstr(e.text, "it cannot be told (a look into it does not end): stop it first"));
    assert_int_equal(running_mismatch(&(struct store_paths){.config = (char *)"/dev/null",
                                                            .meta = nowhere.meta,
                                                            .data = nowhere.data,
                                                            .wal = nowhere.wal},
                                      NULL, &e),
                     0);
    close_files(0);
    until_seen(22);
}

/* Many look at once, each with a thread that is left behind. */
static void test_many_look(void **state)
{
    struct process_away away;
    unsigned which[8] = {0};
    pthread_t t[8];
    (void)state;
    close_files(children[0]);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&t[i], NULL, see, &which[i]), 0);
    until_stuck();
    processes_asked_by(&away, children[0]);
    for (size_t i = 0; i < 8; i++) {
        pthread_join(t[i], NULL);
        assert_int_equal(which[i], 20);
    }
    processes_answered(&away);
    close_files(0);
    until_seen(22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_asks, begin, end),
        cmocka_unit_test_setup_teardown(test_it_asks_others, begin, end),
        cmocka_unit_test_setup_teardown(test_an_influxd_is_known, begin, end),
        cmocka_unit_test_setup_teardown(test_many_look, begin, end),
    };
    return cmocka_run_group_tests_name("processes", tests, NULL, NULL);
}
