/* SPDX-License-Identifier: MIT */
#include "store/base/buffer.h"
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/influx/names.h"
#include "store/restore/compose_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "restore");
}

/* The new name */

static const char *name_here(const struct compose *c, const struct metaedit_item *database)
{
    return c->q->as ? c->q->as : database->name;
}

static const struct metaedit_item *database_here(const struct compose *c,
                                                 const struct metaedit_item *database)
{
    return metaedit_find(c->meta, NULL, METAEDIT_DATABASE, name_here(c, database));
}

/* One database gets it, and none has it. */
static int plan_check_name(const struct compose *c, struct err *e)
{
    size_t n = 0;
    const char *first = NULL;
    if (!c->q->as)
        return 0;
    for (const struct metaedit_item *d = NULL; (d = compose_next_database(c, d)); n++)
        first = first ? first : d->name;
    if (n != 1)
        return err_set(e, -EINVAL,
                       "the snapshot holds %zu databases, %s and others: say which of them is to "
                       "be restored as %s (`influxsnap restore --database`, or a snapshot of that "
                       "one)",
                       n, first, c->q->as);
    return compose_name_is_free(c, e);
}

/* What goes, and the ids that cannot be given */

/* Whether the database comes as a whole, even if that is a part of what it was. */
static bool comes_whole(const struct compose *c, const struct metaedit_item *here)
{
    return !here || (c->q->merge == MERGE_NONE && selection_of_databases(&c->part));
}

static int plan_take_away(struct compose *c, const struct metaedit_item *database, struct err *e)
{
    const struct metaedit_item *here = database_here(c, database);
    const bool whole = comes_whole(c, here);
    const char *to = name_here(c, database);
    const bool merged = here && c->q->merge != MERGE_NONE;
    enum composed_how how = !here    ? COMPOSED_MADE
                            : whole  ? COMPOSED_REPLACED
                            : merged ? COMPOSED_MERGED
                                     : COMPOSED_PART;
    if (!composed_add(c->out, how, to, database->name))
        return no_memory(e);
    if (!whole)
        return merged || compose_cuts(c) ? 0 : compose_clear_shards(c, database, here, e);
    if (here)
        metaedit_remove(c->meta, here);
    /* Also what lies there without being known: influxd would take it for a part of it. */
    return compose_drop(c, to, NULL, NULL, e);
}

/* A folder of the store that influxd takes for a shard, and that stays: its id is used, whether or
 * not meta.db knows it. depth: 0 for data/ or wal/ itself. */
static int plan_avoid_ids(struct compose *c, int fd, const char *path, int depth, struct err *e)
{
    cleanup(dir_free) struct dir list = {0};
    int r = dir_read(fd, &list);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        autofree char *below = NULL;
        uint64_t id;
        const char *name = list.names[i];
        if (asprintf(&below, "%s%s%s", path, *path ? "/" : "", name) < 0)
            return -ENOMEM;
        if ((dir_type(&list, i) != DT_DIR && dir_type(&list, i) != DT_UNKNOWN &&
             dir_type(&list, i) != DT_LNK) ||
            compose_drops(c, below) || (depth == 0 && name_is_hidden(name)) ||
            (depth == 1 && name_is_series(name)))
            continue;
        if (depth == 2) {
            r = name_is_shard(name, &id) || name_is_padded_shard(name, &id)
                    ? metaedit_avoid(c->meta, id)
                    : 0;
            continue;
        }
        autoclose int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (next >= 0)
            r = plan_avoid_ids(c, next, below, depth + 1, e);
        else if (errno != ENOTDIR && errno != ENOENT && errno != ELOOP)
            r = -errno;
    }
    return r;
}

static int plan_avoid(struct compose *c, struct err *e)
{
    int r = 0;
    for (int i = TARGET_DATA; r == 0 && i < TARGETS; i++)
        if (c->ours[i] >= 0 && (r = plan_avoid_ids(c, c->ours[i], "", 0, e)) < 0)
            err_sys(e, r, "%s", c->t->at[i].path);
    return r;
}

/* Shards that the store's meta.db lists, and whether the folder of any of their databases is there:
 * else their disk is not mounted. */
struct listed {
    size_t n;
    bool any;
};

static size_t plan_count_shards(const struct compose *c, const struct metaedit_item *database)
{
    size_t n = 0;
    for (const struct metaedit_item *p = metaedit_first(c->meta, database, METAEDIT_POLICY); p;
         p = metaedit_next(p))
        for (const struct metaedit_item *g = metaedit_first(c->meta, p, METAEDIT_GROUP); g;
             g = metaedit_next(g))
            for (const struct metaedit_item *s = metaedit_first(c->meta, g, METAEDIT_SHARD); s;
                 s = metaedit_next(s))
                n += !g->deleted;
    return n;
}

static struct listed plan_list_shards(const struct compose *c)
{
    struct listed l = {0};
    const int data = c->ours[TARGET_DATA];
    for (const struct metaedit_item *d = metaedit_first(c->meta, NULL, METAEDIT_DATABASE); d;
         d = metaedit_next(d)) {
        const size_t n = plan_count_shards(c, d);
        l.n += n;
        l.any |= n && data >= 0 && faccessat(data, d->name, F_OK, 0) == 0;
    }
    return l;
}

/* Refuses where the disk is missing and any of the shards is to stay: what is restored would lie below
 * the mount point. */
static int plan_check_disk(const struct compose *c, const struct listed *were, struct err *e)
{
    if (were->any || plan_list_shards(c).n == 0)
        return 0;
    return err_set(e, -EIO,
                   "%s/" NAME_META_DB " lists %zu shard%s, and %s holds none of them: is its disk "
                   "mounted? If they are lost, restore a whole snapshot, or of a part all "
                   "databases that have shards",
                   c->t->at[TARGET_META].path, were->n, plural(were->n),
                   c->t->at[TARGET_DATA].path);
}

/* What comes */

/* Subscriptions send points to places that know nothing of the new name. */
static int plan_note_subscriptions(struct compose *c, const struct metaedit_item *database,
                                   struct err *e)
{
    cleanup(buffer_free) struct buffer list = {0};
    size_t n = 0;
    for (const struct metaedit_item *p = metaedit_first(c->incoming, database, METAEDIT_POLICY); p;
         p = metaedit_next(p))
        for (const struct metaedit_item *s = metaedit_first(c->incoming, p, METAEDIT_SUBSCRIPTION);
             s; s = metaedit_next(s), n++) {
            buffer_string(&list, n ? ", " : "");
            buffer_string(&list, s->name);
        }
    buffer_add(&list, "", 1);
    if (n && !c->q->as)
        c->out->counts.subscriptions += n;
    if (n == 0 || !c->q->as)
        return 0;
    return list.failed ||
                   composed_note(c->out, true, "%zu subscription%s of %s %s left out: %s", n,
                                 plural(n), database->name, n == 1 ? "is" : "are", list.p) < 0
               ? no_memory(e)
               : 0;
}

/* Continuous queries belong to a database as a whole. */
static int plan_remove_queries(struct compose *c, const struct metaedit_item *database,
                               struct err *e)
{
    const struct metaedit_item *next;
    for (const struct metaedit_item *q = metaedit_first(c->incoming, database, METAEDIT_QUERY); q;
         q = next) {
        next = metaedit_next(q);
        if (composed_note(c->out, true,
                          "continuous query %s of %s is left out, as only a part of the database "
                          "is restored",
                          q->name, database->name) < 0)
            return no_memory(e);
        metaedit_remove(c->incoming, q);
    }
    return 0;
}

/* Of a database that has come, the shards are taken one by one, as they are cut. */
static int plan_bring_cut(struct compose *c, const struct metaedit_item *database,
                          struct composed_database *count, struct err *e)
{
    const struct metaedit_item *here = database_here(c, database), *next;
    for (const struct metaedit_item *p = metaedit_first(c->meta, here, METAEDIT_POLICY); p;
         p = metaedit_next(p))
        for (const struct metaedit_item *g = metaedit_first(c->meta, p, METAEDIT_GROUP); g;
             g = next) {
            next = metaedit_next(g);
            metaedit_remove(c->meta, g);
        }
    return compose_merge_plan(c, database, here, count, e);
}

static int plan_bring_whole(struct compose *c, const struct metaedit_item *database,
                            struct composed_database *count, struct err *e)
{
    struct metaedit_copied did = {0};
    const char *to = name_here(c, database);
    int r = selection_of_databases(&c->part) ? 0 : plan_remove_queries(c, database, e);
    if (r == 0)
        r = metaedit_copy_database(c->meta, c->incoming, database, c->q->as, &did, e);
    if (r == 0)
        r = compose_cuts(c) ? plan_bring_cut(c, database, count, e)
                            : compose_add_copied(c, to, database->name, &did, count, e);
    if (r == 0 && composed_note_copied(c->out, to, &did) < 0)
        r = no_memory(e);
    metaedit_copied_clear(&did);
    return r < 0 ? r : plan_note_subscriptions(c, database, e);
}

/* Only a copy under a new name changes users; and influxd, when it drops a database, takes the grants
 * on it away. */
static int plan_note_grants(struct compose *c, const struct metaedit_item *database, struct err *e)
{
    autofree struct metaedit_holder *list = NULL;
    size_t n = 0;
    const char *here = name_here(c, database);
    int r = metaedit_compare_grants(c->meta, c->incoming, database->name, here, &list, &n, e);
    if (r < 0)
        return r;
    return composed_note_grants(c->out, here, list, n) < 0 ? no_memory(e) : 0;
}

/* i: which of the databases that are asked for. */
static int plan_bring(struct compose *c, const struct metaedit_item *database, size_t i,
                      struct err *e)
{
    const struct metaedit_item *here = database_here(c, database);
    const bool whole = comes_whole(c, here), merged = c->q->merge != MERGE_NONE;
    struct composed_database *count = &c->out->databases[i];
    int r = whole                       ? plan_bring_whole(c, database, count, e)
            : merged || compose_cuts(c) ? compose_merge_plan(c, database, here, count, e)
                                        : compose_place_shards(c, database, here, count, e);
    return r == 0 && (whole || merged) ? plan_note_grants(c, database, e) : r;
}

int compose_plan(struct compose *c, struct err *e)
{
    const struct metaedit_item *d = NULL;
    size_t i = 0;
    const struct listed were = plan_list_shards(c);
    int r = plan_check_name(c, e);
    while (r == 0 && (d = compose_next_database(c, d)))
        r = plan_take_away(c, d, e);
    if (r == 0)
        r = plan_check_disk(c, &were, e);
    compose_sort_dropped(c);
    if (r == 0)
        r = plan_avoid(c, e);
    for (d = NULL; r == 0 && (d = compose_next_database(c, d)); i++)
        r = plan_bring(c, d, i, e);
    return r;
}
