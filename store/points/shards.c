/* SPDX-License-Identifier: MIT */
#include "store/points/shards.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/influx/meta.h"
#include "store/influx/names.h"

#include <errno.h>
#include <string.h>

struct shards {
    const struct capture *capture;
    struct meta *meta;
    size_t meta_member;
    size_t n;
    struct shard_files *list;
    struct shard_files *last; /* the last one found: members of one shard are adjacent */
};

void shards_free(struct shards *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++) {
        free(s->list[i].tsm);
        free(s->list[i].wal);
    }
    free(s->list);
    meta_free(s->meta);
    free(s);
}

const struct meta *shards_meta(const struct shards *s)
{
    return s->meta;
}

size_t shards_meta_member(const struct shards *s)
{
    return s->meta_member;
}

size_t shards_count(const struct shards *s)
{
    return s->n;
}

const struct shard_files *shards_at(const struct shards *s, size_t i)
{
    return &s->list[i];
}

int shards_leave_file(const struct capture *c, const struct shard_files *sh, size_t member,
                      const struct gaps *g, int code, struct err *e)
{
    const struct member *m = capture_member(c, member);
    char times[GAPS_TIMES];
    gaps_times(sh->start, sh->end - 1, times);
    return gaps_damage(g, code, e, "left out: what of file %s/%s cannot be read, %s", m->dir,
                       m->name, times);
}

int shards_check_field(struct slice key, const char *file, enum value_type type,
                       const enum value_type *elsewhere, struct err *e)
{
    static const char *const names[VALUE_TYPES] = {"float", "integer", "boolean", "string",
                                                   "unsigned"};
    struct slice series, field;
    if (!serieskey_split(key, &series, &field) || field.n == 0)
        return err_set(e, -EBADMSG, "%s: damaged: a key without a field", file);
    if (elsewhere && *elsewhere != type)
        return err_set(e, -EBADMSG, "%s: the field %.*s is %s here and %s elsewhere in its shard",
                       file, (int)field.n, field.p, names[type], names[*elsewhere]);
    return 0;
}

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the list of shards");
}

/* In the order of meta.db: database, policy and id. */
static int shards_add_all(struct shards *s)
{
    s->n = meta_live_shards(s->meta);
    s->list = calloc(s->n + 1, sizeof(*s->list));
    if (!s->list)
        return -ENOMEM;
    for (size_t i = 0; i < s->n; i++) {
        struct shard_files *sh = &s->list[i];
        meta_live_shard_at(s->meta, i, &sh->db, &sh->rp, &sh->id);
        meta_live_shard_times(s->meta, i, &sh->start, &sh->end);
        /* The week of the first possible day begins before the range of 64 bits: influxd lets that
         * wrap. */
        if (sh->start >= sh->end)
            sh->start = INT64_MIN;
    }
    return 0;
}

/* Compares a name with the first component of a path. */
static int compare_name(const char *path, size_t n, const char *name)
{
    int c = strncmp(path, name, n);
    return c ? c : -(name[n] != 0);
}

/* "DB/RP/ID", as in a folder's name. */
struct place {
    const char *db, *rp;
    size_t ndb, nrp;
    uint64_t id;
};

static int by_place(const void *vp, const void *vs)
{
    const struct place *p = vp;
    const struct shard_files *s = vs;
    int c = compare_name(p->db, p->ndb, s->db);
    if (c == 0)
        c = compare_name(p->rp, p->nrp, s->rp);
    return c ? c : (p->id > s->id) - (p->id < s->id);
}

/* The shard whose folder dir is: "ROOT/DB/RP/ID". */
static struct shard_files *shards_find(struct shards *s, const char *root, const char *dir)
{
    size_t nroot = strlen(root);
    struct place p = {.db = dir + nroot};
    if (strncmp(dir, root, nroot) != 0)
        return NULL;
    p.ndb = strcspn(p.db, "/");
    p.rp = p.db + p.ndb + (p.db[p.ndb] != 0);
    p.nrp = strcspn(p.rp, "/");
    if (p.rp[p.nrp] != '/' || !name_is_shard(p.rp + p.nrp + 1, &p.id))
        return NULL;
    if (!s->last || by_place(&p, s->last) != 0)
        s->last = bsearch(&p, s->list, s->n, sizeof(*s->list), by_place);
    return s->last;
}

static int shards_add_file(struct shards *s, size_t member)
{
    const struct member *m = capture_member(s->capture, member);
    struct shard_files *sh = shards_find(s, "data/", m->dir);
    if (sh && name_is_tsm(m->name)) {
        if (!array_grow(&sh->tsm, sh->ntsm))
            return -ENOMEM;
        sh->tsm[sh->ntsm++] = (struct shard_tsm){member, MEMBER_NONE};
    }
    if (sh && strcmp(m->name, NAME_INDEX) == 0)
        sh->tsi1 = true;
    sh = sh ? NULL : shards_find(s, "wal/", m->dir);
    if (sh && name_is_wal(m->name)) {
        if (!array_grow(&sh->wal, sh->nwal))
            return -ENOMEM;
        sh->wal[sh->nwal++] = member;
    }
    return 0;
}

static void shards_add_tombstone(struct shards *s, size_t member)
{
    const struct member *m = capture_member(s->capture, member);
    char tsm[NAME_MAX + 1];
    struct shard_files *sh = name_tsm_of(m->name, tsm) ? shards_find(s, "data/", m->dir) : NULL;
    for (size_t i = 0; sh && i < sh->ntsm; i++)
        if (strcmp(capture_member(s->capture, sh->tsm[i].tsm)->name, tsm) == 0)
            sh->tsm[i].tombstone = member;
}

static int by_name(const void *a, const void *b, void *capture)
{
    /* Both kinds of items begin with their member number. */
    return strcmp(capture_member(capture, *(const size_t *)a)->name,
                  capture_member(capture, *(const size_t *)b)->name);
}

static int shards_add_files(struct shards *s)
{
    for (size_t i = 0; i < capture_count(s->capture); i++)
        if (shards_add_file(s, i) < 0)
            return -ENOMEM;
    for (size_t i = 0; i < capture_count(s->capture); i++)
        shards_add_tombstone(s, i);
    for (size_t i = 0; i < s->n; i++) {
        struct shard_files *sh = &s->list[i];
        if (sh->ntsm)
            qsort_r(sh->tsm, sh->ntsm, sizeof(*sh->tsm), by_name, (void *)s->capture);
        if (sh->nwal)
            qsort_r(sh->wal, sh->nwal, sizeof(*sh->wal), by_name, (void *)s->capture);
    }
    return 0;
}

static int shards_read_meta(struct shards *s, struct err *e)
{
    const struct capture *c = s->capture;
    for (size_t i = 0; i < capture_count(c); i++) {
        const struct member *m = capture_member(c, i);
        if (strcmp(m->dir, "meta") != 0 || strcmp(m->name, NAME_META_DB) != 0)
            continue;
        size_t n = (size_t)m->attr.size;
        if (n > META_DB_MAX)
            return err_set(e, -EFBIG, "meta/" NAME_META_DB ": larger than influxfs reads");
        autofree uint8_t *buf = malloc(n + 1);
        if (!buf)
            return no_memory(e);
        s->meta_member = i;
        int r = capture_read(c, i, buf, n, 0, e);
        return r < 0 ? r : meta_parse(buf, n, &s->meta, e);
    }
    return err_set(e, -ENOENT, "meta/" NAME_META_DB ": not there");
}

/* Within a policy in influxd's order: by end, then start. */
int shards_compare(const struct shard_files *a, const struct shard_files *b)
{
    int c = strcmp(a->db, b->db);
    if (c == 0)
        c = strcmp(a->rp, b->rp);
    if (c == 0)
        c = (a->end > b->end) - (a->end < b->end);
    if (c == 0)
        c = (a->start > b->start) - (a->start < b->start);
    return c ? c : (a->id > b->id) - (a->id < b->id);
}

static int by_time(const void *a, const void *b)
{
    return shards_compare(a, b);
}

int shards_open(const struct capture *c, struct shards **out, struct err *e)
{
    cleanup(shards_freep) struct shards *s = calloc(1, sizeof(*s));
    if (!s)
        return no_memory(e);
    s->capture = c;
    if (capture_origin(c)->parent)
        return err_set(e, -EINVAL, "this snapshot holds only what changed since another");
    int r = shards_read_meta(s, e);
    if (r < 0)
        return r;
    if (shards_add_all(s) < 0 || shards_add_files(s) < 0)
        return no_memory(e);
    qsort(s->list, s->n, sizeof(*s->list), by_time);
    s->last = NULL;
    *out = steal_ptr(&s);
    return 0;
}

static bool is_in(const struct shard_files *sh, const char *db, const char *rp)
{
    return strcmp(sh->db, db) == 0 && (!rp || strcmp(sh->rp, rp) == 0);
}

void shards_span(const struct shards *s, const char *db, const char *rp, size_t *first, size_t *end)
{
    *first = 0;
    while (*first < s->n && !is_in(&s->list[*first], db, rp))
        ++*first;
    *end = *first;
    while (*end < s->n && is_in(&s->list[*end], db, rp))
        ++*end;
}

int shards_range(const struct shards *s, const char *db, const char *rp, int64_t from, int64_t to,
                 size_t **out, size_t *n, struct err *e)
{
    size_t first, end;
    if (!meta_has_policy(s->meta, db, rp))
        return err_set(e, -ENOENT, "no database %s with a policy %s", db, rp);
    shards_span(s, db, rp, &first, &end);
    size_t *list = calloc(end - first + 1, sizeof(*list));
    if (!list)
        return no_memory(e);
    *n = 0;
    for (size_t i = first; from < to && i < end; i++)
        if (s->list[i].start < to && s->list[i].end > from)
            list[(*n)++] = i;
    *out = list;
    return 0;
}

static void add_number(struct sha256 *h, uint64_t v)
{
    sha256_add(h, &v, sizeof(v));
}

/* The catalogue's index of a file rises with each change; a WAL segment grows. */
static void shards_digest_member(const struct capture *c, size_t i, struct sha256 *h)
{
    if (i == MEMBER_NONE) {
        add_number(h, UINT64_MAX);
        return;
    }
    const struct member *m = capture_member(c, i);
    add_number(h, strlen(m->name));
    sha256_add(h, m->name, strlen(m->name));
    add_number(h, m->index);
    add_number(h, m->attr.size);
    add_number(h, (uint64_t)m->attr.mtime_ns);
}

void shards_digest(const struct capture *c, const struct shard_files *sh, struct sha256 *h)
{
    add_number(h, sh->id);
    add_number(h, (uint64_t)sh->start);
    add_number(h, (uint64_t)sh->end);
    add_number(h, sh->tsi1);
    add_number(h, sh->ntsm);
    for (size_t i = 0; i < sh->ntsm; i++) {
        shards_digest_member(c, sh->tsm[i].tsm, h);
        shards_digest_member(c, sh->tsm[i].tombstone, h);
    }
    add_number(h, sh->nwal);
    for (size_t i = 0; i < sh->nwal; i++)
        shards_digest_member(c, sh->wal[i], h);
}
