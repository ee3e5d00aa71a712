/* SPDX-License-Identifier: MIT */
/* What dump/ is made of: the contents of the callers' instants; and what it lacks, with
 * skip_damaged. */
#include "fs/dumps_internal.h"
#include "fs/generated_files.h"
#include "fs/parts.h"
#include "fs/request.h"
#include "fs/status.h"
#include "store/base/lock.h"
#include "store/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* The contents of a capture, if they are known. Called with the lock. */
static struct schema_cache *known(struct dumps *d, const struct capture *c)
{
    for (struct dump_contents *p = d->contents; p; p = p->next) {
        if (schema_cache_capture(p->contents) != c)
            continue;
        lifetime_use(&p->life);
        return schema_cache_ref(p->contents);
    }
    return NULL;
}

/* A reference to the contents that were opened last for a database, or for any; NULL: there are none. */
static struct schema_cache *newest(struct dumps *d, const char *db)
{
    lock_scope(&d->lock);
    struct dump_contents *p = d->contents;
    while (p && strcmp(p->db, db) != 0)
        p = p->next;
    p = p ? p : d->contents;
    return p ? schema_cache_ref(p->contents) : NULL;
}

/* NULL: out of memory. */
static struct dump_contents *contents_new(const char *db)
{
    struct dump_contents *one = calloc(1, sizeof(*one) + strlen(db) + 1);
    if (one)
        strcpy(one->db, db);
    return one;
}

static int dumps_open_contents(struct request *r, const char *db, struct capture *c,
                               struct schema_cache **out)
{
    struct dumps *d = r->fs->dumps;
    struct err e = {0};
    struct dump_contents *fresh = contents_new(db);
    cleanup(schema_cache_unrefp) struct schema_cache *before = newest(d, db);
    if (!fresh)
        return -ENOMEM;
    int rc =
        schema_cache_open(c, snapshots_catalog(r->fs->snapshots), before, &fresh->contents, &e);
    if (rc == 0 && schema_cache_live(fresh->contents, r->fs->paths->data) < 0)
        rc = -ENOMEM;
    if (rc < 0) {
        schema_cache_unref(fresh->contents);
        free(fresh);
        status_failed(r->fs->status, "dump/", e.text);
        return rc == -ENOMEM ? rc : -EIO;
    }
    if (d->gaps.damage)
        schema_cache_allow_damage(fresh->contents);
    pthread_mutex_lock(&d->lock);
    *out = known(d, c);
    if (!*out) {
        *out = schema_cache_ref(fresh->contents);
        lifetime_use(&fresh->life);
        LL_PREPEND(d->contents, fresh);
        fresh = NULL;
    }
    pthread_mutex_unlock(&d->lock);
    if (fresh)
        schema_cache_unref(fresh->contents);
    free(fresh);
    return 0;
}

/* Which contents are let go. */
enum dumps_which { DUMPS_OVER, DUMPS_UNUSED, DUMPS_ALL };

static bool dumps_may_go(struct dump_contents *one, enum dumps_which which)
{
    const bool used = schema_cache_used(one->contents);
    if (used)
        lifetime_use(&one->life);
    return which == DUMPS_ALL || (which == DUMPS_UNUSED && !used) ||
           lifetime_over(&one->life, LIFE_DUMP);
}

static struct dump_contents *dumps_take_out(struct dumps *d, enum dumps_which which)
{
    lock_scope(&d->lock);
    for (struct dump_contents **p = &d->contents; *p; p = &(*p)->next) {
        struct dump_contents *one = *p;
        if (!dumps_may_go(one, which))
            continue;
        *p = one->next;
        return one;
    }
    return NULL;
}

static void dumps_let_go(struct dumps *d, enum dumps_which which)
{
    struct dump_contents *one;
    while ((one = dumps_take_out(d, which))) {
        schema_cache_unref(one->contents);
        free(one);
    }
}

void dumps_expire(struct dumps *d)
{
    materials_expire(&d->fs->generated->contents);
    dumps_let_go(d, DUMPS_OVER);
}

void dumps_drop_all(struct dumps *d)
{
    if (!d)
        return;
    materials_drop_all(&d->fs->generated->contents);
    dumps_let_go(d, DUMPS_ALL);
}

/* Whether the files of databases other than that one are too many to be held for the time being. */
static bool dumps_hold_many(struct dumps *d, const char *db)
{
    size_t files = 0;
    lock_scope(&d->lock);
    for (const struct dump_contents *p = d->contents; p; p = p->next)
        if (strcmp(p->db, db) != 0)
            files += capture_files(schema_cache_capture(p->contents));
    return files > PARTS_LOOKED_AT;
}

int dumps_contents(struct request *r, const char *db, struct schema_cache **out)
{
    struct dumps *d = r->fs->dumps;
    struct instant *i;
    int rc = parts_instant(r, db, "dump/", &i);
    if (rc < 0)
        return rc;
    cleanup(capture_unrefp) struct capture *c = instant_capture(i);
    instant_put(i);
    pthread_mutex_lock(&d->lock);
    *out = known(d, c);
    pthread_mutex_unlock(&d->lock);
    db = db ? db : "";
    if (!*out && dumps_hold_many(d, db)) {
        materials_drop_all(&d->fs->generated->contents);
        dumps_let_go(d, DUMPS_UNUSED);
    }
    return *out ? 0 : dumps_open_contents(r, db, c, out);
}

int dumps_failed(struct fs *fs, const struct dump_query *of, int r, const struct err *e)
{
    char what[64];
    if (r == -EINTR || r == -ENOMEM || r == -ENOENT)
        return r;
    snprintf(what, sizeof(what), "dump/%s/%s/%s", dump_extensions[of->format], of->db, of->rp);
    status_failed(fs->status, what, e->text);
    return r == -EAGAIN ? r : -EIO;
}

static void dump_say_lack(void *ctx, const char *words)
{
    struct dumps *d = ctx;
    size_t i = 0;
    pthread_mutex_lock(&d->lock);
    while (i < d->nlacks && strcmp(d->lacks[i], words) != 0)
        i++;
    bool fresh = i == d->nlacks && i < DUMPS_LACKS;
    if (fresh && (d->lacks[i] = strdup(words)))
        d->nlacks++;
    d->more_lacks |= i == DUMPS_LACKS;
    pthread_mutex_unlock(&d->lock);
    if (fresh)
        log_warning("dump/: %s", words);
}

void dumps_lacks_init(struct dumps *d)
{
    d->gaps = (struct gaps){.damage = d->fs->options->skip_damaged, .say = dump_say_lack, .ctx = d};
}

void dumps_spilled(const struct dumps *d, uint64_t *now, uint64_t *most)
{
    *now = d->spilled.bytes;
    *most = d->spilled.most;
}

int dumps_lacks(struct dumps *d, struct report_texts *out, bool *more)
{
    int r = 0;
    lock_scope(&d->lock);
    for (size_t i = 0; r == 0 && i < d->nlacks; i++)
        r = report_texts_add(out, d->lacks[i]);
    *more = d->more_lacks;
    return r;
}

void dumps_free(struct dumps *d)
{
    if (!d)
        return;
    while (d->nlacks > 0)
        free(d->lacks[--d->nlacks]);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
