/* SPDX-License-Identifier: MIT */
#include "store/restore/wanted.h"

#include "store/base/cleanup.h"
#include "store/influx/meta.h"
#include "store/influx/names.h"
#include "store/restore/target.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wanted {
    struct restore_request *q; /* NULL: all */
    struct meta *meta;         /* NULL: not known, */
    bool told;                 /* or of no use */
};

int wanted_new(const struct restore_request *q, struct wanted **out)
{
    cleanup(wanted_freep) struct wanted *w = calloc(1, sizeof(*w));
    int r = w ? 0 : -ENOMEM;
    if (r == 0 && restore_request_composes(q))
        r = restore_request_copy(q, &w->q);
    if (r == 0)
        *out = steal_ptr(&w);
    return r;
}

void wanted_free(struct wanted *w)
{
    if (!w)
        return;
    restore_request_free(w->q);
    meta_free(w->meta);
    free(w);
}

bool wanted_needs_meta(const struct wanted *w)
{
    return !w->told && w->q && (w->q->part.from != INT64_MIN || w->q->part.to != INT64_MAX);
}

void wanted_learn(struct wanted *w, const void *meta, size_t len)
{
    meta_free(steal_ptr(&w->meta));
    w->told = true;
    if (meta_parse(meta, len, &w->meta, NULL) < 0)
        w->meta = NULL; /* who cannot do without it will say why */
}

/* Takes a component off the path; NULL: it is the last. */
static char *wanted_split(char **path)
{
    char *name = *path, *slash = strchr(name, '/');
    if (!slash)
        return NULL;
    *slash = 0;
    *path = slash + 1;
    return name;
}

/* One whose times are not known may be of those that are asked for. */
static bool wanted_has_shard(const struct wanted *w, const char *db, const char *rp, uint64_t id)
{
    int64_t start = INT64_MIN, end = INT64_MAX;
    size_t i;
    if (w->meta && meta_live_find(w->meta, db, rp, id, &i))
        meta_live_shard_times(w->meta, i, &start, &end);
    return selection_has_shard(&w->q->part, db, rp, id, start, end);
}

/* Of a database, its series file is made anew by influxd. */
bool wanted_has(const struct wanted *w, const char *name)
{
    char copy[PATH_MAX], *rest = copy;
    const char *path;
    uint64_t id;
    if (!w->q || target_kind_of(name, &path) == TARGET_META)
        return true;
    snprintf(copy, sizeof(copy), "%s", path); /* shorter: manifest_name_ok */
    const char *db = wanted_split(&rest), *rp = db ? wanted_split(&rest) : NULL;
    const char *number = rp ? wanted_split(&rest) : NULL;
    if (!db || !selection_has_database(&w->q->part, db))
        return false;
    if (!number || !name_is_shard(number, &id))
        return !rp || !name_is_series(rp);
    return wanted_has_shard(w, db, rp, id);
}
