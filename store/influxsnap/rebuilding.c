/* SPDX-License-Identifier: MIT */
/* influxsnap rebuild-meta: a meta.db for the shards that lie in a store, where it is lost or too
 * old. */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/json.h"
#include "store/base/time.h"
#include "store/influx/census.h"
#include "store/influx/running.h"
#include "store/influxsnap/loosefind.h"
#include "store/influxsnap/metafile.h"
#include "store/influxsnap/snap.h"
#include "store/restore/session.h"
#include "store/restore/target.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct rebuilding {
    const struct options *o;
    const struct store_paths *p;
    struct metafile old;
    struct meta *known; /* what the old one says; NULL: it does not count */
    struct metaedit *m;
    struct loose *l;
    struct meter meter;
    size_t shards; /* that were added */
    size_t left_out;
    struct json_object *guessed, *lacking; /* arrays */
    char *kept;                            /* path of the old meta.db */
};

static void rebuilding_clear(struct rebuilding *b)
{
    metafile_clear(&b->old);
    meta_free(b->known);
    metaedit_free(b->m);
    loose_free(b->l);
    json_object_put(b->guessed);
    json_object_put(b->lacking);
    free(b->kept);
}

/* ---- what is asked for ---- */

static int64_t duration_of(void *arg, const char *db, const char *rp)
{
    const struct rebuilding *b = arg;
    return lengths_of(&b->o->duration, db, rp);
}

static int64_t shard_duration_of(void *arg, const char *db, const char *rp)
{
    const struct rebuilding *b = arg;
    return lengths_of(&b->o->shard_duration, db, rp);
}

static void say(void *arg, const char *text, bool left_out)
{
    struct rebuilding *b = arg;
    b->left_out += left_out;
    meter_hide(&b->meter);
    json_object_array_add(left_out ? b->lacking : b->guessed, json_text(text));
    if (left_out)
        snap_warn("%s", text);
    else
        snap_note("guessed: %s", text);
}

/* ---- whether it may be done ---- */

static int rebuilding_check(const struct rebuilding *b, struct err *e)
{
    struct err cut_off = {""};
    int r = session_look(b->p, &cut_off, e);
    if (r < 0)
        return r;
    if (r == 1 || cut_off.text[0])
        return err_set(e, -EBUSY, "%s",
                       r == 1 ? "another process is restoring this store" : cut_off.text);
    return b->o->dry_run ? 0 : running_forbids(b->p, e);
}

/* Reads the old meta.db and begins the new one: with what is known, or from nothing. */
static int rebuilding_begin(struct rebuilding *b, struct err *e)
{
    struct err why = {""};
    int r = metafile_read(b->p, &b->old, e);
    if (r < 0)
        return r;
    if (b->old.bytes && !b->o->replace) {
        r = meta_parse(b->old.bytes, b->old.n, &b->known, &why);
        if (r < 0)
            return err_set(e, r,
                           "%s/%s; --replace makes it anew from the folders, and keeps this one "
                           "beside it",
                           b->p->meta, why.text);
    }
    return metaedit_open(b->known ? b->old.bytes : NULL, b->known ? b->old.n : 0, &b->m, e);
}

static bool has_policy(void *arg, const char *db, const char *rp)
{
    const struct metaedit *m = arg;
    const struct metaedit_item *d = metaedit_find(m, NULL, METAEDIT_DATABASE, db);
    return d && metaedit_find(m, d, METAEDIT_POLICY, rp);
}

static uint64_t total(const struct loose *l)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < loose_count(l); i++)
        bytes += loose_at(l, i).bytes;
    return bytes;
}

static int rebuilding_find(struct rebuilding *b, struct err *e)
{
    const struct remeta_rules rules = {duration_of, shard_duration_of, say, b};
    struct stat st;
    if (stat(b->p->data, &st) < 0)
        return err_sys(e, -errno, "%s", b->p->data);
    int r = loosefind_store(b->p, b->known, &rules, b->l, e);
    if (r < 0)
        return r;
    meter_begin(&b->meter, "looking at", total(b->l));
    r = loosefind_remeta(b->l, b->m, &rules, &b->meter, &b->shards, e);
    meter_end(&b->meter);
    if (r < 0)
        return r;
    const char *no = lengths_unknown(&b->o->duration, has_policy, b->m);
    no = no ? no : lengths_unknown(&b->o->shard_duration, has_policy, b->m);
    if (no)
        return err_set(e, -EINVAL, "there is no policy %s", no);
    if (!b->shards && !b->known)
        return err_set(e, -ENOENT,
                       "no shard with a point lies in %s: there is nothing to make a "
                       "meta.db of",
                       b->p->data);
    return 0;
}

/* ---- done ---- */

/* influxd does not look at the WAL of a shard that has no folder of data. */
static int rebuilding_make_folders(struct rebuilding *b, struct err *e)
{
    struct stat data;
    int r = stat(b->p->data, &data) < 0 ? -errno : 0;
    for (size_t i = 0; r == 0 && i < loose_count(b->l); i++) {
        const struct loose_shard s = loose_at(b->l, i);
        autofree char *path = NULL;
        if (s.has_data || !s.nwal)
            continue;
        if (asprintf(&path, "%s/%s/%s/%" PRIu64, b->p->data, s.db, s.rp, s.id) < 0)
            return err_sys(e, -ENOMEM, "%s", b->p->data);
        snap_note("%s: made, since only its WAL is there", path);
        r = io_mkdir_p(path, 0755, data.st_uid, data.st_gid);
        if (r < 0)
            return err_sys(e, r, "%s", path);
    }
    return r < 0 ? err_sys(e, r, "%s", b->p->data) : 0;
}

static size_t items(const struct metaedit *m, const struct metaedit_item *in,
                    enum metaedit_kind kind)
{
    size_t n = 0;
    for (const struct metaedit_item *i = metaedit_first(m, in, kind); i; i = metaedit_next(i))
        n++;
    return n;
}

/* What --replace takes from a meta.db that can be read. */
static void rebuilding_say_lost(const struct rebuilding *b)
{
    cleanup(metaedit_freep) struct metaedit *old = NULL;
    if (!b->old.bytes || metaedit_open(b->old.bytes, b->old.n, &old, NULL) < 0)
        return;
    const struct metaedit_item *db = metaedit_first(old, NULL, METAEDIT_DATABASE), *rp;
    const size_t users = items(old, NULL, METAEDIT_USER);
    size_t queries = 0, subscriptions = 0;
    for (; db; db = metaedit_next(db)) {
        queries += items(old, db, METAEDIT_QUERY);
        for (rp = metaedit_first(old, db, METAEDIT_POLICY); rp; rp = metaedit_next(rp))
            subscriptions += items(old, rp, METAEDIT_SUBSCRIPTION);
        if (!metaedit_find(b->m, NULL, METAEDIT_DATABASE, db->name))
            snap_warn("the database %s has no shard with a point, and is not in the new meta.db",
                      db->name);
    }
    if (users + queries + subscriptions)
        snap_warn("%zu user%s, %zu continuous quer%s and %zu subscription%s of the old meta.db are "
                  "not in the new one",
                  users, plural(users), queries, queries == 1 ? "y" : "ies", subscriptions,
                  plural(subscriptions));
}

/* What the old one knew and nothing else does, and what retention will do. */
static void rebuilding_advise(const struct rebuilding *b, const void *bytes, size_t n)
{
    struct census c = {0};
    char kept[64];
    if (!b->known) {
        snap_note("users, grants, continuous queries and subscriptions are not in the folders: "
                  "the new meta.db has none");
        rebuilding_say_lost(b);
    }
    if (census_take(bytes, n, time_wall_ns(), &c, NULL) < 0)
        return;
    for (size_t i = 0; i < c.nexpired; i++) {
        census_duration(c.expired[i].duration, kept);
        snap_warn("%zu shard%s of %s/%s ended more than %s ago: influxd deletes what is older than "
                  "the policy says at its first check",
                  c.expired[i].shards, plural(c.expired[i].shards), c.expired[i].db,
                  c.expired[i].rp, kept);
    }
    census_clear(&c);
}

static int rebuilding_write(struct rebuilding *b, struct err *e)
{
    autofree void *bytes = NULL;
    size_t n = 0;
    cleanup(targets_freep) struct targets *t = NULL;
    int r = metaedit_print(b->m, &bytes, &n, e);
    if (r < 0)
        return r;
    rebuilding_advise(b, bytes, n);
    if (b->o->dry_run)
        return 0;
    r = targets_open(b->p, (uid_t)-1, (gid_t)-1, &t, e);
    if (r == 0)
        r = targets_lock(t, true, e); /* no restore begins meanwhile */
    if (r == 0)
        r = rebuilding_check(b, e);
    if (r == 0)
        r = rebuilding_make_folders(b, e);
    return r < 0 ? r : metafile_replace(b->p, &b->old, bytes, n, &b->kept, e);
}

/* ---- said ---- */

static size_t count(const struct metaedit *m, size_t *policies)
{
    const struct metaedit_item *db = metaedit_first(m, NULL, METAEDIT_DATABASE);
    size_t n = 0;
    *policies = 0;
    for (; db; db = metaedit_next(db), n++)
        *policies += items(m, db, METAEDIT_POLICY);
    return n;
}

static void rebuilding_print(struct rebuilding *b, bool written)
{
    size_t policies, databases = count(b->m, &policies);
    if (b->o->json) {
        struct json_object *o = json_object_new_object();
        json_add_bool(o, "written", written);
        json_add_count(o, "databases", databases);
        json_add_count(o, "policies", policies);
        json_add_count(o, "added", b->shards);
        json_add_text(o, "kept", b->kept);
        json_add(o, "guessed", json_object_get(b->guessed));
        json_add(o, "left_out", json_object_get(b->lacking));
        json_add(o, "warnings", snap_warnings_json());
        snap_print_json(o);
        return;
    }
    if (!b->shards)
        printf("meta.db knows every shard: nothing was changed\n");
    else
        printf("%s: %zu shard%s added, to %zu database%s with %zu polic%s in all\n",
               written ? "meta.db written" : "nothing was written", b->shards, plural(b->shards),
               databases, plural(databases), policies, policies == 1 ? "y" : "ies");
    if (b->kept)
        printf("the old meta.db is %s\n", b->kept);
}

static int rebuilding_run(struct snap *s, struct rebuilding *b, struct err *e)
{
    int r = snap_open(s, SNAP_LOOK, e);
    if (r == 0)
        r = rebuilding_check(b, e);
    if (r == 0)
        r = rebuilding_begin(b, e);
    if (r == 0)
        r = rebuilding_find(b, e);
    if (r == 0 && b->shards)
        r = rebuilding_write(b, e);
    return r;
}

int snap_rebuild_meta(struct snap *s)
{
    struct err e = {0};
    struct rebuilding b = {.o = &s->o,
                           .p = &s->paths,
                           .l = loose_new(),
                           .guessed = json_object_new_array(),
                           .lacking = json_object_new_array()};
    int r = b.l && b.guessed && b.lacking ? rebuilding_run(s, &b, &e)
                                          : err_sys(&e, -ENOMEM, "rebuild-meta");
    if (r == 0)
        rebuilding_print(&b, b.shards && !s->o.dry_run);
    int code = r == 0 && b.left_out ? EXIT_OMISSIONS : r == 0 ? EXIT_DONE : snap_fail(r, &e);
    if (r == -EBUSY && running_uses(&s->paths, NULL) == -EBUSY)
        code = EXIT_IN_USE;
    rebuilding_clear(&b);
    return code;
}
