/* SPDX-License-Identifier: MIT */
/*
 * A child process that is fed or read, and whose standard error is kept.
 *
 * It is never waited for without end: each wait asks snap_stopped, and a child that is no longer wanted
 * gets SIGTERM, and SIGKILL some time later. It has a process group of its own, so that what a terminal
 * sends is ours to handle, and is killed when the thread that started it ends, however that ends.
 *
 * Its input ends only when remote_child_end_input says so: the child itself holds our end of it as well,
 * so that neither our death nor closing can look like the end of what was to be uploaded.
 */
#ifndef INFLUXFS_NIGHTLY_REMOTE_CHILD_H
#define INFLUXFS_NIGHTLY_REMOTE_CHILD_H

#include "store/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct remote_child;

enum remote_child_use {
    REMOTE_CHILD_RUN,  /* no input, its output is dropped */
    REMOTE_CHILD_READ, /* no input */
    REMOTE_CHILD_FEED, /* its output is dropped */
};

struct remote_child_times {
    int64_t
        until; /* of time_mono_ns: up to then it may run though the program is to stop; 0: it may not */
    int64_t grace;   /* nanoseconds from SIGTERM to SIGKILL */
    const char *who; /* whom it talks to: each minute in which nothing moves is said; NULL: none */
};

/* argv[0] is the path of the program. -errno, with a message. */
int remote_child_start(char *const *argv, char *const *env, enum remote_child_use use,
                       const struct remote_child_times *times, struct remote_child **out,
                       struct err *e);

/* Ends the child if it still runs, and forgets it. NULL is allowed. */
void remote_child_close(struct remote_child *c);
static inline void remote_child_closep(struct remote_child **c)
{
    remote_child_close(*c);
}

/* At most n > 0 bytes of its output; 0 at its end; -EINTR: the program is to stop. */
ssize_t remote_child_read(struct remote_child *c, void *buf, size_t n);

/* All n bytes. -EPIPE: it takes no more of them; -EINTR. */
int remote_child_write(struct remote_child *c, const void *buf, size_t n);
void remote_child_end_input(struct remote_child *c);

/* Waits until it has ended: its exit code, 128 and the number of the signal that ended it, or -EINTR.
 * May be called again. */
int remote_child_wait(struct remote_child *c);

/* After that: whether it had taken all of its input; and what it said on standard error, the beginning and
 * the end of it if that was much, NUL-terminated, as long as the child is not closed. */
bool remote_child_took_all(const struct remote_child *c);
const char *remote_child_text(const struct remote_child *c);

#endif
