/* SPDX-License-Identifier: MIT */
#include "fs/parts.h"

#include "fs/now.h"
#include "fs/request.h"
#include "fs/status.h"
#include "store/base/cleanup.h"
#include "store/base/lock.h"
#include "store/base/time.h"
#include "store/program/contents.h"
#include "store/snapshot/held.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#define FOLDERS_TOGETHER                                                                           \
    (4 * PARTS_TOGETHER)         /* of databases, policies and shards, and of their WAL */
#define COUNT_NS (2 * SECOND_NS) /* how long the store counts as small, or as large */

/* One database, or none: meta.db alone. Few bytes, which stay. */
struct part {
    struct parts *all;
    struct instants *instants;
    struct tarball_weak newest; /* of this part by itself */
    atomic_size_t files;        /* in the newest, if that is of the part alone; else 0 */
    struct part *prev, *next;   /* the last one that was looked at first */
    UT_hash_handle hh;
    char db[]; /* "": none */
};

struct parts {
    struct fs *fs;
    pthread_mutex_t lock; /* guards what follows */
    struct part *by_name, *by_use;
    bool is_small;
    int64_t counted_ns; /* 0: never */
};

struct parts *parts_new(struct fs *fs)
{
    struct parts *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->fs = fs;
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

static void part_free(struct part *part)
{
    instants_free(part->instants);
    pthread_mutex_destroy(&part->newest.lock);
    free(part);
}

void parts_free(struct parts *p)
{
    struct part *part, *next;
    if (!p)
        return;
    HASH_CLEAR(hh, p->by_name);
    DL_FOREACH_SAFE(p->by_use, part, next)
    part_free(part);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

struct counting {
    struct report_contents seen;
    size_t folders;
};

static bool parts_are_many(void *arg)
{
    struct counting *c = arg;
    uint64_t n = 0;
    for (size_t i = 0; i < c->seen.npolicies; i++)
        n += c->seen.policies[i].files;
    return ++c->folders > FOLDERS_TOGETHER || n > PARTS_TOGETHER || n > held_limit() / 8;
}

/* Whether all files of the store may be held for a look. */
static bool parts_store_is_small(struct parts *p)
{
    struct counting count = {.folders = 0};
    const int64_t now = time_mono_ns();
    pthread_mutex_lock(&p->lock);
    const bool known = p->counted_ns && now - p->counted_ns < COUNT_NS, small = p->is_small;
    pthread_mutex_unlock(&p->lock);
    if (known)
        return small;
    const bool is =
        contents_look(p->fs->paths, parts_are_many, &count, &count.seen) == 0 && count.seen.known;
    contents_clear(&count.seen);
    lock_scope(&p->lock);
    p->counted_ns = now;
    return p->is_small = is;
}

/* Captures */

static int part_take_whole(struct request *r, struct tarball **out, struct err *e)
{
    const struct instant_holder who = now_caller(r);
    const struct tarball_reader reader = {request_interrupted, r};
    struct instant *i;
    int rc = instant_get(r->fs->instants, &who, &reader, &i, e);
    if (rc < 0)
        return rc;
    *out = tarball_ref(instant_tarball(i));
    instant_put(i);
    return 0;
}

static int part_take_alone(struct part *part, const struct tarball_reader *reader,
                           struct tarball **out, struct err *e)
{
    struct fs *fs = part->all->fs;
    const char *const db = part->db;
    const struct selection what = {
        .databases = &db, .ndatabases = 1, .from = INT64_MIN, .to = INT64_MAX};
    cleanup(tarball_unrefp) struct tarball *newest = tarball_weak_ref(&part->newest);
    struct capture *before = newest ? tarball_capture(newest) : NULL, *c;
    const int64_t began_ns = time_mono_ns();
    int r = snapshots_part(fs->snapshots, &what, before, reader, &c, e);
    if (r < 0)
        return r;
    atomic_store(&part->files, capture_files(c));
    if (c == before) {
        capture_unref(c);
        *out = steal_ptr(&newest);
        return 0;
    }
    r = snapshots_tarball(fs->snapshots, c, out);
    if (r == 0)
        tarball_weak_set(&part->newest, *out);
    counters_captured(&fs->counters, time_mono_ns() - began_ns);
    return r;
}

/* The reader is a request's (part_reader). */
static int part_take(void *ctx, const struct tarball_reader *reader, struct tarball **out,
                     struct err *e)
{
    struct part *part = ctx;
    struct request *r = reader->ctx;
    const struct instant_holder who = now_caller(r);
    if (instants_has(r->fs->instants, &who) || parts_store_is_small(part->all)) {
        atomic_store(&part->files, 0);
        return part_take_whole(r, out, e);
    }
    return part_take_alone(part, reader, out, e);
}

static struct tarball_reader part_reader(struct request *r)
{
    return (struct tarball_reader){request_interrupted, r};
}

static void part_put(void *ctx, struct tarball *t)
{
    (void)ctx;
    tarball_unref(t);
}

/* Who looks at what */

static struct part *part_new(struct parts *p, const char *db)
{
    const size_t n = strlen(db) + 1;
    struct part *part = calloc(1, sizeof(*part) + n);
    if (!part)
        return NULL;
    const struct instant_source source = {part_take, part_put, part};
    part->instants = instants_new(&source);
    if (!part->instants) {
        free(part);
        return NULL;
    }
    part->all = p;
    memcpy(part->db, db, n);
    pthread_mutex_init(&part->newest.lock, NULL);
    return part;
}

/* Found or made; the last one in use from now on. NULL: out of memory. */
static struct part *part_find(struct parts *p, const char *db)
{
    struct part *part;
    lock_scope(&p->lock);
    HASH_FIND_STR(p->by_name, db, part);
    if (part) {
        DL_DELETE(p->by_use, part);
    } else if ((part = part_new(p, db))) {
        HASH_ADD_STR(p->by_name, db, part);
    } else {
        return NULL;
    }
    DL_PREPEND(p->by_use, part);
    return part;
}

/* Of the parts that nobody has open, lets go of those that were looked at first, while there are more
 * files than that. */
static void parts_trim(struct parts *p, size_t most)
{
    struct part *part;
    size_t files = 0;
    lock_scope(&p->lock);
    DL_FOREACH(p->by_use, part)
    {
        if (instants_count(part->instants) == 0)
            continue;
        files += atomic_load(&part->files);
        if (part != p->by_use && files > most)
            instants_restored(part->instants);
    }
}

static int part_failed(struct request *r, int rc, const char *what, const struct err *e)
{
    if (rc != -ENOENT && rc != -EINTR)
        status_failed(r->fs->status, what, e->text[0] ? e->text : strerror(-rc));
    return rc;
}

static int part_get(struct request *r, struct part *part, const char *what, struct instant **out)
{
    const struct instant_holder who = now_caller(r);
    const struct tarball_reader reader = part_reader(r);
    struct err e = {0};
    int rc = instant_get(part->instants, &who, &reader, out, &e);
    if (rc == -ENFILE) { /* what is held only because somebody has looked at it makes room */
        parts_trim(part->all, 0);
        e = (struct err){0};
        rc = instant_get(part->instants, &who, &reader, out, &e);
    }
    parts_trim(part->all, PARTS_LOOKED_AT);
    return rc < 0 ? part_failed(r, rc, what, &e) : 0;
}

int parts_instant(struct request *r, const char *db, const char *what, struct instant **out)
{
    struct part *part = part_find(r->fs->parts, db ? db : "");
    return part ? part_get(r, part, what, out) : -ENOMEM;
}

int parts_open(struct request *r, const char *db, const char *what, struct instant_hold **out)
{
    const struct instant_holder who = now_caller(r);
    struct part *part = part_find(r->fs->parts, db ? db : "");
    struct instant *i;
    int rc = part ? part_get(r, part, what, &i) : -ENOMEM;
    if (rc < 0)
        return rc;
    rc = instant_open(part->instants, &who, instant_id(i), out);
    instant_put(i);
    return rc;
}

/* Letting go */

void parts_expire(struct parts *p)
{
    struct part *part;
    lock_scope(&p->lock);
    DL_FOREACH(p->by_use, part)
    instants_expire(part->instants);
}

void parts_restored(struct parts *p)
{
    struct part *part;
    lock_scope(&p->lock);
    p->counted_ns = 0;
    DL_FOREACH(p->by_use, part)
    instants_restored(part->instants);
}

size_t parts_count(struct parts *p)
{
    struct part *part;
    size_t n = 0;
    lock_scope(&p->lock);
    DL_FOREACH(p->by_use, part)
    n += atomic_load(&part->files) ? instants_count(part->instants) : 0;
    return n;
}
