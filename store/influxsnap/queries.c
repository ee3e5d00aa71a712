/* SPDX-License-Identifier: MIT */
/* influxsnap queries: databases, retention policies, continuous queries, subscriptions. */
#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/influx/influxql.h"
#include "store/influx/names.h"
#include "store/influxsnap/ddl.h"
#include "store/influxsnap/metalook.h"

#include <string.h>

/* How long the text is without a comment at its end, which would take in what comes after it; 0 if it
 * is not one statement that makes a continuous query: influxd would refuse all statements. */
static size_t queries_statement_len(const char *text)
{
    autofree struct influxql_token *list = NULL;
    size_t n = 0;
    if (influxql_tokens(text, &list, &n) < 0 || n < 5 || !influxql_is(&list[0], "CREATE") ||
        !influxql_is(&list[1], "CONTINUOUS") || !influxql_is(&list[n - 1], "END"))
        return 0;
    for (size_t i = 0; i < n; i++)
        if (influxql_is_sign(&list[i], ';'))
            return 0;
    return (size_t)(list[n - 1].p + list[n - 1].n - text);
}

static void queries_query(struct buffer *out, const struct metaedit_item *query)
{
    const size_t len = queries_statement_len(query->text);
    if (len) {
        buffer_add(out, query->text, len);
        buffer_string(out, ";\n");
        return;
    }
    snap_warn("the continuous query %s has a text that is no such statement, and is a comment here",
              query->name);
    metalook_comment(out, query->text);
}

/* A comment: a server that takes it sends all points there from then on. */
static void queries_subscription(struct buffer *out, const struct metaedit *m,
                                 const struct metaedit_item *sub, const struct metaedit_item *rp)
{
    const struct metaedit_item *to = metaedit_first(m, sub, METAEDIT_DESTINATION);
    struct buffer text = {0};
    const char *before = " DESTINATIONS ";
    buffer_string(&text, "CREATE SUBSCRIPTION ");
    influxql_put_name(&text, sub->name);
    buffer_string(&text, " ON ");
    influxql_put_name(&text, metaedit_up(rp)->name);
    buffer_string(&text, ".");
    influxql_put_name(&text, rp->name);
    buffer_string(&text, before);
    buffer_string(&text, sub->text);
    for (before = " "; to; to = metaedit_next(to), before = ", ") {
        buffer_string(&text, before);
        influxql_put_text(&text, to->name);
    }
    buffer_string(&text, ";");
    metalook_comment_all(out, &text);
}

static void queries_database(struct buffer *out, const struct meta *meta, const struct metaedit *m,
                             const struct metaedit_item *db)
{
    const struct metaedit_item *i, *sub;
    ddl_write(meta, db->name, ";\n", out);
    for (i = metaedit_first(m, db, METAEDIT_QUERY); i; i = metaedit_next(i))
        queries_query(out, i);
    for (i = metaedit_first(m, db, METAEDIT_POLICY); i; i = metaedit_next(i))
        for (sub = metaedit_first(m, i, METAEDIT_SUBSCRIPTION); sub; sub = metaedit_next(sub))
            queries_subscription(out, m, sub, i);
}

static const struct metaedit_item *next_shown(const struct metaedit_item *db)
{
    while (db && strcmp(db->name, NAME_INTERNAL) == 0)
        db = metaedit_next(db);
    return db;
}

static struct json_object *queries_json_subscriptions(const struct metaedit *m,
                                                      const struct metaedit_item *rp)
{
    struct json_object *list = json_object_new_array();
    const struct metaedit_item *sub = metaedit_first(m, rp, METAEDIT_SUBSCRIPTION), *to;
    for (; sub; sub = metaedit_next(sub)) {
        struct json_object *o = json_object_new_object(), *urls = json_object_new_array();
        for (to = metaedit_first(m, sub, METAEDIT_DESTINATION); to; to = metaedit_next(to))
            json_object_array_add(urls, json_text(to->name));
        json_add_text(o, "name", sub->name);
        json_add_text(o, "mode", sub->text);
        json_add(o, "destinations", urls);
        json_object_array_add(list, o);
    }
    return list;
}

static struct json_object *queries_json_policy(const struct metaedit *m,
                                               const struct metaedit_item *rp)
{
    struct json_object *o = json_object_new_object();
    char duration[32], shard[32];
    ddl_duration(rp->rules.duration, duration);
    ddl_duration(rp->rules.shard_duration, shard);
    json_add_text(o, "name", rp->name);
    json_add_text(o, "duration", duration);
    json_add_text(o, "shard_duration", shard);
    json_add_count(o, "replication", rp->rules.replicas);
    json_add_bool(o, "default", rp->rules.is_default);
    json_add(o, "subscriptions", queries_json_subscriptions(m, rp));
    return o;
}

static struct json_object *queries_json_database(const struct metaedit *m,
                                                 const struct metaedit_item *db)
{
    struct json_object *o = json_object_new_object(), *policies = json_object_new_array(),
                       *queries = json_object_new_array();
    const struct metaedit_item *i;
    for (i = metaedit_first(m, db, METAEDIT_POLICY); i; i = metaedit_next(i))
        json_object_array_add(policies, queries_json_policy(m, i));
    for (i = metaedit_first(m, db, METAEDIT_QUERY); i; i = metaedit_next(i)) {
        struct json_object *q = json_object_new_object();
        json_add_text(q, "name", i->name);
        json_add_text(q, "text", i->text);
        json_object_array_add(queries, q);
    }
    json_add_text(o, "name", db->name);
    json_add(o, "policies", policies);
    json_add(o, "queries", queries);
    return o;
}

static int queries_show(struct snap *s, const struct metaedit *m, const struct meta *meta)
{
    const struct metaedit_item *db = metaedit_first(m, NULL, METAEDIT_DATABASE);
    struct buffer text = {0};
    if (s->o.json) {
        struct json_object *o = json_object_new_object(), *list = json_object_new_array();
        for (; (db = next_shown(db)); db = metaedit_next(db))
            json_object_array_add(list, queries_json_database(m, db));
        json_add(o, "databases", list);
        return metalook_write_json(s, o);
    }
    metalook_comment(&text,
                     "Databases, retention policies and continuous queries. Subscriptions are "
                     "comments, since\nthey send points away.");
    for (; (db = next_shown(db)); db = metaedit_next(db))
        queries_database(&text, meta, m, db);
    int code = metalook_write(s, &text);
    buffer_free(&text);
    return code;
}

int snap_queries(struct snap *s)
{
    cleanup(meta_freep) struct meta *meta = NULL;
    struct metalook l;
    struct err e = {0};
    int code = metalook_open(s, &l);
    if (code != EXIT_DONE)
        return code;
    int r = meta_parse(l.bytes, l.n, &meta, &e);
    code = r < 0 ? snap_fail(r, &e) : queries_show(s, l.m, meta);
    metalook_clear(&l);
    return code;
}
