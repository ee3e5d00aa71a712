/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/remote_child.h"

#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/influxsnap/snap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLICE_MS 100 /* of a wait, after which the world is looked at again */
#define KILLED_NS                                                                                  \
    (5 * SECOND_NS) /* for the kernel to end it; a disk that hangs may keep it longer */
#define SILENCE_NS (60 * SECOND_NS)
#define PIPE_SIZE (1 << 20)
#define TEXT_HEAD 2048 /* of what it says, the first bytes; all else is the latest */
#define TEXT_MAX 16384
#define CANNOT_EXEC 127

struct remote_child {
    pid_t pid;   /* 0: it has ended and been waited for */
    int status;  /* of waitpid(2) then */
    int in, out; /* our ends, or -1: a socket, a pipe */
    int err;
    bool fed, refused;   /* it went while bytes for it were left */
    int64_t moved, told; /* when bytes came or went last, and of what silence was said; monotonic */
    struct remote_child_times times;
    size_t n;
    char text[TEXT_MAX + 1];
};

/* Starting */

struct ends {
    int in[2], out[2], err[2]; /* [0] ours */
};

static void child_close_ends(struct ends *p)
{
    for (size_t i = 0; i < 2; i++) {
        cleanup_close(&p->in[i]);
        cleanup_close(&p->out[i]);
        cleanup_close(&p->err[i]);
    }
}

/* A socket as input, since the end of what is sent can be told there without closing. */
static int child_open_ends(enum remote_child_use use, struct ends *p)
{
    *p = (struct ends){{-1, -1}, {-1, -1}, {-1, -1}};
    int r = use == REMOTE_CHILD_FEED ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p->in)
                                     : (p->in[1] = open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (r >= 0)
        r = use == REMOTE_CHILD_READ ? pipe2(p->out, O_CLOEXEC)
                                     : (p->out[1] = open("/dev/null", O_WRONLY | O_CLOEXEC));
    if (r >= 0)
        r = pipe2(p->err, O_CLOEXEC);
    if (r < 0) {
        r = -errno;
        child_close_ends(p);
        return r;
    }
    fcntl(p->err[0], F_SETFL, O_NONBLOCK);
    if (use == REMOTE_CHILD_READ)
        fcntl(p->out[0], F_SETPIPE_SZ, PIPE_SIZE); /* a smaller one only makes more turns */
    return 0;
}

/* In the child. Only what may be called between fork and exec in a program with threads. */
static _Noreturn void child_become(char *const *argv, char *const *env, const struct ends *p,
                                   pid_t parent)
{
    static const char sorry[] = "Error: the program cannot be started\n";
    const struct sigaction normal = {.sa_handler = SIG_DFL};
    sigset_t none;
    sigemptyset(&none);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it has died already */
        _exit(CANNOT_EXEC);
    setpgid(0, 0);
    sigaction(SIGPIPE, &normal, NULL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (p->in[0] >= 0)
        fcntl(p->in[0], F_SETFD, 0);
    if (dup2(p->in[1], 0) == 0 && dup2(p->out[1], 1) == 1 && dup2(p->err[1], 2) == 2)
        execve(argv[0], argv, env);
    _exit(write(2, sorry, sizeof(sorry) - 1) < 0 ? 1 : CANNOT_EXEC);
}

static pid_t child_fork(char *const *argv, char *const *env, const struct ends *p)
{
    sigset_t all, before;
    const pid_t parent = getpid();
    sigfillset(&all);
    /* Our handlers must not run in the child. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        child_become(argv, env, p, parent);
    int code = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid < 0 ? -code : pid;
}

int remote_child_start(char *const *argv, char *const *env, enum remote_child_use use,
                       const struct remote_child_times *times, struct remote_child **out,
                       struct err *e)
{
    struct ends p;
    autofree struct remote_child *c = calloc(1, sizeof(*c));
    int r = c ? child_open_ends(use, &p) : -ENOMEM;
    if (r < 0)
        return err_sys(e, r, "%s", argv[0]);
    c->pid = child_fork(argv, env, &p);
    if (c->pid < 0) {
        child_close_ends(&p);
        return err_sys(e, c->pid, "%s", argv[0]);
    }
    setpgid(c->pid, c->pid); /* whichever of the two comes first */
    c->in = steal_fd(&p.in[0]);
    c->out = steal_fd(&p.out[0]);
    c->err = steal_fd(&p.err[0]);
    child_close_ends(&p);
    c->fed = use == REMOTE_CHILD_FEED;
    c->times = *times;
    c->moved = c->told = time_mono_ns();
    *out = steal_ptr(&c);
    return 0;
}

/* Waiting */

static bool child_must_stop(const struct remote_child *c)
{
    return snap_stopped(NULL) && time_mono_ns() >= c->times.until;
}

/* Keeps what it says. false: there is no more for now. */
static bool child_hear(struct remote_child *c)
{
    if (c->err < 0)
        return false;
    if (c->n == TEXT_MAX) {
        const size_t half = (TEXT_MAX - TEXT_HEAD) / 2;
        memmove(c->text + TEXT_HEAD, c->text + TEXT_HEAD + half, half);
        c->n -= half;
    }
    ssize_t n = read(c->err, c->text + c->n, TEXT_MAX - c->n);
    if (n > 0)
        c->n += (size_t)n;
    c->text[c->n] = '\0';
    if (n == 0)
        close(steal_fd(&c->err));
    return n > 0;
}

static void child_tell_silence(struct remote_child *c)
{
    const int64_t now = time_mono_ns();
    if (!c->times.who || now - c->told < SILENCE_NS)
        return;
    c->told = now;
    snap_note("nothing has gone to %s, or come from it, for %lld s", c->times.who,
              (long long)((now - c->moved) / SECOND_NS));
}

/* Waits for fd (-1: for nothing but time), while the child's messages are heard. */
static bool child_poll(struct remote_child *c, int fd, short events, int ms)
{
    struct pollfd p[2] = {{.fd = fd, .events = events}, {.fd = c->err, .events = POLLIN}};
    const int n = poll(p, 2, ms);
    if (n > 0 && p[1].revents)
        child_hear(c);
    if (n > 0 && p[0].revents)
        c->moved = c->told = time_mono_ns();
    else
        child_tell_silence(c);
    return n > 0 && p[0].revents;
}

/* Whether it has ended. */
static bool child_reap(struct remote_child *c)
{
    if (!c->pid)
        return true;
    if (waitpid(c->pid, &c->status, WNOHANG) != c->pid)
        return false;
    c->pid = 0;
    while (child_hear(c))
        continue;
    int code = 0;
    socklen_t n = sizeof(code);
    /* A socket whose other side went with unread bytes says so. */
    if (c->fed && getsockopt(c->in, SOL_SOCKET, SO_ERROR, &code, &n) == 0 && code != 0)
        c->refused = true;
    return true;
}

/* false: the time is over. */
static bool child_reap_until(struct remote_child *c, int64_t deadline)
{
    for (int ms = 1; !child_reap(c); ms = ms < SLICE_MS / 2 ? ms * 2 : SLICE_MS) {
        if (time_mono_ns() >= deadline)
            return false;
        child_poll(c, -1, 0, ms);
    }
    return true;
}

/* Asks first, so that rclone can take back what it has begun. */
static void child_kill(struct remote_child *c)
{
    if (child_reap(c))
        return;
    kill(-c->pid, SIGTERM);
    if (child_reap_until(c, time_mono_ns() + c->times.grace))
        return;
    kill(-c->pid, SIGKILL);
    child_reap_until(c, time_mono_ns() + KILLED_NS);
}

int remote_child_wait(struct remote_child *c)
{
    for (int ms = 1; !child_reap(c); ms = ms < SLICE_MS / 2 ? ms * 2 : SLICE_MS) {
        if (child_must_stop(c)) {
            child_kill(c);
            return -EINTR;
        }
        child_poll(c, -1, 0, ms);
    }
    return WIFEXITED(c->status) ? WEXITSTATUS(c->status) : 128 + WTERMSIG(c->status);
}

void remote_child_close(struct remote_child *c)
{
    if (!c)
        return;
    child_kill(c);
    cleanup_close(&c->in);
    cleanup_close(&c->out);
    cleanup_close(&c->err);
    free(c);
}

bool remote_child_took_all(const struct remote_child *c)
{
    return !c->refused;
}

const char *remote_child_text(const struct remote_child *c)
{
    return c->text;
}

/* Bytes */

/* Something that the child has started may hold the other end after it: its own end counts. */
ssize_t remote_child_read(struct remote_child *c, void *buf, size_t n)
{
    while (!child_poll(c, c->out, POLLIN, SLICE_MS)) {
        if (child_must_stop(c))
            return -EINTR;
        if (child_reap(c) && !child_poll(c, c->out, POLLIN, 0))
            return 0;
    }
    if (child_must_stop(c))
        return -EINTR;
    ssize_t got = read(c->out, buf, n);
    return got < 0 ? -errno : got;
}

int remote_child_write(struct remote_child *c, const void *buf, size_t n)
{
    for (const char *p = buf, *end = p + n; p < end;) {
        if (child_must_stop(c))
            return -EINTR;
        if (!child_poll(c, c->in, POLLOUT, SLICE_MS)) {
            c->refused = child_reap(c);
        } else {
            ssize_t k = send(c->in, p, (size_t)(end - p), MSG_DONTWAIT | MSG_NOSIGNAL);
            c->refused = k < 0 && errno != EAGAIN && errno != EINTR;
            p += k > 0 ? k : 0;
        }
        if (c->refused)
            return -EPIPE;
    }
    return 0;
}

void remote_child_end_input(struct remote_child *c)
{
    shutdown(c->in, SHUT_WR);
}
