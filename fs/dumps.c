/* SPDX-License-Identifier: MIT */
/* The folders of dump/. */
#include "fs/dumps.h"

#include "fs/dumps_internal.h"
#include "fs/request.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dump_folder {
    struct node node;
    enum dump_format format;
    char *db, *rp; /* NULL: a folder further up */
    int32_t day;
    size_t npath;
    char path[]; /* below dump/, without a 0: its key */
};

static const struct node_ops top_ops, names_ops, policy_ops, day_ops;

int dumps_new(struct fs *fs, struct node **out)
{
    struct dumps *d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    pthread_mutex_init(&d->lock, NULL);
    d->fs = fs;
    fs->dumps = d;
    dumps_lacks_init(d);
    struct dump_folder *top = calloc(1, sizeof(*top));
    if (!top)
        return -ENOMEM;
    node_init(&top->node, &top_ops, NODE_DUMP_FOLDER, INO_DUMP, NULL);
    return node_find_or_add(fs->nodes, &top->node, top->path, 0, out);
}

/* The path of a name in the folder, below dump/. */
static int path_of(const struct dump_folder *dir, const char *name, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%.*s%s%s", (int)dir->npath, dir->path, dir->npath ? "/" : "",
                     name);
    return n < PATH_MAX ? n : -ENAMETOOLONG;
}

static ino_t path_ino(const char *path, int n)
{
    return ino_hashed(INO_IN_DUMP, ino_hash(INO_HASH, path, (size_t)n));
}

static void dump_folder_free(struct node *n)
{
    struct dump_folder *f = (struct dump_folder *)n;
    free(f->db);
    free(f->rp);
    free(f);
}

/* The folder of that name, pinned: of a format, and below it of db, rp and day as far as given. */
static int dumps_add_folder(struct request *r, const struct dump_folder *dir,
                            const struct node_ops *ops, const char *name,
                            const struct dump_folder *like, struct node **out)
{
    char path[PATH_MAX];
    int len = path_of(dir, name, path);
    if (len < 0)
        return len;
    struct dump_folder *f = calloc(1, sizeof(*f) + (size_t)len);
    if (!f)
        return -ENOMEM;
    node_init(&f->node, ops, NODE_DUMP_FOLDER, path_ino(path, len), &dir->node);
    f->format = like->format;
    f->day = like->day;
    f->db = like->db ? strdup(like->db) : NULL;
    f->rp = like->rp ? strdup(like->rp) : NULL;
    f->npath = (size_t)len;
    memcpy(f->path, path, f->npath);
    if ((!like->db || f->db) && (!like->rp || f->rp))
        return node_find_or_add(r->fs->nodes, &f->node, f->path, f->npath, out);
    dump_folder_free(&f->node);
    return -ENOMEM;
}

static int dumps_list_folder(struct names *out, const struct dump_folder *dir, const char *name)
{
    char path[PATH_MAX];
    int len = path_of(dir, name, path);
    return len < 0 ? len : names_add(out, name, path_ino(path, len), S_IFDIR);
}

/* The query of a policy, without a measurement. */
static struct dump_query query_of(const struct dump_folder *dir, int64_t from, int64_t to)
{
    return (struct dump_query){
        .db = dir->db, .rp = dir->rp, .from = from, .to = to, .format = dir->format};
}

static int failed(struct request *r, const struct dump_folder *dir, int rc, const struct err *e)
{
    const struct dump_query q = query_of(dir, 0, 0);
    return dumps_failed(r->fs, &q, rc, e);
}

static int dump_folder_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    (void)h;
    fs_attr(r->fs, st, n, S_IFDIR | 0755, 0, r->fs->started_ns);
    st->st_nlink = 1; /* counting its folders would take long */
    return 0;
}

static int dumps_top_lookup(struct request *r, struct node *node, const char *name,
                            struct node **child)
{
    const struct dump_folder *dir = (const struct dump_folder *)node;
    for (size_t i = 0; i < 3; i++)
        if (strcmp(name, dump_extensions[i]) == 0)
            return dumps_add_folder(r, dir, &names_ops, name,
                                    &(struct dump_folder){.format = (enum dump_format)i}, child);
    return -ENOENT;
}

static int dumps_top_list(struct request *r, struct node *node, struct names *out)
{
    int rc = 0;
    (void)r;
    for (size_t i = 0; rc == 0 && i < 3; i++)
        rc = dumps_list_folder(out, (const struct dump_folder *)node, dump_extensions[i]);
    return rc;
}

/* The next name of a database, or of a policy of db, from *i = 0 on; NULL: no more. */
static const char *next_name(const struct meta *m, const struct dump_folder *dir, size_t *i)
{
    const char *db, *rp;
    if (!dir->db)
        return *i < meta_databases(m) ? meta_database(m, (*i)++) : NULL;
    while (*i < meta_policies(m)) {
        meta_policy(m, (*i)++, &db, &rp);
        if (strcmp(db, dir->db) == 0)
            return rp;
    }
    return NULL;
}

static int dumps_names_lookup(struct request *r, struct node *node, const char *name,
                              struct node **child)
{
    const struct dump_folder *dir = (const struct dump_folder *)node;
    cleanup(schema_cache_unrefp) struct schema_cache *c = NULL;
    char coded[DUMP_NAME_MAX + 1];
    const char *plain;
    size_t i = 0;
    int rc = dumps_contents(r, NULL, &c);
    if (rc < 0)
        return rc;
    while ((plain = next_name(shards_meta(schema_cache_shards(c)), dir, &i))) {
        dump_name_folder((struct slice){plain, strlen(plain)}, coded);
        if (strcmp(coded, name) != 0)
            continue;
        const struct dump_folder like = {.format = dir->format,
                                         .db = dir->db ? dir->db : (char *)plain,
                                         .rp = dir->db ? (char *)plain : NULL};
        return dumps_add_folder(r, dir, dir->db ? &policy_ops : &names_ops, name, &like, child);
    }
    return -ENOENT;
}

static int dumps_names_list(struct request *r, struct node *node, struct names *out)
{
    const struct dump_folder *dir = (const struct dump_folder *)node;
    cleanup(schema_cache_unrefp) struct schema_cache *c = NULL;
    char coded[DUMP_NAME_MAX + 1];
    const char *plain;
    size_t i = 0;
    int rc = dumps_contents(r, NULL, &c);
    if (rc < 0)
        return rc == -ENOENT && !dir->db ? 0 : rc; /* there is no store */
    while (rc == 0 && (plain = next_name(shards_meta(schema_cache_shards(c)), dir, &i))) {
        dump_name_folder((struct slice){plain, strlen(plain)}, coded);
        rc = dumps_list_folder(out, dir, coded);
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

/* Finds, in the whole policy, the measurement whose name was shortened; *out lies in *of. */
static int dumps_find_shortened(struct request *r, const struct dump_folder *dir,
                                struct schema_cache *c, struct dump_name *name, struct schema **of,
                                struct slice *out)
{
    const struct tarball_reader reader = {request_interrupted, r};
    struct err e = {0};
    int rc = schema_cache_policy(c, dir->db, dir->rp, INT64_MIN, INT64_MAX, &reader, of, &e);
    for (size_t i = 0; *of && i < schema_count(*of); i++) {
        if (!dump_name_is_shortened_of(name, schema_at(*of, i)->name))
            continue;
        *out = schema_at(*of, i)->name;
        return 0;
    }
    return rc < 0 ? failed(r, dir, rc, &e) : -ENOENT;
}

static int dumps_file_lookup(struct request *r, const struct dump_folder *dir,
                             struct schema_cache *c, struct dump_name *name, struct node **child)
{
    struct dump_query q = query_of(dir, name->from, name->to);
    struct slice measurement = {name->measurement, name->n};
    cleanup(schema_freep) struct schema *policy = NULL;
    int rc =
        name->shortened ? dumps_find_shortened(r, dir, c, name, &policy, &measurement) : -ENOENT;
    if (rc < 0 && rc != -ENOENT)
        return rc;
    q.measurement = measurement.p;
    q.n = measurement.n;
    q.gaps = &r->fs->dumps->gaps;
    return dumpfile_lookup(r, &dir->node, c, &q, child);
}

static int dumps_day_lookup_in(struct request *r, const struct dump_folder *dir,
                               struct schema_cache *c, const char *name, int32_t day,
                               struct node **child)
{
    const struct tarball_reader reader = {request_interrupted, r};
    cleanup(days_clear) struct days days = {0};
    struct err e = {0};
    int64_t from, to;
    day_times(day, &from, &to);
    int rc = schema_cache_days(c, dir->db, dir->rp, from, to, &reader, &days, &e);
    if (days_have(&days, (struct day_range){day, day}))
        return dumps_add_folder(
            r, dir, &day_ops, name,
            &(struct dump_folder){.format = dir->format, .db = dir->db, .rp = dir->rp, .day = day},
            child);
    return rc < 0 ? failed(r, dir, rc, &e) : -ENOENT;
}

static int dumps_policy_lookup(struct request *r, struct node *node, const char *name,
                               struct node **child)
{
    const struct dump_folder *dir = (const struct dump_folder *)node;
    cleanup(schema_cache_unrefp) struct schema_cache *c = NULL;
    struct dump_name parsed;
    int32_t day;
    bool is_day = dump_name_is_day(name, &day);
    if (!is_day && !dump_name_parse(name, dir->format, &parsed))
        return -ENOENT;
    int rc = dumps_contents(r, dir->db, &c);
    if (rc < 0)
        return rc;
    return is_day ? dumps_day_lookup_in(r, dir, c, name, day, child)
                  : dumps_file_lookup(r, dir, c, &parsed, child);
}

static int dumps_policy_list(struct request *r, struct node *node, struct names *out)
{
    const struct dump_folder *dir = (const struct dump_folder *)node;
    const struct tarball_reader reader = {request_interrupted, r};
    cleanup(schema_cache_unrefp) struct schema_cache *c = NULL;
    cleanup(days_clear) struct days days = {0};
    struct err e = {0};
    int rc = dumps_contents(r, dir->db, &c);
    if (rc < 0)
        return rc;
    int broken = schema_cache_days(c, dir->db, dir->rp, INT64_MIN, INT64_MAX, &reader, &days, &e);
    for (size_t i = 0; rc == 0 && i < days.n; i++) {
        for (int32_t day = days.list[i].first; rc == 0 && day <= days.list[i].last; day++) {
            char name[DUMP_NAME_MAX + 1];
            time_day_text(day, name);
            rc = dumps_list_folder(out, dir, name);
        }
    }
    out->error = broken < 0 ? failed(r, dir, broken, &e) : 0;
    return rc;
}

/* Of any measurement, but of this day only. */
static int dumps_day_lookup(struct request *r, struct node *node, const char *name,
                            struct node **child)
{
    const struct dump_folder *dir = (const struct dump_folder *)node;
    cleanup(schema_cache_unrefp) struct schema_cache *c = NULL;
    struct dump_name parsed;
    int64_t from, to;
    day_times(dir->day, &from, &to);
    if (!dump_name_parse(name, dir->format, &parsed) || parsed.from != from || parsed.to != to)
        return -ENOENT;
    int rc = dumps_contents(r, dir->db, &c);
    return rc < 0 ? rc : dumps_file_lookup(r, dir, c, &parsed, child);
}

static int dumps_day_list(struct request *r, struct node *node, struct names *out)
{
    const struct dump_folder *dir = (const struct dump_folder *)node;
    cleanup(schema_cache_unrefp) struct schema_cache *c = NULL;
    cleanup(schema_freep) struct schema *o = NULL;
    struct err e = {0};
    const struct tarball_reader reader = {request_interrupted, r};
    struct dump_query q = query_of(dir, 0, 0);
    day_times(dir->day, &q.from, &q.to);
    int rc = dumps_contents(r, dir->db, &c);
    if (rc < 0)
        return rc;
    int broken = schema_cache_policy(c, dir->db, dir->rp, q.from, q.to, &reader, &o, &e);
    for (size_t i = 0; rc == 0 && o && i < schema_count(o); i++) {
        const struct schema_measurement *m = schema_at(o, i);
        char name[DUMP_NAME_MAX + 1];
        if (!days_have(&m->days, (struct day_range){dir->day, dir->day}))
            continue;
        dump_name_file(m->name, dir->day, dir->format, r->fs->options->names, name);
        q.measurement = m->name.p;
        q.n = m->name.n;
        rc = names_add(out, name, dumpfile_ino(&q), S_IFREG);
    }
    out->error = broken < 0 ? failed(r, dir, broken, &e) : 0;
    return rc;
}

#define FOLDER(lookup_fn, list_fn)                                                                 \
    {                                                                                              \
        .getattr = dump_folder_getattr, .free = dump_folder_free, .lookup = (lookup_fn),           \
        .list = (list_fn)                                                                          \
    }

static const struct node_ops top_ops = FOLDER(dumps_top_lookup, dumps_top_list);
static const struct node_ops names_ops = FOLDER(dumps_names_lookup, dumps_names_list);
static const struct node_ops policy_ops = FOLDER(dumps_policy_lookup, dumps_policy_list);
static const struct node_ops day_ops = FOLDER(dumps_day_lookup, dumps_day_list);
