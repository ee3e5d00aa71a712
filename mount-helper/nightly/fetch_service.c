/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/fetch_service.h"

#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/influx/running.h"
#include "store/influxsnap/snap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#define SYSTEMCTL "systemctl"
#define GONE_NS (60 * SECOND_NS) /* for an influxd that its unit has let go of */
#define LOOK_US 50000

extern char **environ;

/* In a session of its own, so that what a terminal sends to this program does not end it half way; with
 * its signals as usual. Its words go to our standard error, unless out is a pipe for them. */
static int service_spawn(const char *verb, const char *unit, int out, pid_t *pid)
{
    char *const words[] = {(char *)SYSTEMCTL, (char *)verb, (char *)unit, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t usual;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawnattr_setsigdefault(&how, &usual);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    int r = posix_spawnp(pid, SYSTEMCTL, &files, &how, words, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    return -r;
}

/* Its exit code; -errno: it did not run to its end. */
static int service_wait(pid_t pid, const char *verb, const char *unit, struct err *e)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, -errno, SYSTEMCTL " %s %s", verb, unit);
    if (!WIFEXITED(status))
        return err_set(e, -EIO, SYSTEMCTL " %s %s was killed by signal %d", verb, unit,
                       WTERMSIG(status));
    return WEXITSTATUS(status);
}

static int service_tell(const char *verb, const char *unit, struct err *e)
{
    pid_t pid;
    int r = service_spawn(verb, unit, STDERR_FILENO, &pid);
    if (r < 0)
        return err_sys(e, r, SYSTEMCTL " %s %s", verb, unit);
    r = service_wait(pid, verb, unit, e);
    return r > 0 ? err_set(e, -EIO, SYSTEMCTL " %s %s failed, with exit code %d", verb, unit, r)
                 : r;
}

/* Also one that is being started, or waits for that: it would come up on half a restore. */
static int service_ask(const char *unit, bool *active, struct err *e)
{
    int ends[2];
    char state[64];
    size_t n = 0;
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(e, -errno, SYSTEMCTL " is-active %s", unit);
    int r = service_spawn("is-active", unit, ends[1], &pid);
    close(ends[1]);
    for (ssize_t k; r == 0 && n < sizeof(state) - 1; n += (size_t)k) {
        k = read(ends[0], state + n, sizeof(state) - 1 - n);
        if (k == 0)
            break;
        if (k < 0 && errno != EINTR)
            r = -errno;
        k = k < 0 ? 0 : k;
    }
    close(ends[0]);
    if (r < 0)
        return err_sys(e, r, SYSTEMCTL " is-active %s", unit);
    state[n] = 0;
    state[strcspn(state, "\n")] = 0;
    r = service_wait(pid, "is-active", unit, e);
    *active = strcmp(state, "inactive") != 0 && strcmp(state, "failed") != 0 &&
              strcmp(state, "unknown") != 0 && *state;
    return r < 0 ? r : 0;
}

static int service_wait_until_gone(const struct fetch_service *s, const struct store_paths *p,
                                   struct err *e)
{
    const int64_t deadline = time_mono_ns() + GONE_NS;
    struct err why = {0};
    for (;;) {
        if (snap_stopped(NULL))
            return err_set(e, -EINTR, "interrupted; the store is as it was");
        int r = running_forbids(p, &why);
        if (r != -EBUSY)
            return 0; /* the restore looks again */
        if (!s->was_active || time_mono_ns() > deadline)
            return err_set(e, r, "%s is stopped, but %s", s->unit, why.text);
        usleep(LOOK_US);
    }
}

int fetch_service_stop(struct fetch_service *s, const struct store_paths *p, struct err *e)
{
    bool active = false;
    int r = service_ask(s->unit, &active, e);
    if (r < 0)
        return r;
    s->was_active = active;
    if (active)
        snap_note("stopping %s", s->unit);
    r = service_tell("stop", s->unit, e); /* also one that does not run: the name may be wrong */
    return r < 0 ? r : service_wait_until_gone(s, p, e);
}

int fetch_service_start(struct fetch_service *s, struct err *e)
{
    if (!s->was_active)
        return 0;
    s->was_active = false;
    snap_note("starting %s", s->unit);
    return service_tell("start", s->unit, e);
}
