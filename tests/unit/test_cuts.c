/* SPDX-License-Identifier: MIT */
/* cuts: every state is what the store was, whatever came later; folding, leases, what is left after
 * damage; and that each retained file belongs to a cut. */
#include "store/base/array.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/chain/cut_verify.h"
#include "store/chain/cutlist.h"
#include "store/chain/cutuse.h"
#include "store/chain/cutview.h"
#include "tests/unit/store_builder.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>

#include <cmocka.h>

struct fixture {
    struct store store;
    struct snapshots *snapshots;
    struct cuts *cuts;
    char *state;
};

static void open_all(struct fixture *f)
{
    struct err note, e = {0};
    assert_int_equal(snapshots_open(&f->store.paths, f->state, &f->snapshots, &note, &e), 0);
    int r = cuts_open(f->snapshots, f->state, &f->cuts, &e);
    if (r < 0)
        fail_msg("cuts_open: %d %s", r, e.text);
}

static void close_all(struct fixture *f)
{
    cuts_close(f->cuts);
    snapshots_close(f->snapshots);
}

static const struct meta_entry shards[] = {
    {"db", "rp", 1, false}, {"db", "rp", 2, false}, {"_internal", "monitor", 3, false}};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct buffer wal = {0};
    f->store = store_new();
    f->state = temp_folder();
    store_meta(&f->store, shards, 3);
    store_text(&f->store, "data/db/rp/1/000000001-000000001.tsm", "one");
    store_mkdir(&f->store, "data/db/rp/1/index");
    store_text(&f->store, "data/db/rp/2/000000001-000000001.tsm", "two");
    wal_entry(&wal, "cpu", 3);
    store_put(&f->store, "wal/db/rp/1/_00001.wal", wal.p, wal.n);
    buffer_free(&wal);
    open_all(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close_all(f);
    store_free(&f->store);
    tree_remove(f->state);
    free(f);
    return 0;
}

static int try_cut(struct fixture *f, const struct cut_rules *rules, struct cut_result *out,
                   struct err *e)
{
    static const struct cut_rules none;
    e->text[0] = 0;
    return cuts_make(f->cuts, rules ? rules : &none, NULL, out, e);
}

static struct cut_result must_cut(struct fixture *f)
{
    struct cut_result result;
    struct err e;
    int r = try_cut(f, NULL, &result, &e);
    if (r < 0)
        fail_msg("cuts_make: %d %s", r, e.text);
    return result;
}

static void must_prune(struct fixture *f, uint64_t keep, struct prune_result *out)
{
    struct err e = {0};
    int r = cuts_prune(f->cuts, keep, out, &e);
    if (r < 0)
        fail_msg("cuts_prune: %d %s", r, e.text);
}

/* All files and folders of a cut, which is leased as long. */
struct opened {
    struct cutuse *use;
    struct cut_entry *entries;
    size_t n;
};

static struct opened must_open(struct fixture *f, uint64_t serial)
{
    cleanup(cutstream_freep) struct cutstream *s = NULL;
    struct opened o = {.n = 0};
    struct err e = {0};
    const struct cut_entry *entry;
    int r = cutuse_begin(f->cuts, serial, &o.use, &e);
    if (r == 0)
        r = cutuse_stream(o.use, &s, &e);
    while (r == 0 && (r = cutstream_next(s, &entry, &e)) == 0 && entry) {
        assert_true(array_grow(&o.entries, o.n));
        o.entries[o.n] = *entry;
        o.entries[o.n++].path = strdup(entry->path);
    }
    if (r < 0)
        fail_msg("state %llu: %d %s", (unsigned long long)serial, r, e.text);
    return o;
}

static void opened_close(struct opened *o)
{
    for (size_t i = 0; i < o->n; i++)
        free((char *)o->entries[i].path);
    free(o->entries);
    cutuse_end(o->use);
}

/* What a view must list in a folder, from here on. */
struct children {
    const struct opened *of;
    const char *folder;
    size_t at, found;
};

static bool is_child(const char *folder, const char *path)
{
    const size_t n = strlen(folder);
    const char *name = n == 0                                            ? path
                       : strncmp(path, folder, n) == 0 && path[n] == '/' ? path + n + 1
                                                                         : NULL;
    return name && !strchr(name, '/');
}

static int must_be_child(void *ctx, size_t i, const struct cut_entry *entry)
{
    struct children *c = ctx;
    while (c->at < c->of->n && !is_child(c->folder, c->of->entries[c->at].path))
        c->at++;
    assert_int_equal(i, c->at);
    assert_string_equal(entry->path, c->of->entries[c->at++].path);
    c->found++;
    return 0;
}

static int must_be_entry(void *ctx, size_t i, const struct cut_entry *entry)
{
    const struct opened *o = ctx;
    assert_true(i < o->n);
    assert_string_equal(entry->path, o->entries[i].path);
    assert_memory_equal(&entry->attr, &o->entries[i].attr, sizeof(entry->attr));
    return 0;
}

static void check_folder(struct cutview *v, const struct opened *o, const char *folder)
{
    struct children c = {o, folder, 0, 0};
    struct err e = {0};
    if (cutview_list(v, folder, must_be_child, &c, &e) < 0)
        fail_msg("%s: %s", folder, e.text);
    for (; c.at < o->n; c.at++)
        assert_false(is_child(folder, o->entries[c.at].path));
    assert_true(c.found > 0 || *folder);
}

/* A view of a cut finds and lists all that is in it, resting now and then. */
static void check_view(struct fixture *f, uint64_t serial)
{
    cleanup(cutview_closep) struct cutview *v = NULL;
    struct opened o = must_open(f, serial);
    struct err e = {0};
    assert_int_equal(cutview_open(f->cuts, serial, &v, &e), 0);
    assert_string_equal(cutview_head(v)->id, cutuse_head(o.use)->id);
    check_folder(v, &o, "");
    for (size_t i = 0; i < o.n; i++) {
        if (i % 3 == 0)
            cutview_rest(v);
        assert_int_equal(cutview_find(v, o.entries[i].path, must_be_entry, &o, &e), 0);
        if (cut_is_folder(&o.entries[i]))
            check_folder(v, &o, o.entries[i].path);
    }
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(
            cutview_find(v, (const char *[]){"a", "data/nobody", "zzz"}[i], must_be_entry, &o, &e),
            -ENOENT);
    assert_string_equal(e.text, "");
    opened_close(&o);
}

/* Paths, sizes, modes, times and bytes of all files and folders, as text to be freed. */
static char *describe_state(struct fixture *f, uint64_t serial)
{
    struct opened o = must_open(f, serial);
    const struct cut_entry *entry = o.entries;
    struct err e = {0};
    struct buffer out = {0};
    for (size_t i = 0; i < o.n; i++, entry++) {
        buffer_text(&out, "%s %o %lld ", entry->path, entry->attr.mode,
                    (long long)entry->attr.mtime_ns);
        if (!cut_is_folder(entry)) {
            autoclose int fd = cuts_open_file(f->cuts, entry, &e);
            autofree char *bytes = malloc(entry->attr.size + 1);
            if (fd < 0)
                fail_msg("%s: %d %s", entry->path, fd, e.text);
            assert_int_equal(io_pread_all(fd, bytes, entry->attr.size, 0), 0);
            snap_sum(&out, "", bytes, entry->attr.size);
        }
        buffer_text(&out, "\n");
    }
    opened_close(&o);
    buffer_add(&out, "", 1);
    return out.p;
}

/* The same of the store as it is now. */
static char *describe_now(struct fixture *f)
{
    struct tarball *t;
    struct err e = {0};
    struct buffer out = {0};
    assert_int_equal(snapshots_now(f->snapshots, NULL, &t, &e), 0);
    const struct capture *c = tarball_capture(t);
    size_t *sorted = calloc(capture_count(c) + 1, sizeof(*sorted));
    char a[MEMBER_PATH_MAX], b[MEMBER_PATH_MAX];
    size_t n = 0;
    for (size_t i = 0; i < capture_count(c); i++) {
        size_t k = n++;
        for (; k > 0; k--) {
            if (cut_path_cmp(member_path(capture_member(c, sorted[k - 1]), a),
                             member_path(capture_member(c, i), b)) < 0)
                break;
            sorted[k] = sorted[k - 1];
        }
        sorted[k] = i;
    }
    for (size_t i = 0; i < n; i++) {
        const struct member *m = capture_member(c, sorted[i]);
        buffer_text(&out, "%s %o %lld ", member_path(m, a), m->attr.mode,
                    (long long)m->attr.mtime_ns);
        if (!member_is_folder(m)) {
            autofree char *bytes = malloc(m->attr.size + 1);
            assert_int_equal(capture_read(c, sorted[i], bytes, m->attr.size, 0, &e), 0);
            snap_sum(&out, "", bytes, m->attr.size);
        }
        buffer_text(&out, "\n");
    }
    free(sorted);
    tarball_unref(t);
    buffer_add(&out, "", 1);
    return out.p;
}

static void check_same_text(const char *what, const char *got, const char *expected)
{
    if (strcmp(got, expected) != 0)
        fail_msg("%s\n--- got\n%s--- expected\n%s", what, got, expected);
}

/* Every retained file belongs to a cut, and nothing else lies there. */
static void check_accounts(struct fixture *f)
{
    struct cut_info *list;
    struct err e = {0};
    size_t n, files = 0;
    uint64_t retained = 0, bytes, ours;
    assert_int_equal(cuts_list(f->cuts, &list, &n, NULL, &e), 0);
    char *seen[1000];
    for (size_t i = 0; i < n; i++) {
        struct opened o = must_open(f, list[i].head.serial);
        const struct cut_entry *entry = o.entries;
        for (size_t k = 0; k < o.n; k++) {
            char *place = NULL;
            if (cut_is_folder(&entry[k]) ||
                asprintf(&place, "%llu/%u", (unsigned long long)entry[k].place.serial,
                         entry[k].place.seq) < 0)
                continue;
            size_t at = 0;
            while (at < files && strcmp(seen[at], place) != 0)
                at++;
            if (at < files)
                free(place);
            else
                seen[files++] = place;
        }
        opened_close(&o);
        check_view(f, list[i].head.serial);
    }
    free(list);
    for (size_t i = 0; i < files; i++)
        free(seen[i]);
    struct cuts *fresh; /* the usage is remembered for a while */
    assert_int_equal(cuts_open(NULL, f->state, &fresh, &e), 0);
    assert_int_equal(cuts_usage(fresh, &retained, &bytes, &ours, &e), 0);
    cuts_close(fresh);
    assert_int_equal(retained, files);
}

static void nothing_yet(void **state)
{
    struct fixture *f = *state;
    struct cut_info *list, info;
    struct err e = {0};
    size_t n = 7;
    assert_int_equal(cuts_list(f->cuts, &list, &n, NULL, &e), 0);
    assert_int_equal(n, 0);
    free(list);
    assert_int_equal(cuts_latest(f->cuts, &info, &e), -ENOENT);
    autofree char *folder = NULL;
    assert_true(asprintf(&folder, "%s/cuts", f->state) > 0);
    assert_int_equal(access(folder, F_OK), -1);
}

static void first_makes_the_base(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    struct cut_info info;
    struct cut_result r = must_cut(f);
    assert_true(r.made);
    assert_int_equal(r.number, -1);
    assert_int_equal(r.files, 4);
    assert_int_equal(cuts_latest(f->cuts, &info, &e), 0);
    assert_true(info.base);
    assert_int_equal(info.head.number, -1);
    assert_int_equal(info.files, 4);
    autofree char *now = describe_now(f), *then = describe_state(f, 0);
    check_same_text("base", then, now);
    r = must_cut(f);
    assert_false(r.made);
    check_accounts(f);
}

static void links_what_never_changes(void **state)
{
    struct fixture *f = *state;
    struct cut_result r = must_cut(f);
    struct stat st;
    assert_int_equal(r.copied, 2); /* meta.db and the WAL segment */
    assert_string_equal(r.said.text, "");
    autofree char *tsm = store_path(&f->store, "data/db/rp/1/000000001-000000001.tsm");
    assert_int_equal(stat(tsm, &st), 0);
    assert_int_equal(st.st_nlink, 2);
}

static void internal_makes_no_number(void **state)
{
    struct fixture *f = *state;
    must_cut(f);
    store_text(&f->store, "data/_internal/monitor/3/000000001-000000001.tsm", "monitor");
    assert_false(must_cut(f).made);
    static const struct meta_entry more[] = {{"db", "rp", 1, false},
                                             {"db", "rp", 2, false},
                                             {"_internal", "monitor", 3, true},
                                             {"_internal", "monitor", 4, false}};
    store_meta(&f->store, more, 4);
    assert_false(must_cut(f).made);
    store_text(&f->store, "data/db/rp/2/000000002-000000001.tsm", "more");
    struct cut_result r = must_cut(f);
    assert_true(r.made);
    assert_int_equal(r.number, 0);
    assert_int_equal(r.files, 3);
    static const struct meta_entry less[] = {
        {"db", "rp", 1, false}, {"db", "rp", 2, true}, {"_internal", "monitor", 4, false}};
    store_meta(&f->store, less, 3);
    assert_true(must_cut(f).made);
}

static void excluded_databases(void **state)
{
    struct fixture *f = *state;
    const char *names[] = {"_internal", "no such"};
    const struct cut_rules rules = {.exclude = names, .nexclude = 2};
    struct cut_result r;
    struct err e;
    store_text(&f->store, "data/_internal/monitor/3/000000001-000000001.tsm", "monitor");
    assert_int_equal(try_cut(f, &rules, &r, &e), 0);
    autofree char *text = describe_state(f, 0);
    assert_null(strstr(text, "_internal"));
    assert_non_null(strstr(text, "data/db/rp/1"));
    assert_int_equal(try_cut(f, &rules, &r, &e), 0);
    assert_false(r.made);
}

static void reserve(void **state)
{
    struct fixture *f = *state;
    const struct cut_rules rules = {.reserve_bytes = UINT64_MAX / 2};
    struct cut_result r;
    struct err e;
    assert_int_equal(try_cut(f, &rules, &r, &e), -ENOSPC);
    assert_non_null(strstr(e.text, "reserve"));
    must_cut(f);
    check_accounts(f);
}

/* What influxd does, at random: files come, go and grow, shards come and go. */
static void mutate(struct fixture *f, unsigned *seed, int step)
{
    char name[128], text[64];
    struct buffer wal = {0};
    autofree char *path = NULL;
    int shard = 1 + rand_r(seed) % 2;
    snprintf(text, sizeof(text), "step %d", step);
    switch (rand_r(seed) % 6) {
    case 0:
    case 1:
        snprintf(name, sizeof(name), "data/db/rp/%d/%09d-000000001.tsm", shard, 10 + step);
        store_text(&f->store, name, text);
        break;
    case 2:
        snprintf(name, sizeof(name), "data/db/rp/%d/%09d-000000001.tsm", shard, 9 + step);
        store_remove(&f->store, name);
        break;
    case 3:
        wal_entry(&wal, "cpu", 1 + (uint32_t)step);
        store_mkdir(&f->store, "wal/db/rp/1");
        snprintf(name, sizeof(name), "wal/db/rp/1/_%05d.wal", 1 + step / 8);
        path = store_path(&f->store, name);
        if (access(path, F_OK) == 0)
            store_append(&f->store, name, wal.p, wal.n);
        else
            store_put(&f->store, name, wal.p, wal.n);
        buffer_free(&wal);
        break;
    case 4:
        store_remove(&f->store, "data/db/rp/2");
        store_mkdir(&f->store, "data/db/rp/2/index");
        break;
    case 5:
        snprintf(name, sizeof(name), "data/db/rp/1/%09d-000000001.tombstone", 10 + step - 1);
        store_text(&f->store, name, text);
        break;
    }
}

#define STEPS 40

/* At each step a cut; now and then a fold, or another process. */
static void any_state(void **state)
{
    struct fixture *f = *state;
    char *were[STEPS + 1] = {0};
    for (unsigned round = 1; round <= 3; round++) {
        unsigned seed = round;
        struct prune_result pruned;
        struct cut_info *list;
        struct err e = {0};
        size_t n;
        for (int step = 0; step < STEPS; step++) {
            mutate(f, &seed, step + (int)round * 100);
            struct cut_result r = must_cut(f);
            if (r.made && round == 1 && step == 0)
                assert_int_equal(r.number, -1);
            assert_int_equal(cuts_list(f->cuts, &list, &n, NULL, &e), 0);
            uint64_t at = list[n - 1].head.serial % (STEPS + 1);
            free(list);
            if (r.made) { /* else only a folder's time may have changed */
                free(were[at]);
                were[at] = describe_now(f);
            }
            if (step % 13 == 12)
                must_prune(f, 5, &pruned);
            if (step % 17 == 16) {
                close_all(f);
                open_all(f);
            }
        }
        assert_int_equal(cuts_list(f->cuts, &list, &n, NULL, &e), 0);
        for (size_t i = 0; i < n; i++) {
            uint64_t serial = list[i].head.serial;
            autofree char *then = describe_state(f, serial);
            check_same_text("state", then, were[serial % (STEPS + 1)]);
        }
        free(list);
        check_accounts(f);
        must_prune(f, 0, &pruned);
        check_accounts(f);
    }
    for (int i = 0; i <= STEPS; i++)
        free(were[i]);
}

static void folding(void **state)
{
    struct fixture *f = *state;
    struct prune_result p;
    struct cut_info *list;
    struct err e = {0};
    char name[64];
    size_t n;
    must_cut(f);
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof(name), "data/db/rp/1/%09d-000000001.tsm", 10 + i);
        store_text(&f->store, name, name);
        if (i) {
            snprintf(name, sizeof(name), "data/db/rp/1/%09d-000000001.tsm", 9 + i);
            store_remove(&f->store, name);
        }
        assert_int_equal(must_cut(f).number, i);
    }
    autofree char *third = describe_state(f, 4);
    must_prune(f, 2, &p);
    assert_int_equal(p.folded, 4);
    assert_int_equal(p.base, 3);
    assert_int_equal(p.removed, 3);
    assert_false(p.held_back);
    assert_int_equal(cuts_list(f->cuts, &list, &n, NULL, &e), 0);
    assert_int_equal(n, 3);
    assert_true(list[0].base);
    assert_int_equal(list[0].head.number, 3);
    assert_int_equal(list[1].head.number, 4);
    free(list);
    autofree char *again = describe_state(f, 4);
    check_same_text("the base", again, third);
    store_text(&f->store, "data/db/rp/1/000000099-000000001.tsm", "x");
    assert_int_equal(must_cut(f).number, 6);
    check_accounts(f);
}

static void cuts_in_use_stay(void **state)
{
    struct fixture *f = *state;
    struct prune_result p;
    struct tarball *t;
    struct err e = {0};
    char name[64], buf[4096];
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof(name), "data/db/rp/1/%09d-000000001.tsm", 10 + i);
        store_text(&f->store, name, name);
        must_cut(f);
    }
    /* serials 0 to 5, numbers 0 to 4 */
    struct opened held = must_open(f, 3);
    must_prune(f, 0, &p);
    assert_true(p.held_back);
    assert_int_equal(p.base, 2);
    must_prune(f, 0, &p);
    assert_int_equal(p.folded, 0);
    autofree char *before = describe_state(f, 3);
    opened_close(&held);
    assert_non_null(strstr(before, "000000013-"));
    assert_int_equal(cuts_get_tar(f->cuts, 5, CUT_CHANGES, &t, &e), 0);
    must_prune(f, 0, &p);
    assert_int_equal(p.base, 4); /* what it adds is in the base */
    assert_true(tarball_read(t, buf, sizeof(buf), 0, NULL, &e) > 0);
    store_remove(&f->store, name);
    must_cut(f);
    must_prune(f, 0, &p);
    assert_int_equal(p.folded, 0);
    assert_true(tarball_read(t, buf, sizeof(buf), 512, NULL, &e) > 0);
    tarball_unref(t);
    must_prune(f, 0, &p);
    assert_int_equal(p.base, 5);
    check_accounts(f);
}

static void tars_say_what_they_are(void **state)
{
    struct fixture *f = *state;
    struct tarball *t;
    struct err e = {0};
    uint64_t size;
    must_cut(f);
    store_remove(&f->store, "data/db/rp/2");
    store_text(&f->store, "data/db/rp/1/000000002-000000001.tsm", "new");
    must_cut(f);
    assert_int_equal(cuts_get_tar(f->cuts, 1, CUT_CHANGES, &t, &e), 0);
    const struct capture_origin *o = capture_origin(tarball_capture(t));
    assert_int_equal(o->kind, MANIFEST_INCREMENTAL);
    assert_int_equal(o->number, 0);
    assert_int_equal(o->nremoved, 1);
    assert_string_equal(o->removed[0], "data/db/rp/2/000000001-000000001.tsm");
    assert_int_equal(o->nremoved_folders, 1);
    assert_string_equal(o->removed_folders[0], "data/db/rp/2");
    assert_int_equal(cuts_tar_size(f->cuts, 1, CUT_CHANGES, &size, &e), 0);
    assert_int_equal(size, tarball_size(t));
    /* All of it, with its sums. */
    autofree char *all = malloc(size);
    assert_int_equal(tarball_read(t, all, size, 0, NULL, &e), size);
    tarball_unref(t);
    assert_int_equal(cuts_get_tar(f->cuts, 1, CUT_FULL, &t, &e), 0);
    o = capture_origin(tarball_capture(t));
    assert_int_equal(o->kind, MANIFEST_FULL);
    assert_null(o->parent);
    assert_int_equal(o->number, 0);
    /* Members as sources, though not all are in memory. */
    struct membersource s;
    char path[MEMBER_PATH_MAX];
    const struct capture *c = tarball_capture(t);
    for (size_t i = 0; i < capture_count(c); i++) {
        cleanup(capture_look_end) struct capture_look look = {0};
        const struct member *m = capture_look(c, i, &look, &e);
        assert_int_equal(membersource_init(&s, c, i), 0);
        assert_string_equal(s.path, member_path(m, path));
        assert_int_equal(s.source.size, m->attr.size);
        membersource_clear(&s);
    }
    tarball_unref(t);
}

static void damage(struct fixture *f, const char *rel, off_t at)
{
    autofree char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", f->state, rel) > 0);
    autoclose int fd = open(path, O_RDWR | O_CLOEXEC);
    char c;
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c ^= 1;
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
}

static void damaged_manifests_are_told(void **state)
{
    struct fixture *f = *state;
    struct cut_info *list;
    struct err e = {0}, broken = {0};
    struct cut_result r;
    size_t n;
    must_cut(f);
    for (int i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof(name), "data/db/rp/1/%09d-000000001.tsm", 10 + i);
        store_text(&f->store, name, name);
        must_cut(f);
    }
    close_all(f);
    damage(f, "cuts/1", 60);
    open_all(f);
    assert_int_equal(cuts_list(f->cuts, &list, &n, &broken, &e), 0);
    assert_int_equal(n, 2); /* base and 0 */
    free(list);
    assert_non_null(strstr(broken.text, "cut 1"));
    assert_int_equal(cuts_list(f->cuts, &list, &n, NULL, &e), -EBADMSG);
    assert_int_equal(try_cut(f, NULL, &r, &e), -EBADMSG);
    autofree char *text = describe_state(f, 1);
    assert_non_null(strstr(text, "000000010-"));
}

static void a_retained_file_cut_short(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    struct tarball *t;
    char buf[8192];
    must_cut(f);
    autofree char *path = NULL;
    assert_true(asprintf(&path, "%s/cuts/files/0/0", f->state) > 0);
    assert_int_equal(truncate(path, 1), 0);
    assert_int_equal(cuts_get_tar(f->cuts, 0, CUT_FULL, &t, &e), 0);
    assert_int_equal(tarball_read(t, buf, sizeof(buf), 0, NULL, &e), -EIO);
    assert_non_null(strstr(e.text, "cuts/files/0/0"));
    tarball_unref(t);
}

/* A copy of the file, of the same bytes and time, takes its place, as a restore would do it. The descriptor
 * of the file that was there keeps its inode number from being given to the next one. */
static int put_back(struct fixture *f, const char *rel)
{
    autofree char *path = store_path(&f->store, rel), *aside = NULL;
    struct stat st;
    char buf[4096];
    assert_true(asprintf(&aside, "%s.aside", path) > 0);
    autoclose int from = open(path, O_RDONLY | O_CLOEXEC);
    autoclose int to = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(from >= 0 && to >= 0);
    assert_int_equal(fstat(from, &st), 0);
    const ssize_t n = read(from, buf, sizeof(buf));
    assert_int_equal(n, st.st_size);
    assert_int_equal(write(to, buf, (size_t)n), n);
    assert_int_equal(fchmod(to, st.st_mode & 07777), 0);
    assert_int_equal(futimens(to, (struct timespec[]){st.st_atim, st.st_mtim}), 0);
    assert_int_equal(rename(aside, path), 0);
    return steal_fd(&from);
}

/* The place, in the base, of a file. */
static uint32_t place_in_base(struct fixture *f, const char *path)
{
    struct opened o = must_open(f, 0);
    uint32_t seq = UINT32_MAX;
    for (size_t i = 0; i < o.n; i++)
        if (strcmp(o.entries[i].path, path) == 0)
            seq = o.entries[i].place.seq;
    opened_close(&o);
    assert_int_not_equal(seq, UINT32_MAX);
    return seq;
}

/* What was retained of files that came back, or of meta.db, is lost or damaged: it is retained anew,
 * and from there on all is whole. */
static void lost_files_are_retained_anew(void **state)
{
    static const char wal[] = "wal/db/rp/1/_00001.wal";
    struct fixture *f = *state;
    autofree char *path = NULL;
    char meta[64];
    must_cut(f);
    autoclose int first = put_back(f, wal);
    assert_false(must_cut(f).made);
    assert_true(asprintf(&path, "%s/cuts/files/0/%u", f->state, place_in_base(f, wal)) > 0);
    assert_int_equal(unlink(path), 0);
    autoclose int second = put_back(f, wal);
    assert_true(first >= 0 && second >= 0);
    struct cut_result r = must_cut(f);
    assert_true(r.made);
    assert_int_equal(r.files, 1);
    snprintf(meta, sizeof(meta), "cuts/files/0/%u", place_in_base(f, "meta/meta.db"));
    damage(f, meta, 0);
    store_meta(&f->store, shards, 2);
    assert_true(must_cut(f).made);
    autofree char *got = describe_state(f, 2), *expected = describe_now(f);
    check_same_text("after the losses", got, expected);
}

/* What to do is said where there are more manifests than may be open. */
static void too_many_manifests(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    struct tarball *t;
    struct rlimit all, few;
    must_cut(f);
    for (int i = 0; i < 20; i++) {
        char name[64];
        snprintf(name, sizeof(name), "data/db/rp/1/%09d-000000001.tsm", 10 + i);
        store_text(&f->store, name, name);
        must_cut(f);
    }
    const int next = dup(0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
    few = all;
    few.rlim_cur = (rlim_t)next + 10;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int r = cuts_get_tar(f->cuts, 20, CUT_FULL, &t, &e);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
    assert_int_equal(r, -ENFILE);
    assert_non_null(strstr(e.text, ", 21 together; raise it"));
    assert_int_equal(cuts_get_tar(f->cuts, 20, CUT_FULL, &t, &e), 0);
    tarball_unref(t);
}

/* What cuts_verify tells. */
struct told {
    struct fixture *f;
    size_t cuts, damaged[8], words;
    uint64_t files, bytes, read;
    bool stop, broken; /* broken: pruning would be refused */
};

static bool told_stop(void *ctx)
{
    return ((struct told *)ctx)->stop;
}

/* Nothing is folded meanwhile. */
static void told_file(void *arg, const char *path, uint64_t size)
{
    struct told *t = arg;
    struct prune_result p;
    (void)path, (void)size;
    if (t->broken)
        return;
    must_prune(t->f, 0, &p);
    assert_int_equal(p.folded, 0);
    assert_true(p.held_back);
}

static void told_progress(void *arg, uint64_t n)
{
    ((struct told *)arg)->read += n;
}

static void told_damaged(void *arg, const struct cut_info *cut, const char *words)
{
    ((struct told *)arg)->words++;
    assert_non_null(strstr(words, ".tsm"));
    assert_int_equal(cut->head.number, (int64_t)((struct told *)arg)->cuts - 1);
}

static void told_cut(void *arg, const struct cut_verified *v)
{
    struct told *t = arg;
    t->files += v->files;
    t->bytes += v->bytes;
    t->damaged[t->cuts++] = v->damaged;
}

static int verify(struct fixture *f, struct told *t, struct err *e)
{
    const struct tarball_reader reader = {told_stop, t};
    const struct cut_verifier how = {.reader = &reader,
                                     .file = told_file,
                                     .progress = told_progress,
                                     .damaged = told_damaged,
                                     .cut = told_cut,
                                     .arg = t};
    t->f = f;
    e->text[0] = 0;
    return cuts_verify(f->cuts, &how, e);
}

/* A cut is damaged as long as its state has a damaged file, whichever cut retained that. The TSM
 * files here are none. */
static void verified_once_each(void **state)
{
    struct fixture *f = *state;
    struct told none = {0}, told = {0}, stopped = {.stop = true};
    struct err e;
    uint64_t files, bytes, ours;
    assert_int_equal(verify(f, &none, &e), 0);
    assert_int_equal(none.cuts, 0);
    must_cut(f);
    store_mkdir(&f->store, "data/db/rp/2/index");
    must_cut(f);
    store_remove(&f->store, "data/db/rp/1/000000001-000000001.tsm");
    must_cut(f);
    store_text(&f->store, "data/db/rp/2/000000001-000000001.tsm", "another");
    must_cut(f);
    store_remove(&f->store, "data/db/rp/2/000000001-000000001.tsm");
    must_cut(f);
    assert_int_equal(verify(f, &told, &e), 0);
    const size_t expected[] = {2, 2, 1, 1, 0};
    assert_int_equal(told.cuts, 5);
    assert_memory_equal(told.damaged, expected, sizeof(expected));
    assert_int_equal(told.words, 3);
    assert_int_equal(cuts_usage(f->cuts, &files, &bytes, &ours, &e), 0);
    assert_true(told.files == files && told.bytes == bytes && told.read == bytes);
    assert_int_equal(verify(f, &stopped, &e), -EINTR);
    assert_int_equal(stopped.cuts, 0);
}

static void verified_manifests(void **state)
{
    struct fixture *f = *state;
    struct told gap = {.broken = true}, bad = {.broken = true};
    struct err e;
    must_cut(f);
    for (int i = 0; i < 2; i++) {
        store_text(&f->store, "data/db/rp/2/000000002-000000001.tsm", i ? "three" : "four");
        must_cut(f);
    }
    autofree char *path = NULL, *away = NULL;
    assert_true(asprintf(&path, "%s/cuts/0", f->state) > 0);
    assert_true(asprintf(&away, "%s/away", f->state) > 0);
    assert_int_equal(rename(path, away), 0);
    assert_int_equal(verify(f, &gap, &e), -ENODATA);
    assert_non_null(strstr(e.text, "cuts/0 is missing"));
    assert_int_equal(gap.cuts, 1);
    assert_int_equal(rename(away, path), 0);
    assert_int_equal(truncate(path, 100), 0);
    assert_int_equal(verify(f, &bad, &e), -EBADMSG);
    assert_int_equal(bad.cuts, 1);
}

/* The index goes on from the manifests. */
static void a_lost_catalogue(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    struct cut_info before, after;
    must_cut(f);
    store_text(&f->store, "data/db/rp/1/000000002-000000001.tsm", "new");
    must_cut(f);
    assert_int_equal(cuts_latest(f->cuts, &before, &e), 0);
    close_all(f);
    autofree char *path = NULL;
    assert_true(asprintf(&path, "%s/catalog.mdb", f->state) > 0);
    assert_int_equal(unlink(path), 0);
    open_all(f);
    store_text(&f->store, "data/db/rp/1/000000003-000000001.tsm", "newer");
    struct cut_result r = must_cut(f);
    assert_int_equal(r.number, 1);
    assert_int_equal(r.files, 1);
    assert_int_equal(cuts_latest(f->cuts, &after, &e), 0);
    assert_true(after.head.index > before.head.index);
    assert_true(after.head.created_ns > before.head.created_ns);
}

static void litter_of_a_kill(void **state)
{
    struct fixture *f = *state;
    must_cut(f);
    autofree char *folder = NULL, *file = NULL, *tmp = NULL;
    assert_true(asprintf(&folder, "%s/cuts/files/1", f->state) > 0);
    assert_true(asprintf(&file, "%s/0", folder) > 0);
    assert_true(asprintf(&tmp, "%s/cuts/0.tmp", f->state) > 0);
    assert_int_equal(mkdir(folder, 0700), 0);
    close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    close(open(tmp, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_false(must_cut(f).made);
    assert_int_equal(access(folder, F_OK), -1);
    assert_int_equal(access(tmp, F_OK), -1);
    check_accounts(f);
}

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"20160611T120000Z", 1465646400000000000},
        {"2016-06-11T12:00:00Z", 1465646400000000000},
        {"2016-06-11T14:00:00+02:00", 1465646400000000000},
        {"2016-06-11T14:00:00.5+0200", 1465646400500000000},
        {"2016-06-11t07:30:00.123456789-04:30", 1465646400123456789},
        {"1969-12-31T23:59:59Z", -1000000000},
    };
    static const char *const bad[] = {"",
                                      "latest",
                                      "2016",
                                      "2016-06-11",
                                      "2016-06-11T12:00:00",
                                      "2016-02-30T00:00:00Z",
                                      "2016-06-11T25:00:00Z",
                                      "20160611T120000Zx",
                                      "2016-06-11T12:00:00.Z",
                                      "9999-01-01T00:00:00Z",
                                      "2016-13-01T00:00:00Z"};
    int64_t ns;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_int_equal(cuts_parse_time(good[i].text, strlen(good[i].text), &ns), 0);
        assert_int_equal(ns, good[i].ns);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(cuts_parse_time(bad[i], strlen(bad[i]), &ns), -EINVAL);
}

static void by_time(void **state)
{
    struct fixture *f = *state;
    struct cut_info first, found;
    struct err e = {0};
    must_cut(f);
    assert_int_equal(cuts_latest(f->cuts, &first, &e), 0);
    store_text(&f->store, "data/db/rp/1/000000002-000000001.tsm", "new");
    must_cut(f);
    assert_int_equal(cuts_at_time(f->cuts, first.head.created_ns, &found, &e), 0);
    assert_true(found.base);
    assert_int_equal(cuts_at_time(f->cuts, first.head.created_ns - 1, &found, &e), -ENOENT);
    assert_int_equal(cuts_at_time(f->cuts, INT64_MAX, &found, &e), 0);
    assert_int_equal(found.head.number, 0);
}

/* A manifest file of these lines, sealed. */
static void put_cut(int dirfd, const char *lines)
{
    uint8_t sum[SHA256_BYTES];
    char hex[SHA256_HEX + 1];
    autofree char *text = NULL;
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    sha256_add(h, lines, strlen(lines));
    sha256_end(h, sum);
    sha256_hex(sum, hex);
    assert_true(asprintf(&text, "%send %s\n", lines, hex) > 0);
    assert_int_equal(io_replace_file(dirfd, "cut", text, strlen(text), 0600), 0);
}

#define CUT_HEAD "influxfs-cut 1\nserial 0\nchain c\nid i\ncreated 1\nhost h\nindex 1\nskew 0\n"

static void what_cuts_say_of_omissions(void **state)
{
    static const char *const bad[] = {"o 1 2 bad\n",    "o x 2 bad n\n",  "o 1 2 worse n\n",
                                      "o -1 2 bad n\n", "o 1 2 bad %0\n", "l %zz\n"};
    struct fixture *f = *state;
    struct cutlist *l = NULL, *again = NULL;
    autoclose int fd = open(f->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put_cut(fd, CUT_HEAD "L data/d/r/1 -> /slow disk/1\no 2 77 bad data/a b%0A\nl db/rp/9\n");
    assert_int_equal(cutlist_read(fd, "cut", &l, NULL), 0);
    assert_int_equal(cutlist_write(fd, "cut", l, NULL), 0);
    cutlist_free(l);
    assert_int_equal(cutlist_read(fd, "cut", &again, NULL), 0);
    const struct omissions *o = &again->left_out;
    assert_int_equal(o->n, 2);
    assert_string_equal(o->at[0].name, "data/a b\n");
    assert_true(o->at[0].why == OMITTED_BAD && o->at[0].files == 2 && o->at[0].bytes == 77);
    assert_string_equal(o->at[1].name, "db/rp/9");
    assert_true(o->at[1].why == OMITTED_UNKNOWN && o->at[1].files == 0 && o->at[1].bytes == 0);
    assert_int_equal(again->nlinks, 1);
    assert_string_equal(again->links[0], "data/d/r/1 -> /slow disk/1");
    cutlist_free(again);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        autofree char *text = NULL;
        assert_true(asprintf(&text, "%s%s", CUT_HEAD, bad[i]) > 0);
        put_cut(fd, text);
        if (cutlist_read(fd, "cut", &l, NULL) != -EBADMSG)
            fail_msg("%s", bad[i]);
    }
}

static const struct cut_rules guarded = {.guard = true, .guard_part = 0.2};

static void cut_with_loss(struct fixture *f, const struct cut_rules *rules, struct cut_result *out)
{
    struct err e;
    store_remove(&f->store, "data/db/rp/2/000000001-000000001.tsm");
    int r = try_cut(f, rules, out, &e);
    if (r < 0)
        fail_msg("cuts_make: %d %s", r, e.text);
    assert_int_equal(out->head.lost.shards, 1);
    assert_int_equal(out->head.lost.bytes, 3);
    assert_string_equal(out->head.lost.names, "db/rp");
}

/* What is before a cut that lost too much stays, whatever is to be kept, until that is accepted;
 * and so it is without the catalogue. */
static void losses_are_not_folded(void **state)
{
    struct fixture *f = *state;
    struct cut_result result;
    struct prune_result pruned;
    struct cut_info info;
    struct err e = {0};
    const struct cut_rules strict = {.guard = true, .guard_part = 0.01};
    must_cut(f);
    store_text(&f->store, "data/db/rp/1/000000002-000000001.tsm", "new");
    must_cut(f);
    cut_with_loss(f, &strict, &result);
    assert_int_equal(result.head.guard, CUT_GUARD_TRIPPED);
    must_prune(f, 0, &pruned);
    assert_int_equal(pruned.folded, 1);
    assert_true(pruned.guarded);
    assert_int_equal(pruned.guarded_number, 1);
    autofree char *catalog = NULL;
    assert_true(asprintf(&catalog, "%s/catalog.mdb", f->state) > 0);
    close_all(f);
    assert_int_equal(unlink(catalog), 0);
    open_all(f);
    store_text(&f->store, "data/db/rp/1/000000003-000000001.tsm", "more");
    must_cut(f);
    must_prune(f, 0, &pruned);
    assert_int_equal(pruned.folded, 0);
    assert_int_equal(pruned.guarded_number, 1);
    assert_int_equal(cuts_accept_loss(f->cuts, 2, &e), -EINVAL);
    assert_int_equal(cuts_accept_loss(f->cuts, 7, &e), -ENOENT);
    assert_int_equal(cuts_accept_loss(f->cuts, 1, &e), 0);
    assert_int_equal(cuts_accept_loss(f->cuts, 1, &e), 0);
    close_all(f);
    open_all(f);
    assert_int_equal(cuts_by_number(f->cuts, 1, &info, &e), 0);
    assert_int_equal(info.head.guard, CUT_GUARD_ACCEPTED);
    assert_int_equal(info.head.lost.bytes, 3);
    must_prune(f, 0, &pruned);
    assert_int_equal(pruned.folded, 2);
    assert_false(pruned.guarded);
    assert_int_equal(cuts_latest(f->cuts, &info, &e), 0);
    assert_int_equal(info.head.guard, CUT_GUARD_FINE);
    assert_int_equal(info.head.lost.files, 0);
    check_accounts(f);
}

/* Less than the part, or no guard: it is told, and folded. */
static void small_losses_are_told(void **state)
{
    struct fixture *f = *state;
    struct cut_result result;
    struct prune_result pruned;
    must_cut(f);
    cut_with_loss(f, &guarded, &result);
    assert_true((double)result.head.lost.of * 0.2 > 3);
    assert_int_equal(result.head.guard, CUT_GUARD_FINE);
    store_text(&f->store, "data/db/rp/2/000000001-000000001.tsm", "two");
    must_cut(f);
    cut_with_loss(f, NULL, &result);
    assert_int_equal(result.head.guard, CUT_GUARD_FINE);
    must_prune(f, 0, &pruned);
    assert_int_equal(pruned.folded, 3);
    assert_false(pruned.guarded);
}

/* A manifest file as version 1 wrote it is read, and its time is the clock's. */
static void older_manifests(void **state)
{
    struct fixture *f = *state;
    struct cutlist *l;
    struct err e = {0};
    autoclose int fd = open(f->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    put_cut(fd, "influxfs-cut 1\nserial 3\nnumber 2\nchain c1\nid a1\nparent b1\n"
                "created 1465646400000000000\nhost h\nindex 9\nskew 0\n"
                "d 755 0 0 1 meta\nr data/db/rp/1/000000001-000000001.tsm\n");
    assert_int_equal(cutlist_read(fd, "cut", &l, &e), 0);
    assert_int_equal(l->head.wall_ns, 1465646400000000000);
    assert_int_equal(l->head.guard, CUT_GUARD_FINE);
    assert_int_equal(l->nremoved, 1);
    l->head.wall_ns = -5;
    l->head.lost = (struct cut_lost){1, 2, 3, 4, 2, "a/b%\nc/d"};
    l->head.guard = CUT_GUARD_ACCEPTED;
    assert_int_equal(cutlist_write(fd, "new", l, &e), 0);
    cutlist_free(l);
    assert_int_equal(cutlist_read(fd, "new", &l, &e), 0);
    assert_int_equal(l->head.wall_ns, -5);
    assert_int_equal(l->head.created_ns, 1465646400000000000);
    assert_int_equal(l->head.guard, CUT_GUARD_ACCEPTED);
    assert_int_equal(l->head.lost.of, 4);
    assert_string_equal(l->head.lost.names, "a/b%\nc/d");
    cutlist_free(l);
    assert_int_equal(unlinkat(fd, "cut", 0) | unlinkat(fd, "new", 0), 0);
}

/* A shard that is dropped after its files were retained as a piece. */
static void drop_a_shard(void *arg, const char *path, uint64_t size, bool linked)
{
    const struct fixture *f = arg;
    (void)size;
    (void)linked;
    if (strcmp(path, "data/db/rp/1/000000600-000000001.tsm") != 0)
        return;
    store_remove(&f->store, "data/db/rp/1");
    store_remove(&f->store, "wal/db/rp/1");
    store_meta(&f->store, shards + 1, 2);
}

static void a_shard_dropped_between_pieces(void **state)
{
    struct fixture *f = *state;
    const struct cut_rules rules = {.file = drop_a_shard, .arg = f};
    struct rlimit limit, low;
    struct cut_result result;
    struct err e;
    for (int i = 2; i <= 600; i++) {
        char rel[64];
        for (int shard = 1; shard <= 2; shard++) {
            snprintf(rel, sizeof(rel), "data/db/rp/%d/%09d-000000001.tsm", shard, i);
            store_text(&f->store, rel, "some");
        }
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = (struct rlimit){2800, limit.rlim_max}; /* so that the shards are two pieces */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    int r = try_cut(f, &rules, &result, &e);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (r < 0)
        fail_msg("cuts_make: %d %s", r, e.text);
    autofree char *got = describe_state(f, 0), *expected = describe_now(f);
    check_same_text("the base", got, expected);
    check_accounts(f);
    assert_int_equal(result.files, 601); /* with meta.db */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_yet, setup, teardown),
        cmocka_unit_test_setup_teardown(first_makes_the_base, setup, teardown),
        cmocka_unit_test_setup_teardown(links_what_never_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(internal_makes_no_number, setup, teardown),
        cmocka_unit_test_setup_teardown(excluded_databases, setup, teardown),
        cmocka_unit_test_setup_teardown(reserve, setup, teardown),
        cmocka_unit_test_setup_teardown(any_state, setup, teardown),
        cmocka_unit_test_setup_teardown(folding, setup, teardown),
        cmocka_unit_test_setup_teardown(cuts_in_use_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(tars_say_what_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_manifests_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cuts_say_of_omissions, setup, teardown),
        cmocka_unit_test_setup_teardown(a_retained_file_cut_short, setup, teardown),
        cmocka_unit_test_setup_teardown(lost_files_are_retained_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_manifests, setup, teardown),
        cmocka_unit_test_setup_teardown(verified_once_each, setup, teardown),
        cmocka_unit_test_setup_teardown(verified_manifests, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_catalogue, setup, teardown),
        cmocka_unit_test_setup_teardown(litter_of_a_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(by_time, setup, teardown),
        cmocka_unit_test_setup_teardown(losses_are_not_folded, setup, teardown),
        cmocka_unit_test_setup_teardown(small_losses_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(older_manifests, setup, teardown),
        cmocka_unit_test_setup_teardown(a_shard_dropped_between_pieces, setup, teardown),
        cmocka_unit_test(times),
    };
    return cmocka_run_group_tests_name("cuts", tests, NULL, NULL);
}
