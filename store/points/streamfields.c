/* SPDX-License-Identifier: MIT */
#include "store/points/streamfields.h"

#include "store/base/array.h"

#include <errno.h>

/* A smaller window of a cursor would cost more decoding than it saves memory. */
#define LEAST_WINDOW 16
#define USUAL_BLOCK 1000

static void streamfields_rest(struct streamfields *f)
{
    for (size_t i = 0; i < f->nblocks; i++)
        blockpool_give(f->pool, &f->blocks[i].block);
    f->n = f->nblocks = f->nentries = f->ndeleted = f->text.n = 0;
}

void streamfields_free(struct streamfields *f)
{
    streamfields_rest(f);
    tsmblock_free(&f->scratch);
    buffer_free(&f->text);
    free(f->list);
    free(f->blocks);
    free(f->entries);
    free(f->deleted);
    free(f->fields);
}

void streamfields_begin(struct streamfields *f, struct slice series)
{
    streamfields_rest(f);
    f->nprefix = series.n + sizeof(SERIESKEY_SEPARATOR) - 1;
}

static struct slice streamfields_key(const struct streamfields *f, const struct streamfields_one *n)
{
    return (struct slice){f->text.p + n->key, n->nkey};
}

/* The field of a composite key if it is the last one added. */
static struct streamfields_one *streamfields_last(struct streamfields *f, struct slice key)
{
    struct streamfields_one *last = f->n ? &f->list[f->n - 1] : NULL;
    return last && slice_compare(streamfields_key(f, last), key) == 0 ? last : NULL;
}

/* NULL when out of memory. */
static struct streamfields_one *streamfields_add(struct streamfields *f, struct slice key,
                                                 enum value_type type)
{
    if (!array_room(&f->list, &f->list_room, f->n + 1))
        return NULL;
    struct streamfields_one *n = &f->list[f->n++];
    *n = (struct streamfields_one){
        .key = f->text.n, .nkey = key.n, .block = f->nblocks, .type = type};
    buffer_add(&f->text, key.p, key.n);
    return f->text.failed ? NULL : n;
}

int streamfields_add_wal(struct streamfields *f, const struct walcache_key *k)
{
    struct streamfields_one *n = streamfields_add(f, k->key, k->type);
    if (!n)
        return -ENOMEM;
    n->wal = k->values;
    n->nwal = k->n;
    n->wal_text = k->text;
    return 0;
}

/* Whether the block has nothing to read. */
static bool is_outside(struct time_range range, const struct key_deletes *k,
                       const struct tsmfile_entry *n)
{
    return n->max < range.min || n->min > range.max || key_deletes_all(k, n->min, n->max);
}

/* A copy, as deletions stay only until those of another key are needed. */
static bool streamfields_add_deleted(struct streamfields *f, const struct key_deletes *k)
{
    if (!k)
        return true;
    if (!array_room(&f->deleted, &f->deleted_room, f->ndeleted + k->n))
        return false;
    memcpy(f->deleted + f->ndeleted, k->list, k->n * sizeof(*k->list));
    f->ndeleted += k->n;
    return true;
}

/* Adds the blocks of a key that have something to read. */
static int streamfields_add_blocks(struct streamfields *f, struct streamfields_one *n,
                                   const struct filekey *k, struct time_range range)
{
    const size_t first = f->nentries;
    if (!array_room(&f->entries, &f->entries_room, first + k->key.nentries) ||
        !array_room(&f->blocks, &f->blocks_room, f->nblocks + 1))
        return -ENOMEM;
    for (size_t i = 0; i < k->key.nentries; i++) {
        f->entries[f->nentries] = tsmfile_entry(&k->key, i);
        f->nentries += !is_outside(range, k->deletes, &f->entries[f->nentries]);
    }
    if (f->nentries == first)
        return 0;
    if (!streamfields_add_deleted(f, k->deletes))
        return -ENOMEM;
    f->blocks[f->nblocks++] = (struct cursor_blocks){
        .file = k->file,
        .nentries = f->nentries - first,
        .ndeleted = k->deletes ? k->deletes->n : 0,
    };
    n->nblocks++;
    return 0;
}

int streamfields_add_file(struct streamfields *f, const struct filekey *k, struct time_range range,
                          struct err *e)
{
    const struct slice key = {k->key.key, k->key.len};
    if (key_deletes_all(k->deletes, k->key.min, k->key.max))
        return 0;
    struct streamfields_one *n = streamfields_last(f, key);
    if (key.n == f->nprefix || (n && n->type != k->key.type))
        return shards_check_field(key, tsmfile_name(k->file), k->key.type, n ? &n->type : NULL, e);
    if ((!n && !(n = streamfields_add(f, key, k->key.type))) ||
        streamfields_add_blocks(f, n, k, range) < 0)
        return err_sys(e, -ENOMEM, "a measurement of a shard");
    return 0;
}

/* How many values of a block each cursor keeps; 0: all. */
static size_t streamfields_window(const struct streamfields *f, size_t values)
{
    size_t window = values && f->n ? values / f->n : USUAL_BLOCK;
    if (window >= USUAL_BLOCK)
        return 0;
    return window > LEAST_WINDOW ? window : LEAST_WINDOW;
}

int streamfields_finish(struct streamfields *f, const struct stream_query *q,
                        struct time_range range)
{
    const size_t window = streamfields_window(f, q->values);
    size_t entry = 0, deleted = 0;
    if (!array_room(&f->fields, &f->fields_room, f->n))
        return -ENOMEM;
    for (size_t i = 0; i < f->nblocks; i++) {
        f->blocks[i].entries = f->entries + entry;
        f->blocks[i].deleted = f->blocks[i].ndeleted ? f->deleted + deleted : NULL;
        entry += f->blocks[i].nentries;
        deleted += f->blocks[i].ndeleted;
    }
    for (size_t i = 0; i < f->n; i++) {
        const struct streamfields_one *n = &f->list[i];
        const struct slice key = streamfields_key(f, n);
        f->fields[i] = (struct stream_field){
            .name = {key.p + f->nprefix, key.n - f->nprefix},
            .cursor = {.type = n->type,
                       .range = range,
                       .gaps = q->gaps,
                       .key = key,
                       .window = window,
                       .scratch = &f->scratch,
                       .pool = f->pool,
                       .blocks = n->nblocks ? f->blocks + n->block : NULL,
                       .nblocks = n->nblocks,
                       .wal = n->wal,
                       .wal_text = n->wal_text,
                       .nwal = n->nwal},
        };
    }
    return 0;
}
