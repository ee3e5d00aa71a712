/* SPDX-License-Identifier: MIT */
#include "mount-helper/launch.h"

#include "store/base/cleanup.h"
#include "store/base/path.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static char *launch_find_influxfs(void)
{
    static const char *const places[] = {"influxfs", "../bin/influxfs", "/usr/local/bin/influxfs",
                                         "/usr/bin/influxfs"};
    autofree char *own = realpath("/proc/self/exe", NULL);
    if (own)
        path_up(own);
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        bool fixed = *places[i] == '/';
        if (!fixed && !own)
            continue;
        autofree char *path = fixed ? strdup(places[i]) : path_join(own, places[i]);
        autofree char *real = path ? realpath(path, NULL) : NULL;
        if (real && access(real, X_OK) == 0)
            return steal_ptr(&real);
    }
    return NULL;
}

/* Passes signals on to influxfs, and waits for its end. */
static int launch_wait(pid_t pid, const sigset_t *watched, int *status, bool *interrupted)
{
    for (;;) {
        pid_t ended = waitpid(pid, status, WNOHANG);
        if (ended != 0)
            return ended < 0 ? -errno : 0;
        int number = sigwaitinfo(watched, NULL);
        if (number < 0 || number == SIGCHLD)
            continue;
        *interrupted = true;
        kill(pid, SIGTERM);
    }
}

/* influxfs itself has said why it exits with 1 or 2. */
static enum launch_exit launch_exit_of(int status, bool interrupted, struct err *e)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
        return LAUNCH_DONE;
    if (interrupted) {
        err_set(e, 0, "interrupted");
        return LAUNCH_INTERRUPTED;
    }
    if (WIFSIGNALED(status)) {
        err_set(e, 0, "influxfs was killed by signal %d (%s)", WTERMSIG(status),
                strsignal(WTERMSIG(status)));
        return LAUNCH_FAILED;
    }
    if (WEXITSTATUS(status) <= 2)
        return WEXITSTATUS(status) == 2 ? LAUNCH_USAGE : LAUNCH_FAILED;
    err_set(e, 0, "influxfs exited with %d, which it never should", WEXITSTATUS(status));
    return LAUNCH_BUG;
}

/* What ends influxfs before it mounts, unless it was ignored from the start, as nohup(1) has it. */
static void launch_watch(sigset_t *watched)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction now;
    sigemptyset(watched);
    sigaddset(watched, SIGCHLD);
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        if (sigaction(ends[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaddset(watched, ends[i]);
}

/* influxfs goes to the background by itself: its first process exits with 0 when it has mounted. */
static enum launch_exit launch_run(char *const argv[], struct err *e)
{
    extern char **environ;
    posix_spawnattr_t attr;
    sigset_t watched, before;
    pid_t pid;
    int status = 0;
    bool interrupted = false;
    signal(SIGCHLD, SIG_DFL); /* inherited as ignored, it would hide the end of influxfs */
    launch_watch(&watched);
    sigprocmask(SIG_BLOCK, &watched, &before);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &before);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    int r = -posix_spawn(&pid, argv[0], NULL, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    if (r == 0)
        r = launch_wait(pid, &watched, &status, &interrupted);
    if (r == 0)
        return launch_exit_of(status, interrupted, e);
    err_sys(e, r, "%s", argv[0]);
    return LAUNCH_SYSTEM;
}

enum launch_exit launch(const char *options, const char *store, const char *folder, bool verbose,
                        struct err *e)
{
    autofree char *program = launch_find_influxfs();
    if (!program) {
        err_set(e, 0,
                "influxfs is neither beside this program, nor in ../bin, /usr/local/bin or "
                "/usr/bin");
        return LAUNCH_SYSTEM;
    }
    const char *argv[7] = {program};
    size_t n = 1;
    if (*options) {
        argv[n++] = "-o";
        argv[n++] = options;
    }
    argv[n++] = "--"; /* a name may begin with a dash */
    argv[n++] = store;
    argv[n] = folder;
    for (size_t i = 0; verbose && i <= n; i++)
        printf("%s%s", i == 0 ? "mount.influxfs: " : " ", argv[i]);
    if (verbose)
        puts("");
    fflush(stdout);
    return launch_run((char *const *)argv, e);
}
