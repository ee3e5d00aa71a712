/* SPDX-License-Identifier: MIT */
#include "fs/pace.h"

#include "store/base/io.h"
#include "store/influx/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECOND ((int64_t)1000000000)
#define LONGEST (SECOND / 5)
#define WINDOW (SECOND / 10) /* a process's time is counted in hundredths of a second */
#define BUSY 8               /* an influxd that has had an eighth of the processors is at work */
#define INFLUXDS 8

struct pace {
    pthread_mutex_t lock;  /* guards what follows */
    int load;              /* /proc/loadavg */
    int influxd[INFLUXDS]; /* /proc/PID/stat of each */
    unsigned influxds;
    unsigned processors;
    int64_t looked_ns;
    int64_t next_ns; /* when what was given last has had its time */
    int64_t since_ns;
    uint64_t ticks; /* the influxds' processor time at since_ns */
    bool busy;      /* in the window before that */
};

struct pace *pace_new(void)
{
    struct pace *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    p->load = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    p->processors = n > 0 ? (unsigned)n : 1;
    return p;
}

static void forget_all(struct pace *p)
{
    while (p->influxds)
        close(p->influxd[--p->influxds]);
    p->busy = false;
    p->since_ns = 0;
}

void pace_free(struct pace *p)
{
    if (!p)
        return;
    forget_all(p);
    if (p->load >= 0)
        close(p->load);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* The descriptor of its /proc/PID/stat if it is an influxd, else -1. */
static int stat_of_influxd(int proc, const char *pid)
{
    struct process one;
    if (process_open(proc, pid, &one) < 0)
        return -1;
    int fd = one.is_influxd ? openat(one.dir, "stat", O_RDONLY | O_CLOEXEC) : -1;
    process_close(&one);
    return fd;
}

/* Many files may be opened one after the other. */
static bool looked_just_now(struct pace *p)
{
    int64_t now = io_mono_ns();
    pthread_mutex_lock(&p->lock);
    bool just_now = p->looked_ns && now - p->looked_ns < SECOND;
    if (!just_now)
        p->looked_ns = now;
    pthread_mutex_unlock(&p->lock);
    return just_now;
}

void pace_look(struct pace *p)
{
    int found[INFLUXDS];
    unsigned n = 0;
    if (looked_just_now(p))
        return;
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    while (proc && n < INFLUXDS && (entry = readdir(proc))) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        int fd = stat_of_influxd(dirfd(proc), entry->d_name);
        if (fd >= 0)
            found[n++] = fd;
    }
    if (proc)
        closedir(proc);
    pthread_mutex_lock(&p->lock);
    forget_all(p);
    memcpy(p->influxd, found, n * sizeof(*found));
    p->influxds = n;
    pthread_mutex_unlock(&p->lock);
}

/* A file of /proc as text; "" if it cannot be read. */
static void read_text(int fd, char *text, size_t size)
{
    ssize_t n = pread(fd, text, size - 1, 0);
    text[n > 0 ? n : 0] = 0;
}

/* Processor time that all influxds have had, in clock ticks. */
static uint64_t ticks_of_all(const struct pace *p)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < p->influxds; i++) {
        char text[1024];
        unsigned long user, system;
        read_text(p->influxd[i], text, sizeof(text));
        /* The name, in brackets, may hold anything. */
        const char *rest = strrchr(text, ')');
        if (rest && sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                           &system) == 2)
            sum += user + system;
    }
    return sum;
}

static bool is_influxd_busy(struct pace *p, int64_t now)
{
    int64_t passed = now - p->since_ns;
    if (passed < WINDOW)
        return p->busy;
    uint64_t ticks = ticks_of_all(p);
    /* One that ended takes its time with it; then nothing is known for a moment. */
    int64_t had = p->since_ns && ticks > p->ticks
                      ? (int64_t)(ticks - p->ticks) * (SECOND / sysconf(_SC_CLK_TCK))
                      : 0;
    p->busy = had * BUSY > passed * p->processors;
    p->ticks = ticks;
    p->since_ns = now;
    return p->busy;
}

/* Whether others want all processors, this thread not counted. */
static bool is_crowded(const struct pace *p)
{
    char text[128];
    unsigned running;
    read_text(p->load, text, sizeof(text));
    return sscanf(text, "%*s %*s %*s %u/", &running) == 1 && running > p->processors;
}

void pace_wait(struct pace *p, size_t n)
{
    pthread_mutex_lock(&p->lock);
    int64_t now = io_mono_ns(), at = 0;
    if (p->influxds && is_influxd_busy(p, now) && is_crowded(p)) {
        at = p->next_ns > now ? p->next_ns : now;
        p->next_ns = at + (int64_t)n * SECOND / PACE_BYTES / p->processors;
        if (at > now + LONGEST)
            at = p->next_ns = now + LONGEST;
    }
    pthread_mutex_unlock(&p->lock);
    struct timespec until = {at / SECOND, at % SECOND};
    if (at > now)
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
            continue;
}
