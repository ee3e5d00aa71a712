/* SPDX-License-Identifier: MIT */
/*
 * A meta.db that is changed: databases taken away, kept, copied from another one; groups and shards
 * added and renumbered. All that was not changed is printed byte for byte as it was read, in its
 * order, fields of unknown influxd versions included (protowire.h; meta.proto; influxdb
 * services/meta/data.go).
 *
 * Held while it is changed: a group has at least one shard (one that loses its last goes too; one
 * that was read without is left alone, and not copied); ids of groups and of shards that are given
 * here are used nowhere else in it; once anything has changed, Index is higher by one, and MaxShardID
 * and MaxShardGroupID are not below an id that is used.
 *
 * Items are handles, valid until metaedit_free or until they are removed. An id, a time or a name
 * of an item shows what has been changed. Not for use by several threads at once.
 */
#ifndef INFLUXFS_INFLUX_METAEDIT_H
#define INFLUXFS_INFLUX_METAEDIT_H

#include "store/base/err.h"
#include "store/influx/meta.h"
#include "store/influx/selection.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct metaedit;

/* What they lie in stands beside them; "the whole" is NULL. */
enum metaedit_kind {
    METAEDIT_DATABASE,     /* the whole */
    METAEDIT_POLICY,       /* a database */
    METAEDIT_GROUP,        /* of shards: a policy */
    METAEDIT_SHARD,        /* a group */
    METAEDIT_SUBSCRIPTION, /* a policy */
    METAEDIT_DESTINATION,  /* a subscription */
    METAEDIT_QUERY,        /* continuous: a database */
    METAEDIT_USER,         /* the whole */
    METAEDIT_GRANT         /* a user */
};

/* Read only. Times are nanoseconds since 1970, durations nanoseconds. */
struct metaedit_item {
    enum metaedit_kind kind;
    const char *name; /* a destination's is its URL, a grant's its database; "" if it has none */
    union {
        struct {
            const char *default_policy; /* of a database; may be "" */
        };
        struct meta_rules rules; /* of a policy */
        struct {
            uint64_t id;        /* of a group or a shard */
            int64_t start, end; /* of a group: start <= time < end */
            int64_t deleted;    /* when it was; 0: live */
            int64_t truncated;  /* takes no new points from this time on; 0: not truncated */
        };
        struct {
            const char *text; /* of a query: the whole CREATE CONTINUOUS QUERY; of a subscription:
                                 its mode, ALL or ANY; of a user: the bcrypt hash */
            bool admin;       /* a user */
        };
        int privilege; /* of a grant: 0 none, 1 read, 2 write, 3 all */
    };
};

/* Takes a copy of the bytes of a meta.db; n 0: an empty one, with a ClusterID made of random bits.
 * The caller releases *out with metaedit_free. Errors as meta_parse; a name with a NUL byte is
 * -EBADMSG too. */
int metaedit_open(const void *buf, size_t n, struct metaedit **out, struct err *e);
void metaedit_free(struct metaedit *m);
static inline void metaedit_freep(struct metaedit **m)
{
    metaedit_free(*m);
}

/* The bytes of the meta.db as it is now; the caller frees them. The same bytes that were opened if
 * nothing has changed. -ENOMEM; -EFBIG if it exceeds META_DB_MAX. */
int metaedit_print(const struct metaedit *m, void **out, size_t *len, struct err *e);

/* ---- what is in it ---- */

/* The first item of a kind in another one (NULL: in the whole), and the one after an item, in the
 * order of the file; NULL at the end. The next one may be asked for before an item is removed. */
const struct metaedit_item *metaedit_first(const struct metaedit *m, const struct metaedit_item *in,
                                           enum metaedit_kind kind);
const struct metaedit_item *metaedit_next(const struct metaedit_item *item);

/* The earliest time of a group: influxd lets the start of the first possible one wrap. */
static inline int64_t metaedit_earliest(const struct metaedit_item *group)
{
    return group->start < group->end ? group->start : INT64_MIN;
}

/* What it lies in; NULL for databases and users. */
const struct metaedit_item *metaedit_up(const struct metaedit_item *item);

/* The first with this name; NULL. Linear in the number of its kind. */
const struct metaedit_item *metaedit_find(const struct metaedit *m, const struct metaedit_item *in,
                                          enum metaedit_kind kind, const char *name);

/* The group of a policy into which influxd would write a point of this time; NULL. Linear in the
 * number of groups. */
const struct metaedit_item *metaedit_group_at(const struct metaedit *m,
                                              const struct metaedit_item *policy, int64_t time);

/* ---- taken away ---- */

/* The item and all that lies in it. A shard that was the last one of its group takes the group
 * along. Grants on a database stay: see metaedit_revoke. */
void metaedit_remove(struct metaedit *m, const struct metaedit_item *item);

/* All grants on this database. */
void metaedit_revoke(struct metaedit *m, const char *db);

/* Which parts stay; a NULL function: all of that kind. */
struct metaedit_choice {
    bool (*database)(void *arg, const char *db);
    bool (*policy)(void *arg, const char *db, const char *rp);
    bool (*shard)(void *arg, const char *db, const char *rp, uint64_t id, int64_t start,
                  int64_t end);
    void *arg;
    bool users; /* users stay with their grants on the databases that stay; else none does */
};

/* What is selected, and its users; borrows the selection. */
struct metaedit_choice metaedit_choice_of(const struct selection *s);

/* Removes all that is not chosen. Groups that are deleted or have no shard go. A policy goes only
 * if it is not chosen; if it was the default of its database, the first that stays is. A user stays
 * who is an admin or has a grant on a database that stays. */
int metaedit_keep(struct metaedit *m, const struct metaedit_choice *c, struct err *e);

/* ---- added ---- */

/* These shard ids are not given to anything: folders of shards that meta.db does not know bear
 * them. */
int metaedit_avoid(struct metaedit *m, uint64_t shard);

/* What a copy did. */
struct metaedit_moved {
    const char *rp;
    uint64_t from, to; /* the shard's id there and here; mostly the same */
};
enum metaedit_fate { METAEDIT_SAME, METAEDIT_REWRITTEN, METAEDIT_LEFT_OUT };
struct metaedit_query {
    const char *name;
    enum metaedit_fate fate;
    const char *why; /* for messages, if left out: "it writes into the database other" */
};
struct metaedit_copied {
    struct metaedit_moved *shards; /* by policy as copied, then by id there */
    size_t nshards;
    struct metaedit_query *queries;
    size_t nqueries;
    size_t subscriptions; /* that were left out */
    size_t granted;       /* users here who got their grants on it */
};
void metaedit_copied_clear(struct metaedit_copied *c);

/*
 * Adds a database of this or another meta.db (`from`) under the name `as`, or its own (NULL), which
 * must not be there (-EEXIST): remove it first to replace it. Its live groups and shards keep their
 * ids if these are free here, else get new ones. Owners of shards, which OSS does not look at, stay.
 * Deleted groups and those without shards are left out. No user is made, and with `as` NULL none is
 * changed: see metaedit_compare_grants. With a name, even if it is the same:
 *   - continuous queries are rewritten where they name the database, or left out if they would
 *     still write into another one or cannot be read (cqrename.h);
 *   - subscriptions are left out;
 *   - users who are here get the grants on `as` that they have there on the database, in addition
 *     to their own.
 * *out, if not NULL, is released by metaedit_copied_clear; its strings live as long as m.
 * -EINVAL: no name for a database; -EBADMSG: a shard is in two groups, or an id is so high that none
 * comes after it (so do all that give ids). After -ENOMEM or -EBADMSG m
 * may hold a part of it, and is of no use.
 */
int metaedit_copy_database(struct metaedit *m, const struct metaedit *from,
                           const struct metaedit_item *database, const char *as,
                           struct metaedit_copied *out, struct err *e);

struct metaedit_holder {
    const char *user; /* lives as long as `from` */
    int privilege;
    bool here; /* is a user here too */
};

/* Who has a grant on the database `db` of another meta.db (`from`) that no user of that name has here
 * on the database `here`; in the order of the file. The caller frees *out. -ENOMEM. */
int metaedit_compare_grants(const struct metaedit *m, const struct metaedit *from, const char *db,
                            const char *here, struct metaedit_holder **out, size_t *n,
                            struct err *e);

/* Adds a policy of this or another meta.db, with its rules and groups, to a database; it becomes the
 * default if there is none. -EEXIST. Moved shards are appended to *out. Subscriptions come along
 * only if both databases have the same name. */
int metaedit_copy_policy(struct metaedit *m, const struct metaedit_item *policy,
                         const struct metaedit_item *database, struct metaedit_copied *out,
                         struct err *e);

/* Adds a group of this or another meta.db with its shards to a policy, whatever groups are there:
 * the caller sees to it that they do not overlap. -EINVAL: it is deleted, or has no shard. */
int metaedit_copy_group(struct metaedit *m, const struct metaedit_item *group,
                        const struct metaedit_item *policy, struct metaedit_copied *out,
                        const struct metaedit_item **made, struct err *e);

/* New ones. A database has no policy at first and a policy becomes the default of its database if
 * rules->is_default; -EINVAL: no folder can have this name; -EEXIST. Groups stand in the order
 * that influxd keeps (by end, then start). id 0: the next one. An id that is used is -EEXIST. */
int metaedit_add_database(struct metaedit *m, const char *name, const struct metaedit_item **out,
                          struct err *e);
int metaedit_add_policy(struct metaedit *m, const struct metaedit_item *database, const char *name,
                        const struct meta_rules *rules, const struct metaedit_item **out,
                        struct err *e);
int metaedit_add_group(struct metaedit *m, const struct metaedit_item *policy, int64_t start,
                       int64_t end, const struct metaedit_item **out, struct err *e);
int metaedit_add_shard(struct metaedit *m, const struct metaedit_item *group, uint64_t id,
                       const struct metaedit_item **out, struct err *e);

/* metaedit_group_at, or a new group with one shard as influxd would make it for a point of this
 * time, cut where it would overlap another one. */
int metaedit_group_for(struct metaedit *m, const struct metaedit_item *policy, int64_t time,
                       const struct metaedit_item **out, struct err *e);

/* ---- changed ---- */

/* Gives a shard another id; 0: the next one. -EEXIST if it is used. */
int metaedit_renumber(struct metaedit *m, const struct metaedit_item *shard, uint64_t id,
                      struct err *e);

/* The user gets a privilege on a database in addition to what is there. */
int metaedit_grant(struct metaedit *m, const struct metaedit_item *user, const char *db,
                   int privilege, struct err *e);

#endif
