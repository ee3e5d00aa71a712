/* SPDX-License-Identifier: MIT */
#include "store/snapshot/held.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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
    struct kept kept; /* keeper NULL: fd is in our own table */
    unsigned refs;
    unsigned readers : 29; /* of fd, while it is in our own table */
    unsigned scarce : 1;   /* it stands in the table's list of these */
    unsigned have_sum : 1;
    unsigned at_hand : 1;
    atomic_bool damaged; /* asked of each file of a store at each look-up: without the lock */
    uint8_t sum[SHA256_BYTES];
    uint64_t seen_size; /* what the file was like then, or, of a WAL segment, when scanned */
    int64_t seen_mtime_ns;
    uint64_t scanned;
};

/* Files that go to a keeper at once: many are cheaper by the file. */
#define BATCH_LEAST 256
#define BATCH_MOST 8192

struct held_table {
    pthread_mutex_t lock; /* guards all that can change in the files, too */
    struct held **buckets;
    size_t nbuckets, nfiles; /* nbuckets is a power of two */
    struct keepers *keepers;
    size_t here, roomy;   /* descriptors in our own table, and how many there may be */
    struct held **scarce; /* what was opened beyond that, and waits for a batch */
    size_t nscarce, batch;
};

struct file_attr file_attr_of(const struct stat *st)
{
    return (struct file_attr){
        .size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
        .mtime_ns = io_ts_ns(&st->st_mtim),
        .mode = st->st_mode,
        .uid = st->st_uid,
        .gid = st->st_gid,
    };
}

static struct held_table *release(struct held_table *t)
{
    keepers_free(t->keepers);
    free(t->buckets);
    free(t->scarce);
    free(t);
    return NULL;
}

struct held_table *held_table_new(void)
{
    struct rlimit l = {1024, 1024};
    struct held_table *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    getrlimit(RLIMIT_NOFILE, &l);
    t->batch = l.rlim_cur / 4 < BATCH_MOST ? l.rlim_cur / 4 : BATCH_MOST;
    if (t->batch < BATCH_LEAST)
        t->batch = BATCH_LEAST;
    /* The rest is for whatever else the process opens. */
    t->roomy = l.rlim_cur > 4096 ? l.rlim_cur - 2048 - t->batch : l.rlim_cur / 4;
    t->nbuckets = 1024;
    t->buckets = calloc(t->nbuckets, sizeof(struct held *));
    t->scarce = calloc(t->batch, sizeof(struct held *));
    t->keepers = keepers_new();
    if (!t->buckets || !t->scarce || !t->keepers)
        return release(t);
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void held_table_free(struct held_table *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    release(t);
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

/* Keeps buckets short; without the memory they grow longer. */
static void make_room(struct held_table *t)
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

/* Gives the files that wait, but for those that are being read just now, to a keeper. Called with
 * the lock. */
static int relieve(struct held_table *t)
{
    size_t n = 0, nstay = 0;
    autofree int *fds = malloc(t->nscarce * sizeof(*fds));
    autofree struct kept *kept = malloc(t->nscarce * sizeof(*kept));
    if (!fds || !kept)
        return -ENOMEM;
    /* Those that go come to stand behind those that stay. */
    for (size_t i = 0; i < t->nscarce; i++) {
        struct held *h = t->scarce[i];
        if (!h->readers)
            continue;
        t->scarce[i] = t->scarce[nstay];
        t->scarce[nstay++] = h;
    }
    for (size_t i = nstay; i < t->nscarce; i++)
        fds[n++] = t->scarce[i]->kept.fd;
    int r = n ? keepers_take(t->keepers, fds, n, kept) : -ENFILE;
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        t->scarce[nstay + i]->kept = kept[i];
        t->scarce[nstay + i]->scarce = 0;
    }
    t->here -= n;
    t->nscarce = nstay;
    return 0;
}

static void forget_scarce(struct held_table *t, const struct held *h)
{
    for (size_t i = 0; h->scarce && i < t->nscarce; i++)
        if (t->scarce[i] == h)
            t->scarce[i] = t->scarce[--t->nscarce];
}

/* Called with the lock. */
static int add(struct held_table *t, int *fd, const struct stat *st, bool at_hand,
               struct held **out)
{
    struct held *h = find(t, st);
    if (h) {
        *out = h;
        return 0;
    }
    int r = t->nscarce == t->batch ? relieve(t) : 0;
    if (r < 0)
        return r;
    h = calloc(1, sizeof(*h));
    if (!h)
        return -ENOMEM;
    h->dev = st->st_dev;
    h->ino = st->st_ino;
    h->table = t;
    h->refs = 1;
    h->at_hand = at_hand;
    h->kept.fd = steal_fd(fd);
    make_room(t);
    link_in(t->buckets, t->nbuckets, h);
    t->nfiles++;
    if (++t->here > t->roomy && !at_hand) {
        h->scarce = 1;
        t->scarce[t->nscarce++] = h;
    }
    *out = h;
    return 0;
}

/* The file if it is held already: 1, with a reference; 0 if it is not. */
static int look(struct held_table *t, int dirfd, const char *name, struct held **out,
                struct stat *st)
{
    if (fstatat(dirfd, name, st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (S_ISLNK(st->st_mode))
        return -ELOOP;
    if (!S_ISREG(st->st_mode))
        return -EINVAL;
    pthread_mutex_lock(&t->lock);
    struct held *h = find(t, st);
    pthread_mutex_unlock(&t->lock);
    *out = h;
    return h != NULL;
}

int held_get(struct held_table *t, int dirfd, const char *name, int how, struct held **out,
             struct stat *st)
{
    int r = how & HELD_NEW ? 0 : look(t, dirfd, name, out, st);
    if (r != 0)
        return r < 0 ? r : 0;
    autoclose int fd =
        openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, st) < 0)
        return -errno;
    if (!S_ISREG(st->st_mode))
        return -EINVAL;
    pthread_mutex_lock(&t->lock);
    r = add(t, &fd, st, how & HELD_AT_HAND, out);
    pthread_mutex_unlock(&t->lock);
    return r;
}

struct held *held_ref(struct held *h)
{
    pthread_mutex_lock(&h->table->lock);
    h->refs++;
    pthread_mutex_unlock(&h->table->lock);
    return h;
}

void held_put(struct held *h)
{
    if (!h)
        return;
    struct held_table *t = h->table;
    pthread_mutex_lock(&t->lock);
    bool last = --h->refs == 0;
    if (last) {
        unlink_from(t, h);
        forget_scarce(t, h);
        t->here -= !h->kept.keeper;
    }
    pthread_mutex_unlock(&t->lock);
    if (!last)
        return;
    if (h->kept.keeper)
        kept_drop(&h->kept);
    else
        close(h->kept.fd);
    free(h);
}

int held_fd(const struct held *h)
{
    return h->kept.fd;
}

int held_read(struct held *h, void *buf, size_t n, uint64_t off)
{
    pthread_mutex_lock(&h->table->lock);
    bool here = !h->kept.keeper;
    h->readers += here;
    pthread_mutex_unlock(&h->table->lock);
    if (here) {
        int r = io_pread_all(h->kept.fd, buf, n, off);
        pthread_mutex_lock(&h->table->lock);
        h->readers--;
        pthread_mutex_unlock(&h->table->lock);
        return r;
    }
    autoclose int own = kept_open(&h->kept);
    return own < 0 ? own : io_pread_all(own, buf, n, off);
}

static int link_fd(int fd, int dirfd, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, path, dirfd, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

int held_link(struct held *h, int dirfd, const char *name)
{
    pthread_mutex_lock(&h->table->lock);
    bool here = !h->kept.keeper;
    h->readers += here;
    pthread_mutex_unlock(&h->table->lock);
    if (here) {
        int r = link_fd(h->kept.fd, dirfd, name);
        pthread_mutex_lock(&h->table->lock);
        h->readers--;
        pthread_mutex_unlock(&h->table->lock);
        return r;
    }
    autoclose int own = kept_open(&h->kept);
    return own < 0 ? own : link_fd(own, dirfd, name);
}

int held_stat(struct held *h, struct stat *st)
{
    int r = -EAGAIN;
    pthread_mutex_lock(&h->table->lock);
    if (!h->kept.keeper)
        r = fstat(h->kept.fd, st) < 0 ? -errno : 0;
    pthread_mutex_unlock(&h->table->lock);
    return r;
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
    pthread_mutex_lock(&h->table->lock);
    bool have = h->have_sum && h->seen_size == as->size && h->seen_mtime_ns == as->mtime_ns;
    if (have)
        memcpy(out, h->sum, SHA256_BYTES);
    pthread_mutex_unlock(&h->table->lock);
    return have;
}

void held_set_sum(struct held *h, const struct file_attr *as, const uint8_t sum[SHA256_BYTES])
{
    pthread_mutex_lock(&h->table->lock);
    h->have_sum = true;
    h->seen_size = as->size;
    h->seen_mtime_ns = as->mtime_ns;
    memcpy(h->sum, sum, SHA256_BYTES);
    pthread_mutex_unlock(&h->table->lock);
}

void held_set_damaged(struct held *h)
{
    atomic_store(&h->damaged, true);
}

bool held_damaged(const struct held *h)
{
    return atomic_load(&h->damaged);
}

uint64_t held_scanned(struct held *h, const struct file_attr *as)
{
    pthread_mutex_lock(&h->table->lock);
    bool appended = as->size > h->seen_size || as->mtime_ns == h->seen_mtime_ns;
    uint64_t n = appended ? h->scanned : 0;
    pthread_mutex_unlock(&h->table->lock);
    return n;
}

void held_set_scanned(struct held *h, const struct file_attr *as, uint64_t good)
{
    pthread_mutex_lock(&h->table->lock);
    h->scanned = good;
    h->seen_size = as->size;
    h->seen_mtime_ns = as->mtime_ns;
    pthread_mutex_unlock(&h->table->lock);
}
