/* SPDX-License-Identifier: MIT */
#include "store/snapshot/held.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <uthash.h>

struct key {
    dev_t dev;
    ino_t ino;
};

struct held {
    struct key key;
    struct held_table *table;
    int fd;
    unsigned refs;
    bool have_sum;
    uint64_t sum_size;
    uint8_t sum[SHA256_BYTES];
    uint64_t scanned;
    UT_hash_handle hh;
};

struct held_table {
    pthread_mutex_t lock;
    struct held *files;
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

struct held_table *held_table_new(void)
{
    struct held_table *t = calloc(1, sizeof(*t));
    if (t)
        pthread_mutex_init(&t->lock, NULL);
    return t;
}

void held_table_free(struct held_table *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static struct key key_of(const struct stat *st)
{
    struct key k;
    memset(&k, 0, sizeof(k));
    k.dev = st->st_dev;
    k.ino = st->st_ino;
    return k;
}

static struct held *find(struct held_table *t, const struct stat *st)
{
    struct key k = key_of(st);
    struct held *h = NULL;
    HASH_FIND(hh, t->files, &k, sizeof(k), h);
    if (h)
        h->refs++;
    return h;
}

static struct held *add(struct held_table *t, int *fd, const struct stat *st)
{
    struct held *h = find(t, st);
    if (h)
        return h;
    h = calloc(1, sizeof(*h));
    if (!h)
        return NULL;
    h->key = key_of(st);
    h->table = t;
    h->refs = 1;
    h->fd = steal_fd(fd);
    HASH_ADD(hh, t->files, key, sizeof(h->key), h);
    return h;
}

int held_get(struct held_table *t, int dirfd, const char *name, struct held **out, struct stat *st)
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
    if (h) {
        *out = h;
        return 0;
    }
    autoclose int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, st) < 0)
        return -errno;
    if (!S_ISREG(st->st_mode))
        return -EINVAL;
    pthread_mutex_lock(&t->lock);
    h = add(t, &fd, st);
    pthread_mutex_unlock(&t->lock);
    if (!h)
        return -ENOMEM;
    *out = h;
    return 0;
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
    if (last)
        HASH_DEL(t->files, h);
    pthread_mutex_unlock(&t->lock);
    if (last) {
        close(h->fd);
        free(h);
    }
}

int held_fd(const struct held *h)
{
    return h->fd;
}

ino_t held_inode(const struct held *h)
{
    return h->key.ino;
}

bool held_is(const struct held *h, const struct stat *st)
{
    return h->key.dev == st->st_dev && h->key.ino == st->st_ino;
}

bool held_sum(struct held *h, uint64_t size, uint8_t out[SHA256_BYTES])
{
    pthread_mutex_lock(&h->table->lock);
    bool have = h->have_sum && h->sum_size == size;
    if (have)
        memcpy(out, h->sum, SHA256_BYTES);
    pthread_mutex_unlock(&h->table->lock);
    return have;
}

void held_set_sum(struct held *h, uint64_t size, const uint8_t sum[SHA256_BYTES])
{
    pthread_mutex_lock(&h->table->lock);
    h->have_sum = true;
    h->sum_size = size;
    memcpy(h->sum, sum, SHA256_BYTES);
    pthread_mutex_unlock(&h->table->lock);
}

uint64_t held_scanned(struct held *h)
{
    pthread_mutex_lock(&h->table->lock);
    uint64_t n = h->scanned;
    pthread_mutex_unlock(&h->table->lock);
    return n;
}

void held_set_scanned(struct held *h, uint64_t good)
{
    pthread_mutex_lock(&h->table->lock);
    h->scanned = good;
    pthread_mutex_unlock(&h->table->lock);
}
