/* SPDX-License-Identifier: MIT */
#include "fs/space.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_NS ((int64_t)100000000) /* how long a request waits for the disk */
#define END_NS ((int64_t)1000000000)   /* and the end of the mount */

struct space {
    char *data, *state; /* copies: the thread may outlive the mount */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct statvfs seen;
    unsigned asked, answered; /* how often; the thread catches up with those who ask */
    bool stop, ended;
};

static void release(struct space *s)
{
    free(s->data);
    free(s->state);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* The folder, or the nearest above it that is there; changes the path. */
static int ask_for(char *path, struct statvfs *out)
{
    while (statvfs(path, out) < 0) {
        char *slash = strrchr(path, '/');
        if (!slash || strcmp(path, "/") == 0)
            return -errno;
        slash[slash == path] = 0;
    }
    return 0;
}

/* A restore unpacks beside the data folder. */
static int ask_disk(const struct space *s, struct statvfs *out)
{
    autofree char *data = strdup(s->data), *state = s->state ? strdup(s->state) : NULL;
    int r = data ? ask_for(data, out) : -ENOMEM;
    return r < 0 && state ? ask_for(state, out) : r;
}

static void *run(void *arg)
{
    struct space *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        if (s->asked == s->answered) {
            pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        unsigned asked = s->asked;
        struct statvfs v;
        pthread_mutex_unlock(&s->lock);
        int r = ask_disk(s, &v);
        pthread_mutex_lock(&s->lock);
        if (r == 0)
            s->seen = v;
        s->answered = asked;
        pthread_cond_broadcast(&s->changed);
    }
    s->ended = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Called with the lock; false once the time is over. */
static bool wait_until(struct space *s, int64_t until)
{
    const struct timespec t = {until / 1000000000, until % 1000000000};
    return pthread_cond_timedwait(&s->changed, &s->lock, &t) == 0;
}

int space_new(const char *data, const char *state, struct space **out)
{
    struct space *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    pthread_condattr_t mono;
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &mono);
    pthread_condattr_destroy(&mono);
    pthread_mutex_init(&s->lock, NULL);
    s->data = strdup(data);
    s->state = state ? strdup(state) : NULL;
    s->asked = 1; /* so that there is an answer before anybody waits for one */
    int r = !s->data || (state && !s->state) ? -ENOMEM : 0;
    if (r == 0)
        r = -pthread_create(&s->thread, NULL, run, s);
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
    const int64_t until = io_mono_ns() + END_NS;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_broadcast(&s->changed);
    while (!s->ended && wait_until(s, until))
        ;
    bool ended = s->ended;
    pthread_mutex_unlock(&s->lock);
    if (!ended) {
        pthread_detach(s->thread); /* it hangs in the disk, and what it uses stays */
        return;
    }
    pthread_join(s->thread, NULL);
    release(s);
}

void space_get(struct space *s, struct statvfs *out)
{
    const int64_t until = io_mono_ns() + ANSWER_NS;
    pthread_mutex_lock(&s->lock);
    unsigned mine = ++s->asked;
    pthread_cond_broadcast(&s->changed);
    while ((int)(s->answered - mine) < 0 && wait_until(s, until))
        ;
    *out = s->seen;
    pthread_mutex_unlock(&s->lock);
}
