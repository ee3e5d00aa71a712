/* SPDX-License-Identifier: MIT */
#include "store/snapshot/held.h"

#include "store/base/cleanup.h"
#include "store/base/lock.h"
#include "store/base/time.h"
#include "store/snapshot/watch.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* One for each file of the store, so its size matters: a generic table's links would double it. */
struct held {
    struct held *next; /* in its bucket */
    struct held_table *table;
    dev_t dev;
    ino_t ino;
    int fd;
    unsigned refs;
    bool have_sum;
    atomic_bool damaged; /* read for each file at each look-up: without the lock */
    uint8_t sum[SHA256_BYTES];
    uint64_t seen_size; /* of the file then, or, for a WAL segment, when it was scanned */
    int64_t seen_mtime_ns;
    uint64_t scanned;
};

/* Readers, folders and the state folder need descriptors, too, but never this many. */
#define OTHERS_MAX 32768

#define LIMIT_WANTED ((rlim_t)1 << 20)

struct held_table {
    pthread_mutex_t lock; /* guards all that can change in the files, too */
    struct held **buckets;
    size_t nbuckets, nfiles; /* nbuckets is a power of two */
    size_t most;             /* limit of held files: the process needs descriptors for others */
    atomic_size_t ndamaged;  /* files */
    struct watches *watches;
};

void held_raise_limit(void)
{
    struct rlimit l, more = {LIMIT_WANTED, LIMIT_WANTED};
    if (getrlimit(RLIMIT_NOFILE, &l) < 0)
        return;
    if (l.rlim_max >= more.rlim_max || setrlimit(RLIMIT_NOFILE, &more) < 0) {
        l.rlim_cur = l.rlim_max;
        setrlimit(RLIMIT_NOFILE, &l);
    }
}

struct file_attr file_attr_of(const struct stat *st)
{
    return (struct file_attr){
        .size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
        .mtime_ns = time_from_spec(&st->st_mtim),
        .mode = st->st_mode,
        .uid = st->st_uid,
        .gid = st->st_gid,
    };
}

int held_no_more(const char *what, struct err *e)
{
    struct rlimit l = {0};
    getrlimit(RLIMIT_NOFILE, &l);
    return err_set(e, -ENFILE,
                   "%s: the limit on open files (%llu) is reached: a snapshot holds each file of "
                   "the store open, as influxd does; raise it (LimitNOFILE= of a unit, ulimit -n)",
                   what, (unsigned long long)l.rlim_cur);
}

static size_t limit_for_held(rlim_t limit)
{
    return limit - (limit / 8 < OTHERS_MAX ? limit / 8 : OTHERS_MAX);
}

size_t held_limit(void)
{
    struct rlimit l = {1024, 1024};
    getrlimit(RLIMIT_NOFILE, &l);
    const rlim_t raised = l.rlim_max < LIMIT_WANTED ? l.rlim_max : LIMIT_WANTED;
    return limit_for_held(l.rlim_cur < raised ? raised : l.rlim_cur);
}

struct held_table *held_table_new(void)
{
    struct rlimit l = {1024, 1024};
    struct held_table *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    getrlimit(RLIMIT_NOFILE, &l);
    t->most = limit_for_held(l.rlim_cur);
    t->nbuckets = 1024;
    t->buckets = calloc(t->nbuckets, sizeof(struct held *));
    t->watches = watches_new();
    if (!t->buckets || !t->watches) {
        watches_free(t->watches);
        free(t->buckets);
        free(t);
        return NULL;
    }
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void held_table_free(struct held_table *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    watches_free(t->watches);
    free(t->buckets);
    free(t);
}

struct watches *held_watches(struct held_table *t)
{
    return t->watches;
}

static struct held **bucket(struct held **buckets, size_t n, dev_t dev, ino_t ino)
{
    /* Inode numbers are dense; a multiplication spreads them (Knuth). */
    uint64_t h = ((uint64_t)ino ^ (uint64_t)dev << 32) * 0x9e3779b97f4a7c15u;
    return &buckets[(h >> 32) & (n - 1)];
}

/* Called with the lock. */
static struct held *find(struct held_table *t, const struct stat *st)
{
    struct held *h = *bucket(t->buckets, t->nbuckets, st->st_dev, st->st_ino);
    while (h && (h->dev != st->st_dev || h->ino != st->st_ino))
        h = h->next;
    if (h)
        h->refs++;
    return h;
}

static void link_in(struct held **buckets, size_t n, struct held *h)
{
    struct held **b = bucket(buckets, n, h->dev, h->ino);
    h->next = *b;
    *b = h;
}

/* Keeps buckets short; without memory for that they grow longer. */
static void held_make_room(struct held_table *t)
{
    size_t n = t->nbuckets * 2;
    struct held **more = t->nfiles < t->nbuckets ? NULL : calloc(n, sizeof(struct held *));
    if (!more)
        return;
    for (size_t i = 0; i < t->nbuckets; i++) {
        for (struct held *h = t->buckets[i], *next; h; h = next) {
            next = h->next;
            link_in(more, n, h);
        }
    }
    free(t->buckets);
    t->buckets = more;
    t->nbuckets = n;
}

static void unlink_from(struct held_table *t, const struct held *h)
{
    struct held **p = bucket(t->buckets, t->nbuckets, h->dev, h->ino);
    while (*p != h)
        p = &(*p)->next;
    *p = h->next;
    t->nfiles--;
}

/* Called with the lock. */
static int held_add(struct held_table *t, int *fd, const struct stat *st, struct held **out)
{
    struct held *h = find(t, st);
    if (h) {
        *out = h;
        return 0;
    }
    if (t->nfiles >= t->most)
        return -ENFILE;
    h = calloc(1, sizeof(*h));
    if (!h)
        return -ENOMEM;
    h->dev = st->st_dev;
    h->ino = st->st_ino;
    h->table = t;
    h->refs = 1;
    h->fd = steal_fd(fd);
    held_make_room(t);
    link_in(t->buckets, t->nbuckets, h);
    t->nfiles++;
    *out = h;
    return 0;
}

/* The file if it is held already: 1, with a reference; 0 if it is not. */
static int held_look(struct held_table *t, int dirfd, const char *name, struct held **out,
                     struct stat *st)
{
    if (fstatat(dirfd, name, st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (S_ISLNK(st->st_mode))
        return -ELOOP;
    if (!S_ISREG(st->st_mode))
        return -EINVAL;
    lock_scope(&t->lock);
    *out = find(t, st);
    return *out != NULL;
}

int held_get(struct held_table *t, int dirfd, const char *name, bool fresh, struct held **out,
             struct stat *st)
{
    int r = fresh ? 0 : held_look(t, dirfd, name, out, st);
    if (r != 0)
        return r < 0 ? r : 0;
    autoclose int fd =
        openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, st) < 0)
        return errno == EMFILE ? -ENFILE : -errno;
    if (!S_ISREG(st->st_mode))
        return -EINVAL;
    lock_scope(&t->lock);
    return held_add(t, &fd, st, out);
}

struct held *held_ref(struct held *h)
{
    lock_scope(&h->table->lock);
    h->refs++;
    return h;
}

void held_put(struct held *h)
{
    if (!h)
        return;
    struct held_table *t = h->table;
    pthread_mutex_lock(&t->lock);
    bool last = --h->refs == 0;
    if (last)
        unlink_from(t, h);
    pthread_mutex_unlock(&t->lock);
    if (!last)
        return;
    if (atomic_load(&h->damaged))
        atomic_fetch_sub(&t->ndamaged, 1);
    close(h->fd);
    free(h);
}

int held_fd(const struct held *h)
{
    return h->fd;
}

int held_link(const struct held *h, int dirfd, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", h->fd);
    return linkat(AT_FDCWD, path, dirfd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

ino_t held_inode(const struct held *h)
{
    return h->ino;
}

bool held_is(const struct held *h, const struct stat *st)
{
    return h->dev == st->st_dev && h->ino == st->st_ino;
}

bool held_sum(struct held *h, const struct file_attr *as, uint8_t out[SHA256_BYTES])
{
    lock_scope(&h->table->lock);
    bool have = h->have_sum && h->seen_size == as->size && h->seen_mtime_ns == as->mtime_ns;
    if (have)
        memcpy(out, h->sum, SHA256_BYTES);
    return have;
}

void held_set_sum(struct held *h, const struct file_attr *as, const uint8_t sum[SHA256_BYTES])
{
    lock_scope(&h->table->lock);
    h->have_sum = true;
    h->seen_size = as->size;
    h->seen_mtime_ns = as->mtime_ns;
    memcpy(h->sum, sum, SHA256_BYTES);
}

void held_set_damaged(struct held *h)
{
    if (!atomic_exchange(&h->damaged, true))
        atomic_fetch_add(&h->table->ndamaged, 1);
}

bool held_damaged(const struct held *h)
{
    return atomic_load(&h->damaged);
}

bool held_any_damaged(const struct held *h)
{
    return atomic_load(&h->table->ndamaged) > 0;
}

uint64_t held_scanned(struct held *h, const struct file_attr *as)
{
    lock_scope(&h->table->lock);
    return as->size > h->seen_size || as->mtime_ns == h->seen_mtime_ns ? h->scanned : 0;
}

void held_set_scanned(struct held *h, const struct file_attr *as, uint64_t good)
{
    lock_scope(&h->table->lock);
    h->scanned = good;
    h->seen_size = as->size;
    h->seen_mtime_ns = as->mtime_ns;
}
