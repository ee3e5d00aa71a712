/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/fetch_systemctl.h"

#include "store/base/time.h"
#include "store/influxsnap/snap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYSTEMCTL "systemctl"
#define BOOTED "/run/systemd/system"
#define LOOK_US 50000
#define PARTING_NS (3 * SECOND_NS) /* for systemd to hear what is wanted */
#define UNIT_MAX 255               /* bytes of a unit's name: systemd.unit(5) */

bool systemctl_here(void)
{
    return access(BOOTED, F_OK) == 0;
}

bool systemctl_is_unit(const char *unit)
{
    static const char chars[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@";
    const size_t n = strlen(unit);
    return n && n <= UNIT_MAX && *unit != '-' && strspn(unit, chars) == n;
}

/* In a session of its own, so that what a terminal sends to this program does not end it half way; with
 * its signals as usual. Its words go to our standard error, unless out is a pipe for them. */
static int systemctl_spawn(const char *verb, const char *option, const char *unit, int out,
                           pid_t *pid)
{
    char *const words[] = {(char *)SYSTEMCTL, (char *)verb, (char *)(option ? option : unit),
                           (char *)(option ? unit : NULL), NULL};
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

/* As waitpid(2); 0: this program was told to stop, and systemd, which starts, takes its time. */
static pid_t systemctl_reap(pid_t pid, int *status, bool starts)
{
    int64_t until = 0;
    for (;;) {
        const pid_t ended = waitpid(pid, status, starts ? WNOHANG : 0);
        if (ended > 0 || (ended < 0 && errno != EINTR))
            return ended;
        if (!starts)
            continue;
        if (snap_stopped(NULL) && !until)
            until = time_mono_ns() + PARTING_NS;
        if (until && time_mono_ns() > until)
            return 0;
        usleep(LOOK_US);
    }
}

/* Its exit code; -errno: it did not run to its end. */
static int systemctl_wait(pid_t pid, const char *verb, const char *unit, struct err *e)
{
    int status = 0;
    const pid_t ended = systemctl_reap(pid, &status, strcmp(verb, "start") == 0);
    if (ended < 0)
        return err_sys(e, -errno, SYSTEMCTL " %s %s", verb, unit);
    if (ended == 0)
        snap_note("systemd has been told to start %s", unit);
    if (!WIFEXITED(status))
        return err_set(e, -EIO, SYSTEMCTL " %s %s was killed by signal %d", verb, unit,
                       WTERMSIG(status));
    return WEXITSTATUS(status);
}

int systemctl_tell(const char *verb, const char *option, const char *unit, struct err *e)
{
    pid_t pid;
    int r = systemctl_spawn(verb, option, unit, STDERR_FILENO, &pid);
    if (r < 0)
        return err_sys(e, r, SYSTEMCTL " %s %s", verb, unit);
    r = systemctl_wait(pid, verb, unit, e);
    return r > 0 ? err_set(e, -EIO, SYSTEMCTL " %s %s failed, with exit code %d", verb, unit, r)
                 : r;
}

/* Up to its end; what does not fit is dropped. */
static int systemctl_hear(int fd, char *out, size_t room)
{
    char rest[512];
    size_t n = 0;
    for (;;) {
        const bool fits = n < room - 1;
        ssize_t k = read(fd, fits ? out + n : rest, fits ? room - 1 - n : sizeof(rest));
        if (k < 0 && errno != EINTR)
            return -errno;
        if (k == 0)
            break;
        n += fits && k > 0 ? (size_t)k : 0;
    }
    out[n] = '\0';
    return 0;
}

int systemctl_ask(const char *verb, const char *option, const char *unit, char *out, size_t room,
                  struct err *e)
{
    int ends[2];
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(e, -errno, SYSTEMCTL " %s %s", verb, unit);
    int r = systemctl_spawn(verb, option, unit, ends[1], &pid);
    close(ends[1]);
    const int heard = r == 0 ? systemctl_hear(ends[0], out, room) : r;
    close(ends[0]);
    r = r == 0 ? systemctl_wait(pid, verb, unit, e) : r;
    return heard < 0 ? err_sys(e, heard, SYSTEMCTL " %s %s", verb, unit) : r;
}
