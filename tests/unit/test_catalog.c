/* SPDX-License-Identifier: MIT */
/* catalog: what it remembers, over a reopening too, and what becomes of a damaged one. */
#include "store/snapshot/catalog.h"
#include "store/snapshot/catalog_internal.h"
#include "tests/unit/store_builder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>

#include <cmocka.h>

/* The files of a made-up capture. */
struct files {
    size_t n;
    struct catalog_file at[2000];
    char *names[2000];
};

static void add(struct files *l, const char *path, uint64_t ino, uint64_t size, int64_t mtime_ns)
{
    l->names[l->n] = strdup(path);
    l->at[l->n] = (struct catalog_file){.ino = ino, .size = size, .mtime_ns = mtime_ns};
    l->n++;
}

static void clear(struct files *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->names[i]);
    memset(l, 0, sizeof(*l));
}

static void view_get(void *ctx, size_t i, struct catalog_file *f)
{
    struct files *l = ctx;
    *f = l->at[i];
    f->path = l->names[i];
}

static void view_put(void *ctx, size_t i, const struct catalog_file *f)
{
    struct files *l = ctx;
    l->at[i].index = f->index;
    l->at[i].have_sum = f->have_sum;
    memcpy(l->at[i].sum, f->sum, sizeof(f->sum));
}

static struct catalog_files view_of(struct files *l)
{
    return (struct catalog_files){l->n, view_get, view_put, l};
}

static struct catalog *must_open(const char *dir, struct err *note)
{
    struct catalog *c;
    struct err e = {0};
    int r = catalog_open(dir, &c, note, &e);
    if (r < 0)
        fail_msg("catalog_open: %d %s", r, e.text);
    return c;
}

static struct catalog *open_well(const char *dir)
{
    struct err note;
    struct catalog *c = must_open(dir, &note);
    assert_string_equal(note.text, "");
    return c;
}

static int64_t now = 1465646400 * INT64_C(1000000000);

/* Settles the state named by a digest of one byte; believes what the view says if earlier is
 * not 0. */
static struct catalog_record settle(struct catalog *c, uint8_t state, uint8_t earlier,
                                    struct files *l)
{
    uint8_t digest[SHA256_BYTES] = {state}, was[SHA256_BYTES] = {earlier};
    struct catalog_files view = view_of(l);
    struct catalog_record rec;
    struct err e = {0};
    int r = catalog_settle(c, digest, earlier ? was : NULL, &view, "host", ++now, 5, &rec, &e);
    if (r < 0)
        fail_msg("catalog_settle: %d %s", r, e.text);
    return rec;
}

static void forget_what_is_known(struct files *l)
{
    for (size_t i = 0; i < l->n; i++) {
        l->at[i].index = 0;
        l->at[i].have_sum = false;
    }
}

static int setup(void **state)
{
    *state = temp_folder();
    return 0;
}

static int teardown(void **state)
{
    tree_remove(*state);
    return 0;
}

static void reopening_gives_the_same_record(void **state)
{
    struct files l = {0};
    add(&l, "meta/meta.db", 1, 100, 7);
    add(&l, "data/db/rp/1/000000001-000000001.tsm", 2, 200, 8);
    struct catalog *c = open_well(*state);
    struct catalog_record a = settle(c, 1, 0, &l), b = settle(c, 1, 0, &l);
    assert_memory_equal(&a, &b, sizeof(a));
    assert_int_equal(strlen(a.id), CATALOG_ID_HEX);
    assert_string_equal(a.host, "host");
    assert_int_equal(a.skew_ns, 5);
    assert_int_equal(a.index, 1);
    assert_int_equal(l.at[1].index, 1);
    catalog_close(c);
    c = open_well(*state);
    forget_what_is_known(&l);
    b = settle(c, 1, 0, &l);
    assert_memory_equal(&a, &b, sizeof(a));
    assert_int_equal(l.at[0].index, 1);
    /* Another state, and back: that is a third one. */
    b = settle(c, 2, 0, &l);
    struct catalog_record third = settle(c, 1, 0, &l);
    assert_true(a.index < b.index && b.index < third.index);
    assert_true(a.created_ns < b.created_ns && b.created_ns < third.created_ns);
    assert_string_not_equal(a.id, third.id);
    catalog_close(c);
    clear(&l);
}

static void times_rise_when_the_clock_goes_back(void **state)
{
    struct files l = {0};
    struct catalog *c = open_well(*state);
    struct catalog_record a = settle(c, 1, 0, &l);
    now -= 1000000;
    struct catalog_record b = settle(c, 2, 0, &l);
    assert_int_equal(b.created_ns, a.created_ns + 1);
    assert_int_equal(a.wall_ns, a.created_ns);
    assert_true(b.wall_ns < a.created_ns);
    catalog_close(c);
}

/* The record as it was before it had the clock's time, which is its last member. */
static int shorten_record(struct catalog *c, void *arg)
{
    MDB_val k = {6, (void *)"newest"}, v;
    char old[1024];
    (void)arg;
    assert_int_equal(mdb_get(c->txn, c->states, &k, &v), 0);
    assert_true(v.mv_size <= sizeof(old));
    memcpy(old, v.mv_data, v.mv_size);
    v = (MDB_val){v.mv_size - sizeof(int64_t), old};
    return mdb_put(c->txn, c->states, &k, &v, 0);
}

static void older_records_are_read(void **state)
{
    struct files l = {0};
    struct catalog *c = open_well(*state);
    struct catalog_record a = settle(c, 1, 0, &l);
    assert_int_equal(catalog_transact(c, shorten_record, NULL), 0);
    catalog_close(c);
    c = open_well(*state);
    struct catalog_record b = settle(c, 1, 0, &l);
    assert_string_equal(a.id, b.id);
    assert_int_equal(b.created_ns, a.created_ns);
    assert_int_equal(b.wall_ns, a.created_ns);
    catalog_close(c);
}

static void an_index_is_that_of_the_last_change(void **state)
{
    struct files l = {0};
    struct catalog *c = open_well(*state);
    add(&l, "a", 1, 10, 100);
    add(&l, "b", 2, 20, 200);
    add(&l, "c", 3, 30, 300);
    settle(c, 1, 0, &l);
    l.at[0].size = 11;
    settle(c, 2, 0, &l);
    l.at[1].mtime_ns = 201;
    settle(c, 3, 0, &l);
    l.at[2].ino = 33;
    settle(c, 4, 0, &l);
    assert_int_equal(l.at[0].index, 2);
    assert_int_equal(l.at[1].index, 3);
    assert_int_equal(l.at[2].index, 4);
    /* What is known is believed only if it comes from the newest state. */
    l.at[0].index = 77;
    settle(c, 5, 4, &l);
    assert_int_equal(l.at[0].index, 77);
    settle(c, 6, 3, &l);
    assert_int_equal(l.at[0].index, 2);
    catalog_close(c);
    clear(&l);
}

static void sums_are_kept_until_the_file_changes(void **state)
{
    struct files l = {0};
    struct err e = {0};
    struct catalog *c = open_well(*state);
    add(&l, "a", 1, 10, 100);
    add(&l, "b", 2, 20, 200);
    settle(c, 1, 0, &l);
    assert_false(l.at[0].have_sum);
    l.at[0].have_sum = l.at[1].have_sum = true;
    memset(l.at[0].sum, 0xaa, SHA256_BYTES);
    memset(l.at[1].sum, 0xbb, SHA256_BYTES);
    struct catalog_files view = view_of(&l);
    assert_int_equal(catalog_put_sums(c, &view, &e), 0);
    catalog_close(c);
    c = open_well(*state);
    forget_what_is_known(&l);
    l.at[1].size++;
    settle(c, 2, 0, &l);
    assert_true(l.at[0].have_sum);
    assert_int_equal(l.at[0].sum[31], 0xaa);
    assert_false(l.at[1].have_sum);
    /* A sum of a file as it was before is not taken. */
    struct files old = {0};
    add(&old, "b", 2, 20, 200);
    add(&old, "unknown", 9, 9, 9);
    old.at[0].have_sum = old.at[1].have_sum = true;
    struct catalog_files old_view = view_of(&old);
    assert_int_equal(catalog_put_sums(c, &old_view, &e), 0);
    settle(c, 2, 0, &l);
    assert_false(l.at[1].have_sum);
    catalog_close(c);
    clear(&l);
    clear(&old);
}

static void vanished_files_are_forgotten(void **state)
{
    struct files l = {0}, fewer = {0};
    struct catalog *c = open_well(*state);
    add(&l, "a", 1, 10, 100);
    add(&l, "b", 2, 20, 200);
    add(&fewer, "b", 2, 20, 200);
    settle(c, 1, 0, &l);
    settle(c, 2, 0, &fewer);
    assert_int_equal(fewer.at[0].index, 1);
    settle(c, 3, 0, &l);
    assert_int_equal(l.at[0].index, 3);
    assert_int_equal(l.at[1].index, 1);
    struct files none = {0};
    settle(c, 4, 0, &none);
    settle(c, 5, 0, &l);
    assert_int_equal(l.at[1].index, 5);
    catalog_close(c);
    clear(&l);
    clear(&fewer);
}

/* Paths longer than an LMDB key, which differ only behind what a key holds. */
static void long_paths(void **state)
{
    struct files l = {0};
    char path[2001];
    struct catalog *c = open_well(*state);
    for (size_t n = 505; n < 520; n++) {
        memset(path, 'x', n);
        path[n] = 0;
        add(&l, path, n, n, 1);
    }
    for (int i = 0; i < 10; i++) {
        memset(path, 'y', 2000);
        path[1999] = (char)('0' + i);
        path[2000] = 0;
        add(&l, path, 1000 + (unsigned)i, 5, 1);
    }
    settle(c, 1, 0, &l);
    for (size_t i = 0; i < l.n; i++) {
        l.at[i].mtime_ns++;
        settle(c, (uint8_t)(2 + i), 0, &l);
        for (size_t k = 0; k < l.n; k++)
            assert_int_equal(l.at[k].index, k <= i ? 2 + k : 1);
    }
    catalog_close(c);
    clear(&l);
}

static void memory_mode(void **state)
{
    struct files l = {0};
    (void)state;
    add(&l, "a", 1, 10, 100);
    struct catalog *c = open_well(NULL), *other = open_well(NULL);
    struct catalog_record a = settle(c, 1, 0, &l), b = settle(c, 1, 0, &l);
    assert_memory_equal(&a, &b, sizeof(a));
    b = settle(other, 1, 0, &l);
    assert_string_not_equal(a.id, b.id);
    catalog_close(c);
    catalog_close(other);
    clear(&l);
}

static off_t size_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

static void fill(const char *dir, struct files *l)
{
    char path[200];
    struct catalog *c = open_well(dir);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(path, sizeof(path), "data/a database/autogen/%u/%09u-000000001.tsm", i, i);
        add(l, path, i, i, i);
    }
    settle(c, 1, 0, l);
    catalog_close(c);
}

/* Whatever is wrong with the file: it is set aside, and everything works. */
static void must_begin_anew(const char *dir, struct files *l)
{
    struct err note;
    autofree char *aside = NULL;
    assert_true(asprintf(&aside, "%s/catalog.mdb.damaged", dir) > 0);
    struct catalog *c = must_open(dir, &note);
    assert_non_null(strstr(note.text, "damaged"));
    assert_int_equal(access(aside, F_OK), 0);
    struct catalog_record rec = settle(c, 1, 0, l);
    assert_int_equal(rec.index, 1);
    catalog_close(c);
    c = open_well(dir);
    struct catalog_record again = settle(c, 1, 0, l);
    assert_memory_equal(&rec, &again, sizeof(rec));
    catalog_close(c);
}

static void damaged_files_are_set_aside(void **state)
{
    struct files l = {0};
    autofree char *path = NULL;
    assert_true(asprintf(&path, "%s/catalog.mdb", (char *)*state) > 0);
    fill(*state, &l);
    off_t whole = size_of(path);
    assert_true(whole > 20 * 4096);
    /* The last page cut off, half of the file, the meta pages alone, less than these. */
    const off_t lengths[] = {whole - 4096, whole - 1, whole / 2, 8192, 8191, 4096, 1000, 10};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        assert_int_equal(truncate(path, lengths[i]), 0);
        must_begin_anew(*state, &l);
        unlink(path);
        clear(&l);
        fill(*state, &l);
    }
    autoclose int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    for (unsigned i = 0; i < 9000; i++)
        assert_int_equal(write(fd, &(uint32_t){i * 2654435761u}, 4), 4);
    must_begin_anew(*state, &l);
    clear(&l);
}

static void an_empty_file_is_a_new_catalogue(void **state)
{
    struct files l = {0};
    autofree char *path = NULL;
    assert_true(asprintf(&path, "%s/catalog.mdb", (char *)*state) > 0);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    struct catalog *c = open_well(*state);
    assert_int_equal(settle(c, 1, 0, &l).index, 1);
    catalog_close(c);
    c = open_well(*state);
    assert_int_equal(settle(c, 1, 0, &l).index, 1);
    catalog_close(c);
}

static void errors_have_words(void **state)
{
    struct catalog *c;
    struct err note, e = {0};
    autofree char *path = NULL;
    assert_true(asprintf(&path, "%s/no/such/folder", (char *)*state) > 0);
    assert_int_equal(catalog_open(path, &c, &note, &e), -ENOENT);
    assert_non_null(strstr(e.text, path));
}

/* Files that come and go in random numbers: the size check must never take a sound file for a
 * torn one, though LMDB leaves freed pages at its end unwritten. */
static void churn_is_no_damage(void **state)
{
    unsigned seed = 1;
    for (unsigned round = 0; round < 60; round++) {
        struct files l = {0};
        struct catalog *c = open_well(*state);
        unsigned n =
            rand_r(&seed) % 3 ? (unsigned)rand_r(&seed) % 1500 : (unsigned)rand_r(&seed) % 9;
        for (unsigned i = 0; i < n; i++) {
            char path[200];
            snprintf(path, sizeof(path), "data/%u/%0*u", (unsigned)rand_r(&seed) % 50,
                     1 + rand_r(&seed) % 90, i);
            add(&l, path, (unsigned)rand_r(&seed) % 4, 1, 1);
        }
        struct catalog_record rec = settle(c, (uint8_t)(1 + round), 0, &l);
        assert_int_equal(rec.index, 1 + round);
        catalog_close(c);
        clear(&l);
    }
}

/* Another process settles states of its own meanwhile: the counter counts them all. Each opens the
 * catalogue for itself, for a lock is shared with a fork. */
static void two_processes(void **state)
{
    enum { ROUNDS = 60 };
    struct files l = {0};
    add(&l, "a", 1, 10, 100);
    pid_t pid = fork();
    assert_true(pid >= 0);
    struct catalog *c = open_well(*state);
    for (int i = 0; i < ROUNDS; i++) {
        l.at[0].size++;
        settle(c, (uint8_t)(1 + 2 * i + (pid == 0)), 0, &l);
    }
    if (pid == 0)
        _exit(0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(settle(c, 200, 0, &l).index, 2 * ROUNDS + 1);
    catalog_close(c);
    clear(&l);
}

static bool is_derived(struct catalog *c, uint32_t number)
{
    uint8_t digest[SHA256_BYTES] = {0};
    struct catalog_derived d;
    memcpy(digest, &number, sizeof(number));
    int r = catalog_get_derived(c, digest, &d, NULL);
    assert_true(r == -ENOENT || (r == 0 && d.size == number && !d.have_sum));
    return r == 0;
}

static void put_derived_size(struct catalog *c, uint32_t number)
{
    uint8_t digest[SHA256_BYTES] = {0};
    memcpy(digest, &number, sizeof(number));
    const struct catalog_derived d = {.size = number};
    assert_int_equal(catalog_put_derived(c, digest, &d, NULL), 0);
}

/* As after very many sizes. */
static int fill_generation(struct catalog *c, void *arg)
{
    static const char name[] = "newest generation";
    MDB_val k = {sizeof(name), (void *)name}, v;
    uint64_t latest[2];
    (void)arg;
    assert_int_equal(mdb_get(c->txn, c->derived, &k, &v), 0);
    assert_int_equal(v.mv_size, sizeof(latest));
    memcpy(latest, v.mv_data, sizeof(latest));
    latest[1] = UINT32_MAX;
    v.mv_data = latest;
    return mdb_put(c->txn, c->derived, &k, &v, 0);
}

/* Those that are asked for stay; of the others the oldest go. */
static void derived_values_of_two_generations(void **state)
{
    struct catalog *c = open_well(*state);
    for (uint32_t i = 1; i <= 100; i++)
        put_derived_size(c, i);
    for (uint32_t round = 1; round < 5; round++) {
        assert_int_equal(catalog_transact(c, fill_generation, NULL), 0);
        put_derived_size(c, 100 + round);
        assert_true(is_derived(c, 7));
    }
    assert_true(is_derived(c, 103) && is_derived(c, 104));
    assert_false(is_derived(c, 8) || is_derived(c, 101));
    catalog_close(c);
}

/* What an older version has written: a size, and no more. */
static int put_size_alone(struct catalog *c, void *arg)
{
    uint8_t key[1 + SHA256_BYTES] = {0, 9};
    MDB_val k = {sizeof(key), key}, v = {sizeof(uint64_t), arg};
    return mdb_put(c->txn, c->derived, &k, &v, 0);
}

static void what_is_known_of_derived_files(void **state)
{
    struct catalog *c = open_well(*state);
    const uint8_t digest[SHA256_BYTES] = {8}, old[SHA256_BYTES] = {9};
    struct catalog_derived d = {.size = 12345}, got;
    uint64_t size = 77;
    assert_int_equal(catalog_get_derived(c, digest, &got, NULL), -ENOENT);
    assert_int_equal(catalog_put_derived(c, digest, &d, NULL), 0);
    assert_int_equal(catalog_get_derived(c, digest, &got, NULL), 0);
    assert_true(got.size == 12345 && !got.have_crc && !got.have_sum);
    d = (struct catalog_derived){12345, true, true, 0xdeadbeef, {1, 2, 3}};
    assert_int_equal(catalog_put_derived(c, digest, &d, NULL), 0);
    assert_int_equal(catalog_transact(c, put_size_alone, &size), 0);
    catalog_close(c);
    c = open_well(*state);
    assert_int_equal(catalog_get_derived(c, digest, &got, NULL), 0);
    assert_true(got.have_crc && got.have_sum && got.crc == 0xdeadbeef);
    assert_memory_equal(got.sum, d.sum, SHA256_BYTES);
    assert_int_equal(catalog_get_derived(c, old, &got, NULL), 0);
    assert_true(got.size == 77 && !got.have_crc && !got.have_sum);
    catalog_close(c);
}

/* A note lasts as long as its file stays as it is. */
static void notes_last_as_their_files(void **state)
{
    const char *dir = *state;
    struct files files = {0};
    struct catalog_files view = view_of(&files);
    struct catalog_record rec;
    char longest[900] = "data/";
    memset(longest + 5, 'd', sizeof(longest) - 6);
    add(&files, "data/a", 1, 10, 100);
    add(&files, longest, 2, 20, 200);
    view.n = files.n;
    struct catalog *c = open_well(dir);
    uint8_t digest[SHA256_BYTES] = {1};
    assert_int_equal(catalog_settle(c, digest, NULL, &view, "host", 1, 0, &rec, NULL), 0);
    struct catalog_note put[] = {
        {.path = "data/a", .stamp = {1, 0}, .bytes = (void *)"one", .n = 3},
        {.path = longest, .stamp = {1, 7}, .bytes = (void *)""},
        {.path = "data/c", .stamp = {1}, .bytes = (void *)"not in the store"},
        {.path = "data/a", .stamp = {2, 9}, .bytes = (void *)"of another index"},
    };
    assert_int_equal(catalog_put_notes(c, put, 4, NULL), 0);
    catalog_close(c);
    c = open_well(dir);
    struct catalog_note got[] = {
        {.path = "data/a", .stamp = {1, 0}}, {.path = longest, .stamp = {1, 7}},
        {.path = "data/a", .stamp = {2, 9}}, {.path = longest, .stamp = {1, 8}},
        {.path = "data/b", .stamp = {1, 0}}, {.path = "data/c", .stamp = {1}}};
    assert_int_equal(catalog_get_notes(c, got, 6, NULL), 0);
    assert_int_equal(got[0].n, 3);
    assert_memory_equal(got[0].bytes, "one", 3);
    assert_true(got[0].known && got[1].known && got[1].bytes && got[1].n == 0);
    for (size_t i = 2; i < 6; i++)
        assert_true(!got[i].bytes && !got[i].known);
    free(got[0].bytes);
    free(got[1].bytes);
    /* The first file goes, and with it what was known of it. */
    struct files rest = {0};
    add(&rest, longest, 2, 20, 200);
    view = view_of(&rest);
    digest[0] = 2;
    assert_int_equal(catalog_settle(c, digest, NULL, &view, "host", 2, 0, &rec, NULL), 0);
    struct catalog_note later[] = {{.path = "data/a", .stamp = {1, 0}},
                                   {.path = longest, .stamp = {1, 7}}};
    assert_int_equal(catalog_get_notes(c, later, 2, NULL), 0);
    assert_true(!later[0].bytes && later[1].bytes);
    free(later[1].bytes);
    catalog_close(c);
    clear(&files);
    clear(&rest);
}

/* What is remembered of a shard tells when its files last became others. */

static struct catalog_shard the_shard;

static bool give_shard(void *ctx, size_t i, struct catalog_shard *out)
{
    (void)ctx, (void)i;
    *out = the_shard;
    return true;
}

static uint64_t settle_shard(struct catalog *c, uint8_t state, uint8_t shard, struct files *l)
{
    const uint8_t digest[SHA256_BYTES] = {state};
    const struct catalog_files view = view_of(l);
    const struct catalog_folder folder = {"data/db/rp/1", 0, l->n, false};
    const struct catalog_shape shape = {
        .folders = &folder, .nfolders = 1, .shard = give_shard, .nshards = 1};
    struct catalog_record rec;
    the_shard = (struct catalog_shard){
        .path = "db/rp/1", .mtime_ns = 5, .whole = true, .files = l->n, .digest = {shard}};
    const struct catalog_given given = {
        .digest = digest, .files = &view, .shape = &shape, .host = "host", .now_ns = ++now};
    assert_int_equal(catalog_settle_state(c, &given, &rec, NULL), 0);
    return rec.index;
}

static struct catalog_shard shard_of(struct catalog *c, const char *path)
{
    struct catalog_shard s = {.path = path};
    assert_int_equal(catalog_get_shards(c, &s, 1, NULL), 0);
    return s;
}

static void shards_tell_when_they_changed(void **state)
{
    struct files l = {0};
    struct catalog_base base = {.index = 7, .rules = {3}}, got;
    add(&l, "data/db/rp/1/000000001-000000001.tsm", 2, 200, 8);
    struct catalog *c = open_well(*state);
    assert_int_equal(settle_shard(c, 1, 11, &l), 1);
    assert_int_equal(settle_shard(c, 2, 11, &l), 2);
    assert_int_equal(shard_of(c, "db/rp/1").changed, 1);
    assert_int_equal(settle_shard(c, 3, 12, &l), 3);
    catalog_close(c);
    c = open_well(*state);
    struct catalog_shard s = shard_of(c, "db/rp/1");
    assert_true(s.changed == 3 && s.digest[0] == 12 && s.whole && s.files == 1);
    assert_true(shard_of(c, "db/rp/2").changed == 0);
    /* Damage is to be told each time: the shard must be listed. */
    struct catalog_files view = view_of(&l);
    l.at[0].damaged = true;
    assert_int_equal(catalog_put_sums(c, &view, NULL), 0);
    assert_false(shard_of(c, "db/rp/1").whole);
    assert_int_equal(catalog_get_base(c, "abc", &got, NULL), -ENOENT);
    assert_int_equal(catalog_put_base(c, "abc", &base, NULL), 0);
    assert_int_equal(catalog_get_base(c, "abc", &got, NULL), 0);
    assert_memory_equal(&got, &base, sizeof(base));
    catalog_close(c);
    clear(&l);
}

/* A part of the store keeps its record until it changes, whatever the whole does. */

static struct catalog_part part_of(const char *which, const char *state, const char *meta)
{
    struct catalog_part p;
    memset(&p, 0, sizeof(p));
    strcpy((char *)p.key, which);
    strcpy((char *)p.digest, state);
    strcpy((char *)p.meta_sum, meta);
    return p;
}

static struct catalog_record whole_of(uint64_t index)
{
    struct catalog_record rec;
    memset(&rec, 0, sizeof(rec));
    snprintf(rec.id, sizeof(rec.id), "whole%d", (int)index);
    rec.index = index;
    rec.created_ns = rec.wall_ns = (int64_t)index * 100;
    return rec;
}

static struct catalog_part settle_part(struct catalog *c, const char *state, const char *meta,
                                       uint64_t index)
{
    struct catalog_part p = part_of("a", state, meta);
    const struct catalog_record whole = whole_of(index);
    struct err e = {0};
    p.meta_mtime_ns = (int64_t)index;
    if (catalog_settle_parts(c, &p, 1, &whole, &e) < 0)
        fail_msg("%s", e.text);
    assert_true(strlen(p.rec.id) == CATALOG_ID_HEX);
    return p;
}

static void check_parts(struct catalog *c)
{
    struct catalog_part first = settle_part(c, "one", "meta", 5);
    assert_true(first.rec.index == 5 && first.rec.created_ns == 500);
    assert_true(first.meta_index == 5 && first.meta_mtime_ns == 5);
    struct catalog_part same = settle_part(c, "one", "meta", 9);
    assert_memory_equal(&same, &first, sizeof(first));
    /* A point more: meta.db is still the one of then. */
    struct catalog_part more = settle_part(c, "two", "meta", 11);
    assert_true(more.rec.index == 11 && more.meta_index == 5 && more.meta_mtime_ns == 5);
    assert_string_not_equal(more.rec.id, first.rec.id);
    /* A reader that still has an earlier capture does not take the newest one's place. */
    struct catalog_part late = settle_part(c, "one", "meta", 9);
    assert_true(late.rec.index == 9);
    same = settle_part(c, "two", "meta", 12);
    assert_memory_equal(&same, &more, sizeof(more));
    struct catalog_part meta = settle_part(c, "three", "other", 13);
    assert_true(meta.meta_index == 13 && meta.meta_mtime_ns == 13);
}

static void parts_keep_their_records(void **state)
{
    struct catalog *c = open_well(*state);
    check_parts(c);
    struct catalog_part other = part_of("b", "three", "other");
    const struct catalog_record whole = whole_of(13);
    assert_int_equal(catalog_settle_parts(c, &other, 1, &whole, NULL), 0);
    struct catalog_part before = settle_part(c, "three", "other", 14);
    assert_string_not_equal(other.rec.id, before.rec.id);
    catalog_close(c);
    c = open_well(*state);
    struct catalog_part after = settle_part(c, "three", "other", 15);
    assert_memory_equal(&after, &before, sizeof(before));
    catalog_close(c);
}

static void parts_are_kept_in_memory(void **state)
{
    struct catalog *c = open_well(NULL);
    (void)state;
    check_parts(c);
    catalog_close(c);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(reopening_gives_the_same_record),
        T(times_rise_when_the_clock_goes_back),
        T(older_records_are_read),
        T(an_index_is_that_of_the_last_change),
        T(sums_are_kept_until_the_file_changes),
        T(vanished_files_are_forgotten),
        T(long_paths),
        T(memory_mode),
        T(damaged_files_are_set_aside),
        T(an_empty_file_is_a_new_catalogue),
        T(errors_have_words),
        T(churn_is_no_damage),
        T(two_processes),
        T(notes_last_as_their_files),
        T(derived_values_of_two_generations),
        T(what_is_known_of_derived_files),
        cmocka_unit_test_setup_teardown(shards_tell_when_they_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_keep_their_records, setup, teardown),
        cmocka_unit_test(parts_are_kept_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
