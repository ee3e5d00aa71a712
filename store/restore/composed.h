/* SPDX-License-Identifier: MIT */
/* What composing a store (compose.h) did, for those who say it. A plain record. */
#ifndef INFLUXFS_RESTORE_COMPOSED_H
#define INFLUXFS_RESTORE_COMPOSED_H

#include "store/influx/meta.h"
#include "store/influx/metaedit.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

enum composed_how {
    COMPOSED_MADE,     /* there was none of this name */
    COMPOSED_REPLACED, /* whole */
    COMPOSED_PART,     /* some of its policies or shards were replaced */
    COMPOSED_MERGED,   /* points were added */
};

struct composed_database {
    enum composed_how how;
    char *name, *from; /* its name in the store, and in the snapshot */
    size_t shards;     /* that came from the snapshot, or got points of it */
    size_t renumbered; /* of these, those that have another id in the store */
};

/* What to know of it: a message; warning: something of the snapshot is not there, or not as it
 * was. */
struct composed_note {
    char *text;
    bool warning;
};

/* All zeros: nothing was composed. */
struct composed {
    struct composed_database *databases;
    size_t ndatabases;
    struct composed_note *notes;
    size_t nnotes;
    struct meta_counts counts; /* of what came along: no user does */
    size_t omitted;            /* fields of which a merge left values out; each has a note */
};

/* A database, for the caller to count in; both names are copied. NULL: no memory. */
struct composed_database *composed_add(struct composed *c, enum composed_how how, const char *name,
                                       const char *from);

/* -ENOMEM. */
int composed_note(struct composed *c, bool warning, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Notes on what metaedit did with the queries of a database that has this name in the store, and the
 * grants that it gave; counts what came along. -ENOMEM. */
int composed_note_copied(struct composed *c, const char *name, const struct metaedit_copied *did);

/* Notes on grants of the snapshot on a database, that has this name in the store, which nobody has in
 * the store (metaedit_compare_grants): with the statements that give them to users who are there.
 * -ENOMEM. */
int composed_note_grants(struct composed *c, const char *name, const struct metaedit_holder *list,
                         size_t n);

/* Calls fn with a line for each database, then with the notes. */
void composed_lines(const struct composed *c, void (*fn)(void *arg, const char *line, bool warning),
                    void *arg);

/* [{"database","from","how":"made"|"replaced"|"part"|"merged","shards":N,"renumbered":N},…], which
 * the caller puts; NULL: no memory. */
struct json_object *composed_json(const struct composed *c);

int composed_copy(const struct composed *from, struct composed *to);
void composed_clear(struct composed *c);

#endif
