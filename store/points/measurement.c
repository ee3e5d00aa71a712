/* SPDX-License-Identifier: MIT */
#include "store/points/measurement.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/points/keyhash.h"

#include <errno.h>
#include <stdlib.h>

struct entry {
    struct measurement_field field;
    UT_hash_handle hh;
    char key[];
};

struct measurement {
    const struct capture *capture;
    const struct shard_files *shard;
    struct slice name; /* escaped; memory of its own */
    struct time_range range;
    size_t deletes_memory;
    const struct gaps *gaps;
    struct walcache *wal;
    struct entry *entries; /* hash by key */
    struct measurement_field **sorted;
    size_t n;
    struct membersource *sources; /* one for each TSM file */
    struct tsmfile **files;
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "a measurement of a shard");
}

/* NULL when out of memory. */
static struct entry *measurement_new_entry(struct measurement *m, struct slice key,
                                           enum value_type type)
{
    struct entry *n;
    keyhash_add(m->entries, key.p, key.n, n);
    if (!n)
        return NULL;
    n->field.key = (struct slice){n->key, key.n};
    serieskey_split(n->field.key, &n->field.series, &n->field.name);
    n->field.cursor.type = type;
    n->field.cursor.range = m->range;
    n->field.cursor.gaps = m->gaps;
    n->field.cursor.key = n->field.key;
    return n;
}

/* The field of a key of a TSM file; a missing one is made. */
static int measurement_entry(struct measurement *m, struct slice key, enum value_type type,
                             const char *file, struct entry **out, struct err *e)
{
    struct entry *n;
    HASH_FIND(hh, m->entries, key.p, key.n, n);
    int r = shards_check_field(key, file, type, n ? &n->field.cursor.type : NULL, e);
    if (r == 0 && !n)
        r = (n = measurement_new_entry(m, key, type)) ? 0 : no_memory(e);
    *out = n;
    return r;
}

static int measurement_add_wal(struct measurement *m, struct err *e)
{
    struct walcache_key k;
    struct entry *n;
    for (size_t i = 0; walcache_next(m->wal, m->name, &i, &k);) {
        if (!(n = measurement_new_entry(m, k.key, k.type)))
            return no_memory(e);
        n->field.cursor.wal = k.values;
        n->field.cursor.wal_text = k.text;
        n->field.cursor.nwal = k.n;
    }
    return 0;
}

/* source is all zeros, and must outlive the result. */
static int measurement_deletes(struct measurement *m, size_t member, struct membersource *source,
                               struct deletes **out, struct err *e)
{
    if (member != MEMBER_NONE && membersource_init(source, m->capture, member) < 0)
        return no_memory(e);
    return deletes_open(member == MEMBER_NONE ? NULL : &source->source, m->name, m->deletes_memory,
                        out, e);
}

/* Whether the block has nothing left to read. */
static bool is_outside(const struct measurement *m, const struct key_deletes *k,
                       const struct tsmfile_entry *n)
{
    return n->max < m->range.min || n->min > m->range.max || key_deletes_all(k, n->min, n->max);
}

/* The blocks of a key that have something to read. */
static int measurement_blocks(const struct measurement *m, const struct tsmfile_key *key,
                              const struct key_deletes *k, struct cursor_blocks *b)
{
    for (size_t i = 0; i < key->nentries; i++) {
        struct tsmfile_entry entry = tsmfile_entry(key, i);
        if (is_outside(m, k, &entry))
            continue;
        if (!array_grow(&b->entries, b->nentries))
            return -ENOMEM;
        b->entries[b->nentries++] = entry;
    }
    if (b->nentries && k) {
        b->deleted = malloc(k->n * sizeof(*k->list));
        if (!b->deleted)
            return -ENOMEM;
        memcpy(b->deleted, k->list, k->n * sizeof(*k->list));
        b->ndeleted = k->n;
    }
    return 0;
}

/* Adds a key of a file to the fields. */
static int measurement_add_key(struct measurement *m, struct tsmfile *f, struct deletes *d,
                               const struct tsmfile_key *key, struct err *e)
{
    const struct slice name = {key->key, key->len};
    const struct key_deletes *k = deletes_of(d, name);
    struct entry *n = NULL;
    if (key_deletes_all(k, key->min, key->max))
        return 0;
    int r = measurement_entry(m, name, key->type, tsmfile_name(f), &n, e);
    if (r < 0)
        return r;
    struct cursor *c = &n->field.cursor;
    if (!array_grow(&c->blocks, c->nblocks))
        return no_memory(e);
    struct cursor_blocks *b = &c->blocks[c->nblocks++];
    *b = (struct cursor_blocks){.file = f};
    if (measurement_blocks(m, key, k, b) < 0)
        return no_memory(e);
    if (b->nentries == 0)
        c->nblocks--;
    return 0;
}

/* Reports a key that cannot be used, if that is allowed. */
static int measurement_leave_key(const struct measurement *m, const struct tsmfile_key *key,
                                 int code, struct err *e)
{
    char name[GAPS_NAME], times[GAPS_TIMES];
    gaps_name((struct slice){key->key, key->len}, name);
    gaps_times(key->min, key->max, times);
    return gaps_damage(m->gaps, code, e, "left out: key %s, %s", name, times);
}

/* Other measurements' keys may have the same beginning: "cpu2" begins as "cpu". */
static int measurement_add_keys(struct measurement *m, struct tsmfile *f, struct deletes *d,
                                struct err *e)
{
    struct tsmfile_key key;
    int r;
    while ((r = tsmfile_next(f, &key, e)) == 1) {
        const struct slice name = {key.key, key.len};
        if (!serieskey_is_of(name, m->name))
            continue;
        if ((r = deletes_reach(d, name, e)) < 0)
            return r;
        r = measurement_add_key(m, f, d, &key, e);
        if (r < 0)
            r = measurement_leave_key(m, &key, r, e);
        if (r < 0)
            return r;
    }
    return r;
}

static int measurement_add_keys_of(struct measurement *m, size_t i, const struct keyindex *keys,
                                   struct err *e)
{
    cleanup(membersource_clear) struct membersource tombstone = {.path = NULL};
    cleanup(deletes_freep) struct deletes *d = NULL;
    struct tsmfile_place place;
    if (keys && !keyindex_find(keys, i, m->name, &place))
        return 0;
    if (membersource_init(&m->sources[i], m->capture, m->shard->tsm[i].tsm) < 0)
        return no_memory(e);
    int r = measurement_deletes(m, m->shard->tsm[i].tombstone, &tombstone, &d, e);
    if (r == 0)
        r = tsmfile_open(&m->sources[i].source, &m->files[i], e);
    if (r < 0)
        return r;
    if (keys)
        tsmfile_seek_place(m->files[i], place, m->name.p, m->name.n);
    else
        tsmfile_seek(m->files[i], m->name.p, m->name.n);
    r = measurement_add_keys(m, m->files[i], d, e);
    tsmfile_rest(m->files[i]);
    return r;
}

static int measurement_add_file(struct measurement *m, size_t i, const struct keyindex *keys,
                                struct err *e)
{
    int r = measurement_add_keys_of(m, i, keys, e);
    return r == -EBADMSG
               ? shards_leave_file(m->capture, m->shard, m->shard->tsm[i].tsm, m->gaps, r, e)
               : r;
}

static int by_key(const void *va, const void *vb)
{
    const struct measurement_field *a = *(struct measurement_field *const *)va;
    const struct measurement_field *b = *(struct measurement_field *const *)vb;
    int c = slice_compare(a->series, b->series);
    return c ? c : slice_compare(a->name, b->name);
}

static int measurement_sort(struct measurement *m, struct err *e)
{
    struct entry *n, *tmp;
    m->sorted = calloc(HASH_COUNT(m->entries) + 1, sizeof(struct measurement_field *));
    if (!m->sorted)
        return no_memory(e);
    HASH_ITER(hh, m->entries, n, tmp)
    {
        m->sorted[m->n++] = &n->field;
    }
    qsort(m->sorted, m->n, sizeof(struct measurement_field *), by_key);
    return 0;
}

static int measurement_build(struct measurement *m, const struct measurement_query *q,
                             struct err *e)
{
    char *escaped = malloc(2 * q->name.n + 1);
    m->name.p = escaped;
    m->sources = calloc(m->shard->ntsm + 1, sizeof(*m->sources));
    m->files = calloc(m->shard->ntsm + 1, sizeof(struct tsmfile *));
    if (!escaped || !m->sources || !m->files)
        return no_memory(e);
    m->name.n = serieskey_escape_measurement(q->name, escaped);
    if (reader_interrupted(q->reader))
        return err_set(e, -EINTR, "interrupted");
    int r = 0;
    const struct walcache_query wal = {.of = {.capture = m->capture,
                                              .shard = m->shard,
                                              .measurement = &m->name,
                                              .gaps = m->gaps,
                                              .reader = q->reader}};
    if (q->wal)
        m->wal = walcache_ref(q->wal);
    else
        r = walcache_open(&wal, &m->wal, e);
    if (r == 0)
        r = measurement_add_wal(m, e);
    for (size_t i = 0; r == 0 && i < m->shard->ntsm; i++)
        r = reader_interrupted(q->reader) ? err_set(e, -EINTR, "interrupted")
                                          : measurement_add_file(m, i, q->keys, e);
    return r < 0 ? r : measurement_sort(m, e);
}

int measurement_open(const struct measurement_query *q, struct measurement **out, struct err *e)
{
    cleanup(measurement_freep) struct measurement *m = calloc(1, sizeof(*m));
    if (!m)
        return no_memory(e);
    m->capture = q->capture;
    m->shard = q->shard;
    m->range = q->range;
    m->deletes_memory = q->deletes_memory;
    m->gaps = q->gaps;
    int r = measurement_build(m, q, e);
    if (r < 0)
        return r;
    *out = steal_ptr(&m);
    return 0;
}

void measurement_free(struct measurement *m)
{
    struct entry *n, *tmp;
    if (!m)
        return;
    HASH_ITER(hh, m->entries, n, tmp)
    {
        HASH_DEL(m->entries, n);
        cursor_clear(&n->field.cursor);
        free(n);
    }
    for (size_t i = 0; m->files && i < m->shard->ntsm; i++)
        tsmfile_free(m->files[i]);
    for (size_t i = 0; m->sources && i < m->shard->ntsm; i++)
        membersource_clear(&m->sources[i]);
    free(m->sources);
    free(m->files);
    free(m->sorted);
    free((char *)m->name.p);
    walcache_unref(m->wal);
    free(m);
}

size_t measurement_count(const struct measurement *m)
{
    return m->n;
}

struct measurement_field *measurement_at(struct measurement *m, size_t i)
{
    return m->sorted[i];
}
