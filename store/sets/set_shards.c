/* SPDX-License-Identifier: MIT */
/*
 * What the metastores of a set know of its archives: where the dots of a legacy name are, which
 * shards the newest metastore does not list any more, and which it lists without a file here.
 *
 * influxd asks for the metastore first, and lists a shard group before it makes the shard. So a file
 * may belong to a shard that no metastore knows yet; and a group may have no file, if it is younger
 * than all that have one.
 */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/time.h"
#include "store/influx/names.h"
#include "store/sets/set_impl.h"
#include "store/sets/set_meta.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define META_FILE_MAX (META_DB_MAX + (1 << 20)) /* with what it is wrapped in */

struct shards {
    struct set *s;
    const struct set_run *run;
    struct metaedit *newest; /* of which the snapshot's is made */
    struct metaedit *known;  /* that of `run`; the same at first */
    uint64_t cluster;
    size_t united;                     /* groups */
    const struct metaedit_item *asked; /* the database that shards_hold was asked for, */
    bool holds;                        /* and the answer */
    struct err *e;
};

/* A shard group of `known`. */
struct group {
    const struct metaedit_item *db, *rp, *it;
};

typedef int group_fn(struct shards *h, const struct group *g);

/* Calls fn for each live group; ends with its first result that is not 0. */
static int shards_each_group(struct shards *h, struct metaedit *m, group_fn *fn)
{
    struct group g;
    for (g.db = metaedit_first(m, NULL, METAEDIT_DATABASE); g.db; g.db = metaedit_next(g.db))
        for (g.rp = metaedit_first(m, g.db, METAEDIT_POLICY); g.rp; g.rp = metaedit_next(g.rp)) {
            const struct metaedit_item *next;
            for (g.it = metaedit_first(m, g.rp, METAEDIT_GROUP); g.it; g.it = next) {
                next = metaedit_next(g.it);
                int r = g.it->deleted ? 0 : fn(h, &g);
                if (r != 0)
                    return r;
            }
        }
    return 0;
}

static bool before_shard(const void *item, const void *key)
{
    return ((const struct set_archive *)item)->id < *(const uint64_t *)key;
}

/* The archives of a shard, [*first, the result). */
static size_t shards_archives(const struct set *s, uint64_t id, size_t *first)
{
    *first = 0;
    if (s->narchives == 0)
        return 0;
    *first = array_bisect(s->archives, s->narchives, sizeof(*s->archives), &id, before_shard);
    return *first < s->narchives && s->archives[*first].id == id ? set_shard_end(s, *first)
                                                                 : *first;
}

static bool has_archives(const struct set *s, uint64_t id)
{
    size_t first;
    return shards_archives(s, id, &first) > first;
}

/* Metastores */

static int shards_read_meta(struct shards *h, char **file, struct bytes *meta, int64_t *time)
{
    struct set *s = h->s;
    struct err why = {0};
    struct stat st;
    size_t len = 0;
    uint64_t size = 0;
    autoclose int fd = set_open_file(s->folder, h->run->meta, &size, &why);
    if (fd < 0)
        return err_set(h->e, fd == -ENOENT ? -EBADMSG : fd, "%s%s",
                       fd == -ENOENT ? "incomplete: a manifest names it: " : "", why.text);
    int r = fstat(fd, &st) < 0 ? -errno
                               : io_read_file(s->folder, h->run->meta, META_FILE_MAX, file, &len);
    if (r < 0)
        return err_sys(h->e, r, "%s", h->run->meta);
    *time = time_from_spec(&st.st_mtim);
    const struct bytes all = {(const uint8_t *)*file, len};
    r = s->kind == SET_LEGACY ? set_meta_legacy(all, meta, &why)
                              : set_meta_portable(all, h->run->size, meta, &why);
    return r < 0 ? err_set(h->e, r, "%s: %s", h->run->meta, why.text) : 0;
}

/* Sets `known`, and `newest` if it is the first. */
static int shards_open_meta(struct shards *h)
{
    autofree char *file = NULL;
    struct err why = {0};
    struct bytes meta = {0};
    int64_t time = 0;
    int r = shards_read_meta(h, &file, &meta, &time);
    if (r < 0)
        return r;
    const uint64_t cluster = set_meta_cluster(meta);
    if (h->cluster && cluster && cluster != h->cluster)
        return err_set(h->e, -EINVAL,
                       "%s is of another server than %s; move the files of each into a folder of "
                       "their own",
                       h->run->meta, h->s->runs[h->s->nruns - 1].meta);
    h->cluster = cluster;
    if ((r = metaedit_open(meta.p, meta.n, &h->known, &why)) < 0)
        return err_set(h->e, r, "%s: %s", h->run->meta, why.text);
    if (!h->newest) {
        h->newest = h->known;
        h->s->created_ns = time - time % SECOND_NS;
    }
    return 0;
}

/* Which archives are known */

/* Whether the archive is named as one of this policy. */
static bool shards_is_named(const struct set_archive *a, const char *db, const char *rp)
{
    if (a->db)
        return strcmp(a->db, db) == 0 && strcmp(a->rp, rp) == 0;
    const size_t n = strlen(db), k = strlen(rp);
    return a->prefix == n + 1 + k && memcmp(a->name, db, n) == 0 && a->name[n] == '.' &&
           memcmp(a->name + n + 1, rp, k) == 0;
}

/* The archives of a shard are now known to be of this policy. */
static int shards_know(struct shards *h, const struct group *g, uint64_t id, uint64_t as,
                       enum set_fate fate)
{
    size_t i, end = shards_archives(h->s, id, &i);
    for (; i < end; i++) {
        struct set_archive *a = &h->s->archives[i];
        if (!shards_is_named(a, g->db->name, g->rp->name))
            return err_set(h->e, -EBADMSG,
                           "mixed up: %s is named as one of another policy than %s says of shard "
                           "%" PRIu64 ": %s.%s",
                           a->name, h->run->meta, id, g->db->name, g->rp->name);
        free(a->db);
        free(a->rp);
        a->db = strdup(g->db->name);
        a->rp = strdup(g->rp->name);
        a->as = as;
        a->fate = fate;
        if (!a->db || !a->rp)
            return err_sys(h->e, -ENOMEM, "%s", a->name);
    }
    return 0;
}

static int shards_of_newest(struct shards *h, const struct group *g)
{
    int r = 0;
    const struct metaedit_item *shard = metaedit_first(h->newest, g->it, METAEDIT_SHARD);
    if (!shard) { /* influxd before 1.12 divides by the number of a group's shards */
        metaedit_remove(h->newest, g->it);
        return 0;
    }
    for (; r == 0 && shard; shard = metaedit_next(shard))
        r = shards_know(h, g, shard->id, shard->id, SET_TAKEN);
    return r;
}

/* Older metastores */

static int shards_omit(struct shards *h, size_t first, size_t end)
{
    const struct set_archive *a = &h->s->archives[first];
    struct err name;
    uint64_t bytes = 0;
    if (a->db)
        err_set(&name, 0, "%s/%s/%" PRIu64, a->db, a->rp, a->id);
    else
        err_set(&name, 0, "%.*s.%05" PRIu64, (int)a->prefix, a->name, a->id);
    for (size_t i = first; i < end; i++)
        bytes += h->s->archives[i].bytes;
    int r = omissions_add(&h->s->left_out, name.text, end - first, bytes, OMITTED_UNKNOWN);
    return r < 0 ? err_sys(h->e, r, "%s", name.text) : 0;
}

/* Whether a group of the newest metastore has some of these times. */
static bool shards_overlap(const struct metaedit *m, const struct metaedit_item *rp,
                           const struct metaedit_item *group)
{
    const struct metaedit_item *g = metaedit_first(m, rp, METAEDIT_GROUP);
    for (; g; g = metaedit_next(g))
        if (!g->deleted && g->start < group->end && group->start < g->end)
            return true;
    return false;
}

/* The policy in the newest metastore, made if it is not there any more. */
static int shards_policy(struct shards *h, const struct group *g, const struct metaedit_item **out)
{
    const struct metaedit_item *db = metaedit_find(h->newest, NULL, METAEDIT_DATABASE, g->db->name);
    struct meta_rules rules = g->rp->rules;
    rules.is_default &= !db;
    int r = db ? 0 : metaedit_add_database(h->newest, g->db->name, &db, h->e);
    if (r < 0)
        return r;
    *out = metaedit_find(h->newest, db, METAEDIT_POLICY, g->rp->name);
    return *out ? 0 : metaedit_add_policy(h->newest, db, g->rp->name, &rules, out, h->e);
}

static int shards_unite_group(struct shards *h, const struct group *g, bool *done)
{
    struct metaedit_copied copied = {0};
    const struct metaedit_item *rp = NULL, *made;
    int r = shards_policy(h, g, &rp);
    *done = r == 0 && !shards_overlap(h->newest, rp, g->it);
    if (!*done)
        return r;
    r = metaedit_copy_group(h->newest, g->it, rp, &copied, &made, h->e);
    for (size_t i = 0; r == 0 && i < copied.nshards; i++)
        r = shards_know(h, g, copied.shards[i].from, copied.shards[i].to, SET_TAKEN);
    metaedit_copied_clear(&copied);
    h->united += r == 0;
    return r;
}

static bool shards_selected(const struct shards *h, const struct group *g, uint64_t id)
{
    const struct selection *part = h->s->o.part;
    return !part ||
           selection_has_shard(part, g->db->name, g->rp->name, id, g->it->start, g->it->end);
}

static int shards_of_older(struct shards *h, const struct group *g)
{
    const struct set *s = h->s;
    const struct metaedit_item *shard = metaedit_first(h->known, g->it, METAEDIT_SHARD);
    bool wanted = false, united = false;
    int r = 0;
    for (const struct metaedit_item *i = shard; i; i = metaedit_next(i)) {
        size_t first;
        wanted |=
            shards_archives(s, i->id, &first) > first && s->archives[first].fate == SET_UNKNOWN;
    }
    if (wanted && s->o.unite)
        r = shards_unite_group(h, g, &united);
    for (; wanted && !united && r == 0 && shard; shard = metaedit_next(shard)) {
        size_t first, end = shards_archives(s, shard->id, &first);
        if (end == first || s->archives[first].fate != SET_UNKNOWN)
            continue;
        r = shards_know(h, g, shard->id, shard->id, SET_LEFT);
        if (r == 0 && shards_selected(h, g, shard->id))
            r = shards_omit(h, first, end);
    }
    return r;
}

static int shards_omit_unknown(struct shards *h)
{
    const struct set *s = h->s;
    int r = 0;
    for (size_t i = 0, end; r == 0 && i < s->narchives; i = end) {
        end = set_shard_end(s, i);
        if (s->archives[i].fate == SET_UNKNOWN)
            r = shards_omit(h, i, end);
    }
    return r;
}

/* Completeness */

static bool shards_hold_database(const struct set *s, const char *db)
{
    for (size_t i = 0; i < s->narchives; i++)
        if (s->archives[i].fate == SET_TAKEN && strcmp(s->archives[i].db, db) == 0)
            return true;
    return false;
}

/* The same, remembered for the groups of one database, which come one after another. */
static bool shards_hold(struct shards *h, const struct metaedit_item *db)
{
    if (h->asked != db)
        h->holds = shards_hold_database(h->s, db->name);
    h->asked = db;
    return h->holds;
}

/* A shard of the group that is selected and has no file; NULL. */
static const struct metaedit_item *shards_missing(const struct shards *h, const struct group *g)
{
    const struct selection *part = h->s->o.part;
    const struct metaedit_item *i = metaedit_first(h->newest, g->it, METAEDIT_SHARD);
    for (; i; i = metaedit_next(i))
        if (!has_archives(h->s, i->id) &&
            (!part ||
             selection_has_shard(part, g->db->name, g->rp->name, i->id, g->it->start, g->it->end)))
            return i;
    return NULL;
}

/* The newest shard, if its time had come: one that influxd makes in advance has no points. */
static int shards_say_young(struct shards *h, const struct group *g,
                            const struct metaedit_item *shard)
{
    int r = set_add_warning(h->s,
                            "shard %" PRIu64 " of %s.%s, the newest one, has no file here: it was "
                            "made after the backup had begun, or its file is missing",
                            shard->id, g->db->name, g->rp->name);
    return r < 0 ? err_sys(h->e, r, "set") : 0;
}

/* Refuses a group without files, unless it is younger than all that have some. Of _internal, nobody
 * misses a file; but a backup of a whole server has it. */
static int shards_check_group(struct shards *h, const struct group *g)
{
    const struct metaedit_item *missing = shards_missing(h, g);
    const bool internal = strcmp(g->db->name, NAME_INTERNAL) == 0;
    bool held = false, younger = true;
    if (!missing)
        return 0;
    if (!shards_hold(h, g->db)) {
        h->s->part = true;
        return 0;
    }
    if (internal)
        return 0;
    const struct metaedit_item *i = metaedit_first(h->newest, g->rp, METAEDIT_GROUP);
    for (; i; i = metaedit_next(i)) {
        const struct metaedit_item *shard = metaedit_first(h->newest, i, METAEDIT_SHARD);
        if (i->deleted || !shard || !has_archives(h->s, shard->id))
            continue;
        held = true;
        younger &= i->start < g->it->start;
    }
    if (held && younger)
        return g->it->start <= h->s->created_ns ? shards_say_young(h, g, missing) : 0;
    return err_set(h->e, -EBADMSG,
                   "incomplete: %s lists shard %" PRIu64 " of %s.%s, of which no file is here; "
                   "find it, or name what is to be restored (--rp, --shard, --exclude)",
                   h->run->meta, missing->id, g->db->name, g->rp->name);
}

static int shards_check(struct shards *h)
{
    struct set *s = h->s;
    int r = shards_each_group(h, h->newest, shards_check_group);
    bool any = false;
    for (size_t i = 0; i < s->narchives; i++)
        any |= s->archives[i].fate == SET_TAKEN;
    if (r < 0 || any || !s->part)
        return r;
    return err_set(h->e, -EINVAL,
                   "it holds a metastore and no shard of it: `influxd backup` without -database "
                   "writes no more");
}

/* The snapshot's metastore */

static bool shards_choose(void *arg, const char *db)
{
    return shards_hold_database(arg, db);
}

/* How many items of this kind are in it. */
static size_t shards_items(const struct metaedit *m, const struct metaedit_item *in,
                           enum metaedit_kind kind)
{
    size_t n = 0;
    for (const struct metaedit_item *i = metaedit_first(m, in, kind); i; i = metaedit_next(i))
        n++;
    return n;
}

static int shards_print(struct shards *h)
{
    struct set *s = h->s;
    const struct metaedit_item *db = metaedit_first(h->newest, NULL, METAEDIT_DATABASE);
    s->users = shards_items(h->newest, NULL, METAEDIT_USER);
    for (; db; db = metaedit_next(db))
        s->queries += shards_items(h->newest, db, METAEDIT_QUERY);
    const struct metaedit_choice of_part = {.database = shards_choose, .arg = s, .users = true};
    int r = s->part ? metaedit_keep(h->newest, &of_part, h->e) : 0;
    return r < 0 ? r : metaedit_print(h->newest, &s->meta, &s->nmeta, h->e);
}

static int shards_run(struct shards *h, size_t i)
{
    h->run = &h->s->runs[i];
    int r = shards_open_meta(h);
    if (r == 0)
        r = shards_each_group(h, h->known,
                              h->known == h->newest ? shards_of_newest : shards_of_older);
    if (h->known != h->newest)
        metaedit_free(h->known);
    h->known = NULL;
    return r;
}

int set_shards(struct set *s, struct err *e)
{
    struct shards h = {.s = s, .e = e};
    int r = 0;
    for (size_t i = s->nruns; r == 0 && i-- > 0;)
        r = shards_run(&h, i);
    h.run = &s->runs[s->nruns - 1];
    s->part = h.run->limited;
    if (r == 0 && (r = shards_omit_unknown(&h)) == 0 && (r = shards_check(&h)) == 0)
        r = shards_print(&h);
    metaedit_free(h.newest);
    return r;
}
