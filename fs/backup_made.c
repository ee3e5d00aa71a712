/* SPDX-License-Identifier: MIT */
/* The sets of a capture: each is made when it is first asked for. */
#include "fs/backup_sets_internal.h"
#include "fs/request.h"
#include "fs/status.h"
#include "store/base/lock.h"
#include "store/base/time.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct backup_set {
    enum madeset_format format;
    char *db; /* NULL: all */
    struct madeset *set;
    bool *read; /* each of its files, */
    size_t unread;
    struct backup_set *next;
};

int backup_sets_failed(struct fs *fs, const char *what, int r, const struct err *e)
{
    if (r == -EINTR || r == -ENOMEM || r == -ENOENT)
        return r;
    status_failed(fs->status, what, e->text);
    return r == -EAGAIN ? r : -EIO;
}

static void backup_set_free(struct backup_set *s)
{
    madeset_free(s->set);
    free(s->read);
    free(s->db);
    free(s);
}

void backup_sets_free_made(struct backup_sets *s)
{
    while (s->sets) {
        struct backup_set *one = s->sets;
        s->sets = one->next;
        backup_set_free(one);
    }
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

static struct backup_set *backup_sets_known(struct backup_sets *s, enum madeset_format format,
                                            const char *db)
{
    lock_scope(&s->all->lock);
    struct backup_set *one = s->sets;
    while (one && !backup_set_is(one, format, db))
        one = one->next;
    return one;
}

static void backup_sets_add(struct backup_sets *s, struct backup_set *one)
{
    if (!one->db)
        backup_sets_note_lacks(s->all, one->format, one->set);
    lock_scope(&s->all->lock);
    LL_PREPEND(s->sets, one);
}

int backup_sets_get(struct request *r, struct backup_sets *s, enum madeset_format format,
                    const char *db, struct madeset **out)
{
    struct err e = {0};
    int rc = lock_unless(&s->making, request_interrupted, r);
    if (rc < 0)
        return rc;
    struct backup_set *one = backup_sets_known(s, format, db);
    if (!one && (rc = backup_set_make(s, format, db, &one, &e)) == 0)
        backup_sets_add(s, one);
    pthread_mutex_unlock(&s->making);
    if (rc < 0)
        return backup_sets_failed(s->all->fs, "backup/", rc, &e);
    *out = one->set;
    return 0;
}

/* Whether file i was the last one of the set that had not been read. */
static bool backup_set_completes(struct backup_sets *s, const struct madeset *set, size_t i)
{
    lock_scope(&s->all->lock);
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
