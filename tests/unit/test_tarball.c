/* SPDX-License-Identifier: MIT */
/* tarball: any range of the tar at any time, what other readers of tars make of it, and the sums
 * that are found while it is read. */
#include "store/base/time.h"
#include "store/snapshot/capture_source.h"
#include "store/snapshot/manifest.h"
#include "store/snapshot/tarball.h"
#include "store/snapshot/tarhead.h"
#include "tests/unit/store_builder.h"

#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND ((int64_t)1000000000)

struct fixture {
    struct store store;
    struct catalog *catalog;
    struct capture_source *source;
    struct hasher *hasher;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct err note, e = {0};
    f->store = store_new();
    assert_int_equal(catalog_open(NULL, &f->catalog, &note, &e), 0);
    assert_int_equal(capture_source_new(&f->store.paths, f->catalog, "host", &f->source), 0);
    assert_int_equal(hasher_new(&f->hasher), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    hasher_free(f->hasher);
    capture_source_free(f->source);
    catalog_close(f->catalog);
    store_free(&f->store);
    free(f);
    return 0;
}

static struct tarball *must_make(struct fixture *f)
{
    struct window_wait wait = {time_mono_ns() + 10 * SECOND, NULL, NULL};
    struct capture *c;
    struct tarball *t;
    struct err e = {0};
    int r = capture_source_take(f->source, NULL, &wait, &c, &e);
    if (r < 0)
        fail_msg("capture_take: %d %s", r, e.text);
    assert_int_equal(tarball_new(f->hasher, c, &t), 0);
    return t;
}

/* Reads a range whole, and nothing else. */
static void read_range(struct tarball *t, void *buf, size_t n, uint64_t off)
{
    struct err e = {0};
    ssize_t r = tarball_read(t, buf, n, off, NULL, &e);
    if (r != (ssize_t)n)
        fail_msg("%zu bytes at %llu: %zd %s", n, (unsigned long long)off, r, e.text);
}

/* All of it, in requests of that size. */
static struct buffer read_all(struct tarball *t, size_t step)
{
    struct buffer b = {0};
    struct err e = {0};
    autofree char *piece = malloc(step);
    for (;;) {
        ssize_t n = tarball_read(t, piece, step, b.n, NULL, &e);
        if (n < 0)
            fail_msg("at %zu: %zd %s", b.n, n, e.text);
        if (n == 0)
            break;
        if ((size_t)n != step && b.n + (size_t)n != tarball_size(t))
            fail_msg("a short read of %zd bytes at %zu", n, b.n);
        buffer_add(&b, piece, (size_t)n);
    }
    assert_int_equal(b.n, tarball_size(t));
    return b;
}

/* A file of n bytes that look like nothing. */
static void put_noise(const struct store *s, const char *rel, size_t n, unsigned seed)
{
    autofree char *buf = malloc(n + 4);
    for (size_t i = 0; i < n; i += 4) {
        seed = seed * 1664525 + 1013904223;
        memcpy(buf + i, &seed, 4);
    }
    store_put(s, rel, buf, n);
}

static const struct meta_entry meta[] = {
    {"db", "autogen", 1, false}, {"db", "autogen", 2, false}, {"db", "autogen", 3, false}};

static void build(struct store *s)
{
    struct buffer wal = {0};
    for (unsigned i = 0; i < 50; i++)
        wal_entry(&wal, "m#!~#f", 1 + i);
    store_meta(s, meta, 3);
    put_noise(s, "data/db/autogen/1/000000001-000000001.tsm", 300000, 1);
    put_noise(s, "data/db/autogen/1/000000002-000000001.tsm", 512, 2);
    put_noise(s, "data/db/autogen/1/000000003-000000001.tsm", 513, 3);
    put_noise(s, "data/db/autogen/1/000000003-000000001.tombstone", 511, 4);
    store_text(s, "data/db/autogen/2/000000001-000000001.tsm", "");
    put_noise(s, "data/db/autogen/2/000000002-000000001.tsm", 2500001, 5);
    store_mkdir(s, "data/db/autogen/2/index/0");
    store_mkdir(s, "data/db/autogen/3");
    store_put(s, "wal/db/autogen/1/_00001.wal", wal.p, wal.n);
    store_put(s, "wal/db/autogen/1/_00002.wal", wal.p, wal.n - 3);
    buffer_free(&wal);
}

/* Does what sha256sum -c and tar xf would: every member in its order, with the attributes of the
 * capture; sums of all files in SHA256SUMS; nothing else. */
struct walk {
    const struct capture *capture;
    struct buffer sums; /* as they should be */
    size_t next;        /* member of the capture */
    bool had_sums;
};

static struct buffer member_bytes(struct archive *a, uint64_t size)
{
    struct buffer b = {0};
    char buf[10000];
    la_ssize_t n;
    while ((n = archive_read_data(a, buf, sizeof(buf))) > 0)
        buffer_add(&b, buf, (size_t)n);
    assert_int_equal(n, 0);
    assert_int_equal(b.n, size);
    return b;
}

static void check_manifest(const struct walk *w, const struct buffer *json)
{
    cleanup(manifest_freep) struct manifest *m = NULL;
    struct err e = {0};
    char path[MEMBER_PATH_MAX];
    size_t files = 0;
    if (manifest_parse(json->p, json->n, &m, &e) < 0)
        fail_msg("manifest: %s", e.text);
    assert_string_equal(m->id, capture_record(w->capture)->id);
    assert_int_equal(m->index, capture_record(w->capture)->index);
    for (size_t i = 0; i < capture_count(w->capture); i++) {
        const struct member *c = capture_member(w->capture, i);
        if (member_is_folder(c))
            continue;
        const struct manifest_file *f = manifest_find(m, member_path(c, path));
        assert_non_null(f);
        assert_int_equal(f->size, c->attr.size);
        assert_int_equal(f->index, c->index);
        assert_int_equal(f->mtime_ns, c->attr.mtime_ns);
        files++;
    }
    assert_int_equal(m->nfiles, files);
}

static void check_attributes(const struct member *m, struct archive_entry *e)
{
    int64_t s = m->attr.mtime_ns / SECOND - (m->attr.mtime_ns % SECOND < 0);
    assert_int_equal(archive_entry_mtime(e), s);
    assert_int_equal(archive_entry_mode(e), m->attr.mode);
    assert_int_equal(archive_entry_uid(e), m->attr.uid);
    assert_int_equal(archive_entry_gid(e), m->attr.gid);
    assert_int_equal(archive_entry_size(e), m->attr.size);
}

static void check_entry(struct walk *w, struct archive *a, struct archive_entry *e)
{
    const char *name = archive_entry_pathname(e);
    char path[MEMBER_PATH_MAX + 1];
    assert_non_null(name);
    assert_false(w->had_sums);
    if (strcmp(name, "manifest") == 0 && w->sums.n == 0) {
        struct buffer b = member_bytes(a, (uint64_t)archive_entry_size(e));
        check_manifest(w, &b);
        snap_sum(&w->sums, name, b.p, b.n);
        buffer_free(&b);
        return;
    }
    if (strcmp(name, "SHA256SUMS") == 0) {
        struct buffer b = member_bytes(a, (uint64_t)archive_entry_size(e));
        assert_int_equal(b.n, w->sums.n);
        assert_memory_equal(b.p, w->sums.p, b.n);
        buffer_free(&b);
        w->had_sums = true;
        return;
    }
    assert_true(w->next < capture_count(w->capture));
    const struct member *m = capture_member(w->capture, w->next++);
    member_path(m, path);
    if (member_is_folder(m))
        strcat(path, "/");
    assert_string_equal(name, path);
    check_attributes(m, e);
    if (!member_is_folder(m)) {
        struct buffer b = member_bytes(a, m->attr.size);
        snap_sum(&w->sums, name, b.p, b.n);
        buffer_free(&b);
    }
}

static void check_tar(const struct capture *c, const struct buffer *tar)
{
    struct walk w = {.capture = c};
    struct archive *a = archive_read_new();
    struct archive_entry *e;
    int r;
    archive_read_support_format_tar(a);
    assert_int_equal(archive_read_open_memory(a, tar->p, tar->n), ARCHIVE_OK);
    while ((r = archive_read_next_header(a, &e)) == ARCHIVE_OK || r == ARCHIVE_WARN)
        check_entry(&w, a, e);
    if (r != ARCHIVE_EOF)
        fail_msg("libarchive: %s", archive_error_string(a));
    archive_read_free(a);
    assert_true(w.had_sums);
    assert_int_equal(w.next, capture_count(c));
    buffer_free(&w.sums);
    for (size_t i = tar->n - 1024; i < tar->n; i++)
        assert_int_equal(tar->p[i], 0);
}

static void libarchive_reads_it(void **state)
{
    struct fixture *f = *state;
    build(&f->store);
    struct tarball *t = must_make(f);
    struct buffer b = read_all(t, 65536);
    assert_int_equal(b.n % 512, 0);
    assert_int_equal(tarball_mtime_ns(t), capture_record(tarball_capture(t))->created_ns);
    check_tar(tarball_capture(t), &b);
    buffer_free(&b);
    tarball_unref(t);
}

static void any_range_is_the_same(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 7;
    char buf[70000];
    build(&f->store);
    struct tarball *t = must_make(f);
    /* First out of order, when no sum is known. */
    read_range(t, buf, 1500, tarball_size(t) - 1500);
    struct buffer all = read_all(t, 1 << 20);
    for (size_t step = 1; step < 100000; step = step * 7 + 1) {
        if (all.n / step > 40000)
            continue;
        struct buffer again = read_all(t, step);
        assert_memory_equal(all.p, again.p, all.n);
        buffer_free(&again);
    }
    for (int i = 0; i < 3000; i++) {
        uint64_t off = ((uint64_t)rand_r(&seed) * 31 + (unsigned)rand_r(&seed)) % all.n;
        size_t n = (size_t)rand_r(&seed) % (i % 2 ? sizeof(buf) : 1000);
        n = n < all.n - off ? n : (size_t)(all.n - off);
        read_range(t, buf, n, off);
        assert_memory_equal(buf, all.p + off, n);
    }
    /* At the end, and behind it. */
    struct err e = {0};
    assert_int_equal(tarball_read(t, buf, 100, all.n - 7, NULL, &e), 7);
    assert_int_equal(tarball_read(t, buf, 100, all.n, NULL, &e), 0);
    assert_int_equal(tarball_read(t, buf, 100, UINT64_MAX - 5, NULL, &e), 0);
    assert_int_equal(tarball_read(t, buf, 0, 5, NULL, &e), 0);
    buffer_free(&all);
    tarball_unref(t);
}

/* Names as no one would choose them; influxd allows what is printable. */
static void odd_names(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {
        "with space",
        "d.o.t.s",
        "q\"uote",
        "apo'strophe",
        "back\\slash",
        "\xc3\xa4\xc3\xb6\xe2\x82\xac",
        "\xf0\x9f\x98\x80",
        "combining o\xcc\x88",
        "-rf",
        "a=b,c",
        "{[json]}",
    };
    enum { NAMES = sizeof(names) / sizeof(*names) };
    struct meta_entry m[NAMES + 2];
    char longest[251], rel[1000], shorter[91];
    memset(longest, 'l', 250);
    longest[250] = 0;
    memset(shorter, 's', 90);
    shorter[90] = 0;
    for (size_t i = 0; i < NAMES + 2; i++) {
        const char *name = i < NAMES ? names[i] : i == NAMES ? longest : shorter;
        m[i] = (struct meta_entry){name, name, i + 1, false};
        snprintf(rel, sizeof(rel), "data/%s/%s/%zu/000000001-000000001.tsm", name, name, i + 1);
        put_noise(&f->store, rel, 100 + i, (unsigned)i);
        snprintf(rel, sizeof(rel), "wal/%s/%s/%zu/_00001.wal", name, name, i + 1);
        store_text(&f->store, rel, "");
    }
    store_meta(&f->store, m, NAMES + 2);
    struct tarball *t = must_make(f);
    assert_int_equal(capture_left_out(tarball_capture(t))->n, 0);
    struct buffer b = read_all(t, 4099);
    const char *before = setlocale(LC_CTYPE, "C.UTF-8");
    check_tar(tarball_capture(t), &b);
    assert_non_null(before);
    /* The bytes do not depend on the locale of the process. */
    struct buffer again = read_all(t, 777);
    assert_memory_equal(b.p, again.p, b.n);
    setlocale(LC_CTYPE, "C");
    buffer_free(&again);
    buffer_free(&b);
    tarball_unref(t);
}

/* A name that is not UTF-8: a shard of it can only be left out, since protobuf has text only. What
 * else has such a name is its folder's entry in left_out. */
static void invalid_names(void **state)
{
    struct fixture *f = *state;
    build(&f->store);
    store_text(&f->store, "data/bad\xff\xfename/rp/7/000000001-000000001.tsm", "x");
    struct tarball *t = must_make(f);
    struct buffer b = read_all(t, 100000);
    check_tar(tarball_capture(t), &b);
    buffer_free(&b);
    tarball_unref(t);
}

/* A header alone, for paths and attributes that no store here can have. */
static void headers_have_the_length_foretold(void **state)
{
    (void)state;
    static const int64_t times[] = {
        0, 1, SECOND, -5 * SECOND, INT32_MAX * SECOND, 4102444800 * SECOND};
    static const uint64_t sizes[] = {0, 1, 077777777777u, 0100000000000u, (uint64_t)1 << 50};
    static const unsigned ids[] = {0, 998, 0777777, 01000000, 4000000000u};
    static char buf[TARHEAD_MAX];
    char path[4096];
    for (size_t n = 1; n < 4000; n += n < 300 ? 1 : 371) {
        for (int kind = 0; kind < 3; kind++) {
            memset(path, 'p', n);
            for (size_t i = 50; kind && i < n - 1; i += 51)
                path[i] = '/';
            if (kind == 2 && n > 3)
                memcpy(path, "\xff\xfe", 2);
            path[n] = 0;
            struct file_attr a = {.size = sizes[n % 5],
                                  .mtime_ns = times[n % 6],
                                  .mode = n % 3 ? S_IFREG | 0644 : S_IFDIR | 0700,
                                  .uid = ids[n / 3 % 5],
                                  .gid = ids[n / 7 % 5]};
            int len = tarhead_len(path, &a);
            if (len <= 0 || len % 512 || len != tarhead_write(path, &a, buf))
                fail_msg("path of %zu bytes, kind %d: %d", n, kind, len);
        }
    }
    memset(path, 'x', 4095);
    path[4095] = 0;
    struct file_attr a = {.mode = S_IFREG | 0644};
    assert_true(tarhead_len(path, &a) > 4096);
}

/* Reads a tarball through libarchive, which leaps over what it need not see. */
struct stream {
    struct tarball *t;
    uint64_t at;
    char buf[512]; /* so that it does not run into SHA256SUMS, and wait */
};

static la_ssize_t stream_read(struct archive *a, void *arg, const void **out)
{
    struct stream *s = arg;
    struct err e = {0};
    (void)a;
    ssize_t n = tarball_read(s->t, s->buf, sizeof(s->buf), s->at, NULL, &e);
    s->at += n > 0 ? (uint64_t)n : 0;
    *out = s->buf;
    return n;
}

static la_int64_t stream_skip(struct archive *a, void *arg, la_int64_t n)
{
    struct stream *s = arg;
    (void)a;
    s->at += (uint64_t)n;
    return n;
}

static void put_sparse(const struct store *s, const char *rel, off_t size)
{
    store_text(s, rel, "head");
    autofree char *path = store_path(s, rel);
    autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "tail", 4, size - 4), 4);
}

static bool count_down(void *ctx)
{
    int *left = ctx;
    return --*left < 0;
}

static void a_large_sparse_member(void **state)
{
    struct fixture *f = *state;
    const off_t size = (off_t)9 << 30;
    static const char name[] = "data/db/autogen/1/000000001-000000001.tsm";
    build(&f->store);
    put_sparse(&f->store, name, size);
    struct tarball *t = must_make(f);
    struct stream s = {.t = t};
    struct archive *a = archive_read_new();
    struct archive_entry *e;
    const struct capture *c = tarball_capture(t);
    char path[MEMBER_PATH_MAX + 1];
    archive_read_support_format_tar(a);
    archive_read_open2(a, &s, NULL, stream_read, stream_skip, NULL);
    assert_int_equal(archive_read_next_header(a, &e), ARCHIVE_OK);
    for (size_t i = 0; i < capture_count(c); i++) {
        const struct member *m = capture_member(c, i);
        member_path(m, path);
        if (member_is_folder(m))
            strcat(path, "/");
        assert_int_equal(archive_read_next_header(a, &e), ARCHIVE_OK);
        assert_string_equal(archive_entry_pathname(e), path);
        assert_int_equal(archive_entry_size(e), m->attr.size);
        if (strcmp(path, name) == 0) {
            char buf[8];
            assert_int_equal(m->attr.size, size);
            assert_int_equal(archive_read_data(a, buf, 4), 4);
            assert_memory_equal(buf, "head", 4);
        }
    }
    archive_read_free(a);
    assert_true(tarball_size(t) > (uint64_t)size + 2500000 &&
                tarball_size(t) < (uint64_t)size + 2600000);
    /* The end needs all sums: who waits can be interrupted. */
    char tail[3000];
    struct err why = {0};
    int left = 2;
    struct tarball_reader reader = {count_down, &left};
    int64_t start = time_mono_ns();
    assert_int_equal(
        tarball_read(t, tail, sizeof(tail), tarball_size(t) - sizeof(tail), &reader, &why), -EINTR);
    assert_true(time_mono_ns() - start < 5 * SECOND);
    tarball_unref(t);
}

/* Reading in order has every sum found by the end, and a second tar needs no more hashing. */
static void the_hasher_follows(void **state)
{
    struct fixture *f = *state;
    uint8_t sum[SHA256_BYTES];
    build(&f->store);
    struct tarball *t = must_make(f);
    const struct capture *c = tarball_capture(t);
    struct err e = {0};
    char buf[65536];
    uint64_t sums_at = tarball_size(t) - 4096;
    for (uint64_t off = 0; off < sums_at; off += sizeof(buf))
        assert_true(tarball_read(
                        t, buf, sums_at - off < sizeof(buf) ? (size_t)(sums_at - off) : sizeof(buf),
                        off, NULL, &e) > 0);
    for (int tries = 0, known = 0; !known; tries++) {
        assert_true(tries < 100000);
        usleep(2000);
        known = 1;
        for (size_t i = 0; i < 12; i++)
            known &= member_is_folder(capture_member(c, i)) || capture_sum(c, i, sum);
    }
    tarball_unref(t);
    t = must_make(f);
    size_t unknown = 0;
    c = tarball_capture(t);
    for (size_t i = 0; i < 12; i++)
        unknown += !member_is_folder(capture_member(c, i)) && !capture_sum(c, i, sum);
    assert_int_equal(unknown, 0);
    struct buffer b = read_all(t, 100000);
    check_tar(c, &b);
    buffer_free(&b);
    tarball_unref(t);
}

/* Who waits for the sums of a range has them; of what is before and after, nothing is asked. */
static void sums_of_a_range(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    uint8_t sum[SHA256_BYTES];
    build(&f->store);
    struct tarball *t = must_make(f);
    const struct capture *c = tarball_capture(t);
    uint64_t half = tarball_size(t) / 2;
    assert_int_equal(tarball_wait_sums(t, 0, 0, NULL, &e), 0);
    assert_int_equal(tarball_wait_sums(t, 0, half, NULL, &e), 0);
    assert_in_range(tarball_begun(t, half), 1, capture_count(c) - 1);
    for (size_t i = 0; i < tarball_begun(t, half); i++)
        assert_true(member_is_folder(capture_member(c, i)) || capture_sum(c, i, sum));
    tarball_unref(t);
    put_sparse(&f->store, "data/db/autogen/1/000000001-000000001.tsm", (off_t)90 << 30);
    t = must_make(f);
    int left = 2;
    struct tarball_reader reader = {count_down, &left};
    assert_int_equal(tarball_wait_sums(t, 0, tarball_size(t), &reader, &e), -EINTR);
    tarball_unref(t);
}

/* What has been read may be far ahead of what is hashed: whoever lets go does not wait for that. */
static void letting_go_is_quick(void **state)
{
    struct fixture *f = *state;
    struct window_wait wait = {time_mono_ns() + 10 * SECOND, NULL, NULL};
    struct capture *c;
    struct hash_job *j;
    struct err e = {0};
    build(&f->store);
    put_sparse(&f->store, "data/db/autogen/1/000000001-000000001.tsm", (off_t)90 << 30);
    assert_int_equal(capture_source_take(f->source, NULL, &wait, &c, &e), 0);
    assert_int_equal(hash_job_new(f->hasher, c, &j), 0);
    hash_job_follow(j, capture_count(c), 0);
    usleep(100000);
    int64_t start = time_mono_ns();
    hash_job_free(j);
    assert_true(time_mono_ns() - start < 25 * SECOND); /* all of it takes longer on any machine */
    capture_unref(c);
}

static void a_truncated_file_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    static char buf[4 << 20];
    build(&f->store);
    struct tarball *t = must_make(f);
    autofree char *path = store_path(&f->store, "data/db/autogen/2/000000002-000000001.tsm");
    assert_int_equal(truncate(path, 2500000), 0);
    assert_int_equal(tarball_read(t, buf, sizeof(buf), 0, NULL, &e), -EIO);
    assert_non_null(strstr(e.text, "000000002-000000001.tsm"));
    e.text[0] = 0;
    assert_int_equal(tarball_read(t, buf, 2000, tarball_size(t) - 2000, NULL, &e), -EIO);
    assert_non_null(strstr(e.text, "000000002-000000001.tsm"));
    /* The rest of it is as good as ever. */
    read_range(t, buf, 300000, 0);
    tarball_unref(t);
}

struct reading {
    struct tarball *t;
    const struct buffer *want; /* NULL: the first, which only reads */
    struct buffer got;
    unsigned seed;
    bool in_order;
    const char *wrong;
};

static void *reading_run(void *arg)
{
    struct reading *r = arg;
    struct err e = {0};
    uint64_t size = tarball_size(r->t);
    autofree char *buf = malloc(200000);
    for (uint64_t off = 0, left = 300; r->in_order ? off < size : left > 0; left--) {
        size_t n = 1 + (size_t)rand_r(&r->seed) % 199999;
        if (!r->in_order)
            off = ((uint64_t)rand_r(&r->seed) * 77) % size;
        ssize_t got = tarball_read(r->t, buf, n, off, NULL, &e);
        if (got < 0)
            r->wrong = "an error";
        else if (memcmp(buf, r->want->p + off, (size_t)got) != 0)
            r->wrong = "other bytes";
        if (r->wrong)
            break;
        off += (uint64_t)got;
    }
    return NULL;
}

/* Readers in order and at random, of one tarball whose sums are not known yet, and of a second one
 * of the same store. */
static void many_readers(void **state)
{
    struct fixture *f = *state;
    enum { READERS = 8 };
    struct reading r[READERS];
    pthread_t thread[READERS];
    build(&f->store);
    struct tarball *t = must_make(f);
    struct buffer want = read_all(t, 1 << 20);
    tarball_unref(t);
    for (int round = 0; round < 4; round++) {
        struct tarball *a = must_make(f), *b = must_make(f);
        assert_int_equal(tarball_size(a), want.n);
        for (unsigned i = 0; i < READERS; i++) {
            r[i] = (struct reading){i % 2 ? a : b, &want, {0}, i, i % 4 < 2, NULL};
            pthread_create(&thread[i], NULL, reading_run, &r[i]);
        }
        for (unsigned i = 0; i < READERS; i++) {
            pthread_join(thread[i], NULL);
            if (r[i].wrong)
                fail_msg("reader %u: %s", i, r[i].wrong);
        }
        tarball_unref(a);
        tarball_unref(b);
        /* A new file, so that there is something to hash again. */
        char rel[100];
        snprintf(rel, sizeof(rel), "data/db/autogen/3/%09d-000000001.tsm", round + 1);
        put_noise(&f->store, rel, 3000000, (unsigned)round + 99);
        t = must_make(f);
        buffer_free(&want);
        want = read_all(t, 1 << 20);
        check_tar(tarball_capture(t), &want);
        tarball_unref(t);
    }
    buffer_free(&want);
}

struct sharing {
    struct fixture *f;
    struct tarball_weak weak;
    atomic_uint found, made;
};

/* Uses the one that is there, or else makes one that others find, and lets go of it at once. */
static void *sharing_run(void *arg)
{
    struct sharing *s = arg;
    for (int i = 0; i < 200; i++) {
        struct tarball *t = tarball_weak_ref(&s->weak);
        if (t) {
            atomic_fetch_add(&s->found, 1);
        } else {
            t = must_make(s->f);
            tarball_weak_set(&s->weak, t);
            atomic_fetch_add(&s->made, 1);
        }
        char byte;
        read_range(t, &byte, 1, (uint64_t)i * 512);
        tarball_unref(t);
    }
    return NULL;
}

static void a_weak_pointer_holds_nothing(void **state)
{
    enum { THREADS = 4 };
    struct sharing s = {.f = *state, .weak = TARBALL_WEAK};
    pthread_t thread[THREADS];
    build(&s.f->store);
    assert_null(tarball_weak_ref(&s.weak));
    struct tarball *t = must_make(s.f), *other = must_make(s.f);
    tarball_weak_set(&s.weak, t);
    assert_ptr_equal(tarball_weak_ref(&s.weak), t);
    tarball_unref(t);
    tarball_weak_set(&s.weak, other);
    tarball_unref(t); /* the last one: what leads to the other stays */
    assert_ptr_equal(tarball_weak_ref(&s.weak), other);
    tarball_unref(other);
    tarball_unref(other);
    assert_null(tarball_weak_ref(&s.weak));
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, sharing_run, &s);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(s.found + s.made, 200 * THREADS);
    assert_true(s.made > 0);
    assert_null(tarball_weak_ref(&s.weak));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(libarchive_reads_it),
        T(any_range_is_the_same),
        T(odd_names),
        T(invalid_names),
        T(headers_have_the_length_foretold),
        T(a_large_sparse_member),
        T(the_hasher_follows),
        T(sums_of_a_range),
        T(letting_go_is_quick),
        T(a_truncated_file_is_an_error),
        T(many_readers),
        T(a_weak_pointer_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
