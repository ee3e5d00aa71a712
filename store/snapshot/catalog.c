/* SPDX-License-Identifier: MIT */
#include "store/snapshot/catalog.h"

#include "store/base/lock.h"
#include "store/snapshot/catalog_internal.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define KEY_MAX CATALOG_KEY_MAX
#define KEY_HEAD (KEY_MAX - SHA256_BYTES)

/* Stored as they are in memory: the catalogue never leaves its machine. */
struct row {
    uint64_t ino, size, index;
    int64_t mtime_ns;
    uint64_t known; /* KNOWN_… */
    uint8_t sum[SHA256_BYTES];
};

enum { KNOWN_SUM = 1, KNOWN_DAMAGED = 2 };

static uint64_t known_of(const struct catalog_file *f)
{
    return (f->have_sum ? KNOWN_SUM : 0) | (f->damaged ? KNOWN_DAMAGED : 0);
}

struct state {
    uint8_t digest[SHA256_BYTES];
    struct catalog_record rec;
};

/* What catalogues that do not know the clock's time hold. */
#define STATE_WITHOUT_WALL (sizeof(struct state) - sizeof(int64_t))
_Static_assert(offsetof(struct state, rec.wall_ns) == STATE_WITHOUT_WALL, "the last member");

MDB_val catalog_key(const char *path, char buf[KEY_MAX])
{
    size_t n = strlen(path);
    if (n <= KEY_MAX)
        return (MDB_val){n, (void *)path};
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    memcpy(buf, path, KEY_HEAD);
    memset(buf + KEY_HEAD, 0, SHA256_BYTES);
    if (h) {
        sha256_add(h, path, n);
        sha256_end(h, (uint8_t *)buf + KEY_HEAD);
    }
    return (MDB_val){KEY_MAX, buf};
}

static int get_row(struct catalog *c, const char *path, struct row *row)
{
    char buf[KEY_MAX];
    MDB_val k = catalog_key(path, buf), v;
    int rc = mdb_get(c->txn, c->files, &k, &v);
    if (rc == 0 && v.mv_size != sizeof(*row))
        return MDB_CORRUPTED;
    if (rc == 0)
        memcpy(row, v.mv_data, sizeof(*row));
    return rc;
}

int catalog_index_of(struct catalog *c, const char *path, uint64_t *index)
{
    struct row row;
    int rc = get_row(c, path, &row);
    *index = rc == 0 ? row.index : 0;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int put_row(struct catalog *c, const char *path, const struct row *row)
{
    char buf[KEY_MAX];
    MDB_val k = catalog_key(path, buf), v = {sizeof(*row), (void *)row};
    return mdb_put(c->txn, c->files, &k, &v, 0);
}

static int catalog_get_state(struct catalog *c, struct state *s)
{
    MDB_val k = {6, (void *)"newest"}, v;
    int rc = mdb_get(c->txn, c->states, &k, &v);
    if (rc)
        return rc;
    if (v.mv_size != sizeof(*s) && v.mv_size != STATE_WITHOUT_WALL)
        return MDB_CORRUPTED;
    memcpy(s, v.mv_data, v.mv_size);
    if (v.mv_size == STATE_WITHOUT_WALL)
        s->rec.wall_ns = s->rec.created_ns;
    return 0;
}

static int put_state(struct catalog *c, const struct state *s)
{
    MDB_val k = {6, (void *)"newest"}, v = {sizeof(*s), (void *)s};
    return mdb_put(c->txn, c->states, &k, &v, 0);
}

static bool same(const struct row *row, const struct catalog_file *f)
{
    return row->ino == f->ino && row->size == f->size && row->mtime_ns == f->mtime_ns;
}

static void tell(const struct catalog_files *files, size_t i, struct catalog_file *f,
                 const struct row *row)
{
    f->index = row->index;
    f->have_sum = row->known & KNOWN_SUM;
    f->damaged = row->known & KNOWN_DAMAGED;
    memcpy(f->sum, row->sum, SHA256_BYTES);
    files->put(files->ctx, i, f);
}

/* Gives every file its row; new or changed files get a new row with index. */
static int catalog_settle_files(struct catalog *c, const struct catalog_files *files,
                                uint64_t index, bool believe, size_t *known)
{
    *known = 0;
    for (size_t i = 0; i < files->n; i++) {
        struct catalog_file f = {0};
        struct row row;
        files->get(files->ctx, i, &f);
        if (believe && f.index) {
            ++*known;
            continue;
        }
        int rc = get_row(c, f.path, &row);
        if (rc && rc != MDB_NOTFOUND)
            return rc;
        *known += rc == 0;
        if (rc || !same(&row, &f)) {
            row =
                (struct row){.ino = f.ino, .size = f.size, .index = index, .mtime_ns = f.mtime_ns};
            rc = put_row(c, f.path, &row);
            if (rc)
                return rc;
        }
        tell(files, i, &f, &row);
    }
    return 0;
}

static int by_key(const void *a, const void *b)
{
    const MDB_val *x = a, *y = b;
    size_t n = x->mv_size < y->mv_size ? x->mv_size : y->mv_size;
    int d = memcmp(x->mv_data, y->mv_data, n);
    return d ? d : (x->mv_size > y->mv_size) - (x->mv_size < y->mv_size);
}

static int catalog_all_keys(const struct catalog_files *files, MDB_val *keys)
{
    for (size_t i = 0; i < files->n; i++) {
        struct catalog_file f = {0};
        char buf[KEY_MAX];
        files->get(files->ctx, i, &f);
        MDB_val k = catalog_key(f.path, buf);
        keys[i].mv_data = malloc(k.mv_size);
        if (!keys[i].mv_data)
            return ENOMEM;
        memcpy(keys[i].mv_data, k.mv_data, k.mv_size);
        keys[i].mv_size = k.mv_size;
    }
    if (files->n)
        qsort(keys, files->n, sizeof(*keys), by_key);
    return 0;
}

static int catalog_drop_others(struct catalog *c, const MDB_val *keys, size_t n)
{
    MDB_cursor *cur;
    MDB_val k, v;
    int rc = mdb_cursor_open(c->txn, c->files, &cur);
    if (rc)
        return rc;
    while ((rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT)) == 0) {
        if (n && bsearch(&k, keys, n, sizeof(*keys), by_key))
            continue;
        rc = mdb_del(c->txn, c->notes, &k, NULL);
        if (rc == 0 || rc == MDB_NOTFOUND)
            rc = mdb_cursor_del(cur, 0);
        if (rc)
            break;
    }
    mdb_cursor_close(cur);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Forgets files that are not among these. */
static int catalog_forget_vanished(struct catalog *c, const struct catalog_files *files)
{
    MDB_val *keys = calloc(files->n + 1, sizeof(*keys));
    if (!keys)
        return ENOMEM;
    int rc = catalog_all_keys(files, keys);
    if (rc == 0)
        rc = catalog_drop_others(c, keys, files->n);
    for (size_t i = 0; i < files->n; i++)
        free(keys[i].mv_data);
    free(keys);
    return rc;
}

/* The id of a state names what was captured and when. */
static int catalog_make_id(struct state *s)
{
    uint8_t sum[SHA256_BYTES];
    char hex[SHA256_HEX + 1];
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    if (!h)
        return ENOMEM;
    sha256_add(h, s->digest, sizeof(s->digest));
    sha256_add(h, &s->rec.created_ns, sizeof(s->rec.created_ns));
    sha256_add(h, &s->rec.index, sizeof(s->rec.index));
    sha256_add(h, s->rec.host, strlen(s->rec.host));
    sha256_end(h, sum);
    sha256_hex(sum, hex);
    memcpy(s->rec.id, hex, CATALOG_ID_HEX);
    s->rec.id[CATALOG_ID_HEX] = 0;
    return 0;
}

static int catalog_new_state(struct catalog *c, const struct catalog_files *files,
                             const struct state *before, const uint8_t *earlier, struct state *s)
{
    bool believe = earlier && memcmp(earlier, before->digest, SHA256_BYTES) == 0;
    MDB_stat stat;
    size_t known;
    if (s->rec.created_ns <= before->rec.created_ns)
        s->rec.created_ns = before->rec.created_ns + 1;
    s->rec.index = before->rec.index + 1;
    int rc = catalog_make_id(s);
    if (rc == 0)
        rc = mdb_stat(c->txn, c->files, &stat);
    if (rc == 0)
        rc = catalog_settle_files(c, files, s->rec.index, believe, &known);
    if (rc == 0 && known < stat.ms_entries)
        rc = catalog_forget_vanished(c, files);
    return rc ? rc : put_state(c, s);
}

struct settling {
    const struct catalog_files *files;
    const uint8_t *earlier;
    struct state given, result;
};

static int catalog_settle_in(struct catalog *c, void *arg)
{
    struct settling *job = arg;
    struct state *s = &job->result, before;
    size_t known;
    *s = job->given;
    memset(&before, 0, sizeof(before));
    int rc = catalog_get_state(c, &before);
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    bool same_state = rc == 0 && memcmp(before.digest, s->digest, SHA256_BYTES) == 0;
    if (same_state && before.rec.index >= c->last.index) {
        s->rec = before.rec;
        return catalog_settle_files(c, job->files, s->rec.index, false, &known);
    }
    if (before.rec.index < c->last.index)
        before.rec = c->last;
    return catalog_new_state(c, job->files, &before, job->earlier, s);
}

int catalog_settle(struct catalog *c, const uint8_t digest[SHA256_BYTES], const uint8_t *earlier,
                   const struct catalog_files *files, const char *host, int64_t now_ns,
                   int64_t skew_ns, struct catalog_record *rec, struct err *e)
{
    struct settling job;
    memset(&job, 0, sizeof(job));
    job.files = files;
    job.earlier = earlier;
    memcpy(job.given.digest, digest, SHA256_BYTES);
    snprintf(job.given.rec.host, sizeof(job.given.rec.host), "%s", host);
    job.given.rec.created_ns = job.given.rec.wall_ns = now_ns;
    job.given.rec.skew_ns = skew_ns;
    lock_scope(&c->lock);
    int rc = catalog_transact(c, catalog_settle_in, &job);
    if (rc == 0)
        *rec = c->last = job.result.rec;
    return catalog_explain(rc, e);
}

static int catalog_put_sums_in(struct catalog *c, void *arg)
{
    const struct catalog_files *files = arg;
    for (size_t i = 0; i < files->n; i++) {
        struct catalog_file f = {0};
        struct row row;
        files->get(files->ctx, i, &f);
        if (!known_of(&f))
            continue;
        int rc = get_row(c, f.path, &row);
        if (rc && rc != MDB_NOTFOUND)
            return rc;
        if (rc || !same(&row, &f) || (row.known | known_of(&f)) == row.known)
            continue;
        row.known |= known_of(&f);
        if (f.have_sum)
            memcpy(row.sum, f.sum, SHA256_BYTES);
        rc = put_row(c, f.path, &row);
        if (rc)
            return rc;
    }
    return 0;
}

int catalog_put_sums(struct catalog *c, const struct catalog_files *files, struct err *e)
{
    return catalog_run(c, catalog_put_sums_in, (void *)files, e);
}

static int find_state(struct catalog *c, void *arg)
{
    struct state s;
    int rc = catalog_get_state(c, &s);
    *(bool *)arg = rc == MDB_NOTFOUND;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

bool catalog_is_new(struct catalog *c)
{
    bool is_new = false;
    return catalog_run(c, find_state, &is_new, NULL) == 0 && is_new;
}

struct seeding {
    const struct catalog_record *rec;
    const struct catalog_files *files;
};

static int catalog_seed_in(struct catalog *c, void *arg)
{
    const struct seeding *job = arg;
    struct state s;
    memset(&s, 0, sizeof(s)); /* no digest: the next state is another one */
    s.rec = *job->rec;
    for (size_t i = 0; i < job->files->n; i++) {
        struct catalog_file f = {0};
        job->files->get(job->files->ctx, i, &f);
        struct row row = {.ino = f.ino, .size = f.size, .index = f.index, .mtime_ns = f.mtime_ns};
        row.known = known_of(&f);
        memcpy(row.sum, f.sum, SHA256_BYTES);
        int rc = put_row(c, f.path, &row);
        if (rc)
            return rc;
    }
    return put_state(c, &s);
}

int catalog_seed(struct catalog *c, const struct catalog_record *rec,
                 const struct catalog_files *files, struct err *e)
{
    struct seeding job = {rec, files};
    return catalog_run(c, catalog_seed_in, &job, e);
}
