/* SPDX-License-Identifier: MIT */
#include "store/snapshot/catalog_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* All of this can be found again: it must not displace what cannot. */
#define NOTES_MAX ((uint64_t)512 << 20)          /* bytes */
#define NOTES_MAX_IN_MEMORY ((uint64_t)16 << 20) /* where there is no file */

struct notes_job {
    struct catalog_note *notes;
    size_t n;
};

/* The value of a note: its stamp, then its bytes. */
static int notes_get_note(struct catalog *c, struct catalog_note *note)
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
        rc = job->notes[i].bytes ? 0 : notes_get_note(c, &job->notes[i]);
    return rc;
}

/* The file may have changed or gone since it was read. */
static int notes_put_note(struct catalog *c, const struct catalog_note *note)
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
            rc = notes_put_note(c, &job->notes[i]);
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
