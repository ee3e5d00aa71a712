/* SPDX-License-Identifier: MIT */
/* A meta.db of any bytes is refused, or printed as it is; and after any changes it is one that is
 * read again. Which changes is decided by the bytes. */
#include "store/influx/metaedit.h"
#include "tests/fuzz/fuzz.h"

typedef struct metaedit_item item;

static uint64_t seed;

static size_t dice(size_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (size_t)(seed >> 33) % n;
}

static const item *any(const struct metaedit *m, const item *in, enum metaedit_kind kind)
{
    const item *it = metaedit_first(m, in, kind);
    for (size_t k = dice(4); it && k && metaedit_next(it); k--)
        it = metaedit_next(it);
    return it;
}

static bool chosen(void *arg, const char *db)
{
    must(arg != NULL && *db);
    return dice(4) != 0;
}

static bool chosen_shard(void *arg, const char *db, const char *rp, uint64_t id, int64_t start,
                         int64_t end)
{
    must(arg != NULL && *db && *rp);
    return (id + (uint64_t)start + (uint64_t)end) % 3;
}

/* 0; or an error after which the meta.db is of no use. */
static int change_whole(struct metaedit *m, const struct metaedit *from, const item *db)
{
    const struct metaedit_choice c = {
        .database = chosen, .shard = chosen_shard, .users = dice(2), .arg = m};
    struct metaedit_copied copied = {0};
    struct err e = {""};
    const item *their = any(from, NULL, METAEDIT_DATABASE);
    int r = 0;
    if (dice(3) == 0) {
        r = metaedit_keep(m, &c, &e);
    } else if (db && dice(3) == 0) {
        metaedit_revoke(m, db->name);
        metaedit_remove(m, db);
    } else if (their) {
        r = metaedit_copy_database(m, from, their, dice(2) ? NULL : "copy", &copied, &e);
        must(r == 0 || r == -EEXIST || r == -EBADMSG || r == -ENOMEM);
        must_explain(r, r, &e);
    }
    metaedit_copied_clear(&copied);
    return r == -EEXIST ? 0 : r;
}

static int change_shards(struct metaedit *m, const item *rp)
{
    const item *g = any(m, rp, METAEDIT_GROUP), *s = g ? any(m, g, METAEDIT_SHARD) : NULL, *made;
    struct err e = {""};
    int r = 0;
    switch (dice(4)) {
    case 0:
        r = metaedit_group_for(m, rp, (int64_t)seed, &made, &e);
        break;
    case 1:
        if (s)
            r = metaedit_renumber(m, s, dice(10), &e);
        break;
    case 2:
        if (s)
            metaedit_remove(m, s);
        break;
    default:
        if (g)
            r = metaedit_add_shard(m, g, 0, &made, &e);
    }
    return r == -EEXIST ? 0 : r;
}

/* What was changed is read again, and printed then as it is. */
static void check_print(const struct metaedit *m)
{
    struct metaedit *again = NULL;
    struct meta *read = NULL;
    struct err e = {""};
    void *p = NULL, *q = NULL;
    size_t n = 0, k = 0;
    if (metaedit_print(m, &p, &n, &e) < 0)
        return;
    must(meta_parse(p, n, &read, &e) == 0);
    must(metaedit_open(p, n, &again, &e) == 0);
    must(metaedit_print(again, &q, &k, &e) == 0 && k == n && memcmp(p, q, n) == 0);
    meta_free(read);
    metaedit_free(again);
    free(p);
    free(q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct metaedit *m = NULL, *from = NULL;
    struct err e = {""};
    void *p = NULL;
    size_t len = 0;
    seed = 0;
    digest(&seed, data, n);
    int r = metaedit_open(data, n, &m, &e);
    must_explain(r, -EBADMSG, &e);
    if (r < 0)
        return 0;
    if (n) {
        must(metaedit_print(m, &p, &len, &e) == 0 && len == n && memcmp(p, data, n) == 0);
        free(p);
    }
    must(metaedit_open(data, n, &from, &e) == 0);
    for (size_t i = 0; r == 0 && i < 8; i++) {
        const item *db = any(m, NULL, METAEDIT_DATABASE);
        const item *rp = db ? any(m, db, METAEDIT_POLICY) : NULL;
        r = rp && dice(3) ? change_shards(m, rp) : change_whole(m, from, db);
    }
    if (r == 0)
        check_print(m);
    metaedit_free(m);
    metaedit_free(from);
    return 0;
}
