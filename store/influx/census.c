/* SPDX-License-Identifier: MIT */
#include "store/influx/census.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/influx/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define REMEDY                                                                                     \
    "to keep them, restore with --keep-expired (a mount: option keep_expired), or let influxd "    \
    "start with [retention] enabled = false and alter the policy first"

/* A wire value of 0 is the year 1 to influxd, which no duration brings up to today. */
static bool is_past(int64_t end, int64_t duration, int64_t now)
{
    return end == 0 || (__int128)end + duration < now;
}

static size_t census_count_past(const struct meta *m, const char *db, const char *rp,
                                int64_t duration, int64_t now)
{
    size_t n = 0;
    for (size_t i = 0; i < meta_live_shards(m); i++) {
        const char *its_db, *its_rp;
        uint64_t id;
        int64_t start, end;
        meta_live_shard_at(m, i, &its_db, &its_rp, &id);
        meta_live_shard_times(m, i, &start, &end);
        n += is_past(end, duration, now) && strcmp(its_rp, rp) == 0 && strcmp(its_db, db) == 0;
    }
    return n;
}

static int add(struct census *c, const char *db, const char *rp, int64_t duration, size_t shards)
{
    if (!array_grow(&c->expired, c->nexpired))
        return -ENOMEM;
    struct census_policy p = {strdup(db), strdup(rp), duration, shards};
    c->expired[c->nexpired++] = p;
    return p.db && p.rp ? 0 : -ENOMEM;
}

int census_take(const void *meta, size_t len, int64_t now, struct census *out, struct err *e)
{
    cleanup(meta_freep) struct meta *m = NULL;
    cleanup(census_clear) struct census c = {0};
    int r = meta_parse(meta, len, &m, e);
    if (r < 0)
        return r;
    c.counts = meta_counts(m);
    for (size_t i = 0; r == 0 && i < meta_policies(m); i++) {
        const char *db, *rp;
        struct meta_rules rules;
        meta_policy(m, i, &db, &rp);
        meta_policy_rules(m, i, &rules);
        size_t n = rules.duration && strcmp(db, NAME_INTERNAL) != 0
                       ? census_count_past(m, db, rp, rules.duration, now)
                       : 0;
        if (n)
            r = add(&c, db, rp, rules.duration, n);
    }
    if (r < 0)
        return err_sys(e, r, "meta.db");
    *out = c;
    c = (struct census){0};
    return 0;
}

void census_clear(struct census *c)
{
    for (size_t i = 0; i < c->nexpired; i++) {
        free(c->expired[i].db);
        free(c->expired[i].rp);
    }
    free(c->expired);
    *c = (struct census){0};
}

void census_limit(struct census *c, const char *const *databases, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->nexpired; i++) {
        bool named = false;
        for (size_t k = 0; !named && k < n; k++)
            named = strcmp(databases[k], c->expired[i].db) == 0;
        if (named) {
            c->expired[kept++] = c->expired[i];
        } else {
            free(c->expired[i].db);
            free(c->expired[i].rp);
        }
    }
    c->nexpired = kept;
}

bool census_has(const struct census *c, const char *db, const char *rp)
{
    for (size_t i = 0; i < c->nexpired; i++)
        if (strcmp(c->expired[i].rp, rp) == 0 && strcmp(c->expired[i].db, db) == 0)
            return true;
    return false;
}

void census_duration(int64_t ns, char out[64])
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"d", UINT64_C(86400000000000)},
                 {"h", UINT64_C(3600000000000)},
                 {"m", UINT64_C(60000000000)},
                 {"s", UINT64_C(1000000000)},
                 {"ms", 1000000},
                 {"u", 1000},
                 {"ns", 1}};
    uint64_t left = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    size_t n = (size_t)snprintf(out, 64, "%s", ns < 0 ? "-" : ns == 0 ? "0s" : "");
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (left >= units[i].ns)
            n += (size_t)snprintf(out + n, 64 - n, "%" PRIu64 "%s", left / units[i].ns,
                                  units[i].name);
        left %= units[i].ns;
    }
}

void census_tell_expired(const struct census_policy *p, bool kept, struct err *line)
{
    char duration[64];
    const char *s = plural(p->shards);
    census_duration(p->duration, duration);
    if (kept)
        err_set(line, 0,
                "%zu shard%s of %s.%s end%s before its retention of %s: it keeps points for ever "
                "now, until ALTER RETENTION POLICY says otherwise",
                p->shards, s, p->db, p->rp, *s ? "" : "s", duration);
    else
        err_set(line, 0,
                "%zu shard%s of %s.%s end%s before its retention of %s: influxd deletes %s at its "
                "first check; " REMEDY,
                p->shards, s, p->db, p->rp, *s ? "" : "s", duration, *s ? "them" : "it");
}

static void append(struct err *line, size_t n, const char *one, const char *many, size_t left)
{
    size_t at = strlen(line->text);
    if (n)
        snprintf(line->text + at, sizeof(line->text) - at, "%s%zu %s",
                 !at    ? ""
                 : left ? ", "
                        : " and ",
                 n, n == 1 ? one : many);
}

bool census_tell_company(const struct census *c, const char *created, struct err *line)
{
    const struct meta_counts *n = &c->counts;
    struct err list = {0};
    if (!n->users && !n->subscriptions && !n->queries)
        return false;
    append(&list, n->users, "user", "users", n->subscriptions + n->queries);
    append(&list, n->subscriptions, "subscription", "subscriptions", n->queries);
    append(&list, n->queries, "continuous query", "continuous queries", 0);
    err_set(line, 0, "with it come %s, as of %s%s%s", list.text, created,
            !n->users       ? ""
            : n->users == 1 ? ": the password is that of "
                            : ": their passwords are those of ",
            n->users ? created : "");
    if (n->subscriptions || n->queries) {
        size_t at = strlen(line->text);
        snprintf(line->text + at, sizeof(line->text) - at, "; influxd %s when it starts",
                 n->subscriptions ? "writes to the subscribers again" : "runs the queries again");
    }
    return true;
}
