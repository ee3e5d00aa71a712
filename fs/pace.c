/* SPDX-License-Identifier: MIT */
#include "fs/pace.h"

#include "store/base/lock.h"
#include "store/base/processors.h"
#include "store/base/time.h"
#include "store/influx/processes.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLICE_NS (SECOND_NS / 5) /* for so long a reader that was killed may still wait */
#define WINDOW_NS (SECOND_NS / 10)
#define BUSY 8 /* an influxd that gets an eighth of the processors is at work */
#define INFLUXDS 8

struct pace {
    uint64_t setting;
    unsigned processors;

    pthread_mutex_t lock;        /* guards what follows */
    clockid_t influxd[INFLUXDS]; /* the processor time of each */
    unsigned influxds;
    int64_t looked_ns;
    int64_t since_ns;
    int64_t used_ns; /* the influxds' processor time at since_ns */
    bool busy;       /* in the window before that */

    int64_t next_ns;  /* when what was given last has had its time */
    uint64_t held_to; /* the rate its reader was held to; 0: none */
};

struct pace *pace_new(uint64_t setting)
{
    struct pace *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    p->setting = setting;
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    p->processors = n > 0 ? (unsigned)n : 1;
    return p;
}

void pace_free(struct pace *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static unsigned pace_find_influxds(clockid_t found[INFLUXDS])
{
    unsigned n = 0;
    cleanup(processes_free) struct processes all;
    if (processes_read(PROCESSES_NAMES, &all) < 0)
        return 0;
    for (size_t i = 0; i < all.n && n < INFLUXDS; i++) {
        const struct process *p = &all.list[i].process;
        n += p->is_influxd && clock_getcpuclockid(p->pid, &found[n]) == 0;
    }
    return n;
}

void pace_look(struct pace *p)
{
    clockid_t found[INFLUXDS];
    if (p->setting != PACE_AUTO)
        return;
    pthread_mutex_lock(&p->lock);
    int64_t now = time_mono_ns();
    /* Many files may be opened in a row. */
    bool just_now = p->looked_ns && now - p->looked_ns < SECOND_NS;
    if (!just_now)
        p->looked_ns = now;
    pthread_mutex_unlock(&p->lock);
    if (just_now)
        return;
    unsigned n = pace_find_influxds(found);
    lock_scope(&p->lock);
    memcpy(p->influxd, found, n * sizeof(*found));
    p->influxds = n;
}

/* The processor time that all influxds have used. */
static int64_t used_by_all(const struct pace *p)
{
    int64_t sum = 0;
    struct timespec used;
    for (unsigned i = 0; i < p->influxds; i++)
        if (clock_gettime(p->influxd[i], &used) == 0)
            sum += time_from_spec(&used);
    return sum;
}

static bool pace_is_influxd_busy(struct pace *p, int64_t now)
{
    int64_t passed = now - p->since_ns;
    if (passed < WINDOW_NS)
        return p->busy;
    int64_t used = used_by_all(p);
    /* An influxd that ended takes its time along, a new one brings its own: either disturbs one
     * window only. */
    p->busy = p->since_ns && (used - p->used_ns) * BUSY > passed * p->processors;
    p->used_ns = used;
    p->since_ns = now;
    return p->busy;
}

static uint64_t rate_now(struct pace *p, int64_t now)
{
    if (p->setting != PACE_AUTO)
        return p->setting;
    bool give_way = p->influxds && pace_is_influxd_busy(p, now) && processors_spare() < 0;
    return give_way ? (uint64_t)PACE_AUTO_BYTES * p->processors : 0;
}

int64_t pace_turn(int64_t *next_ns, int64_t now_ns, size_t n, uint64_t bytes_per_second)
{
    int64_t turn = *next_ns > now_ns ? *next_ns : now_ns;
    *next_ns = turn + (int64_t)((double)n / (double)bytes_per_second * SECOND_NS);
    return turn;
}

void pace_wait(struct pace *p, size_t n, bool (*interrupted)(void *ctx), void *ctx)
{
    pthread_mutex_lock(&p->lock);
    int64_t now = time_mono_ns();
    p->held_to = rate_now(p, now);
    int64_t turn = p->held_to ? pace_turn(&p->next_ns, now, n, p->held_to) : now;
    int64_t cost = turn > now ? p->next_ns - turn : 0;
    pthread_mutex_unlock(&p->lock);
    while ((now = time_mono_ns()) < turn && !interrupted(ctx)) {
        int64_t left = turn - now;
        struct timespec slice = time_to_spec(left < SLICE_NS ? left : SLICE_NS);
        clock_nanosleep(CLOCK_MONOTONIC, 0, &slice, NULL);
    }
    if (now < turn) { /* given up: the next reader need not wait for it */
        lock_scope(&p->lock);
        p->next_ns = p->next_ns - cost > now ? p->next_ns - cost : now;
    }
}

uint64_t pace_held_to(struct pace *p)
{
    lock_scope(&p->lock);
    return time_mono_ns() - p->next_ns < SECOND_NS ? p->held_to : 0;
}
