/* SPDX-License-Identifier: MIT */
#include "store/influx/cqrename.h"

#include "store/base/cleanup.h"
#include "store/influx/influxql.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define DEPTH_MAX 64 /* of subqueries, and other brackets */

struct cqrename {
    const struct influxql_token *list;
    size_t n, i;
    const char *from, *to;
    const char *copied; /* up to here the text is in out */
    struct buffer *out;
    struct err *why;
    bool on, into; /* seen */
    struct {
        bool sources; /* within FROM */
        bool next;    /* a source comes next */
    } level[DEPTH_MAX];
    size_t depth;
};

static const struct influxql_token *at(const struct cqrename *c, size_t i)
{
    static const struct influxql_token end = {INFLUXQL_SIGN, "", 0, true};
    return i < c->n ? &c->list[i] : &end;
}

static bool is_name(const struct influxql_token *t)
{
    return t->kind == INFLUXQL_WORD || t->kind == INFLUXQL_NAME;
}

static void cqrename_replace(struct cqrename *c, const struct influxql_token *t)
{
    if (!influxql_names(t, c->from))
        return;
    buffer_add(c->out, c->copied, (size_t)(t->p - c->copied));
    influxql_put_name(c->out, c->to);
    c->copied = t->p + t->n;
}

/* Takes a.b.c, a..c, a.b./c/ or a.b.:MEASUREMENT; *database: the first of three, else NULL. false:
 * there is no such name. */
static bool cqrename_path(struct cqrename *c, const struct influxql_token **database)
{
    const struct influxql_token *first = at(c, c->i);
    size_t names = 1;
    bool more = true;
    if (!is_name(first))
        return false;
    c->i++;
    while (more && influxql_is_sign(at(c, c->i), '.')) {
        const struct influxql_token *next = at(c, ++c->i);
        names++;
        if (influxql_is_sign(next, '.'))
            continue; /* an empty name */
        more = is_name(next);
        if (influxql_is_sign(next, ':'))
            c->i++; /* the word after it is taken below */
        else if (!is_name(next) && next->kind != INFLUXQL_REGEX)
            return false;
        c->i++;
    }
    *database = names == 3 ? first : NULL;
    return names <= 3;
}

/* The target: 1; 0 if it is in another database; -EBADMSG. */
static int cqrename_target(struct cqrename *c)
{
    const struct influxql_token *db;
    c->into = true;
    if (!cqrename_path(c, &db))
        return -EBADMSG;
    if (db && !influxql_names(db, c->from)) {
        err_set(c->why, 0, "it writes into the database %.*s", (int)(db->n > 300 ? 300 : db->n),
                db->p);
        return 0;
    }
    if (db)
        cqrename_replace(c, db);
    return 1;
}

static int cqrename_source(struct cqrename *c)
{
    const struct influxql_token *db = NULL;
    c->level[c->depth].next = false;
    if (at(c, c->i)->kind == INFLUXQL_REGEX)
        c->i++;
    else if (!cqrename_path(c, &db))
        return -EBADMSG;
    if (db)
        cqrename_replace(c, db);
    return 1;
}

/* A word where no name is due; its token is taken. */
static int cqrename_keyword(struct cqrename *c, const struct influxql_token *t)
{
    const bool from = influxql_is(t, "FROM");
    if (c->i > 1 && influxql_is_sign(at(c, c->i - 2), '.'))
        return 1; /* the second part of a field's name */
    c->level[c->depth].sources = c->level[c->depth].next = from;
    if (influxql_is(t, "INTO"))
        return cqrename_target(c);
    if (influxql_is(t, "ON") && !c->on) {
        c->on = true;
        cqrename_replace(c, at(c, c->i++));
    }
    return 1;
}

static int cqrename_step(struct cqrename *c)
{
    const struct influxql_token *t = at(c, c->i);
    const bool open = influxql_is_sign(t, '('), close = influxql_is_sign(t, ')');
    if (c->level[c->depth].next && !open)
        return cqrename_source(c);
    c->level[c->depth].next = false;
    c->i++;
    if (open && c->depth + 1 == DEPTH_MAX)
        return -EBADMSG;
    if (open)
        c->level[++c->depth].sources = false;
    else if (close && c->depth == 0)
        return -EBADMSG;
    else if (close)
        c->depth--;
    else if (influxql_is_sign(t, ',') && c->level[c->depth].sources)
        c->level[c->depth].next = true;
    else if (t->kind == INFLUXQL_WORD)
        return cqrename_keyword(c, t);
    return 1;
}

int cqrename(const char *text, const char *from, const char *to, struct buffer *out,
             struct err *why)
{
    autofree struct influxql_token *list = NULL;
    struct cqrename c = {.from = from, .to = to, .copied = text, .out = out, .why = why};
    int r = influxql_tokens(text, &list, &c.n);
    c.list = list;
    if (r == 0)
        r = c.n > 3 && influxql_is(&list[0], "CREATE") && influxql_is(&list[1], "CONTINUOUS") &&
                    influxql_is(&list[2], "QUERY")
                ? 1
                : -EBADMSG;
    for (c.i = 4; r == 1 && c.i < c.n;) /* after its name */
        r = cqrename_step(&c);
    if (r == 1 && (!c.on || !c.into || c.depth))
        r = -EBADMSG;
    if (r == -EBADMSG)
        return err_set(why, 0, "its text is no continuous query that influxfs can read");
    buffer_string(out, c.copied);
    return r == 1 && out->failed ? -ENOMEM : r;
}
