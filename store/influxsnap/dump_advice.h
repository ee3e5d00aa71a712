/* SPDX-License-Identifier: MIT */
/* What stderr says of a dump, each line once: what the dump lacks, and what to know before writing
 * it into another server. */
#ifndef INFLUXFS_INFLUXSNAP_DUMP_ADVICE_H
#define INFLUXFS_INFLUXSNAP_DUMP_ADVICE_H

#include "store/export/dump.h"
#include "store/influxsnap/meter.h"

struct told_line;

/* Zeroed before its first use, except for the meter and what gets the lines. */
struct told {
    struct told_line *lines;
    struct meter *meter;                        /* hidden while a line is said */
    size_t lacking;                             /* lines of told_lacks */
    void (*also)(void *ctx, const char *words); /* gets all of told_lacks; NULL: nobody */
    void *ctx;
};

/* Something asked for is not in the result. For struct gaps: ctx is the struct told. */
void told_lacks(void *ctx, const char *words);

void told_clear(struct told *t);

/* Fields of several types: influxd takes only one in a shard. */
void dump_advice_types(struct told *t, const char *db, const char *rp,
                       const struct schema_measurement *m);
/* The same for the measurement of a query. Errors as schema_cache_policy. */
int dump_advice_named(struct told *t, struct schema_cache *c, const struct dump_query *q,
                      struct err *e);

/* The measurement that was named has no points: it may be mistyped. Not said where something is lacking. */
void dump_advice_empty(struct told *t, const struct dump_query *q);

/* Points of policy i of meta.db that another server would refuse. */
void dump_advice_policy(struct told *t, const struct shards *s, size_t i,
                        const struct dump_query *q, int64_t now_ns);

/* Deleted points, in the shards of a query's range, that the WAL brings back into the text
 * (walcache.h). Errors as revived_count, except for damage that the query's gaps allow. */
int dump_advice_deleted(struct told *t, struct schema_cache *c, const struct dump_query *q,
                        struct err *e);

/* What the capture omits of the database: files that influxd has set aside, shards unknown to
 * meta.db. rp NULL: of any policy. */
void dump_advice_omitted(struct told *t, const struct capture *c, const char *db, const char *rp);

#endif
