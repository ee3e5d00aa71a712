/* SPDX-License-Identifier: MIT */
/* hooks: commands of the operator's know what they may want to know, get nothing else, and end when
 * they must. */
#include "mount-helper/nightly/hooks.h"

#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/influxsnap/snap.h"
#include "tests/unit/wipe.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

static char folder[256];

static int setup(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%s/influxfs-hooks.XXXXXX", base ? base : "/tmp");
    return mkdtemp(folder) && setenv("FOLDER", folder, 1) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return wipe(folder);
}

static struct hooks_about about = {.kind = JOB_FETCH, .day = "2016-06-11"};

static void expect(const char *command, int code, const char *text)
{
    struct err e = {0};
    const int r = hooks_run(command, &about, &e);
    if (r != code || (text && !strstr(e.text, text)))
        fail_msg("%s: %d, %s", command, r, e.text);
}

static void verdicts(void **state)
{
    (void)state;
    expect("true", 0, NULL);
    expect("exit 3", -ECHILD, "exit 3: exit code 3");
    expect("kill -9 $$", -ECHILD, "ended by signal 9");
    expect("/no/such/program", -ECHILD, "exit code 127");
}

static void environment(void **state)
{
    (void)state;
    const struct job_end end = {.code = 4, .text = (char *)"a 'b' $(touch $FOLDER/evil)\xff"};
    setenv("INFLUXFS_RESULT", "of another job", 1);
    setenv("INFLUXFS_OTHER", "kept", 1);
    expect("test $INFLUXFS_JOB,$INFLUXFS_DAY = fetch,2016-06-11 && "
           "test -z \"${INFLUXFS_RESULT+x}${INFLUXFS_EXIT+x}${INFLUXFS_TEXT+x}\" && "
           "test $INFLUXFS_OTHER = kept",
           0, NULL);
    about.result = "/x y/jobs.json";
    about.end = &end;
    expect("test \"$INFLUXFS_RESULT\" = '/x y/jobs.json' && test $INFLUXFS_EXIT = 4 && "
           "printf %s \"$INFLUXFS_TEXT\" >$FOLDER/text && test ! -e $FOLDER/evil",
           0, NULL);
    about.result = NULL;
    about.end = NULL;
    unsetenv("INFLUXFS_RESULT");
    char path[300], text[64] = "";
    snprintf(path, sizeof(path), "%s/text", folder);
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    assert_string_equal(text, end.text);
}

/* SIGPIPE, which the program ignores, ends a pipeline of the hook as it does in any shell. */
static void nothing_else(void **state)
{
    (void)state;
    int pair[2];
    char command[128];
    assert_int_equal(pipe(pair), 0);
    snprintf(command, sizeof(command), "test ! -e /proc/$$/fd/%d && ! read word", pair[1]);
    expect(command, 0, NULL);
    close(pair[0]);
    close(pair[1]);
    expect("(yes; echo $? >$FOLDER/yes) | true; test $(cat $FOLDER/yes) = 141", 0, NULL);
}

static void output(void **state)
{
    (void)state;
    char text[64] = "";
    int pair[2], was = dup(2);
    assert_int_equal(pipe(pair), 0);
    dup2(pair[1], 2);
    expect("echo out; echo err >&2", 0, NULL);
    dup2(was, 2);
    close(was);
    close(pair[1]);
    assert_true(read(pair[0], text, sizeof(text) - 1) > 0);
    close(pair[0]);
    assert_string_equal(text, "out\nerr\n");
}

/* A process that sends this one a signal once the hook has made the file. */
static pid_t sender(void)
{
    const pid_t to = getpid(), pid = fork();
    char path[300];
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(path, sizeof(path), "%s/hangs", folder);
    while (access(path, F_OK) != 0)
        usleep(10000);
    kill(to, SIGTERM);
    _exit(0);
}

static bool is_gone(pid_t pid)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || strstr(text, ") Z ");
}

/* Each signal ends the hook that runs then, with what that has started; the next hook runs. */
static void interrupted(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        const int signals = snap_signals();
        char path[300], text[32] = "";
        const pid_t pid = sender();
        expect("sleep 1000 & echo $! >$FOLDER/pid; touch $FOLDER/hangs; wait", -EINTR,
               "interrupted");
        assert_int_equal(snap_signals(), signals + 1);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        snprintf(path, sizeof(path), "%s/pid", folder);
        autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(read(fd, text, sizeof(text) - 1) > 0);
        for (int64_t began = time_mono_ns(); !is_gone(atoi(text)); usleep(10000))
            assert_true(time_mono_ns() - began < 60 * SECOND_NS);
        expect("rm $FOLDER/hangs; sleep 0.2", 0, NULL);
    }
}

static void deaf(void **state)
{
    (void)state;
    const int64_t began = time_mono_ns();
    const pid_t pid = sender();
    expect("trap '' TERM; touch $FOLDER/hangs; while :; do sleep 1; done", -EINTR, NULL);
    assert_true(time_mono_ns() - began >= 5 * SECOND_NS);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(verdicts, setup, teardown),
        cmocka_unit_test_setup_teardown(environment, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_else, setup, teardown),
        cmocka_unit_test_setup_teardown(output, setup, teardown),
        cmocka_unit_test_setup_teardown(interrupted, setup, teardown),
        cmocka_unit_test_setup_teardown(deaf, setup, teardown),
    };
    snap_catch_signals();
    return cmocka_run_group_tests_name("hooks", tests, NULL, NULL);
}
