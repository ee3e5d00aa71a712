/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/dump_advice.h"

#include "store/base/cleanup.h"
#include "store/influxsnap/ddl.h"
#include "store/influxsnap/say.h"
#include "store/points/walcache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* An entry that memory did not suffice for has hh.tbl NULL. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct told_line {
    UT_hash_handle hh;
    char text[];
};

/* Says a line, unless it was said before: then false. Without memory it may be repeated. */
static bool dump_advice_say(struct told *t, const char *words)
{
    struct told_line *line;
    size_t n = strlen(words);
    HASH_FIND(hh, t->lines, words, n, line);
    if (line)
        return false;
    if ((line = calloc(1, sizeof(*line) + n + 1))) {
        memcpy(line->text, words, n);
        HASH_ADD_KEYPTR(hh, t->lines, line->text, n, line);
        if (!line->hh.tbl)
            free(line);
    }
    meter_hide(t->meter);
    snap_warn("%s", words);
    return true;
}

void told_lacks(void *ctx, const char *words)
{
    struct told *t = ctx;
    t->lacking += dump_advice_say(t, words);
    if (t->also)
        t->also(t->ctx, words);
}

/* Nothing is missing, but an operator should know. */
static void __attribute__((format(printf, 2, 3)))
dump_advice_warn(struct told *t, const char *fmt, ...)
{
    struct err words;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words.text, sizeof(words.text), fmt, ap);
    va_end(ap);
    dump_advice_say(t, words.text);
}

void told_clear(struct told *t)
{
    struct told_line *line, *tmp;
    HASH_ITER(hh, t->lines, line, tmp)
    {
        HASH_DEL(t->lines, line);
        free(line);
    }
}

/* What is said */

static const char *const type_names[VALUE_TYPES] = {"float", "integer", "boolean", "string",
                                                    "unsigned"};

/* Whether an earlier one has the same name. */
static bool is_again(const struct schema_measurement *m, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (slice_compare(m->fields[k].name, m->fields[i].name) == 0)
            return true;
    return false;
}

void dump_advice_types(struct told *t, const char *db, const char *rp,
                       const struct schema_measurement *m)
{
    for (size_t i = 0; i < m->nfields; i++) {
        const struct slice name = m->fields[i].name;
        char types[64] = "";
        size_t n = 0;
        if (is_again(m, i))
            continue;
        for (size_t k = i; k < m->nfields; k++) {
            if (slice_compare(m->fields[k].name, name) != 0)
                continue;
            strcat(strcat(types, n++ ? ", " : ""), type_names[m->fields[k].type]);
        }
        if (n > 1)
            dump_advice_warn(
                t,
                "%s/%s/%.*s: the field %.*s has several types (%s): a server takes each in a "
                "shard of its own only, so create the policy with the same shard duration",
                db, rp, (int)m->name.n, m->name.p, (int)name.n, name.p, types);
    }
}

int dump_advice_named(struct told *t, struct schema_cache *c, const struct dump_query *q,
                      struct err *e)
{
    cleanup(schema_freep) struct schema *o = NULL;
    int r = schema_cache_policy(c, q->db, q->rp, q->from, q->to, q->reader, &o, e);
    const struct schema_measurement *m =
        r == 0 ? schema_find(o, (struct slice){q->measurement, q->n}) : NULL;
    if (m)
        dump_advice_types(t, q->db, q->rp, m);
    return r;
}

void dump_advice_empty(struct told *t, const struct dump_query *q)
{
    if (t->lacking == 0)
        dump_advice_warn(t, "%s/%s has no points of a measurement %.*s in that time", q->db, q->rp,
                         (int)q->n, q->measurement);
}

/* Whether influx -import, which cuts a name at its colon and trims it, mistakes it for another. */
static bool is_mistaken(const char *name)
{
    return strchr(name, ':') || name[0] == ' ' || name[strlen(name) - 1] == ' ';
}

static size_t count_old(const struct shards *s, const struct dump_query *q, const char *rp,
                        int64_t before)
{
    size_t old = 0;
    for (size_t i = 0; i < shards_count(s); i++) {
        const struct shard_files *sh = shards_at(s, i);
        if (strcmp(sh->db, q->db) == 0 && strcmp(sh->rp, rp) == 0 && sh->start < q->to &&
            sh->end > q->from && (sh->ntsm || sh->nwal))
            old += sh->start < before;
    }
    return old;
}

void dump_advice_policy(struct told *t, const struct shards *s, size_t i,
                        const struct dump_query *q, int64_t now_ns)
{
    struct meta_rules rules;
    const char *db, *rp;
    char duration[32];
    meta_policy(shards_meta(s), i, &db, &rp);
    meta_policy_rules(shards_meta(s), i, &rules);
    ddl_duration(rules.duration, duration);
    size_t old = rules.duration > 0 ? count_old(s, q, rp, now_ns - rules.duration) : 0;
    if (old)
        dump_advice_warn(
            t,
            "%s/%s: points of %zu shards are older than the %s that the policy keeps, or will "
            "soon be: a server refuses or deletes these, unless it is created with a longer "
            "duration",
            db, rp, old, duration);
    if (is_mistaken(db) || is_mistaken(rp))
        dump_advice_warn(t, "%s/%s: influx -import takes these names for others, /write does not",
                         db, rp);
}

int dump_advice_deleted(struct told *t, struct schema_cache *c, const struct dump_query *q,
                        struct err *e)
{
    autofree size_t *list = NULL;
    size_t n = 0;
    int r = shards_range(schema_cache_shards(c), q->db, q->rp, q->from, q->to, &list, &n, e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        const struct shard_files *sh = shards_at(schema_cache_shards(c), list[i]);
        uint64_t values = 0;
        r = revived_count(schema_cache_capture(c), sh, &values, e);
        if (r == -EBADMSG && q->gaps->damage) /* who reads it says so */
            r = 0;
        if (values)
            dump_advice_warn(
                t,
                "%s/%s/%" PRIu64 ": values in the WAL that tombstones of the same shard cover: "
                "%" PRIu64 "; influxd 1.6 has deleted them, and shows them again, as this text "
                "does, after its next start",
                sh->db, sh->rp, sh->id, values);
    }
    return r;
}

/* Takes this component off a path if it comes first. */
static bool enters(const char **path, const char *name)
{
    size_t n = strlen(name);
    if (strncmp(*path, name, n) != 0 || (*path)[n] != '/')
        return false;
    *path += n + 1;
    return true;
}

void dump_advice_omitted(struct told *t, const struct capture *c, const char *db, const char *rp)
{
    const struct omissions *left = capture_left_out(c);
    for (size_t i = 0; i < left->n; i++) {
        const struct omission *m = &left->at[i];
        const char *path = m->name;
        char words[sizeof(((struct err *)0)->text)];
        if (m->why != OMITTED_UNKNOWN && !enters(&path, "data"))
            continue;
        if (!enters(&path, db) || (rp && !enters(&path, rp)))
            continue;
        snprintf(words, sizeof(words), "%.400s: left out, %" PRIu64 " bytes: %s", m->name, m->bytes,
                 m->why == OMITTED_UNKNOWN ? "meta.db does not know this shard"
                 : m->why == OMITTED_BAD   ? "influxd has set this file aside"
                                           : "it cannot be read");
        told_lacks(t, words);
    }
}
