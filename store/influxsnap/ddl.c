/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/ddl.h"

#include "store/base/time.h"

#include <inttypes.h>
#include <string.h>

void ddl_duration(int64_t ns, char out[32])
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"w", 7 * DAY_NS},          {"d", DAY_NS},    {"h", 3600 * SECOND_NS},
                 {"m", 60 * SECOND_NS},      {"s", SECOND_NS}, {"ms", SECOND_NS / 1000},
                 {"u", SECOND_NS / 1000000}, {"ns", 1}};
    size_t i = 0;
    while (ns % units[i].ns != 0)
        i++;
    if (ns == 0)
        strcpy(out, "INF");
    else
        snprintf(out, 32, "%" PRId64 "%s", ns / units[i].ns, units[i].name);
}

static void quoted(const char *name, FILE *to)
{
    fputc('"', to);
    for (; *name; name++) {
        if (*name == '"' || *name == '\\')
            fputc('\\', to);
        fputc(*name, to);
    }
    fputc('"', to);
}

static void write_rules(const struct meta_rules *r, FILE *to)
{
    char shard[32], duration[32];
    ddl_duration(r->duration, duration);
    ddl_duration(r->shard_duration, shard);
    fprintf(to, " DURATION %s REPLICATION %" PRIu32, duration, r->replicas);
    if (r->shard_duration > 0)
        fprintf(to, " SHARD DURATION %s", shard);
}

static void create_database(const char *db, const char *rp, const struct meta_rules *r, FILE *to)
{
    fputs("CREATE DATABASE ", to);
    quoted(db, to);
    fputs(" WITH", to);
    write_rules(r, to);
    fputs(" NAME ", to);
    quoted(rp, to);
    fputc('\n', to);
}

static void create_policy(const char *db, const char *rp, const struct meta_rules *r, FILE *to)
{
    fputs("CREATE RETENTION POLICY ", to);
    quoted(rp, to);
    fputs(" ON ", to);
    quoted(db, to);
    write_rules(r, to);
    fputc('\n', to);
}

/* The policy that the database is made with: its default one, else the first; the number of
 * policies if there is none. */
static size_t ddl_first_policy(const struct meta *m, const char *db)
{
    const char *of, *rp;
    size_t n = meta_policies(m), first = n;
    for (size_t i = 0; i < n; i++) {
        struct meta_rules rules;
        meta_policy(m, i, &of, &rp);
        if (strcmp(of, db) != 0)
            continue;
        meta_policy_rules(m, i, &rules);
        if (rules.is_default)
            return i;
        first = first == n ? i : first;
    }
    return first;
}

void ddl_write(const struct meta *m, const char *db, FILE *to)
{
    const size_t n = meta_policies(m), first = ddl_first_policy(m, db);
    const char *of, *rp;
    struct meta_rules rules;
    if (first < n) {
        meta_policy(m, first, &of, &rp);
        meta_policy_rules(m, first, &rules);
        create_database(db, rp, &rules, to);
    }
    for (size_t i = 0; i < n; i++) {
        meta_policy(m, i, &of, &rp);
        if (i == first || strcmp(of, db) != 0)
            continue;
        meta_policy_rules(m, i, &rules);
        create_policy(db, rp, &rules, to);
    }
}
