/* SPDX-License-Identifier: MIT */
#include "fs/backup_sets.h"

#include "fs/caller.h"
#include "fs/instant.h"
#include "fs/lifetime.h"
#include "fs/now.h"
#include "fs/request.h"
#include "fs/status.h"
#include "store/base/lock.h"
#include "store/base/time.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define KEEP_NS (600 * SECOND_NS) /* what a process has seen */

struct backup_set {
    enum madeset_format format;
    char *db; /* NULL: all */
    struct madeset *set;
    bool *read; /* each of its files, */
    size_t unread;
    struct backup_set *next;
};

struct backup_sets {
    struct backups *all;
    uint64_t id;
    char base[MADESET_BASE];
    int64_t made_ns;
    struct madeshards *shards;
    pthread_mutex_t making; /* guards the sets */
    struct backup_set *sets;
    /* Guarded by the lock of all: */
    unsigned refs;
    struct lifetime life;
    struct backup_sets *next;
};

/* What a process has seen. */
struct backup_view {
    struct caller process;
    struct backup_sets *sets;
    int64_t at_ns;
    struct backup_view *next;
};

struct backups {
    struct fs *fs;
    pthread_mutex_t lock;      /* guards what follows */
    struct backup_sets *list;  /* the newest first; each has a reference */
    struct backup_view *views; /* so has each of these */
    uint64_t next_id;
    struct report_texts lacks[2]; /* of the newest set, by format */
};

struct backups *backup_sets_new(struct fs *fs)
{
    struct backups *b = calloc(1, sizeof(*b));
    if (!b)
        return NULL;
    pthread_mutex_init(&b->lock, NULL);
    b->fs = fs;
    return b;
}

static void backup_set_free(struct backup_set *s)
{
    madeset_free(s->set);
    free(s->read);
    free(s->db);
    free(s);
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
    while (s->sets) {
        struct backup_set *one = s->sets;
        s->sets = one->next;
        backup_set_free(one);
    }
    madeshards_unref(s->shards);
    pthread_mutex_destroy(&s->making);
    free(s);
}

uint64_t backup_sets_id(const struct backup_sets *s)
{
    return s->id;
}

const struct meta *backup_sets_meta(const struct backup_sets *s)
{
    return shards_meta(madeshards_list(s->shards));
}

struct capture *backup_sets_capture(const struct backup_sets *s)
{
    return madeshards_capture(s->shards);
}

int backup_sets_failed(struct fs *fs, const char *what, int r, const struct err *e)
{
    if (r == -EINTR || r == -ENOMEM || r == -ENOENT)
        return r;
    status_failed(fs->status, what, e->text);
    return r == -EAGAIN ? r : -EIO;
}

/* Views. Functions are called with the lock. */

static bool backup_view_is_over(const struct backup_view *v)
{
    const struct lifetime *l = &v->sets->life;
    int64_t since = time_later(v->at_ns, l->closed_ns);
    return !caller_alive(&v->process) || (!l->open && time_mono_ns() - since >= KEEP_NS);
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

/* The sets of a capture (NULL: any), with this time in their names (NULL: any). Called with the
 * lock. */
static struct backup_sets *backup_sets_find(const struct backups *b, const struct capture *c,
                                            const char *base)
{
    struct backup_sets *s = b->list;
    while (s && ((c && madeshards_capture(s->shards) != c) || (base && strcmp(s->base, base) != 0)))
        s = s->next;
    return s;
}

static int backup_sets_make(struct backups *b, struct capture *c, struct backup_sets **out)
{
    struct err e = {0};
    autofree struct backup_sets *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    int r = madeshards_new(c, snapshots_catalog(b->fs->snapshots), b->fs->state, &s->shards, &e);
    if (r < 0)
        return backup_sets_failed(b->fs, "backup/", r, &e);
    pthread_mutex_init(&s->making, NULL);
    s->all = b;
    s->made_ns = time_mono_ns();
    madeset_base(capture_record(c)->created_ns, s->base);
    *out = steal_ptr(&s);
    return 0;
}

/* The sets of a capture for the caller, from now on. */
static int backup_sets_of(struct backups *b, const struct caller *who, struct capture *c,
                          struct backup_sets **out)
{
    struct backup_sets *fresh = NULL, *before = NULL;
    pthread_mutex_lock(&b->lock);
    struct backup_sets *s = backup_sets_find(b, c, NULL);
    if (s)
        *out = backup_sets_give(s, who, &before);
    pthread_mutex_unlock(&b->lock);
    int r = s ? 0 : backup_sets_make(b, c, &fresh);
    if (fresh) {
        pthread_mutex_lock(&b->lock);
        s = backup_sets_find(b, c, NULL); /* another thread may have been faster */
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
                                            bool listing, const char *base)
{
    struct backup_sets *before;
    lock_scope(&b->lock);
    const struct backup_view *v = backup_view_of(b, who);
    if (!v || (listing && !v->sets->life.open) || (base && strcmp(v->sets->base, base) != 0))
        return NULL;
    return backup_sets_give(v->sets, who, &before);
}

int backup_sets_now(struct request *r, bool listing, struct backup_sets **out)
{
    struct backups *b = r->fs->backups;
    const struct caller who = caller_of(r->ctx->pid);
    struct instant *i;
    *out = backup_sets_seen(b, &who, listing, NULL);
    if (*out)
        return 0;
    int rc = now_instant(r, "backup/", &i);
    if (rc < 0)
        return rc;
    cleanup(capture_unrefp) struct capture *c = instant_capture(i);
    instant_put(i);
    return backup_sets_of(b, &who, c, out);
}

int backup_sets_at(struct request *r, const char base[MADESET_BASE], struct backup_sets **out)
{
    struct backups *b = r->fs->backups;
    const struct caller who = caller_of(r->ctx->pid);
    struct backup_sets *before = NULL;
    if ((*out = backup_sets_seen(b, &who, false, base)))
        return 0;
    pthread_mutex_lock(&b->lock);
    struct backup_sets *s = backup_sets_find(b, NULL, base);
    if (s)
        *out = backup_sets_give(s, &who, &before);
    pthread_mutex_unlock(&b->lock);
    backup_sets_unref(before);
    if (s)
        return 0;
    int rc = backup_sets_now(r, false, out);
    if (rc < 0 || strcmp((*out)->base, base) == 0)
        return rc;
    backup_sets_unref(steal_ptr(out));
    return -ENOENT;
}

/* Remembers what the newest set of its format leaves out. */
static void backup_sets_note_lacks(struct backups *b, enum madeset_format format,
                                   const struct madeset *set)
{
    struct report_texts fresh = {0};
    bool counts;
    for (size_t i = 0; i < madeset_lacks(set); i++) {
        char line[512];
        snprintf(line, sizeof(line), "backup/%s: %.450s",
                 format == MADESET_LEGACY ? "legacy" : "portable", madeset_lack(set, i, &counts));
        if (report_texts_add(&fresh, line) < 0)
            break; /* the file left_out has them all */
    }
    pthread_mutex_lock(&b->lock);
    const struct report_texts old = b->lacks[format];
    b->lacks[format] = fresh;
    pthread_mutex_unlock(&b->lock);
    report_texts_clear((struct report_texts *)&old);
}

static int backup_set_make(struct backup_sets *s, enum madeset_format format, const char *db,
                           struct backup_set **out, struct err *e)
{
    const struct madeset_query q = {.format = format, .db = db};
    struct backup_set *one = calloc(1, sizeof(*one));
    int r = one ? madeset_new(s->shards, &q, &one->set, e) : -ENOMEM;
    if (r < 0) {
        free(one);
        return r;
    }
    one->format = format;
    one->unread = madeset_count(one->set);
    one->read = calloc(one->unread, sizeof(*one->read));
    one->db = db ? strdup(db) : NULL;
    if (!one->read || (db && !one->db)) {
        backup_set_free(one);
        return -ENOMEM;
    }
    *out = one;
    return 0;
}

static bool backup_set_is(const struct backup_set *one, enum madeset_format format, const char *db)
{
    if (one->format != format || !one->db != !db)
        return false;
    return !db || strcmp(one->db, db) == 0;
}

int backup_sets_get(struct backup_sets *s, enum madeset_format format, const char *db,
                    struct madeset **out)
{
    struct err e = {0};
    int r = 0;
    lock_scope(&s->making);
    struct backup_set *one = s->sets;
    while (one && !backup_set_is(one, format, db))
        one = one->next;
    if (!one) {
        r = backup_set_make(s, format, db, &one, &e);
        if (r < 0)
            return backup_sets_failed(s->all->fs, "backup/", r, &e);
        LL_PREPEND(s->sets, one);
        if (!db)
            backup_sets_note_lacks(s->all, format, one->set);
    }
    *out = one->set;
    return 0;
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

/* Whether file i was the last one of the set that had not been read. */
static bool backup_set_completes(struct backup_sets *s, const struct madeset *set, size_t i)
{
    lock_scope(&s->making);
    struct backup_set *one = s->sets;
    while (one->set != set)
        one = one->next;
    if (one->db || one->read[i])
        return false;
    one->read[i] = true;
    return --one->unread == 0;
}

bool backup_sets_was_read(struct backup_sets *s, struct madeset *set, size_t i,
                          struct backup_read *out)
{
    if (!backup_set_completes(s, set, i))
        return false;
    *out = (struct backup_read){.took_ns = time_mono_ns() - s->made_ns};
    for (size_t f = 0; f < madeset_count(set); f++) {
        uint64_t size = 0;
        madeset_size(set, f, NULL, &size, NULL); /* known: it has been read */
        out->bytes += size;
    }
    for (size_t l = 0; l < madeset_lacks(set) && !out->lacks; l++) {
        bool counts;
        const char *words = madeset_lack(set, l, &counts);
        out->lacks = counts ? words : NULL;
    }
    return true;
}

int backup_sets_lacks(struct backups *b, struct report_texts *out)
{
    int r = 0;
    lock_scope(&b->lock);
    for (size_t f = 0; f < 2; f++)
        for (size_t i = 0; r == 0 && i < b->lacks[f].n; i++)
            r = report_texts_add(out, b->lacks[f].at[i]);
    return r;
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
