/* SPDX-License-Identifier: MIT */
/* The folders of dump/. */
#include "fs/dumps.h"

#include "fs/dumps_internal.h"
#include "fs/now.h"
#include "fs/status.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEP_NS ((int64_t)10 * 1000000000)

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
    int r = dumps_node(d, &top_ops, &(struct dump_node){.ino = INO_DUMP}, "", 0, &n);
    if (r == 0)
        *out = &n->node;
    return r;
}

void dumps_free(struct dumps *d)
{
    if (!d)
        return;
    pthread_mutex_destroy(&d->lock);
    free(d);
}

/* What captures contain */

static void add_contents(struct dumps *d, struct dump_contents *one)
{
    one->used_ns = io_mono_ns();
    one->next = d->contents;
    d->contents = one;
}

/* Those of a capture, if they are known. Called with the lock. */
static struct contents *known(struct dumps *d, const struct capture *c)
{
    for (struct dump_contents *p = d->contents; p; p = p->next) {
        if (contents_capture(p->contents) != c)
            continue;
        p->used_ns = io_mono_ns();
        return contents_ref(p->contents);
    }
    return NULL;
}

/* Those that were opened last, as a reference; NULL: none are. */
static struct contents *newest(struct dumps *d)
{
    pthread_mutex_lock(&d->lock);
    struct contents *c = d->contents ? contents_ref(d->contents->contents) : NULL;
    pthread_mutex_unlock(&d->lock);
    return c;
}

static int open_contents(struct request *r, struct capture *c, struct contents **out)
{
    struct dumps *d = r->fs->dumps;
    struct err e = {0};
    struct dump_contents *fresh = calloc(1, sizeof(*fresh));
    cleanup(contents_unrefp) struct contents *before = newest(d);
    if (!fresh)
        return -ENOMEM;
    int rc = contents_open(c, snapshots_catalog(r->fs->snapshots), before, &fresh->contents, &e);
    if (rc < 0) {
        free(fresh);
        status_failed(r->fs->status, "dump/", e.text);
        return rc == -ENOMEM ? rc : -EIO;
    }
    pthread_mutex_lock(&d->lock);
    *out = known(d, c);
    if (!*out) {
        *out = contents_ref(fresh->contents);
        add_contents(d, steal_ptr(&fresh));
    }
    pthread_mutex_unlock(&d->lock);
    if (fresh)
        contents_unref(fresh->contents);
    free(fresh);
    return 0;
}

int dumps_contents(struct request *r, struct contents **out)
{
    struct dumps *d = r->fs->dumps;
    struct capture *c;
    int rc = now_capture(r, &c);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&d->lock);
    *out = known(d, c);
    pthread_mutex_unlock(&d->lock);
    if (!*out)
        rc = open_contents(r, c, out);
    capture_unref(c);
    return rc;
}

/* Takes out contents that nobody has used since. */
static struct dump_contents *old_contents(struct dumps *d, int64_t since)
{
    struct dump_contents *old = NULL;
    pthread_mutex_lock(&d->lock);
    for (struct dump_contents **p = &d->contents; *p && !old; p = old ? p : &(*p)->next) {
        if (contents_used((*p)->contents))
            (*p)->used_ns = io_mono_ns();
        if ((*p)->used_ns > since)
            continue;
        old = *p;
        *p = old->next;
    }
    pthread_mutex_unlock(&d->lock);
    return old;
}

/* Takes what files are made of that are not open, of so many at a time. */
#define AT_A_TIME 256

static size_t old_files(struct dumps *d, int64_t since, struct contents *old[AT_A_TIME])
{
    struct dump_node *n, *tmp;
    size_t found = 0;
    pthread_mutex_lock(&d->lock);
    HASH_ITER(by_key, d->nodes, n, tmp)
    {
        if (found == AT_A_TIME)
            break;
        if (n->contents && !n->open && n->used_ns <= since)
            old[found++] = steal_ptr(&n->contents);
    }
    pthread_mutex_unlock(&d->lock);
    return found;
}

static void drop(struct dumps *d, int64_t since)
{
    struct dump_contents *one;
    struct contents *old[AT_A_TIME];
    for (size_t n; (n = old_files(d, since, old)) > 0;)
        while (n > 0)
            contents_unref(old[--n]);
    while ((one = old_contents(d, since))) {
        contents_unref(one->contents);
        free(one);
    }
}

void dumps_expire(struct dumps *d)
{
    drop(d, io_mono_ns() - KEEP_NS);
}

void dumps_drop_all(struct dumps *d)
{
    if (d)
        drop(d, INT64_MAX);
}

/* Nodes */

ino_t dumps_ino(const void *path, size_t n)
{
    const unsigned char *c = path;
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ c[i]) * 0x100000001b3; /* FNV-1a */
    return (hash & (((uint64_t)1 << 60) - 1)) | (uint64_t)5 << 60;
}

static void free_node(struct dump_node *n)
{
    free(n->db);
    free(n->rp);
    free((char *)n->query.measurement);
    free(n);
}

static struct dump_node *new_node(struct dumps *d, const struct node_ops *ops,
                                  const struct dump_node *proto, const void *key, size_t nkey)
{
    struct dump_node *n = calloc(1, sizeof(*n) + nkey);
    if (!n)
        return NULL;
    *n = *proto;
    n->node.ops = ops;
    n->all = d;
    n->db = proto->db ? strdup(proto->db) : NULL;
    n->rp = proto->rp ? strdup(proto->rp) : NULL;
    char *name = malloc(proto->query.n + 1);
    n->query.measurement = name;
    if (!name || (proto->db && !n->db) || (proto->rp && !n->rp)) {
        free_node(n);
        return NULL;
    }
    if (proto->query.n)
        memcpy(name, proto->query.measurement, proto->query.n);
    n->query.db = n->db;
    n->query.rp = n->rp;
    n->nkey = nkey;
    if (nkey)
        memcpy(n->key, key, nkey);
    return n;
}

/* Called with the lock. A node that is being freed is no longer in the node table. */
static struct dump_node *find(struct dumps *d, const void *key, size_t nkey)
{
    struct dump_node *n;
    HASH_FIND(by_key, d->nodes, key, nkey, n);
    return n && node_pin(d->fs->nodes, n->node.id) ? n : NULL;
}

struct dump_node *dumps_find(struct dumps *d, const void *key, size_t nkey)
{
    pthread_mutex_lock(&d->lock);
    struct dump_node *n = find(d, key, nkey);
    pthread_mutex_unlock(&d->lock);
    return n;
}

int dumps_node(struct dumps *d, const struct node_ops *ops, const struct dump_node *proto,
               const void *key, size_t nkey, struct dump_node **out)
{
    struct dump_node *fresh = new_node(d, ops, proto, key, nkey), *old;
    if (!fresh)
        return -ENOMEM;
    pthread_mutex_lock(&d->lock);
    *out = find(d, key, nkey);
    if (!*out) {
        HASH_REPLACE(by_key, d->nodes, key, nkey, fresh, old);
        node_add(d->fs->nodes, &fresh->node, false);
        *out = steal_ptr(&fresh);
    }
    pthread_mutex_unlock(&d->lock);
    if (fresh)
        free_node(fresh);
    return 0;
}

void dumps_node_free(struct node *node)
{
    struct dump_node *n = (struct dump_node *)node, *listed;
    struct dumps *d = n->all;
    pthread_mutex_lock(&d->lock);
    HASH_FIND(by_key, d->nodes, n->key, n->nkey, listed);
    if (listed == n)
        HASH_DELETE(by_key, d->nodes, n);
    pthread_mutex_unlock(&d->lock);
    contents_unref(n->contents);
    free_node(n);
}

/* Folders */

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
    cleanup(contents_unrefp) struct contents *c = NULL;
    int rc = dumps_contents(r, &c);
    if (rc < 0)
        return rc;
    const struct meta *m = shards_meta(contents_shards(c));
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
    cleanup(contents_unrefp) struct contents *c = NULL;
    int rc = dumps_contents(r, &c);
    if (rc < 0)
        return rc == -ENOENT ? 0 : rc; /* there is no store */
    const struct meta *m = shards_meta(contents_shards(c));
    for (size_t i = 0; rc == 0 && i < meta_databases(m); i++)
        rc = list_named(out, (const struct dump_node *)node, meta_database(m, i));
    return rc;
}

static int database_lookup(struct request *r, struct node *node, const char *name,
                           struct node **child)
{
    const struct dump_node *dir = (const struct dump_node *)node;
    cleanup(contents_unrefp) struct contents *c = NULL;
    int rc = dumps_contents(r, &c);
    if (rc < 0)
        return rc;
    const struct meta *m = shards_meta(contents_shards(c));
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
    cleanup(contents_unrefp) struct contents *c = NULL;
    int rc = dumps_contents(r, &c);
    if (rc < 0)
        return rc;
    const struct meta *m = shards_meta(contents_shards(c));
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
static int find_cut(struct request *r, const struct dump_node *dir, struct contents *c,
                    struct dump_name *name, char **out, size_t *n)
{
    const struct tarball_reader reader = {request_interrupted, r};
    struct err e = {0};
    cleanup(outline_freep) struct outline *o = NULL;
    int rc = contents_outlines(c, dir->db, dir->rp, INT64_MIN, INT64_MAX, &reader, &o, &e);
    for (size_t i = 0; o && i < outline_count(o); i++) {
        struct slice m = outline_at(o, i)->name;
        if (!dump_name_is_cut_of(name, m))
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

static int file_lookup(struct request *r, const struct dump_node *dir, struct contents *c,
                       struct dump_name *name, struct node **child)
{
    struct dump_query q = {.db = dir->db,
                           .rp = dir->rp,
                           .measurement = name->measurement,
                           .n = name->n,
                           .from = name->from,
                           .to = name->to,
                           .format = dir->format};
    autofree char *whole = NULL;
    if (name->cut) {
        int rc = find_cut(r, dir, c, name, &whole, &q.n);
        if (rc < 0 && rc != -ENOENT)
            return rc;
        q.measurement = whole ? whole : name->measurement;
        q.n = whole ? q.n : name->n;
    }
    return dumpfile_lookup(r, dir, c, &q, child);
}

static int day_lookup_in(struct request *r, const struct dump_node *dir, struct contents *c,
                         const char *name, int32_t day, struct node **child)
{
    const struct tarball_reader reader = {request_interrupted, r};
    cleanup(days_clear) struct days days = {0};
    struct err e = {0};
    int64_t from, to;
    day_times(day, &from, &to);
    int rc = contents_days(c, dir->db, dir->rp, from, to, &reader, &days, &e);
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
    cleanup(contents_unrefp) struct contents *c = NULL;
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
    cleanup(contents_unrefp) struct contents *c = NULL;
    cleanup(days_clear) struct days days = {0};
    struct err e = {0};
    int rc = dumps_contents(r, &c);
    if (rc < 0)
        return rc;
    int broken = contents_days(c, dir->db, dir->rp, INT64_MIN, INT64_MAX, &reader, &days, &e);
    for (size_t i = 0; rc == 0 && i < days.n; i++) {
        for (int32_t day = days.list[i].first; rc == 0 && day <= days.list[i].last; day++) {
            char name[DUMP_NAME_MAX + 1];
            dump_name_day(day, name);
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
    cleanup(contents_unrefp) struct contents *c = NULL;
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
    cleanup(contents_unrefp) struct contents *c = NULL;
    cleanup(outline_freep) struct outline *o = NULL;
    struct err e = {0};
    const struct tarball_reader reader = {request_interrupted, r};
    struct dump_query q = {.db = dir->db, .rp = dir->rp, .format = dir->format};
    day_times(dir->day, &q.from, &q.to);
    int rc = dumps_contents(r, &c);
    if (rc < 0)
        return rc;
    int broken = contents_outlines(c, dir->db, dir->rp, q.from, q.to, &reader, &o, &e);
    for (size_t i = 0; rc == 0 && o && i < outline_count(o); i++) {
        const struct outline_measurement *m = outline_at(o, i);
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
