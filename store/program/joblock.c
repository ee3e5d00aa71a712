/* SPDX-License-Identifier: MIT */
#include "store/program/joblock.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/json.h"
#include "store/base/log.h"
#include "store/base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define LOCK "jobs.lock"
#define TEXT_MAX 4096
#define POLL_US 100000

/* A lock of the open file, not of the process, so that it can be looked for without being taken. */
static int joblock_ask(int fd, int command, short type, struct flock *l)
{
    *l = (struct flock){.l_type = type, .l_whence = SEEK_SET};
    return fcntl(fd, command, l) < 0 ? -errno : 0;
}

static int joblock_open(const char *state, int flags, struct err *e)
{
    autoclose int folder = open(state, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = folder < 0 ? -1 : openat(folder, LOCK, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? err_sys(e, -errno, "%s/" LOCK, state) : fd;
}

/* What the one who holds it has written about itself, if that can be read. */
static void joblock_read(int fd, struct job_now *out)
{
    char text[TEXT_MAX];
    struct json_object *pid, *since, *job;
    const ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = 0;
    struct json_object *o = json_tokener_parse(text);
    if (json_object_is_type(o, json_type_object) && json_get(o, "pid", json_type_int, &pid) &&
        json_get(o, "since_ns", json_type_int, &since) &&
        json_get(o, "job", json_type_string, &job)) {
        out->pid = json_object_get_int(pid);
        out->since_ns = json_object_get_int64(since);
        for (int k = 0; k < JOB_KINDS; k++)
            if (strcmp(json_object_get_string(job), job_kind_names[k]) == 0) {
                out->kind = (enum job_kind)k;
                out->known = true;
            }
    }
    json_object_put(o);
}

static int joblock_write(int fd, enum job_kind kind)
{
    char text[256], since[TIME_TEXT];
    const int64_t now = time_wall_ns();
    time_text(now, since);
    int n = snprintf(text, sizeof(text),
                     "{\"job\":\"%s\",\"pid\":%d,\"since\":\"%s\",\"since_ns\":%lld}\n",
                     job_kind_names[kind], (int)getpid(), since, (long long)now);
    int r = ftruncate(fd, 0) < 0 ? -errno : 0;
    return r < 0 ? r : io_pwrite_all(fd, text, (size_t)n, 0);
}

static int joblock_refuse(int fd, const char *state, struct err *e)
{
    struct job_now now = {0};
    char since[TIME_TEXT];
    joblock_read(fd, &now);
    time_text(now.since_ns, since);
    if (!now.known)
        return err_set(
            e, -EBUSY,
            "another job is at work on this store (%s/" LOCK "); --wait=TIME waits for it", state);
    return err_set(
        e, -EBUSY,
        "influxfs-%s has been at work on this store since %s, as process %d; --wait=TIME "
        "waits for it",
        job_kind_names[now.kind], since, (int)now.pid);
}

int joblock_take(const char *state, enum job_kind kind, int64_t wait_ns, bool (*stopped)(void *ctx),
                 void *ctx, int *out, struct err *e)
{
    const int64_t until = time_mono_ns() + wait_ns;
    struct flock l;
    autoclose int fd = joblock_open(state, O_RDWR | O_CREAT, e);
    if (fd < 0)
        return fd;
    for (int r; (r = joblock_ask(fd, F_OFD_SETLK, F_WRLCK, &l)) < 0;) {
        if (r != -EAGAIN && r != -EACCES)
            return err_sys(e, r, "%s/" LOCK, state);
        if (stopped && stopped(ctx))
            return err_set(e, -EINTR, "interrupted while another job was at work on this store");
        if (time_mono_ns() >= until)
            return joblock_refuse(fd, state, e);
        usleep(POLL_US);
    }
    int r = joblock_write(fd, kind);
    if (r < 0) /* of a full disk, say: others are kept away all the same */
        log_warning("%s/" LOCK ": %s; nobody can see in it which job is at work", state,
                    strerror(-r));
    *out = steal_fd(&fd);
    return 0;
}

int joblock_look(const char *state, struct job_now *out, struct err *e)
{
    struct flock l;
    struct job_now now = {0};
    struct err why;
    autoclose int fd = joblock_open(state, O_RDONLY, &why);
    int r = fd == -ENOENT ? 0 : fd;
    if (fd >= 0 && (r = joblock_ask(fd, F_OFD_GETLK, F_RDLCK, &l)) < 0)
        err_sys(&why, r, "%s/" LOCK, state);
    if (r < 0)
        return err_set(e, r, "%s", why.text);
    now.working = fd >= 0 && l.l_type != F_UNLCK;
    if (now.working)
        joblock_read(fd, &now);
    *out = now;
    return 0;
}
