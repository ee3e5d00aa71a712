/* SPDX-License-Identifier: MIT */
/* meta_parse, what is asked of its result, and meta.db written anew by the census. */
#include "store/influx/census.h"
#include "store/influx/meta.h"
#include "tests/fuzz/fuzz.h"

static void check_name(const char *s)
{
    must(*s && !strchr(s, '/') && strcmp(s, ".") != 0 && strcmp(s, "..") != 0);
}

static void check_shards(const struct meta *m)
{
    const char *db, *rp, *last_db = "", *last_rp = "";
    uint64_t id, last_id = 0;
    int64_t start, end;
    for (size_t i = 0; i < meta_live_shards(m); i++) {
        meta_live_shard_at(m, i, &db, &rp, &id);
        meta_live_shard_times(m, i, &start, &end);
        check_name(db);
        check_name(rp);
        must(meta_databases(m) > 0 && meta_has_policy(m, db, rp));
        must(meta_shard(m, db, rp, id) != META_UNKNOWN);
        int c = strcmp(last_db, db);
        c = c ? c : strcmp(last_rp, rp);
        must(c < 0 || (c == 0 && last_id <= id));
        last_db = db;
        last_rp = rp;
        last_id = id;
    }
}

/* What retention would delete is kept, and nothing else has changed. */
static void check_census(const uint8_t *data, size_t n)
{
    const int64_t now = INT64_C(1500000000000000000);
    struct census c = {0}, again = {0};
    struct err e = {""};
    void *kept = NULL;
    size_t len = 0;
    int r = census_take(data, n, now, &c, &e);
    if (r == 0 && census_keep(&c, data, n, &kept, &len, &e) == 0) {
        must(len <= n && (c.nexpired || (len == n && memcmp(kept, data, n) == 0)));
        must(census_take(kept, len, now, &again, &e) == 0);
        must(again.counts.users == c.counts.users && again.counts.queries == c.counts.queries);
    }
    free(kept);
    census_clear(&again);
    census_clear(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct meta *m = NULL;
    struct err e = {""};
    bool same = false;
    int r = meta_parse(data, n, &m, &e);
    must_explain(r, -EBADMSG, &e);
    must((r == 0) == (m != NULL));
    if (m)
        check_shards(m);
    check_census(data, n);
    meta_free(m);
    e.text[0] = '\0';
    int compared = meta_same_but(data, n, data, n, "db", &same, &e);
    must_explain(compared, -EBADMSG, &e);
    must(r < 0 || (compared == 0 && same)); /* it looks at fewer things than meta_parse */
    return 0;
}
