/* SPDX-License-Identifier: MIT */
#include "fs/space.h"

#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/base/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_NS (100 * MILLISECOND_NS) /* how long a request waits for the disk */
#define END_NS SECOND_NS                 /* and the end of the mount */

struct space {
    char *data, *state;    /* copies: the thread may outlive the mount */
    struct worker *worker; /* its lock guards what follows */
    struct statvfs seen;
    unsigned asked, answered; /* counts; the thread catches up with the callers */
};

static void release(struct space *s)
{
    free(s->data);
    free(s->state);
    free(s);
}

/* Asks for the folder, or the nearest existing one above it; changes the path. */
static int ask_for(char *path, struct statvfs *out)
{
    while (statvfs(path, out) < 0)
        if (!path_up(path))
            return -errno;
    return 0;
}

/* A restore unpacks beside the data folder. */
static int ask_disk(const struct space *s, struct statvfs *out)
{
    autofree char *data = strdup(s->data), *state = s->state ? strdup(s->state) : NULL;
    int r = data ? ask_for(data, out) : -ENOMEM;
    return r < 0 && state ? ask_for(state, out) : r;
}

static int64_t space_step(struct worker *w, void *arg)
{
    struct space *s = arg;
    struct statvfs v;
    unsigned asked = s->asked;
    if (asked == s->answered)
        return WORKER_SLEEP;
    worker_unlock(w);
    int r = ask_disk(s, &v);
    worker_lock(w);
    if (r == 0)
        s->seen = v;
    s->answered = asked;
    worker_wake(w);
    return WORKER_GO_ON;
}

int space_new(const char *data, const char *state, struct space **out)
{
    struct space *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->data = strdup(data);
    s->state = state ? strdup(state) : NULL;
    s->asked = 1; /* so that an answer is there before the first caller waits */
    int r = !s->data || (state && !s->state) ? -ENOMEM : 0;
    if (r == 0)
        r = worker_start(space_step, s, &s->worker);
    if (r < 0)
        release(s);
    else
        *out = s;
    return r;
}

void space_free(struct space *s)
{
    if (!s)
        return;
    /* A thread that hangs in the disk stays, with all that it uses. */
    if (worker_stop_until(s->worker, time_mono_ns() + END_NS))
        release(s);
}

void space_get(struct space *s, struct statvfs *out)
{
    const int64_t until = time_mono_ns() + ANSWER_NS;
    worker_lock(s->worker);
    unsigned mine = ++s->asked;
    worker_wake(s->worker);
    while ((int)(s->answered - mine) < 0 && worker_wait_until(s->worker, until))
        ;
    *out = s->seen;
    worker_unlock(s->worker);
}
