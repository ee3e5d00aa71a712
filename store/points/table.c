/* SPDX-License-Identifier: MIT */
#include "store/points/table.h"

#include "store/base/cleanup.h"
#include "store/points/image.h"
#include "store/points/table_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct err *e)
{
    err_sys(e, -ENOMEM, "a measurement of a shard");
    return -ENOMEM;
}

static const char *const type_names[VALUE_TYPES] = {"float", "integer", "boolean", "string",
                                                    "unsigned"};

static int new_entry(struct table *t, struct slice key, struct table_entry **out)
{
    struct table_entry *n = calloc(1, sizeof(*n) + key.n);
    if (!n)
        return -ENOMEM;
    memcpy(n->key, key.p, key.n);
    n->field.key = (struct slice){n->key, key.n};
    n->field.cursor.range = t->range;
    n->field.cursor.gaps = t->gaps;
    n->field.cursor.key = n->field.key;
    HASH_ADD_KEYPTR(hh, t->entries, n->key, key.n, n);
    if (!n->hh.tbl) {
        free(n);
        return -ENOMEM;
    }
    *out = n;
    return 0;
}

int table_entry(struct table *t, struct slice key, enum value_type type, const char *source,
                struct table_entry **out, struct err *e)
{
    struct table_entry *n;
    struct slice series, name;
    if (!serieskey_split(key, &series, &name) || name.n == 0) {
        err_set(e, -EBADMSG, "%s: damaged: a key without a field", source);
        return -EBADMSG;
    }
    HASH_FIND(hh, t->entries, key.p, key.n, n);
    if (!n) {
        if (new_entry(t, key, &n) < 0)
            return no_memory(e);
        serieskey_split(n->field.key, &n->field.series, &n->field.name);
        n->field.cursor.type = type;
    }
    if (n->field.cursor.type != type) {
        err_set(e, -EBADMSG, "%s: the field %.*s is %s here and %s elsewhere in its shard", source,
                (int)name.n, name.p, type_names[type], type_names[n->field.cursor.type]);
        return -EBADMSG;
    }
    *out = n;
    return 0;
}

static int read_deletes(struct table *t, size_t member, struct deletes **out, struct err *e)
{
    cleanup(shard_source_clear) struct shard_source source = {.path = NULL};
    if (member != MEMBER_NONE && shard_source_init(&source, t->capture, member) < 0)
        return no_memory(e);
    return deletes_read(member == MEMBER_NONE ? NULL : &source.source, t->measurement, out, e);
}

/* Whether nothing of the block is left to be read. */
static bool is_outside(const struct table *t, const struct key_deletes *k,
                       const struct tsmfile_entry *n)
{
    return n->max < t->range.min || n->min > t->range.max || key_deletes_all(k, n->min, n->max);
}

static int keep_entries(const struct table *t, struct cursor_blocks *b, struct key_deletes *k,
                        const struct tsmfile_key *key)
{
    size_t n = 0;
    for (size_t i = 0; i < key->nentries; i++) {
        struct tsmfile_entry entry = tsmfile_entry(key, i);
        n += !is_outside(t, k, &entry);
    }
    if (n == 0)
        return 0;
    b->entries = malloc(n * sizeof(*b->entries));
    if (!b->entries)
        return -ENOMEM;
    for (size_t i = 0; i < key->nentries; i++) {
        struct tsmfile_entry entry = tsmfile_entry(key, i);
        if (!is_outside(t, k, &entry))
            b->entries[b->nentries++] = entry;
    }
    if (k) {
        b->deleted = k->list;
        b->ndeleted = k->n;
        k->list = NULL;
        k->n = 0;
    }
    return 0;
}

/* Adds a key of a file to the table. */
static int add_key(struct table *t, struct tsmfile *f, const struct deletes *d,
                   const struct tsmfile_key *key, struct err *e)
{
    struct key_deletes *k = deletes_of(d, key);
    struct table_entry *n;
    if (key_deletes_all(k, key->min, key->max))
        return 0;
    struct slice name = {key->key, key->len};
    int r = table_entry(t, name, key->type, tsmfile_name(f), &n, e);
    if (r < 0)
        return r;
    struct cursor *c = &n->field.cursor;
    struct cursor_blocks b = {.file = f};
    if (keep_entries(t, &b, k, key) < 0)
        return no_memory(e);
    if (b.nentries == 0)
        return 0;
    struct cursor_blocks *grown = realloc(c->blocks, (c->nblocks + 1) * sizeof(*grown));
    if (!grown) {
        free(b.entries);
        free(b.deleted);
        return no_memory(e);
    }
    c->blocks = grown;
    c->blocks[c->nblocks++] = b;
    return 0;
}

/* A key that cannot be used. */
static int leave_key(const struct table *t, const struct tsmfile_key *key, int code, struct err *e)
{
    char name[GAPS_NAME], times[GAPS_TIMES];
    gaps_name((struct slice){key->key, key->len}, name);
    gaps_times(key->min, key->max, times);
    return gaps_damage(t->gaps, code, e, "left out: key %s, %s", name, times);
}

/* Keys that begin as the measurement does are not all its own: "cpu2" begins as "cpu". */
static int add_keys(struct table *t, struct tsmfile *f, const struct deletes *d, struct err *e)
{
    struct tsmfile_key key;
    int r;
    while ((r = tsmfile_next(f, &key, e)) == 1) {
        if (!serieskey_is_of((struct slice){key.key, key.len}, t->measurement))
            continue;
        r = add_key(t, f, d, &key, e);
        if (r < 0)
            r = leave_key(t, &key, r, e);
        if (r < 0)
            return r;
    }
    return r;
}

static int add_keys_of(struct table *t, size_t i, struct err *e)
{
    cleanup(deletes_freep) struct deletes *d = NULL;
    struct tsmfile_place place;
    if (t->image && !image_find(t->image, i, t->measurement, &place))
        return 0;
    if (shard_source_init(&t->sources[i], t->capture, t->shard->tsm[i].tsm) < 0)
        return no_memory(e);
    int r = read_deletes(t, t->shard->tsm[i].tombstone, &d, e);
    if (r == 0)
        r = tsmfile_open(&t->sources[i].source, &t->files[i], e);
    if (r < 0)
        return r;
    if (t->image)
        tsmfile_seek_place(t->files[i], place, t->measurement.p, t->measurement.n);
    else
        tsmfile_seek(t->files[i], t->measurement.p, t->measurement.n);
    r = add_keys(t, t->files[i], d, e);
    tsmfile_rest(t->files[i]);
    return r;
}

static int add_file(struct table *t, size_t i, struct err *e)
{
    int r = add_keys_of(t, i, e);
    return r == -EBADMSG
               ? shard_leave_file(t->capture, t->shard, t->shard->tsm[i].tsm, t->gaps, r, e)
               : r;
}

static int by_key(const void *va, const void *vb)
{
    const struct table_field *a = *(struct table_field *const *)va;
    const struct table_field *b = *(struct table_field *const *)vb;
    int c = slice_compare(a->series, b->series);
    return c ? c : slice_compare(a->name, b->name);
}

static int sort_fields(struct table *t, struct err *e)
{
    struct table_entry *n, *tmp;
    t->sorted = calloc(HASH_COUNT(t->entries) + 1, sizeof(struct table_field *));
    if (!t->sorted)
        return no_memory(e);
    HASH_ITER(hh, t->entries, n, tmp)
    t->sorted[t->n++] = &n->field;
    qsort(t->sorted, t->n, sizeof(struct table_field *), by_key);
    return 0;
}

static int build(struct table *t, struct slice measurement, const struct tarball_reader *reader,
                 struct err *e)
{
    char *escaped = malloc(2 * measurement.n + 1);
    t->measurement.p = escaped;
    t->sources = calloc(t->shard->ntsm + 1, sizeof(*t->sources));
    t->files = calloc(t->shard->ntsm + 1, sizeof(struct tsmfile *));
    if (!escaped || !t->sources || !t->files)
        return no_memory(e);
    t->measurement.n = serieskey_escape_measurement(measurement, escaped);
    struct table *wal = t->image ? image_wal(t->image) : NULL;
    if (reader_interrupted(reader))
        return err_set(e, -EINTR, "interrupted");
    int r = wal ? table_borrow(t, wal, e) : table_replay(t, e);
    for (size_t i = 0; r == 0 && i < t->shard->ntsm; i++)
        r = reader_interrupted(reader) ? err_set(e, -EINTR, "interrupted") : add_file(t, i, e);
    return r < 0 ? r : sort_fields(t, e);
}

int table_open_wal(const struct capture *c, const struct shard_files *sh, struct table **out,
                   struct err *e)
{
    cleanup(table_freep) struct table *t = calloc(1, sizeof(*t));
    if (!t)
        return no_memory(e);
    t->capture = c;
    t->shard = sh;
    int r = table_replay(t, e);
    if (r == 0)
        r = sort_fields(t, e);
    if (r < 0)
        return r;
    *out = steal_ptr(&t);
    return 0;
}

int table_open(const struct capture *c, const struct shard_files *sh, struct image *image,
               struct slice measurement, struct time_range range, const struct gaps *gaps,
               const struct tarball_reader *reader, struct table **out, struct err *e)
{
    cleanup(table_freep) struct table *t = calloc(1, sizeof(*t));
    if (!t)
        return no_memory(e);
    t->capture = c;
    t->shard = sh;
    t->image = image ? image_ref(image) : NULL;
    t->range = range;
    t->gaps = gaps;
    int r = build(t, measurement, reader, e);
    if (r < 0)
        return r;
    *out = steal_ptr(&t);
    return 0;
}

void table_free(struct table *t)
{
    struct table_entry *n, *tmp;
    if (!t)
        return;
    HASH_ITER(hh, t->entries, n, tmp)
    {
        HASH_DEL(t->entries, n);
        cursor_clear(&n->field.cursor);
        free(n);
    }
    for (size_t i = 0; t->files && i < t->shard->ntsm; i++)
        tsmfile_free(t->files[i]);
    for (size_t i = 0; t->sources && i < t->shard->ntsm; i++)
        shard_source_clear(&t->sources[i]);
    while (t->texts) {
        struct table_text *next = t->texts->next;
        free(t->texts);
        t->texts = next;
    }
    tsmblock_free(&t->scratch);
    free(t->sources);
    free(t->files);
    free(t->sorted);
    free((char *)t->measurement.p);
    image_unref(t->image);
    free(t);
}

/* A smaller one would have blocks decoded more often than it saves memory. */
#define LEAST_WINDOW 16
#define USUAL_BLOCK 1000

void table_limit(struct table *t, size_t values)
{
    size_t window = t->n ? values / t->n : USUAL_BLOCK;
    if (window >= USUAL_BLOCK)
        return;
    for (size_t i = 0; i < t->n; i++) {
        t->sorted[i]->cursor.window = window > LEAST_WINDOW ? window : LEAST_WINDOW;
        t->sorted[i]->cursor.scratch = &t->scratch;
    }
}

size_t table_count(const struct table *t)
{
    return t->n;
}

struct table_field *table_at(struct table *t, size_t i)
{
    return t->sorted[i];
}
