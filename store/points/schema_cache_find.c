/* SPDX-License-Identifier: MIT */
/* Finding the schemas of shards, from files or from the catalogue's notes. */
#include "store/base/cleanup.h"
#include "store/points/schema_cache_internal.h"
#include "store/snapshot/catalog.h"
#include "store/snapshot/damage.h"

#include <errno.h>
#include <string.h>

/* Schemas are requested from the catalogue for this many files at a time, and for whole shards. */
#define BATCH 256

void shard_schema_unref(struct shard_schema *f)
{
    if (!f || atomic_fetch_sub(&f->refs, 1) > 1)
        return;
    free(f->packed);
    days_clear(&f->days);
    free(f);
}

/* The TSM files' schemas of some shards, as stored in the catalogue. */
struct notes {
    struct catalog_note *list;
    size_t n;
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

static int cache_add_note(struct notes *l, const struct capture *c, const struct shard_tsm *t)
{
    const struct member *m = capture_member(c, t->tsm);
    char *path = malloc(member_path_len(m) + 1);
    if (!path)
        return -ENOMEM;
    l->list[l->n] = (struct catalog_note){
        .path = member_path(m, path),
        .stamp = {m->index, m->attr.size, (uint64_t)m->attr.mtime_ns, SCHEMA_VERSION}};
    if (t->tombstone != MEMBER_NONE) {
        const struct member *tombstone = capture_member(c, t->tombstone);
        uint64_t *stamp = l->list[l->n].stamp;
        stamp[4] = tombstone->index;
        stamp[5] = tombstone->attr.size;
        stamp[6] = (uint64_t)tombstone->attr.mtime_ns;
    }
    l->n++;
    return 0;
}

/* Adds the schema of a TSM file; if damage is allowed, its readable part. */
static int cache_read_tsm(const struct schema_cache *c, const struct shard_tsm *t, bool allow,
                          struct schema *o, struct err *e)
{
    cleanup(membersource_clear) struct membersource tsm = {.path = NULL},
                                                    tombstone = {.path = NULL};
    bool has = t->tombstone != MEMBER_NONE;
    if (membersource_init(&tsm, c->capture, t->tsm) < 0 ||
        (has && membersource_init(&tombstone, c->capture, t->tombstone) < 0))
        return no_memory(e);
    schema_allow(o, allow);
    return schema_add_tsm(o, &tsm.source, has ? &tombstone.source : NULL, e);
}

/* The schema of a whole TSM file, packed. */
static int cache_find_tsm(const struct schema_cache *c, const struct shard_tsm *t,
                          struct catalog_note *note, struct err *e)
{
    cleanup(schema_freep) struct schema *o = schema_new();
    int r = o ? cache_read_tsm(c, t, false, o, e) : no_memory(e);
    return r < 0 ? r : schema_pack(o, &note->bytes, &note->n) < 0 ? no_memory(e) : 0;
}

static void sources_clear(struct membersource *list, size_t n)
{
    for (size_t i = 0; list && i < n; i++)
        membersource_clear(&list[i]);
}

static int cache_add_wal(const struct schema_cache *c, const struct shard_files *sh,
                         struct schema *o, struct err *e)
{
    autofree struct membersource *list = calloc(sh->nwal + 1, sizeof(*list));
    autofree const struct source **sources = calloc(sh->nwal + 1, sizeof(struct source *));
    int r = list && sources ? 0 : no_memory(e);
    for (size_t i = 0; r == 0 && i < sh->nwal; i++) {
        r = membersource_init(&list[i], c->capture, sh->wal[i]) < 0 ? no_memory(e) : 0;
        sources[i] = &list[i].source;
        if (r == 0 && !c->allow_damage)
            r = damage_cut_off(c->capture, sh->wal[i], e);
    }
    schema_allow(o, c->allow_damage);
    if (r == 0)
        r = schema_add_wal(o, sources, sh->nwal, e);
    sources_clear(list, sh->nwal);
    return r;
}

/* Adds the TSM files of a shard, whose notes begin at note. A bad note is made anew. */
static int cache_add_files(const struct schema_cache *c, const struct shard_files *sh,
                           struct catalog_note *note, const struct tarball_reader *reader,
                           struct schema *o, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < sh->ntsm; i++, note++) {
        if (reader_interrupted(reader))
            return err_set(e, -EINTR, "interrupted");
        if (note->known && !schema_is_packed(note->bytes, note->n)) {
            free(note->bytes);
            note->bytes = NULL;
            note->known = false;
        }
        if (!note->bytes)
            r = cache_find_tsm(c, &sh->tsm[i], note, e);
        if (r == -EBADMSG && c->allow_damage) /* not noted: an error unless allowed */
            r = cache_read_tsm(c, &sh->tsm[i], true, o, e);
        else if (r == 0 && schema_unpack(o, note->bytes, note->n) < 0)
            r = no_memory(e);
    }
    return r;
}

static int cache_keep(const struct schema *o, struct shard_schema **out, struct err *e)
{
    struct shard_schema *f = calloc(1, sizeof(*f));
    if (!f)
        return no_memory(e);
    atomic_init(&f->refs, 1);
    int r = schema_pack(o, &f->packed, &f->n);
    for (size_t i = 0; r == 0 && i < schema_count(o); i++) {
        const struct days *days = &schema_at(o, i)->days;
        for (size_t k = 0; r == 0 && k < days->n; k++)
            r = days_add(&f->days, days->list[k]);
    }
    if (r < 0) {
        shard_schema_unref(f);
        return no_memory(e);
    }
    *out = f;
    return 0;
}

static int cache_find_shard(const struct schema_cache *c, size_t i, struct catalog_note *note,
                            const struct tarball_reader *reader, struct shard_schema **out,
                            struct err *e)
{
    const struct shard_files *sh = shards_at(c->shards, i);
    cleanup(schema_freep) struct schema *o = schema_new();
    if (!o)
        return no_memory(e);
    int r = cache_add_files(c, sh, note, reader, o, e);
    if (r == 0)
        r = cache_add_wal(c, sh, o, e);
    return r < 0 ? r : cache_keep(o, out, e);
}

static bool is_known(const struct cached_shard *l)
{
    return l->schema || l->error == -EBADMSG;
}

/* Finds the shards [first, end), using the notes of their files. */
static int cache_find_batch(struct schema_cache *c, size_t first, size_t end, struct notes *notes,
                            const struct tarball_reader *reader, struct err *e)
{
    size_t at = 0;
    int r = 0;
    /* A failing catalogue must not stop this: status.json reports its trouble. */
    if (c->catalog && notes->n)
        catalog_get_notes(c->catalog, notes->list, notes->n, NULL);
    for (size_t i = first; r == 0 && i < end; i++) {
        struct cached_shard *l = &c->cached[i];
        if (is_known(l))
            continue;
        free(l->why);
        l->why = NULL;
        l->error = cache_find_shard(c, i, &notes->list[at], reader, &l->schema, e);
        at += shards_at(c->shards, i)->ntsm;
        if (l->error == -EINTR || l->error == -ENOMEM)
            r = l->error;
        else if (l->error < 0 && !(l->why = strdup(e->text)))
            r = l->error = no_memory(e);
    }
    if (c->catalog && notes->n)
        catalog_put_notes(c->catalog, notes->list, notes->n, NULL);
    return r;
}

/* A batch of notes, for the unknown shards from first on. *end is then the shard after the last
 * one. */
static int cache_notes_of(const struct schema_cache *c, size_t first, size_t *end,
                          struct notes *out)
{
    size_t n = 0, i = first;
    for (; i < *end && n < BATCH; i++)
        n += is_known(&c->cached[i]) ? 0 : shards_at(c->shards, i)->ntsm;
    *end = i;
    out->list = calloc(n + 1, sizeof(*out->list));
    int r = out->list ? 0 : -ENOMEM;
    for (i = first; r == 0 && i < *end; i++) {
        const struct shard_files *sh = shards_at(c->shards, i);
        for (size_t k = 0; r == 0 && !is_known(&c->cached[i]) && k < sh->ntsm; k++)
            r = cache_add_note(out, c->capture, &sh->tsm[k]);
    }
    return r;
}

int schema_cache_find(struct schema_cache *c, size_t first, size_t end,
                      const struct tarball_reader *reader, struct err *e)
{
    struct err mine = {0};
    int r = 0;
    e = e ? e : &mine;
    while (r == 0 && first < end) {
        cleanup(notes_clear) struct notes notes = {0};
        size_t last = end;
        r = cache_notes_of(c, first, &last, &notes) < 0 ? no_memory(e) : 0;
        if (r == 0)
            r = cache_find_batch(c, first, last, &notes, reader, e);
        first = last;
    }
    return r;
}
