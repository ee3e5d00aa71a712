/* SPDX-License-Identifier: MIT */
/* The metastore of a set: <UTC>.meta of a portable one, meta.00 of a legacy one. */
#include "store/base/cleanup.h"
#include "store/influx/metaedit.h"
#include "store/influx/protowire.h"
#include "store/sets/madeset_internal.h"
#include "store/sets/madeset_names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x59590101 /* influxdb services/snapshotter, BackupMagicHeader */
#define NODE "null\n"    /* what influxd writes for a node without a file of its own */

/* What is known of the shards in meta.db, by their order there. */
struct meta_shards {
    struct madeset *set;
    const struct meta *meta;
    size_t *number; /* in the set's list */
};

static void meta_shards_clear(struct meta_shards *m)
{
    free(m->number);
}

static int meta_shards_of(struct madeset *s, struct meta_shards *out)
{
    const struct shards *list = madeshards_list(s->shards);
    out->set = s;
    out->meta = shards_meta(list);
    out->number = calloc(shards_count(list) + 1, sizeof(*out->number));
    for (size_t i = 0; out->number && i < shards_count(list); i++) {
        const struct shard_files *f = shards_at(list, i);
        size_t at;
        if (meta_live_find(out->meta, f->db, f->rp, f->id, &at))
            out->number[at] = i;
    }
    return out->number ? 0 : -ENOMEM;
}

/* The number of a shard with points; false: it has none. */
static bool meta_has_points(const struct meta_shards *m, const struct metaedit_item *shard,
                            size_t *number)
{
    const struct metaedit_item *policy = metaedit_up(metaedit_up(shard));
    size_t at;
    if (!meta_live_find(m->meta, metaedit_up(policy)->name, policy->name, shard->id, &at))
        return false;
    *number = m->number[at];
    return m->set->points[*number];
}

static bool meta_group_has_points(const struct meta_shards *m, const struct metaedit *edit,
                                  const struct metaedit_item *group)
{
    size_t number;
    const struct metaedit_item *shard = metaedit_first(edit, group, METAEDIT_SHARD);
    while (shard && !meta_has_points(m, shard, &number))
        shard = metaedit_next(shard);
    return shard && !group->deleted;
}

static void meta_remove_all(struct metaedit *edit, const struct metaedit_item *in,
                            enum metaedit_kind kind)
{
    const struct metaedit_item *next, *item = metaedit_first(edit, in, kind);
    for (; item; item = next) {
        next = metaedit_next(item);
        metaedit_remove(edit, item);
    }
}

/* Takes the groups without points from a policy; whether some are left. */
static bool meta_reduce_policy(const struct meta_shards *m, struct metaedit *edit,
                               const struct metaedit_item *policy)
{
    const struct metaedit_item *next, *group = metaedit_first(edit, policy, METAEDIT_GROUP);
    for (; group; group = next) {
        next = metaedit_next(group);
        if (!meta_group_has_points(m, edit, group))
            metaedit_remove(edit, group);
    }
    meta_remove_all(edit, policy, METAEDIT_SUBSCRIPTION);
    return metaedit_first(edit, policy, METAEDIT_GROUP) != NULL;
}

static bool meta_reduce_database(const struct meta_shards *m, struct metaedit *edit,
                                 const struct metaedit_item *db)
{
    bool points = false;
    const struct metaedit_item *policy = metaedit_first(edit, db, METAEDIT_POLICY);
    for (; policy; policy = metaedit_next(policy))
        points |= meta_reduce_policy(m, edit, policy);
    meta_remove_all(edit, db, METAEDIT_QUERY);
    return points;
}

/* Takes away all that a portable restore does not use. */
static int meta_reduce(const struct meta_shards *m, struct metaedit *edit)
{
    int r = 0;
    const struct metaedit_item *next, *db = metaedit_first(edit, NULL, METAEDIT_DATABASE);
    for (; r == 0 && db; db = next) {
        next = metaedit_next(db);
        char *words = NULL;
        bool wanted = !m->set->db || strcmp(m->set->db, db->name) == 0;
        if (wanted && meta_reduce_database(m, edit, db))
            continue;
        if (wanted && asprintf(&words, "database %s: it has no points", db->name) < 0)
            words = NULL;
        r = wanted ? madeset_add_lack(m->set, false, words) : 0;
        metaedit_remove(edit, db);
    }
    meta_remove_all(edit, NULL, METAEDIT_USER);
    return r;
}

static uint64_t meta_greatest_id(const struct metaedit *edit)
{
    uint64_t most = 0;
    const struct metaedit_item *db, *policy, *group, *shard;
    for (db = metaedit_first(edit, NULL, METAEDIT_DATABASE); db; db = metaedit_next(db))
        for (policy = metaedit_first(edit, db, METAEDIT_POLICY); policy;
             policy = metaedit_next(policy))
            for (group = metaedit_first(edit, policy, METAEDIT_GROUP); group;
                 group = metaedit_next(group))
                for (shard = metaedit_first(edit, group, METAEDIT_SHARD); shard;
                     shard = metaedit_next(shard))
                    most = shard->id > most ? shard->id : most;
    return most;
}

/* Gives a shard the id that a legacy set needs, if it has points. */
static int meta_renumber(const struct meta_shards *m, struct metaedit *edit,
                         const struct metaedit_item *shard, uint64_t greatest, struct err *e)
{
    size_t number;
    if (!meta_has_points(m, shard, &number))
        return 0;
    uint64_t id = madeset_legacy_id(shard->id, greatest);
    if (!id)
        return err_set(e, -EIO,
                       "shard %" PRIu64 ": influxd restore takes no id that ends in 0, and "
                       "the ids of the store leave no room for another one",
                       shard->id);
    m->set->ids[number] = id;
    return id == shard->id ? 0 : metaedit_renumber(edit, shard, id, e);
}

/* A policy that the real restore cannot take keeps its rules, but has no shards. */
static int meta_refuse(const struct meta_shards *m, struct metaedit *edit,
                       const struct metaedit_item *policy, const char *why)
{
    char *words;
    bool points = false;
    const struct metaedit_item *group = metaedit_first(edit, policy, METAEDIT_GROUP);
    for (; group; group = metaedit_next(group))
        points |= meta_group_has_points(m, edit, group);
    meta_remove_all(edit, policy, METAEDIT_GROUP);
    if (!points)
        return 0;
    if (asprintf(&words, "database %s, policy %s: %s", metaedit_up(policy)->name, policy->name,
                 why) < 0)
        words = NULL;
    return madeset_add_lack(m->set, true, words);
}

/* Enterprise may leave groups without shards; influxd before 1.12 divides by their number. */
static void meta_remove_empty_groups(struct metaedit *edit, const struct metaedit_item *policy)
{
    const struct metaedit_item *next, *group = metaedit_first(edit, policy, METAEDIT_GROUP);
    for (; group; group = next) {
        next = metaedit_next(group);
        if (!metaedit_first(edit, group, METAEDIT_SHARD))
            metaedit_remove(edit, group);
    }
}

static int meta_number_policy(const struct meta_shards *m, struct metaedit *edit,
                              const struct metaedit_item *policy, uint64_t greatest, struct err *e)
{
    const char *db = metaedit_up(policy)->name, *why = madeset_refuses_database(db);
    const struct metaedit_item *group, *shard;
    int r = 0;
    if (!why)
        why = madeset_refuses_policy(db, policy->name, madeset_legacy_id(10, greatest));
    if (why)
        return meta_refuse(m, edit, policy, why);
    meta_remove_empty_groups(edit, policy);
    for (group = metaedit_first(edit, policy, METAEDIT_GROUP); group; group = metaedit_next(group))
        for (shard = metaedit_first(edit, group, METAEDIT_SHARD);
             r == 0 && shard && !group->deleted; shard = metaedit_next(shard))
            r = meta_renumber(m, edit, shard, greatest, e);
    return r;
}

static int meta_number_all(const struct meta_shards *m, struct metaedit *edit, struct err *e)
{
    const uint64_t greatest = meta_greatest_id(edit);
    const struct metaedit_item *db, *policy;
    int r = 0;
    for (db = metaedit_first(edit, NULL, METAEDIT_DATABASE); db; db = metaedit_next(db))
        for (policy = metaedit_first(edit, db, METAEDIT_POLICY); r == 0 && policy;
             policy = metaedit_next(policy))
            r = meta_number_policy(m, edit, policy, greatest, e);
    return r;
}

/* A message of field 1, the metastore, and field 2, MaxNodeID 0 (backup_util, PortablePacker). */
static void meta_pack_portable(struct buffer *b, const void *meta, size_t n)
{
    buffer_add(b, "\x0a", 1);
    protowire_put_varint(b, n);
    buffer_add(b, meta, n);
    buffer_add(b, "\x10\0", 2);
}

static void meta_add_u64(struct buffer *b, uint64_t v)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        buffer_add(b, &(uint8_t){(uint8_t)(v >> shift)}, 1);
}

static void meta_pack_legacy(struct buffer *b, const void *meta, size_t n)
{
    meta_add_u64(b, MAGIC);
    meta_add_u64(b, n);
    buffer_add(b, meta, n);
    meta_add_u64(b, strlen(NODE));
    buffer_string(b, NODE);
}

static int meta_read_store(struct madeset *s, struct metaedit **out, struct err *e)
{
    const struct capture *c = madeshards_capture(s->shards);
    size_t i = shards_meta_member(madeshards_list(s->shards));
    uint64_t n = capture_member(c, i)->attr.size;
    autofree char *bytes = n <= META_DB_MAX ? malloc(n + 1) : NULL;
    int r = bytes ? capture_read(c, i, bytes, (size_t)n, 0, e) : err_sys(e, -ENOMEM, "meta.db");
    return r < 0 ? r : metaedit_open(bytes, (size_t)n, out, e);
}

int madeset_meta(struct madeset *s, struct buffer *out, struct err *e)
{
    cleanup(metaedit_freep) struct metaedit *edit = NULL;
    cleanup(meta_shards_clear) struct meta_shards m = {0};
    autofree void *bytes = NULL;
    size_t n = 0;
    int r = meta_shards_of(s, &m);
    if (r == 0)
        r = meta_read_store(s, &edit, e);
    if (r == 0)
        r = s->query.format == MADESET_LEGACY ? meta_number_all(&m, edit, e)
                                              : meta_reduce(&m, edit);
    if (r == 0)
        r = metaedit_print(edit, &bytes, &n, e);
    if (r < 0)
        return e && e->text[0] ? r : err_sys(e, r, "the metastore of a set");
    s->nmeta = n;
    if (s->query.format == MADESET_LEGACY)
        meta_pack_legacy(out, bytes, n);
    else
        meta_pack_portable(out, bytes, n);
    return out->failed ? err_sys(e, -ENOMEM, "the metastore of a set") : 0;
}
