/* SPDX-License-Identifier: MIT */
/* Of any meta.db that is one, each database has a meta.db of its own, with its policies and live
 * shards and no other; and all of them together have one. */
#include "store/rewrite/partmeta.h"
#include "tests/fuzz/fuzz.h"

/* The part by this selection, which must be one that is read again and gives itself. */
static struct meta *make(const struct partmeta *parts, const struct selection *what)
{
    struct partmeta *again = NULL;
    struct meta *meta = NULL, *same = NULL;
    void *bytes = NULL, *twice = NULL;
    size_t n = 0, m = 0;
    struct err e = {""};
    int r = partmeta_make(parts, what, &bytes, &n, &meta, &e);
    must_explain(r, -EBADMSG, &e); /* a name with a NUL byte */
    char *copy = r == 0 ? malloc(n + 1) : NULL;
    if (copy) {
        memcpy(copy, bytes, n);
        must(partmeta_new(copy, n, &again, &e) == 0);
        must(partmeta_make(again, what, &twice, &m, &same, &e) == 0);
        must(m == n && memcmp(bytes, twice, n) == 0);
    }
    partmeta_free(again);
    meta_free(same);
    free(twice);
    free(bytes);
    return meta;
}

static void check_database(const struct partmeta *parts, const struct meta *whole, const char *db)
{
    struct selection one = SELECTION_ALL;
    one.databases = &db;
    one.ndatabases = 1;
    struct meta *meta = make(parts, &one);
    const char *name, *rp;
    uint64_t id;
    size_t k;
    for (size_t i = 0; meta && i < meta_live_shards(meta); i++) {
        meta_live_shard_at(meta, i, &name, &rp, &id);
        must(strcmp(name, db) == 0 && meta_live_find(whole, db, rp, id, &k));
    }
    must(!meta || meta_has_database(meta, db));
    meta_free(meta);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct selection all = SELECTION_ALL;
    struct meta *whole = NULL;
    struct partmeta *parts = NULL;
    struct err e = {""};
    char *copy = malloc(n + 1);
    if (copy && n)
        memcpy(copy, data, n);
    if (!copy || meta_parse(copy, n, &whole, &e) < 0) {
        free(copy);
        meta_free(whole);
        return 0;
    }
    e.text[0] = '\0';
    int r = partmeta_new(copy, n, &parts, &e); /* it is stricter about what influxd never writes */
    must_explain(r, -EBADMSG, &e);
    must((r == 0) == (parts != NULL));
    for (size_t i = 0; parts && i < partmeta_count(parts) && i < 4; i++)
        check_database(parts, whole, partmeta_name(parts, i));
    if (parts)
        meta_free(make(parts, &all));
    partmeta_free(parts);
    meta_free(whole);
    return 0;
}
