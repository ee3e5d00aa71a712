/* SPDX-License-Identifier: MIT */
/* What a restored meta.db makes influxd do once it runs: retention deletes, subscriptions and
 * continuous queries act, users can log in. Only numbers, and names of databases and policies:
 * destinations of subscriptions, texts of queries and password hashes are secrets, and never leave
 * meta.db. */
#ifndef INFLUXFS_INFLUX_CENSUS_H
#define INFLUXFS_INFLUX_CENSUS_H

#include "store/base/err.h"
#include "store/influx/meta.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A policy with shards that ended longer ago than its duration. */
struct census_policy {
    char *db, *rp;
    int64_t duration; /* nanoseconds */
    size_t shards;    /* past the duration */
};

struct census {
    struct meta_counts counts;
    struct census_policy *expired;
    size_t nexpired;
};

/* Examines the bytes of a meta.db as influxd will at `now` (nanoseconds since 1970). influxd
 * deletes a shard group when its policy's duration is not 0 and its end plus the duration is before
 * now. The database _internal is left out. Errors as meta_parse. The caller releases *out with
 * census_clear. */
int census_take(const void *meta, size_t len, int64_t now, struct census *out, struct err *e);
void census_clear(struct census *c);

/* Forgets expired policies of all but these n databases. */
void census_limit(struct census *c, const char *const *databases, size_t n);

/* Whether the policy is among the expired ones. */
bool census_has(const struct census *c, const char *db, const char *rp);

/* The same meta.db with the duration of those policies at 0: points are kept for ever. All other
 * bytes stay, except for enclosing lengths. The caller frees *out. -EBADMSG: it does not parse;
 * -ENOMEM. */
int census_keep(const struct census *c, const void *meta, size_t len, void **out, size_t *outlen,
                struct err *e);

/* Messages. `kept`: the duration was set to 0. */
void census_tell_expired(const struct census_policy *p, bool kept, struct err *line);

/* Lists the users, subscriptions and queries; false, and no output, if there are none. created: the
 * time of the snapshot, RFC 3339. */
bool census_tell_company(const struct census *c, const char *created, struct err *line);

/* A duration as influxd writes it: "30d", "1h30m", "1d12h". */
void census_duration(int64_t ns, char out[64]);

#endif
