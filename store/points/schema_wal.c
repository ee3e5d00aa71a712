/* SPDX-License-Identifier: MIT */
/* The schema of a WAL. A value counts unless a later delete covers it: segments with deletes are read
 * twice, first for these, so that no values have to be kept. */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/influx/walentry.h"
#include "store/points/deletes.h"
#include "store/points/keyhash.h"
#include "store/points/schema_internal.h"

#include <errno.h>
#include <stdlib.h>

/* A delete, and how many came before it. */
struct removal {
    struct time_range range;
    size_t number;
};

/* The deletes of one key, in their order. */
struct removals {
    UT_hash_handle hh;
    size_t n;
    struct removal *list;
    char key[];
};

struct replay {
    struct schema *o;
    struct buffer names;
    struct removals *keys; /* hash */
    size_t removed;        /* deletes met so far */
    /* Of the current key: */
    struct slice series, field;
    enum value_type type;
    const struct removals *removals; /* NULL: it has none */
    struct schema_entry *entry;      /* NULL: none of its values counts so far */
    bool key_is_bad;
};

static void replay_clear(struct replay *r)
{
    struct removals *k, *tmp;
    HASH_ITER(hh, r->keys, k, tmp)
    {
        HASH_DEL(r->keys, k);
        free(k->list);
        free(k);
    }
    buffer_free(&r->names);
}

static int wal_keep_removal(void *ctx, const char *key, size_t len, int64_t min, int64_t max)
{
    struct replay *r = ctx;
    struct removals *k;
    HASH_FIND(hh, r->keys, key, len, k);
    if (!k)
        keyhash_add(r->keys, key, len, k);
    if (!k || !array_grow(&k->list, k->n))
        return -ENOMEM;
    k->list[k->n++] = (struct removal){{min, max}, r->removed++};
    return 0;
}

static int wal_count_removal(void *ctx, const char *key, size_t len, int64_t min, int64_t max)
{
    struct replay *r = ctx;
    (void)key, (void)len, (void)min, (void)max;
    r->removed++;
    return 0;
}

static int wal_on_key(void *ctx, const char *key, size_t len, enum value_type type, size_t count)
{
    struct replay *r = ctx;
    struct slice k = {key, len};
    (void)count;
    r->key_is_bad = !serieskey_split(k, &r->series, &r->field) || r->field.n == 0;
    if (r->key_is_bad)
        return r->o->allow_damage ? 0 : -EBADMSG;
    r->type = type;
    r->entry = NULL;
    struct removals *removals;
    HASH_FIND(hh, r->keys, key, len, removals);
    r->removals = removals;
    return 0;
}

static bool is_removed(const struct replay *r, int64_t time)
{
    const struct removals *k = r->removals;
    for (size_t i = k ? k->n : 0; i > 0 && k->list[i - 1].number >= r->removed; i--)
        if (k->list[i - 1].range.min <= time && time <= k->list[i - 1].range.max)
            return true;
    return false;
}

static int wal_on_value(void *ctx, int64_t time, const union value *v, const char *text)
{
    struct replay *r = ctx;
    (void)v, (void)text;
    if (r->key_is_bad || is_removed(r, time))
        return 0;
    int rc =
        r->entry ? 0 : schema_add_key(r->o, &r->names, r->series, r->field, r->type, &r->entry);
    int32_t day = time_day(time);
    return rc < 0 ? rc : days_add(&r->entry->m.days, (struct day_range){day, day});
}

static int wal_replay(const struct source *segment, const struct walentry_visitor *v, bool allow,
                      struct err *e)
{
    struct err why = {0};
    int r = walread(segment, v, &why);
    if (r == -EBADMSG && allow)
        return 0;
    if (r == -EBADMSG && !why.text[0])
        return err_set(e, r, "%s: damaged: a key without a field", segment->name);
    if (r == -ENOMEM)
        return err_sys(e, r, "%s", segment->name);
    if (r < 0 && e)
        *e = why;
    return r;
}

int schema_add_wal(struct schema *o, const struct source *const *segments, size_t n, struct err *e)
{
    cleanup(replay_clear) struct replay r = {.o = o};
    const struct walentry_visitor first = {.remove = wal_keep_removal, .ctx = &r};
    const struct walentry_visitor second = {wal_on_key, wal_on_value, wal_count_removal, &r};
    bool deletes = false;
    int rc = 0;
    for (size_t i = 0; !deletes && i < n; i++)
        deletes = walread_may_delete(segments[i]);
    for (size_t i = 0; deletes && rc == 0 && i < n; i++)
        rc = wal_replay(segments[i], &first, o->allow_damage, e);
    r.removed = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = wal_replay(segments[i], &second, o->allow_damage, e);
    return rc;
}
