/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/fetch_writer.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/influxsnap/snap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIECE 65536

struct fetch_writer {
    pid_t pid;
    int to; /* pieces: how many bytes, and these; none: the end */
};

/* In the writer */

/* All n bytes, unless the other side has gone: -EPIPE. */
static int writer_read(int fd, void *buf, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t k = read(fd, (char *)buf + at, n - at);
        if (k == 0)
            return -EPIPE;
        if (k < 0 && errno != EINTR)
            return -errno;
        at += k > 0 ? (size_t)k : 0;
    }
    return 0;
}

static int writer_copy(int from, int fd)
{
    static char buf[PIECE];
    for (;;) {
        size_t n;
        int r = writer_read(from, &n, sizeof(n));
        if (r < 0 || n == 0)
            return r;
        if ((r = writer_read(from, buf, n)) == 0)
            r = io_write_all(fd, buf, n);
        if (r < 0)
            return r;
    }
}

/* A lock of this program, or a pipe to rclone, does not outlive it because the mount is slow. */
static void writer_let_go(int from)
{
    if (from > STDERR_FILENO + 1)
        close_range(STDERR_FILENO + 1, (unsigned)from - 1, 0);
    close_range((unsigned)from + 1, ~0U, 0);
}

/* Its exit code is the errno. What a terminal sends is for the other side to judge. */
static _Noreturn void writer_run(int from, const char *path)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    writer_let_go(from);
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        signal(ends[i], SIG_IGN);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int r = fd < 0 ? -errno : writer_copy(from, fd);
    if (fd >= 0 && r < 0)
        unlink(path);
    if (fd >= 0 && r == 0)
        r = io_close(&fd);
    _exit(-r);
}

/* For others */

int fetch_writer_start(const char *path, struct fetch_writer **out)
{
    int ends[2];
    autofree struct fetch_writer *w = calloc(1, sizeof(*w));
    if (!w)
        return -ENOMEM;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    w->pid = fork();
    if (w->pid == 0)
        writer_run(ends[0], path);
    const int code = w->pid < 0 ? -errno : 0;
    close(ends[0]);
    w->to = ends[1];
    if (code < 0)
        close(w->to);
    else
        *out = steal_ptr(&w);
    return code;
}

static int writer_send(const struct fetch_writer *w, const void *buf, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t k = snap_stopped(NULL) ? -1 : write(w->to, (const char *)buf + at, n - at);
        if (snap_stopped(NULL))
            return -EINTR;
        if (k < 0 && errno != EINTR)
            return -errno;
        at += k > 0 ? (size_t)k : 0;
    }
    return 0;
}

int fetch_writer_put(struct fetch_writer *w, const void *buf, size_t n)
{
    int r = 0;
    for (size_t at = 0, piece; r == 0 && at < n; at += piece) {
        piece = n - at < PIECE ? n - at : PIECE;
        r = writer_send(w, &piece, sizeof(piece));
        if (r == 0)
            r = writer_send(w, (const char *)buf + at, piece);
    }
    return r;
}

int fetch_writer_end(struct fetch_writer *w, bool whole)
{
    const size_t end = 0;
    int status = 0, r = whole ? writer_send(w, &end, sizeof(end)) : 0;
    close(w->to);
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    free(w);
    if (!WIFEXITED(status))
        return -EIO;
    const int verdict = -WEXITSTATUS(status);
    return r < 0 && verdict == -EPIPE ? r : verdict; /* it only missed the end, for that reason */
}
