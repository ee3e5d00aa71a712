/* SPDX-License-Identifier: MIT */
/* remote: rclone, and we, ended by signals: in processes of their own, since what was stopped stays so. */
#include "mount-helper/nightly/putting.h"
#include "mount-helper/nightly/remote_internal.h"
#include "tests/unit/fake_rclone.h"

#include <signal.h>
#include <sys/wait.h>

static void wait_for(const char *name)
{
    const int64_t end = time_mono_ns() + PATIENCE;
    while (!is_there(name)) {
        assert_true(time_mono_ns() < end);
        usleep(10000);
    }
}

static void assert_gone(const char *pid_file)
{
    const int64_t end = time_mono_ns() + PATIENCE;
    const pid_t pid = (pid_t)number_in(pid_file);
    char path[64], line[256], state = 'Z';
    do {
        usleep(10000);
        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        FILE *f = fopen(path, "r");
        if (!f)
            return;
        if (fgets(line, sizeof(line), f))
            state = strrchr(line, ')')[2];
        fclose(f);
        assert_true(time_mono_ns() < end);
    } while (state != 'Z'); /* without us, whoever adopts it may let it stay so */
}

/* One that reads whatever comes, in the shell itself, and says when that ends. */
#define READS                                                                                      \
    "while read -r x; do :; done\n"                                                                \
    "echo >$d/committed"

/* An upload by that body; of an object that is removed it tells. */
static pid_t start_put(const char *body, int64_t grace)
{
    char script[1024];
    snprintf(script, sizeof(script), "[ $1 = deletefile ] && { echo >$d/removed; exit; }\n%s",
             body);
    struct remote *r = opened(script);
    r->times.grace = grace;
    unlink(in_home("pid"));
    unlink(in_home("removed"));
    const pid_t pid = fork();
    if (pid == 0) {
        struct bytes b = {.n = UINT64_MAX - 1};
        const struct remote_source s = {read_bytes, &b, REMOTE_SIZE_UNKNOWN};
        const struct putting p = {.remote = r};
        struct put_object o;
        struct err e = {0};
        snap_catch_signals();
        const int code = putting_object(&p, "c", "x", &s, &o, &e);
        _exit(code == -EINTR ? 42 : 1);
    }
    assert_true(pid > 0);
    remote_close(r);
    wait_for("pid");
    return pid;
}

static void test_stopped(void **arg)
{
    (void)arg;
    int status;
    const pid_t pid = start_put("echo $$ >$d/pid.new; mv $d/pid.new $d/pid\n" READS, PATIENCE);
    kill(pid, SIGINT);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
    assert_gone("pid");
    assert_false(is_there("committed"));
    assert_true(is_there("removed")); /* though it was asked to stop */
}

/* One that will not end is killed. */
static void test_stopped_in_vain(void **arg)
{
    (void)arg;
    int status;
    const pid_t pid = start_put(
        "trap '' TERM INT; echo $$ >$d/pid.new; mv $d/pid.new $d/pid\nsleep 1000", SECOND_NS / 5);
    kill(pid, SIGTERM);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 42);
    assert_gone("pid");
}

/* rclone ends well while we are stopped, and what it has printed is still to be read: that is not all. */
static void test_stopped_before_its_end(void **arg)
{
    (void)arg;
    struct remote *r = opened("kill -STOP $PPID; printf '[\\n'; "
                              "(sleep 0.1; kill -TERM $PPID; kill -CONT $PPID) >&- 2>&- &");
    for (int i = 0; i < 2; i++) {
        const pid_t pid = fork();
        if (pid == 0) {
            struct remote_list l;
            struct buffer b = {0};
            struct err e = {0};
            snap_catch_signals();
            const int code = i ? remote_list(r, "c", &l, &e) : remote_get(r, "c/x", 9, &b, &e);
            _exit(code == -EINTR && strstr(e.text, "asked to stop") ? 42 : 1);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), 42);
    }
    remote_close(r);
}

static void test_we_are_killed(void **arg)
{
    (void)arg;
    int status;
    const pid_t pid = start_put("echo $$ >$d/pid.new; mv $d/pid.new $d/pid\n" READS, PATIENCE);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_gone("pid");
    assert_false(is_there("committed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_stopped_in_vain),
        cmocka_unit_test(test_stopped_before_its_end),
        cmocka_unit_test(test_we_are_killed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
