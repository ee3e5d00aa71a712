/* SPDX-License-Identifier: MIT */
#include "store/influx/selection.h"

#include <string.h>

static bool has_name(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool has_id(const uint64_t *ids, size_t n, uint64_t id)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

bool selection_of_databases(const struct selection *s)
{
    return !s->rp && !s->nshards && s->from == INT64_MIN && s->to == INT64_MAX;
}

bool selection_is_all(const struct selection *s)
{
    return selection_of_databases(s) && !s->ndatabases && !s->nexclude;
}

bool selection_has_database(const struct selection *s, const char *db)
{
    return (!s->ndatabases || has_name(s->databases, s->ndatabases, db)) &&
           !has_name(s->exclude, s->nexclude, db);
}

bool selection_has_policy(const struct selection *s, const char *db, const char *rp)
{
    return selection_has_database(s, db) && (!s->rp || strcmp(s->rp, rp) == 0);
}

bool selection_has_shard(const struct selection *s, const char *db, const char *rp, uint64_t id,
                         int64_t start, int64_t end)
{
    return selection_has_policy(s, db, rp) && (!s->nshards || has_id(s->shards, s->nshards, id)) &&
           start < s->to && end > s->from;
}
