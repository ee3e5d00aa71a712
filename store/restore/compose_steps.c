/* SPDX-License-Identifier: MIT */
/* The plan of a composed store, as lists. */
#include "store/base/array.h"
#include "store/restore/compose_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "restore");
}

int compose_add_shard(struct compose *c, const struct compose_shard *s, struct err *e)
{
    if (!array_grow(&c->shards, c->nshards))
        return no_memory(e);
    c->shards[c->nshards++] = *s;
    return 0;
}

int compose_drop(struct compose *c, const char *db, const char *rp, const uint64_t *id,
                 struct err *e)
{
    char *path = NULL;
    int n = id   ? asprintf(&path, "%s/%s/%" PRIu64, db, rp, *id)
            : rp ? asprintf(&path, "%s/%s", db, rp)
                 : asprintf(&path, "%s", db);
    if (n < 0)
        return no_memory(e);
    if (!array_grow(&c->dropped, c->ndropped)) {
        free(path);
        return no_memory(e);
    }
    c->dropped[c->ndropped++] = path;
    return 0;
}

int compose_touch(struct compose *c, const char *db, struct err *e)
{
    if (!array_grow(&c->touched, c->ntouched))
        return no_memory(e);
    c->touched[c->ntouched++] = db;
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void compose_sort_dropped(struct compose *c)
{
    if (c->ndropped)
        qsort(c->dropped, c->ndropped, sizeof(*c->dropped), by_path);
}

bool compose_drops(const struct compose *c, const char *path)
{
    return c->ndropped && bsearch(&path, c->dropped, c->ndropped, sizeof(path), by_path);
}

int compose_add_copied(struct compose *c, const char *to, const char *their_db,
                       const struct metaedit_copied *did, struct composed_database *count,
                       struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < did->nshards; i++) {
        const struct metaedit_moved *m = &did->shards[i];
        count->shards++;
        count->renumbered += m->from != m->to;
        r = compose_add_shard(c,
                              &(struct compose_shard){.db = to,
                                                      .rp = m->rp,
                                                      .id = m->to,
                                                      .their_db = their_db,
                                                      .their_rp = m->rp,
                                                      .their_id = m->from},
                              e);
    }
    return r;
}
