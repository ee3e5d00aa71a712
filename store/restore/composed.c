/* SPDX-License-Identifier: MIT */
#include "store/restore/composed.h"

#include "store/base/array.h"
#include "store/base/buffer.h"
#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/influx/influxql.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const how_names[] = {
    [COMPOSED_MADE] = "made",
    [COMPOSED_REPLACED] = "replaced",
    [COMPOSED_PART] = "part",
    [COMPOSED_MERGED] = "merged",
};

struct composed_database *composed_add(struct composed *c, enum composed_how how, const char *name,
                                       const char *from)
{
    autofree char *own = strdup(name), *theirs = strdup(from);
    if (!own || !theirs || !array_grow(&c->databases, c->ndatabases))
        return NULL;
    struct composed_database *d = &c->databases[c->ndatabases++];
    *d =
        (struct composed_database){.how = how, .name = steal_ptr(&own), .from = steal_ptr(&theirs)};
    return d;
}

static int composed_keep_note(struct composed *c, bool warning, char *text)
{
    if (!text || !array_grow(&c->notes, c->nnotes)) {
        free(text);
        return -ENOMEM;
    }
    c->notes[c->nnotes++] = (struct composed_note){text, warning};
    return 0;
}

int composed_note(struct composed *c, bool warning, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    return composed_keep_note(c, warning, n < 0 ? NULL : text);
}

/* What metaedit did */

static int composed_note_queries(struct composed *c, const char *name,
                                 const struct metaedit_copied *did)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < did->nqueries; i++) {
        const struct metaedit_query *q = &did->queries[i];
        if (q->fate == METAEDIT_LEFT_OUT)
            r = composed_note(c, true, "continuous query %s of %s is left out: %s", q->name, name,
                              q->why);
        else if (q->fate == METAEDIT_REWRITTEN)
            r = composed_note(c, false, "continuous query %s of %s is rewritten for that name",
                              q->name, name);
        c->counts.queries += q->fate != METAEDIT_LEFT_OUT;
    }
    return r;
}

static const char *privilege_name(int privilege)
{
    static const char *const names[] = {"nothing", "read", "write", "all"};
    return privilege >= 0 && privilege < 4 ? names[privilege] : "something";
}

static int composed_note_strangers(struct composed *c, const char *name,
                                   const struct metaedit_holder *list, size_t n)
{
    cleanup(buffer_free) struct buffer text = {0};
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (list[i].here)
            continue;
        buffer_string(&text, count++ ? ", " : "");
        buffer_string(&text, list[i].user);
        buffer_string(&text, " (");
        buffer_string(&text, privilege_name(list[i].privilege));
        buffer_string(&text, ")");
    }
    buffer_add(&text, "", 1);
    if (count == 0)
        return 0;
    return text.failed
               ? -ENOMEM
               : composed_note(c, true,
                               "%zu user%s of the snapshot with a grant on %s %s not here: %s",
                               count, plural(count), name, count == 1 ? "is" : "are", text.p);
}

static int composed_note_lacking(struct composed *c, const char *name,
                                 const struct metaedit_holder *list, size_t n)
{
    cleanup(buffer_free) struct buffer text = {0};
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (!list[i].here || !influxql_privilege(list[i].privilege))
            continue;
        buffer_string(&text, count++ ? "; " : "");
        influxql_put_grant(&text, list[i].privilege, name, list[i].user);
    }
    buffer_add(&text, "", 1);
    if (count == 0)
        return 0;
    return text.failed
               ? -ENOMEM
               : composed_note(c, true,
                               "%zu grant%s of the snapshot on %s, of users who are here, "
                               "%s missing; to give what is wanted of that: %s",
                               count, plural(count), name, count == 1 ? "is" : "are", text.p);
}

int composed_note_grants(struct composed *c, const char *name, const struct metaedit_holder *list,
                         size_t n)
{
    int r = composed_note_strangers(c, name, list, n);
    return r < 0 ? r : composed_note_lacking(c, name, list, n);
}

int composed_note_copied(struct composed *c, const char *name, const struct metaedit_copied *did)
{
    int r = composed_note_queries(c, name, did);
    if (r == 0 && did->granted)
        r = composed_note(c, false, "%zu user%s here got the grants on %s that the snapshot gives",
                          did->granted, plural(did->granted), name);
    return r;
}

/* What is said of it */

static void composed_line(const struct composed_database *d, struct err *line)
{
    static const char *const what[] = {
        [COMPOSED_MADE] = "which was not there",
        [COMPOSED_REPLACED] = "in the place of what was there",
        [COMPOSED_PART] = "of which the rest stays",
        [COMPOSED_MERGED] = "to which points were added",
    };
    char as[600] = "", renumbered[80] = "";
    if (strcmp(d->name, d->from) != 0)
        snprintf(as, sizeof(as), " as %s", d->name);
    if (d->renumbered)
        snprintf(renumbered, sizeof(renumbered), ", %zu of them under another id", d->renumbered);
    err_set(line, 0, "database %s%s, %s: %zu shard%s%s", d->from, as, what[d->how], d->shards,
            plural(d->shards), renumbered);
}

void composed_lines(const struct composed *c, void (*fn)(void *arg, const char *line, bool warning),
                    void *arg)
{
    for (size_t i = 0; i < c->ndatabases; i++) {
        struct err line;
        composed_line(&c->databases[i], &line);
        fn(arg, line.text, false);
    }
    for (size_t i = 0; i < c->nnotes; i++)
        fn(arg, c->notes[i].text, c->notes[i].warning);
}

struct json_object *composed_json(const struct composed *c)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; list && i < c->ndatabases; i++) {
        const struct composed_database *d = &c->databases[i];
        struct json_object *o = json_object_new_object();
        json_add_text(o, "database", d->name);
        json_add_text(o, "from", d->from);
        json_add_text(o, "how", how_names[d->how]);
        json_add_count(o, "shards", d->shards);
        json_add_count(o, "renumbered", d->renumbered);
        json_object_array_add(list, o);
    }
    return list;
}

int composed_copy(const struct composed *from, struct composed *to)
{
    cleanup(composed_clear) struct composed c = {.counts = from->counts, .omitted = from->omitted};
    for (size_t i = 0; i < from->ndatabases; i++) {
        const struct composed_database *d = &from->databases[i];
        struct composed_database *own = composed_add(&c, d->how, d->name, d->from);
        if (!own)
            return -ENOMEM;
        own->shards = d->shards;
        own->renumbered = d->renumbered;
    }
    for (size_t i = 0; i < from->nnotes; i++)
        if (composed_keep_note(&c, from->notes[i].warning, strdup(from->notes[i].text)) < 0)
            return -ENOMEM;
    *to = c;
    c = (struct composed){0};
    return 0;
}

void composed_clear(struct composed *c)
{
    for (size_t i = 0; i < c->ndatabases; i++) {
        free(c->databases[i].name);
        free(c->databases[i].from);
    }
    free(c->databases);
    for (size_t i = 0; i < c->nnotes; i++)
        free(c->notes[i].text);
    free(c->notes);
    *c = (struct composed){0};
}
