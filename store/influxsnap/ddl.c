/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/ddl.h"

#include "store/base/time.h"
#include "store/influx/influxql.h"

#include <inttypes.h>
#include <stdio.h>
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

static void write_rules(const struct meta_rules *r, struct buffer *out)
{
    char shard[32], duration[32], text[128];
    ddl_duration(r->duration, duration);
    ddl_duration(r->shard_duration, shard);
    snprintf(text, sizeof(text), " DURATION %s REPLICATION %" PRIu32 "%s%s", duration, r->replicas,
             r->shard_duration > 0 ? " SHARD DURATION " : "", r->shard_duration > 0 ? shard : "");
    buffer_string(out, text);
}

static void create_database(const char *db, const char *rp, const struct meta_rules *r,
                            struct buffer *out)
{
    buffer_string(out, "CREATE DATABASE ");
    influxql_put_name(out, db);
    buffer_string(out, " WITH");
    write_rules(r, out);
    buffer_string(out, " NAME ");
    influxql_put_name(out, rp);
}

static void create_policy(const char *db, const char *rp, const struct meta_rules *r,
                          struct buffer *out)
{
    buffer_string(out, "CREATE RETENTION POLICY ");
    influxql_put_name(out, rp);
    buffer_string(out, " ON ");
    influxql_put_name(out, db);
    write_rules(r, out);
}

/* influxd makes a policy with a database, unless it was told not to. */
static void ddl_without_policy(const char *db, const char *end, struct buffer *out)
{
    buffer_string(out, "CREATE DATABASE ");
    influxql_put_name(out, db);
    buffer_string(out, end);
    buffer_string(out, "DROP RETENTION POLICY \"autogen\" ON ");
    influxql_put_name(out, db);
    buffer_string(out, end);
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

void ddl_write(const struct meta *m, const char *db, const char *end, struct buffer *out)
{
    const size_t n = meta_policies(m), first = ddl_first_policy(m, db);
    const char *of, *rp;
    struct meta_rules rules;
    if (first == n) {
        ddl_without_policy(db, end, out);
        return;
    }
    meta_policy(m, first, &of, &rp);
    meta_policy_rules(m, first, &rules);
    create_database(db, rp, &rules, out);
    buffer_string(out, end);
    for (size_t i = 0; i < n; i++) {
        meta_policy(m, i, &of, &rp);
        if (i == first || strcmp(of, db) != 0)
            continue;
        meta_policy_rules(m, i, &rules);
        create_policy(db, rp, &rules, out);
        buffer_string(out, end);
    }
}
