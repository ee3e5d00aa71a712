/* SPDX-License-Identifier: MIT */
/* What comes from the snapshot: its files, by name, and the folders of its shards. */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/time.h"
#include "store/restore/compose_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int compose_came(struct compose *c, const char *name, struct err *e)
{
    struct stat st;
    const char *path;
    const enum target_kind kind = target_kind_of(name, &path);
    int r = io_stat_beneath(c->fresh[kind], path, &st);
    if (r < 0)
        return err_sys(e, r, "staging %s", name);
    char *own = strdup(name);
    if (!own || !array_grow(&c->came, c->ncame)) {
        free(own);
        return err_sys(e, -ENOMEM, "restore");
    }
    c->came[c->ncame++] = (struct manifest_file){.name = own,
                                                 .size = (uint64_t)st.st_size,
                                                 .index = c->state->index,
                                                 .mtime_ns = time_from_spec(&st.st_mtim)};
    return 0;
}

static int came_folder(struct compose *c, int from, const char *name, struct err *e)
{
    struct stat st;
    if (fstat(from, &st) < 0)
        return err_sys(e, -errno, "staging %s", name);
    return stage_folder(c->stage, name, st.st_mode & 0777, time_from_spec(&st.st_mtim), e);
}

/* The folders that lead to a shard, as the snapshot has them, unless they are there. */
static int came_parents(struct compose *c, enum target_kind kind, const struct compose_shard *s,
                        struct err *e)
{
    char name[PATH_MAX], theirs[PATH_MAX];
    const char *top = target_kind_name(kind);
    for (int depth = 1; depth <= 2; depth++) {
        snprintf(name, sizeof(name), "%s/%s%s%s", top, s->db, depth == 2 ? "/" : "",
                 depth == 2 ? s->rp : "");
        snprintf(theirs, sizeof(theirs), "%s%s%s", s->their_db, depth == 2 ? "/" : "",
                 depth == 2 ? s->their_rp : "");
        struct stat st;
        if (io_stat_beneath(c->fresh[kind], name + strlen(top) + 1, &st) == 0)
            continue;
        autoclose int from = io_open_beneath(c->theirs[kind], theirs, O_RDONLY | O_DIRECTORY);
        int r = from < 0 ? err_sys(e, from, "staging %s", name) : came_folder(c, from, name, e);
        if (r < 0)
            return r;
    }
    return 0;
}

int compose_make_shard(struct compose *c, enum target_kind kind, const struct compose_shard *s,
                       int from, struct err *e)
{
    char name[PATH_MAX];
    snprintf(name, sizeof(name), "%s/%s/%s/%" PRIu64, target_kind_name(kind), s->db, s->rp, s->id);
    int r = came_parents(c, kind, s, e);
    return r < 0 ? r : came_folder(c, from, name, e);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct manifest_file *)a)->name, ((const struct manifest_file *)b)->name);
}

void compose_came_all(struct compose *c)
{
    struct manifest *m = c->state;
    for (size_t i = 0; i < m->nfiles; i++)
        free(m->files[i].name);
    free(m->files);
    if (c->ncame)
        qsort(c->came, c->ncame, sizeof(*c->came), by_name);
    m->files = steal_ptr(&c->came);
    m->nfiles = c->ncame;
    m->bytes = 0;
    for (size_t i = 0; i < m->nfiles; i++)
        m->bytes += m->files[i].size;
    c->ncame = 0;
}
