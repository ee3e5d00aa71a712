/* SPDX-License-Identifier: MIT */
#include "store/rewrite/settled_internal.h"

#include "store/base/cleanup.h"
#include "store/influx/tsmencode.h"
#include "store/influx/tsmfile.h"

#include <errno.h>

/* A TSM file while it is written anew. */
struct rewriting {
    const struct settled_query *q;
    struct membersource source;
    struct tsmfile *file;
    struct deletes *deletes;
    struct tsmwriter *writer;
    struct tsmblock block;
    struct buffer encoded;
    struct err *e;
};

static void rewriting_clear(struct rewriting *w)
{
    tsmwriter_free(w->writer);
    tsmfile_free(w->file);
    deletes_free(w->deletes);
    membersource_clear(&w->source);
    tsmblock_free(&w->block);
    buffer_free(&w->encoded);
}

/* What becomes of the points from min to max. */
enum fate { KEPT, CUT, GONE };

static enum fate fate_of(const struct rewriting *w, const struct key_deletes *k, int64_t min,
                         int64_t max)
{
    const struct time_range *range = &w->q->range;
    if (max < range->min || min > range->max || key_deletes_all(k, min, max))
        return GONE;
    bool cut = min < range->min || max > range->max || key_deletes_some(k, min, max);
    return cut ? CUT : KEPT;
}

/* Whether a block of the key does not stay as it is. */
static bool is_touched(const struct rewriting *w, const struct tsmfile_key *key)
{
    const struct key_deletes *k = deletes_of(w->deletes, (struct slice){key->key, key->len});
    if (fate_of(w, k, key->min, key->max) == KEPT)
        return false;
    for (size_t i = 0; i < key->nentries; i++) {
        struct tsmfile_entry n = tsmfile_entry(key, i);
        if (fate_of(w, k, n.min, n.max) != KEPT)
            return true;
    }
    return false;
}

/* 1: the file has to be written anew, or is damaged, which that finds. */
static int settled_look(struct rewriting *w)
{
    struct tsmfile_key key;
    int r;
    tsmfile_seek(w->file, NULL, 0);
    while ((r = tsmfile_next(w->file, &key, w->e)) == 1) {
        if (reader_interrupted(w->q->reader))
            return err_set(w->e, -EINTR, "interrupted");
        if (is_touched(w, &key))
            return 1;
    }
    return r == -EBADMSG ? 1 : r;
}

static int settled_copy_block(struct rewriting *w, const struct tsmfile_key *key,
                              const struct tsmfile_entry *n)
{
    const void *block = NULL;
    size_t size = 0;
    int r = tsmfile_raw(w->file, n, key->type, &block, &size, w->e);
    return r < 0 ? r : tsmwriter_block(w->writer, block, size, n->min, n->max, w->e);
}

/* Takes the points out that are deleted or outside of the range. */
static void settled_filter(const struct rewriting *w, const struct key_deletes *k,
                           struct tsmblock *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->n; i++) {
        int64_t t = b->times[i];
        if (t < w->q->range.min || t > w->q->range.max || (k && key_deletes_time(k->list, k->n, t)))
            continue;
        b->times[kept] = t;
        b->values[kept++] = b->values[i];
    }
    b->n = kept;
}

/* What is left of a block, as one again. */
static int settled_cut_block(struct rewriting *w, const struct tsmfile_key *key,
                             const struct key_deletes *k, const struct tsmfile_entry *n)
{
    struct tsmblock *b = &w->block;
    struct err why = {""};
    int r = tsmfile_block(w->file, n, key->type, b, w->e);
    if (r < 0)
        return r;
    size_t before = b->n;
    settled_filter(w, k, b);
    if (b->n == before)
        return settled_copy_block(w, key, n);
    if (b->n == 0)
        return 0;
    w->encoded.n = 0;
    r = tsmencode_block(b, &w->encoded, &why);
    if (r < 0) /* it holds NaN */
        return err_set(w->e, r == -EINVAL ? -EBADMSG : r, "%s: damaged block: %s",
                       tsmfile_name(w->file), why.text);
    return tsmwriter_block(w->writer, w->encoded.p, w->encoded.n, b->times[0], b->times[b->n - 1],
                           w->e);
}

static int settled_key(struct rewriting *w, const struct tsmfile_key *key)
{
    const struct slice name = {key->key, key->len};
    const struct key_deletes *k = deletes_of(w->deletes, name);
    if (reader_interrupted(w->q->reader))
        return err_set(w->e, -EINTR, "interrupted");
    if (fate_of(w, k, key->min, key->max) == GONE)
        return 0;
    int r = tsmwriter_key(w->writer, name, key->type, w->e);
    for (size_t i = 0; r == 0 && i < key->nentries; i++) {
        struct tsmfile_entry n = tsmfile_entry(key, i);
        enum fate fate = fate_of(w, k, n.min, n.max);
        if (fate != GONE)
            r = fate == KEPT ? settled_copy_block(w, key, &n) : settled_cut_block(w, key, k, &n);
        if (r == -EBADMSG)
            r = gaps_block(w->q->gaps, name, n.min, n.max, r, w->e);
    }
    return r;
}

static int settled_keys(struct rewriting *w)
{
    struct tsmfile_key key;
    int r;
    tsmfile_seek(w->file, NULL, 0);
    while ((r = tsmfile_next(w->file, &key, w->e)) == 1)
        if ((r = settled_key(w, &key)) < 0)
            return r;
    return r;
}

static int settled_open_tsm(struct rewriting *w, const struct shard_tsm *t)
{
    const struct capture *c = w->q->capture;
    cleanup(membersource_clear) struct membersource tombstone = {.path = NULL};
    bool has_one = t->tombstone != MEMBER_NONE;
    if (membersource_init(&w->source, c, t->tsm) < 0 ||
        (has_one && membersource_init(&tombstone, c, t->tombstone) < 0))
        return err_sys(w->e, -ENOMEM, "a TSM file");
    int r = deletes_read(has_one ? &tombstone.source : NULL, (struct slice){NULL, 0}, &w->deletes,
                         w->e);
    return r < 0 ? r : tsmfile_open(&w->source.source, &w->file, w->e);
}

/* Of a file that is damaged in the middle, what comes before is written, if the gaps allow it. */
static int settled_rewrite(struct rewriting *w, struct settled_output *o, const struct shard_tsm *t)
{
    int r = settled_writer(o, &w->writer, w->e);
    if (r == 0)
        r = settled_keys(w);
    if (r == -EBADMSG)
        r = shards_leave_file(w->q->capture, w->q->shard, t->tsm, w->q->gaps, r, w->e);
    return r < 0 ? r : tsmwriter_finish(w->writer, w->e);
}

int settled_add_tsm(struct settled *s, const struct settled_query *q, size_t i, struct err *e)
{
    const struct shard_tsm *t = &q->shard->tsm[i];
    const struct member *m = capture_member(q->capture, t->tsm);
    cleanup(rewriting_clear) struct rewriting w = {.q = q, .e = e};
    struct settled_output o = {s, q, m->name, m->attr.mtime_ns};
    if (t->tombstone == MEMBER_NONE && q->range.min == INT64_MIN && q->range.max == INT64_MAX)
        return settled_pass(s, q, t->tsm, e);
    if (t->tombstone != MEMBER_NONE)
        o.mtime_ns = settled_later(q, t->tombstone, o.mtime_ns);
    int r = settled_open_tsm(&w, t);
    if (r == -EBADMSG)
        return shards_leave_file(q->capture, q->shard, t->tsm, q->gaps, r, e);
    if (r == 0)
        r = settled_look(&w);
    if (r <= 0)
        return r < 0 ? r : settled_pass(s, q, t->tsm, e);
    return settled_rewrite(&w, &o, t);
}
