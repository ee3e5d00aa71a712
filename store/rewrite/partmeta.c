/* SPDX-License-Identifier: MIT */
#include "store/rewrite/partmeta.h"

#include "store/base/array.h"
#include "store/base/buffer.h"
#include "store/base/cleanup.h"
#include "store/influx/protowire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Fields of message Data. */
enum { DATA_TERM = 1, DATA_INDEX = 2, DATA_DATABASES = 5, DATA_MAX_GROUP = 8, DATA_MAX_SHARD = 9 };
/* And of DatabaseInfo. */
enum { DATABASE_NAME = 1 };

struct partmeta {
    char *buf;
    struct database {
        char *name;
        struct bytes all; /* its field of Data, in buf */
    } * databases;        /* sorted by name */
    size_t n;
    struct buffer rest; /* the other fields, counters included */
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct database *)a)->name, ((const struct database *)b)->name);
}

static int partmeta_add(struct partmeta *m, const struct protowire_field *f)
{
    struct bytes in = f->body, name = {0};
    struct protowire_field g;
    int r;
    while ((r = protowire_next(&in, &g)) > 0)
        if (g.number == DATABASE_NAME && g.type == WIRE_BYTES)
            name = g.body;
    if (r < 0)
        return r;
    if (!array_grow(&m->databases, m->n))
        return -ENOMEM;
    char *text = strndup((const char *)name.p, name.n);
    if (!text)
        return -ENOMEM;
    m->databases[m->n++] = (struct database){text, f->all};
    return 0;
}

static int partmeta_look(struct partmeta *m, size_t len)
{
    struct bytes in = {(const uint8_t *)m->buf, len};
    struct protowire_field f;
    int r;
    while ((r = protowire_next(&in, &f)) > 0) {
        if (f.number != DATA_DATABASES || f.type != WIRE_BYTES)
            buffer_add(&m->rest, f.all.p, f.all.n);
        else if ((r = partmeta_add(m, &f)) < 0)
            break;
    }
    if (m->n)
        qsort(m->databases, m->n, sizeof(*m->databases), by_name);
    return r < 0 ? r : m->rest.failed ? -ENOMEM : 0;
}

int partmeta_new(char *buf, size_t len, struct partmeta **out, struct err *e)
{
    struct partmeta *m = calloc(1, sizeof(*m));
    if (!m) {
        free(buf);
        return err_sys(e, -ENOMEM, "meta.db");
    }
    m->buf = buf;
    int r = partmeta_look(m, len);
    if (r < 0) {
        partmeta_free(m);
        return err_sys(e, r, "meta.db");
    }
    *out = m;
    return 0;
}

void partmeta_free(struct partmeta *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n; i++)
        free(m->databases[i].name);
    free(m->databases);
    buffer_free(&m->rest);
    free(m->buf);
    free(m);
}

size_t partmeta_count(const struct partmeta *m)
{
    return m->n;
}

const char *partmeta_name(const struct partmeta *m, size_t i)
{
    return m->databases[i].name;
}

static bool partmeta_has_shard(const struct metaedit *m, const struct metaedit_item *policy,
                               const struct selection *what)
{
    const char *db = metaedit_up(policy)->name;
    for (const struct metaedit_item *g = metaedit_first(m, policy, METAEDIT_GROUP); g;
         g = metaedit_next(g))
        for (const struct metaedit_item *s = metaedit_first(m, g, METAEDIT_SHARD); s;
             s = metaedit_next(s))
            if (!g->deleted && selection_has_shard(what, db, policy->name, s->id, g->start, g->end))
                return true;
    return false;
}

/* Whether anything of a database is selected: policies as such, or at least one shard. */
static bool partmeta_has_any(const struct metaedit *m, const struct metaedit_item *database,
                             const struct selection *what)
{
    const bool shards = what->nshards || what->from != INT64_MIN || what->to != INT64_MAX;
    if (selection_of_databases(what))
        return true;
    for (const struct metaedit_item *p = metaedit_first(m, database, METAEDIT_POLICY); p;
         p = metaedit_next(p))
        if (selection_has_policy(what, database->name, p->name) &&
            (!shards || partmeta_has_shard(m, p, what)))
            return true;
    return false;
}

int partmeta_keep(struct metaedit *m, const struct selection *what, struct err *e)
{
    const struct metaedit_choice choice = metaedit_choice_of(what);
    const struct metaedit_item *next;
    for (const struct metaedit_item *d = metaedit_first(m, NULL, METAEDIT_DATABASE); d; d = next) {
        next = metaedit_next(d);
        if (!partmeta_has_any(m, d, what))
            metaedit_remove(m, d);
    }
    return metaedit_keep(m, &choice, e);
}

/* Administrators stay where users do, whatever their grants: they are of the whole store. */
static void partmeta_drop_admins(struct metaedit *m)
{
    const struct metaedit_item *user = metaedit_first(m, NULL, METAEDIT_USER), *next;
    for (; user; user = next) {
        next = metaedit_next(user);
        if (user->admin)
            metaedit_remove(m, user);
    }
}

struct counters {
    uint64_t max_group, max_shard;
};

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The greatest ids that are in use. */
static struct counters partmeta_count_ids(const struct metaedit *m)
{
    struct counters c = {0};
    const struct metaedit_item *db, *rp, *group, *shard;
    for (db = metaedit_first(m, NULL, METAEDIT_DATABASE); db; db = metaedit_next(db))
        for (rp = metaedit_first(m, db, METAEDIT_POLICY); rp; rp = metaedit_next(rp))
            for (group = metaedit_first(m, rp, METAEDIT_GROUP); group;
                 group = metaedit_next(group)) {
                c.max_group = larger(c.max_group, group->id);
                shard = metaedit_first(m, group, METAEDIT_SHARD);
                for (; shard; shard = metaedit_next(shard))
                    c.max_shard = larger(c.max_shard, shard->id);
            }
    return c;
}

/* Copies the message, with these counters in the place of its own. */
static int partmeta_set_counters(const void *buf, size_t len, const struct counters *c,
                                 struct buffer *out)
{
    struct bytes in = {buf, len};
    struct protowire_field f;
    int r;
    while ((r = protowire_next(&in, &f)) > 0) {
        bool counts = f.number == DATA_TERM || f.number == DATA_INDEX ||
                      f.number == DATA_MAX_GROUP || f.number == DATA_MAX_SHARD;
        if (!counts || f.type != WIRE_VARINT) {
            buffer_add(out, f.all.p, f.all.n);
            continue;
        }
        buffer_add(out, f.all.p, f.nkey);
        protowire_put_varint(out, f.number == DATA_MAX_GROUP   ? c->max_group
                                  : f.number == DATA_MAX_SHARD ? c->max_shard
                                                               : 1);
    }
    return r < 0 ? r : out->failed ? -ENOMEM : 0;
}

/* A meta.db with these databases alone, still as they are. */
static int partmeta_gather(const struct partmeta *m, const struct selection *what,
                           struct metaedit **out, struct err *e)
{
    cleanup(buffer_free) struct buffer b = {0};
    for (size_t i = 0; i < m->n; i++)
        if (selection_has_database(what, m->databases[i].name))
            buffer_add(&b, m->databases[i].all.p, m->databases[i].all.n);
    buffer_add(&b, m->rest.p, m->rest.n);
    if (b.failed)
        return err_sys(e, -ENOMEM, "meta.db");
    return metaedit_open(b.p, b.n, out, e);
}

static int partmeta_print(const struct metaedit *edit, struct buffer *out, struct err *e)
{
    autofree void *text = NULL;
    size_t len;
    const struct counters c = partmeta_count_ids(edit);
    int r = metaedit_print(edit, &text, &len, e);
    if (r < 0)
        return r;
    r = partmeta_set_counters(text, len, &c, out);
    return r < 0 ? err_sys(e, r, "meta.db") : 0;
}

int partmeta_make(const struct partmeta *m, const struct selection *what, void **bytes, size_t *len,
                  struct meta **meta, struct err *e)
{
    cleanup(metaedit_freep) struct metaedit *edit = NULL;
    cleanup(buffer_free) struct buffer b = {0};
    int r = partmeta_gather(m, what, &edit, e);
    if (r == 0)
        r = partmeta_keep(edit, what, e);
    if (r == 0) {
        partmeta_drop_admins(edit);
        r = partmeta_print(edit, &b, e);
    }
    if (r == 0)
        r = meta_parse(b.p, b.n, meta, e);
    if (r < 0)
        return r;
    *len = b.n;
    *bytes = steal_ptr(&b.p);
    return 0;
}
