/* SPDX-License-Identifier: MIT */
/* Merging one database: the plan, and the files of each shard. */
#include "store/restore/compose_impl.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/influx/names.h"
#include "store/restore/merge_cut.h"
#include "store/restore/merge_omitted.h"
#include "store/restore/merge_plan.h"
#include "store/restore/merge_stage.h"
#include "store/snapshot/capture_folders.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A store as it lies. */
struct lying {
    struct capture *capture;
    struct shards *shards;
};

/* The merge of one database. */
struct merging {
    const char *db, *their_db;
    const struct metaedit_item *theirs; /* the database there */
    struct merge_plan plan;
    const struct merge_step **steps; /* those of the plan, by shard here */
};

struct compose_merge {
    struct lying ours, theirs;
    struct merging *list;
    size_t n;
    struct merge_omitted omitted;
    char **paths; /* of the shards that are merged: "DB/RP/ID"; sorted */
    size_t npaths;
};

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "restore");
}

void compose_merge_free(struct compose_merge *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n; i++) {
        merge_plan_clear(&m->list[i].plan);
        free(m->list[i].steps);
    }
    for (size_t i = 0; i < m->npaths; i++)
        free(m->paths[i]);
    merge_omitted_clear(&m->omitted);
    shards_free(m->ours.shards);
    shards_free(m->theirs.shards);
    capture_unref(m->ours.capture);
    capture_unref(m->theirs.capture);
    free(m->list);
    free(m->paths);
    free(m);
}

static int merge_look(struct lying *s, const int fds[TARGETS], const char *what, struct err *e)
{
    struct err why = {0};
    int r = capture_folders(fds[TARGET_META], fds[TARGET_DATA], fds[TARGET_WAL], &s->capture, &why);
    if (r == 0)
        r = shards_open(s->capture, &s->shards, &why);
    return r < 0 ? err_set(e, r, "%s: %s", what, why.text) : 0;
}

/* Without the snapshot's files, as of a dry run, nothing is looked at. */
static int merge_begin(struct compose *c, struct err *e)
{
    if (c->merge)
        return 0;
    if (!(c->merge = calloc(1, sizeof(*c->merge))))
        return no_memory(e);
    if (c->theirs[TARGET_DATA] < 0)
        return 0;
    int r = c->was.st_nlink /* else there is no store yet */
                ? merge_look(&c->merge->ours, c->ours, "the store cannot be merged into", e)
                : 0;
    return r < 0 ? r : merge_look(&c->merge->theirs, c->theirs, "the snapshot", e);
}

/* NULL: no shard of this number lies there. */
static const struct shard_files *merge_find(const struct lying *s, const char *db, uint64_t id)
{
    size_t i, end;
    if (!s->shards)
        return NULL;
    for (shards_span(s->shards, db, NULL, &i, &end); i < end; i++)
        if (shards_at(s->shards, i)->id == id)
            return shards_at(s->shards, i);
    return NULL;
}

/* The plan */

struct looking {
    const struct compose *c;
    const char *db; /* there */
};

static int merge_holds(void *ctx, uint64_t shard, struct err *e)
{
    const struct looking *l = ctx;
    const struct shard_files *sh = merge_find(&l->c->merge->theirs, l->db, shard);
    (void)e;
    return sh && (sh->ntsm || sh->nwal);
}

/* Passes on the times that are asked for. */
struct looking_at {
    struct time_range asked;
    merge_times_fn *fn;
    void *ctx;
};

static int merge_times_asked(void *ctx, int64_t min, int64_t max)
{
    const struct looking_at *l = ctx;
    if (max < l->asked.min || min > l->asked.max)
        return 0;
    return min < l->asked.min || max > l->asked.max ? 1 : l->fn(l->ctx, min, max);
}

static int merge_times_of(void *ctx, uint64_t shard, merge_times_fn *fn, void *fn_ctx,
                          struct err *e)
{
    const struct looking *l = ctx;
    const struct lying *theirs = &l->c->merge->theirs;
    struct looking_at at = {compose_cuts(l->c) ? merge_cut_range(&l->c->part) : SETTLED_ALL, fn,
                            fn_ctx};
    return merge_times(theirs->capture, merge_find(theirs, l->db, shard), NULL, merge_times_asked,
                       &at, e);
}

/* The same by the names of the snapshot's files alone: for a dry run. */
static int merge_holds_names(void *ctx, uint64_t shard, struct err *e)
{
    const struct looking *l = ctx;
    const struct manifest *m = l->c->state;
    char id[32];
    snprintf(id, sizeof(id), "%" PRIu64, shard);
    (void)e;
    for (size_t i = 0; i < m->nfiles; i++) {
        const char *path = strchr(m->files[i].name, '/') + 1, *below = path_below(path, l->db);
        const char *rest = below ? strchrnul(below, '/') : "";
        if (*rest && path_below(rest + 1, id))
            return 1;
    }
    return 0;
}

static int merge_no_times(void *ctx, uint64_t shard, merge_times_fn *fn, void *fn_ctx,
                          struct err *e)
{
    (void)ctx;
    (void)shard;
    (void)fn;
    (void)fn_ctx;
    (void)e;
    return 0;
}

/* Of one shard, in the plan's order: what comes later counts. */
static int by_shard(const void *va, const void *vb)
{
    const struct merge_step *a = *(const struct merge_step *const *)va;
    const struct merge_step *b = *(const struct merge_step *const *)vb;
    if (a->here != b->here)
        return a->here < b->here ? -1 : 1;
    return (a > b) - (a < b);
}

static int merge_sort(struct merging *m)
{
    const size_t n = m->plan.nsteps;
    if (!(m->steps = calloc(n + 1, sizeof(struct merge_step *))))
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        m->steps[i] = &m->plan.steps[i];
    if (n)
        qsort(m->steps, n, sizeof(struct merge_step *), by_shard);
    return 0;
}

/* How many steps from i on are of the same shard here. */
static size_t merge_run(const struct merging *m, size_t i)
{
    size_t n = 1;
    while (i + n < m->plan.nsteps && m->steps[i + n]->here == m->steps[i]->here)
        n++;
    return n;
}

/* A new shard that is all that one of the snapshot holds needs no merge. */
static bool is_taken(const struct compose *c, const struct merging *m, size_t i)
{
    const struct merge_step *s = m->steps[i];
    return s->how == MERGE_AS_IT_LIES && merge_run(m, i) == 1 &&
           (!compose_cuts(c) ||
            merge_cut_nothing(c->incoming, m->theirs, s->rp, s->there, &c->part));
}

static struct compose_shard shard_of(const struct merging *m, const struct merge_step *s)
{
    return (struct compose_shard){.db = m->db,
                                  .rp = s->rp,
                                  .id = s->here,
                                  .their_db = m->their_db,
                                  .their_rp = s->rp,
                                  .their_id = s->there};
}

static int merge_add_path(struct compose_merge *m, const char *db, const struct merge_step *s)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s/%" PRIu64, db, s->rp, s->here) < 0)
        return -ENOMEM;
    if (!array_grow(&m->paths, m->npaths)) {
        free(path);
        return -ENOMEM;
    }
    m->paths[m->npaths++] = path;
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int merge_keep_steps(struct compose *c, struct merging *m, struct composed_database *count,
                            struct err *e)
{
    struct compose_merge *all = c->merge;
    int r = 0;
    if (merge_sort(m) < 0)
        return no_memory(e);
    for (int how = 0; how < 3; how++)
        count->shards += m->plan.counts[how];
    for (size_t i = 0; r == 0 && i < m->plan.nsteps; i += merge_run(m, i)) {
        const struct compose_shard s = shard_of(m, m->steps[i]);
        if (is_taken(c, m, i)) {
            count->renumbered += s.id != s.their_id;
            r = compose_add_shard(c, &s, e);
        } else if (merge_add_path(all, m->db, m->steps[i]) < 0) {
            r = no_memory(e);
        }
    }
    if (all->npaths)
        qsort(all->paths, all->npaths, sizeof(*all->paths), by_path);
    return r;
}

/* What the plan says to the operator. */
static int merge_tell(struct compose *c, const struct merging *m)
{
    static const char *const what[] = {
        [MERGE_BY_FILE] = "merged by file into shards of the same times",
        [MERGE_BY_POINT] = "written anew into shards of other times",
        [MERGE_AS_IT_LIES] = "added as they are",
    };
    int r = 0;
    for (int how = 0; r == 0 && how < 3 && !compose_cuts(c); how++)
        if (m->plan.counts[how])
            r = composed_note(c->out, false, "shards of %s that are %s: %zu", m->db, what[how],
                              m->plan.counts[how]);
    for (size_t i = 0; r == 0 && i < m->plan.notes.n; i++)
        r = composed_note(c->out, false, "%s", m->plan.notes.lines[i]);
    return r;
}

/* Whether influxd has a series file there: without one, all indexes are made anew. */
static bool merge_has_series(const struct compose *c, const char *db)
{
    char path[PATH_MAX];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", db, NAME_SERIES);
    return io_stat_beneath(c->ours[TARGET_DATA], path, &st) == 0 && S_ISDIR(st.st_mode);
}

int compose_merge_plan(struct compose *c, const struct metaedit_item *theirs,
                       const struct metaedit_item *here, struct composed_database *count,
                       struct err *e)
{
    int r = merge_begin(c, e);
    if (r < 0)
        return r;
    struct compose_merge *all = c->merge;
    if (!array_grow(&all->list, all->n))
        return no_memory(e);
    struct merging *m = &all->list[all->n++];
    *m = (struct merging){.db = here->name, .their_db = theirs->name, .theirs = theirs};
    struct looking look = {c, theirs->name};
    const struct merge_shards by_files = {merge_holds, merge_times_of, &look},
                              by_names = {merge_holds_names, merge_no_times, &look};
    if (compose_cuts(c))
        r = merge_cut_plan(c->meta, here, c->incoming, theirs, &c->part, &m->plan, e);
    if (r == 0)
        r = merge_plan_database(c->meta, here, c->incoming, theirs, &c->part,
                                all->theirs.shards ? &by_files : &by_names, &m->plan, e);
    if (r == 0)
        r = merge_keep_steps(c, m, count, e);
    if (r == 0 && !merge_has_series(c, here->name))
        r = compose_touch(c, here->name, e);
    return r == 0 && merge_tell(c, m) < 0 ? no_memory(e) : r;
}

/* The files */

static int is_below(const void *path, const void *entry)
{
    const char *shard = *(char *const *)entry;
    if (path_below(path, shard))
        return 0;
    return strcmp(path, shard);
}

/* A tombstone without its TSM file, which influxd ignores until another one gets that name. */
static bool merge_is_orphan(const struct compose *c, const char *path)
{
    char tsm[PATH_MAX], base[NAME_MAX + 1];
    struct stat st;
    const char *name = path_last(path);
    if (!name_tsm_of(name, base))
        return false;
    snprintf(tsm, sizeof(tsm), "%.*s%s", (int)(name - path), path, base);
    return io_stat_beneath(c->ours[TARGET_DATA], tsm, &st) == -ENOENT;
}

enum mirror_choice compose_merge_choose(const struct compose *c, enum target_kind kind,
                                        const char *path, int depth)
{
    const struct compose_merge *m = c->merge;
    const char *name = path_last(path);
    if (!m || depth != 4 || !bsearch(path, m->paths, m->npaths, sizeof(*m->paths), is_below))
        return MIRROR_ALL;
    if (compose_cuts(c) && (name_is_tsm(name) || name_is_tombstone(name) || name_is_wal(name)))
        return MIRROR_NOT;
    if (kind == TARGET_WAL)
        return name_is_wal(name) && c->q->merge == MERGE_THEIRS ? MIRROR_NOT : MIRROR_ALL;
    if (strcmp(name, NAME_INDEX) == 0)
        return MIRROR_EMPTY;
    return name_is_fields(name) || merge_is_orphan(c, path) ? MIRROR_NOT : MIRROR_ALL;
}

/* What is taken of which shard; of a shard that is cut, what stays comes from itself. */
static size_t merge_take_parts(const struct compose *c, const struct merging *m, size_t first,
                               size_t n, struct merge_part *parts)
{
    const struct compose_merge *all = c->merge;
    size_t taken = 0;
    for (size_t i = 0; i < n; i++) {
        const struct merge_step *s = m->steps[first + i];
        const struct lying *in = s->kept ? &all->ours : &all->theirs;
        const struct merge_part part = {
            in->capture,
            merge_find(in, s->kept ? m->db : m->their_db, s->kept ? s->here : s->there),
            s->kept || !compose_cuts(c) ? s->range : merge_cut(s->range, &c->part), s->n, s->i};
        if (part.shard && part.range.min <= part.range.max)
            parts[taken++] = part;
    }
    return taken;
}

static int merge_fill_shard(struct compose *c, const struct merging *m, size_t first, size_t n,
                            struct err *e)
{
    const struct compose_merge *all = c->merge;
    size_t like = first; /* what comes from the snapshot, if anything does */
    while (like + 1 < first + n && m->steps[like]->kept)
        like++;
    const struct compose_shard at = shard_of(m, m->steps[like]);
    autofree struct merge_part *parts = calloc(n, sizeof(*parts));
    cleanup(merge_shard_freep) struct merge_shard *merged = NULL;
    if (!parts)
        return no_memory(e);
    const struct merge_query q = {.capture = all->ours.capture,
                                  .shard =
                                      compose_cuts(c) ? NULL : merge_find(&all->ours, m->db, at.id),
                                  .parts = parts,
                                  .nparts = merge_take_parts(c, m, first, n, parts),
                                  .parts_win = c->q->merge == MERGE_THEIRS,
                                  .folder = c->fresh[TARGET_DATA]};
    if (q.nparts == 0)
        return 0; /* all of it goes, and nothing comes */
    const struct shard_files *part = parts[0].shard;
    int r = merge_shard_open(&q, &merged, e);
    if (r == 0)
        r = merge_stage(c, &at, merged, all->ours.capture, part->tsi1, e);
    if (r == 0 &&
        merge_omitted_add(&c->merge->omitted, merged, at.db, at.rp, part->start, part->end) < 0)
        r = no_memory(e);
    return r;
}

int compose_merge_fill(struct compose *c, struct err *e)
{
    int r = 0;
    for (size_t k = 0; c->merge && r == 0 && k < c->merge->n; k++) {
        const struct merging *m = &c->merge->list[k];
        size_t run;
        for (size_t i = 0; r == 0 && i < m->plan.nsteps; i += run) {
            run = merge_run(m, i);
            r = is_taken(c, m, i) ? 0 : merge_fill_shard(c, m, i, run, e);
        }
    }
    if (r == 0 && c->merge && merge_omitted_tell(&c->merge->omitted, c->out) < 0)
        r = no_memory(e);
    return r;
}
