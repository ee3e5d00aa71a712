/* SPDX-License-Identifier: MIT */
#include "store/rewrite/selected.h"

#include "store/base/cleanup.h"
#include "store/influx/names.h"
#include "store/rewrite/selected_internal.h"
#include "store/snapshot/manifest_selection.h"

#include <errno.h>
#include <string.h>

static struct selected *of(const struct capture *c)
{
    return (struct selected *)c;
}

static void selected_free(struct capture *c)
{
    struct selected *s = of(c);
    capture_unref(s->whole);
    omissions_clear(&s->left_out);
    selection_free(s->what);
    free(s->links);
    free(s->bytes);
    free(s->at);
    free(c->members);
    free(s);
}

static int selected_read(const struct capture *c, size_t i, void *buf, size_t n, uint64_t off,
                         struct err *e)
{
    const struct selected *s = of(c);
    if (i != s->meta)
        return capture_read(s->whole, s->at[i], buf, n, off, e);
    memcpy(buf, (const char *)s->bytes + off, n);
    return 0;
}

static void selected_advise(const struct capture *c, size_t i, size_t n, uint64_t off)
{
    if (i != of(c)->meta)
        capture_advise(of(c)->whole, of(c)->at[i], n, off);
}

static bool selected_sum(const struct capture *c, size_t i, uint8_t out[SHA256_BYTES])
{
    const struct selected *s = of(c);
    if (i != s->meta)
        return capture_sum(s->whole, s->at[i], out);
    memcpy(out, s->part.meta_sum, SHA256_BYTES);
    return true;
}

static void selected_set_sum(struct capture *c, size_t i, const uint8_t sum[SHA256_BYTES])
{
    if (i != of(c)->meta)
        capture_set_sum(of(c)->whole, of(c)->at[i], sum);
}

static bool selected_damaged(const struct capture *c, size_t i)
{
    return i != of(c)->meta && capture_damaged(of(c)->whole, of(c)->at[i]);
}

static void selected_set_damaged(struct capture *c, size_t i)
{
    if (i != of(c)->meta)
        capture_set_damaged(of(c)->whole, of(c)->at[i]);
}

static int selected_keep_sums(struct capture *c, struct err *e)
{
    return capture_keep_sums(of(c)->whole, e);
}

static const struct capture_ops selected_ops = {
    .free = selected_free,
    .read = selected_read,
    .advise = selected_advise,
    .sum = selected_sum,
    .set_sum = selected_set_sum,
    .damaged = selected_damaged,
    .set_damaged = selected_set_damaged,
    .keep_sums = selected_keep_sums,
};

static bool is_root(const struct member *m)
{
    return !*m->dir && !strchr(m->name, '/');
}

/* The part's members. Times that change with the rest of the store are set with its record. */
static int selected_add_members(struct selected *s, size_t len)
{
    s->c.members = calloc(s->c.n + 1, sizeof(*s->c.members));
    s->meta = SIZE_MAX;
    if (!s->c.members)
        return -ENOMEM;
    for (size_t i = 0; i < s->c.n; i++) {
        struct member *m = &s->c.members[i];
        *m = *capture_member(s->whole, s->at[i]);
        if (is_root(m))
            m->attr.mtime_ns = 0;
        if (!selected_is_meta(m))
            continue;
        s->meta = i;
        s->part.meta_mtime_ns = m->attr.mtime_ns;
        m->held = NULL;
        m->attr.size = len;
        m->attr.mtime_ns = 0;
        m->index = 0;
    }
    return s->meta == SIZE_MAX ? -EBADMSG : 0;
}

static int selected_sum_bytes(const void *p, size_t n, uint8_t out[SHA256_BYTES])
{
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    if (!h)
        return -ENOMEM;
    sha256_add(h, p, n);
    sha256_end(h, out);
    return 0;
}

static uint64_t changed_at(const struct member *m)
{
    return m->index;
}

static int selected_digest(struct selected *s, size_t len)
{
    int r = selected_sum_bytes(s->bytes, len, s->part.meta_sum);
    if (r == 0)
        r = manifest_selection_digest(s->what, "", s->part.key);
    return r < 0
               ? r
               : capture_digest(&s->c, changed_at, s->part.meta_sum, SHA256_BYTES, s->part.digest);
}

static struct selected *selected_begin(struct capture *whole, void *bytes)
{
    struct selected *s = calloc(1, sizeof(*s));
    if (!s) {
        free(bytes);
        return NULL;
    }
    atomic_init(&s->c.refs, 1);
    s->c.ops = &selected_ops;
    s->c.left_out = &s->left_out;
    s->whole = capture_ref(whole);
    s->bytes = bytes;
    return s;
}

/* By its meta.db: the bytes are taken over, also on failure, and meta is what they say. Everything but
 * what catalog_settle_parts gives is there then. */
static int selected_make(struct capture *whole, const struct selection *what, void *bytes,
                         size_t len, const struct meta *meta, struct selected **out, struct err *e)
{
    struct selected *s = selected_begin(whole, bytes);
    int r = s ? selection_copy(what, &s->what) : -ENOMEM;
    if (r == 0)
        r = selected_members(whole, meta, &s->at, &s->c.n);
    if (r == 0)
        r = selected_add_members(s, len);
    if (r == 0)
        r = selected_tell(s, meta);
    if (r == 0)
        r = selected_digest(s, len);
    if (r < 0) {
        if (s)
            capture_unref(&s->c);
        return err_sys(e, r, "a part of the store");
    }
    s->c.origin =
        (struct capture_origin){.kind = MANIFEST_DATABASE, .number = -1, .selection = s->what};
    *out = s;
    return 0;
}

/* Gives it its record. */
static void selected_settle(struct selected *s, const struct catalog_part *part)
{
    s->part = *part;
    s->c.record = part->rec;
    s->c.members[s->meta].index = part->meta_index;
    for (size_t i = 0; i < s->c.n; i++)
        if (i == s->meta || is_root(&s->c.members[i]))
            s->c.members[i].attr.mtime_ns = part->meta_mtime_ns;
}

/* The part, without its record. */
static int selected_find(struct capture *whole, const struct partmeta *store,
                         const struct selection *what, struct selected **out, struct err *e)
{
    cleanup(meta_freep) struct meta *meta = NULL;
    autofree void *bytes = NULL;
    size_t len = 0;
    int r = selected_check(store, what, e);
    if (r == 0)
        r = partmeta_make(store, what, &bytes, &len, &meta, e);
    if (r == 0)
        r = selected_check_shards(store, what, meta, e);
    return r < 0 ? r : selected_make(whole, what, steal_ptr(&bytes), len, meta, out, e);
}

int selected_by(struct capture *whole, const struct partmeta *store, const struct selection *what,
                struct catalog *catalog, struct capture **out, struct err *e)
{
    struct selected *s = NULL;
    int r = selected_find(whole, store, what, &s, e);
    if (r < 0)
        return r;
    struct catalog_part part = s->part;
    r = catalog_settle_parts(catalog, &part, 1, capture_record(whole), e);
    if (r < 0) {
        capture_unref(&s->c);
        return r;
    }
    selected_settle(s, &part);
    *out = &s->c;
    return 0;
}

static int selected_find_all(struct capture *whole, const struct partmeta *store,
                             const struct tarball_reader *reader, struct selected **all,
                             struct catalog_part *parts, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < partmeta_count(store); i++) {
        const char *db = partmeta_name(store, i);
        struct selection what = SELECTION_ALL;
        what.databases = &db;
        what.ndatabases = 1;
        r = reader_interrupted(reader) ? err_set(e, -EINTR, "interrupted")
                                       : selected_find(whole, store, &what, &all[i], e);
        if (r == 0)
            parts[i] = all[i]->part;
    }
    return r;
}

int selected_each(struct capture *whole, const struct partmeta *store, struct catalog *catalog,
                  const struct tarball_reader *reader, selected_look_fn *look, void *ctx,
                  struct err *e)
{
    const size_t n = partmeta_count(store);
    autofree struct selected **all = calloc(n + 1, sizeof(struct selected *));
    autofree struct catalog_part *parts = calloc(n + 1, sizeof(*parts));
    if (!all || !parts)
        return err_sys(e, -ENOMEM, "the databases of the store");
    int r = selected_find_all(whole, store, reader, all, parts, e);
    if (r == 0)
        r = catalog_settle_parts(catalog, parts, n, capture_record(whole), e);
    for (size_t i = 0; i < n && all[i]; i++) {
        if (r == 0) {
            selected_settle(all[i], &parts[i]);
            r = look(ctx, i, &all[i]->c);
        } else {
            capture_unref(&all[i]->c);
        }
    }
    return r;
}

int selected_new(struct capture *whole, const struct selection *what, struct catalog *catalog,
                 const struct selected_cutting *how, struct capture **out, struct err *e)
{
    cleanup(partmeta_freep) struct partmeta *store = NULL;
    struct capture *part;
    int r = selected_read_meta(whole, &store, e);
    if (r == 0)
        r = selected_by(whole, store, what, catalog, &part, e);
    if (r == 0 && what->exact)
        return selected_exact(part, how, out, e);
    if (r == 0)
        *out = part;
    return r;
}
