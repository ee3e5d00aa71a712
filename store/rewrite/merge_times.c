/* SPDX-License-Identifier: MIT */
#include "store/rewrite/merge_times.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/influx/tsmfile.h"
#include "store/points/deletes.h"
#include "store/points/walcache.h"

#include <errno.h>

/* A TSM file while it is read. */
struct times {
    struct tsmfile *file;
    struct deletes *deletes;
    struct tsmblock block;
    struct tsmfile_entry *entries; /* of the current key; reading blocks discards it */
    size_t cap;                    /* bytes */
    merge_times_fn *fn;
    void *ctx;
    struct err *e;
};

static void times_clear(struct times *t)
{
    tsmfile_free(t->file);
    deletes_free(t->deletes);
    tsmblock_free(&t->block);
    free(t->entries);
}

static int times_of_block(struct times *t, const struct tsmfile_entry *entry, enum value_type type,
                          const struct key_deletes *k)
{
    int r = tsmfile_times(t->file, entry, type, &t->block, t->e);
    for (size_t i = 0; r >= 0 && i < t->block.n; i++) {
        const int64_t time = t->block.times[i];
        if (!k || !key_deletes_time(k->list, k->n, time))
            r = t->fn(t->ctx, time, time);
    }
    return r < 0 ? r : 0;
}

static int times_of_key(struct times *t, const struct tsmfile_key *key)
{
    const struct key_deletes *k = deletes_of(t->deletes, (struct slice){key->key, key->len});
    const enum value_type type = key->type;
    const size_t n = key->nentries;
    if (key_deletes_all(k, key->min, key->max))
        return 0;
    if (!array_renew(&t->entries, &t->cap, n * sizeof(*t->entries)))
        return err_sys(t->e, -ENOMEM, "%s", tsmfile_name(t->file));
    for (size_t i = 0; i < n; i++)
        t->entries[i] = tsmfile_entry(key, i);
    int r = 0;
    for (size_t i = 0; r >= 0 && i < n; i++) {
        const struct tsmfile_entry *entry = &t->entries[i];
        r = key_deletes_some(k, entry->min, entry->max) ? 1 : t->fn(t->ctx, entry->min, entry->max);
        if (r == 1)
            r = times_of_block(t, entry, type, k);
    }
    return r < 0 ? r : 0;
}

static int times_of_file(struct times *t, const struct capture *c, const struct shard_tsm *of)
{
    cleanup(membersource_clear) struct membersource tsm = {.path = NULL}, gone = {.path = NULL};
    const bool tombstone = of->tombstone != MEMBER_NONE;
    struct tsmfile_key key;
    if (membersource_init(&tsm, c, of->tsm) < 0 ||
        (tombstone && membersource_init(&gone, c, of->tombstone) < 0))
        return err_sys(t->e, -ENOMEM, "the times of a shard");
    int r =
        deletes_read(tombstone ? &gone.source : NULL, (struct slice){NULL, 0}, &t->deletes, t->e);
    if (r == 0)
        r = tsmfile_open(&tsm.source, &t->file, t->e);
    while (r == 0 && (r = tsmfile_next(t->file, &key, t->e)) == 1)
        r = times_of_key(t, &key);
    return r;
}

static int times_of_wal(const struct capture *c, const struct shard_files *sh, merge_times_fn *fn,
                        void *ctx, struct err *e)
{
    cleanup(walcache_unrefp) struct walcache *w = NULL;
    int r = walcache_open(&(struct walcache_query){.of = {.capture = c, .shard = sh}}, &w, e);
    for (size_t i = 0; r >= 0 && i < walcache_count(w); i++) {
        const struct walcache_key k = walcache_at(w, i);
        const bool each = (r = fn(ctx, k.values[0].time, k.values[k.n - 1].time)) == 1;
        for (size_t j = 0; each && r >= 0 && j < k.n; j++)
            r = fn(ctx, k.values[j].time, k.values[j].time);
    }
    return r < 0 ? r : 0;
}

int merge_times(const struct capture *c, const struct shard_files *sh,
                const struct tarball_reader *reader, merge_times_fn *fn, void *ctx, struct err *e)
{
    int r = sh->nwal ? times_of_wal(c, sh, fn, ctx, e) : 0;
    for (size_t i = 0; r == 0 && i < sh->ntsm; i++) {
        cleanup(times_clear) struct times t = {.fn = fn, .ctx = ctx, .e = e};
        r = reader_interrupted(reader) ? err_set(e, -EINTR, "interrupted")
                                       : times_of_file(&t, c, &sh->tsm[i]);
    }
    return r;
}
