/* SPDX-License-Identifier: MIT */
#include "store/influx/meta.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/influx/meta.pb-c.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

typedef Influxfs__Meta__Data pb_data;
typedef Influxfs__Meta__Database pb_database;
typedef Influxfs__Meta__Policy pb_policy;
typedef Influxfs__Meta__ShardGroup pb_group;

struct meta_entry {
    const char *db, *rp; /* in the arena */
    uint64_t id;
    bool live;
    int64_t start, end;
};

struct policy {
    const char *db, *rp; /* in the arena */
    struct meta_rules rules;
};

struct meta {
    size_t n_databases;
    const char **databases;
    size_t n_policies;
    struct policy *policies;
    size_t n, n_live;
    struct meta_entry *shards;      /* by_place */
    const struct meta_entry **live; /* those of them that are live */
    struct meta_counts counts;
    char *arena;
    size_t arena_used;
};

/* protobuf-c allocates as much as the message claims; two bytes can become a struct of a hundred.
 * The budget keeps a hostile meta.db from taking all memory. Real files need a tenth of it. */
struct budget {
    size_t left;
    bool spent; /* an allocation was refused: a false claim, or out of memory */
};

#define BUDGET_PER_BYTE 64
#define BUDGET_SLACK (64 << 10)
#define BUDGET_MAX ((size_t)1 << 30)

static void *budget_alloc(void *data, size_t size)
{
    struct budget *b = data;
    void *p = size <= b->left ? malloc(size) : NULL;
    if (p)
        b->left -= size;
    else
        b->spent = true;
    return p;
}

static void budget_free(void *data, void *p)
{
    (void)data;
    free(p);
}

static void data_freep(pb_data **d)
{
    ProtobufCAllocator a = {.alloc = budget_alloc, .free = budget_free};
    if (*d)
        influxfs__meta__data__free_unpacked(*d, &a);
}

static int meta_unpack(const void *buf, size_t len, pb_data **out, struct err *e)
{
    if (len > META_DB_MAX)
        return err_set(e, -EFBIG, "meta.db: %zu bytes are more than influxfs reads", len);
    struct budget b = {.left = BUDGET_SLACK + len * BUDGET_PER_BYTE};
    if (b.left > BUDGET_MAX)
        b.left = BUDGET_MAX;
    ProtobufCAllocator a = {budget_alloc, budget_free, &b};
    pb_data *d = influxfs__meta__data__unpack(&a, len, buf);
    if (!d && b.spent)
        return err_set(e, -ENOMEM, "meta.db: damaged, or too large for the memory there is");
    if (!d)
        return err_set(e, -EBADMSG, "meta.db: damaged, or not written by InfluxDB 1.x");
    *out = d;
    return 0;
}

/* Names become components of paths. */
static bool is_name(const char *s)
{
    return *s && strcmp(s, ".") != 0 && strcmp(s, "..") != 0 && !strchr(s, '/');
}

static int check_name(const char *what, const char *s, struct err *e)
{
    if (is_name(s))
        return 0;
    return err_set(e, -EBADMSG, "meta.db: \"%s\" cannot be the name of a %s", s, what);
}

/* Checks the names, counts the shards and sums the room for the names. */
static int meta_measure(const pb_data *d, size_t *shards, size_t *policies, size_t *names,
                        struct err *e)
{
    size_t n = 0, n_policies = 0, bytes = 0;
    for (size_t i = 0; i < d->n_databases; i++) {
        const pb_database *db = d->databases[i];
        int r = check_name("database", db->name, e);
        bytes += strlen(db->name) + 1;
        n_policies += db->n_policies;
        for (size_t j = 0; r == 0 && j < db->n_policies; j++) {
            const pb_policy *rp = db->policies[j];
            r = check_name("retention policy", rp->name, e);
            bytes += strlen(rp->name) + 1;
            for (size_t k = 0; k < rp->n_shard_groups; k++)
                n += rp->shard_groups[k]->n_shards;
        }
        if (r < 0)
            return r;
    }
    *shards = n;
    *policies = n_policies;
    *names = bytes;
    return 0;
}

static const char *keep_name(struct meta *m, const char *s)
{
    char *p = m->arena + m->arena_used;
    size_t len = strlen(s) + 1;
    memcpy(p, s, len);
    m->arena_used += len;
    return p;
}

static void add_group(struct meta *m, const char *db, const char *rp, const pb_group *g)
{
    for (size_t i = 0; i < g->n_shards; i++)
        m->shards[m->n++] = (struct meta_entry){
            db, rp, g->shards[i]->id, g->deleted_at == 0, g->start_time, g->end_time};
}

static void meta_add_all(struct meta *m, const pb_data *d)
{
    m->counts.users = d->n_users;
    for (size_t i = 0; i < d->n_databases; i++) {
        const char *db = keep_name(m, d->databases[i]->name);
        m->databases[m->n_databases++] = db;
        m->counts.queries += d->databases[i]->n_continuous_queries;
        for (size_t j = 0; j < d->databases[i]->n_policies; j++) {
            const pb_policy *p = d->databases[i]->policies[j];
            const char *rp = keep_name(m, p->name);
            const bool is_default = strcmp(p->name, d->databases[i]->default_policy) == 0;
            m->policies[m->n_policies++] = (struct policy){
                db, rp, {p->duration, p->shard_group_duration, p->replica_n, is_default}};
            m->counts.subscriptions += p->n_subscriptions;
            for (size_t k = 0; k < p->n_shard_groups; k++)
                add_group(m, db, rp, p->shard_groups[k]);
        }
    }
}

static int compare_places(const struct meta_entry *a, const struct meta_entry *b)
{
    int c = strcmp(a->db, b->db);
    if (c == 0)
        c = strcmp(a->rp, b->rp);
    return c ? c : (a->id > b->id) - (a->id < b->id);
}

/* By database, policy and id. If a shard is listed twice, the live entry comes first, since influxd
 * serves it. */
static int by_place(const void *va, const void *vb)
{
    const struct meta_entry *a = va, *b = vb;
    int c = compare_places(a, b);
    return c ? c : b->live - a->live;
}

int meta_parse(const void *buf, size_t len, struct meta **out, struct err *e)
{
    cleanup(data_freep) pb_data *d = NULL;
    size_t shards = 0, policies = 0, names = 0;
    int r = meta_unpack(buf, len, &d, e);
    if (r == 0)
        r = meta_measure(d, &shards, &policies, &names, e);
    if (r < 0)
        return r;
    cleanup(meta_freep) struct meta *m = calloc(1, sizeof(*m));
    if (!m)
        return err_sys(e, -ENOMEM, "meta.db");
    m->shards = calloc(shards + 1, sizeof(*m->shards));
    m->live = calloc(shards + 1, sizeof(*m->live));
    m->policies = calloc(policies + 1, sizeof(*m->policies));
    m->databases = calloc(d->n_databases + 1, sizeof(char *));
    m->arena = malloc(names + 1);
    if (!m->shards || !m->live || !m->policies || !m->databases || !m->arena)
        return err_sys(e, -ENOMEM, "meta.db");
    meta_add_all(m, d);
    qsort(m->shards, m->n, sizeof(*m->shards), by_place);
    for (size_t i = 0; i < m->n; i++)
        if (m->shards[i].live)
            m->live[m->n_live++] = &m->shards[i];
    *out = steal_ptr(&m);
    return 0;
}

static bool is_before(const void *item, const void *key)
{
    return compare_places(item, key) < 0;
}

enum meta_state meta_shard(const struct meta *m, const char *db, const char *rp, uint64_t id)
{
    const struct meta_entry key = {.db = db, .rp = rp, .id = id};
    size_t i = array_bisect(m->shards, m->n, sizeof(key), &key, is_before);
    if (i == m->n || compare_places(&m->shards[i], &key) != 0)
        return META_UNKNOWN;
    return m->shards[i].live ? META_LIVE : META_DELETED;
}

size_t meta_live_shards(const struct meta *m)
{
    return m->n_live;
}

void meta_live_shard_at(const struct meta *m, size_t i, const char **db, const char **rp,
                        uint64_t *id)
{
    const struct meta_entry *s = m->live[i];
    *db = s->db;
    *rp = s->rp;
    *id = s->id;
}

static bool is_live_before(const void *item, const void *key)
{
    return compare_places(*(const struct meta_entry *const *)item, key) < 0;
}

bool meta_live_find(const struct meta *m, const char *db, const char *rp, uint64_t id, size_t *i)
{
    const struct meta_entry key = {.db = db, .rp = rp, .id = id};
    size_t at = array_bisect(m->live, m->n_live, sizeof(*m->live), &key, is_live_before);
    if (at == m->n_live || compare_places(m->live[at], &key) != 0)
        return false;
    *i = at;
    return true;
}

void meta_live_shard_times(const struct meta *m, size_t i, int64_t *start, int64_t *end)
{
    *start = m->live[i]->start;
    *end = m->live[i]->end;
}

bool meta_has_policy(const struct meta *m, const char *db, const char *rp)
{
    for (size_t i = 0; i < m->n_policies; i++)
        if (strcmp(m->policies[i].db, db) == 0 && strcmp(m->policies[i].rp, rp) == 0)
            return true;
    return false;
}

bool meta_has_database(const struct meta *m, const char *db)
{
    for (size_t i = 0; i < m->n_databases; i++)
        if (strcmp(m->databases[i], db) == 0)
            return true;
    return false;
}

size_t meta_databases(const struct meta *m)
{
    return m->n_databases;
}

const char *meta_database(const struct meta *m, size_t i)
{
    return m->databases[i];
}

size_t meta_policies(const struct meta *m)
{
    return m->n_policies;
}

void meta_policy(const struct meta *m, size_t i, const char **db, const char **rp)
{
    *db = m->policies[i].db;
    *rp = m->policies[i].rp;
}

void meta_policy_rules(const struct meta *m, size_t i, struct meta_rules *out)
{
    *out = m->policies[i].rules;
}

struct meta_counts meta_counts(const struct meta *m)
{
    return m->counts;
}

/* Packs the message without that database and with the counters at 0. The caller owns the bytes. */
static int meta_pack_without(pb_data *d, const char *db, uint8_t **out, size_t *len)
{
    size_t all = d->n_databases, n = 0;
    pb_database **list = d->databases;
    autofree pb_database **others = calloc(all + 1, sizeof(pb_database *));
    if (!others)
        return -ENOMEM;
    for (size_t i = 0; i < all; i++)
        if (strcmp(list[i]->name, db) != 0)
            others[n++] = list[i];
    d->databases = others;
    d->n_databases = n;
    d->term = d->index = d->max_shard_group_id = d->max_shard_id = 0;
    *len = influxfs__meta__data__get_packed_size(d);
    *out = malloc(*len + 1);
    if (*out)
        influxfs__meta__data__pack(d, *out);
    d->databases = list;
    d->n_databases = all;
    return *out ? 0 : -ENOMEM;
}

int meta_same_but(const void *a, size_t alen, const void *b, size_t blen, const char *db,
                  bool *same, struct err *e)
{
    cleanup(data_freep) pb_data *one = NULL, *other = NULL;
    autofree uint8_t *pa = NULL, *pb = NULL;
    size_t na = 0, nb = 0;
    int r = meta_unpack(a, alen, &one, e);
    if (r == 0)
        r = meta_unpack(b, blen, &other, e);
    if (r < 0)
        return r;
    r = meta_pack_without(one, db, &pa, &na);
    if (r == 0)
        r = meta_pack_without(other, db, &pb, &nb);
    if (r < 0)
        return err_sys(e, r, "meta.db");
    *same = na == nb && memcmp(pa, pb, na) == 0;
    return 0;
}

void meta_free(struct meta *m)
{
    if (!m)
        return;
    free(m->shards);
    free(m->live);
    free(m->policies);
    free(m->databases);
    free(m->arena);
    free(m);
}
