/* SPDX-License-Identifier: MIT */
/* What the WAL holds of a measurement, as influxd has it in its cache after replaying. */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/influx/walread.h"
#include "store/points/table_internal.h"
#include "store/snapshot/damage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A segment while it is replayed. */
struct replay {
    struct table *t;
    const struct shard_source *from;
    struct table_entry *entry; /* that values are of; NULL: not ours */
    struct err *e;
};

static int no_memory(const struct replay *r)
{
    return err_sys(r->e, -ENOMEM, "%s", r->from->path);
}

static int on_key(void *ctx, const char *key, size_t len, enum value_type type, size_t count)
{
    struct replay *r = ctx;
    struct slice k = {key, len};
    (void)count;
    r->entry = NULL;
    if (r->t->measurement.p && !serieskey_is_of(k, r->t->measurement))
        return 0;
    int rc = table_entry(r->t, k, type, r->from->path, &r->entry, r->e);
    if (rc != -EBADMSG)
        return rc;
    char name[GAPS_NAME];
    gaps_name(k, name);
    return gaps_damage(r->t->gaps, rc, r->e, "left out: key %s", name);
}

static const char *keep_text(struct table *t, const char *text, size_t n)
{
    struct table_text *k = malloc(sizeof(*k) + n);
    if (!k)
        return NULL;
    memcpy(k->bytes, text, n);
    k->next = t->texts;
    t->texts = k;
    return k->bytes;
}

static int on_value(void *ctx, int64_t time, const union value *v, const char *text)
{
    struct replay *r = ctx;
    if (!r->entry)
        return 0;
    struct cursor *c = &r->entry->field.cursor;
    if (!array_room(&c->wal, &r->entry->wal_cap, c->nwal, sizeof(*c->wal)))
        return no_memory(r);
    struct cursor_wal *w = &c->wal[c->nwal];
    *w = (struct cursor_wal){time, *v, NULL};
    if (c->type == VALUE_STRING) {
        w->text = keep_text(r->t, text, v->s.len);
        if (!w->text)
            return no_memory(r);
    }
    c->nwal++;
    return 0;
}

static void remove_entry(struct table *t, struct table_entry *n)
{
    HASH_DEL(t->entries, n);
    cursor_clear(&n->field.cursor);
    free(n);
}

/* Only what has been replayed so far goes: never a value of a TSM file. */
static int on_remove(void *ctx, const char *key, size_t len, int64_t min, int64_t max)
{
    struct replay *r = ctx;
    struct table_entry *n;
    HASH_FIND(hh, r->t->entries, key, len, n);
    if (!n)
        return 0;
    struct cursor *c = &n->field.cursor;
    size_t kept = 0;
    for (size_t i = 0; i < c->nwal; i++)
        if (c->wal[i].time < min || c->wal[i].time > max)
            c->wal[kept++] = c->wal[i];
    c->nwal = kept;
    if (kept == 0)
        remove_entry(r->t, n);
    return 0;
}

struct numbered {
    struct cursor_wal w;
    size_t number;
};

static int by_time(const void *va, const void *vb)
{
    const struct numbered *a = va, *b = vb;
    if (a->w.time != b->w.time)
        return a->w.time < b->w.time ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

static bool is_sorted(const struct cursor *c)
{
    for (size_t i = 1; i < c->nwal; i++)
        if (c->wal[i - 1].time >= c->wal[i].time)
            return false;
    return true;
}

/* By time, and of those with the same time the last. */
static int sort_values(struct cursor *c)
{
    if (is_sorted(c))
        return 0;
    autofree struct numbered *all = malloc(c->nwal * sizeof(*all));
    if (!all)
        return -ENOMEM;
    for (size_t i = 0; i < c->nwal; i++)
        all[i] = (struct numbered){c->wal[i], i};
    qsort(all, c->nwal, sizeof(*all), by_time);
    size_t n = 0;
    for (size_t i = 0; i < c->nwal; i++)
        if (i + 1 == c->nwal || all[i + 1].w.time != all[i].w.time)
            c->wal[n++] = all[i].w;
    c->nwal = n;
    return 0;
}

static int replay_segment(struct table *t, size_t member, struct err *e)
{
    cleanup(shard_source_clear) struct shard_source source = {.path = NULL};
    if (shard_source_init(&source, t->capture, member) < 0)
        return err_sys(e, -ENOMEM, "the WAL");
    struct replay r = {.t = t, .from = &source, .e = e};
    struct walentry_visitor v = {on_key, on_value, on_remove, &r};
    int rc = damage_cut_off(t->capture, member, e);
    if (rc == -EBADMSG)
        rc = shard_leave_file(t->capture, t->shard, member, t->gaps, rc, e);
    if (rc < 0)
        return rc;
    rc = walread(&source.source, &v, e);
    return rc == -EBADMSG ? shard_leave_file(t->capture, t->shard, member, t->gaps, rc, e) : rc;
}

int table_replay(struct table *t, struct err *e)
{
    struct table_entry *n, *tmp;
    int r = 0;
    for (size_t i = 0; r == 0 && i < t->shard->nwal; i++)
        r = replay_segment(t, t->shard->wal[i], e);
    if (r < 0)
        return r;
    HASH_ITER(hh, t->entries, n, tmp)
    {
        if (sort_values(&n->field.cursor) < 0)
            return err_sys(e, -ENOMEM, "the WAL");
    }
    return 0;
}

/* The first field whose series is not less. */
static size_t find_series(const struct table *wal, struct slice series)
{
    size_t low = 0, high = wal->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(wal->sorted[middle]->series, series) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* All keys of a measurement begin as it does, and so do some others. */
int table_borrow(struct table *t, struct table *wal, struct err *e)
{
    struct slice m = t->measurement;
    for (size_t i = find_series(wal, m); i < wal->n; i++) {
        const struct table_field *f = wal->sorted[i];
        struct table_entry *n;
        if (f->series.n < m.n || memcmp(f->series.p, m.p, m.n) != 0)
            break;
        if (!serieskey_is_of(f->key, m))
            continue;
        int r = table_entry(t, f->key, f->cursor.type, "the WAL", &n, e);
        if (r < 0)
            return r;
        n->field.cursor.wal = f->cursor.wal;
        n->field.cursor.nwal = f->cursor.nwal;
        n->field.cursor.borrowed = true;
    }
    return 0;
}
