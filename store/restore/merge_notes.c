/* SPDX-License-Identifier: MIT */
#include "store/restore/merge_notes.h"

#include "store/base/array.h"
#include "store/influx/census.h"

#include <errno.h>
#include <string.h>

typedef const struct metaedit_item item;

int merge_note(struct merge_notes *to, const char *fmt, ...)
{
    struct err line;
    va_list ap;
    va_start(ap, fmt);
    err_format(&line, fmt, ap);
    va_end(ap);
    char *text = strdup(line.text);
    if (!text || !array_grow(&to->lines, to->n)) {
        free(text);
        return -ENOMEM;
    }
    to->lines[to->n++] = text;
    return 0;
}

void merge_notes_clear(struct merge_notes *notes)
{
    for (size_t i = 0; i < notes->n; i++)
        free(notes->lines[i]);
    free(notes->lines);
    *notes = (struct merge_notes){0};
}

/* "INF" or "30d". */
static void notes_duration(int64_t ns, char out[64])
{
    if (ns == 0)
        strcpy(out, "INF");
    else
        census_duration(ns, out);
}

/* The two differ in how long points are kept, or in how long a shard is. */
static int notes_rules(item *db, item *ours, item *theirs, struct merge_notes *to)
{
    char here[64], there[64], our_shard[64], their_shard[64];
    const struct meta_rules *a = &ours->rules, *b = &theirs->rules;
    if (a->duration == b->duration && a->shard_duration == b->shard_duration)
        return 0;
    notes_duration(a->duration, here);
    notes_duration(b->duration, there);
    notes_duration(a->shard_duration, our_shard);
    notes_duration(b->shard_duration, their_shard);
    return merge_note(to,
                      "the policy %s of database %s stays as it is: DURATION %s "
                      "SHARD DURATION %s; "
                      "in the snapshot it is DURATION %s SHARD DURATION %s",
                      ours->name, db->name, here, our_shard, there, their_shard);
}

/* Subscriptions of a policy that are not here. One that will be new (ours is NULL) gets them, unless
 * its database has another name (metaedit_copy_policy). */
static int notes_subscriptions(const struct metaedit *here, item *db, item *ours,
                               const struct metaedit *there, item *theirs, struct merge_notes *to)
{
    int r = 0;
    if (!ours && strcmp(db->name, metaedit_up(theirs)->name) == 0)
        return 0;
    for (item *s = metaedit_first(there, theirs, METAEDIT_SUBSCRIPTION); r == 0 && s;
         s = metaedit_next(s))
        if (!ours || !metaedit_find(here, ours, METAEDIT_SUBSCRIPTION, s->name))
            r = merge_note(to,
                           "the snapshot's subscription %s of policy %s of database %s is not "
                           "added",
                           s->name, theirs->name, db->name);
    return r;
}

static int notes_policies(const struct metaedit *here, item *our_db, const struct metaedit *there,
                          item *their_db, const struct selection *what, struct merge_notes *to)
{
    int r = 0;
    for (item *theirs = metaedit_first(there, their_db, METAEDIT_POLICY); r == 0 && theirs;
         theirs = metaedit_next(theirs)) {
        item *ours = metaedit_find(here, our_db, METAEDIT_POLICY, theirs->name);
        if (!selection_has_policy(what, their_db->name, theirs->name))
            continue;
        r = ours ? notes_rules(our_db, ours, theirs, to) : 0;
        if (r == 0)
            r = notes_subscriptions(here, our_db, ours, there, theirs, to);
    }
    return r;
}

/* In a database of another name queries cannot be compared: that name is in them. */
static int notes_queries(const struct metaedit *here, item *our_db, const struct metaedit *there,
                         item *their_db, struct merge_notes *to)
{
    const bool same_name = strcmp(our_db->name, their_db->name) == 0;
    int r = 0;
    for (item *q = metaedit_first(there, their_db, METAEDIT_QUERY); r == 0 && q;
         q = metaedit_next(q)) {
        item *ours = metaedit_find(here, our_db, METAEDIT_QUERY, q->name);
        if (!ours)
            r = merge_note(to, "the snapshot's continuous query %s of database %s is not added",
                           q->name, our_db->name);
        else if (same_name && strcmp(ours->text, q->text) != 0)
            r = merge_note(to,
                           "the continuous query %s of database %s stays as it is; "
                           "in the snapshot "
                           "it says something else",
                           q->name, our_db->name);
    }
    return r;
}

int merge_notes_take(const struct metaedit *here, const struct metaedit_item *our_db,
                     const struct metaedit *there, const struct metaedit_item *their_db,
                     const struct selection *what, struct merge_notes *to)
{
    int r = 0;
    if (strcmp(our_db->default_policy, their_db->default_policy) != 0)
        r = merge_note(to, "the default policy of database %s stays %s; in the snapshot it is %s",
                       our_db->name, our_db->default_policy, their_db->default_policy);
    if (r == 0)
        r = notes_policies(here, our_db, there, their_db, what, to);
    return r < 0 ? r : notes_queries(here, our_db, there, their_db, to);
}
