/* SPDX-License-Identifier: MIT */
/* What is remembered of what files hold, and of the sizes of what is made from them. */
#include "store/snapshot/catalog_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Sizes are found again where they are missed: past so many all are forgotten. */
#define DUMPS_MAX 65536

struct notes_job {
    struct catalog_note *notes;
    size_t n;
};

/* The value of a note: its indexes, then its bytes. */
static int get_note(struct catalog *c, struct catalog_note *note)
{
    char buf[CATALOG_KEY_MAX];
    MDB_val k = catalog_key(note->path, buf), v;
    const size_t head = sizeof(note->index);
    int rc = mdb_get(c->txn, c->notes, &k, &v);
    if (rc)
        return rc == MDB_NOTFOUND ? 0 : rc;
    if (v.mv_size < head)
        return MDB_CORRUPTED;
    if (memcmp(v.mv_data, note->index, head) != 0)
        return 0;
    note->n = v.mv_size - head;
    note->bytes = malloc(note->n + 1);
    if (!note->bytes)
        return ENOMEM;
    memcpy(note->bytes, (const char *)v.mv_data + head, note->n);
    return 0;
}

static int get_notes(struct catalog *c, void *arg)
{
    const struct notes_job *job = arg;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < job->n; i++)
        rc = job->notes[i].bytes ? 0 : get_note(c, &job->notes[i]);
    return rc;
}

static int put_note(struct catalog *c, const struct catalog_note *note)
{
    char buf[CATALOG_KEY_MAX];
    const size_t head = sizeof(note->index);
    MDB_val k = catalog_key(note->path, buf), v = {head + note->n, NULL};
    int rc = mdb_put(c->txn, c->notes, &k, &v, MDB_RESERVE);
    if (rc)
        return rc;
    memcpy(v.mv_data, note->index, head);
    memcpy((char *)v.mv_data + head, note->bytes, note->n);
    return 0;
}

static int put_notes(struct catalog *c, void *arg)
{
    const struct notes_job *job = arg;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < job->n; i++)
        rc = job->notes[i].bytes ? put_note(c, &job->notes[i]) : 0;
    return rc;
}

static int transact(struct catalog *c, catalog_work_fn *work, void *job, struct err *e)
{
    pthread_mutex_lock(&c->lock);
    int rc = catalog_transact(c, work, job);
    pthread_mutex_unlock(&c->lock);
    return catalog_explain(rc, e);
}

int catalog_get_notes(struct catalog *c, struct catalog_note *notes, size_t n, struct err *e)
{
    return transact(c, get_notes, &(struct notes_job){notes, n}, e);
}

int catalog_put_notes(struct catalog *c, const struct catalog_note *notes, size_t n, struct err *e)
{
    return transact(c, put_notes, &(struct notes_job){(struct catalog_note *)notes, n}, e);
}

struct dump_job {
    const uint8_t *digest;
    uint64_t size;
    bool found;
};

static int get_dump(struct catalog *c, void *arg)
{
    struct dump_job *job = arg;
    MDB_val k = {SHA256_BYTES, (void *)job->digest}, v;
    int rc = mdb_get(c->txn, c->dumps, &k, &v);
    job->found = rc == 0;
    if (rc == 0 && v.mv_size != sizeof(job->size))
        return MDB_CORRUPTED;
    if (rc == 0)
        memcpy(&job->size, v.mv_data, sizeof(job->size));
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int put_dump(struct catalog *c, void *arg)
{
    struct dump_job *job = arg;
    MDB_val k = {SHA256_BYTES, (void *)job->digest}, v = {sizeof(job->size), &job->size};
    MDB_stat stat;
    int rc = mdb_stat(c->txn, c->dumps, &stat);
    if (rc == 0 && stat.ms_entries >= DUMPS_MAX)
        rc = mdb_drop(c->txn, c->dumps, 0);
    return rc ? rc : mdb_put(c->txn, c->dumps, &k, &v, 0);
}

int catalog_get_dump(struct catalog *c, const uint8_t digest[SHA256_BYTES], uint64_t *size,
                     struct err *e)
{
    struct dump_job job = {.digest = digest};
    int r = transact(c, get_dump, &job, e);
    if (r == 0 && !job.found)
        return -ENOENT;
    if (r == 0)
        *size = job.size;
    return r;
}

int catalog_put_dump(struct catalog *c, const uint8_t digest[SHA256_BYTES], uint64_t size,
                     struct err *e)
{
    return transact(c, put_dump, &(struct dump_job){.digest = digest, .size = size}, e);
}
