/* SPDX-License-Identifier: MIT */
#include "store/export/contents.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* So many files' outlines are asked of the catalogue at a time, and a shard's more. */
#define BATCH 256

/* What has been found of a shard. */
struct found {
    bool tried;
    int error;
    char *why; /* of the error, in words */
    void *packed;
    size_t n;
    struct days days; /* of all its measurements */
};

/* All shards of a database that share an index. */
struct shared {
    const char *db;
    struct outline *outline;
    struct shared *next;
};

struct contents {
    atomic_uint refs;
    struct capture *capture;
    struct catalog *catalog;
    struct shards *shards;
    pthread_mutex_t lock; /* guards what follows */
    struct found *found;  /* one for each shard */
    struct shared *shared;
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the contents of the store");
}

int contents_open(struct capture *c, struct catalog *k, struct contents **out, struct err *e)
{
    struct contents *t = calloc(1, sizeof(*t));
    if (!t)
        return no_memory(e);
    atomic_init(&t->refs, 1);
    pthread_mutex_init(&t->lock, NULL);
    t->capture = capture_ref(c);
    t->catalog = k;
    int r = shards_open(c, &t->shards, e);
    if (r == 0 && !(t->found = calloc(shards_count(t->shards) + 1, sizeof(*t->found))))
        r = no_memory(e);
    if (r < 0) {
        contents_unref(t);
        return r;
    }
    *out = t;
    return 0;
}

struct contents *contents_ref(struct contents *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void contents_unref(struct contents *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) > 1)
        return;
    for (size_t i = 0; c->found && i < shards_count(c->shards); i++) {
        free(c->found[i].why);
        free(c->found[i].packed);
        days_clear(&c->found[i].days);
    }
    for (struct shared *s; (s = c->shared);) {
        c->shared = s->next;
        outline_free(s->outline);
        free(s);
    }
    free(c->found);
    shards_free(c->shards);
    capture_unref(c->capture);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

struct capture *contents_capture(const struct contents *c)
{
    return c->capture;
}

struct catalog *contents_catalog(const struct contents *c)
{
    return c->catalog;
}

const struct shards *contents_shards(const struct contents *c)
{
    return c->shards;
}

bool contents_has(const struct contents *c, const char *db, const char *rp)
{
    return meta_has_policy(shards_meta(c->shards), db, rp);
}

/* The outlines of the TSM files of some shards, as the catalogue keeps them. */
struct notes {
    struct catalog_note *list;
    size_t n, cap;
};

static void notes_clear(struct notes *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free((char *)l->list[i].path);
        free(l->list[i].bytes);
    }
    free(l->list);
    *l = (struct notes){0};
}

static int notes_add(struct notes *l, const struct capture *c, const struct shard_tsm *t)
{
    const struct member *m = capture_member(c, t->tsm);
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        struct catalog_note *list = realloc(l->list, cap * sizeof(*list));
        if (!list)
            return -ENOMEM;
        l->list = list;
        l->cap = cap;
    }
    char *path = malloc(member_path_len(m) + 1);
    if (!path)
        return -ENOMEM;
    l->list[l->n++] = (struct catalog_note){
        .path = member_path(m, path),
        .index = {m->index,
                  t->tombstone == SHARD_NONE ? 0 : capture_member(c, t->tombstone)->index}};
    return 0;
}

/* The outline of a TSM file, packed. */
static int find_tsm(const struct contents *c, const struct shard_tsm *t, struct catalog_note *note,
                    struct err *e)
{
    cleanup(shard_source_clear) struct shard_source tsm = {.path = NULL},
                                                    tombstone = {.path = NULL};
    cleanup(outline_freep) struct outline *o = outline_new();
    bool has = t->tombstone != SHARD_NONE;
    if (!o || shard_source_init(&tsm, c->capture, t->tsm) < 0 ||
        (has && shard_source_init(&tombstone, c->capture, t->tombstone) < 0))
        return no_memory(e);
    int r = outline_add_tsm(o, &tsm.source, has ? &tombstone.source : NULL, e);
    return r < 0 ? r : outline_pack(o, &note->bytes, &note->n) < 0 ? no_memory(e) : 0;
}

static void sources_clear(struct shard_source *list, size_t n)
{
    for (size_t i = 0; list && i < n; i++)
        shard_source_clear(&list[i]);
}

static int add_wal(const struct contents *c, const struct shard *sh, struct outline *o,
                   struct err *e)
{
    autofree struct shard_source *list = calloc(sh->nwal + 1, sizeof(*list));
    autofree const struct source **sources = calloc(sh->nwal + 1, sizeof(struct source *));
    int r = list && sources ? 0 : no_memory(e);
    for (size_t i = 0; r == 0 && i < sh->nwal; i++) {
        r = shard_source_init(&list[i], c->capture, sh->wal[i]) < 0 ? no_memory(e) : 0;
        sources[i] = &list[i].source;
    }
    if (r == 0)
        r = outline_add_wal(o, sources, sh->nwal, e);
    sources_clear(list, sh->nwal);
    return r;
}

static bool is_interrupted(const struct tarball_reader *reader)
{
    return reader && reader->interrupted && reader->interrupted(reader->ctx);
}

/* Adds the TSM files of a shard, whose notes begin at note. */
static int add_files(const struct contents *c, const struct shard *sh, struct catalog_note *note,
                     const struct tarball_reader *reader, struct outline *o, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < sh->ntsm; i++, note++) {
        if (!note->bytes && is_interrupted(reader))
            return err_set(e, -EINTR, "interrupted");
        if (!note->bytes)
            r = find_tsm(c, &sh->tsm[i], note, e);
        if (r == 0 && (r = outline_unpack(o, note->bytes, note->n)) < 0)
            r = err_sys(e, r, "the catalogue's note about %s", note->path);
    }
    return r;
}

static int keep(struct found *f, const struct outline *o, struct err *e)
{
    int r = outline_pack(o, &f->packed, &f->n);
    for (size_t i = 0; r == 0 && i < outline_count(o); i++) {
        const struct days *days = &outline_at(o, i)->days;
        for (size_t k = 0; r == 0 && k < days->n; k++)
            r = days_add(&f->days, days->list[k]);
    }
    return r < 0 ? no_memory(e) : 0;
}

static int find_shard(const struct contents *c, size_t i, struct catalog_note *note,
                      const struct tarball_reader *reader, struct err *e)
{
    const struct shard *sh = shards_at(c->shards, i);
    cleanup(outline_freep) struct outline *o = outline_new();
    if (!o)
        return no_memory(e);
    int r = add_files(c, sh, note, reader, o, e);
    if (r == 0)
        r = add_wal(c, sh, o, e);
    return r < 0 ? r : keep(&c->found[i], o, e);
}

/* Finds the shards [first, end), whose files' notes are asked for. What is damaged is so for good;
 * what else went wrong is not. */
static int find_batch(struct contents *c, size_t first, size_t end, struct notes *notes,
                      const struct tarball_reader *reader, struct err *e)
{
    size_t at = 0, unknown = 0;
    int r = 0;
    /* A catalogue that fails is no reason to go without: status.json says what it lacks. */
    if (c->catalog && notes->n)
        catalog_get_notes(c->catalog, notes->list, notes->n, NULL);
    for (size_t i = 0; i < notes->n; i++)
        unknown += !notes->list[i].bytes;
    for (size_t i = first; r == 0 && i < end; i++) {
        struct found *f = &c->found[i];
        if (f->tried)
            continue;
        r = find_shard(c, i, &notes->list[at], reader, e);
        at += shards_at(c->shards, i)->ntsm;
        f->tried = r != -EINTR && r != -ENOMEM;
        if (r < 0 && f->tried) {
            f->error = r;
            f->why = strdup(e->text);
            r = f->why ? 0 : no_memory(e);
        }
    }
    if (c->catalog && unknown)
        catalog_put_notes(c->catalog, notes->list, notes->n, NULL);
    return r;
}

/* Finds all shards [first, end). Called with the lock. */
static int find_shards(struct contents *c, size_t first, size_t end,
                       const struct tarball_reader *reader, struct err *e)
{
    struct err mine = {0};
    int r = 0;
    e = e ? e : &mine;
    while (r == 0 && first < end) {
        cleanup(notes_clear) struct notes notes = {0};
        size_t i = first;
        for (; r == 0 && i < end && notes.n < BATCH; i++) {
            const struct shard *sh = shards_at(c->shards, i);
            for (size_t k = 0; r == 0 && !c->found[i].tried && k < sh->ntsm; k++)
                r = notes_add(&notes, c->capture, &sh->tsm[k]) < 0 ? no_memory(e) : 0;
        }
        if (r == 0)
            r = find_batch(c, first, i, &notes, reader, e);
        first = i;
    }
    return r;
}

/* The shards [*first, *end) of a database, and of one policy unless rp is NULL. */
static void range_of(const struct contents *c, const char *db, const char *rp, size_t *first,
                     size_t *end)
{
    size_t n = shards_count(c->shards);
    for (*first = 0; *first < n; ++*first) {
        const struct shard *sh = shards_at(c->shards, *first);
        if (strcmp(sh->db, db) == 0 && (!rp || strcmp(sh->rp, rp) == 0))
            break;
    }
    for (*end = *first; *end < n; ++*end) {
        const struct shard *sh = shards_at(c->shards, *end);
        if (strcmp(sh->db, db) != 0 || (rp && strcmp(sh->rp, rp) != 0))
            break;
    }
}

int contents_range(const struct contents *c, const char *db, const char *rp, int64_t from,
                   int64_t to, size_t **out, size_t *n, struct err *e)
{
    size_t first, end;
    if (!contents_has(c, db, rp))
        return err_set(e, -ENOENT, "no database %s with a policy %s", db, rp);
    range_of(c, db, rp, &first, &end);
    size_t *list = calloc(end - first + 1, sizeof(*list));
    if (!list)
        return no_memory(e);
    *n = 0;
    for (size_t i = first; from < to && i < end; i++)
        if (shards_at(c->shards, i)->start < to && shards_at(c->shards, i)->end > from)
            list[(*n)++] = i;
    *out = list;
    return 0;
}

static int unpack(const struct found *f, struct outline *o, struct err *e)
{
    return outline_unpack(o, f->packed, f->n) < 0 ? no_memory(e) : 0;
}

int contents_outline(struct contents *c, size_t i, const struct tarball_reader *reader,
                     struct outline **out, struct err *e)
{
    cleanup(outline_freep) struct outline *o = outline_new();
    if (!o)
        return no_memory(e);
    pthread_mutex_lock(&c->lock);
    int r = find_shards(c, i, i + 1, reader, e);
    const struct found *f = &c->found[i];
    if (r == 0 && f->error < 0)
        r = err_set(e, f->error, "%s", f->why);
    if (r == 0)
        r = unpack(f, o, e);
    pthread_mutex_unlock(&c->lock);
    if (r == 0)
        *out = steal_ptr(&o);
    return r;
}

static int share(struct contents *c, const char *db, const struct tarball_reader *reader,
                 struct shared **out, struct err *e)
{
    cleanup(outline_freep) struct outline *o = outline_new();
    size_t first, end;
    range_of(c, db, NULL, &first, &end);
    int r = o ? find_shards(c, first, end, reader, e) : no_memory(e);
    for (size_t i = first; r == 0 && i < end; i++)
        if (!shards_at(c->shards, i)->tsi1 && c->found[i].error == 0)
            r = unpack(&c->found[i], o, e);
    struct shared *s = r == 0 ? calloc(1, sizeof(*s)) : NULL;
    if (!s)
        return r < 0 ? r : no_memory(e);
    *s = (struct shared){.db = first < end ? shards_at(c->shards, first)->db : NULL,
                         .outline = steal_ptr(&o),
                         .next = c->shared};
    c->shared = *out = s;
    return 0;
}

int contents_shared(struct contents *c, const char *db, const struct tarball_reader *reader,
                    const struct outline **out, struct err *e)
{
    int r = 0;
    pthread_mutex_lock(&c->lock);
    struct shared *s = c->shared;
    while (s && !(s->db && strcmp(s->db, db) == 0))
        s = s->next;
    if (!s)
        r = share(c, db, reader, &s, e);
    if (r == 0)
        *out = s->outline;
    pthread_mutex_unlock(&c->lock);
    return r;
}

int contents_outlines(struct contents *c, const char *db, const char *rp, int64_t from, int64_t to,
                      const struct tarball_reader *reader, struct outline **out, struct err *e)
{
    cleanup(outline_freep) struct outline *o = outline_new();
    autofree size_t *list = NULL;
    size_t n;
    int broken = 0;
    int r = o ? contents_range(c, db, rp, from, to, &list, &n, e) : no_memory(e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        cleanup(outline_freep) struct outline *one = NULL;
        r = contents_outline(c, list[i], reader, &one, e);
        if (r == 0 && outline_add(o, one) < 0)
            r = no_memory(e);
        if (r < 0 && r != -EINTR && r != -ENOMEM) {
            broken = r;
            r = 0;
        }
    }
    if (r < 0)
        return r;
    *out = steal_ptr(&o);
    return broken;
}

int contents_days(struct contents *c, const char *db, const char *rp,
                  const struct tarball_reader *reader, struct days *out, struct err *e)
{
    size_t first, end;
    int broken = 0;
    range_of(c, db, rp, &first, &end);
    pthread_mutex_lock(&c->lock);
    int r = find_shards(c, first, end, reader, e);
    for (size_t i = first; r == 0 && i < end; i++) {
        const struct found *f = &c->found[i];
        if (f->error < 0 && broken == 0)
            broken = err_set(e, f->error, "%s", f->why);
        for (size_t k = 0; r == 0 && k < f->days.n; k++)
            r = days_add(out, f->days.list[k]) < 0 ? no_memory(e) : 0;
    }
    pthread_mutex_unlock(&c->lock);
    return r < 0 ? r : broken;
}
