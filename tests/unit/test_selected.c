/* SPDX-License-Identifier: MIT */
/* selected: which members and omissions a part has, what its meta.db knows, and that it stays the
 * same while the part does. */
#include "store/influx/metaedit.h"
#include "store/rewrite/selected.h"
#include "tests/unit/memory_capture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct meta_entry entries[] = {
    {"a", "autogen", 1, false},   {"a", "autogen", 2, true},   {"a", "one", 7, false},
    {"a.b", "autogen", 3, false}, {"b", "autogen", 10, false}, {"empty", "autogen", 0, false},
};

/* A user who may read these databases, as list ends with NULL. */
static void add_user(struct buffer *meta, const char *name, bool admin, const char *const *list)
{
    struct buffer user = {0};
    pb_bytes(&user, 1, name, strlen(name));
    pb_bytes(&user, 2, "hash", 4);
    pb_number(&user, 3, admin);
    for (; *list; list++) {
        struct buffer grant = {0};
        pb_bytes(&grant, 1, *list, strlen(*list));
        pb_number(&grant, 2, 1);
        pb_inner(&user, 4, &grant);
    }
    pb_inner(meta, 6, &user);
}

static struct buffer text_of(const char *text)
{
    struct buffer b = {0};
    buffer_string(&b, text);
    return b;
}

#define FOLDER ((struct buffer){0})

/* A store with the metastore above, as captured: index rises with each change. */
static struct memory *store_of(uint64_t index)
{
    struct memory *m = memory_new();
    struct buffer meta = meta_build(entries, sizeof(entries) / sizeof(*entries), index);
    add_user(&meta, "root", true, (const char *const[]){"a", NULL});
    add_user(&meta, "ann", false, (const char *const[]){"a", "b", NULL});
    add_user(&meta, "bob", false, (const char *const[]){"b", NULL});
    memory_add(m, "", "meta", FOLDER);
    memory_add(m, "meta", "meta.db", meta);
    memory_add(m, "", "data", FOLDER);
    memory_add(m, "data", "a", FOLDER);
    memory_add(m, "data/a", "autogen", FOLDER);
    memory_add(m, "data/a/autogen", "1", FOLDER);
    memory_add(m, "data/a/autogen/1", "000000001-000000001.tsm", text_of("one"));
    memory_add(m, "data/a/autogen", "2", FOLDER);
    memory_add(m, "data/a/autogen/2", "000000001-000000001.tsm", text_of("deleted"));
    memory_add(m, "data", "a.b", FOLDER);
    memory_add(m, "data/a.b", "autogen", FOLDER);
    memory_add(m, "data/a.b/autogen", "3", FOLDER);
    memory_add(m, "data/a.b/autogen/3", "index", FOLDER);
    memory_add(m, "data", "b", FOLDER);
    memory_add(m, "data/b", "autogen", FOLDER);
    memory_add(m, "data/b/autogen", "10", FOLDER);
    memory_add(m, "", "wal", FOLDER);
    memory_add(m, "wal", "a.b", FOLDER);
    memory_add(m, "wal/a.b", "autogen", FOLDER);
    memory_add(m, "wal/a.b/autogen", "3", FOLDER);
    memory_add(m, "wal/a.b/autogen/3", "_00001.wal", text_of("three"));
    for (size_t i = 0; i < m->c.n; i++)
        m->members[i].attr.mtime_ns = (int64_t)(m->members[i].attr.mode == S_IFDIR ? index : 1);
    m->members[1].attr.mtime_ns = (int64_t)index;
    m->c.record.index = index;
    m->c.record.created_ns = (int64_t)index * 1000;
    strcpy(m->c.record.id, "whole");
    return m;
}

/* Folders below the roots keep their times: those of other databases do not matter. */
static struct memory *store_with_older_folders(uint64_t index)
{
    struct memory *m = store_of(index);
    for (size_t i = 0; i < m->c.n; i++)
        if (*m->members[i].dir && m->members[i].attr.mode == S_IFDIR)
            m->members[i].attr.mtime_ns = 1;
    return m;
}

static struct catalog *catalog_in_memory(void)
{
    struct catalog *c;
    struct err note, e = {0};
    if (catalog_open(NULL, &c, &note, &e) < 0)
        fail_msg("%s", e.text);
    return c;
}

/* The part of the store by these names, with one reference; the store's is dropped. */
static struct capture *select_from(struct memory *store, const struct selection *what,
                                   struct catalog *catalog)
{
    struct capture *part = NULL;
    struct err e = {0};
    int r = selected_new(&store->c, what, catalog, NULL, &part, &e);
    if (r < 0)
        fail_msg("%d %s", r, e.text);
    capture_unref(&store->c);
    return part;
}

static struct selection of_database(const char *const *db)
{
    struct selection s = SELECTION_ALL;
    s.databases = db;
    s.ndatabases = 1;
    return s;
}

static void expect_members(const struct capture *c, const char *const *paths)
{
    char path[MEMBER_PATH_MAX];
    for (size_t i = 0; i < capture_count(c); i++) {
        member_path(capture_member(c, i), path);
        if (!paths[i])
            fail_msg("%s is too much", path);
        assert_string_equal(path, paths[i]);
    }
    assert_null(paths[capture_count(c)]);
}

static void test_members(void **state)
{
    const char *a = "a", *ab = "a.b", *empty = "empty";
    const struct selection one = of_database(&a), two = of_database(&ab),
                           three = of_database(&empty);
    struct catalog *catalog = catalog_in_memory();
    (void)state;
    struct capture *part = select_from(store_of(5), &one, catalog);
    expect_members(part,
                   (const char *const[]){"meta", "meta/meta.db", "data", "data/a", "data/a/autogen",
                                         "data/a/autogen/1",
                                         "data/a/autogen/1/000000001-000000001.tsm", "wal", NULL});
    char bytes[3];
    assert_int_equal(capture_read(part, 6, bytes, 3, 0, NULL), 0);
    assert_memory_equal(bytes, "one", 3);
    assert_int_equal(capture_origin(part)->kind, MANIFEST_DATABASE);
    assert_string_equal(capture_origin(part)->selection->databases[0], "a");
    capture_unref(part);
    part = select_from(store_of(5), &two, catalog);
    expect_members(part, (const char *const[]){"meta", "meta/meta.db", "data", "data/a.b",
                                               "data/a.b/autogen", "data/a.b/autogen/3",
                                               "data/a.b/autogen/3/index", "wal", "wal/a.b",
                                               "wal/a.b/autogen", "wal/a.b/autogen/3",
                                               "wal/a.b/autogen/3/_00001.wal", NULL});
    capture_unref(part);
    part = select_from(store_of(5), &three, catalog);
    expect_members(part, (const char *const[]){"meta", "meta/meta.db", "data", "wal", NULL});
    capture_unref(part);
    catalog_close(catalog);
}

/* The parts of a store by what is in its meta.db, in words. */
static void words_of_database(const struct metaedit *m, const struct metaedit_item *db,
                              struct buffer *out)
{
    const struct metaedit_item *rp, *group, *shard;
    char id[32];
    buffer_string(out, db->name);
    buffer_string(out, ":");
    buffer_string(out, db->default_policy);
    for (rp = metaedit_first(m, db, METAEDIT_POLICY); rp; rp = metaedit_next(rp)) {
        buffer_string(out, " ");
        buffer_string(out, rp->name);
        for (group = metaedit_first(m, rp, METAEDIT_GROUP); group; group = metaedit_next(group))
            for (shard = metaedit_first(m, group, METAEDIT_SHARD); shard;
                 shard = metaedit_next(shard)) {
                snprintf(id, sizeof(id), "/%d", (int)shard->id);
                buffer_string(out, id);
            }
    }
    buffer_string(out, "; ");
}

static void expect_meta(const struct capture *part, const char *words)
{
    struct metaedit *m;
    struct err e = {0};
    size_t len = capture_member(part, 1)->attr.size;
    autofree char *bytes = malloc(len);
    cleanup(buffer_free) struct buffer out = {0};
    const struct metaedit_item *item, *grant;
    assert_int_equal(capture_read(part, 1, bytes, len, 0, NULL), 0);
    if (metaedit_open(bytes, len, &m, &e) < 0)
        fail_msg("%s", e.text);
    for (item = metaedit_first(m, NULL, METAEDIT_DATABASE); item; item = metaedit_next(item))
        words_of_database(m, item, &out);
    for (item = metaedit_first(m, NULL, METAEDIT_USER); item; item = metaedit_next(item)) {
        buffer_string(&out, item->name);
        for (grant = metaedit_first(m, item, METAEDIT_GRANT); grant; grant = metaedit_next(grant)) {
            buffer_string(&out, " ");
            buffer_string(&out, grant->name);
        }
        buffer_string(&out, "; ");
    }
    buffer_add(&out, "", 1);
    assert_string_equal(out.p, words);
    metaedit_free(m);
}

static void test_meta(void **state)
{
    const char *a = "a";
    struct selection s = of_database(&a);
    struct catalog *catalog = catalog_in_memory();
    (void)state;
    struct capture *part = select_from(store_of(5), &s, catalog);
    expect_meta(part, "a:autogen autogen/1 one/7; ann a; ");
    capture_unref(part);
    s.rp = "one";
    part = select_from(store_of(5), &s, catalog);
    expect_meta(part, "a:one one/7; ann a; ");
    capture_unref(part);
    s.rp = NULL;
    s.shards = (const uint64_t[]){7};
    s.nshards = 1;
    part = select_from(store_of(5), &s, catalog);
    expect_meta(part, "a:autogen autogen one/7; ann a; ");
    capture_unref(part);
    struct selection rest = SELECTION_ALL;
    rest.exclude = &a;
    rest.nexclude = 1;
    part = select_from(store_of(5), &rest, catalog);
    expect_meta(part, "a.b:autogen autogen/3; b:autogen autogen/10; empty:autogen autogen; "
                      "ann b; bob b; ");
    capture_unref(part);
    catalog_close(catalog);
}

/* Counters of the store that rise with anything are not those of the part. */
static void test_stays_the_same(void **state)
{
    const char *a = "a";
    const struct selection s = of_database(&a);
    struct catalog *catalog = catalog_in_memory();
    (void)state;
    struct capture *first = select_from(store_with_older_folders(5), &s, catalog);
    struct capture *later = select_from(store_with_older_folders(9), &s, catalog);
    assert_memory_equal(capture_record(first), capture_record(later),
                        sizeof(struct catalog_record));
    assert_int_equal(capture_record(first)->index, 5);
    for (size_t i = 0; i < capture_count(first); i++) {
        const struct member *x = capture_member(first, i), *y = capture_member(later, i);
        assert_true(x->attr.mtime_ns == y->attr.mtime_ns && x->attr.size == y->attr.size);
        assert_true(x->index == y->index);
    }
    assert_int_equal(capture_member(first, 1)->index, 5);
    capture_unref(first);
    capture_unref(later);
    struct memory *changed = store_with_older_folders(11);
    changed->members[6].index = 11;
    later = select_from(changed, &s, catalog);
    assert_int_equal(capture_record(later)->index, 11);
    assert_int_equal(capture_member(later, 1)->index, 5);
    capture_unref(later);
    catalog_close(catalog);
}

static void test_told(void **state)
{
    static const char *const links[] = {"data/a/autogen/1 -> /x", "data/a/autogen/2 -> /x",
                                        "wal/a.b/autogen/3 -> /y"};
    const char *a = "a";
    const struct selection s = of_database(&a);
    struct catalog *catalog = catalog_in_memory();
    struct memory *store = store_of(5);
    size_t n;
    (void)state;
    omissions_add(&store->left_out, "a/autogen/99", 1, 10, OMITTED_UNKNOWN);
    omissions_add(&store->left_out, "a.b/autogen/98", 1, 10, OMITTED_UNKNOWN);
    omissions_add(&store->left_out, "data/a/autogen/1/000000002-000000001.tsm.bad", 1, 5,
                  OMITTED_BAD);
    omissions_add(&store->left_out, "data/lost+found", 0, 0, OMITTED_FOREIGN);
    store->c.links = links;
    store->c.nlinks = 3;
    struct omissions told = store->left_out;
    struct capture *part = select_from(store, &s, catalog);
    assert_int_equal(capture_left_out(part)->n, 2);
    assert_string_equal(capture_left_out(part)->at[0].name, "a/autogen/99");
    assert_int_equal(capture_left_out(part)->at[1].why, OMITTED_BAD);
    assert_string_equal(capture_links(part, &n)[0], links[0]);
    assert_int_equal(n, 1);
    capture_unref(part);
    omissions_clear(&told);
    catalog_close(catalog);
}

static void refused(const struct selection *s, const char *words)
{
    struct catalog *catalog = catalog_in_memory();
    struct memory *store = store_of(5);
    struct capture *part;
    struct err e = {0};
    assert_int_equal(selected_new(&store->c, s, catalog, NULL, &part, &e), -ENOENT);
    if (!strstr(e.text, words))
        fail_msg("%s", e.text);
    capture_unref(&store->c);
    catalog_close(catalog);
}

static void test_nothing_selected(void **state)
{
    const char *const names[] = {"a", "a.b", "b", "empty"};
    const char *missing = "A";
    struct selection s = of_database(&missing);
    (void)state;
    refused(&s, "there is no database A; there are a, a.b, b, empty");
    s = of_database(names);
    s.rp = "two";
    refused(&s, "no retention policy two; there are a.autogen, a.one");
    s.rp = NULL;
    s.shards = (const uint64_t[]){1, 3};
    s.nshards = 2;
    refused(&s, "no shard 3; there are 1 of a.autogen, 7 of a.one");
    s.nshards = 0;
    s.from = 1 << 20;
    refused(&s, "no shard has points at these times; there are times from 1970");
    s = (struct selection)SELECTION_ALL;
    s.exclude = names;
    s.nexclude = 4;
    refused(&s, "all that there are are excluded");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),          cmocka_unit_test(test_meta),
        cmocka_unit_test(test_stays_the_same),   cmocka_unit_test(test_told),
        cmocka_unit_test(test_nothing_selected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
