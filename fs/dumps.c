/* SPDX-License-Identifier: MIT */
/* The folders of dump/. */
#include "fs/dumps.h"

#include "fs/dumps_internal.h"
#include "fs/status.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct node_ops top_ops, format_ops, database_ops, policy_ops, day_ops;

int dumps_new(struct fs *fs, struct node **out)
{
    struct dumps *d = calloc(1, sizeof(*d));
    struct dump_node *n = NULL;
    if (!d)
        return -ENOMEM;
    pthread_mutex_init(&d->lock, NULL);
    d->fs = fs;
    fs->dumps = d;
    dumps_lacks_init(d);
    int r = dumps_node(d, &top_ops, &(struct dump_node){.ino = INO_DUMP}, "", 0, &n);
    if (r == 0)
        *out = &n->node;
    return r;
}

void dumps_free(struct dumps *d)
{
    if (!d)
        return;
    dumps_lacks_clear(d);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

/* Where a name in the folder lies below dump/. */
static int path_of(const struct dump_node *dir, const char *name, char out[PATH_MAX])
{
    int n =
        snprintf(out, PATH_MAX, "%.*s%s%s", (int)dir->nkey, dir->key, dir->nkey ? "/" : "", name);
    return n < PATH_MAX ? n : -ENAMETOOLONG;
}

static int add_folder(const struct dump_node *dir, const struct node_ops *ops, const char *name,
                      const struct dump_node *proto, struct node **out)
{
    char path[PATH_MAX];
    struct dump_node *n, p = *proto;
    int len = path_of(dir, name, path);
    if (len < 0)
        return len;
    p.ino = dumps_ino(path, (size_t)len);
    int r = dumps_node(dir->all, ops, &p, path, (size_t)len, &n);
    if (r == 0)
        *out = &n->node;
    return r;
}

static int list_folder(struct names *out, const struct dump_node *dir, const char *name)
{
    char path[PATH_MAX];
    int len = path_of(dir, name, path);
    return len < 0 ? len : names_add(out, name, dumps_ino(path, (size_t)len), S_IFDIR);
}

int dumps_failed(struct fs *fs, const struct dump_node *at, int rc, const struct err *e)
{
    char what[64];
    if (rc == -EINTR || rc == -ENOMEM || rc == -ENOENT)
        return rc;
    snprintf(what, sizeof(what), "dump/%s/%s/%s", dump_extensions[at->format], at->db, at->rp);
    status_failed(fs->status, what, e->text);
    return rc == -EAGAIN ? rc : -EIO;
}

static int folder_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    (void)h;
    fs_attr(r->fs, st, ((const struct dump_node *)n)->ino, S_IFDIR | 0755, 0, r->fs->started_ns);
    st->st_nlink = 1; /* how many folders are in it takes long to find out: it is not said */
    return 0;
}

static int top_lookup(struct request *r, struct node *node, const char *name, struct node **child)
{
    const struct dump_node *dir = (const struct dump_node *)node;
    (void)r;
    for (size_t i = 0; i < 3; i++)
        if (strcmp(name, dump_extensions[i]) == 0)
            return add_folder(dir, &format_ops, name,
                              &(struct dump_node){.format = (enum dump_format)i}, child);
    return -ENOENT;
}

static int top_list(struct request *r, struct node *node, struct names *out)
{
    int rc = 0;
    (void)r;
    for (size_t i = 0; rc == 0 && i < 3; i++)
        rc = list_folder(out, (const struct dump_node *)node, dump_extensions[i]);
    return rc;
}

static bool is_named(const char *name, const char *plain)
{
    char coded[DUMP_NAME_MAX + 1];
    dump_name_folder((struct slice){plain, strlen(plain)}, coded);
    return strcmp(coded, name) == 0;
}

static int list_named(struct names *out, const struct dump_node *dir, const char *plain)
{
    char coded[DUMP_NAME_MAX + 1];
    dump_name_folder((struct slice){plain, strlen(plain)}, coded);
    return list_folder(out, dir, coded);
}

static int format_lookup(struct request *r, struct node *node, const char *name,
                         struct node **child)
{
    const struct dump_node *dir = (const struct dump_node *)node;
    cleanup(schema_cache_unrefp) struct schema_cache *c = NULL;
    int rc = dumps_contents(r, &c);
    if (rc < 0)
        return rc;
    const struct meta *m = shards_meta(schema_cache_shards(c));
    for (size_t i = 0; i < meta_databases(m); i++)
        if (is_named(name, meta_database(m, i)))
            return add_folder(
                dir, &database_ops, name,
                &(struct dump_node){.format = dir->format, .db = (char *)meta_database(m, i)},
                child);
    return -ENOENT;
}

static int format_list(struct request *r, struct node *node, struct names *out)
{
    cleanup(schema_cache_unrefp) struct schema_cache *c = NULL;
    int rc = dumps_contents(r, &c);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc; /* there is no store */
    const struct meta *m = shards_meta(schema_cache_shards(c));
    for (size_t i = 0; rc == 0 && i < meta_databases(m); i++)
        rc = list_named(out, (const struct dump_node *)node, meta_database(m, i));
    return rc;
}

static int database_lookup(struct request *r, struct node *node, const char *name,
                           struct node **child)
{
    const struct dump_node *dir = (const struct dump_node *)node;
    cleanup(schema_cache_unrefp) struct schema_cache *c = NULL;
    int rc = dumps_contents(r, &c);
    if (rc < 0)
        return rc;
    const struct meta *m = shards_meta(schema_cache_shards(c));
    for (size_t i = 0; i < meta_policies(m); i++) {
        const char *db, *rp;
        meta_policy(m, i, &db, &rp);
        if (strcmp(db, dir->db) == 0 && is_named(name, rp))
            return add_folder(
                dir, &policy_ops, name,
                &(struct dump_node){.format = dir->format, .db = dir->db, .rp = (char *)rp}, child);
    }
    return -ENOENT;
}

static int database_list(struct request *r, struct node *node, struct names *out)
{
    const struct dump_node *dir = (const struct dump_node *)node;
    cleanup(schema_cache_unrefp) struct schema_cache *c = NULL;
    int rc = dumps_contents(r, &c);
    if (rc < 0)
        return rc;
    const struct meta *m = shards_meta(schema_cache_shards(c));
    for (size_t i = 0; rc == 0 && i < meta_policies(m); i++) {
        const char *db, *rp;
        meta_policy(m, i, &db, &rp);
        if (strcmp(db, dir->db) == 0)
            rc = list_named(out, dir, rp);
    }
    return rc;
}

static void day_times(int32_t day, int64_t *from, int64_t *to)
{
    if (__builtin_mul_overflow((int64_t)day, DAY_NS, from))
        *from = INT64_MIN;
    if (__builtin_mul_overflow((int64_t)day + 1, DAY_NS, to))
        *to = INT64_MAX;
}

/* The measurement whose name was cut, of the whole policy. */
static int find_cut(struct request *r, const struct dump_node *dir, struct schema_cache *c,
                    struct dump_name *name, char **out, size_t *n)
{
    const struct tarball_reader reader = {request_interrupted, r};
    struct err e = {0};
    cleanup(schema_freep) struct schema *o = NULL;
    int rc = schema_cache_policy(c, dir->db, dir->rp, INT64_MIN, INT64_MAX, &reader, &o, &e);
    for (size_t i = 0; o && i < schema_count(o); i++) {
        struct slice m = schema_at(o, i)->name;
        if (!dump_name_is_shortened_of(name, m))
            continue;
        *out = malloc(m.n + 1);
        if (!*out)
            return -ENOMEM;
        memcpy(*out, m.p, m.n);
        *n = m.n;
        return 0;
    }
    return rc < 0 ? dumps_failed(r->fs, dir, rc, &e) : -ENOENT;
}

static int file_lookup(struct request *r, const struct dump_node *dir, struct schema_cache *c,
                       struct dump_name *name, struct node **child)
{
    struct dump_query q = {.db = dir->db,
                           .rp = dir->rp,
                           .measurement = name->measurement,
                           .n = name->n,
                           .from = name->from,
                           .to = name->to,
                           .format = dir->format,
                           .gaps = &dir->all->gaps};
    autofree char *whole = NULL;
    if (name->shortened) {
        int rc = find_cut(r, dir, c, name, &whole, &q.n);
        if (rc < 0 && rc != -ENOENT)
            return rc;
        q.measurement = whole ? whole : name->measurement;
        q.n = whole ? q.n : name->n;
    }
    return dumpfile_lookup(r, dir, c, &q, child);
}

static int day_lookup_in(struct request *r, const struct dump_node *dir, struct schema_cache *c,
                         const char *name, int32_t day, struct node **child)
{
    const struct tarball_reader reader = {request_interrupted, r};
    cleanup(days_clear) struct days days = {0};
    struct err e = {0};
    int64_t from, to;
    day_times(day, &from, &to);
    int rc = schema_cache_days(c, dir->db, dir->rp, from, to, &reader, &days, &e);
    if (days_have(&days, (struct day_range){day, day}))
        return add_folder(
            dir, &day_ops, name,
            &(struct dump_node){.format = dir->format, .db = dir->db, .rp = dir->rp, .day = day},
            child);
    return rc < 0 ? dumps_failed(r->fs, dir, rc, &e) : -ENOENT;
}

static int policy_lookup(struct request *r, struct node *node, const char *name,
                         struct node **child)
{
    const struct dump_node *dir = (const struct dump_node *)node;
    cleanup(schema_cache_unrefp) struct schema_cache *c = NULL;
    struct dump_name parsed;
    int32_t day;
    bool is_day = dump_name_is_day(name, &day);
    if (!is_day && !dump_name_parse(name, dir->format, &parsed))
        return -ENOENT;
    int rc = dumps_contents(r, &c);
    if (rc < 0)
        return rc;
    return is_day ? day_lookup_in(r, dir, c, name, day, child)
                  : file_lookup(r, dir, c, &parsed, child);
}

static int policy_list(struct request *r, struct node *node, struct names *out)
{
    const struct dump_node *dir = (const struct dump_node *)node;
    const struct tarball_reader reader = {request_interrupted, r};
    cleanup(schema_cache_unrefp) struct schema_cache *c = NULL;
    cleanup(days_clear) struct days days = {0};
    struct err e = {0};
    int rc = dumps_contents(r, &c);
    if (rc < 0)
        return rc;
    int broken = schema_cache_days(c, dir->db, dir->rp, INT64_MIN, INT64_MAX, &reader, &days, &e);
    for (size_t i = 0; rc == 0 && i < days.n; i++) {
        for (int32_t day = days.list[i].first; rc == 0 && day <= days.list[i].last; day++) {
            char name[DUMP_NAME_MAX + 1];
            time_day_text(day, name);
            rc = list_folder(out, dir, name);
        }
    }
    out->error = broken < 0 ? dumps_failed(r->fs, dir, broken, &e) : 0;
    return rc;
}

/* Of any measurement, but of this day alone. */
static int day_lookup(struct request *r, struct node *node, const char *name, struct node **child)
{
    const struct dump_node *dir = (const struct dump_node *)node;
    cleanup(schema_cache_unrefp) struct schema_cache *c = NULL;
    struct dump_name parsed;
    int64_t from, to;
    day_times(dir->day, &from, &to);
    if (!dump_name_parse(name, dir->format, &parsed) || parsed.from != from || parsed.to != to)
        return -ENOENT;
    int rc = dumps_contents(r, &c);
    return rc < 0 ? rc : file_lookup(r, dir, c, &parsed, child);
}

static int day_list(struct request *r, struct node *node, struct names *out)
{
    const struct dump_node *dir = (const struct dump_node *)node;
    cleanup(schema_cache_unrefp) struct schema_cache *c = NULL;
    cleanup(schema_freep) struct schema *o = NULL;
    struct err e = {0};
    const struct tarball_reader reader = {request_interrupted, r};
    struct dump_query q = {.db = dir->db, .rp = dir->rp, .format = dir->format};
    day_times(dir->day, &q.from, &q.to);
    int rc = dumps_contents(r, &c);
    if (rc < 0)
        return rc;
    int broken = schema_cache_policy(c, dir->db, dir->rp, q.from, q.to, &reader, &o, &e);
    for (size_t i = 0; rc == 0 && o && i < schema_count(o); i++) {
        const struct schema_measurement *m = schema_at(o, i);
        char name[DUMP_NAME_MAX + 1];
        if (!days_have(&m->days, (struct day_range){dir->day, dir->day}))
            continue;
        dump_name_file(m->name, dir->day, dir->format, name);
        q.measurement = m->name.p;
        q.n = m->name.n;
        rc = names_add(out, name, dumpfile_ino(&q), S_IFREG);
    }
    out->error = broken < 0 ? dumps_failed(r->fs, dir, broken, &e) : 0;
    return rc;
}

#define FOLDER(lookup_fn, list_fn)                                                                 \
    {                                                                                              \
        .attr_timeout = 60, .getattr = folder_getattr, .free = dumps_node_free,                    \
        .lookup = (lookup_fn), .list = (list_fn)                                                   \
    }

static const struct node_ops top_ops = FOLDER(top_lookup, top_list);
static const struct node_ops format_ops = FOLDER(format_lookup, format_list);
static const struct node_ops database_ops = FOLDER(database_lookup, database_list);
static const struct node_ops policy_ops = FOLDER(policy_lookup, policy_list);
static const struct node_ops day_ops = FOLDER(day_lookup, day_list);
