/* SPDX-License-Identifier: MIT */
/* window: what is found in a shard, what counts as changed, and that everything caught is a state
 * that was, while the store changes all the time. */
#include "store/base/time.h"
#include "store/snapshot/window.h"
#include "tests/unit/store_builder.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#define SECOND ((int64_t)1000000000)

struct fixture {
    struct store store;
    struct held_table *held;
    int data, wal;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->store = store_new();
    f->held = held_table_new();
    store_mkdir(&f->store, "data");
    store_mkdir(&f->store, "wal");
    f->data = open(f->store.paths.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f->wal = open(f->store.paths.wal, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = f;
    return f->data < 0 || f->wal < 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close(f->data);
    close(f->wal);
    held_table_free(f->held);
    store_free(&f->store);
    free(f);
    return 0;
}

static int take(struct fixture *f, const struct window *before, struct window *w, struct err *e)
{
    struct window_wait wait = {time_mono_ns() + 20 * SECOND, NULL, NULL};
    e->text[0] = 0;
    return window_take(f->held, f->data, f->wal, before, &wait, w, e);
}

/* Lists every shard once more: -ESTALE if any is not as it was caught. */
static int window_recheck(const struct window *w, int data_fd, int wal_fd)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < w->nshards; i++)
        if (!w->shards[i].gone && !w->shards[i].why)
            r = shard_pin_recheck(data_fd, wal_fd, &w->shards[i]);
    return r;
}

static struct window must_take(struct fixture *f, const struct window *before)
{
    struct window w;
    struct err e;
    int r = take(f, before, &w, &e);
    if (r < 0)
        fail_msg("window_take: %d %s", r, e.text);
    return w;
}

/* "DB/RP/ID: FILE FILE | SEGMENT", a shard a line. */
static char *shown(const struct window *w)
{
    struct buffer b = {0};
    for (size_t i = 0; i < w->nshards; i++) {
        const struct shard_pin *s = &w->shards[i];
        buffer_text(&b, "%s:%s", s->path, s->gone ? " gone" : "");
        for (size_t k = 0; s->set && k < s->set->n; k++)
            buffer_text(&b, " %s", s->set->files[k].name);
        for (size_t k = 0; k < s->nsegments; k++)
            buffer_text(&b, "%s %s", k ? "" : " |", s->segments[k].name);
        buffer_text(&b, "\n");
    }
    buffer_add(&b, "", 1);
    return b.p;
}

#define assert_shown(w, want)                                                                      \
    do {                                                                                           \
        autofree char *shown_text = shown(w);                                                      \
        assert_string_equal(shown_text, want);                                                     \
    } while (0)

static void everything_is_found(void **state)
{
    struct fixture *f = *state;
    struct store *s = &f->store;
    store_text(s, "data/a.b c/rp 1/2/000000002-000000001.tsm", "two");
    store_text(s, "data/a.b c/rp 1/2/000000001-000000001.tsm", "one");
    store_text(s, "data/a.b c/rp 1/2/000000001-000000001.tombstone", "dead");
    store_text(s, "data/a.b c/rp 1/2/000000009-000000001.tombstone", "orphan");
    store_text(s, "data/a.b c/rp 1/2/000000003-000000001.tsm.tmp", "tmp");
    store_text(s, "data/a.b c/rp 1/2/000000003-000000001.tsm.bad", "bad");
    store_text(s, "data/a.b c/rp 1/2/fields.idx", "fields");
    store_text(s, "data/a.b c/rp 1/2/index/0/MANIFEST", "index");
    store_text(s, "wal/a.b c/rp 1/2/_00002.wal", "w2");
    store_text(s, "wal/a.b c/rp 1/2/_00001.wal", "w1");
    store_text(s, "wal/a.b c/rp 1/2/00001.wal", "no segment");
    store_mkdir(s, "data/a.b c/rp 1/10");
    store_mkdir(s, "data/a.b c/_series/00");
    store_mkdir(s, "data/a.b c/rp 1/7.tmp");
    store_mkdir(s, "data/a.b c/rp 1/007");
    store_mkdir(s, "data/.influxfs/x/1");
    store_mkdir(s, "wal/a.b c/rp 1/77");
    usleep(50000); /* one instant is claimed only of folders older than the clock's tick */
    struct window w = must_take(f, NULL);
    assert_shown(&w, "a.b c/rp 1/007:\n"
                     "a.b c/rp 1/10:\n"
                     "a.b c/rp 1/2: 000000001-000000001.tombstone 000000001-000000001.tsm "
                     "000000002-000000001.tsm | _00001.wal _00002.wal\n");
    assert_non_null(strstr(w.shards[0].why, "rename the folder to 7"));
    assert_true(w.shards[2].has_wal && w.shards[2].has_index);
    assert_false(w.shards[1].has_wal || w.shards[1].has_index);
    assert_int_equal(w.shards[2].id, 2);
    assert_int_equal(w.shards[2].segments[0].attr.size, 2);
    assert_int_equal(w.shards[2].set->files[1].attr.size, 3);
    assert_int_equal(w.skew_ns, 0);
    assert_string_equal(w.parents[0].path, "");
    window_free(&w);
}

static void only_links_of_shards_are_followed(void **state)
{
    struct fixture *f = *state;
    struct store *s = &f->store;
    struct window w;
    store_text(s, "outside/rp/1/000000001-000000001.tsm", "foreign");
    store_text(s, "data/db/rp/1/000000001-000000001.tsm", "own");
    assert_int_equal(symlinkat("../outside", f->data, "linked"), 0);
    assert_int_equal(symlinkat("../../outside/rp", f->data, "db/linked"), 0);
    assert_int_equal(symlinkat("../../../outside/rp/1", f->data, "db/rp/5"), 0);
    w = must_take(f, NULL);
    assert_shown(&w, "db/rp/1: 000000001-000000001.tsm\n"
                     "db/rp/5: 000000001-000000001.tsm\n");
    assert_null(w.shards[0].link);
    assert_string_equal(w.shards[1].link, "../../../outside/rp/1");
    window_free(&w);
    assert_int_equal(symlinkat("/etc/passwd", f->data, "db/rp/1/000000002-000000001.tsm"), 0);
    w = must_take(f, NULL);
    assert_non_null(strstr(w.shards[0].why, "/1/000000002-000000001.tsm: is a symbolic link"));
    window_free(&w);
    store_mkdir(s, "wal/db/rp/1/_00001.wal");
    assert_int_equal(unlinkat(f->data, "db/rp/1/000000002-000000001.tsm", 0), 0);
    w = must_take(f, NULL);
    assert_string_equal(w.shards[0].why, "shard wal/db/rp/1/_00001.wal: is not a regular file");
    window_free(&w);
}

/* A link that leads elsewhere is a change of the shard, though no folder in its path has changed.
 */
static void a_link_that_changes_is_seen(void **state)
{
    struct fixture *f = *state;
    struct store *s = &f->store;
    store_text(s, "slow/1/000000001-000000001.tsm", "one");
    store_text(s, "slow/2/000000001-000000001.tsm", "two");
    store_text(s, "slow/w/_00001.wal", "wal");
    store_mkdir(s, "data/db/rp");
    store_mkdir(s, "wal/db/rp");
    store_mkdir(s, "hop");
    assert_int_equal(symlinkat("../../../hop/1", f->data, "db/rp/1"), 0);
    assert_int_equal(symlinkat("../slow/1", f->data, "../hop/1"), 0);
    assert_int_equal(symlinkat("../../../slow/w", f->wal, "db/rp/1"), 0);
    struct window w = must_take(f, NULL);
    assert_shown(&w, "db/rp/1: 000000001-000000001.tsm | _00001.wal\n");
    assert_string_equal(w.shards[0].link, "../../../hop/1");
    assert_string_equal(w.shards[0].wal_link, "../../../slow/w");
    assert_int_equal(window_recheck(&w, f->data, f->wal), 0);
    assert_int_equal(unlinkat(f->data, "../hop/1", 0), 0);
    assert_int_equal(window_recheck(&w, f->data, f->wal), -ESTALE);
    assert_int_equal(symlinkat("../slow/2", f->data, "../hop/1"), 0);
    assert_int_equal(window_recheck(&w, f->data, f->wal), -ESTALE);
    assert_int_equal(window_unchanged(&w, f->data, f->wal), -ESTALE);
    window_free(&w);
    /* The same files by another link. */
    w = must_take(f, NULL);
    assert_int_equal(unlinkat(f->data, "db/rp/1", 0), 0);
    assert_int_equal(symlinkat("../../../slow/2", f->data, "db/rp/1"), 0);
    assert_int_equal(window_recheck(&w, f->data, f->wal), -ESTALE);
    window_free(&w);
    /* Links that lead nowhere, or round. */
    assert_int_equal(unlinkat(f->data, "db/rp/1", 0), 0);
    assert_int_equal(symlinkat("nowhere", f->data, "db/rp/1"), 0);
    assert_int_equal(symlinkat("2", f->data, "db/rp/2"), 0);
    assert_int_equal(unlinkat(f->wal, "db/rp/1", 0), 0);
    assert_int_equal(symlinkat("nowhere", f->wal, "db/rp/1"), 0);
    store_mkdir(s, "data/db/rp/3");
    assert_int_equal(symlinkat("nowhere", f->wal, "db/rp/3"), 0);
    w = must_take(f, NULL);
    assert_int_equal(w.nshards, 3);
    assert_non_null(strstr(w.shards[0].why, "data/db/rp/1"));
    assert_non_null(strstr(w.shards[1].why, "data/db/rp/2"));
    assert_non_null(strstr(w.shards[2].why, "wal/db/rp/3"));
    window_free(&w);
}

static void without_a_wal_folder(void **state)
{
    struct fixture *f = *state;
    struct window_wait wait = {time_mono_ns() + SECOND, NULL, NULL};
    struct window w;
    struct err e = {0};
    assert_int_equal(window_take(f->held, f->data, -1, NULL, &wait, &w, &e), 0);
    assert_int_equal(w.nshards, 0);
    window_free(&w);
    store_mkdir(&f->store, "data/db/rp/1");
    assert_int_equal(window_take(f->held, f->data, -1, NULL, &wait, &w, &e), -EIO);
    assert_non_null(strstr(e.text, "no WAL folder"));
}

static void age_all(struct store *s)
{
    static const char *const folders[] = {"data",         "wal",         "data/db",
                                          "data/db/rp",   "wal/db",      "wal/db/rp",
                                          "data/db/rp/1", "wal/db/rp/1", "data/db/rp/2"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        autofree char *path = store_path(s, folders[i]);
        if (access(path, F_OK) == 0)
            store_age(s, folders[i], 100);
    }
}

static void build_small(struct store *s)
{
    store_text(s, "data/db/rp/1/000000001-000000001.tsm", "one");
    store_text(s, "data/db/rp/1/000000001-000000001.tombstone", "dead");
    store_text(s, "data/db/rp/2/000000001-000000001.tsm", "two");
    store_text(s, "wal/db/rp/1/_00001.wal", "wal");
    age_all(s);
}

/* Every kind of change: window_unchanged must see it; window_recheck only what breaks the rule. */
static void changes_are_seen(void **state)
{
    struct fixture *f = *state;
    struct store *s = &f->store;
    static const struct {
        const char *what, *put, *append, *remove;
        int recheck;
    } changes[] = {
        {"nothing", NULL, NULL, NULL, 0},
        {"a new TSM file", "data/db/rp/1/000000002-000000001.tsm", NULL, NULL, -ESTALE},
        {"a new tombstone", "data/db/rp/2/000000001-000000001.tombstone", NULL, NULL, -ESTALE},
        {"a tombstone replaced", "data/db/rp/1/000000001-000000001.tombstone", NULL, NULL, -ESTALE},
        {"a TSM file gone", NULL, NULL, "data/db/rp/1/000000001-000000001.tsm", -ESTALE},
        {"a tombstone gone", NULL, NULL, "data/db/rp/1/000000001-000000001.tombstone", -ESTALE},
        {"a segment gone", NULL, NULL, "wal/db/rp/1/_00001.wal", -ESTALE},
        {"a segment replaced", "wal/db/rp/1/_00001.wal", NULL, NULL, -ESTALE},
        {"a shard gone", NULL, NULL, "data/db/rp/2", -ESTALE},
        {"a WAL shard gone", NULL, NULL, "wal/db/rp/1", -ESTALE},
        {"a segment that grew", NULL, "wal/db/rp/1/_00001.wal", NULL, 0},
        {"a new segment", "wal/db/rp/1/_00002.wal", NULL, NULL, 0},
        {"a new WAL shard", "wal/db/rp/2/_00001.wal", NULL, NULL, 0},
        {"a new shard", "data/db/rp/3/000000001-000000001.tsm", NULL, NULL, 0},
        {"an orphan tombstone", "data/db/rp/1/000000009-000000001.tombstone", NULL, NULL, 0},
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        build_small(s);
        struct window w = must_take(f, NULL);
        if (changes[i].put)
            store_text(s, changes[i].put, "new");
        if (changes[i].append)
            store_append(s, changes[i].append, "more", 4);
        if (changes[i].remove)
            store_remove(s, changes[i].remove);
        int recheck = window_recheck(&w, f->data, f->wal);
        int unchanged = window_unchanged(&w, f->data, f->wal);
        if (recheck != changes[i].recheck)
            fail_msg("%s: recheck says %d", changes[i].what, recheck);
        if (unchanged != (i == 0 ? 0 : -ESTALE))
            fail_msg("%s: unchanged says %d", changes[i].what, unchanged);
        window_free(&w);
        store_remove(s, "data/db");
        store_remove(s, "wal/db");
    }
}

/* A folder changed just before it was listed may change once more within the same tick. */
static void fresh_folders_are_distrusted(void **state)
{
    struct fixture *f = *state;
    build_small(&f->store);
    store_text(&f->store, "data/db/rp/1/000000002-000000001.tsm", "new");
    struct window w = must_take(f, NULL);
    assert_int_equal(window_unchanged(&w, f->data, f->wal), -ESTALE);
    window_free(&w);
    age_all(&f->store);
    w = must_take(f, NULL);
    assert_int_equal(window_unchanged(&w, f->data, f->wal), 0);
    window_free(&w);
}

static void sets_are_shared_while_folders_stay(void **state)
{
    struct fixture *f = *state;
    build_small(&f->store);
    struct window a = must_take(f, NULL), b = must_take(f, &a);
    assert_ptr_equal(a.shards[0].set, b.shards[0].set);
    assert_ptr_equal(a.shards[1].set, b.shards[1].set);
    store_text(&f->store, "data/db/rp/1/000000002-000000001.tsm", "new");
    struct window c = must_take(f, &b);
    assert_ptr_not_equal(b.shards[0].set, c.shards[0].set);
    assert_ptr_equal(b.shards[1].set, c.shards[1].set);
    assert_ptr_equal(b.shards[0].set->files[0].held, c.shards[0].set->files[0].held);
    window_free(&a);
    window_free(&b);
    assert_shown(&c, "db/rp/1: 000000001-000000001.tombstone 000000001-000000001.tsm "
                     "000000002-000000001.tsm | _00001.wal\ndb/rp/2: 000000001-000000001.tsm\n");
    /* A shard that is another folder now, under the same name. */
    store_remove(&f->store, "data/db/rp/2");
    store_text(&f->store, "data/db/rp/2/000000005-000000001.tsm", "two");
    age_all(&f->store);
    struct window d = must_take(f, &c);
    assert_shown(&d, "db/rp/1: 000000001-000000001.tombstone 000000001-000000001.tsm "
                     "000000002-000000001.tsm | _00001.wal\ndb/rp/2: 000000005-000000001.tsm\n");
    window_free(&c);
    window_free(&d);
}

static bool count_down(void *ctx)
{
    int *left = ctx;
    return --*left < 0;
}

struct churn {
    struct fixture *f;
    atomic_bool stop;
};

/* Every listing differs from the one before it, as fast as can be. */
static void *churn_run(void *arg)
{
    struct churn *c = arg;
    int fd = openat(c->f->data, "db/rp/1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned i = 1; !atomic_load(&c->stop); i++) {
        char name[64], old[64];
        snprintf(name, sizeof(name), "%09u-000000001.tsm", i);
        snprintf(old, sizeof(old), "%09u-000000001.tsm", i - 1);
        close(openat(fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
        unlinkat(fd, old, 0);
    }
    close(fd);
    return NULL;
}

static void waits_end(void **state)
{
    struct fixture *f = *state;
    struct churn c = {.f = f};
    struct window w;
    struct err e = {0};
    pthread_t thread;
    store_mkdir(&f->store, "data/db/rp/1");
    pthread_create(&thread, NULL, churn_run, &c);
    /* Tries may be lucky, and the store is caught between two changes: most are while the other
     * thread waits for a processor. */
    int late = 0, interrupted = 0;
    for (int64_t end = time_mono_ns() + 600 * SECOND;
         time_mono_ns() < end && (!late || !interrupted);) {
        int left = 0;
        struct window_wait past = {time_mono_ns() - 1, NULL, NULL};
        struct window_wait gone = {time_mono_ns() + 30 * SECOND, count_down, &left};
        int r = window_take(f->held, f->data, f->wal, NULL, &past, &w, &e);
        late += r == -EAGAIN;
        if (r == 0)
            window_free(&w);
        else if (r != -EAGAIN)
            fail_msg("%d %s", r, e.text);
        r = window_take(f->held, f->data, f->wal, NULL, &gone, &w, &e);
        interrupted += r == -EINTR;
        if (r == 0)
            window_free(&w);
        else if (r != -EINTR)
            fail_msg("%d %s", r, e.text);
    }
    atomic_store(&c.stop, true);
    pthread_join(thread, NULL);
    assert_true(late > 0);
    assert_true(interrupted > 0);
}

/* A shard that is made and dropped all the time is there whole, gone, or not listed. */
static void *drop_run(void *arg)
{
    struct churn *c = arg;
    const struct store *s = &c->f->store;
    while (!atomic_load(&c->stop)) {
        store_mkdir(s, "wal/db/rp/9");
        store_text(s, "data/db/rp/9/000000001-000000001.tsm", "x");
        store_text(s, "wal/db/rp/9/_00001.wal", "y");
        store_remove(s, "data/db/rp/9");
        store_remove(s, "wal/db/rp/9");
    }
    return NULL;
}

static void dropped_shards_are_no_error(void **state)
{
    struct fixture *f = *state;
    struct churn c = {.f = f};
    pthread_t thread;
    build_small(&f->store);
    pthread_create(&thread, NULL, drop_run, &c);
    struct window before = {0};
    for (int64_t end = time_mono_ns() + SECOND; time_mono_ns() < end;) {
        struct window w = must_take(f, &before);
        assert_in_range(w.nshards, 2, 3);
        assert_int_equal(w.shards[0].set->n, 2);
        if (w.nshards == 3 && w.shards[2].gone)
            assert_null(w.shards[2].set);
        window_free(&before);
        before = w;
    }
    window_free(&before);
    atomic_store(&c.stop, true);
    pthread_join(thread, NULL);
}

/*
 * The model of influxd. Step i of a shard first appends record i to the active WAL segment, which
 * acknowledges it, and then changes the shard in one system call. states[i] is what the TSM files
 * and tombstones say after step i, by their contents. A capture whose last record is L must
 * therefore show states[L-1] or states[L], and together with what its TSM files say to be flushed
 * it must hold every record up to L.
 */
#define STEPS_MAX 400000
#define RECORD 16

struct model {
    struct fixture *f;
    unsigned id;
    atomic_bool stop;
    atomic_uint written, acked;
    char **states;
    int data, wal, seg;
    unsigned step, segment, gen, flushed, tomb; /* of the mutator alone */
    unsigned live[64], live_flushed[64], live_tomb[64], nlive;
    unsigned first_of_segment[STEPS_MAX / 4];
};

static void model_state(struct model *m)
{
    struct buffer b = {0};
    for (unsigned i = 0; i < m->nlive; i++) {
        if (m->live_tomb[i])
            buffer_text(&b, "D%09u.%07u ", m->live[i], m->live_tomb[i]);
        buffer_text(&b, "T%09u.%07u ", m->live[i], m->live_flushed[i]);
    }
    buffer_add(&b, "", 1);
    m->states[m->step] = b.p;
    atomic_store(&m->written, m->step);
}

/* The state after this step is written down, then acknowledged with its record. */
static void model_record(struct model *m)
{
    char text[RECORD + 1];
    model_state(m);
    snprintf(text, sizeof(text), "record %08u\n", m->step);
    if (write(m->seg, text, RECORD) != RECORD)
        abort();
    atomic_store(&m->acked, m->step);
}

static void model_file(struct model *m, const char *text)
{
    autoclose int fd = openat(m->data, "next", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || io_write_all(fd, text, strlen(text)) < 0)
        abort();
}

static void model_rename(struct model *m, const char *name)
{
    if (renameat(m->data, "next", m->data, name) < 0)
        abort();
}

static void model_rotate(struct model *m)
{
    char name[32];
    if (m->seg >= 0)
        close(m->seg);
    snprintf(name, sizeof(name), "_%05u.wal", ++m->segment);
    m->seg = openat(m->wal, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    if (m->seg < 0)
        abort();
    m->first_of_segment[m->segment] = m->step + 1;
}

static void model_tombstone(struct model *m, unsigned i)
{
    char name[64], text[64];
    m->step++;
    m->live_tomb[i] = ++m->tomb;
    snprintf(text, sizeof(text), "D%09u.%07u ", m->live[i], m->tomb);
    snprintf(name, sizeof(name), "%09u-000000001.tombstone", m->live[i]);
    model_file(m, text);
    model_record(m);
    model_rename(m, name);
}

static void model_add_tsm(struct model *m, unsigned gen, unsigned flushed)
{
    char name[64], text[64];
    m->step++;
    m->live[m->nlive] = gen;
    m->live_tomb[m->nlive] = 0;
    m->live_flushed[m->nlive++] = flushed;
    snprintf(text, sizeof(text), "T%09u.%07u ", gen, flushed);
    snprintf(name, sizeof(name), "%09u-000000001.tsm", gen);
    model_file(m, text);
    model_record(m);
    model_rename(m, name);
}

/* The oldest TSM file goes, and then its tombstone. */
static void model_drop_oldest(struct model *m)
{
    char name[64];
    unsigned gen = m->live[0], tomb = m->live_tomb[0];
    m->step++;
    m->nlive--;
    memmove(m->live, m->live + 1, m->nlive * sizeof(*m->live));
    memmove(m->live_flushed, m->live_flushed + 1, m->nlive * sizeof(*m->live));
    memmove(m->live_tomb, m->live_tomb + 1, m->nlive * sizeof(*m->live));
    model_record(m);
    snprintf(name, sizeof(name), "%09u-000000001.tsm", gen);
    if (unlinkat(m->data, name, 0) < 0)
        abort();
    snprintf(name, sizeof(name), "%09u-000000001.tombstone", gen);
    if (tomb && unlinkat(m->data, name, 0) < 0)
        abort();
}

/* Cache snapshot: a new segment, later a TSM file with what the old ones hold, and these go. */
static void model_flush(struct model *m, unsigned *oldest)
{
    unsigned last = m->segment;
    model_rotate(m);
    m->step++;
    model_record(m);
    model_add_tsm(m, ++m->gen, m->first_of_segment[m->segment] - 1);
    while (*oldest <= last) {
        char name[32];
        snprintf(name, sizeof(name), "_%05u.wal", (*oldest)++);
        if (unlinkat(m->wal, name, 0) < 0)
            abort();
    }
}

static void *model_run(void *arg)
{
    struct model *m = arg;
    unsigned oldest = 1, seed = m->id;
    while (!atomic_load(&m->stop) && m->step < STEPS_MAX - 64 && m->segment < STEPS_MAX / 4 - 2) {
        switch (rand_r(&seed) % 6) {
        case 0:
            model_flush(m, &oldest);
            break;
        case 1:
            model_tombstone(m, (unsigned)rand_r(&seed) % m->nlive);
            break;
        case 2:
            /* A compaction: the new file first, then the old ones go. Their tombstones with them,
             * but for the new file, which has none. */
            model_add_tsm(m, ++m->gen, m->live_flushed[m->nlive - 1]);
            while (m->nlive > 2)
                model_drop_oldest(m);
            break;
        default:
            m->step++;
            model_record(m);
        }
        if (m->nlive > 16)
            model_drop_oldest(m);
        if (rand_r(&seed) % 3 == 0)
            usleep((unsigned)rand_r(&seed) % 400);
    }
    return NULL;
}

static struct model *model_new(struct fixture *f, unsigned id)
{
    struct model *m = calloc(1, sizeof(*m));
    char path[64];
    m->f = f;
    m->id = id;
    m->states = calloc(STEPS_MAX, sizeof(*m->states));
    snprintf(path, sizeof(path), "data/db/rp/%u", id);
    store_mkdir(&f->store, path);
    m->data = openat(f->data, path + 5, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(path, sizeof(path), "wal/db/rp/%u", id);
    store_mkdir(&f->store, path);
    m->wal = openat(f->wal, path + 4, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    m->seg = -1;
    model_state(m);
    model_rotate(m);
    model_add_tsm(m, ++m->gen, 0);
    return m;
}

static void model_free(struct model *m)
{
    for (unsigned i = 0; i < STEPS_MAX; i++)
        free(m->states[i]);
    free(m->states);
    close(m->data);
    close(m->wal);
    close(m->seg);
    free(m);
}

static char *caught_state(const struct shard_pin *s, unsigned *flushed)
{
    struct buffer b = {0};
    *flushed = 0;
    for (size_t i = 0; i < s->set->n; i++) {
        const struct member *f = &s->set->files[i];
        char text[64];
        unsigned gen, n;
        assert_true(f->attr.size < sizeof(text));
        assert_int_equal(io_pread_all(held_fd(f->held), text, f->attr.size, 0), 0);
        text[f->attr.size] = 0;
        if (sscanf(text, "T%u.%u", &gen, &n) == 2 && n > *flushed)
            *flushed = n;
        buffer_text(&b, "%s", text);
    }
    buffer_add(&b, "", 1);
    return b.p;
}

/* Checks that the WAL that was cut holds all records from flushed on; gives the last one. */
static unsigned caught_records(const struct shard_pin *s, unsigned flushed)
{
    unsigned last = 0;
    for (size_t i = 0; i < s->nsegments; i++) {
        const struct shard_file *f = &s->segments[i];
        assert_int_equal(f->attr.size % RECORD, 0);
        for (uint64_t off = 0; off < f->attr.size; off += RECORD) {
            char text[RECORD + 1] = "";
            unsigned n;
            assert_int_equal(io_pread_all(held_fd(f->held), text, RECORD, off), 0);
            assert_int_equal(sscanf(text, "record %u", &n), 1);
            if (last ? n != last + 1 : n > flushed + 1)
                fail_msg("record %u follows %u, flushed %u", n, last, flushed);
            last = n;
        }
    }
    return last;
}

static void check_shard(const struct model *m, const struct shard_pin *s, unsigned acked)
{
    unsigned flushed;
    autofree char *got = caught_state(s, &flushed);
    unsigned last = caught_records(s, flushed);
    if (last < acked)
        fail_msg("record %u was acknowledged, %u is the last one caught", acked, last);
    /* states[] up to last was written before that record was. */
    assert_true(atomic_load(&m->written) >= last);
    if (strcmp(got, m->states[last]) != 0 && strcmp(got, m->states[last - 1]) != 0)
        fail_msg("shard %u: caught\n%s\nwhich was at step %u\n%s\nor\n%s", m->id, got, last,
                 m->states[last - 1], m->states[last]);
}

static void every_result_is_a_state_that_was(void **state)
{
    struct fixture *f = *state;
    enum { SHARDS = 2 };
    struct model *m[SHARDS];
    pthread_t thread[SHARDS];
    const char *seconds = getenv("WINDOW_SECONDS");
    for (unsigned i = 0; i < SHARDS; i++)
        m[i] = model_new(f, i + 1);
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_create(&thread[i], NULL, model_run, m[i]);
    struct window before = {0};
    unsigned taken = 0, late = 0;
    for (int64_t end = time_mono_ns() + (seconds ? atoi(seconds) : 3) * SECOND;
         time_mono_ns() < end;) {
        unsigned acked[SHARDS];
        struct window w;
        struct err e;
        for (unsigned i = 0; i < SHARDS; i++)
            acked[i] = atomic_load(&m[i]->acked);
        int r = take(f, taken % 2 ? &before : NULL, &w, &e);
        late += r == -EAGAIN;
        if (r == -EAGAIN)
            continue;
        if (r < 0)
            fail_msg("%d %s", r, e.text);
        for (unsigned i = 0; i < SHARDS; i++)
            check_shard(m[i], &w.shards[i], acked[i]);
        window_free(&before);
        before = w;
        taken++;
    }
    for (unsigned i = 0; i < SHARDS; i++)
        atomic_store(&m[i]->stop, true);
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_join(thread[i], NULL);
    print_message("%u windows, %u too late, steps %u and %u\n", taken, late, m[0]->step,
                  m[1]->step);
    window_free(&before);
    for (unsigned i = 0; i < SHARDS; i++)
        model_free(m[i]);
    assert_true(taken > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(everything_is_found),
        T(only_links_of_shards_are_followed),
        T(a_link_that_changes_is_seen),
        T(without_a_wal_folder),
        T(changes_are_seen),
        T(fresh_folders_are_distrusted),
        T(sets_are_shared_while_folders_stay),
        T(waits_end),
        T(dropped_shards_are_no_error),
        T(every_result_is_a_state_that_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
