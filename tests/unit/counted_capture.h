/* SPDX-License-Identifier: MIT */
/* A capture of files whose bytes are made when they are read, for the tests of what reads them: it
 * counts those who read at once, holds them up, fails, and records what the kernel is told of. */
#ifndef INFLUXFS_TESTS_COUNTED_CAPTURE_H
#define INFLUXFS_TESTS_COUNTED_CAPTURE_H

#include "store/base/lock.h"
#include "store/base/time.h"
#include "store/snapshot/capture_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNTED_MEMBERS 512
#define COUNTED_WAIT_NS                                                                            \
    (60 * SECOND_NS) /* far beyond what any of it takes: only a hang reaches it */

struct counted {
    struct capture c;
    struct member members[COUNTED_MEMBERS];
    struct omissions left_out;
    char names[COUNTED_MEMBERS][16];
    bool fails[COUNTED_MEMBERS];

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    unsigned inside, most; /* those who read at once */
    unsigned gate;         /* reading waits until so many have been inside */
    size_t held;           /* reading this member waits */
    bool late;             /* a wait has lasted too long */
    uint64_t read[COUNTED_MEMBERS], advised[COUNTED_MEMBERS]; /* bytes of each */
    size_t last_advised;
    uint64_t far; /* the most that was advised and not read yet, in bytes */
    bool have[COUNTED_MEMBERS];
    uint8_t sums[COUNTED_MEMBERS][SHA256_BYTES];
    unsigned kept; /* calls */
};

static inline struct counted *counted_of(const struct capture *c)
{
    return (struct counted *)c;
}

static inline void counted_fill(size_t i, void *buf, size_t n, uint64_t off)
{
    for (size_t k = 0; k < n; k++)
        ((uint8_t *)buf)[k] = (uint8_t)((off + k) * 7 + (off + k) / 251 + i * 131);
}

static inline void counted_wait(struct counted *k, size_t i)
{
    const int64_t deadline = time_mono_ns() + COUNTED_WAIT_NS;
    pthread_cond_broadcast(&k->changed);
    while (!k->late && (k->most < k->gate || k->held == i))
        if (!cond_wait_until(&k->changed, &k->lock, deadline))
            k->late = true;
}

static inline int counted_read(const struct capture *c, size_t i, void *buf, size_t n, uint64_t off,
                               struct err *e)
{
    struct counted *k = counted_of(c);
    pthread_mutex_lock(&k->lock);
    k->inside++;
    k->most = k->inside > k->most ? k->inside : k->most;
    counted_wait(k, i);
    pthread_mutex_unlock(&k->lock);
    counted_fill(i, buf, n, off);
    lock_scope(&k->lock);
    k->inside--;
    k->read[i] += n;
    if (k->fails[i])
        return err_set(e, -EIO, "%s/%s: it fails", k->members[i].dir, k->members[i].name);
    return 0;
}

static inline void counted_advise(const struct capture *c, size_t i, size_t n, uint64_t off)
{
    struct counted *k = counted_of(c);
    uint64_t far = 0;
    (void)off;
    lock_scope(&k->lock);
    k->advised[i] += n;
    k->last_advised = i > k->last_advised ? i : k->last_advised;
    for (size_t m = 0; m < k->c.n; m++)
        far += k->advised[m] > k->read[m] ? k->advised[m] - k->read[m] : 0;
    k->far = far > k->far ? far : k->far;
}

static inline bool counted_sum(const struct capture *c, size_t i, uint8_t out[SHA256_BYTES])
{
    struct counted *k = counted_of(c);
    lock_scope(&k->lock);
    memcpy(out, k->sums[i], SHA256_BYTES);
    return k->have[i];
}

static inline void counted_set_sum(struct capture *c, size_t i, const uint8_t sum[SHA256_BYTES])
{
    struct counted *k = counted_of(c);
    lock_scope(&k->lock);
    memcpy(k->sums[i], sum, SHA256_BYTES);
    k->have[i] = true;
}

static inline int counted_keep(struct capture *c, struct err *e)
{
    struct counted *k = counted_of(c);
    (void)e;
    lock_scope(&k->lock);
    k->kept++;
    return 0;
}

static inline void counted_free(struct capture *c)
{
    struct counted *k = counted_of(c);
    pthread_cond_destroy(&k->changed);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

/* n files of these sizes, of which the last is that of all others. With one reference. */
static inline struct counted *counted_new(size_t n, const uint64_t *sizes, size_t nsizes)
{
    static const struct capture_ops ops = {
        .free = counted_free,
        .read = counted_read,
        .advise = counted_advise,
        .sum = counted_sum,
        .set_sum = counted_set_sum,
        .keep_sums = counted_keep,
    };
    struct counted *k = calloc(1, sizeof(*k));
    if (!k || n > COUNTED_MEMBERS)
        abort();
    k->c.ops = &ops;
    k->c.members = k->members;
    k->c.left_out = &k->left_out;
    k->c.n = n;
    k->held = SIZE_MAX;
    k->c.origin = (struct capture_origin){.kind = MANIFEST_FULL, .number = -1};
    atomic_init(&k->c.refs, 1);
    pthread_mutex_init(&k->lock, NULL);
    cond_init(&k->changed);
    for (size_t i = 0; i < n; i++) {
        snprintf(k->names[i], sizeof(k->names[i]), "file%zu", i);
        k->members[i] = (struct member){.dir = "data/db/rp/1", .name = k->names[i], .index = 1};
        k->members[i].attr.mode = S_IFREG | 0644;
        k->members[i].attr.size = sizes[i < nsizes ? i : nsizes - 1];
    }
    return k;
}

/* Whether the sum of member i is known, and that of its bytes. */
static inline bool counted_is_right(struct counted *k, size_t i)
{
    const size_t n = k->members[i].attr.size;
    uint8_t sum[SHA256_BYTES];
    char want[SHA256_HEX + 1], have[SHA256_HEX + 1];
    char *bytes = malloc(n + 1);
    if (!bytes || !counted_sum(&k->c, i, sum)) {
        free(bytes);
        return false;
    }
    counted_fill(i, bytes, n, 0);
    sha256_hex(sum, have);
    bool right = sha256_of(bytes, n, want) == 0 && strcmp(have, want) == 0;
    free(bytes);
    return right;
}

/* How much of a member was read. */
static inline uint64_t counted_bytes(struct counted *k, size_t i)
{
    lock_scope(&k->lock);
    return k->read[i];
}

/* Which member is held up from now on; SIZE_MAX: none. */
static inline void counted_hold(struct counted *k, size_t held)
{
    lock_scope(&k->lock);
    k->held = held;
    pthread_cond_broadcast(&k->changed);
}

/* Waits until so many have been inside at once. false: too long. */
static inline bool counted_come(struct counted *k, unsigned most)
{
    const int64_t deadline = time_mono_ns() + COUNTED_WAIT_NS;
    lock_scope(&k->lock);
    while (k->most < most && cond_wait_until(&k->changed, &k->lock, deadline))
        ;
    return k->most >= most;
}

#endif
