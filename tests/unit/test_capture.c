/* SPDX-License-Identifier: MIT */
/* capture: which members a store gives and in which order, what is refused, how WAL segments are
 * cut, and what stays the same from one capture to the next. */
#include "store/base/time.h"
#include "store/snapshot/capture_source.h"
#include "store/snapshot/damage.h"
#include "tests/unit/store_builder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND ((int64_t)1000000000)

struct fixture {
    struct store store;
    struct catalog *catalog;
    struct capture_source *source;
    char *state;
};

static void open_source(struct fixture *f)
{
    struct err note, e = {0};
    assert_int_equal(catalog_open(f->state, &f->catalog, &note, &e), 0);
    assert_string_equal(note.text, "");
    assert_int_equal(capture_source_new(&f->store.paths, f->catalog, "host", &f->source), 0);
}

static void close_source(struct fixture *f)
{
    capture_source_free(f->source);
    catalog_close(f->catalog);
}

/* As after a remount. */
static void reopen(struct fixture *f)
{
    close_source(f);
    open_source(f);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->store = store_new();
    f->state = temp_folder();
    open_source(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close_source(f);
    store_free(&f->store);
    tree_remove(f->state);
    free(f);
    return 0;
}

static int take(struct fixture *f, struct capture *newest, struct capture **out, struct err *e)
{
    struct window_wait wait = {time_mono_ns() + SECOND / 5, NULL, NULL};
    e->text[0] = 0;
    return capture_source_take(f->source, newest, &wait, out, e);
}

static struct capture *must_take(struct fixture *f, struct capture *newest)
{
    struct capture *c;
    struct err e;
    int r = take(f, newest, &c, &e);
    if (r < 0)
        fail_msg("capture_take: %d %s", r, e.text);
    return c;
}

#define assert_refused(f, code, words)                                                             \
    do {                                                                                           \
        struct capture *refused;                                                                   \
        struct err why;                                                                            \
        int got = take(f, NULL, &refused, &why);                                                   \
        if (got != (code) || !strstr(why.text, words))                                             \
            fail_msg("%d, not %d %s: %s", got, code, words, why.text);                             \
    } while (0)

static long find(const struct capture *c, const char *name)
{
    char path[MEMBER_PATH_MAX];
    for (size_t i = 0; i < capture_count(c); i++)
        if (strcmp(member_path(capture_member(c, i), path), name) == 0)
            return (long)i;
    return -1;
}

static uint64_t index_of(const struct capture *c, const char *name)
{
    long i = find(c, name);
    if (i < 0)
        fail_msg("%s is no member", name);
    return capture_member(c, (size_t)i)->index;
}

/* All paths, folders with a trailing slash, a line each. */
static char *members(const struct capture *c)
{
    struct buffer b = {0};
    char path[MEMBER_PATH_MAX];
    for (size_t i = 0; i < capture_count(c); i++) {
        const struct member *m = capture_member(c, i);
        assert_int_equal(strlen(member_path(m, path)), member_path_len(m));
        buffer_text(&b, "%s%s\n", path, member_is_folder(m) ? "/" : "");
    }
    buffer_add(&b, "", 1);
    return b.p;
}

/* A member's bytes, read in pieces of an odd size. */
static struct buffer bytes_of(const struct capture *c, const char *name)
{
    struct buffer b = {0};
    struct err e = {0};
    long i = find(c, name);
    if (i < 0)
        fail_msg("%s is no member", name);
    uint64_t size = capture_member(c, (size_t)i)->attr.size;
    for (uint64_t off = 0; off < size;) {
        char piece[997];
        size_t n = size - off < sizeof(piece) ? (size_t)(size - off) : sizeof(piece);
        if (capture_read(c, (size_t)i, piece, n, off, &e) < 0)
            fail_msg("%s", e.text);
        buffer_add(&b, piece, n);
        off += n;
    }
    return b;
}

static const struct meta_entry meta[] = {
    {"a db", "autogen", 1, false}, {"a db", "autogen", 2, false}, {"a db", "old", 3, true},
    {"b.c", "autogen", 10, false}, {"b.c", "autogen", 11, false},
};
#define METAS (sizeof(meta) / sizeof(*meta))

static void build(struct store *s)
{
    struct buffer wal = {0};
    wal_entry(&wal, "m#!~#f", 10);
    store_meta(s, meta, METAS);
    store_text(s, "data/a db/autogen/1/000000002-000000001.tsm", "second");
    store_text(s, "data/a db/autogen/1/000000001-000000001.tsm", "first");
    store_text(s, "data/a db/autogen/1/000000001-000000001.tombstone", "dead");
    store_text(s, "data/a db/autogen/1/fields.idx", "fields");
    store_text(s, "data/a db/autogen/1/index/0/MANIFEST", "manifest");
    store_text(s, "data/a db/_series/00/0000", "series");
    store_mkdir(s, "data/a db/autogen/2");
    store_text(s, "data/a db/old/3/000000001-000000001.tsm", "deleted");
    store_text(s, "data/b.c/autogen/10/000000001-000000001.tsm", "ten");
    store_text(s, "data/b.c/autogen/99/000000001-000000001.tsm", "unknown");
    store_put(s, "wal/a db/autogen/1/_00002.wal", wal.p, wal.n);
    store_put(s, "wal/a db/autogen/1/_00001.wal", wal.p, wal.n);
    store_put(s, "wal/b.c/autogen/99/_00001.wal", wal.p, wal.n);
    store_put(s, "wal/b.c/autogen/55/_00001.wal", wal.p, wal.n);
    store_mkdir(s, "wal/b.c/autogen/10");
    buffer_free(&wal);
}

static void members_and_their_order(void **state)
{
    struct fixture *f = *state;
    build(&f->store);
    struct capture *c = must_take(f, NULL);
    autofree char *all = members(c);
    assert_string_equal(all, "meta/\n"
                             "meta/meta.db\n"
                             "data/\n"
                             "data/a db/\n"
                             "data/a db/autogen/\n"
                             "data/a db/autogen/1/\n"
                             "data/a db/autogen/1/000000001-000000001.tombstone\n"
                             "data/a db/autogen/1/000000001-000000001.tsm\n"
                             "data/a db/autogen/1/000000002-000000001.tsm\n"
                             "data/a db/autogen/1/index/\n"
                             "data/a db/autogen/2/\n"
                             "data/a db/old/\n"
                             "data/a db/old/3/\n"
                             "data/a db/old/3/000000001-000000001.tsm\n"
                             "data/b.c/\n"
                             "data/b.c/autogen/\n"
                             "data/b.c/autogen/10/\n"
                             "data/b.c/autogen/10/000000001-000000001.tsm\n"
                             "wal/\n"
                             "wal/a db/\n"
                             "wal/a db/autogen/\n"
                             "wal/a db/autogen/1/\n"
                             "wal/a db/autogen/1/_00001.wal\n"
                             "wal/a db/autogen/1/_00002.wal\n"
                             "wal/b.c/\n"
                             "wal/b.c/autogen/\n"
                             "wal/b.c/autogen/10/\n");
    assert_int_equal(capture_left_out(c)->n, 1);
    assert_string_equal(capture_left_out(c)->at[0].name, "b.c/autogen/99");
    struct buffer b = bytes_of(c, "data/a db/autogen/1/000000002-000000001.tsm");
    assert_int_equal(b.n, 6);
    assert_memory_equal(b.p, "second", 6);
    buffer_free(&b);
    /* What influxd removes afterwards stays readable. */
    store_remove(&f->store, "data/a db");
    b = bytes_of(c, "data/a db/autogen/1/000000001-000000001.tsm");
    assert_memory_equal(b.p, "first", 5);
    buffer_free(&b);
    capture_unref(c);
}

static void stores_that_are_refused(void **state)
{
    struct fixture *f = *state;
    struct store *s = &f->store;
    assert_refused(f, -ENOENT, "there is no store yet");
    store_mkdir(s, "data");
    assert_refused(f, -EIO, "meta");
    store_mkdir(s, "meta");
    assert_refused(f, -EIO, "meta.db");
    store_text(s, "meta/meta.db", "no protobuf");
    assert_refused(f, -EIO, "meta.db");
    store_text(s, "meta/meta.db", "");
    assert_refused(f, -EIO, "meta.db");
    store_meta(s, meta, METAS);
    assert_refused(f, -EIO, "holds none of them");
    store_text(s, "data/b.c/autogen/10/000000001-000000001.tsm", "ten");
    assert_refused(f, -EIO, "no WAL folder");
    store_mkdir(s, "wal");
    capture_unref(must_take(f, NULL));
    store_remove(s, "data");
    assert_refused(f, -EIO, "the data folder");
    store_text(s, "data/x/autogen/5/000000001-000000001.tsm", "unknown");
    assert_refused(f, -EIO, "meta.db");
    store_meta(s, NULL, 0);
    assert_refused(f, -EIO, "knows none of them");
    store_text(s, "meta/raft.db", "fence");
    assert_refused(f, -EAGAIN, "raft.db");
    store_remove(s, "meta");
    assert_refused(f, -EIO, "the meta folder");
    store_remove(s, "data");
    store_remove(s, "wal");
    assert_refused(f, -EIO, "the store is gone");
}

/* Each form in which a listed shard, or what it lies in, can be there and not be a folder. */
static void what_is_listed_and_no_folder_is_refused(void **state)
{
    static const struct meta_entry listed[] = {{"db", "rp", 1, false}, {"db", "rp", 2, false}};
    static const char *const levels[] = {"data/db", "data/db/rp", "data/db/rp/2"};
    static const char *const wal_levels[] = {"wal/db", "wal/db/rp", "wal/db/rp/2"};
    struct fixture *f = *state;
    struct store *s = &f->store;
    store_meta(s, listed, 2);
    for (size_t i = 0; i < 6; i++) {
        const char *level = i < 3 ? levels[i] : wal_levels[i - 3];
        for (int form = 0; form < 4; form++) {
            store_text(s, "data/db/rp/1/000000001-000000001.tsm", "one");
            store_text(s, "data/db/rp/2/000000001-000000001.tsm", "two");
            store_mkdir(s, "wal/db/rp/1");
            store_mkdir(s, "wal/db/rp/2");
            store_remove(s, level);
            char path[4096];
            snprintf(path, sizeof(path), "%s/%s", s->top, level);
            if (form == 0)
                store_text(s, level, "a file");
            else if (form == 1)
                assert_int_equal(mkfifo(path, 0600), 0);
            else if (form == 2)
                assert_int_equal(symlink("nowhere", path), 0);
            else
                assert_int_equal(symlink(strrchr(path, '/') + 1, path), 0);
            assert_refused(f, -EIO, level);
            store_remove(s, level);
        }
    }
    /* Nothing by its name is right: influxd makes the folder with the first point. */
    store_remove(s, "data/db/rp/2");
    capture_unref(must_take(f, NULL));
    /* But not if its WAL has points. */
    store_text(s, "wal/db/rp/2/_00001.wal", "x");
    assert_refused(f, -EIO, "data/db/rp/2");
}

static void ids_used_twice_are_refused(void **state)
{
    static const struct meta_entry listed[] = {{"db", "rp", 1, false},
                                               {"other", "autogen", 2, false}};
    struct fixture *f = *state;
    struct store *s = &f->store;
    store_meta(s, listed, 2);
    store_text(s, "data/db/rp/1/000000001-000000001.tsm", "one");
    store_text(s, "data/db/rp/2/000000001-000000001.tsm", "two");
    store_mkdir(s, "wal");
    assert_refused(f, -EIO, "gives its id to shard other/autogen/2");
    store_text(s, "data/other/autogen/2/000000001-000000001.tsm", "its own");
    assert_refused(f, -EIO, "data/db/rp/2");
    store_remove(s, "data/db/rp/2");
    capture_unref(must_take(f, NULL));
}

/* Of one database; NULL with *e set where that is refused. */
static struct capture *take_part(struct fixture *f, const char *db, struct capture *before,
                                 struct err *e)
{
    struct selection what = SELECTION_ALL;
    const struct window_wait wait = {time_mono_ns() + 10 * SECOND_NS, NULL, NULL};
    struct capture *c = NULL;
    what.databases = &db;
    what.ndatabases = 1;
    *e = (struct err){{0}};
    int r = capture_source_part(f->source, &what, before, NULL, &wait, &c, e);
    assert_true(r == 0 || r == -EIO);
    return c;
}

/* Refused for this reason, also where an earlier capture could be given again. */
static void assert_part_refused(struct fixture *f, const char *db, struct capture *before,
                                const char *why)
{
    struct err e;
    assert_null(take_part(f, db, before, &e));
    if (!strstr(e.text, why))
        fail_msg("%s", e.text);
}

static struct capture *must_take_part(struct fixture *f, const char *db, struct capture *before)
{
    struct err e;
    struct capture *c = take_part(f, db, before, &e);
    if (!c)
        fail_msg("%s", e.text);
    return c;
}

static void ids_used_outside_a_part_are_refused(void **state)
{
    static const struct meta_entry listed[] = {{"a", "rp", 1, false},
                                               {"b", "autogen", 2, false},
                                               {"c", "autogen", 3, false},
                                               {"a", "rp", 3, true}};
    struct fixture *f = *state;
    struct store *s = &f->store;
    store_meta(s, listed, 4);
    store_text(s, "data/a/rp/1/000000001-000000001.tsm", "one");
    store_text(s, "data/a/rp/3/000000001-000000001.tsm", "deleted, but not gone");
    store_text(s, "data/a/rp/9/000000001-000000001.tsm", "an id of nobody");
    store_text(s, "data/a/rp/2/000000001-000000001.tsm", "two");
    store_text(s, "data/c/autogen/3/000000001-000000001.tsm", "three");
    store_mkdir(s, "wal");
    assert_part_refused(f, "b", NULL, "data/a/rp/2: meta.db does not list it");
    store_text(s, "data/b/autogen/2/000000001-000000001.tsm", "its own");
    assert_part_refused(f, "b", NULL, "data/a/rp/2");
    capture_unref(must_take_part(f, "c", NULL));
    store_remove(s, "data/a/rp/2");
    capture_unref(must_take_part(f, "b", NULL)); /* although it was seen a moment ago */
    store_text(s, "data/a/rp/002/000000001-000000001.tsm", "influxd takes it for 2");
    reopen(f);
    assert_part_refused(f, "b", NULL, "data/a/rp/002");
}

/* It may have come since an earlier capture, in which nothing has changed. */
static void ids_used_later_outside_a_part_are_refused(void **state)
{
    static const struct meta_entry listed = {"b", "autogen", 2, false};
    struct fixture *f = *state;
    struct store *s = &f->store;
    store_meta(s, &listed, 1);
    store_text(s, "data/b/autogen/2/000000001-000000001.tsm", "its own");
    store_mkdir(s, "wal");
    struct capture *c = must_take_part(f, "b", NULL), *again = must_take_part(f, "b", c);
    assert_ptr_equal(c, again);
    capture_unref(again);
    store_text(s, "data/a/rp/2/000000001-000000001.tsm", "another");
    usleep(1100000); /* as long as the last look lasts */
    assert_part_refused(f, "b", c, "data/a/rp/2");
    capture_unref(c);
}

static void what_is_left_out_is_named(void **state)
{
    static const struct meta_entry listed = {"db", "rp", 1, false};
    struct fixture *f = *state;
    struct store *s = &f->store;
    char text[500];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    store_meta(s, &listed, 1);
    store_text(s, "data/db/rp/1/000000001-000000001.tsm", text);
    store_text(s, "data/db/rp/1/000000002-000000001.tsm.bad", "bad");
    store_text(s, "data/db/rp/1/000000003-000000001.tsm.tmp", "tmp");
    store_text(s, "data/db/rp/9/000000001-000000001.tsm", "unknown");
    store_text(s, "data/db/rp/9/000000002-000000001.tsm.bad", "more");
    store_text(s, "wal/db/rp/9/_00001.wal", "w");
    store_text(s, "data/lost+found/x", "what fsck found");
    struct capture *c = must_take(f, NULL);
    const struct omissions *o = capture_left_out(c);
    assert_int_equal(o->n, 2);
    assert_string_equal(o->at[0].name, "data/db/rp/1/000000002-000000001.tsm.bad");
    assert_true(o->at[0].why == OMITTED_BAD && o->at[0].files == 1 && o->at[0].bytes == 3);
    assert_string_equal(o->at[1].name, "db/rp/9");
    assert_true(o->at[1].why == OMITTED_UNKNOWN && o->at[1].files == 3 && o->at[1].bytes == 12);
    assert_int_equal(omissions_that_count(o), 2);
    char line[400];
    omissions_say(o, line, sizeof(line));
    assert_non_null(
        strstr(line, "left out: 2, 15 bytes: data/db/rp/1/000000002-000000001.tsm.bad ("));
    omissions_say(o, line, 100);
    assert_non_null(strstr(line, "and 2 more"));
    capture_unref(c);
    /* More than what is kept. */
    for (int i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof(name), "data/db/rp/9/%09d-000000001.tsm", i + 5);
        store_text(s, name, text);
    }
    assert_refused(f, -EIO, "more would be left out than kept");
    capture_source_allow_left_out(f->source);
    c = must_take(f, NULL);
    assert_int_equal(omissions_bytes(capture_left_out(c)), 15 + 3 * 499);
    capture_unref(c);
}

static void linked_shards_are_captured(void **state)
{
    static const struct meta_entry listed = {"db", "rp", 1, false};
    struct fixture *f = *state;
    struct store *s = &f->store;
    struct buffer wal = {0};
    char path[4096];
    size_t n;
    wal_entry(&wal, "m#!~#f", 10);
    store_meta(s, &listed, 1);
    store_text(s, "slow/1/000000001-000000001.tsm", "one");
    store_put(s, "slow/wal/rp/1/_00001.wal", wal.p, wal.n);
    buffer_free(&wal);
    store_mkdir(s, "data/db/rp");
    store_mkdir(s, "wal");
    snprintf(path, sizeof(path), "%s/data/db/rp/1", s->top);
    assert_int_equal(symlink("../../../slow/1", path), 0);
    snprintf(path, sizeof(path), "%s/wal/db", s->top);
    assert_int_equal(symlink("../slow/wal", path), 0);
    struct capture *c = must_take(f, NULL);
    autofree char *all = members(c);
    assert_string_equal(all, "meta/\nmeta/meta.db\ndata/\ndata/db/\ndata/db/rp/\ndata/db/rp/1/\n"
                             "data/db/rp/1/000000001-000000001.tsm\nwal/\nwal/db/\nwal/db/rp/\n"
                             "wal/db/rp/1/\nwal/db/rp/1/_00001.wal\n");
    const char *const *links = capture_links(c, &n);
    assert_int_equal(n, 2);
    assert_string_equal(links[0], "data/db/rp/1 -> ../../../slow/1");
    assert_string_equal(links[1], "wal/db/rp/1 -> ../slow/wal");
    capture_unref(c);
}

static void stores_that_are_empty(void **state)
{
    struct fixture *f = *state;
    struct store *s = &f->store;
    store_meta(s, NULL, 0);
    store_mkdir(s, "data");
    struct capture *c = must_take(f, NULL);
    autofree char *a = members(c);
    assert_string_equal(a, "meta/\nmeta/meta.db\ndata/\n");
    capture_unref(c);
    /* A database without points. */
    store_meta(s, &(struct meta_entry){"db", "autogen", 0, false}, 1);
    store_mkdir(s, "wal");
    c = must_take(f, NULL);
    autofree char *b = members(c);
    assert_string_equal(b, "meta/\nmeta/meta.db\ndata/\nwal/\n");
    capture_unref(c);
}

static struct buffer entries(unsigned n)
{
    struct buffer b = {0};
    for (unsigned i = 0; i < n; i++)
        wal_entry(&b, i % 2 ? "m,host=a#!~#value" : "m#!~#f", 1 + i * 7);
    return b;
}

#define SEGMENT "wal/b.c/autogen/10/_00001.wal"

/* Puts these bytes there as a segment; what a capture makes of it must be the other ones. */
static void check_segment(struct fixture *f, const struct buffer *put, const struct buffer *want)
{
    store_put(&f->store, SEGMENT, put->p, put->n);
    struct capture *c = must_take(f, NULL);
    struct buffer got = bytes_of(c, SEGMENT);
    assert_int_equal(got.n, want->n);
    if (want->n)
        assert_memory_equal(got.p, want->p, want->n);
    buffer_free(&got);
    capture_unref(c);
}

/* What is said of the segment, in a store that has it and others; NULL: nothing. */
static void check_damage(struct fixture *f, const struct buffer *put, const char *want)
{
    struct err e = {0};
    store_put(&f->store, SEGMENT, put->p, put->n);
    struct capture *c = must_take(f, NULL);
    size_t i = (size_t)find(c, SEGMENT);
    assert_int_equal(capture_damaged(c, i), want != NULL);
    assert_int_equal(damage_look(c, i, DAMAGE_ENDS, &e), want ? -EBADMSG : 0);
    assert_string_equal(e.text, want ? want : "");
    capture_unref(c);
}

static void wal_tails_are_trimmed(void **state)
{
    struct fixture *f = *state;
    struct buffer whole = entries(5), four = entries(4);
    build(&f->store);
    check_segment(f, &whole, &whole);
    for (size_t n = four.n; n < whole.n; n++) {
        struct buffer torn = {.p = whole.p, .n = n};
        check_segment(f, &torn, &four);
        check_damage(f, &torn, NULL);
    }
    struct buffer none = {0}, head = {.p = (char *)"\1\0\0", .n = 3}, junk = entries(5);
    check_segment(f, &none, &none);
    check_segment(f, &head, &none);
    buffer_add(&junk, "junk junk junk", 14);
    check_segment(f, &junk, &whole);
    buffer_free(&whole);
    buffer_free(&four);
    buffer_free(&junk);
}

/* Torn at the end of the newest segment is an entry in the making; all else is damage. */
static void wal_damage_is_told(void **state)
{
    struct fixture *f = *state;
    struct buffer four = entries(4), put = entries(5), zeros = entries(4);
    char want[200];
    size_t n = put.n;
    build(&f->store);
    buffer_add(&zeros, "\0\0\0\0\0\0\0", 7);
    check_damage(f, &zeros, NULL);
    put.n -= 3; /* torn */
    check_damage(f, &put, NULL);
    store_put(&f->store, "wal/b.c/autogen/10/_00002.wal", "", 0);
    snprintf(want, sizeof(want),
             SEGMENT ": damaged at byte %zu: the %zu bytes from there on are not in the snapshot",
             four.n, put.n - four.n);
    check_damage(f, &put, want);
    check_segment(f, &put, &four);
    check_damage(f, &four, NULL);
    check_damage(f, &zeros, NULL);
    store_remove(&f->store, "wal/b.c/autogen/10/_00002.wal");
    store_put(&f->store, "wal/b.c/autogen/10/_100000.wal", "", 0); /* the newer one, before it */
    put.p[four.n] = 9;
    put.n = n;
    snprintf(want, sizeof(want),
             SEGMENT ": damaged at byte %zu: the %zu bytes from there on are not in the snapshot",
             four.n, n - four.n);
    check_damage(f, &put, want);
    check_segment(f, &put, &four);
    /* After a hole. */
    buffer_add(&zeros, four.p, four.n);
    buffer_add(&zeros, "junk", 4);
    snprintf(want, sizeof(want),
             SEGMENT ": damaged at byte %zu: the 4 bytes from there on are not in the snapshot",
             2 * four.n + 7);
    check_damage(f, &zeros, want);
    buffer_free(&four);
    buffer_free(&put);
    buffer_free(&zeros);
}

/* What was scanned for an earlier capture, which still has the file, is not believed for ever. */
static void wal_damage_is_noticed_later(void **state)
{
    struct fixture *f = *state;
    struct buffer put = entries(5), two = entries(2);
    build(&f->store);
    store_put(&f->store, SEGMENT, put.p, put.n);
    store_age(&f->store, SEGMENT, 60);
    struct capture *c = must_take(f, NULL);
    autofree char *path = store_path(&f->store, SEGMENT);
    autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
    put.p[two.n] = 9;
    assert_int_equal(io_pwrite_all(fd, put.p, put.n, 0), 0);
    struct capture *next = must_take(f, c);
    assert_false(capture_damaged(c, (size_t)find(c, SEGMENT)));
    assert_true(capture_damaged(next, (size_t)find(next, SEGMENT)));
    capture_unref(c);
    capture_unref(next);
    check_segment(f, &put, &two);
    buffer_free(&put);
    buffer_free(&two);
}

static void wal_holes_are_left_out(void **state)
{
    struct fixture *f = *state;
    struct buffer part = entries(3), put = {0}, want = {0};
    char zeros[5000] = "";
    build(&f->store);
    for (unsigned holes = 1; holes <= 5; holes++) {
        buffer_add(&put, part.p, part.n);
        buffer_add(&want, part.p, part.n);
        buffer_add(&put, zeros, holes * 997);
        check_segment(f, &put, &want);
    }
    buffer_add(&put, part.p, part.n);
    buffer_add(&want, part.p, part.n);
    check_segment(f, &put, &want);
    buffer_add(&put, "torn", 4);
    check_segment(f, &put, &want);
    buffer_free(&part);
    buffer_free(&put);
    buffer_free(&want);
}

/* A segment that is being appended to: each capture goes on where the one before it ended. */
static void growing_segments(void **state)
{
    struct fixture *f = *state;
    struct buffer all = entries(40), next_whole = entries(1);
    struct capture *c = NULL;
    size_t whole = 0; /* how much of what is there is complete entries */
    unsigned n_whole = 0;
    build(&f->store);
    store_put(&f->store, SEGMENT, "", 0);
    for (size_t done = 0; done < all.n;) {
        size_t n = all.n - done < 333 ? all.n - done : 333;
        store_append(&f->store, SEGMENT, all.p + done, n);
        done += n;
        while (n_whole < 40 && next_whole.n <= done) {
            whole = next_whole.n;
            buffer_free(&next_whole);
            next_whole = entries(++n_whole + 1);
        }
        struct capture *next = must_take(f, c);
        assert_ptr_not_equal(next, c);
        struct buffer got = bytes_of(next, SEGMENT);
        assert_int_equal(got.n, whole);
        if (got.n)
            assert_memory_equal(got.p, all.p, got.n);
        buffer_free(&got);
        capture_unref(c);
        c = next;
    }
    assert_int_equal(whole, all.n);
    capture_unref(c);
    buffer_free(&all);
    buffer_free(&next_whole);
}

static void the_same_state_is_the_same_capture(void **state)
{
    struct fixture *f = *state;
    build(&f->store);
    struct capture *a = must_take(f, NULL), *b = must_take(f, a);
    assert_ptr_equal(a, b);
    struct catalog_record rec = *capture_record(a);
    capture_unref(b);
    usleep(30000);
    b = must_take(f, a);
    assert_ptr_equal(a, b);
    capture_unref(b);
    b = must_take(f, a); /* now by folder times alone */
    assert_ptr_equal(a, b);
    capture_unref(b);
    /* And without the earlier one, or after a remount, the same record. */
    b = must_take(f, NULL);
    assert_memory_equal(capture_record(b), &rec, sizeof(rec));
    capture_unref(b);
    capture_unref(a);
    reopen(f);
    a = must_take(f, NULL);
    assert_memory_equal(capture_record(a), &rec, sizeof(rec));
    capture_unref(a);
}

static void whatever_changes_is_noticed(void **state)
{
    struct fixture *f = *state;
    struct store *s = &f->store;
    struct buffer entry = entries(1);
    build(s);
    struct capture *c = must_take(f, NULL);
    for (int i = 0; i < 6; i++) {
        usleep(i % 2 ? 30000 : 0);
        capture_unref(must_take(f, c));
        switch (i) {
        case 0:
            store_append(s, "wal/a db/autogen/1/_00002.wal", entry.p, entry.n);
            break;
        case 1:
            store_meta(s, meta, METAS);
            break;
        case 2:
            store_text(s, "data/a db/autogen/2/000000001-000000001.tsm", "new");
            break;
        case 3:
            store_mkdir(s, "data/b.c/autogen/11");
            break;
        case 4:
            store_put(s, "wal/a db/autogen/1/_00003.wal", entry.p, entry.n);
            break;
        case 5:
            store_remove(s, "data/a db/autogen/1/000000001-000000001.tombstone");
        }
        struct capture *next = must_take(f, c);
        if (next == c)
            fail_msg("change %d", i);
        assert_true(capture_record(next)->index == capture_record(c)->index + 1);
        assert_true(capture_record(next)->created_ns > capture_record(c)->created_ns);
        assert_string_not_equal(capture_record(next)->id, capture_record(c)->id);
        capture_unref(c);
        c = next;
    }
    capture_unref(c);
    buffer_free(&entry);
}

/* "index rises whenever a file changes; a file bears the value at which it last changed". */
static void indexes(void **state)
{
    struct fixture *f = *state;
    struct store *s = &f->store;
    static const char first[] = "data/a db/autogen/1/000000001-000000001.tsm",
                      fresh[] = "data/a db/autogen/2/000000001-000000001.tsm",
                      tomb[] = "data/a db/autogen/1/000000001-000000001.tombstone",
                      wal[] = "wal/a db/autogen/1/_00002.wal";
    build(s);
    struct capture *a = must_take(f, NULL);
    assert_int_equal(index_of(a, first), 1);
    store_text(s, fresh, "new");
    struct capture *b = must_take(f, a);
    assert_int_equal(index_of(b, first), 1);
    assert_int_equal(index_of(b, fresh), 2);
    struct buffer more = entries(1);
    store_append(s, wal, more.p, more.n);
    store_text(s, tomb, "deader");
    struct capture *c = must_take(f, b);
    assert_int_equal(index_of(c, first), 1);
    assert_int_equal(index_of(c, fresh), 2);
    assert_int_equal(index_of(c, tomb), 3);
    assert_int_equal(index_of(c, wal), 3);
    assert_int_equal(index_of(c, "meta/meta.db"), 1);
    capture_unref(a);
    capture_unref(b);
    capture_unref(c);
    reopen(f);
    store_remove(s, "data/a db/old");
    a = must_take(f, NULL);
    assert_int_equal(capture_record(a)->index, 4);
    assert_int_equal(index_of(a, first), 1);
    assert_int_equal(index_of(a, fresh), 2);
    assert_int_equal(index_of(a, wal), 3);
    assert_int_equal(find(a, "data/a db/old/3"), -1);
    capture_unref(a);
    buffer_free(&more);
}

static void fill_sum(uint8_t sum[SHA256_BYTES], uint8_t v)
{
    memset(sum, v, SHA256_BYTES);
}

static void sums_are_kept(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    uint8_t sum[SHA256_BYTES];
    build(&f->store);
    struct capture *a = must_take(f, NULL);
    long tsm = find(a, "data/a db/autogen/1/000000001-000000001.tsm");
    long wal = find(a, "wal/a db/autogen/1/_00002.wal");
    assert_false(capture_sum(a, 0, sum));
    assert_false(capture_sum(a, (size_t)tsm, sum));
    fill_sum(sum, 1);
    capture_set_sum(a, (size_t)tsm, sum);
    fill_sum(sum, 2);
    capture_set_sum(a, (size_t)wal, sum);
    assert_int_equal(capture_keep_sums(a, &e), 0);
    /* A segment's sum is that of its cut, and goes with it. */
    struct buffer more = entries(1);
    store_append(&f->store, "wal/a db/autogen/1/_00002.wal", more.p, more.n);
    struct capture *b = must_take(f, a);
    assert_true(capture_sum(b, (size_t)tsm, sum) && sum[0] == 1);
    assert_false(capture_sum(b, (size_t)wal, sum));
    assert_true(capture_sum(a, (size_t)wal, sum) && sum[0] == 2);
    capture_unref(a);
    capture_unref(b);
    reopen(f);
    a = must_take(f, NULL);
    assert_true(capture_sum(a, (size_t)tsm, sum) && sum[0] == 1);
    assert_false(capture_sum(a, (size_t)wal, sum));
    capture_unref(a);
    buffer_free(&more);
}

static void count_damage(void *arg, const char *words, bool whole)
{
    if (!whole || !strstr(words, "000000001-000000001.tombstone: damaged"))
        fail_msg("%s", words);
    ++*(int *)arg;
}

/* A gzip stream that is none. influxd would not start the shard. */
static void a_damaged_tombstone_is_told(void **state)
{
    static const char *const name = "data/a db/autogen/1/000000001-000000001.tombstone";
    struct fixture *f = *state;
    struct err e = {0};
    int told = 0;
    build(&f->store);
    autofree char *path = store_path(&f->store, name);
    unlink(path);
    store_text(&f->store, name, "");
    struct capture *c = must_take(f, NULL);
    assert_int_equal(damage_look(c, (size_t)find(c, name), DAMAGE_ENDS, &e), 0);
    capture_unref(c);
    store_append(&f->store, name, "\0\0\x15\x04 no gzip stream", 20);
    c = must_take(f, NULL);
    size_t i = (size_t)find(c, name);
    assert_false(capture_damaged(c, i));
    assert_int_equal(damage_look(c, i, DAMAGE_ENDS, &e), -EBADMSG);
    assert_true(capture_damaged(c, i));
    assert_int_equal(damage_tell(c, count_damage, &told, &e), 0);
    assert_int_equal(told, 1);
    assert_int_equal(capture_keep_sums(c, &e), 0);
    capture_unref(c);
    reopen(f);
    c = must_take(f, NULL);
    assert_true(capture_damaged(c, i));
    capture_unref(c);
}

static void a_truncated_file_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    char buf[16];
    build(&f->store);
    struct capture *c = must_take(f, NULL);
    long i = find(c, "data/a db/autogen/1/000000002-000000001.tsm");
    autofree char *path = store_path(&f->store, "data/a db/autogen/1/000000002-000000001.tsm");
    assert_int_equal(truncate(path, 5), 0);
    assert_int_equal(capture_read(c, (size_t)i, buf, 5, 0, &e), 0);
    assert_int_equal(capture_read(c, (size_t)i, buf, 6, 0, &e), -EIO);
    assert_non_null(strstr(e.text, "000000002-000000001.tsm"));
    capture_unref(c);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(members_and_their_order),
        T(stores_that_are_refused),
        T(what_is_listed_and_no_folder_is_refused),
        T(ids_used_twice_are_refused),
        T(ids_used_outside_a_part_are_refused),
        T(ids_used_later_outside_a_part_are_refused),
        T(what_is_left_out_is_named),
        T(linked_shards_are_captured),
        T(stores_that_are_empty),
        T(wal_tails_are_trimmed),
        T(wal_damage_is_told),
        T(wal_damage_is_noticed_later),
        T(wal_holes_are_left_out),
        T(growing_segments),
        T(the_same_state_is_the_same_capture),
        T(whatever_changes_is_noticed),
        T(indexes),
        T(sums_are_kept),
        T(a_damaged_tombstone_is_told),
        T(a_truncated_file_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
