/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/fetch_service.h"

#include "mount-helper/nightly/fetch_stopped.h"
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
#define PARTING_NS (3 * SECOND_NS) /* for systemd to hear what is wanted */

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

/* How it ended: as waitpid(2). 0: this program is to stop, and it still waits for systemd. */
static pid_t service_reap(pid_t pid, int *status, bool starts)
{
    int64_t left = 0;
    for (;;) {
        const pid_t ended = waitpid(pid, status, starts ? WNOHANG : 0);
        if (ended > 0 || (ended < 0 && errno != EINTR))
            return ended;
        if (!starts)
            continue;
        if (snap_stopped(NULL) && !left)
            left = time_mono_ns() + PARTING_NS;
        if (left && time_mono_ns() > left)
            return 0;
        usleep(LOOK_US);
    }
}

/* Its exit code; -errno: it did not run to its end. systemd starts nothing that comes before a unit, such as
 * influxd, while it stops that one, such as this program: it has been told, and does so then. */
static int service_wait(pid_t pid, const char *verb, const char *unit, struct err *e)
{
    int status = 0;
    const pid_t ended = service_reap(pid, &status, strcmp(verb, "start") == 0);
    if (ended < 0)
        return err_sys(e, -errno, SYSTEMCTL " %s %s", verb, unit);
    if (ended == 0)
        snap_note("systemd has been told to start %s", unit);
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

/* Nothing is to be started that has no note: if that fails, only a kill in between is not mended. */
static void service_note(const struct fetch_service *s, const char *unit)
{
    struct err why = {0};
    if (s->state && fetch_stopped_note(s->state, unit, &why) < 0)
        snap_warn("%s; if this job is killed, start %s by hand", why.text, s->unit);
}

static void service_judge(struct fetch_service *s, bool active)
{
    s->was_active = active || (s->state && fetch_stopped_is(s->state, s->unit));
    if (active)
        snap_note("stopping %s", s->unit);
    else if (s->was_active)
        snap_warn("%s was left stopped by a fetch before this one: it is started after this one",
                  s->unit);
    else
        snap_note("%s is not active, and is not started afterwards", s->unit);
}

bool fetch_service_is_unit(const char *unit)
{
    return *unit && *unit != '-' && !unit[strcspn(unit, "*?[]/ \t\n")];
}

int fetch_service_stop(struct fetch_service *s, const struct store_paths *p, struct err *e)
{
    bool active = false;
    int r = service_ask(s->unit, &active, e);
    if (r < 0)
        return r;
    service_judge(s, active);
    if (active)
        service_note(s, s->unit);
    r = service_tell("stop", s->unit, e); /* also one that does not run: the name may be wrong */
    return r < 0 ? r : service_wait_until_gone(s, p, e);
}

int fetch_service_start(struct fetch_service *s, struct err *e)
{
    if (!s->was_active)
        return 0;
    s->was_active = false;
    snap_note("starting %s", s->unit);
    const int r = service_tell("start", s->unit, e);
    if (r == 0)
        service_note(s, NULL);
    return r;
}
