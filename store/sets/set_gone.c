/* SPDX-License-Identifier: MIT */
#include "store/sets/set_gone.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/chain/cuts.h"
#include "store/influx/names.h"
#include "store/influx/tsmfile.h"

#include <string.h>

/* Part of a file. */
struct extent {
    int fd;
    uint64_t at;
    const char *name;
};

static int extent_read(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    const struct extent *x = ctx;
    int r = io_pread_all(x->fd, buf, n, x->at + off);
    return r < 0 ? err_sys(e, r, "%s", x->name) : 0;
}

int set_gone_span(int fd, struct set_file *file, uint64_t at, struct err *e)
{
    struct extent x = {fd, at, file->name};
    const struct source from = {extent_read, &x, file->size, file->name};
    cleanup(tsmfile_freep) struct tsmfile *tsm = NULL;
    struct tsmfile_key key;
    int r = tsmfile_open(&from, &tsm, e);
    file->min = INT64_MAX;
    file->max = INT64_MIN;
    while (r == 0 && (r = tsmfile_next(tsm, &key, e)) > 0) {
        file->min = key.min < file->min ? key.min : file->min;
        file->max = key.max > file->max ? key.max : file->max;
        r = 0;
    }
    return r;
}

static struct set_run *gone_run(const struct set *s, const struct set_file *f)
{
    return &s->runs[s->archives[f->archive].order];
}

/* Files have whole seconds in a tar. */
static int64_t gone_second(int64_t ns)
{
    return ns / SECOND_NS;
}

void set_gone_prepare(struct set *s)
{
    for (size_t i = 0; i < s->nruns; i++) {
        struct set_run *run = &s->runs[i];
        run->oldest_ns = run->min = INT64_MAX;
        run->max = INT64_MIN;
        if (cuts_parse_time(run->meta, strcspn(run->meta, "."), &run->began_ns) < 0)
            run->began_ns = INT64_MIN;
    }
    for (size_t i = 0; s->kind == SET_PORTABLE && i < s->nfiles; i++) {
        const struct set_file *f = &s->files[i];
        struct set_run *run = gone_run(s, f);
        if (!name_is_tsm(path_last(f->name)))
            continue;
        run->oldest_ns = f->mtime_ns < run->oldest_ns ? f->mtime_ns : run->oldest_ns;
        if (f->mtime_ns >= run->began_ns)
            continue; /* it may have been cut */
        run->min = f->min < run->min ? f->min : run->min;
        run->max = f->max > run->max ? f->max : run->max;
    }
}

/* The files of one shard, sorted, and one of them. */
struct gone {
    const struct set *s;
    const struct set_file *list;
    size_t n, i;
};

/* Whether the archive has a file of the same name, or of its generation after a compaction. */
static void gone_look(const struct gone *g, size_t archive, bool *held, bool *compacted)
{
    const char *name = g->list[g->i].name;
    const size_t generation = (size_t)(strchr(path_last(name), '-') - name) + 1;
    *held = *compacted = false;
    for (size_t k = g->i + 1; k < g->n && strncmp(g->list[k].name, name, generation) == 0 && !*held;
         k++) {
        const struct set_file *other = &g->list[k];
        if (other->archive != archive || !name_is_tsm(path_last(other->name)))
            continue;
        *held = strcmp(other->name, name) == 0;
        *compacted |= !*held;
    }
}

/* Whether the file was gone when the archive, of a newer run, was made. */
static bool gone_by(const struct gone *g, size_t archive)
{
    const struct set_file *f = &g->list[g->i];
    const struct set_run *run = &g->s->runs[g->s->archives[archive].order];
    bool held, compacted;
    if (run->whole)
        return true;
    if (!name_is_tsm(path_last(f->name)) || f->min < run->min || f->max > run->max)
        return false;
    gone_look(g, archive, &held, &compacted);
    return !held && (compacted || gone_second(f->mtime_ns) > gone_second(run->oldest_ns));
}

size_t set_gone(const struct set *s, struct set_file *list, size_t n)
{
    struct gone g = {s, list, n, 0};
    size_t gone = 0;
    if (s->kind != SET_PORTABLE || n == 0)
        return 0;
    const size_t end = set_shard_end(s, list[0].archive);
    for (; g.i < n; g.i++) {
        struct set_file *f = &list[g.i];
        for (size_t k = f->archive + 1; k < end && !f->dropped; k++)
            f->dropped = gone_by(&g, k);
        gone += f->dropped;
    }
    return gone;
}
