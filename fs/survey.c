/* SPDX-License-Identifier: MIT */
#include "fs/survey.h"

#include "store/base/time.h"
#include "store/base/worker.h"

#include <errno.h>
#include <stdlib.h>

#define FRESH_NS (5 * SECOND_NS)      /* a look serves for that long */
#define ANSWER_NS (2 * SECOND_NS)     /* how long a reader waits */
#define POLL_NS (50 * MILLISECOND_NS) /* between looks whether the reader was interrupted */
#define END_NS SECOND_NS              /* how long the end of the mount waits */

struct look {
    struct report_contents contents;
    enum report_use use;
    struct err in_use;
    int64_t at_ns; /* monotonic; 0: never */
};

struct survey {
    struct store_paths paths; /* a copy: the thread may outlive the mount */
    struct worker *worker;    /* its lock guards what follows */
    struct look seen;
    bool asked;
    /* The thread's own: */
    bool was_there; /* the store */
};

static void release(struct survey *s)
{
    store_paths_free(&s->paths);
    contents_clear(&s->seen.contents);
    free(s);
}

static bool is_stopping(void *arg)
{
    return worker_is_stopping(arg);
}

static int survey_look(struct survey *s, struct look *out)
{
    int r = contents_look(&s->paths, is_stopping, s->worker, &out->contents);
    s->was_there |= r == 0 && !out->contents.missing;
    if (r == 0 && s->was_there)
        contents_demand(&out->contents, &s->paths);
    if (r == 0)
        out->use = report_use(&s->paths, &out->in_use);
    out->at_ns = time_mono_ns();
    return r;
}

static int64_t survey_step(struct worker *w, void *arg)
{
    struct survey *s = arg;
    struct look now = {0};
    if (!s->asked)
        return WORKER_SLEEP;
    worker_unlock(w);
    int r = survey_look(s, &now);
    worker_lock(w);
    if (r == 0) {
        const struct look was = s->seen;
        s->seen = now;
        now = was;
    }
    s->asked = false; /* after a failure too: the next reader asks again */
    worker_wake(w);
    contents_clear(&now.contents);
    return WORKER_GO_ON;
}

int survey_new(const struct store_paths *paths, struct survey **out)
{
    struct survey *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    int r = store_paths_copy(paths, &s->paths);
    s->was_there = r == 0 && store_is_there(&s->paths);
    if (r == 0)
        r = worker_start(survey_step, s, &s->worker);
    if (r < 0)
        release(s);
    else
        *out = s;
    return r;
}

void survey_free(struct survey *s)
{
    if (!s)
        return;
    /* A thread that hangs in the disk stays, with all that it uses. */
    if (worker_stop_until(s->worker, time_mono_ns() + END_NS))
        release(s);
}

static bool is_fresh(const struct look *l)
{
    return l->at_ns && time_mono_ns() - l->at_ns < FRESH_NS;
}

/* With the lock. */
static int survey_wait(struct survey *s, bool (*interrupted)(void *arg), void *arg)
{
    const int64_t until = time_mono_ns() + ANSWER_NS;
    s->asked = true;
    worker_wake(s->worker);
    while (s->asked && time_mono_ns() < until) {
        worker_wait_until(s->worker, time_mono_ns() + POLL_NS);
        if (interrupted && interrupted(arg))
            return -EINTR;
    }
    return 0;
}

int survey_get(struct survey *s, bool (*interrupted)(void *arg), void *arg, struct report *out)
{
    worker_lock(s->worker);
    int r = is_fresh(&s->seen) ? 0 : survey_wait(s, interrupted, arg);
    if (r == 0 && s->seen.at_ns) {
        out->use = s->seen.use;
        out->in_use = s->seen.in_use;
        r = contents_copy(&s->seen.contents, &out->contents);
    } else if (r == 0) {
        err_set(&out->contents.unknown, 0, "the disk of the store has not answered yet");
        err_set(&out->in_use, 0, "unknown: not found out yet");
    }
    worker_unlock(s->worker);
    return r;
}
