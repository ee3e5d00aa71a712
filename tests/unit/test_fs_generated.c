/* SPDX-License-Identifier: MIT */
/* generated: sizes that are remembered by digest, and any range of bytes of what can only be made
 * forward. The contents that such files are made of, the pace and who interrupts are stand-ins. */
#include "fs/ahead.h"
#include "fs/generated.h"
#include "fs/pace.h"
#include "fs/request.h"
#include "store/base/time.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES 100000
#define THREADS 4

static struct catalog *catalog;
static int refs, begun, reports;
static bool interrupted;

struct schema_cache *schema_cache_ref(struct schema_cache *c)
{
    __atomic_add_fetch(&refs, 1, __ATOMIC_RELAXED);
    return c;
}

void schema_cache_unref(struct schema_cache *c)
{
    (void)c;
    __atomic_sub_fetch(&refs, 1, __ATOMIC_RELAXED);
}

struct catalog *schema_cache_catalog(const struct schema_cache *c)
{
    (void)c;
    return catalog;
}

bool request_interrupted(void *ctx)
{
    (void)ctx;
    return interrupted;
}

void pace_look(struct pace *p)
{
    (void)p;
}

void pace_wait(struct pace *p, size_t n, bool (*is_over)(void *), void *ctx)
{
    (void)p, (void)n, (void)is_over, (void)ctx;
}

/* A file whose byte i is i % 251, in pieces of uneven length. */
struct numbers {
    struct generated g;
    uint64_t length, broken_at;
};

struct text {
    const struct numbers *of;
    uint64_t at;
};

static uint8_t byte_at(uint64_t i)
{
    return (uint8_t)(i % 251);
}

static int numbers_begin(const struct generated *g, struct schema_cache *c,
                         const struct tarball_reader *reader, void **text, struct err *e)
{
    struct text *t = calloc(1, sizeof(*t));
    (void)c, (void)reader, (void)e;
    t->of = (const struct numbers *)g;
    *text = t;
    __atomic_add_fetch(&begun, 1, __ATOMIC_RELAXED);
    return 0;
}

static ssize_t numbers_next(void *text, void *buf, size_t n, struct err *e)
{
    struct text *t = text;
    uint64_t piece = 1 + t->at % 997, left = t->of->length - t->at;
    if (t->of->broken_at && t->at >= t->of->broken_at)
        return err_set(e, -EBADMSG, "damaged");
    piece = piece < left ? piece : left;
    piece = piece < n ? piece : n;
    for (uint64_t i = 0; buf && i < piece; i++)
        ((uint8_t *)buf)[i] = byte_at(t->at + i);
    t->at += piece;
    return (ssize_t)piece;
}

static void numbers_end(void *text)
{
    free(text);
}

static int numbers_failed(const struct generated *g, int r, const struct err *e)
{
    (void)g;
    reports += e->text[0] != 0;
    return r == -EINTR ? r : -EIO;
}

static const struct generated_maker maker = {numbers_begin, numbers_next, numbers_end,
                                             numbers_failed};

struct fixture {
    struct fs fs;
    struct options options;
    struct request request;
    struct numbers *file;
    char *buf;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct node *out;
    f->fs.options = &f->options;
    f->fs.nodes = node_table_new();
    f->request.fs = &f->fs;
    f->buf = malloc(AHEAD_BYTES);
    generated_files_init(&f->fs);
    f->file = calloc(1, sizeof(*f->file));
    f->file->length = BYTES;
    generated_init(&f->file->g, &f->fs, &maker, ino_hashed(INO_IN_DUMP, 1), NULL);
    begun = reports = refs = 0;
    interrupted = false;
    *state = f;
    return node_find_or_add(f->fs.nodes, &f->file->g.node, "key", 3, &out);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    materials_drop_all(&f->fs.generated);
    assert_int_equal(refs, 0);
    node_table_free(f->fs.nodes);
    materials_clear(&f->fs.generated);
    free(f->buf);
    free(f);
    time_shift(0, 0);
    return 0;
}

/* Looks it up, as a branch does. */
static void look(struct fixture *f)
{
    const uint8_t digest[SHA256_BYTES] = {1};
    struct err e = {0};
    assert_int_equal(generated_size(&f->file->g, NULL, digest, NULL, &e), 0);
    assert_int_equal(f->file->g.size, f->file->length);
    generated_made_of(&f->file->g, (struct schema_cache *)f);
}

static struct handle *open_it(struct fixture *f)
{
    struct handle *h;
    struct node *n = &f->file->g.node;
    assert_int_equal(n->ops->open(&f->request, n, 0, &h), 0);
    h->node = n;
    return h;
}

static void close_it(struct handle *h)
{
    h->node->ops->release(h);
}

static ssize_t read_some(struct fixture *f, struct handle *h, char **buf, size_t n, uint64_t off)
{
    ssize_t got = h->node->ops->read(&f->request, h, buf, n, off);
    if (got >= 0)
        h->node->ops->has_read(h, (size_t)got, off);
    return got;
}

static void check(struct fixture *f, struct handle *h, char **buf, size_t n, uint64_t off)
{
    uint64_t size = f->file->length, left = off < size ? size - off : 0;
    ssize_t got = read_some(f, h, buf, n, off);
    assert_int_equal(got, n < left ? n : left);
    for (ssize_t i = 0; i < got; i++)
        if ((uint8_t)(*buf)[i] != byte_at(off + (uint64_t)i))
            fail_msg("byte %zd at %llu", i, (unsigned long long)off);
}

static void test_forward_is_made_once(void **state)
{
    struct fixture *f = *state;
    look(f);
    begun = 0;
    struct handle *h = open_it(f);
    for (uint64_t off = 0; off < BYTES + 5000; off += 4096)
        check(f, h, &f->buf, 4096, off);
    assert_int_equal(begun, 1);
    close_it(h);
}

static void test_any_range(void **state)
{
    struct fixture *f = *state;
    look(f);
    begun = 0;
    struct handle *h = open_it(f);
    unsigned seed = 1;
    int back = 0;
    uint64_t front = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t off = (uint64_t)rand_r(&seed) % (BYTES + 10);
        check(f, h, &f->buf, 1000, off);
        back += off < front;
        front = off + 1000;
    }
    assert_in_range(begun, 2, back + 1);
    close_it(h);
}

static void test_size_is_remembered_by_digest(void **state)
{
    struct fixture *f = *state;
    struct err note = {0}, e = {0};
    assert_int_equal(catalog_open(NULL, &catalog, &note, &e), 0);
    look(f);
    look(f);
    assert_int_equal(begun, 1);
    const uint8_t another[SHA256_BYTES] = {2};
    assert_int_equal(generated_size(&f->file->g, NULL, another, NULL, &e), 0);
    assert_int_equal(begun, 2);
    catalog_close(catalog);
    catalog = NULL;
}

static void test_another_length_is_an_error(void **state)
{
    struct fixture *f = *state;
    look(f);
    f->file->length = BYTES + 1;
    struct handle *h = open_it(f);
    assert_int_equal(read_some(f, h, &f->buf, 4096, BYTES - 4096), -EIO);
    f->file->length = BYTES - 1;
    assert_int_equal(read_some(f, h, &f->buf, 4096, BYTES - 4096), -EIO);
    assert_int_equal(reports, 2);
    f->file->length = BYTES;
    check(f, h, &f->buf, 4096, BYTES - 4096);
    close_it(h);
}

static void test_failure_is_said_and_not_final(void **state)
{
    struct fixture *f = *state;
    look(f);
    struct handle *h = open_it(f);
    f->file->broken_at = 50000;
    check(f, h, &f->buf, 1000, 0);
    assert_int_equal(read_some(f, h, &f->buf, 1000, 60000), -EIO);
    assert_int_equal(reports, 1);
    f->file->broken_at = 0;
    check(f, h, &f->buf, 1000, 60000);
    interrupted = true;
    assert_int_equal(read_some(f, h, &f->buf, 1000, 90000), -EINTR);
    interrupted = false;
    check(f, h, &f->buf, 1000, 90000);
    close_it(h);
}

static void test_late_open_is_stale(void **state)
{
    struct fixture *f = *state;
    struct node *n = &f->file->g.node;
    struct handle *h;
    assert_int_equal(n->ops->open(&f->request, n, 0, &h), -ESTALE);
    look(f);
    h = open_it(f);
    time_shift(0, 60 * SECOND_NS);
    materials_expire(&f->fs.generated);
    check(f, h, &f->buf, 1000, 0);
    close_it(h);
    time_shift(0, 71 * SECOND_NS);
    materials_expire(&f->fs.generated);
    assert_int_equal(refs, 0);
    assert_int_equal(n->ops->open(&f->request, n, 0, &h), -ESTALE);
}

struct reader {
    struct fixture *f;
    struct handle *h;
};

static void *read_on(void *arg)
{
    const struct reader *r = arg;
    char *buf = malloc(AHEAD_BYTES);
    for (int round = 0; round < 3; round++)
        for (uint64_t off = 0; off < BYTES; off += 8192)
            check(r->f, r->h, &buf, 8192, off);
    free(buf);
    return NULL;
}

static void test_several_readers_of_one_handle(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    look(f);
    struct reader r = {f, open_it(f)};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &r), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    close_it(r.h);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_forward_is_made_once),          TEST(test_any_range),
        TEST(test_size_is_remembered_by_digest),  TEST(test_another_length_is_an_error),
        TEST(test_failure_is_said_and_not_final), TEST(test_late_open_is_stale),
        TEST(test_several_readers_of_one_handle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
