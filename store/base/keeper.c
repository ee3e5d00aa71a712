/* SPDX-License-Identifier: MIT */
#include "store/base/keeper.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SPARE 64  /* descriptors of a keeper's table that are left alone */
#define MANY 1024 /* so many are cheaper taken over with the whole table than opened one by one */

struct keeper {
    struct keeper *next;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    pid_t tid; /* 0 until it has its table; -1 if it could not get one */
    size_t held, limit;
    bool stop;
    /* What it takes over when it starts; sorted: */
    const int *born_with;
    size_t nborn;
    /* One request to take at a time: */
    const int *take;
    size_t ntake;
    int *taken;
    int result;
    /* What is to be closed: */
    int *drop;
    size_t ndrop, cap_drop;
};

struct keepers {
    pthread_mutex_t lock; /* held while a keeper takes; before a keeper's own */
    struct keeper *list;
};

void keepers_raise_limit(void)
{
    struct rlimit l, more = {1 << 20, 1 << 20};
    if (getrlimit(RLIMIT_NOFILE, &l) < 0)
        return;
    if (l.rlim_max >= more.rlim_max || setrlimit(RLIMIT_NOFILE, &more) < 0) {
        l.rlim_cur = l.rlim_max;
        setrlimit(RLIMIT_NOFILE, &l);
    }
}

struct keepers *keepers_new(void)
{
    struct keepers *k = calloc(1, sizeof(*k));
    if (k)
        pthread_mutex_init(&k->lock, NULL);
    return k;
}

/* In the keeper: opens the caller's descriptors in its own table. Both names of a file are one file
 * for the kernel, so nothing that has been unlinked is lost. */
static int take_all(const struct keeper *k)
{
    for (size_t i = 0; i < k->ntake; i++) {
        char path[64];
        /* /proc/self/fd is the table of the process's first thread, which all but keepers use. */
        snprintf(path, sizeof(path), "/proc/self/fd/%d", k->take[i]);
        k->taken[i] = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (k->taken[i] >= 0)
            continue;
        int r = -errno;
        while (i-- > 0)
            close(k->taken[i]);
        return r;
    }
    return 0;
}

/* The new table begins as a copy of everybody's: all but what it is to have is closed. */
static bool take_over(const struct keeper *k)
{
    int next = 0;
    if (unshare(CLONE_FILES) < 0)
        return false;
    for (size_t i = 0; i < k->nborn; next = k->born_with[i++] + 1)
        if (k->born_with[i] > next)
            close_range((unsigned)next, (unsigned)k->born_with[i] - 1, 0);
    closefrom(next);
    return true;
}

static void *run(void *arg)
{
    struct keeper *k = arg;
    bool own = take_over(k);
    pthread_mutex_lock(&k->lock);
    k->tid = own ? gettid() : -1;
    pthread_cond_broadcast(&k->done);
    while (own && !k->stop) {
        while (k->ndrop > 0)
            close(k->drop[--k->ndrop]);
        if (k->take) {
            k->result = take_all(k);
            k->take = NULL;
            pthread_cond_broadcast(&k->done);
        }
        pthread_cond_wait(&k->work, &k->lock);
    }
    pthread_mutex_unlock(&k->lock);
    return NULL; /* the table goes with its thread */
}

static void keeper_free(struct keeper *k)
{
    pthread_mutex_lock(&k->lock);
    k->stop = true;
    pthread_cond_signal(&k->work);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    pthread_cond_destroy(&k->work);
    pthread_cond_destroy(&k->done);
    pthread_mutex_destroy(&k->lock);
    free(k->drop);
    free(k);
}

void keepers_free(struct keepers *k)
{
    if (!k)
        return;
    while (k->list) {
        struct keeper *next = k->list->next;
        keeper_free(k->list);
        k->list = next;
    }
    pthread_mutex_destroy(&k->lock);
    free(k);
}

/* One that is born with n descriptors, which are sorted. */
static int add_keeper(struct keepers *all, const int *fds, size_t n)
{
    struct rlimit l;
    struct keeper *k = calloc(1, sizeof(*k));
    if (!k || getrlimit(RLIMIT_NOFILE, &l) < 0) {
        free(k);
        return -ENFILE;
    }
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->work, NULL);
    pthread_cond_init(&k->done, NULL);
    k->limit = l.rlim_cur > 2 * SPARE ? l.rlim_cur - SPARE : SPARE;
    k->born_with = fds;
    k->nborn = k->held = n;
    if (pthread_create(&k->thread, NULL, run, k) != 0) {
        free(k);
        return -ENFILE;
    }
    pthread_mutex_lock(&k->lock);
    while (k->tid == 0)
        pthread_cond_wait(&k->done, &k->lock);
    bool ok = k->tid > 0;
    pthread_mutex_unlock(&k->lock);
    if (!ok) {
        keeper_free(k);
        return -ENFILE;
    }
    k->next = all->list;
    all->list = k;
    return 0;
}

static int take(struct keeper *k, const int *fds, size_t n, int *taken)
{
    pthread_mutex_lock(&k->lock);
    k->take = fds;
    k->ntake = n;
    k->taken = taken;
    pthread_cond_signal(&k->work);
    while (k->take)
        pthread_cond_wait(&k->done, &k->lock);
    int r = k->result;
    if (r == 0)
        k->held += n;
    pthread_mutex_unlock(&k->lock);
    return r == -EMFILE ? -ENFILE : r;
}

static bool has_room(struct keeper *k, size_t n)
{
    pthread_mutex_lock(&k->lock);
    bool room = k->held + n <= k->limit;
    pthread_mutex_unlock(&k->lock);
    return room;
}

static int take_somewhere(struct keepers *all, const int *fds, size_t n, int *taken,
                          struct keeper **where)
{
    struct keeper *k = all->list;
    while (k && !has_room(k, n))
        k = k->next;
    if (!k) {
        int r = add_keeper(all, NULL, 0);
        if (r < 0)
            return r;
        k = all->list;
    }
    *where = k;
    return take(k, fds, n, taken);
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* They keep their numbers. */
static int take_many(struct keepers *all, const int *fds, size_t n, int *taken,
                     struct keeper **where)
{
    autofree int *sorted = malloc(n * sizeof(*sorted));
    if (!sorted)
        return -ENOMEM;
    memcpy(sorted, fds, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), by_number);
    int r = add_keeper(all, sorted, n);
    if (r == 0) {
        memcpy(taken, fds, n * sizeof(*taken));
        *where = all->list;
        (*where)->born_with = NULL; /* it has them: add_keeper has waited */
    }
    return r;
}

int keepers_take(struct keepers *all, const int *fds, size_t n, struct kept *out)
{
    struct keeper *where = NULL;
    autofree int *taken = malloc((n + 1) * sizeof(*taken));
    if (!taken)
        return -ENOMEM;
    pthread_mutex_lock(&all->lock);
    int r = n >= MANY ? take_many(all, fds, n, taken, &where)
                      : take_somewhere(all, fds, n, taken, &where);
    pthread_mutex_unlock(&all->lock);
    for (size_t i = 0; r == 0 && i < n; i++) {
        out[i] = (struct kept){where, taken[i]};
        close(fds[i]);
    }
    return r;
}

int kept_open(const struct kept *f)
{
    char path[96];
    snprintf(path, sizeof(path), "/proc/self/task/%d/fd/%d", (int)f->keeper->tid, f->fd);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

static bool remember_drop(struct keeper *k, int fd)
{
    if (k->ndrop == k->cap_drop) {
        size_t cap = k->cap_drop ? 2 * k->cap_drop : 256;
        int *p = realloc(k->drop, cap * sizeof(*p));
        if (!p)
            return false;
        k->drop = p;
        k->cap_drop = cap;
    }
    k->drop[k->ndrop++] = fd;
    return true;
}

void kept_drop(const struct kept *f)
{
    struct keeper *k = f->keeper;
    pthread_mutex_lock(&k->lock);
    /* Without the memory to remember it, the file stays open until the process ends. */
    if (remember_drop(k, f->fd))
        k->held--;
    pthread_cond_signal(&k->work);
    pthread_mutex_unlock(&k->lock);
}
