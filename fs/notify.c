/* SPDX-License-Identifier: MIT */
#include "fs/notify.h"

#include "store/base/cleanup.h"
#include "store/base/lock.h"
#include "store/base/log.h"
#include "store/base/mounts.h"
#include "store/base/time.h"
#include "store/base/worker.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define VARIABLE "NOTIFY_SOCKET"
#define TABLE "/proc/1/mountinfo"

#define SEND_S 5                     /* the longest that a datagram waits for its reader */
#define DELAY_NS (60 * SECOND_NS)    /* asked for at a time, */
#define DELAY_EVERY (10 * SECOND_NS) /* so often */

struct notify {
    int fd;
    struct sockaddr_un to;
    socklen_t len;
    struct worker *delay; /* asks for more time; NULL: none is needed */
    pthread_mutex_t lock; /* guards the rest */
    bool unseen;          /* pid 1's mounts cannot be read */
    bool deaf;            /* which was logged */
    bool ended;           /* what was said last stays */
    char status[sizeof(struct err)];
};

/* With the lock, so that what is said last arrives last. */
static void notify_send_locked(struct notify *n, const char *text)
{
    assert_locked(&n->lock);
    if (sendto(n->fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&n->to, n->len) >= 0)
        return;
    if (!n->deaf)
        log_warning("the service manager cannot be told anything: " VARIABLE ": %s",
                    strerror(errno));
    n->deaf = true;
}

static void notify_send(struct notify *n, const char *text)
{
    lock_scope(&n->lock);
    notify_send_locked(n, text);
}

/* A path, or a name that begins with '@' instead of NUL. */
static int notify_address(struct notify *n, const char *name, struct err *e)
{
    size_t len = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(n->to.sun_path))
        return err_set(e, -EINVAL, VARIABLE "=%s: not the address of a socket", name);
    n->to.sun_family = AF_UNIX;
    memcpy(n->to.sun_path, name, len);
    if (name[0] == '@')
        n->to.sun_path[0] = 0;
    n->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return 0;
}

int notify_open(struct notify **out, struct err *e)
{
    const struct timeval patience = {.tv_sec = SEND_S};
    const char *value = getenv(VARIABLE);
    *out = NULL;
    if (!value)
        return 0;
    autofree char *name = strdup(value);
    autofree struct notify *n = calloc(1, sizeof(*n));
    unsetenv(VARIABLE);
    if (!name || !n)
        return err_sys(e, -ENOMEM, VARIABLE);
    int r = notify_address(n, name, e);
    if (r < 0)
        return r;
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (n->fd < 0)
        return err_sys(e, -errno, VARIABLE);
    setsockopt(n->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    pthread_mutex_init(&n->lock, NULL);
    *out = steal_ptr(&n);
    return 0;
}

static void notify_end_delay(struct notify *n)
{
    worker_stop(n->delay);
    n->delay = NULL;
}

void notify_close(struct notify *n)
{
    if (!n)
        return;
    notify_end_delay(n);
    pthread_mutex_destroy(&n->lock);
    close(n->fd);
    free(n);
}

static int64_t ask_for_time(struct worker *w, void *arg)
{
    char text[64];
    snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%lld", (long long)(DELAY_NS / 1000));
    worker_unlock(w);
    notify_send(arg, text);
    worker_lock(w);
    return time_mono_ns() + DELAY_EVERY;
}

void notify_delay(struct notify *n, const char *words)
{
    if (!n || n->delay)
        return;
    notify_status(n, words);
    int r = worker_start(ask_for_time, n, &n->delay);
    if (r < 0)
        log_warning("cannot ask the service manager for more time: %s", strerror(-r));
}

int notify_ready(struct notify *n, const char *mountpoint, bool detached, struct err *e)
{
    char text[128];
    if (!n)
        return 0;
    notify_end_delay(n);
    int seen = mounts_seen_in(mountpoint, TABLE); /* mounts are passed on at once, or never */
    if (seen == 0)
        return err_set(
            e, -ENOENT,
            "mountpoint %s: mounted, but nobody else can see it, not even pid 1: the unit "
            "gives its service mounts of its own; take away directives such as "
            "PrivateMounts=, PrivateTmp=, PrivateDevices=, ProtectSystem=, ProtectHome=, "
            "ProtectKernel…=, ProtectProc=, ReadOnlyPaths= (systemctl cat shows them)",
            mountpoint);
    pthread_mutex_lock(&n->lock);
    n->unseen = seen < 0;
    pthread_mutex_unlock(&n->lock);
    snprintf(text, sizeof(text), "READY=1\nMAINPID=%ld", (long)getpid());
    if (!detached)
        *strchr(text, '\n') = 0;
    notify_send(n, text);
    return 0;
}

/* last: nothing that is said later counts. */
static void notify_say(struct notify *n, const char *words, bool last)
{
    struct err line;
    lock_scope(&n->lock);
    err_set(&line, 0, "STATUS=%s%s", words,
            n->unseen ? "; whether others see the mount is not known: " TABLE " cannot be read"
                      : "");
    if (!n->ended && strcmp(n->status, line.text) != 0)
        notify_send_locked(n, line.text);
    memcpy(n->status, line.text, sizeof(line.text));
    n->ended |= last;
}

void notify_status(struct notify *n, const char *words)
{
    if (n)
        notify_say(n, words, false);
}

void notify_failed(struct notify *n, int code, const char *words)
{
    char text[32];
    if (!n)
        return;
    notify_end_delay(n);
    notify_say(n, words, true);
    snprintf(text, sizeof(text), "ERRNO=%d", -code);
    notify_send(n, text);
}

void notify_stopping(struct notify *n)
{
    if (!n)
        return;
    notify_say(n, "unmounting", true);
    notify_send(n, "STOPPING=1");
}
