/* SPDX-License-Identifier: MIT */
/* Snapshots good, damaged, cut off and hostile through store/restore/unpack.h. */
#include "tests/unit/snap.h"

#include "store/base/time.h"
#include "store/restore/tar_strict.h"
#include "store/restore/unpack.h"

#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char tsm[5000];

struct run {
    const struct buffer *input;
    size_t at, piece;
    char *root;
    struct stage *stage;
    int begun;
    int last_if_ended;
    int at_end; /* fail here instead of ending */
};

static ssize_t pull(void *arg, int if_ended, const void **block)
{
    struct run *r = arg;
    size_t n = r->input->n - r->at;
    r->last_if_ended = if_ended;
    if (n > r->piece)
        n = r->piece;
    if (n == 0 && r->at_end)
        return r->at_end;
    *block = r->input->p + r->at;
    r->at += n;
    return (ssize_t)n;
}

static int begin(void *arg, const struct manifest *m, struct stage **out, struct err *e)
{
    struct run *r = arg;
    struct targets t = {.lock = -1};
    int fds[TARGETS];
    (void)m;
    (void)e;
    for (int i = 0; i < TARGETS; i++) {
        char *path;
        t.at[i].uid = (uid_t)-1;
        t.at[i].parent = -1;
        assert_true(asprintf(&path, "%s/%s", r->root, target_kind_name((enum target_kind)i)) > 0);
        assert_int_equal(mkdir(path, 0700), 0);
        fds[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        free(path);
    }
    r->begun++;
    assert_int_equal(stage_new(&t, fds, &r->stage, NULL), 0);
    *out = r->stage;
    return 0;
}

static void member(void *arg, const char *name, uint64_t size)
{
    (void)arg;
    (void)name;
    (void)size;
}

static void progress(void *arg, uint64_t n)
{
    (void)arg;
    (void)n;
}

/* Unpacks into a folder of its own; what lies there afterwards is in *tree, if that is wanted. */
static int unpack(const struct buffer *input, size_t piece, struct err *e, char **tree)
{
    struct run r = {.input = input, .piece = piece, .root = temp_folder()};
    const struct unpack_io io = {{pull, NULL, &r}, begin, member, progress, &r};
    int result = unpack_run(&io, NULL, NULL, e);
    stage_free(r.stage);
    if (tree)
        *tree = tree_text(r.root);
    tree_remove(r.root);
    return result;
}

static void expect(const struct buffer *input, int code, const char *words)
{
    struct err e;
    int r = unpack(input, 4096, &e, NULL);
    if (r != code || (words && !strstr(e.text, words)))
        fail_msg("got %d (%s), not %d (%s)", r, e.text, code, words ? words : "");
}

static struct buffer small(void)
{
    const struct snap_member m[] = SNAP_MEMBERS(tsm, sizeof(tsm), "meta one");
    return snap_build(m, SNAP_COUNT, NULL);
}

static void test_whole(void **state)
{
    static const size_t pieces[] = {1, 97, 511, 512, 513, 4096, 1 << 20};
    struct buffer tar = small();
    char *want = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        struct err e;
        char *tree;
        int r = unpack(&tar, pieces[i], &e, &tree);
        if (r < 0)
            fail_msg("pieces of %zu: %d %s", pieces[i], r, e.text);
        assert_non_null(strstr(tree, "/data/my db/rp/1/index/ 700\n"));
        assert_non_null(strstr(tree, "/wal/my db/rp/1/_00001.wal 644 "));
        if (want)
            assert_string_equal(tree, want);
        free(want);
        want = tree;
    }
    free(want);
    buffer_free(&tar);
}

static void test_times(void **state)
{
    struct buffer tar = small();
    struct run r = {.input = &tar, .piece = 700, .root = temp_folder()};
    const struct unpack_io io = {{pull, NULL, &r}, begin, member, progress, &r};
    struct stat st;
    char *path;
    (void)state;
    assert_int_equal(unpack_run(&io, NULL, NULL, NULL), 0);
    stage_free(r.stage);
    assert_true(asprintf(&path, "%s/meta/meta.db", r.root) > 0);
    assert_int_equal(stat(path, &st), 0);
    assert_true(time_from_spec(&st.st_mtim) == 1465646400123456789);
    free(path);
    assert_true(asprintf(&path, "%s/data/my db", r.root) > 0);
    assert_int_equal(stat(path, &st), 0);
    assert_true(time_from_spec(&st.st_mtim) == 1465646400000000000);
    free(path);
    tree_remove(r.root);
    buffer_free(&tar);
}

static int (*const filters[])(struct archive *) = {
    archive_write_add_filter_gzip, archive_write_add_filter_zstd, archive_write_add_filter_xz,
    archive_write_add_filter_lz4};
#define NFILTERS (sizeof(filters) / sizeof(*filters))

static void test_compressed(void **state)
{
    struct buffer tar = small();
    (void)state;
    for (size_t i = 0; i < NFILTERS; i++) {
        struct buffer z = snap_compress(&tar, filters[i]);
        struct err e;
        for (size_t piece = 1; piece < 5000; piece = piece * 13 + 1)
            if (unpack(&z, piece, &e, NULL) != 0)
                fail_msg("filter %zu: %s", i, e.text);
        size_t whole = z.n;
        for (z.n = 7; z.n<whole; z.n += whole - z.n> 40 ? 31 : 1) {
            int r = unpack(&z, 1000, &e, NULL);
            if (r != -EBADMSG || !strstr(e.text, "ends early"))
                fail_msg("filter %zu cut at %zu of %zu: %d %s", i, z.n, whole, r, e.text);
        }
        z.n = whole;
        buffer_add(&z, "garbage behind it", 17);
        int r = unpack(&z, 1000, &e, NULL);
        if (r != -EBADMSG)
            fail_msg("filter %zu with garbage: %d %s", i, r, e.text);
        buffer_free(&z);
    }
    struct buffer text = {0};
    buffer_text(&text, "%01000d", 5);
    struct buffer z = snap_compress(&text, archive_write_add_filter_gzip);
    expect(&z, -EINVAL, "not a snapshot");
    buffer_free(&z);
    buffer_free(&text);
    buffer_free(&tar);
}

/* One layer of compression is taken off. What is in it is known from its first bytes. */
static void test_compressed_twice(void **state)
{
    struct buffer tar = small();
    (void)state;
    for (size_t i = 0; i < NFILTERS; i++) {
        struct buffer once = snap_compress(&tar, filters[i]);
        for (size_t k = 0; k < NFILTERS; k++) {
            struct buffer twice = snap_compress(&once, filters[k]);
            expect(&twice, -EINVAL, "not a snapshot: it is compressed twice");
            buffer_free(&twice);
        }
        buffer_free(&once);
    }
    buffer_free(&tar);
}

/* What pigz, pzstd and cat make: one file after the other. */
static void test_compressed_in_parts(void **state)
{
    struct buffer tar = small();
    (void)state;
    for (size_t i = 0; i < NFILTERS; i++) {
        struct buffer all = {0};
        for (size_t at = 0; at < tar.n; at += 300) {
            struct buffer part = {0};
            buffer_add(&part, tar.p + at, tar.n - at < 300 ? tar.n - at : 300);
            struct buffer z = snap_compress(&part, filters[i]);
            buffer_add(&all, z.p, z.n);
            buffer_free(&z);
            buffer_free(&part);
        }
        struct err e;
        if (unpack(&all, 1000, &e, NULL) != 0)
            fail_msg("filter %zu: %s", i, e.text);
        buffer_free(&all);
    }
    buffer_free(&tar);
}

/* Few bytes that become very many: of nothing, and of what may follow a snapshot. */
static void test_bombs(void **state)
{
    struct buffer tar = small(), zeros = {0};
    static const char megabyte[1 << 20];
    (void)state;
    for (size_t i = 0; i <= TAR_ZEROS_MAX / sizeof(megabyte); i++)
        buffer_add(&zeros, megabyte, sizeof(megabyte));
    struct buffer z = snap_compress(&zeros, archive_write_add_filter_zstd);
    expect(&z, -EINVAL, "not a snapshot: what is compressed in it is not a tar");
    buffer_free(&z);
    buffer_add(&tar, zeros.p, zeros.n);
    z = snap_compress(&tar, archive_write_add_filter_zstd);
    expect(&z, -EBADMSG, "too many zeros");
    buffer_free(&z);
    buffer_free(&zeros);
    buffer_free(&tar);
}

static void test_every_flip(void **state)
{
    static const unsigned char masks[] = {0xff, 0x01, 0x20, 0x10, 0x80};
    struct buffer tar = small();
    struct err e;
    (void)state;
    for (size_t k = 0; k < sizeof(masks); k++) {
        for (size_t i = k * 19; i < tar.n; i += k ? 97 : 5) {
            tar.p[i] = (char)(tar.p[i] ^ masks[k]);
            int r = unpack(&tar, 4096, &e, NULL);
            if (r != -EBADMSG && !(r == -EINVAL && strstr(e.text, "version")) && r != -ESTALE)
                fail_msg("byte %zu ^ %x of %zu: %d %s", i, masks[k], tar.n, r, e.text);
            tar.p[i] = (char)(tar.p[i] ^ masks[k]);
        }
    }
    assert_int_equal(unpack(&tar, 4096, &e, NULL), 0);
    buffer_free(&tar);
}

static void test_every_truncation(void **state)
{
    struct buffer tar = small();
    size_t whole = tar.n;
    (void)state;
    for (tar.n = 1; tar.n < whole; tar.n += tar.n < whole - 2100 ? 61 : 1) {
        struct err e;
        int r = unpack(&tar, 4096, &e, NULL);
        if (r != -EBADMSG || !strstr(e.text, "ends early"))
            fail_msg("cut at %zu of %zu: %d %s", tar.n, whole, r, e.text);
    }
    tar.n = 0;
    expect(&tar, -EINVAL, "not a snapshot");
    tar.n = whole;
    buffer_free(&tar);
}

/* What pull is told: that the end may come only once it may. */
static void test_if_ended(void **state)
{
    struct buffer tar = small();
    size_t whole = tar.n;
    (void)state;
    for (tar.n = 0; tar.n <= whole; tar.n += 256) {
        struct run r = {.input = &tar, .piece = 300, .root = temp_folder(), .at_end = -ECANCELED};
        const struct unpack_io io = {{pull, NULL, &r}, begin, member, progress, &r};
        assert_int_equal(unpack_run(&io, NULL, NULL, NULL), -ECANCELED);
        stage_free(r.stage);
        tree_remove(r.root);
        assert_int_equal(r.last_if_ended, tar.n == 0 ? -EINVAL : tar.n < whole ? -EBADMSG : 0);
    }
    tar.n = whole;
    buffer_free(&tar);
}

static void test_more_zeros(void **state)
{
    static char zeros[10240];
    struct buffer tar = small();
    struct err e;
    (void)state;
    buffer_add(&tar, zeros, sizeof(zeros));
    assert_int_equal(unpack(&tar, 4096, &e, NULL), 0);
    buffer_add(&tar, zeros, 100);
    expect(&tar, -EBADMSG, "ends early");
    buffer_add(&tar, zeros, 411);
    buffer_add(&tar, "x", 1);
    expect(&tar, -EBADMSG, "damaged");
    buffer_free(&tar);
}

static void refuse_members(const struct snap_member *extra, size_t n, const struct snap_options *o,
                           int code, const char *words)
{
    const struct snap_member base[] = SNAP_MEMBERS(tsm, sizeof(tsm), "meta one");
    struct snap_member all[SNAP_COUNT + 4];
    memcpy(all, base, sizeof(base));
    if (n)
        memcpy(all + SNAP_COUNT, extra, n * sizeof(*extra));
    struct buffer tar = snap_build(all, SNAP_COUNT + n, o);
    expect(&tar, code, words);
    buffer_free(&tar);
}

static void test_hostile(void **state)
{
    static const struct snap_member bad[] = {
        {.name = "data/link", .type = AE_IFLNK, .link = "/etc/passwd"},
        {.name = "data/hard", .link = "data/my db/rp/1/000000001-000000001.tsm", .unlisted = true},
        {.name = "data/null", .type = AE_IFCHR},
        {.name = "data/disk", .type = AE_IFBLK},
        {.name = "data/pipe", .type = AE_IFIFO},
        {.name = "../outside", .data = "x", .size = 1, .unlisted = true},
        {.name = "/tmp/absolute", .data = "x", .size = 1, .unlisted = true},
        {.name = "data/../../outside", .data = "x", .size = 1, .unlisted = true},
        {.name = "data/./x", .data = "x", .size = 1, .unlisted = true},
        {.name = "data//x", .data = "x", .size = 1, .unlisted = true},
        {.name = "elsewhere/x", .data = "x", .size = 1, .unlisted = true},
        {.name = "meta/raft.db", .data = "x", .size = 1, .unlisted = true},
        {.name = "data/unlisted", .data = "x", .size = 1, .unlisted = true},
        {.name = "elsewhere", .type = AE_IFDIR},
        {.name = "../up", .type = AE_IFDIR},
        {.name = "/tmp/absolute", .type = AE_IFDIR},
        {.name = "data/.influxfs", .type = AE_IFDIR},
        {.name = "meta/folder", .type = AE_IFDIR},
        {.name = "data/my db/rp/1/_series/..", .type = AE_IFDIR},
        {.name = "../outside", .data = "x", .size = 1},
        {.name = "/tmp/absolute", .data = "x", .size = 1},
        {.name = "data/.influxfs/x", .data = "x", .size = 1},
        {.name = "meta/raft.db", .data = "x", .size = 1},
        {.name = "data/a\nb", .data = "x", .size = 1},
        {.name = "data", .data = "x", .size = 1},
        {.name = "data/my db", .data = "x", .size = 1},
        {.name = "data/my db/rp/1/000000009-000000001.tsm", .data = "x", .size = 1, .lost = true},
        {.name = "data/my db/rp/1/000000009-000000001.tsm", .data = "x", .size = 1, .claimed = 2},
        {.name = "data/my db/rp/1/000000009-000000001.tsm",
         .data = "x",
         .size = 1,
         .claimed = SIZE_MAX / 2},
        {.name = "meta/meta.db", .data = "meta one", .size = 8, .unlisted = true},
        {.name = "manifest", .data = "{}", .size = 2, .unlisted = true},
        {.name = "data/my db/rp/1/000000001-000000001.tsm", .type = AE_IFDIR},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        refuse_members(&bad[i], 1, NULL, -EBADMSG, NULL);
    refuse_members(&(struct snap_member){.name = "data/my db/rp/1/000000009-000000001.tsm",
                                         .data = "x",
                                         .size = 1,
                                         .claimed = (size_t)1 << 49},
                   1, NULL, -ENOSPC, "no room");
    const struct snap_member twice[] = {
        {.name = "data/my db/rp/1/000000009-000000001.tsm", .data = "x", .size = 1},
        {.name = "data/my db/rp/1/000000009-000000001.tsm",
         .data = "y",
         .size = 1,
         .unlisted = true}};
    refuse_members(twice, 2, NULL, -EBADMSG, "twice");
    const struct snap_member both[] = {{.name = "data/x", .data = "x", .size = 1},
                                       {.name = "data/x/y", .data = "y", .size = 1}};
    refuse_members(both, 2, NULL, -EBADMSG, "a file and a folder");
    static const char *const strangers[] = {"data/notes.txt",         "data/my db/rp/1/notes.txt",
                                            "data/my db/rp/x/1.tsm",  "data/my db/rp/1/1-1.TSM",
                                            "wal/my db/rp/1/1-1.tsm", "data/my db/rp/1/_00001.wal"};
    for (size_t i = 0; i < sizeof(strangers) / sizeof(*strangers); i++)
        refuse_members(&(struct snap_member){.name = strangers[i], .data = "x", .size = 1}, 1, NULL,
                       -EBADMSG, "no file of a store");
    refuse_members(NULL, 0, &(struct snap_options){.after = &twice[0]}, -EBADMSG, "follows");
    refuse_members(NULL, 0, &(struct snap_options){.sums = ""}, -EBADMSG, "SHA256SUMS");
    refuse_members(NULL, 0, &(struct snap_options){.first = "other"}, -EINVAL, "first member");
    refuse_members(NULL, 0, &(struct snap_options){.manifest = "[1]"}, -EINVAL, "manifest");
    refuse_members(NULL, 0, &(struct snap_options){.kind = "incremental"}, -EBADMSG, "since when");
    refuse_members(NULL, 0, &(struct snap_options){.kind = "database"}, -EINVAL, "database");
}

static void test_strange_names(void **state)
{
    const struct snap_member fine[] = {
        {.name = "data/\xc3\xa9t\xc3\xa9/r p/1/1-1.tsm", .data = "x", .size = 1},
        {.name = "data/back\\slash/rp/1/1-1.tsm", .data = "y", .size = 1},
        {.name = "data/.dotted./rp/1/1-1.tsm", .data = "y", .size = 1},
        {.name = "data/..two/r\"p/1/1-1.tsm", .data = "", .size = 0},
    };
    const struct snap_member base[] = SNAP_MEMBERS(tsm, sizeof(tsm), "meta one");
    struct snap_member all[SNAP_COUNT + 4];
    struct err e;
    char *tree;
    (void)state;
    memcpy(all, base, sizeof(base));
    memcpy(all + SNAP_COUNT, fine, sizeof(fine));
    struct buffer tar = snap_build(all, SNAP_COUNT + 4, NULL);
    if (unpack(&tar, 1000, &e, &tree) != 0)
        fail_msg("%s", e.text);
    assert_non_null(strstr(tree, "/data/\xc3\xa9t\xc3\xa9/r p/1/1-1.tsm"));
    assert_non_null(strstr(tree, "/data/back\\slash/rp/1/1-1.tsm"));
    free(tree);
    buffer_free(&tar);
    /* No UTF-8 at all: works, or is refused whole. */
    all[SNAP_COUNT].name = "data/\xe9t\xe9/rp/1/1-1.tsm";
    tar = snap_build(all, SNAP_COUNT + 1, NULL);
    int r = unpack(&tar, 1000, &e, NULL);
    assert_true(r == 0 || r == -EBADMSG);
    buffer_free(&tar);
}

static void test_other_files(void **state)
{
    struct buffer b = {0};
    (void)state;
    for (int i = 0; i < 200; i++) {
        buffer_text(&b, "just some text, %d\n", i);
        if (i % 40 == 0)
            expect(&b, -EINVAL, "not a");
    }
    buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_compressed_twice),
        cmocka_unit_test(test_compressed_in_parts),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_every_flip),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_if_ended),
        cmocka_unit_test(test_more_zeros),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_strange_names),
        cmocka_unit_test(test_other_files),
    };
    setlocale(LC_CTYPE, "C.UTF-8"); /* for what libarchive writes here */
    for (size_t i = 0; i < sizeof(tsm); i++)
        tsm[i] = (char)(i * i >> 3);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
