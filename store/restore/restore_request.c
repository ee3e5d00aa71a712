/* SPDX-License-Identifier: MIT */
#include "store/restore/restore_request.h"

#include "store/base/buffer.h"
#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/influx/names.h"
#include "store/restore/target.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool restore_request_composes(const struct restore_request *q)
{
    return q && (q->as || q->merge != MERGE_NONE || !selection_is_all(&q->part));
}

/* What influxd would take, it checks in detail when the name is given (metaedit.h). */
static int request_check_name(const char *name, struct err *e)
{
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strpbrk(name, "/\\"))
        return err_set(e, -EINVAL, "\"%s\" is no name for a database", name);
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return err_set(e, -EINVAL, "a database's name has no control characters");
    if (strlen(name) > NAME_MAX)
        return err_set(e, -EINVAL, "a database's name has at most %d bytes, this one %zu: %.60s…",
                       NAME_MAX, strlen(name), name);
    if (strcmp(name, NAME_INTERNAL) == 0)
        return err_set(e, -EINVAL,
                       "%s is what influxd writes about itself; give the copy another name", name);
    if (strcmp(name, TARGET_HOME) == 0 || strcmp(name, "lost+found") == 0)
        return err_set(e, -EINVAL, "%s cannot be a database; give the copy another name", name);
    return 0;
}

int restore_request_check(const struct restore_request *q, struct err *e)
{
    const struct selection *p = &q->part;
    if (q->as && p->ndatabases > 1)
        return err_set(e, -EINVAL, "only one database can get the name %s, and %zu are asked for",
                       q->as, p->ndatabases);
    if (p->from >= p->to)
        return err_set(e, -EINVAL, "the time to restore from is not before the one to restore to");
    if (p->exact && p->from == INT64_MIN && p->to == INT64_MAX)
        return err_set(e, -EINVAL, "points to be cut at exact times need a time: from, to or both");
    if (p->exact && q->merge != MERGE_NONE)
        return err_set(e, -EINVAL,
                       "merging adds whole shards; points of exact times can only replace others");
    return q->as ? request_check_name(q->as, e) : 0;
}

/* From the place of an upload */

/* Whether the path lies in this folder; *rest is what follows. */
static bool lies_in(const char *path, const char *folder, const char **rest)
{
    const char *below = path_below(path, folder);
    if (below)
        *rest = below;
    return below;
}

/* Both read the rest of a path below as/ or merge/. n: the length of its first word. */

static int request_read_as(const char *path, const char *rest, size_t n, struct restore_request *q,
                           char **name, struct err *e)
{
    if (*rest == '.')
        return err_set(e, -EINVAL,
                       "%s: a name that begins with a dot cannot be given here; use `influxsnap "
                       "restore --as`",
                       path);
    if (!(*name = strndup(rest, n)))
        return err_sys(e, -ENOMEM, "%s", path);
    q->as = *name;
    return restore_request_check(q, e);
}

static int request_read_merge(const char *path, const char *rest, size_t n,
                              struct restore_request *q, struct err *e)
{
    if (n == 4 && strncmp(rest, "ours", n) == 0)
        q->merge = MERGE_OURS;
    else if (n == 6 && strncmp(rest, "theirs", n) == 0)
        q->merge = MERGE_THEIRS;
    else
        return err_set(e, -EINVAL,
                       "%s: merge/ours/ is for snapshots of which only points count that the store "
                       "lacks, merge/theirs/ for those whose points count before the store's",
                       path);
    return 0;
}

/* Reads a path into *q, which borrows *name. 1: it asks for nothing. */
static int request_read_path(const char *path, bool folder, struct restore_request *q, char **name,
                             struct err *e)
{
    const char *rest;
    const bool as = lies_in(path, "as", &rest);
    if (!as && !lies_in(path, "merge", &rest))
        return 1;
    const size_t n = strcspn(rest, "/");
    if (folder && !*rest)
        return 1;
    if (!folder && !rest[n])
        return err_set(e, -EINVAL, "%s: copy it into a folder below that: %s", path,
                       as ? "as/NAME/, where NAME is the database's new name"
                          : "merge/ours/ or merge/theirs/, by whose points are to count");
    return as ? request_read_as(path, rest, n, q, name, e)
              : request_read_merge(path, rest, n, q, e);
}

int restore_request_of_path(const char *path, struct restore_request **out, struct err *e)
{
    struct restore_request q = RESTORE_REQUEST_NONE;
    autofree char *name = NULL;
    int r = request_read_path(path, false, &q, &name, e);
    if (r != 0) {
        *out = NULL;
        return r < 0 ? r : 0;
    }
    r = restore_request_copy(&q, out);
    return r < 0 ? err_sys(e, r, "%s", path) : 0;
}

int restore_request_check_folder(const char *path, struct err *e)
{
    struct restore_request q = RESTORE_REQUEST_NONE;
    autofree char *name = NULL;
    int r = request_read_path(path, true, &q, &name, e);
    return r < 0 ? r : 0;
}

/* Copies */

static void free_names(const char *const *names, size_t n)
{
    for (size_t i = 0; names && i < n; i++)
        free((char *)names[i]);
    free((void *)names);
}

static int copy_names(const char *const *names, size_t n, const char *const **out)
{
    char **copy = n ? calloc(n, sizeof(*copy)) : NULL;
    int r = n && !copy ? -ENOMEM : 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = (copy[i] = strdup(names[i])) ? 0 : -ENOMEM;
    *out = (const char *const *)copy;
    return r;
}

int restore_request_copy(const struct restore_request *q, struct restore_request **out)
{
    *out = NULL;
    if (!q)
        return 0;
    cleanup(restore_request_freep) struct restore_request *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    const struct selection *p = &q->part;
    *c = *q;
    c->part.databases = c->part.exclude = NULL;
    c->part.rp = p->rp ? strdup(p->rp) : NULL;
    c->as = q->as ? strdup(q->as) : NULL;
    c->part.shards = NULL;
    int r = (p->rp && !c->part.rp) || (q->as && !c->as) ? -ENOMEM : 0;
    if (r == 0)
        r = copy_names(p->databases, p->ndatabases, &c->part.databases);
    if (r == 0)
        r = copy_names(p->exclude, p->nexclude, &c->part.exclude);
    if (r == 0 && p->nshards) {
        uint64_t *ids = calloc(p->nshards, sizeof(*ids));
        if (ids)
            memcpy(ids, p->shards, p->nshards * sizeof(*ids));
        c->part.shards = ids;
        r = ids ? 0 : -ENOMEM;
    }
    if (r == 0)
        *out = steal_ptr(&c);
    return r;
}

void restore_request_free(struct restore_request *q)
{
    if (!q)
        return;
    free_names(q->part.databases, q->part.ndatabases);
    free_names(q->part.exclude, q->part.nexclude);
    free((char *)q->part.rp);
    free((void *)q->part.shards);
    free((char *)q->as);
    free(q);
}

/* Comparison and words */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_names(const char *const *a, size_t na, const char *const *b, size_t nb)
{
    bool same = na == nb;
    for (size_t i = 0; same && i < na; i++)
        same = strcmp(a[i], b[i]) == 0;
    return same;
}

bool restore_request_same(const struct restore_request *a, const struct restore_request *b)
{
    static const struct restore_request none = RESTORE_REQUEST_NONE;
    a = a ? a : &none;
    b = b ? b : &none;
    const struct selection *p = &a->part, *o = &b->part;
    return same_text(a->as, b->as) && a->merge == b->merge && a->all_shards == b->all_shards &&
           same_names(p->databases, p->ndatabases, o->databases, o->ndatabases) &&
           same_names(p->exclude, p->nexclude, o->exclude, o->nexclude) &&
           same_text(p->rp, o->rp) && p->nshards == o->nshards &&
           (!p->nshards || memcmp(p->shards, o->shards, p->nshards * sizeof(*p->shards)) == 0) &&
           p->from == o->from && p->to == o->to && p->exact == o->exact;
}

static void add_names(struct buffer *b, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buffer_string(b, i == 0 ? " " : i + 1 < n ? ", " : " and ");
        buffer_string(b, names[i]);
    }
}

static void request_add_part(struct buffer *b, const struct selection *p, bool one)
{
    char text[TIME_TEXT];
    if (p->nshards)
        buffer_string(b, p->nshards == 1 ? "shard" : "the shards");
    for (size_t i = 0; i < p->nshards; i++) {
        char id[32];
        snprintf(id, sizeof(id), "%s%" PRIu64, i == 0 ? " " : ", ", p->shards[i]);
        buffer_string(b, id);
    }
    if (p->nshards)
        buffer_string(b, " of ");
    if (p->rp) {
        buffer_string(b, "policy ");
        buffer_string(b, p->rp);
        buffer_string(b, " of ");
    }
    buffer_string(b, p->ndatabases == 0   ? one ? "the database" : "every database"
                     : p->ndatabases == 1 ? "database"
                                          : "the databases");
    add_names(b, p->databases, p->ndatabases);
    if (p->nexclude)
        buffer_string(b, " but");
    add_names(b, p->exclude, p->nexclude);
    if (p->from != INT64_MIN) {
        buffer_string(b, p->exact ? ", points from " : ", shards from ");
        buffer_string(b, (time_text(p->from, text), text));
    }
    if (p->to != INT64_MAX) {
        buffer_string(b, p->from != INT64_MIN ? " to "
                         : p->exact           ? ", points to "
                                              : ", shards to ");
        buffer_string(b, (time_text(p->to, text), text));
    }
}

void restore_request_words(const struct restore_request *q, struct err *words)
{
    cleanup(buffer_free) struct buffer b = {0};
    request_add_part(&b, &q->part, q->as);
    if (q->as) {
        buffer_string(&b, " as ");
        buffer_string(&b, q->as);
    }
    if (q->merge != MERGE_NONE)
        buffer_string(&b, q->merge == MERGE_OURS ? ", merged: the store's points count"
                                                 : ", merged: the snapshot's points count");
    buffer_add(&b, "", 1);
    err_set(words, 0, "%s", b.failed ? "a part of the snapshot" : b.p);
}
