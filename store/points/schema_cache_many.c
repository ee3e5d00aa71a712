/* SPDX-License-Identifier: MIT */
/* Schemas over many shards. */
#include "store/base/cleanup.h"
#include "store/points/schema_cache_internal.h"

#include <errno.h>
#include <string.h>

static int cache_share(struct schema_cache *c, const char *db, const struct tarball_reader *reader,
                       struct cached_database **out, struct err *e)
{
    cleanup(schema_freep) struct schema *o = schema_new();
    size_t first, end;
    shards_span(c->shards, db, NULL, &first, &end);
    int r = o ? schema_cache_find(c, first, end, reader, e) : no_memory(e);
    for (size_t i = first; r == 0 && i < end; i++) {
        const struct cached_shard *l = &c->cached[i];
        if (shards_at(c->shards, i)->tsi1 || l->error == -EBADMSG)
            continue;
        if (l->error < 0)
            r = err_set(e, l->error, "%s", l->why);
        else if (schema_unpack(o, l->schema->packed, l->schema->n) < 0)
            r = no_memory(e);
    }
    struct cached_database *s = r == 0 ? calloc(1, sizeof(*s)) : NULL;
    if (!s)
        return r < 0 ? r : no_memory(e);
    *s = (struct cached_database){.db = first < end ? shards_at(c->shards, first)->db : NULL,
                                  .schema = steal_ptr(&o),
                                  .next = c->databases};
    c->databases = *out = s;
    return 0;
}

int schema_cache_database(struct schema_cache *c, const char *db,
                          const struct tarball_reader *reader, const struct schema **out,
                          struct err *e)
{
    int r = schema_cache_lock(c, reader, e);
    if (r < 0)
        return r;
    struct cached_database *s = c->databases;
    while (s && !(s->db && strcmp(s->db, db) == 0))
        s = s->next;
    if (!s)
        r = cache_share(c, db, reader, &s, e);
    if (r == 0)
        *out = s->schema;
    pthread_mutex_unlock(&c->lock);
    return r;
}

int schema_cache_policy(struct schema_cache *c, const char *db, const char *rp, int64_t from,
                        int64_t to, const struct tarball_reader *reader, struct schema **out,
                        struct err *e)
{
    cleanup(schema_freep) struct schema *o = schema_new();
    autofree size_t *list = NULL;
    size_t n = 0;
    int broken = 0;
    int r = o ? shards_range(c->shards, db, rp, from, to, &list, &n, e) : no_memory(e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        cleanup(schema_freep) struct schema *one = NULL;
        r = schema_cache_shard(c, list[i], reader, &one, e);
        if (r == 0 && schema_add(o, one) < 0)
            r = no_memory(e);
        if (r < 0 && r != -EINTR && r != -ENOMEM) {
            broken = r;
            r = 0;
        }
    }
    if (r < 0)
        return r;
    *out = steal_ptr(&o);
    return broken;
}

int schema_cache_days(struct schema_cache *c, const char *db, const char *rp, int64_t from,
                      int64_t to, const struct tarball_reader *reader, struct days *out,
                      struct err *e)
{
    autofree size_t *list = NULL;
    size_t n = 0;
    int broken = 0;
    int r = shards_range(c->shards, db, rp, from, to, &list, &n, e);
    if (r == 0)
        r = schema_cache_lock(c, reader, e);
    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < n; i++) {
        size_t end = i + 1;
        while (end < n && list[end] == list[end - 1] + 1)
            end++;
        r = schema_cache_find(c, list[i], list[end - 1] + 1, reader, e);
        i = end - 1;
    }
    for (size_t i = 0; r == 0 && i < n; i++) {
        const struct cached_shard *l = &c->cached[list[i]];
        if (l->error < 0)
            broken = err_set(e, l->error, "%s", l->why);
        for (size_t k = 0; r == 0 && l->schema && k < l->schema->days.n; k++)
            r = days_add(out, l->schema->days.list[k]) < 0 ? no_memory(e) : 0;
    }
    pthread_mutex_unlock(&c->lock);
    return r < 0 ? r : broken;
}
