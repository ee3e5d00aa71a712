/* SPDX-License-Identifier: MIT */
#include "store/points/revived.h"

#include "store/base/cleanup.h"
#include "store/points/table_internal.h"

#include <errno.h>

static int64_t mtime_of(const struct capture *c, size_t member)
{
    return capture_member(c, member)->attr.mtime_ns;
}

static bool is_same(enum value_type type, const struct cursor_wal *a, const struct cursor_wal *b)
{
    if (type != VALUE_STRING)
        return a->value.u == b->value.u;
    return a->value.s.len == b->value.s.len && memcmp(a->text, b->text, a->value.s.len) == 0;
}

/* Whether the value is still what the whole WAL says. Both lists ascend by time. */
static bool survives(const struct cursor *whole, size_t *at, const struct cursor_wal *w)
{
    while (*at < whole->nwal && whole->wal[*at].time < w->time)
        ++*at;
    return *at < whole->nwal && whole->wal[*at].time == w->time &&
           is_same(whole->type, &whole->wal[*at], w);
}

/* Values of a field in the older segments that the tombstone covers. */
static uint64_t count_field(const struct table *whole, const struct table_field *f,
                            const struct deletes *d)
{
    const struct tsmfile_key key = {.key = f->key.p, .len = f->key.n};
    const struct key_deletes *k = deletes_of(d, &key);
    const struct cursor *c = &f->cursor;
    struct table_entry *now;
    size_t at = 0;
    uint64_t n = 0;
    HASH_FIND(hh, whole->entries, f->key.p, f->key.n, now);
    if (!now || !k || now->field.cursor.type != c->type)
        return 0;
    for (size_t i = 0; i < c->nwal; i++)
        n += key_deletes_time(k->list, k->n, c->wal[i].time) &&
             survives(&now->field.cursor, &at, &c->wal[i]);
    return n;
}

/* Of one tombstone, and the first segments, which are not younger. */
static int count(const struct capture *c, const struct shard_files *sh, size_t tombstone,
                 size_t nwal, const struct table *whole, uint64_t *n, struct err *e)
{
    cleanup(shard_source_clear) struct shard_source source = {.path = NULL};
    cleanup(deletes_freep) struct deletes *d = NULL;
    cleanup(table_freep) struct table *old = NULL;
    struct shard_files part = *sh;
    part.nwal = nwal;
    if (shard_source_init(&source, c, tombstone) < 0)
        return err_sys(e, -ENOMEM, "the WAL");
    int r = deletes_read(&source.source, (struct slice){NULL, 0}, &d, e);
    if (r == 0)
        r = table_open_wal(c, &part, &old, e);
    for (size_t i = 0; r == 0 && i < table_count(old); i++)
        *n += count_field(whole, table_at(old, i), d);
    return r;
}

int revived_count(const struct capture *c, const struct shard_files *sh, uint64_t *n, struct err *e)
{
    cleanup(table_freep) struct table *whole = NULL;
    int r = 0;
    *n = 0;
    for (size_t i = 0; r == 0 && i < sh->ntsm; i++) {
        size_t tombstone = sh->tsm[i].tombstone, nwal = 0;
        while (tombstone != MEMBER_NONE && nwal < sh->nwal &&
               mtime_of(c, sh->wal[nwal]) <= mtime_of(c, tombstone))
            nwal++;
        if (nwal > 0 && !whole)
            r = table_open_wal(c, sh, &whole, e);
        if (nwal > 0 && r == 0)
            r = count(c, sh, tombstone, nwal, whole, n, e);
    }
    return r;
}
