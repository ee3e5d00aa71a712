/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/hooks.h"

#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/influxsnap/snap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define PREFIX "INFLUXFS_"
#define OURS 5 /* variables */
#define POLL_US 20000
#define KILL_NS (5 * SECOND_NS)

/* The environment of a hook: ours, and all else that this program has. */
struct hooks_env {
    char *ours[OURS];
    char **all; /* NULL-terminated */
};

static void hooks_env_clear(struct hooks_env *env)
{
    for (int i = 0; i < OURS; i++)
        free(env->ours[i]);
    free((void *)env->all);
}

static bool hooks_is_ours(const char *variable)
{
    static const char *const names[OURS] = {"JOB=", "DAY=", "RESULT=", "EXIT=", "TEXT="};
    if (strncmp(variable, PREFIX, strlen(PREFIX)) != 0)
        return false;
    for (int i = 0; i < OURS; i++)
        if (strncmp(variable + strlen(PREFIX), names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static int hooks_env_make(const struct hooks_about *a, struct hooks_env *env)
{
    size_t n = 0, of_all = 0;
    const struct job_end *end = a->end;
    *env = (struct hooks_env){0};
    bool good = asprintf(&env->ours[0], PREFIX "JOB=%s", job_kind_names[a->kind]) > 0 &&
                asprintf(&env->ours[1], PREFIX "DAY=%s", a->day) > 0;
    if (good && a->result)
        good = asprintf(&env->ours[2], PREFIX "RESULT=%s", a->result) > 0;
    if (good && end)
        good = asprintf(&env->ours[3], PREFIX "EXIT=%d", end->code) > 0 &&
               asprintf(&env->ours[4], PREFIX "TEXT=%s", end->text ? end->text : "") > 0;
    while (environ && environ[of_all])
        of_all++;
    env->all = good ? calloc(of_all + OURS + 1, sizeof(*env->all)) : NULL;
    if (!env->all)
        return -ENOMEM;
    for (size_t i = 0; i < of_all; i++)
        if (!hooks_is_ours(environ[i]))
            env->all[n++] = environ[i];
    for (int i = 0; i < OURS; i++)
        if (env->ours[i])
            env->all[n++] = env->ours[i];
    return 0;
}

/* In a group of processes of its own, so that all of it can be ended. What this program ignores would
 * stay ignored: SIGPIPE must not. */
static int hooks_start(const char *command, char **env, pid_t *out)
{
    char *const argv[] = {(char *)"sh", (char *)"-c", (char *)command, NULL};
    posix_spawnattr_t attr;
    posix_spawn_file_actions_t files;
    sigset_t usual;
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigdefault(&attr, &usual);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, 2, 1);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    int r = -posix_spawn(out, "/bin/sh", &files, &attr, argv, env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    return r;
}

/* Waits until it ends, or until the deadline: false. */
static bool hooks_ended(pid_t pid, int64_t until, int signals, int *status)
{
    while (waitpid(pid, status, WNOHANG) == 0) {
        if (time_mono_ns() >= until || snap_signals() != signals)
            return false;
        usleep(POLL_US);
    }
    return true;
}

static void hooks_kill(pid_t pid)
{
    int status;
    kill(-pid, SIGTERM);
    const bool ended = hooks_ended(pid, time_mono_ns() + KILL_NS, snap_signals(), &status);
    kill(-pid, SIGKILL); /* also those of its group that have outlived it */
    if (!ended)
        waitpid(pid, &status, 0);
}

int hooks_run(const char *command, const struct hooks_about *about, struct err *e)
{
    pid_t pid = 0;
    int status = 0;
    cleanup(hooks_env_clear) struct hooks_env env;
    snap_catch_signals();
    const int signals = snap_signals();
    int r = hooks_env_make(about, &env);
    if (r == 0)
        r = hooks_start(command, env.all, &pid);
    if (r < 0)
        return err_sys(e, r, "%s", command);
    if (!hooks_ended(pid, INT64_MAX, signals, &status)) {
        hooks_kill(pid);
        return err_set(e, -EINTR, "%s: interrupted", command);
    }
    if (WIFSIGNALED(status))
        return err_set(e, -ECHILD, "%s: ended by signal %d", command, WTERMSIG(status));
    if (WEXITSTATUS(status))
        return err_set(e, -ECHILD, "%s: exit code %d", command, WEXITSTATUS(status));
    return 0;
}
