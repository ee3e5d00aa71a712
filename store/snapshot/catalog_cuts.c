/* SPDX-License-Identifier: MIT */
#include "store/snapshot/catalog_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Keys are big-endian, so that they sort by serial. */
#define PLACE_BYTES 12

static MDB_val place_key(uint64_t serial, uint32_t seq, uint8_t buf[PLACE_BYTES])
{
    for (int i = 0; i < 8; i++)
        buf[i] = (uint8_t)(serial >> (56 - 8 * i));
    for (int i = 0; i < 4; i++)
        buf[8 + i] = (uint8_t)(seq >> (24 - 8 * i));
    return (MDB_val){PLACE_BYTES, buf};
}

static void place_of(const MDB_val *k, uint64_t *serial, uint32_t *seq)
{
    const uint8_t *b = k->mv_data;
    *serial = 0;
    *seq = 0;
    for (int i = 0; i < 8; i++)
        *serial = *serial << 8 | b[i];
    for (int i = 8; i < PLACE_BYTES; i++)
        *seq = *seq << 8 | b[i];
}

/* A value: which file it is of, and its sum. */
struct retained_value {
    uint64_t file[3];
    uint8_t sum[SHA256_BYTES];
};

static struct retained_value retained_value(const struct catalog_retained *f)
{
    struct retained_value v = {.file = {f->ino, f->size, (uint64_t)f->mtime_ns}};
    memcpy(v.sum, f->sum, SHA256_BYTES);
    return v;
}

struct retained_job {
    struct catalog_retained *files;
    size_t n;
    uint64_t last;
    bool (*keep)(void *ctx, uint64_t serial, uint32_t seq);
    void *ctx;
};

static int cuts_get_all(struct catalog *c, void *arg)
{
    const struct retained_job *job = arg;
    for (size_t i = 0; i < job->n; i++) {
        struct catalog_retained *f = &job->files[i];
        uint8_t buf[PLACE_BYTES];
        if (f->have_sum)
            continue;
        MDB_val k = place_key(f->serial, f->seq, buf), v;
        int rc = mdb_get(c->txn, c->retained, &k, &v);
        if (rc == MDB_NOTFOUND)
            continue;
        struct retained_value known, wanted = retained_value(f);
        if (rc || v.mv_size != sizeof(known))
            return rc ? rc : MDB_CORRUPTED;
        memcpy(&known, v.mv_data, sizeof(known));
        if (memcmp(known.file, wanted.file, sizeof(known.file)) != 0)
            continue; /* of another chain, that had this place before */
        memcpy(f->sum, known.sum, SHA256_BYTES);
        f->have_sum = true;
    }
    return 0;
}

static int cuts_put_all(struct catalog *c, void *arg)
{
    const struct retained_job *job = arg;
    for (size_t i = 0; i < job->n; i++) {
        struct catalog_retained *f = &job->files[i];
        uint8_t buf[PLACE_BYTES];
        if (!f->have_sum)
            continue;
        struct retained_value value = retained_value(f);
        MDB_val k = place_key(f->serial, f->seq, buf), v = {sizeof(value), &value};
        int rc = mdb_put(c->txn, c->retained, &k, &v, 0);
        if (rc)
            return rc;
    }
    return 0;
}

static int cuts_forget(struct catalog *c, void *arg)
{
    const struct retained_job *job = arg;
    MDB_cursor *cur;
    MDB_val k, v;
    int rc = mdb_cursor_open(c->txn, c->retained, &cur);
    if (rc)
        return rc;
    while ((rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT)) == 0) {
        uint64_t serial;
        uint32_t seq;
        if (k.mv_size != PLACE_BYTES) {
            rc = MDB_CORRUPTED;
            break;
        }
        place_of(&k, &serial, &seq);
        if (serial > job->last)
            break;
        if (!job->keep(job->ctx, serial, seq) && (rc = mdb_cursor_del(cur, 0)))
            break;
    }
    mdb_cursor_close(cur);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int catalog_get_retained(struct catalog *c, struct catalog_retained *files, size_t n, struct err *e)
{
    return catalog_run(c, cuts_get_all, &(struct retained_job){.files = files, .n = n}, e);
}

int catalog_put_retained(struct catalog *c, const struct catalog_retained *files, size_t n,
                         struct err *e)
{
    return catalog_run(c, cuts_put_all,
                       &(struct retained_job){.files = (struct catalog_retained *)files, .n = n},
                       e);
}

int catalog_forget_retained(struct catalog *c, uint64_t last,
                            bool (*keep)(void *ctx, uint64_t serial, uint32_t seq), void *ctx,
                            struct err *e)
{
    return catalog_run(c, cuts_forget,
                       &(struct retained_job){.last = last, .keep = keep, .ctx = ctx}, e);
}

/* Manifests stand among the bases, by their names after this. */
#define MANIFEST "manifest "
#define NAME_BYTES 64

struct manifest_job {
    const char *name;
    const uint64_t *stamp;
    void *out;
    const void *value;
    size_t n;
    bool found;
};

static MDB_val manifest_key(const struct manifest_job *job, char buf[NAME_BYTES])
{
    int n = snprintf(buf, NAME_BYTES, MANIFEST "%.40s", job->name);
    return (MDB_val){(size_t)n, buf};
}

static int cuts_get_manifest(struct catalog *c, void *arg)
{
    struct manifest_job *job = arg;
    char buf[NAME_BYTES];
    const size_t stamp = CATALOG_STAMP * sizeof(*job->stamp);
    MDB_val k = manifest_key(job, buf), v;
    int rc = mdb_get(c->txn, c->bases, &k, &v);
    job->found =
        rc == 0 && v.mv_size == stamp + job->n && memcmp(v.mv_data, job->stamp, stamp) == 0;
    if (job->found)
        memcpy(job->out, (const char *)v.mv_data + stamp, job->n);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int cuts_put_manifest(struct catalog *c, void *arg)
{
    const struct manifest_job *job = arg;
    char buf[NAME_BYTES];
    const size_t stamp = CATALOG_STAMP * sizeof(*job->stamp);
    MDB_val k = manifest_key(job, buf), v = {stamp + job->n, NULL};
    int rc = mdb_put(c->txn, c->bases, &k, &v, MDB_RESERVE);
    if (rc)
        return rc;
    memcpy(v.mv_data, job->stamp, stamp);
    memcpy((char *)v.mv_data + stamp, job->value, job->n);
    return 0;
}

int catalog_get_manifest(struct catalog *c, const char *name, const uint64_t stamp[CATALOG_STAMP],
                         void *out, size_t n, struct err *e)
{
    struct manifest_job job = {.name = name, .stamp = stamp, .out = out, .n = n};
    int r = catalog_run(c, cuts_get_manifest, &job, e);
    return r < 0 || job.found ? r : -ENOENT;
}

int catalog_put_manifest(struct catalog *c, const char *name, const uint64_t stamp[CATALOG_STAMP],
                         const void *value, size_t n, struct err *e)
{
    struct manifest_job job = {.name = name, .stamp = stamp, .value = value, .n = n};
    return catalog_run(c, cuts_put_manifest, &job, e);
}
