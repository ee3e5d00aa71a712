/* SPDX-License-Identifier: MIT */
#include "store/base/lock.h"
#include "store/base/time.h"
#include "store/snapshot/catalog_internal.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define DERIVED_MAX 131072 /* of a generation; there are two */

/* A transaction is synced, which costs more than most of these values do: they are written together. What
 * a kill loses of them is found again. */
#define WAITING_MAX 512
#define WAITING_NS (5 * SECOND_NS)

/* The values of old catalogues, which knew only sizes. */
#define SIZE_ALONE sizeof(uint64_t)
_Static_assert(offsetof(struct catalog_derived, size) == 0, "the first member");

/* Values have two generations; the key begins with the generation's number. A new or requested
 * value goes to the newer one; when that is full, the older one is forgotten and replaces it as the
 * newer. */
struct derived_job {
    const uint8_t *digest;
    struct catalog_derived value;
    bool found, old; /* old: in the older generation */
};

struct derived_key {
    uint8_t generation;
    uint8_t digest[SHA256_BYTES];
};

static const char newest[] = "newest generation";

static int derived_get_generation(struct catalog *c, uint8_t *generation, uint64_t *count)
{
    MDB_val k = {sizeof(newest), (void *)newest}, v;
    uint64_t found[2] = {0, 0};
    int rc = mdb_get(c->txn, c->derived, &k, &v);
    if (rc == 0 && v.mv_size != sizeof(found))
        return MDB_CORRUPTED;
    if (rc == 0)
        memcpy(found, v.mv_data, sizeof(found));
    *generation = found[0] & 1;
    *count = found[1];
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int put_generation(struct catalog *c, uint8_t generation, uint64_t count)
{
    uint64_t now[2] = {generation, count};
    MDB_val k = {sizeof(newest), (void *)newest}, v = {sizeof(now), now};
    return mdb_put(c->txn, c->derived, &k, &v, 0);
}

static int derived_put(struct catalog *c, const struct derived_entry *put)
{
    struct derived_key key;
    uint64_t count;
    MDB_val k = {sizeof(key), &key}, v = {sizeof(put->value), (void *)&put->value};
    int rc = derived_get_generation(c, &key.generation, &count);
    if (rc == 0 && count >= DERIVED_MAX) {
        key.generation ^= 1;
        count = 0;
        rc = catalog_forget(c, c->derived, &key.generation, sizeof(key.generation));
    }
    memcpy(key.digest, put->digest, SHA256_BYTES);
    if (rc == 0)
        rc = put_generation(c, key.generation, count + 1);
    return rc ? rc : mdb_put(c->txn, c->derived, &k, &v, 0);
}

static int derived_get_from(struct catalog *c, uint8_t generation, struct derived_job *job)
{
    struct derived_key key = {.generation = generation};
    MDB_val k = {sizeof(key), &key}, v;
    memcpy(key.digest, job->digest, SHA256_BYTES);
    int rc = mdb_get(c->txn, c->derived, &k, &v);
    job->found = rc == 0;
    if (rc == 0 && v.mv_size != sizeof(job->value) && v.mv_size != SIZE_ALONE)
        return MDB_CORRUPTED;
    if (rc == 0)
        memcpy(&job->value, v.mv_data, v.mv_size);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int derived_get(struct catalog *c, void *arg)
{
    struct derived_job *job = arg;
    uint8_t generation;
    uint64_t count;
    int rc = derived_get_generation(c, &generation, &count);
    if (rc == 0)
        rc = derived_get_from(c, generation, job);
    if (rc || job->found)
        return rc;
    rc = derived_get_from(c, generation ^ 1, job);
    job->old = job->found;
    return rc;
}

static int derived_write(struct catalog *c)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->nwaiting; i++)
        rc = derived_put(c, &c->waiting[i]);
    return rc;
}

static struct derived_entry *derived_waiting(struct catalog *c, const uint8_t digest[SHA256_BYTES])
{
    for (size_t i = 0; i < c->nwaiting; i++)
        if (memcmp(c->waiting[i].digest, digest, SHA256_BYTES) == 0)
            return &c->waiting[i];
    return NULL;
}

static int derived_none(struct catalog *c, void *arg)
{
    (void)c, (void)arg;
    return 0;
}

/* Lets a value wait; or, where too many do or the first has done so for long, writes all. */
static int derived_wait(struct catalog *c, const uint8_t digest[SHA256_BYTES],
                        const struct catalog_derived *value)
{
    struct derived_entry *w = derived_waiting(c, digest);
    if (!c->waiting && !(c->waiting = calloc(WAITING_MAX, sizeof(*c->waiting))))
        return ENOMEM;
    if (c->nwaiting == 0)
        c->waits_since = time_mono_ns();
    c->write_waiting = derived_write;
    if (!w)
        w = &c->waiting[c->nwaiting++];
    memcpy(w->digest, digest, SHA256_BYTES);
    w->value = *value;
    if (c->nwaiting < WAITING_MAX && time_mono_ns() - c->waits_since < WAITING_NS)
        return 0;
    int rc = catalog_transact(c, derived_none, NULL);
    c->nwaiting = 0; /* it is but a cache: what cannot be written does not pile up */
    return rc;
}

int catalog_get_derived(struct catalog *c, const uint8_t digest[SHA256_BYTES],
                        struct catalog_derived *out, struct err *e)
{
    struct derived_job job = {.digest = digest};
    lock_scope(&c->lock);
    const struct derived_entry *w = derived_waiting(c, digest);
    if (w) {
        *out = w->value;
        return 0;
    }
    int rc = catalog_look(c, derived_get, &job);
    if (rc == 0 && job.old)
        rc = derived_wait(c, digest, &job.value);
    if (rc == 0 && !job.found)
        return -ENOENT;
    if (rc == 0)
        *out = job.value;
    return catalog_explain(rc, e);
}

int catalog_put_derived(struct catalog *c, const uint8_t digest[SHA256_BYTES],
                        const struct catalog_derived *value, struct err *e)
{
    lock_scope(&c->lock);
    return catalog_explain(derived_wait(c, digest, value), e);
}
