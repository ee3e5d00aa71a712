/* SPDX-License-Identifier: MIT */
/* cutscan and cutstream: a state of many cuts, a piece at a time, is the one that cutstate holds. */
#include "store/base/cleanup.h"
#include "store/chain/cutstream.h"
#include "tests/unit/cutstate.h"
#include "tests/unit/store_builder.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SHARDS = 40, FILES = 60, CUTS = 6, NAMES = SHARDS * (FILES + 1) + 3 };

static char paths[NAMES][64]; /* all that there may be, sorted */
static size_t npaths;

static int by_path(const void *a, const void *b)
{
    return cut_path_cmp(a, b);
}

static int setup(void **state)
{
    npaths = 0;
    strcpy(paths[npaths++], "meta");
    strcpy(paths[npaths++], "meta/meta.db");
    strcpy(paths[npaths++], "data");
    for (int s = 0; s < SHARDS; s++) {
        snprintf(paths[npaths++], 64, "data/db/rp%%/%d", s);
        for (int f = 0; f < FILES; f++)
            snprintf(paths[npaths++], 64, "data/db/rp%%/%d/%09d-000000001.tsm", s, f);
    }
    qsort(paths, npaths, sizeof(*paths), by_path);
    *state = temp_folder();
    return 0;
}

static int teardown(void **state)
{
    tree_remove(*state);
    return 0;
}

static bool is_folder(const char *path)
{
    return !strstr(path, ".tsm") && !strstr(path, ".db");
}

/* A cut that has and removes names at random; the first has most of them. */
static void write_cut(int dir, int number, unsigned *seed, const struct cutlist *whole)
{
    static struct cut_entry entries[NAMES];
    static const char *removed[NAMES], *folders[NAMES];
    struct cutlist l = {.entries = entries, .removed = removed, .removed_folders = folders};
    char name[32] = "base";
    (void)whole;
    for (size_t i = 0; i < npaths; i++) {
        const bool has = rand_r(seed) % (number ? 20 : 100) < (number ? 1 : 90);
        const bool goes = number && !has && rand_r(seed) % 15 == 0;
        if (has)
            entries[l.n++] = (struct cut_entry){
                .path = paths[i],
                .attr = {.mode = is_folder(paths[i]) ? S_IFDIR | 0755 : S_IFREG | 0644,
                         .size = is_folder(paths[i]) ? 0 : (uint64_t)rand_r(seed),
                         .mtime_ns = number},
                .place = {(uint64_t)number, (uint32_t)i}};
        if (goes && is_folder(paths[i]))
            folders[l.nremoved_folders++] = paths[i];
        else if (goes)
            removed[l.nremoved++] = paths[i];
    }
    l.head.number = number - 1;
    l.head.serial = (uint64_t)number;
    strcpy(l.head.chain, "aa");
    snprintf(l.head.id, sizeof(l.head.id), "%d", number);
    if (number)
        snprintf(l.head.parent, sizeof(l.head.parent), "%d", number - 1);
    if (number)
        snprintf(name, sizeof(name), "%d", number - 1);
    struct err e = {0};
    if (cutlist_write(dir, name, &l, &e) < 0)
        fail_msg("%s", e.text);
}

static const char *name_of(int number, char out[32])
{
    snprintf(out, 32, number ? "%d" : "base", number - 1);
    return out;
}

static struct cutstream *open_stream(int dir, int n)
{
    struct cutscan *files[CUTS];
    struct cutstream *s;
    struct err e = {0};
    char name[32];
    for (int i = 0; i < n; i++)
        if (cutscan_open(dir, name_of(i, name), i % 2, &files[i], &e) < 0)
            fail_msg("%s", e.text);
    assert_int_equal(cutstream_new(files, (size_t)n, &s, &e), 0);
    return s;
}

static struct cutstate *open_state(int dir, int n)
{
    struct cutlist *lists[CUTS];
    struct cutstate *s = NULL;
    struct err e = {0};
    char name[32];
    for (int i = 0; i < n; i++)
        assert_int_equal(cutlist_read(dir, name_of(i, name), &lists[i], &e), 0);
    if (cutstate_build(lists, (size_t)n, &s, &e) < 0)
        fail_msg("%s", e.text);
    return s;
}

static void must_be(const struct cut_entry *a, const struct cut_entry *b)
{
    assert_string_equal(a->path, b->path);
    assert_memory_equal(&a->attr, &b->attr, sizeof(a->attr));
    assert_true(a->place.serial == b->place.serial && a->place.seq == b->place.seq);
}

static void a_stream_is_the_state(void **state)
{
    autoclose int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    unsigned seed = 5;
    for (int n = 0; n < CUTS; n++) {
        struct err e = {0};
        const struct cut_entry *got;
        size_t count;
        write_cut(dir, n, &seed, NULL);
        cleanup(cutstate_freep) struct cutstate *s = open_state(dir, n + 1);
        cleanup(cutstream_freep) struct cutstream *stream = open_stream(dir, n + 1);
        const struct cut_entry *all = cutstate_entries(s, &count);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(cutstream_next(stream, &got, &e), 0);
            assert_non_null(got);
            must_be(got, &all[i]);
        }
        assert_int_equal(cutstream_next(stream, &got, &e), 0);
        assert_null(got);
    }
}

/* Whole folders are left out, in any pattern, and all else comes. */
static void folders_are_skipped(void **state)
{
    autoclose int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    unsigned seed = 77;
    for (int n = 0; n < CUTS; n++)
        write_cut(dir, n, &seed, NULL);
    for (int round = 0; round < 30; round++) {
        struct err e = {0};
        const struct cut_entry *got;
        char below[64] = "";
        size_t count;
        cleanup(cutstate_freep) struct cutstate *s = open_state(dir, CUTS);
        cleanup(cutstream_freep) struct cutstream *stream = open_stream(dir, CUTS);
        const struct cut_entry *all = cutstate_entries(s, &count);
        for (size_t i = 0; i < count; i++) {
            if (*below && strncmp(all[i].path, below, strlen(below)) == 0)
                continue;
            assert_int_equal(cutstream_next(stream, &got, &e), 0);
            must_be(got, &all[i]);
            if (cut_is_folder(got) && strlen(got->path) > 8 && rand_r(&seed) % 30 < round) {
                assert_int_equal(cutstream_skip(stream, got->path, &e), 0);
                snprintf(below, sizeof(below), "%s/", got->path);
            }
        }
        assert_int_equal(cutstream_next(stream, &got, &e), 0);
        assert_null(got);
    }
}

static void damage_is_found(void **state)
{
    autoclose int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    unsigned seed = 3;
    struct cutscan *f = NULL;
    struct err e = {0};
    write_cut(dir, 0, &seed, NULL);
    autoclose int fd = openat(dir, "base", O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "9", 1, 5000), 1);
    assert_int_equal(cutscan_open(dir, "base", false, &f, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "checksum"));
    assert_int_equal(ftruncate(fd, 30), 0);
    assert_int_equal(cutscan_open(dir, "base", true, &f, &e), -EBADMSG);
    assert_int_equal(cutscan_open(dir, "5", true, &f, &e), -ENOENT);
}

/* From any path on, forward and back, with all that has gone in between. */
static void a_stream_starts_anywhere(void **state)
{
    autoclose int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    unsigned seed = 23;
    for (int n = 0; n < CUTS; n++)
        write_cut(dir, n, &seed, NULL);
    cleanup(cutstate_freep) struct cutstate *s = open_state(dir, CUTS);
    cleanup(cutstream_freep) struct cutstream *stream = open_stream(dir, CUTS);
    size_t count;
    const struct cut_entry *all = cutstate_entries(s, &count);
    for (int round = 0; round < 200; round++) {
        struct err e = {0};
        const struct cut_entry *got;
        const char *path = paths[(size_t)rand_r(&seed) % npaths];
        size_t i = 0;
        while (i < count && cut_path_cmp(all[i].path, path) < 0)
            i++;
        assert_int_equal(cutstream_restart(stream, path, &e), 0);
        for (int next = rand_r(&seed) % 200; next > 0 && i < count; next--) {
            assert_int_equal(cutstream_next(stream, &got, &e), 0);
            assert_non_null(got);
            must_be(got, &all[i++]);
        }
        if (i == count) {
            assert_int_equal(cutstream_next(stream, &got, &e), 0);
            assert_null(got);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_stream_is_the_state, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_starts_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(folders_are_skipped, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_found, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
