/* SPDX-License-Identifier: MIT */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/influx/tsmfile.h"
#include "store/points/deletes.h"
#include "store/points/schema_internal.h"

#include <errno.h>
#include <stdlib.h>

/* Bytes for the tombstones of a file. */
#define DELETES_MEMORY ((size_t)8 << 20)

/* A TSM file while it is read. */
struct reading {
    struct schema *o;
    struct tsmfile *file;
    struct deletes *deletes;
    struct tsmblock block;
    struct buffer names;
    struct buffer series;          /* the first bytes of the last key, up to its field */
    struct schema_entry *entry;    /* of that series */
    struct tsmfile_entry *entries; /* of the current key; reading blocks discards it */
    size_t cap;                    /* bytes */
    struct err *e;
};

static void reading_clear(struct reading *r)
{
    tsmfile_free(r->file);
    deletes_free(r->deletes);
    tsmblock_free(&r->block);
    buffer_free(&r->names);
    buffer_free(&r->series);
    free(r->entries);
}

static int no_memory(const struct reading *r)
{
    return err_sys(r->e, -ENOMEM, "%s", tsmfile_name(r->file));
}

static int tsm_add_times(struct reading *r, struct days *days, const struct key_deletes *k,
                         const struct tsmfile_entry *entry, enum value_type type)
{
    int rc = tsmfile_times(r->file, entry, type, &r->block, r->e);
    if (rc == -EBADMSG && r->o->allow_damage)
        return 0;
    for (size_t i = 0; rc == 0 && i < r->block.n; i++) {
        int64_t t = r->block.times[i];
        int32_t day = time_day(t);
        bool first = i == 0 || time_day(r->block.times[i - 1]) != day || k;
        if (first && !(k && key_deletes_time(k->list, k->n, t)))
            rc = days_add(days, (struct day_range){day, day}) < 0 ? no_memory(r) : 0;
    }
    return rc;
}

/* The first and last times of a block belong to points, which gives most of the days. */
static int tsm_add_days(struct reading *r, struct days *days, const struct key_deletes *k,
                        const struct tsmfile_entry *entry, enum value_type type)
{
    struct day_range range = {time_day(entry->min), time_day(entry->max)};
    if (days_have(days, range) || key_deletes_all(k, entry->min, entry->max))
        return 0;
    if (range.last - range.first > 1 || key_deletes_some(k, entry->min, entry->max))
        return tsm_add_times(r, days, k, entry, type);
    return days_add(days, range) < 0 ? no_memory(r) : 0;
}

static int tsm_keep_entries(struct reading *r, const struct tsmfile_key *key)
{
    if (!array_renew(&r->entries, &r->cap, key->nentries * sizeof(*r->entries)))
        return no_memory(r);
    for (size_t i = 0; i < key->nentries; i++)
        r->entries[i] = tsmfile_entry(key, i);
    return 0;
}

/* Adds the names of a key; -EBADMSG, without a message: it has no field. Most keys are of the series
 * of the one before. */
static int tsm_add_names(struct reading *r, struct slice key, enum value_type type)
{
    struct slice series, field;
    const size_t n = r->series.n;
    if (n > 0 && key.n > n && memcmp(key.p, r->series.p, n) == 0)
        return schema_add_field(r->entry, (struct slice){key.p + n, key.n - n}, type) < 0
                   ? no_memory(r)
                   : 0;
    if (!serieskey_split(key, &series, &field) || field.n == 0)
        return -EBADMSG;
    r->series.n = 0;
    buffer_add(&r->series, key.p, key.n - field.n);
    if (r->series.failed || schema_add_key(r->o, &r->names, series, field, type, &r->entry) < 0)
        return no_memory(r);
    return 0;
}

static int tsm_add_key(struct reading *r, const struct tsmfile_key *key)
{
    const struct slice name = {key->key, key->len};
    enum value_type type = key->type;
    size_t nentries = key->nentries;
    int rc = deletes_reach(r->deletes, name, r->e);
    if (rc < 0)
        return rc;
    const struct key_deletes *k = deletes_of(r->deletes, name);
    if (key_deletes_all(k, key->min, key->max))
        return 0;
    rc = tsm_add_names(r, name, type);
    if (rc == -EBADMSG)
        return r->o->allow_damage
                   ? 0
                   : err_set(r->e, rc, "%s: damaged: a key without a field", tsmfile_name(r->file));
    if (rc == 0)
        rc = tsm_keep_entries(r, key);
    for (size_t i = 0; rc == 0 && i < nentries; i++)
        rc = tsm_add_days(r, &r->entry->m.days, k, &r->entries[i], type);
    return rc;
}

int schema_add_tsm(struct schema *o, const struct source *tsm, const struct source *tombstone,
                   struct err *e)
{
    cleanup(reading_clear) struct reading r = {.o = o, .e = e};
    struct tsmfile_key key;
    int rc = deletes_open(tombstone, (struct slice){NULL, 0}, DELETES_MEMORY, &r.deletes, e);
    if (rc == 0)
        rc = tsmfile_open(tsm, &r.file, e);
    while (rc == 0 && (rc = tsmfile_next(r.file, &key, e)) == 1)
        rc = tsm_add_key(&r, &key);
    return rc == -EBADMSG && o->allow_damage ? 0 : rc;
}
