/* SPDX-License-Identifier: MIT */
#include "fs/backup_sets_internal.h"

#include "fs/instant.h"
#include "fs/now.h"
#include "fs/parts.h"
#include "fs/request.h"
#include "store/base/lock.h"
#include "store/base/time.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define KEEP_NS (600 * SECOND_NS) /* what a process has seen */

struct backups *backup_sets_new(struct fs *fs)
{
    struct backups *b = calloc(1, sizeof(*b));
    if (!b)
        return NULL;
    pthread_mutex_init(&b->lock, NULL);
    b->fs = fs;
    return b;
}

struct backup_sets *backup_sets_ref(struct backup_sets *s)
{
    lock_scope(&s->all->lock);
    s->refs++;
    return s;
}

void backup_sets_unref(struct backup_sets *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->all->lock);
    bool last = --s->refs == 0;
    pthread_mutex_unlock(&s->all->lock);
    if (!last)
        return;
    backup_sets_free_made(s);
    madeshards_unref(s->shards);
    pthread_mutex_destroy(&s->making);
    free(s->db);
    free(s);
}

uint64_t backup_sets_id(const struct backup_sets *s)
{
    return s->id;
}

struct capture *backup_sets_capture(const struct backup_sets *s)
{
    return madeshards_capture(s->shards);
}

/* Views. Functions are called with the lock. */

static bool backup_view_is_over(const struct backup_view *v)
{
    const struct lifetime *l = &v->sets->life;
    int64_t since = time_later(v->at_ns, l->closed_ns);
    return caller_has_ended(v->watch) || (!l->open && time_mono_ns() - since >= KEEP_NS);
}

static struct backup_view *backup_view_of(const struct backups *b, const struct caller *who)
{
    struct backup_view *v = b->views;
    while (v && !caller_same(&v->process, who))
        v = v->next;
    return v && v->process.pid && !backup_view_is_over(v) ? v : NULL;
}

/* From now on the process sees s. Gives what it saw before, a reference, or NULL. */
static struct backup_sets *backup_view_set(struct backups *b, const struct caller *who,
                                           struct backup_sets *s)
{
    struct backup_view *v = backup_view_of(b, who);
    struct backup_sets *before = NULL;
    if (!who->pid || (v && v->sets == s))
        return NULL;
    if (v) {
        before = v->sets;
    } else if ((v = calloc(1, sizeof(*v)))) {
        v->process = *who;
        v->watch = caller_watch(who);
        LL_PREPEND(b->views, v);
    } else {
        return NULL; /* the process gets what the next look-up finds */
    }
    v->sets = s;
    v->at_ns = time_mono_ns();
    s->refs++;
    return before;
}

/* Sets, found and made */

/* A reference for the caller, which sees s from now on. Called with the lock. */
static struct backup_sets *backup_sets_give(struct backup_sets *s, const struct caller *who,
                                            struct backup_sets **before)
{
    s->refs++;
    lifetime_use(&s->life);
    *before = backup_view_set(s->all, who, s);
    return s;
}

/* Whether they serve for db, or NULL: for all. */
static bool serves(const struct backup_sets *s, const char *db)
{
    return !s->db || (db && strcmp(s->db, db) == 0);
}

/* The sets of a capture (NULL: any) that serve for db, with this time in their names (NULL: any).
 * Called with the lock. */
static struct backup_sets *backup_sets_find(const struct backups *b, const char *db,
                                            const struct capture *c, const char *base)
{
    struct backup_sets *s = b->list;
    while (s && (!serves(s, db) || (c && madeshards_capture(s->shards) != c) ||
                 (base && strcmp(s->base, base) != 0)))
        s = s->next;
    return s;
}

static int backup_sets_make(struct backups *b, const char *db, struct capture *c,
                            struct backup_sets **out)
{
    struct err e = {0};
    autofree struct backup_sets *s = calloc(1, sizeof(*s));
    autofree char *own = db ? strdup(db) : NULL;
    if (!s || !own != !db)
        return -ENOMEM;
    int r = madeshards_new(c, snapshots_catalog(b->fs->snapshots), b->fs->state, &s->shards, &e);
    if (r < 0)
        return backup_sets_failed(b->fs, "backup/", r, &e);
    s->db = steal_ptr(&own);
    pthread_mutex_init(&s->making, NULL);
    s->all = b;
    s->made_ns = time_mono_ns();
    madeset_base(capture_record(c)->created_ns, s->base);
    *out = steal_ptr(&s);
    return 0;
}

/* The sets of a capture for the caller, from now on. */
static int backup_sets_of(struct backups *b, const struct caller *who, const char *db,
                          struct capture *c, struct backup_sets **out)
{
    struct backup_sets *fresh = NULL, *before = NULL;
    pthread_mutex_lock(&b->lock);
    struct backup_sets *s = backup_sets_find(b, db, c, NULL);
    if (s)
        *out = backup_sets_give(s, who, &before);
    pthread_mutex_unlock(&b->lock);
    int r = s ? 0 : backup_sets_make(b, db, c, &fresh);
    if (fresh) {
        pthread_mutex_lock(&b->lock);
        s = backup_sets_find(b, db, c, NULL); /* another thread may have been faster */
        if (!s) {
            s = fresh;
            s->id = ++b->next_id;
            LL_PREPEND(b->list, s);
        }
        fresh->refs++; /* of the list, or of this function */
        *out = backup_sets_give(s, who, &before);
        pthread_mutex_unlock(&b->lock);
        if (s != fresh)
            backup_sets_unref(fresh);
    }
    backup_sets_unref(before);
    return r;
}

/* What the caller sees; NULL: nothing yet, or, to a caller that lists, nothing that is in use. */
static struct backup_sets *backup_sets_seen(struct backups *b, const struct caller *who,
                                            const char *db, bool listing, const char *base)
{
    struct backup_sets *before;
    lock_scope(&b->lock);
    const struct backup_view *v = backup_view_of(b, who);
    if (!v || !serves(v->sets, db) || (listing && !v->sets->life.open) ||
        (base && strcmp(v->sets->base, base) != 0))
        return NULL;
    return backup_sets_give(v->sets, who, &before);
}

int backup_sets_now(struct request *r, const char *db, bool listing, struct backup_sets **out)
{
    struct backups *b = r->fs->backups;
    const struct caller who = caller_of(r->ctx->pid);
    struct instant *i;
    *out = backup_sets_seen(b, &who, db, listing, NULL);
    if (*out)
        return 0;
    int rc = db ? parts_instant(r, db, "backup/", &i) : now_instant(r, "backup/", &i);
    if (rc < 0)
        return rc;
    cleanup(capture_unrefp) struct capture *c = instant_capture(i);
    instant_put(i);
    return backup_sets_of(b, &who, db, c, out);
}

int backup_sets_at(struct request *r, const char *db, const char base[MADESET_BASE],
                   struct backup_sets **out)
{
    struct backups *b = r->fs->backups;
    const struct caller who = caller_of(r->ctx->pid);
    struct backup_sets *before = NULL;
    if ((*out = backup_sets_seen(b, &who, db, false, base)))
        return 0;
    pthread_mutex_lock(&b->lock);
    struct backup_sets *s = backup_sets_find(b, db, NULL, base);
    if (s)
        *out = backup_sets_give(s, &who, &before);
    pthread_mutex_unlock(&b->lock);
    backup_sets_unref(before);
    if (s)
        return 0;
    int rc = backup_sets_now(r, db, false, out);
    if (rc < 0 || strcmp((*out)->base, base) == 0)
        return rc;
    backup_sets_unref(steal_ptr(out));
    return -ENOENT;
}

void backup_sets_opened(struct backup_sets *s)
{
    lock_scope(&s->all->lock);
    s->life.open++;
}

void backup_sets_closed(struct backup_sets *s)
{
    lock_scope(&s->all->lock);
    lifetime_close(&s->life);
}

/* Letting go */

static struct backup_sets *backup_view_take_old(struct backups *b, bool all)
{
    lock_scope(&b->lock);
    struct backup_view **p = &b->views;
    while (*p && !all && !backup_view_is_over(*p))
        p = &(*p)->next;
    struct backup_view *v = *p;
    if (!v)
        return NULL;
    struct backup_sets *of = v->sets;
    *p = v->next;
    cleanup_close(&v->watch);
    free(v);
    return of;
}

static struct backup_sets *backup_sets_take_old(struct backups *b, bool all)
{
    lock_scope(&b->lock);
    struct backup_sets **p = &b->list;
    while (*p && !all && ((*p)->refs > 1 || !lifetime_over(&(*p)->life, LIFE_BACKUP)))
        p = &(*p)->next;
    struct backup_sets *s = *p;
    if (s)
        *p = s->next;
    return s;
}

static void backup_sets_let_go(struct backups *b, bool all)
{
    struct backup_sets *s;
    materials_expire(&b->fs->backup_files);
    while ((s = backup_view_take_old(b, all)))
        backup_sets_unref(s);
    while ((s = backup_sets_take_old(b, all)))
        backup_sets_unref(s);
}

void backup_sets_expire(struct backups *b)
{
    backup_sets_let_go(b, false);
}

void backup_sets_drop_all(struct backups *b)
{
    if (!b)
        return;
    materials_drop_all(&b->fs->backup_files);
    backup_sets_let_go(b, true);
}

void backup_sets_free(struct backups *b)
{
    if (!b)
        return;
    for (size_t f = 0; f < 2; f++)
        report_texts_clear(&b->lacks[f]);
    pthread_mutex_destroy(&b->lock);
    free(b);
}
