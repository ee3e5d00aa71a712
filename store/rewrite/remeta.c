/* SPDX-License-Identifier: MIT */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/influx/census.h"
#include "store/rewrite/remeta_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void remeta_say(const struct remeta_rules *rules, bool left_out, const char *fmt, ...)
{
    struct err line = {""};
    va_list ap;
    va_start(ap, fmt);
    err_format(&line, fmt, ap);
    va_end(ap);
    rules->say(rules->arg, line.text, left_out);
}

static int by_place_and_time(const void *va, const void *vb)
{
    const struct remeta_shard *a = va, *b = vb;
    int c = strcmp(a->db, b->db);
    c = c ? c : strcmp(a->rp, b->rp);
    c = c ? c : (a->min > b->min) - (a->min < b->min);
    return c ? c : (a->id > b->id) - (a->id < b->id);
}

/* ---- a policy ---- */

/* The clusters of the shards of one policy, by time; the caller frees them. */
static int remeta_clusters(const struct remeta_shard *list, size_t n, struct remeta_cluster **out,
                           size_t *nout)
{
    struct remeta_cluster *c = calloc(n + 1, sizeof(*c));
    size_t at = 0;
    if (!c)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (i && list[i].min <= c[at].max) {
            c[at].n++;
            c[at].max = list[i].max > c[at].max ? list[i].max : c[at].max;
        } else {
            at += i > 0;
            c[at] = (struct remeta_cluster){&list[i], 1, list[i].min, list[i].max};
        }
    }
    *out = c;
    *nout = at + 1;
    return 0;
}

/* Puts the shards of a cluster into a group. One whose id is taken is left out; a group that got
 * none goes. */
static int remeta_put(struct metaedit *m, const struct metaedit_item *group,
                      const struct remeta_cluster *c, const struct remeta_rules *rules,
                      struct err *e)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct remeta_shard *s = &c->first[i];
        const struct metaedit_item *made;
        int r = metaedit_add_shard(m, group, s->id, &made, e);
        if (r == -EEXIST && e)
            e->text[0] = '\0';
        if (r == -EEXIST)
            remeta_say(rules, true,
                       "left out: %s/%s/%" PRIu64 ": another shard has this id; rename the folder "
                       "in data and in wal to a number that is free, and run this again",
                       s->db, s->rp, s->id);
        else if (r < 0)
            return r;
    }
    if (!metaedit_first(m, group, METAEDIT_SHARD))
        metaedit_remove(m, group);
    return 0;
}

/* The groups of a policy that were there before. */
struct known {
    const struct metaedit_item **list;
    size_t n;
};

static int remeta_known(const struct metaedit *m, const struct metaedit_item *policy,
                        struct known *out)
{
    const struct metaedit_item *g = metaedit_first(m, policy, METAEDIT_GROUP);
    for (; g; g = metaedit_next(g)) {
        if (g->deleted)
            continue;
        if (!array_grow(&out->list, out->n))
            return -ENOMEM;
        out->list[out->n++] = g;
    }
    return 0;
}

/* The known group that holds a cluster; NULL. Else makes *start and *end narrower, so that the new
 * group overlaps with known ones no more than it must; *overlaps says whether it does. */
static const struct metaedit_item *remeta_fit(const struct known *known,
                                              const struct remeta_cluster *c, int64_t *start,
                                              int64_t *end, bool *overlaps)
{
    *overlaps = false;
    for (size_t i = 0; i < known->n; i++) {
        const struct metaedit_item *g = known->list[i];
        if (g->start <= c->min && c->max < g->end)
            return g;
        if (g->end <= c->min)
            *start = g->end > *start ? g->end : *start;
        else if (g->start > c->max)
            *end = g->start < *end ? g->start : *end;
        else
            *overlaps = true;
    }
    return NULL;
}

static int remeta_group(struct metaedit *m, const struct metaedit_item *policy,
                        const struct known *known, const struct remeta_cluster *c, int64_t start,
                        int64_t end, const struct remeta_rules *rules, struct err *e)
{
    bool overlaps;
    const struct metaedit_item *g = remeta_fit(known, c, &start, &end, &overlaps);
    int r = 0;
    if (!g) {
        r = metaedit_add_group(m, policy, start, end, &g, e);
        if (r == 0 && overlaps)
            remeta_say(rules, false,
                       "%s/%s/%" PRIu64 ": its points lie in the times of several known shards, so "
                       "its group overlaps with theirs",
                       c->first->db, c->first->rp, c->first->id);
    }
    return r < 0 ? r : remeta_put(m, g, c, rules, e);
}

static int remeta_groups(struct metaedit *m, const struct metaedit_item *policy,
                         const struct remeta_cluster *c, size_t n, const struct remeta_rules *rules,
                         struct err *e)
{
    struct known known = {0};
    const int64_t length = policy->rules.shard_duration > 0 ? policy->rules.shard_duration
                                                            : remeta_guess(c, n, &(size_t){0});
    int64_t before = INT64_MIN; /* where the group before it ends */
    int r = remeta_known(m, policy, &known);
    if (r < 0)
        err_sys(e, r, "meta.db");
    for (size_t i = 0; r == 0 && i < n; i++) {
        int64_t start = time_floor(c[i].min, length), end = time_ceil(c[i].max, length);
        start = start < before ? before : start;
        start = start > c[i].min ? c[i].min : start; /* where 0 was avoided */
        if (i + 1 < n && (end == 0 || end > time_floor(c[i + 1].min, length)))
            end = remeta_boundary(c[i].max, c[i + 1].min, length);
        end = end == 0 ? 1 : end; /* 0 is the year 1 to influxd */
        before = end;
        r = remeta_group(m, policy, &known, &c[i], start, end, rules, e);
    }
    free(known.list);
    return r;
}

static int remeta_new_policy(struct metaedit *m, const struct metaedit_item *db,
                             const struct remeta_cluster *c, size_t n, bool is_default,
                             const struct remeta_rules *rules, const struct metaedit_item **out,
                             struct err *e)
{
    const char *rp = c->first->rp;
    struct meta_rules r = {.duration = rules->duration(rules->arg, db->name, rp),
                           .shard_duration = rules->shard_duration(rules->arg, db->name, rp),
                           .replicas = 1,
                           .is_default = is_default};
    char kept[64] = "for ever", length[64];
    size_t fit = n;
    const bool guessed = r.shard_duration == 0;
    if (guessed)
        r.shard_duration = remeta_guess(c, n, &fit);
    if (r.duration)
        census_duration(r.duration, kept);
    census_duration(r.shard_duration, length);
    remeta_say(rules, false, "%s/%s%s: kept %s; shard duration %s%s", db->name, rp,
               is_default ? " (the default)" : "", kept, length,
               !guessed   ? ""
               : fit == n ? ", as the times of its shards suggest"
                          : ", as the times of most of its shards suggest");
    return metaedit_add_policy(m, db, rp, &r, out, e);
}

/* ---- a database ---- */

/* The policy that is the default of a new database. */
static const char *remeta_default(const struct remeta_shard *list, size_t n)
{
    static const char *const names[] = {"autogen", "default"};
    const struct remeta_shard *last = list;
    for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
        for (size_t i = 0; i < n; i++)
            if (strcmp(list[i].rp, names[k]) == 0)
                return names[k];
    for (size_t i = 0; i < n; i++)
        if (list[i].max > last->max)
            last = &list[i];
    return last->rp;
}

static int remeta_policy(struct metaedit *m, const struct metaedit_item *db,
                         const struct remeta_shard *list, size_t n, const char *standard,
                         const struct remeta_rules *rules, struct err *e)
{
    autofree struct remeta_cluster *c = NULL;
    size_t nc = 0;
    const struct metaedit_item *rp = metaedit_find(m, db, METAEDIT_POLICY, list->rp);
    int r = remeta_clusters(list, n, &c, &nc);
    if (r < 0)
        return err_sys(e, r, "meta.db");
    if (!rp)
        r = remeta_new_policy(m, db, c, nc, standard && strcmp(standard, list->rp) == 0, rules, &rp,
                              e);
    return r < 0 ? r : remeta_groups(m, rp, c, nc, rules, e);
}

static int remeta_database(struct metaedit *m, const struct remeta_shard *list, size_t n,
                           const struct remeta_rules *rules, struct err *e)
{
    const struct metaedit_item *db = metaedit_find(m, NULL, METAEDIT_DATABASE, list->db);
    const char *standard = db && *db->default_policy ? NULL : remeta_default(list, n);
    int r = db ? 0 : metaedit_add_database(m, list->db, &db, e);
    for (size_t i = 0, k; r == 0 && i < n; i = k) {
        for (k = i + 1; k < n && strcmp(list[k].rp, list[i].rp) == 0;)
            k++;
        r = remeta_policy(m, db, list + i, k - i, standard, rules, e);
    }
    return r;
}

int remeta_add(struct metaedit *m, struct remeta_shard *list, size_t n,
               const struct remeta_rules *rules, struct err *e)
{
    int r = 0;
    if (n)
        qsort(list, n, sizeof(*list), by_place_and_time);
    for (size_t i = 0, k; r == 0 && i < n; i = k) {
        for (k = i + 1; k < n && strcmp(list[k].db, list[i].db) == 0;)
            k++;
        r = remeta_database(m, list + i, k - i, rules, e);
    }
    return r;
}
