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
    if (s->rec.created_ns <= before->rec.created_ns)
        s->rec.created_ns = before->rec.created_ns + 1;
    s->rec.index = before->rec.index + 1;
    int rc = catalog_make_id(s);
    if (rc == 0)
        rc = catalog_settle_files(c, files, s->rec.index, believe, true);
    if (rc == 0)
        rc = catalog_put_shards(c, files, s->rec.index);
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
    *s = job->given;
    memset(&before, 0, sizeof(before));
    int rc = catalog_get_state(c, &before);
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    bool same_state = rc == 0 && memcmp(before.digest, s->digest, SHA256_BYTES) == 0;
    if (same_state && before.rec.index >= c->last.index) {
        s->rec = before.rec;
        rc = catalog_settle_files(c, job->files, s->rec.index, false, false);
        return rc ? rc : catalog_put_shards(c, job->files, s->rec.index);
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
