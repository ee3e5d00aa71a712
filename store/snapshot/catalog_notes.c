/* SPDX-License-Identifier: MIT */
/* What is remembered of what files hold, and of the sizes of what is made from them. All of it can
 * be found again: it must not take the room of what cannot. */
#include "store/snapshot/catalog_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NOTES_MAX ((uint64_t)512 << 20)          /* bytes */
#define NOTES_MAX_IN_MEMORY ((uint64_t)16 << 20) /* where there is no file */
#define DUMPS_MAX 131072                         /* of a generation; there are two */

struct notes_job {
    struct catalog_note *notes;
    size_t n;
};

/* The value of a note: its stamp, then its bytes. */
static int get_note(struct catalog *c, struct catalog_note *note)
{
    char buf[CATALOG_KEY_MAX];
    MDB_val k = catalog_key(note->path, buf), v;
    const size_t head = sizeof(note->stamp);
    int rc = mdb_get(c->txn, c->notes, &k, &v);
    if (rc)
        return rc == MDB_NOTFOUND ? 0 : rc;
    if (v.mv_size < head || memcmp(v.mv_data, note->stamp, head) != 0)
        return 0;
    note->n = v.mv_size - head;
    note->bytes = malloc(note->n + 1);
    if (!note->bytes)
        return ENOMEM;
    memcpy(note->bytes, (const char *)v.mv_data + head, note->n);
    note->known = true;
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

/* A file may have changed, or gone, since it was looked into. */
static int put_note(struct catalog *c, const struct catalog_note *note)
{
    char buf[CATALOG_KEY_MAX];
    const size_t head = sizeof(note->stamp);
    MDB_val k = catalog_key(note->path, buf), v = {head + note->n, NULL};
    uint64_t index;
    int rc = catalog_index_of(c, note->path, &index);
    if (rc == 0 && index == note->stamp[0] && index != 0)
        rc = mdb_put(c->txn, c->notes, &k, &v, MDB_RESERVE);
    if (rc || !v.mv_data)
        return rc;
    memcpy(v.mv_data, note->stamp, head);
    memcpy((char *)v.mv_data + head, note->bytes, note->n);
    return 0;
}

static int make_room(struct catalog *c)
{
    MDB_stat stat;
    int rc = mdb_stat(c->txn, c->notes, &stat);
    uint64_t pages = rc ? 0 : stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
    uint64_t most = c->path && !c->trouble.text[0] ? NOTES_MAX : NOTES_MAX_IN_MEMORY;
    return rc == 0 && pages * stat.ms_psize > most ? mdb_drop(c->txn, c->notes, 0) : rc;
}

static int put_notes(struct catalog *c, void *arg)
{
    const struct notes_job *job = arg;
    int rc = make_room(c);
    for (size_t i = 0; rc == 0 && i < job->n; i++)
        if (job->notes[i].bytes && !job->notes[i].known)
            rc = put_note(c, &job->notes[i]);
    return rc;
}

int catalog_get_notes(struct catalog *c, struct catalog_note *notes, size_t n, struct err *e)
{
    return catalog_run(c, get_notes, &(struct notes_job){notes, n}, e);
}

int catalog_put_notes(struct catalog *c, const struct catalog_note *notes, size_t n, struct err *e)
{
    return catalog_run(c, put_notes, &(struct notes_job){(struct catalog_note *)notes, n}, e);
}

/*
 * Sizes are of two generations: the key begins with its number. A size that is asked for moves to
 * the newer one, or is put there; when that is full the older one is forgotten, and takes its
 * place.
 */
struct dump_job {
    const uint8_t *digest;
    uint64_t size;
    bool found;
};

struct dump_key {
    uint8_t generation;
    uint8_t digest[SHA256_BYTES];
};

static const char newest[] = "newest generation";

static int get_generation(struct catalog *c, uint8_t *generation, uint64_t *count)
{
    MDB_val k = {sizeof(newest), (void *)newest}, v;
    uint64_t found[2] = {0, 0};
    int rc = mdb_get(c->txn, c->dumps, &k, &v);
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
    return mdb_put(c->txn, c->dumps, &k, &v, 0);
}

static int forget_generation(struct catalog *c, uint8_t generation)
{
    MDB_cursor *cursor;
    MDB_val k = {1, &generation}, v;
    int rc = mdb_cursor_open(c->txn, c->dumps, &cursor);
    if (rc)
        return rc;
    for (rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
         rc == 0 && k.mv_size == sizeof(struct dump_key) && *(uint8_t *)k.mv_data == generation;
         rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT))
        if ((rc = mdb_cursor_del(cursor, 0)))
            break;
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int put_size(struct catalog *c, const struct dump_job *job)
{
    struct dump_key key;
    uint64_t count;
    MDB_val k = {sizeof(key), &key}, v = {sizeof(job->size), (void *)&job->size};
    int rc = get_generation(c, &key.generation, &count);
    if (rc == 0 && count >= DUMPS_MAX) {
        key.generation ^= 1;
        count = 0;
        rc = forget_generation(c, key.generation);
    }
    memcpy(key.digest, job->digest, SHA256_BYTES);
    if (rc == 0)
        rc = put_generation(c, key.generation, count + 1);
    return rc ? rc : mdb_put(c->txn, c->dumps, &k, &v, 0);
}

static int get_size(struct catalog *c, uint8_t generation, struct dump_job *job)
{
    struct dump_key key = {.generation = generation};
    memcpy(key.digest, job->digest, SHA256_BYTES);
    return catalog_number(c, c->dumps, (MDB_val){sizeof(key), &key}, &job->size, &job->found);
}

static int get_dump(struct catalog *c, void *arg)
{
    struct dump_job *job = arg;
    uint8_t generation;
    uint64_t count;
    int rc = get_generation(c, &generation, &count);
    if (rc == 0)
        rc = get_size(c, generation, job);
    if (rc || job->found)
        return rc;
    rc = get_size(c, generation ^ 1, job);
    return rc == 0 && job->found ? put_size(c, job) : rc;
}

static int put_dump(struct catalog *c, void *arg)
{
    return put_size(c, arg);
}

int catalog_get_dump(struct catalog *c, const uint8_t digest[SHA256_BYTES], uint64_t *size,
                     struct err *e)
{
    struct dump_job job = {.digest = digest};
    int r = catalog_run(c, get_dump, &job, e);
    if (r == 0 && !job.found)
        return -ENOENT;
    if (r == 0)
        *size = job.size;
    return r;
}

int catalog_put_dump(struct catalog *c, const uint8_t digest[SHA256_BYTES], uint64_t size,
                     struct err *e)
{
    return catalog_run(c, put_dump, &(struct dump_job){.digest = digest, .size = size}, e);
}
