/* SPDX-License-Identifier: MIT */
#include "store/base/cleanup.h"
#include "store/snapshot/catalog_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Parts stand among the states, by their keys after this. */
#define PREFIX "part "
#define PREFIX_LEN (sizeof(PREFIX) - 1)
#define PARTS_MAX 32768

struct parts_job {
    struct catalog_part *parts;
    size_t n;
    const struct catalog_record *whole;
};

static void part_key(const struct catalog_part *p, uint8_t key[PREFIX_LEN + SHA256_BYTES])
{
    memcpy(key, PREFIX, PREFIX_LEN);
    memcpy(key + PREFIX_LEN, p->key, SHA256_BYTES);
}

/* Whatever a part is of, no two states have one id. */
static int parts_make_id(const struct catalog_part *p, struct catalog_record *rec)
{
    uint8_t sum[SHA256_BYTES];
    char hex[SHA256_HEX + 1];
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    if (!h)
        return ENOMEM;
    sha256_add(h, PREFIX, PREFIX_LEN);
    sha256_add(h, p->key, SHA256_BYTES);
    sha256_add(h, p->digest, SHA256_BYTES);
    sha256_add(h, rec->id, strlen(rec->id));
    sha256_end(h, sum);
    sha256_hex(sum, hex);
    snprintf(rec->id, sizeof(rec->id), "%.*s", CATALOG_ID_HEX, hex);
    return 0;
}

/* A state that is new as of this capture of the whole. */
static int parts_begin(struct catalog_part *p, const struct catalog_part *before,
                       const struct catalog_record *whole)
{
    p->rec = *whole;
    /* Parts that are captured by themselves rise above each other, whatever the clock does. */
    if (before && p->rec.index >= before->rec.index && p->rec.created_ns <= before->rec.created_ns)
        p->rec.created_ns = before->rec.created_ns + 1;
    if (before && memcmp(before->meta_sum, p->meta_sum, SHA256_BYTES) == 0) {
        p->meta_index = before->meta_index;
        p->meta_mtime_ns = before->meta_mtime_ns;
    } else {
        p->meta_index = whole->index;
    }
    return parts_make_id(p, &p->rec);
}

int catalog_settle_part(struct catalog *c, struct catalog_part *p,
                        const struct catalog_record *whole)
{
    uint8_t key[PREFIX_LEN + SHA256_BYTES];
    struct catalog_part before;
    MDB_val k = {sizeof(key), key}, v;
    part_key(p, key);
    int rc = mdb_get(c->txn, c->states, &k, &v);
    bool known = rc == 0;
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    if (known && v.mv_size != sizeof(before))
        return MDB_CORRUPTED;
    if (known)
        memcpy(&before, v.mv_data, sizeof(before));
    if (known && memcmp(before.digest, p->digest, SHA256_BYTES) == 0) {
        *p = before;
        return 0;
    }
    if ((rc = parts_begin(p, known ? &before : NULL, whole)))
        return rc;
    /* One of an earlier capture than the last one does not become the newest. */
    if (known && before.rec.index > whole->index)
        return 0;
    v = (MDB_val){sizeof(*p), p};
    return mdb_put(c->txn, c->states, &k, &v, 0);
}

static int parts_settle(struct catalog *c, void *arg)
{
    struct parts_job *job = arg;
    MDB_stat stat;
    int rc = mdb_stat(c->txn, c->states, &stat);
    /* So that selections of times, other ones each day, do not pile up. */
    if (rc == 0 && stat.ms_entries > PARTS_MAX)
        rc = catalog_forget(c, c->states, PREFIX, PREFIX_LEN);
    for (size_t i = 0; rc == 0 && i < job->n; i++)
        rc = catalog_settle_part(c, &job->parts[i], job->whole);
    return rc;
}

int catalog_settle_parts(struct catalog *c, struct catalog_part *parts, size_t n,
                         const struct catalog_record *whole, struct err *e)
{
    return catalog_run(c, parts_settle, &(struct parts_job){parts, n, whole}, e);
}
