/* SPDX-License-Identifier: MIT */
#include "store/rewrite/merge_shard.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/rewrite/merge_filter.h"
#include "store/rewrite/merge_scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

struct file {
    struct merge_file of;
    const char *was;               /* its name before */
    const struct settled *settled; /* made by this one, as its file `at`; */
    size_t at;
    uint64_t off; /* or without some keys, in the spool: settled is NULL then */
};

struct merge_shard {
    struct merge_query q;
    struct settled **settled; /* of each part, then of home's WAL */
    struct shard_files wal;   /* home without its TSM files */
    struct merge_types *types;
    struct merge_side *sides; /* in the order of the files */
    size_t nsides, home;
    struct file *files;
    size_t n;
    int spool; /* files without some of their keys, one after the other; -1: there
                are none */
    uint64_t spooled;
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "merging a shard");
}

void merge_shard_free(struct merge_shard *m)
{
    if (!m)
        return;
    for (size_t i = 0; m->settled && i <= m->q.nparts; i++)
        settled_free(m->settled[i]);
    for (size_t i = 0; i < m->nsides; i++)
        free((void *)m->sides[i].names);
    cleanup_close(&m->spool);
    merge_types_free(m->types);
    free(m->settled);
    free(m->sides);
    free(m->files);
    free(m);
}

bool merge_shard_keeps_wal(const struct merge_shard *m)
{
    return !m->q.parts_win;
}

/* Damage of home is none of the snapshot. */
static int shard_blame_home(int code, const struct err *why, struct err *e)
{
    return code == 0 ? 0
                     : err_set(e, code == -EBADMSG ? -EIO : code, "in the store: %s", why->text);
}

/* Nor is that of a part that is home's own, as of a shard that is cut. */
static int shard_blame_part(const struct merge_shard *m, size_t part, int code,
                            const struct err *why, struct err *e)
{
    if (m->q.parts[part].capture == m->q.capture)
        return shard_blame_home(code, why, e);
    return code == 0 ? 0 : err_set(e, code, "%s", why->text);
}

/* What home's WAL is as TSM files, where it must not win. */
static int shard_settle_home(struct merge_shard *m, struct err *e)
{
    struct err why = {0};
    const struct settled_query s = {.capture = m->q.capture,
                                    .shard = &m->wal,
                                    .range = SETTLED_ALL,
                                    .folder = m->q.folder,
                                    .reader = m->q.reader};
    if (!m->q.shard || merge_shard_keeps_wal(m) || m->q.shard->nwal == 0)
        return 0;
    m->wal = *m->q.shard;
    m->wal.ntsm = 0;
    return shard_blame_home(settled_open(&s, &m->settled[m->q.nparts], &why), &why, e);
}

/* A file of a settled shard as a source; it must not move. */
struct settled_source {
    const struct settled *settled;
    size_t at;
    char name[NAME_MAX + 64];
    struct source source;
};

static int read_settled(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    const struct settled_source *s = ctx;
    return settled_read(s->settled, s->at, buf, n, off, e);
}

static void shard_source(struct settled_source *s, const struct settled *of, size_t i,
                         const struct shard_files *shard)
{
    const struct settled_file *f = settled_at(of, i);
    s->settled = of;
    s->at = i;
    snprintf(s->name, sizeof(s->name), "shard %" PRIu64 ": %s", shard->id, f->name);
    s->source = (struct source){read_settled, s, f->size, s->name};
}

/* What its WAL holds is read where it was settled, or else replayed. */
static int shard_scan_home(struct merge_shard *m, struct err *e)
{
    struct err why = {0};
    const struct settled *wal = m->settled[m->q.nparts];
    if (!m->q.shard)
        return 0;
    struct shard_files home = *m->q.shard;
    home.nwal = wal ? 0 : home.nwal;
    int r = merge_scan_shard(m->types, m->q.capture, &home, &why);
    for (size_t i = 0; wal && r == 0 && i < settled_count(wal); i++) {
        struct settled_source s;
        bool fits;
        shard_source(&s, wal, i, &home);
        r = merge_scan_file(m->types, &s.source, &fits, &why);
    }
    return shard_blame_home(r, &why, e);
}

/* What the parts are as TSM files. */
static int shard_settle(struct merge_shard *m, struct err *e)
{
    const struct merge_query *q = &m->q;
    struct settled_query s = {.folder = q->folder, .reader = q->reader};
    struct err why = {0};
    int r = 0;
    for (size_t i = 0; r == 0 && i < q->nparts; i++) {
        s.capture = q->parts[i].capture;
        s.shard = q->parts[i].shard;
        s.range = q->parts[i].range;
        r = shard_blame_part(m, i, settled_open(&s, &m->settled[i], &why), &why, e);
    }
    return r;
}

static struct file *shard_add(struct merge_shard *m, const char *name)
{
    if (!array_grow(&m->files, m->n))
        return NULL;
    struct file *f = &m->files[m->n++];
    *f = (struct file){.was = name, .of.tombstone = MEMBER_NONE};
    return f;
}

/* Files from number `first` on are a side. */
static int shard_add_side(struct merge_shard *m, size_t first)
{
    const char **names = calloc(m->n - first + 1, sizeof(const char *));
    if (!names || !array_grow(&m->sides, m->nsides)) {
        free(names);
        return -ENOMEM;
    }
    for (size_t i = first; i < m->n; i++)
        names[i - first] = m->files[i].was;
    m->sides[m->nsides++] = (struct merge_side){names, m->n - first};
    return 0;
}

/* Writing without some keys */

struct cutting {
    struct merge_shard *m;
    const struct merge_part *part;
    const struct settled_file *from;
};

static int cut_begin(void *ctx, unsigned i, struct err *e)
{
    const struct cutting *c = ctx;
    struct file *f = shard_add(c->m, c->from->name);
    (void)i;
    if (!f)
        return no_memory(e);
    f->of.mtime_ns = c->from->mtime_ns;
    f->off = c->m->spooled;
    return 0;
}

static int cut_write(void *ctx, const void *buf, size_t n, struct err *e)
{
    struct merge_shard *m = ((const struct cutting *)ctx)->m;
    if (m->spool < 0)
        m->spool = io_open_nameless(m->q.folder, ".");
    int r = m->spool < 0 ? m->spool : io_pwrite_all(m->spool, buf, n, m->spooled);
    if (r < 0)
        return err_sys(e, r, "a nameless file for a merged shard");
    m->spooled += n;
    return 0;
}

static int cut_end(void *ctx, uint64_t size, struct err *e)
{
    struct merge_shard *m = ((const struct cutting *)ctx)->m;
    (void)e;
    m->files[m->n - 1].of.size = size;
    return 0;
}

/* FNV-1a of 64 bits: by this influxd spreads series over the shards of a group
 * (services/meta/data.go ShardFor, models/points.go HashID). */
static uint64_t series_hash(struct slice series)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < series.n; i++)
        h = (h ^ (uint8_t)series.p[i]) * UINT64_C(0x100000001b3);
    return h;
}

static bool cut_stays(void *ctx, struct slice key, enum value_type type)
{
    const struct cutting *c = ctx;
    struct slice series, field;
    if (!merge_types_fit(c->m->types, key, type) || !serieskey_split(key, &series, &field))
        return false;
    return series_hash(series) % c->part->n == c->part->i;
}

/* Adds a file of a part: as it is, or without the keys that do not belong here.
 */
static int shard_add_file(struct merge_shard *m, size_t part, size_t i, struct err *e)
{
    struct cutting c = {m, &m->q.parts[part], settled_at(m->settled[part], i)};
    struct settled_source s;
    bool fits;
    shard_source(&s, m->settled[part], i, c.part->shard);
    int r = merge_scan_file(m->types, &s.source, &fits, e);
    if (r < 0)
        return r;
    if (!fits || c.part->n > 1) {
        const struct tsmwriter_output out = {cut_begin, cut_write, cut_end, &c, UINT64_MAX};
        return merge_filter(&s.source, cut_stays, &c, &out, m->q.folder, e);
    }
    struct file *f = shard_add(m, c.from->name);
    if (!f)
        return no_memory(e);
    f->settled = m->settled[part];
    f->at = i;
    f->of.size = c.from->size;
    f->of.mtime_ns = c.from->mtime_ns;
    f->of.capture = c.from->member == MEMBER_NONE ? NULL : c.part->capture;
    f->of.member = c.from->member;
    return 0;
}

static int shard_add_parts(struct merge_shard *m, struct err *e)
{
    for (size_t part = 0; part < m->q.nparts; part++) {
        const size_t first = m->n;
        struct err why = {0};
        int r = 0;
        for (size_t i = 0; r == 0 && i < settled_count(m->settled[part]); i++)
            r = shard_blame_part(m, part, shard_add_file(m, part, i, &why), &why, e);
        if (r == 0 && shard_add_side(m, first) < 0)
            r = no_memory(e);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Home's files */

static int shard_add_home(struct merge_shard *m, struct err *e)
{
    const struct shard_files *home = m->q.shard;
    const size_t first = m->n;
    for (size_t i = 0; home && i < home->ntsm; i++) {
        const struct member *tsm = capture_member(m->q.capture, home->tsm[i].tsm);
        struct file *f = shard_add(m, tsm->name);
        if (!f)
            return no_memory(e);
        f->of.capture = m->q.capture;
        f->of.member = home->tsm[i].tsm;
        f->of.tombstone = home->tsm[i].tombstone;
        f->of.size = tsm->attr.size;
        f->of.mtime_ns = tsm->attr.mtime_ns;
    }
    m->home = m->nsides;
    return shard_add_side(m, first) < 0 ? no_memory(e) : 0;
}

static int shard_add_home_wal(struct merge_shard *m, struct err *e)
{
    const struct settled *wal = m->settled[m->q.nparts];
    const size_t first = m->n;
    for (size_t i = 0; wal && i < settled_count(wal); i++) {
        const struct settled_file *made = settled_at(wal, i);
        struct file *f = shard_add(m, made->name);
        if (!f)
            return no_memory(e);
        f->settled = wal;
        f->at = i;
        f->of.size = made->size;
        f->of.mtime_ns = made->mtime_ns;
    }
    return shard_add_side(m, first) < 0 ? no_memory(e) : 0;
}

static int shard_name(struct merge_shard *m, struct err *e)
{
    autofree char(*names)[MERGE_NAME] = calloc(m->n + 1, sizeof(*names));
    if (!names)
        return no_memory(e);
    int r = merge_order(m->sides, m->nsides, m->home, names);
    if (r < 0)
        return err_set(e, r, "shard %" PRIu64 " would have more than 999,999,999 generations",
                       m->q.shard ? m->q.shard->id : m->q.parts[0].shard->id);
    for (size_t i = 0; i < m->n; i++)
        memcpy(m->files[i].of.name, names[i], MERGE_NAME);
    return 0;
}

static int shard_build(struct merge_shard *m, struct err *e)
{
    int r = shard_settle(m, e);
    if (r == 0)
        r = shard_settle_home(m, e);
    if (r == 0)
        r = shard_scan_home(m, e);
    if (r == 0 && !m->q.parts_win)
        r = shard_add_parts(m, e);
    if (r == 0)
        r = shard_add_home(m, e);
    if (r == 0 && m->q.parts_win)
        r = shard_add_home_wal(m, e);
    if (r == 0 && m->q.parts_win)
        r = shard_add_parts(m, e);
    return r < 0 ? r : shard_name(m, e);
}

int merge_shard_open(const struct merge_query *q, struct merge_shard **out, struct err *e)
{
    cleanup(merge_shard_freep) struct merge_shard *m = calloc(1, sizeof(*m));
    if (!m)
        return no_memory(e);
    m->q = *q;
    m->spool = -1;
    m->types = merge_types_new();
    m->settled = calloc(q->nparts + 1, sizeof(struct settled *));
    if (!m->types || !m->settled)
        return no_memory(e);
    int r = shard_build(m, e);
    if (r < 0)
        return r;
    *out = steal_ptr(&m);
    return 0;
}

size_t merge_shard_count(const struct merge_shard *m)
{
    return m->n;
}

const struct merge_file *merge_shard_at(const struct merge_shard *m, size_t i)
{
    return &m->files[i].of;
}

int merge_shard_read(const struct merge_shard *m, size_t i, void *buf, size_t n, uint64_t off,
                     struct err *e)
{
    const struct file *f = &m->files[i];
    if (f->settled)
        return settled_read(f->settled, f->at, buf, n, off, e);
    if (f->of.capture)
        return capture_read(f->of.capture, f->of.member, buf, n, off, e);
    int r = io_pread_all(m->spool, buf, n, f->off + off);
    return r < 0 ? err_sys(e, r, "%s of a merged shard", f->of.name) : 0;
}

void merge_shard_refused(const struct merge_shard *m, merge_types_fn *fn, void *ctx)
{
    merge_types_refused(m->types, fn, ctx);
}
