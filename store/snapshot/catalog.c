/* SPDX-License-Identifier: MIT */
#include "store/snapshot/catalog.h"

#include "store/base/lock.h"
#include "store/snapshot/catalog_internal.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct state {
    uint8_t digest[SHA256_BYTES];
    struct catalog_record rec;
};

/* What catalogues that do not know the clock's time hold. */
#define STATE_WITHOUT_WALL (sizeof(struct state) - sizeof(int64_t))
_Static_assert(offsetof(struct state, rec.wall_ns) == STATE_WITHOUT_WALL, "the last member");

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

/* A number of that name; 0: there is none. */
static int catalog_get_count(struct catalog *c, const char *name, uint64_t *out)
{
    MDB_val k = {strlen(name), (void *)name}, v;
    *out = 0;
    int rc = mdb_get(c->txn, c->states, &k, &v);
    if (rc == 0 && v.mv_size != sizeof(*out))
        return MDB_CORRUPTED;
    if (rc == 0)
        memcpy(out, v.mv_data, sizeof(*out));
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int put_count(struct catalog *c, const char *name, uint64_t value)
{
    MDB_val k = {strlen(name), (void *)name}, v = {sizeof(value), &value};
    return mdb_put(c->txn, c->states, &k, &v, 0);
}

/* The greatest index of any file: that of the newest state, or of a piece that was taken in since. */
static int catalog_last_index(struct catalog *c, const struct state *newest, uint64_t *out)
{
    uint64_t piece;
    const int rc = catalog_get_count(c, "piece", &piece);
    if (rc)
        return rc;
    if (piece < c->last_piece)
        piece = c->last_piece;
    *out = newest->rec.index > piece ? newest->rec.index : piece;
    return 0;
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

struct settling {
    const struct catalog_given *given;
    const uint8_t *key; /* of a piece */
    struct state state, result;
};

static int catalog_new_state(struct catalog *c, const struct catalog_given *g,
                             const struct state *before, struct state *s)
{
    bool believe = g->earlier && memcmp(g->earlier, before->digest, SHA256_BYTES) == 0;
    if (s->rec.created_ns <= before->rec.created_ns)
        s->rec.created_ns = before->rec.created_ns + 1;
    int rc = catalog_last_index(c, before, &s->rec.index);
    s->rec.index++;
    if (rc == 0)
        rc = catalog_make_id(s);
    if (rc == 0)
        rc = catalog_settle_files(c, g->files, g->shape, s->rec.index, believe, true);
    if (rc == 0)
        rc = catalog_put_shards(c, g->shape, s->rec.index, true);
    return rc ? rc : put_state(c, s);
}

/* The newest state; one of zeros if there is none. No index is below that of a state which was given
 * out while the file failed. */
static int catalog_get_newest(struct catalog *c, struct state *s)
{
    memset(s, 0, sizeof(*s));
    int rc = catalog_get_state(c, s);
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    if (s->rec.index < c->last.index) {
        memset(s->digest, 0, sizeof(s->digest));
        s->rec = c->last;
    }
    return rc;
}

static int catalog_settle_in(struct catalog *c, void *arg)
{
    struct settling *job = arg;
    struct state *s = &job->result, before;
    *s = job->state;
    int rc = catalog_get_newest(c, &before);
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    if (rc == MDB_NOTFOUND || memcmp(before.digest, s->digest, SHA256_BYTES) != 0)
        return catalog_new_state(c, job->given, &before, s);
    s->rec = before.rec;
    rc = catalog_settle_files(c, job->given->files, job->given->shape, s->rec.index, false, false);
    return rc ? rc : catalog_put_shards(c, job->given->shape, s->rec.index, false);
}

static void catalog_begin(struct settling *job, const struct catalog_given *given)
{
    memset(job, 0, sizeof(*job));
    job->given = given;
    memcpy(job->state.digest, given->digest, SHA256_BYTES);
    snprintf(job->state.rec.host, sizeof(job->state.rec.host), "%s", given->host);
    job->state.rec.created_ns = job->state.rec.wall_ns = given->now_ns;
    job->state.rec.skew_ns = given->skew_ns;
}

int catalog_settle_state(struct catalog *c, const struct catalog_given *given,
                         struct catalog_record *rec, struct err *e)
{
    struct settling job;
    catalog_begin(&job, given);
    lock_scope(&c->lock);
    int rc = catalog_transact(c, catalog_settle_in, &job);
    if (rc == 0)
        *rec = c->last = job.result.rec;
    return catalog_explain(rc, e);
}

static int catalog_piece_in(struct catalog *c, void *arg)
{
    struct settling *job = arg;
    struct state *s = &job->result, before;
    uint64_t last;
    *s = job->state;
    int rc = catalog_get_newest(c, &before);
    if (rc == 0 || rc == MDB_NOTFOUND)
        rc = catalog_last_index(c, &before, &last);
    if (rc)
        return rc;
    c->changed = 0;
    if ((rc =
             catalog_settle_files(c, job->given->files, job->given->shape, last + 1, false, false)))
        return rc;
    s->rec.index = last + (c->changed > 0);
    if (s->rec.created_ns <= before.rec.created_ns)
        s->rec.created_ns = before.rec.created_ns + 1;
    struct catalog_part part = {.meta_index = s->rec.index};
    memcpy(part.key, job->key, SHA256_BYTES);
    memcpy(part.digest, s->digest, SHA256_BYTES);
    if ((rc = catalog_make_id(s)) || (c->changed && (rc = put_count(c, "piece", s->rec.index))) ||
        (rc = catalog_settle_part(c, &part, &s->rec)))
        return rc;
    if (c->changed)
        part.rec.index = s->rec.index;
    s->rec = part.rec;
    /* What is only known better now, another look will find: a list of all databases writes nothing. */
    return c->changed ? catalog_put_shards(c, job->given->shape, s->rec.index, false) : 0;
}

int catalog_settle_piece(struct catalog *c, const uint8_t key[SHA256_BYTES],
                         const struct catalog_given *given, struct catalog_record *rec,
                         struct err *e)
{
    struct settling job;
    catalog_begin(&job, given);
    job.key = key;
    lock_scope(&c->lock);
    int rc = catalog_transact(c, catalog_piece_in, &job);
    if (rc == 0) {
        *rec = job.result.rec;
        if (c->last_piece < rec->index) /* that of a piece without changes is an earlier one's */
            c->last_piece = rec->index;
    }
    return catalog_explain(rc, e);
}

int catalog_settle(struct catalog *c, const uint8_t digest[SHA256_BYTES], const uint8_t *earlier,
                   const struct catalog_files *files, const char *host, int64_t now_ns,
                   int64_t skew_ns, struct catalog_record *rec, struct err *e)
{
    const struct catalog_given given = {.digest = digest,
                                        .earlier = earlier,
                                        .files = files,
                                        .host = host,
                                        .now_ns = now_ns,
                                        .skew_ns = skew_ns};
    return catalog_settle_state(c, &given, rec, e);
}

static int catalog_prepare_in(struct catalog *c, void *arg)
{
    const struct catalog_given *g = arg;
    struct state before;
    int rc = catalog_get_newest(c, &before);
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    uint64_t last;
    if ((rc = catalog_last_index(c, &before, &last)))
        return rc;
    rc = catalog_settle_files(c, g->files, g->shape, last + 1, false, false);
    return rc ? rc : catalog_put_shards(c, g->shape, last + 1, false);
}

int catalog_prepare(struct catalog *c, const struct catalog_files *files,
                    const struct catalog_shape *shape, struct err *e)
{
    struct catalog_given given = {.files = files, .shape = shape};
    return catalog_run(c, catalog_prepare_in, &given, e);
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
    int rc = catalog_seed_files(c, job->files);
    return rc ? rc : put_state(c, &s);
}

int catalog_seed(struct catalog *c, const struct catalog_record *rec,
                 const struct catalog_files *files, struct err *e)
{
    struct seeding job = {rec, files};
    return catalog_run(c, catalog_seed_in, &job, e);
}

static int catalog_turn(struct catalog *c, void *arg)
{
    uint64_t *turn = arg;
    const int rc = catalog_get_count(c, "turn", turn);
    return rc ? rc : put_count(c, "turn", ++*turn);
}

int catalog_take_turn(struct catalog *c, uint64_t *out, struct err *e)
{
    return catalog_run(c, catalog_turn, out, e);
}
