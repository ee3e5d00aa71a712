/* SPDX-License-Identifier: MIT */
/* dump, in little memory: every measurement of every real store, in each format, is the same text as in all
 * the memory that it wants, from the beginning and from marks; and slices and files were used for that. */
#include "store/export/dump.h"
#include "store/snapshot/capture_folders.h"
#include "tests/unit/fixture_files.h"
#include "tests/unit/wipe.h"

#include <limits.h>

static const size_t budgets[] = {(size_t)1 << 10, (size_t)4 << 10, (size_t)64 << 10};
#define BUDGETS 3
#define MARKS 3 /* of each text */

static const char *folder;
static struct points_spilled spilled;
static size_t texts, marks;

static struct dump *open_dump(struct schema_cache *c, const struct dump_query *q)
{
    struct dump *d = NULL;
    struct err e = {0};
    if (dump_open(c, q, &d, &e) < 0)
        fail_msg("%s", e.text);
    return d;
}

static void read_rest(struct dump *d, struct buffer *out)
{
    char buf[65536];
    struct err e = {0};
    ssize_t n;
    while ((n = dump_read(d, buf, sizeof(buf), &e)) > 0)
        buffer_add(out, buf, (size_t)n);
    if (n < 0)
        fail_msg("%s", e.text);
    buffer_add(out, "", 0);
}

static void check_same(const struct dump_query *q, const struct buffer *want, size_t at,
                       const struct buffer *got)
{
    if (got->n != want->n - at || memcmp(got->p, want->p + at, got->n) != 0)
        fail_msg("%s.%s.%.*s, format %d, %zu bytes of memory, from %zu", q->db, q->rp, (int)q->n,
                 q->measurement, (int)q->format, q->memory, at);
    texts++;
}

/* The rest of the text from some of its marks, in each budget. */
static void check_marks(struct schema_cache *c, struct dump_query q, const struct buffer *want)
{
    struct buffer mark = {0}, rest = {0};
    struct err e = {0};
    char buf[1000];
    ssize_t n;
    struct dump *d = open_dump(c, &q);
    for (size_t at = 0, found = 0; found < MARKS && (n = dump_read(d, buf, sizeof(buf), &e)) > 0;) {
        at += (size_t)n;
        mark.n = 0;
        if (at < want->n / (MARKS + 1) * (found + 1) || dump_mark(d, &mark) < 0)
            continue;
        found++;
        marks++;
        for (size_t i = 0; i < BUDGETS; i++) {
            q.memory = budgets[i];
            struct dump *again = open_dump(c, &q);
            if (dump_resume(again, (struct slice){mark.p, mark.n}, &e) < 0)
                fail_msg("%s", e.text);
            rest.n = 0;
            read_rest(again, &rest);
            dump_free(again);
            check_same(&q, want, at, &rest);
        }
    }
    dump_free(d);
    buffer_free(&mark);
    buffer_free(&rest);
}

static void check_text(struct schema_cache *c, struct dump_query q)
{
    struct buffer want = {0}, got = {0};
    struct dump *d = open_dump(c, &q);
    read_rest(d, &want);
    dump_free(d);
    for (size_t i = 0; i < BUDGETS; i++) {
        q.memory = budgets[i];
        d = open_dump(c, &q);
        got.n = 0;
        read_rest(d, &got);
        dump_free(d);
        check_same(&q, &want, 0, &got);
    }
    check_marks(c, q, &want);
    buffer_free(&want);
    buffer_free(&got);
}

static void check_policy(struct schema_cache *c, const char *db, const char *rp)
{
    struct schema *all = NULL;
    struct err e = {0};
    if (schema_cache_policy(c, db, rp, INT64_MIN, INT64_MAX, NULL, &all, &e) < 0)
        fail_msg("%s", e.text);
    for (size_t i = 0; i < schema_count(all); i++) {
        const struct slice name = schema_at(all, i)->name;
        const struct gaps gaps = {.names = true};
        for (int format = DUMP_JSON; format <= DUMP_LP; format++)
            check_text(c, (struct dump_query){.db = db,
                                              .rp = rp,
                                              .measurement = name.p,
                                              .n = name.n,
                                              .from = INT64_MIN,
                                              .to = INT64_MAX,
                                              .format = (enum dump_format)format,
                                              .gaps = &gaps,
                                              .folder = folder,
                                              .spilled = &spilled});
    }
    schema_free(all);
}

static int open_folder(const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Of the store that lies in the folder. */
static void check_store(void)
{
    autoclose int meta = open_folder("meta"), data = open_folder("data"), wal = open_folder("wal");
    struct capture *capture = NULL;
    struct schema_cache *c = NULL;
    struct err e = {0};
    if (capture_folders(meta, data, wal, &capture, &e) < 0 ||
        schema_cache_open(capture, NULL, NULL, &c, &e) < 0)
        fail_msg("%s", e.text);
    const struct shards *shards = schema_cache_shards(c);
    for (size_t i = 0, end; i < shards_count(shards); i = end) {
        const struct shard_files *first = shards_at(shards, i);
        size_t begin;
        shards_span(shards, first->db, first->rp, &begin, &end);
        check_policy(c, first->db, first->rp);
    }
    schema_cache_unref(c);
    capture_unref(capture);
}

static void test_every_store(void **state)
{
    (void)state;
    for (size_t i = 0; i < FIXTURES; i++) {
        char path[] = "/tmp/influxfs-test-XXXXXX";
        folder = mkdtemp(path);
        assert_non_null(folder);
        fixture_unpack(i, folder);
        check_store();
        assert_int_equal(wipe(folder), 0);
    }
    print_message("%zu texts, %zu marks, %zu slices, at most %zu bytes in files\n", texts, marks,
                  (size_t)spilled.slices, (size_t)spilled.most);
    assert_true(texts > 500 && marks > 60);
    assert_true(spilled.slices > 2 * texts);
    assert_true(spilled.most > 100000);
    assert_int_equal(spilled.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
