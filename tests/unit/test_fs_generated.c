/* SPDX-License-Identifier: MIT */
/* generated: sizes that are remembered by digest, and any range of bytes of what can only be made
 * forward, for many readers by one making, and from marks. The contents that such files are made of,
 * the pace and who interrupts are stand-ins. */
#include "fs/generated.h"
#include "fs/generated_files.h"
#include "fs/making.h"
#include "fs/pace.h"
#include "fs/request.h"
#include "store/base/lock.h"
#include "store/base/time.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BYTES 100000
#define LARGE (UINT64_C(24) << 20) /* several windows, and marks */
#define BLOCK ((size_t)128 << 10)
#define BUFFER ((size_t)1 << 20)
#define THREADS 4

static struct catalog *catalog;
static int refs, begun, reports;
static uint64_t made; /* bytes */
static atomic_bool interrupted, gate_closed;
static void *_Atomic interrupted_one; /* a request */

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
    return interrupted || (ctx && ctx == interrupted_one);
}

void pace_look(struct pace *p)
{
    (void)p;
}

void pace_wait(struct pace *p, size_t n, bool (*is_over)(void *), void *ctx)
{
    (void)p, (void)n, (void)is_over, (void)ctx;
}

/* A file whose byte i is i % 251, in pieces of uneven length. A mark is an offset that ends with three
 * zeros. */
struct numbers {
    struct generated g;
    uint64_t length;
    _Atomic uint64_t broken_at; /* 0: it is whole */
    bool refuses;               /* every mark that it gave */
    bool misleads;              /* what begins at one fails later */
};

struct text {
    const struct numbers *of;
    uint64_t at;
    bool mark_wanted, misled;
};

static uint8_t byte_at(uint64_t i)
{
    return (uint8_t)(i % 251);
}

static int numbers_begin(const struct generated *g, struct schema_cache *c,
                         const struct tarball_reader *reader, const struct buffer *mark,
                         void **text, struct err *e)
{
    struct text *t = calloc(1, sizeof(*t));
    (void)c, (void)reader;
    t->of = (const struct numbers *)g;
    if (mark && t->of->refuses) {
        free(t);
        return err_set(e, -EBADMSG, "no such mark");
    }
    if (mark)
        memcpy(&t->at, mark->p, sizeof(t->at));
    t->misled = mark && t->of->misleads;
    *text = t;
    __atomic_add_fetch(&begun, 1, __ATOMIC_RELAXED);
    return 0;
}

static void fill(uint8_t *buf, uint64_t at, size_t n)
{
    for (size_t i = 0; i < n && i < 251; i++)
        buf[i] = byte_at(at + i);
    for (size_t have = 251; have < n; have *= 2)
        memcpy(buf + have, buf, have < n - have ? have : n - have);
}

static ssize_t numbers_next(void *text, void *buf, size_t n, struct err *e)
{
    struct text *t = text;
    uint64_t piece = 1 + t->at % 50021, end = t->of->length;
    while (gate_closed)
        usleep(1000);
    if (t->of->broken_at && t->at < end)
        end = t->of->broken_at;
    if (t->misled || (t->of->broken_at && t->at >= end))
        return err_set(e, -EBADMSG, "damaged");
    if (t->mark_wanted)
        piece = 1000 - t->at % 1000;
    piece = piece < end - t->at ? piece : end - t->at;
    piece = piece < n ? piece : n;
    if (buf)
        fill(buf, t->at, piece);
    t->at += piece;
    __atomic_add_fetch(&made, piece, __ATOMIC_RELAXED);
    return (ssize_t)piece;
}

static int numbers_mark(void *text, struct buffer *mark)
{
    struct text *t = text;
    t->mark_wanted = t->at % 1000 != 0;
    if (t->mark_wanted)
        return -EAGAIN;
    buffer_add(mark, &t->at, sizeof(t->at));
    return 0;
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

static const struct generated_maker maker = {.begin = numbers_begin,
                                             .next = numbers_next,
                                             .mark = numbers_mark,
                                             .end = numbers_end,
                                             .failed = numbers_failed};

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
    f->buf = malloc(BUFFER);
    generated_files_new(&f->fs);
    f->file = calloc(1, sizeof(*f->file));
    f->file->length = BYTES;
    generated_init(&f->file->g, &f->fs, &maker, ino_hashed(INO_IN_DUMP, 1), NULL);
    begun = reports = refs = 0;
    made = 0;
    interrupted = gate_closed = false;
    interrupted_one = NULL;
    *state = f;
    return node_find_or_add(f->fs.nodes, &f->file->g.node, "key", 3, &out);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    materials_drop_all(&f->fs.generated->contents);
    assert_int_equal(refs, 0);
    node_table_free(f->fs.nodes);
    generated_files_free(f->fs.generated);
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
    return h->node->ops->read(&f->request, h, buf, n, off);
}

/* What is to be at off: where 251 bytes are right, the rest is compared with them. */
static void check(struct fixture *f, struct handle *h, char **buf, size_t n, uint64_t off)
{
    uint64_t size = f->file->length, left = off < size ? size - off : 0;
    ssize_t got = read_some(f, h, buf, n, off);
    assert_int_equal(got, n < left ? n : left);
    for (ssize_t i = 0; i < got && i < 251; i++)
        if ((uint8_t)(*buf)[i] != byte_at(off + (uint64_t)i))
            fail_msg("byte %zd at %llu", i, (unsigned long long)off);
    assert_true(got <= 251 || memcmp(*buf, *buf + 251, (size_t)got - 251) == 0);
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
    f->file->length = LARGE;
    look(f);
    begun = 0;
    struct handle *h = open_it(f);
    unsigned seed = 1;
    int back = 0;
    uint64_t front = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t off = (uint64_t)rand_r(&seed) % (LARGE + 100000);
        check(f, h, &f->buf, 1000, off);
        back += off < front;
        front = off + 1000;
    }
    assert_in_range(begun, 2, 2 * back);
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
    materials_expire(&f->fs.generated->contents);
    check(f, h, &f->buf, 1000, 0);
    close_it(h);
    time_shift(0, 71 * SECOND_NS);
    materials_expire(&f->fs.generated->contents);
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
    char *buf = malloc(BUFFER);
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

/* Looks a large file up, and forgets what that cost. */
static void look_large(struct fixture *f)
{
    f->file->length = LARGE;
    look(f);
    begun = 0;
    made = 0;
}

static void test_offset_begins_at_a_mark(void **state)
{
    struct fixture *f = *state;
    look_large(f);
    struct handle *h = open_it(f);
    check(f, h, &f->buf, BLOCK, LARGE - BLOCK);
    assert_in_range(made, BLOCK, 2 * MAKING_WINDOW);
    close_it(h);
    h = open_it(f);
    made = 0;
    check(f, h, &f->buf, BLOCK, LARGE / 2);
    assert_in_range(made, BLOCK, 2 * MAKING_WINDOW);
    close_it(h);
}

static void test_backwards(void **state)
{
    struct fixture *f = *state;
    look_large(f);
    struct handle *h = open_it(f);
    for (uint64_t off = LARGE; off >= BLOCK; off -= BLOCK)
        check(f, h, &f->buf, BLOCK, off - BLOCK);
    assert_in_range(made, LARGE, 2 * LARGE);
    close_it(h);
}

/* Only the cost is another. */
static void test_refused_marks(void **state)
{
    struct fixture *f = *state;
    look_large(f);
    f->file->refuses = true;
    struct handle *h = open_it(f);
    check(f, h, &f->buf, BLOCK, LARGE / 2);
    check(f, h, &f->buf, BLOCK, LARGE / 4);
    assert_int_equal(begun, 2);
    assert_int_equal(reports, 0);
    close_it(h);
}

static void test_damage_behind_a_mark(void **state)
{
    struct fixture *f = *state;
    look_large(f);
    struct handle *h = open_it(f);
    f->file->broken_at = LARGE / 2;
    assert_int_equal(read_some(f, h, &f->buf, BLOCK, LARGE / 2 + 1000), -EIO);
    assert_int_equal(reports, 1);
    check(f, h, &f->buf, BLOCK, LARGE / 4);
    f->file->broken_at = 0;
    check(f, h, &f->buf, BLOCK, LARGE / 2 + 1000);
    close_it(h);
}

/* A mark that is wrong spoils one reading, and none after it. */
static void test_misleading_marks(void **state)
{
    struct fixture *f = *state;
    look_large(f);
    f->file->misleads = true;
    struct handle *h = open_it(f);
    assert_int_equal(read_some(f, h, &f->buf, BLOCK, LARGE / 2), -EIO);
    check(f, h, &f->buf, BLOCK, LARGE / 2);
    close_it(h);
}

/* More than there are makings for: none gets wrong bytes, or waits for ever. */
static void test_many_places_at_once(void **state)
{
    struct fixture *f = *state;
    struct handle *h[12];
    look_large(f);
    for (size_t i = 0; i < 12; i++)
        h[i] = open_it(f);
    for (uint64_t round = 0; round < 4; round++)
        for (uint64_t i = 0; i < 12; i++)
            check(f, h[i], &f->buf, BLOCK, i * (LARGE / 12) + round * BLOCK);
    for (size_t i = 0; i < 12; i++)
        close_it(h[i]);
}

struct one {
    struct fixture *f;
    pthread_barrier_t *begin;
    unsigned seed;
};

/* All have begun before any goes on. */
static void *read_all(void *arg)
{
    const struct one *o = arg;
    char *buf = malloc(BUFFER);
    struct handle *h = open_it(o->f);
    check(o->f, h, &buf, BLOCK, 0);
    pthread_barrier_wait(o->begin);
    for (uint64_t off = BLOCK; off < LARGE; off += BLOCK)
        check(o->f, h, &buf, BLOCK, off);
    close_it(h);
    free(buf);
    return NULL;
}

static void *read_anywhere(void *arg)
{
    struct one *o = arg;
    char *buf = malloc(BUFFER);
    struct handle *h = open_it(o->f);
    pthread_barrier_wait(o->begin);
    for (int i = 0; i < 20; i++)
        check(o->f, h, &buf, (size_t)rand_r(&o->seed) % BUFFER + 1,
              (uint64_t)rand_r(&o->seed) % (LARGE + 1000));
    close_it(h);
    free(buf);
    return NULL;
}

static void together(struct fixture *f, void *(*read)(void *arg))
{
    pthread_t threads[THREADS];
    pthread_barrier_t begin;
    struct one all[THREADS];
    look_large(f);
    pthread_barrier_init(&begin, NULL, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        all[i] = (struct one){f, &begin, i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, read, &all[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&begin);
}

/* A reader whom the machine leaves no time for seconds may fall behind; each by itself would make
 * the text again. */
static void test_readers_share_a_making(void **state)
{
    together(*state, read_all);
    assert_in_range(made, LARGE, (THREADS - 1) * LARGE);
}

static void test_readers_of_any_place(void **state)
{
    together(*state, read_anywhere);
}

/* One who reads no further keeps the others waiting for a moment only, and finds the rest later. */
static void test_nobody_waits_for_the_idle(void **state)
{
    struct fixture *f = *state;
    look_large(f);
    struct handle *idle = open_it(f), *other = open_it(f);
    check(f, idle, &f->buf, BLOCK, 0);
    for (uint64_t off = 0; off < LARGE; off += BLOCK)
        check(f, other, &f->buf, BLOCK, off);
    assert_in_range(made, LARGE, LARGE);
    check(f, idle, &f->buf, BLOCK, BLOCK);
    assert_int_equal(begun, 2);
    close_it(idle);
    close_it(other);
}

/* Of one who is always behind, the others are rid in the end. */
static void test_nobody_waits_long_for_the_slow(void **state)
{
    struct fixture *f = *state;
    look_large(f);
    struct handle *slow = open_it(f), *fast = open_it(f);
    uint64_t behind = 0;
    for (uint64_t off = 0; off < LARGE; off += BLOCK) {
        check(f, fast, &f->buf, BLOCK, off);
        if (off % (16 * BLOCK) == 0) {
            check(f, slow, &f->buf, 1000, behind);
            behind += 1000;
        }
    }
    assert_int_equal(begun, 2);
    close_it(slow);
    close_it(fast);
}

struct caller {
    struct fixture *f;
    struct request request;
    struct handle *h;
    ssize_t got;
};

static void *wait_for_bytes(void *arg)
{
    struct caller *w = arg;
    char *buf = malloc(BUFFER);
    w->got = w->h->node->ops->read(&w->request, w->h, &buf, BLOCK, 0);
    free(buf);
    return NULL;
}

/* Two wait for the same bytes, and one is killed: at once, and the other gets them. */
static void test_interrupted_reader_spoils_nothing(void **state)
{
    struct fixture *f = *state;
    struct caller all[2];
    pthread_t threads[2];
    look_large(f);
    gate_closed = true;
    for (int i = 0; i < 2; i++) {
        all[i] = (struct caller){.f = f, .request.fs = &f->fs, .h = open_it(f)};
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_bytes, &all[i]), 0);
    }
    interrupted_one = &all[0].request;
    pthread_join(threads[0], NULL);
    assert_int_equal(all[0].got, -EINTR);
    gate_closed = false;
    pthread_join(threads[1], NULL);
    assert_int_equal(all[1].got, BLOCK);
    assert_int_equal(begun, 1);
    close_it(all[0].h);
    close_it(all[1].h);
}

static void *find_size(void *arg)
{
    struct caller *w = arg;
    const uint8_t digest[SHA256_BYTES] = {1};
    const struct tarball_reader who = {request_interrupted, &w->request};
    struct err e = {0};
    w->got = generated_size(&w->f->file->g, NULL, digest, &who, &e);
    return NULL;
}

/* Those who ask at once share the work; who is interrupted leaves it to the next, who goes on from the
 * last mark. */
static void test_size_is_found_once(void **state)
{
    struct fixture *f = *state;
    struct caller all[THREADS];
    pthread_t threads[THREADS];
    f->file->length = LARGE;
    gate_closed = true;
    for (int i = 0; i < THREADS; i++) {
        all[i] = (struct caller){.f = f, .request.fs = &f->fs};
        assert_int_equal(pthread_create(&threads[i], NULL, find_size, &all[i]), 0);
    }
    while (__atomic_load_n(&begun, __ATOMIC_RELAXED) == 0)
        usleep(1000);
    usleep(100000); /* most of them are there by then */
    gate_closed = false;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(all[i].got, 0);
    }
    assert_int_equal(f->file->g.size, LARGE);
    /* Who came late began at the last mark. */
    assert_in_range(made, LARGE, LARGE + THREADS * MAKING_WINDOW);
}

static void test_size_is_found_from_a_mark(void **state)
{
    struct fixture *f = *state;
    const uint8_t digest[SHA256_BYTES] = {1};
    struct err e = {0};
    f->file->length = LARGE;
    f->file->broken_at = LARGE / 2;
    assert_int_equal(generated_size(&f->file->g, NULL, digest, NULL, &e), -EBADMSG);
    f->file->broken_at = 0;
    made = 0;
    assert_int_equal(generated_size(&f->file->g, NULL, digest, NULL, &e), 0);
    assert_int_equal(f->file->g.size, LARGE);
    assert_in_range(made, LARGE / 2, LARGE / 2 + 2 * MAKING_WINDOW);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_forward_is_made_once),
        TEST(test_any_range),
        TEST(test_size_is_remembered_by_digest),
        TEST(test_another_length_is_an_error),
        TEST(test_failure_is_said_and_not_final),
        TEST(test_late_open_is_stale),
        TEST(test_several_readers_of_one_handle),
        TEST(test_offset_begins_at_a_mark),
        TEST(test_backwards),
        TEST(test_refused_marks),
        TEST(test_damage_behind_a_mark),
        TEST(test_misleading_marks),
        TEST(test_many_places_at_once),
        TEST(test_readers_share_a_making),
        TEST(test_readers_of_any_place),
        TEST(test_nobody_waits_for_the_idle),
        TEST(test_nobody_waits_long_for_the_slow),
        TEST(test_interrupted_reader_spoils_nothing),
        TEST(test_size_is_found_once),
        TEST(test_size_is_found_from_a_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
