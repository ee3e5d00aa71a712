/* SPDX-License-Identifier: MIT */
#include "store/snapshot/capture.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/influx/names.h"
#include "store/snapshot/capture_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct capture_source {
    const struct store_paths *paths;
    struct catalog *catalog;
    char *host;
    struct held_table *held;
    pthread_mutex_t lock; /* one capture at a time */
};

struct roots {
    int meta, data, wal;
};

static void roots_close(struct roots *r)
{
    cleanup_close(&r->meta);
    cleanup_close(&r->data);
    cleanup_close(&r->wal);
}

int capture_source_new(const struct store_paths *paths, struct catalog *catalog, const char *host,
                       struct capture_source **out)
{
    struct capture_source *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    *s = (struct capture_source){paths, catalog, strdup(host), held_table_new(),
                                 PTHREAD_MUTEX_INITIALIZER};
    if (!s->host || !s->held) {
        capture_source_free(s);
        return -ENOMEM;
    }
    *out = s;
    return 0;
}

void capture_source_free(struct capture_source *s)
{
    if (!s)
        return;
    held_table_free(s->held);
    free(s->host);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* A folder that does not exist is no error yet: *fd is -1. */
static int open_root(const char *path, const char *what, int *fd, struct err *e)
{
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = *fd < 0 ? -errno : 0;
    if (r < 0)
        err_sys(e, r, "the %s folder %s", what, path);
    return r == 0 || r == -ENOENT ? 0 : -EIO;
}

/* The folders are opened anew for each capture: a restore may have exchanged them. */
static int open_roots(const struct store_paths *p, struct roots *r, struct err *e)
{
    int rc = open_root(p->wal, "WAL", &r->wal, e);
    if (rc == 0)
        rc = open_root(p->data, "data", &r->data, e);
    if (rc == 0)
        rc = open_root(p->meta, "meta", &r->meta, e);
    if (rc < 0)
        return rc;
    if (r->meta < 0 && r->data < 0 && r->wal < 0)
        return err_set(e, -ENOENT, "there is no store yet: %s, %s and %s do not exist", p->meta,
                       p->data, p->wal);
    /* influxd makes the WAL folder with its first shard only. */
    if (r->meta < 0 || r->data < 0)
        return -EIO;
    if (faccessat(r->meta, NAME_RAFT_DB, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return err_set(e, -EAGAIN,
                       "%s/" NAME_RAFT_DB
                       " exists: a restore is being installed, or was cut off (mount "
                       "again to finish it)",
                       p->meta);
    return 0;
}

static ino_t meta_inode(const struct roots *r)
{
    struct stat st;
    return fstatat(r->meta, "meta.db", &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_ino : 0;
}

static int read_meta(struct capture_source *s, const struct roots *roots, struct capture_parts *b,
                     struct err *e)
{
    struct stat st;
    int r = held_get(s->held, roots->meta, NAME_META_DB, true, &b->meta_held, &st);
    if (r < 0) {
        err_sys(e, r, "%s/meta.db", s->paths->meta);
        return r == -ENFILE || r == -EMFILE ? -ENFILE : -EIO;
    }
    b->meta_attr = file_attr_of(&st);
    size_t size = b->meta_attr.size;
    if (size > META_DB_MAX)
        return err_set(e, -EIO, "%s/meta.db: %zu bytes are too many for a metastore",
                       s->paths->meta, size);
    autofree char *buf = malloc(size + 1);
    if (!buf)
        return -ENOMEM;
    r = io_pread_all(held_fd(b->meta_held), buf, size, 0);
    if (r < 0) {
        err_sys(e, r, "%s/meta.db", s->paths->meta);
        return -EIO;
    }
    struct err why = {0};
    if (fstat(roots->meta, &st) < 0)
        return -errno;
    b->meta_folder = file_attr_of(&st);
    if (meta_parse(buf, size, &b->meta, &why) < 0)
        return err_set(e, -EIO, "%s/meta.db: %s", s->paths->meta, why.text);
    return 0;
}

/* A shard that vanished while it was looked at was dropped; influxd removes a shard's files before
 * it tells the metastore, so until meta.db agrees the store is between two states. */
static bool between_states(const struct window *w, const struct meta *meta)
{
    for (size_t i = 0; i < w->nshards; i++) {
        if (!w->shards[i].gone)
            continue;
        const char *path = w->shards[i].path;
        const char *slash = strchr(path, '/'), *last = strrchr(path, '/');
        autofree char *db = strndup(path, (size_t)(slash - path));
        autofree char *rp = strndup(slash + 1, (size_t)(last - slash - 1));
        if (!db || !rp || meta_shard(meta, db, rp, w->shards[i].id) == META_LIVE)
            return true;
    }
    return false;
}

static int settle_window(struct capture_source *s, const struct roots *roots,
                         const struct window *earlier, const struct window_wait *wait,
                         struct capture_parts *b, struct err *e)
{
    for (;;) {
        ino_t before = meta_inode(roots);
        int r = window_take(s->held, roots->data, roots->wal, earlier, wait, &b->window, e);
        if (r < 0)
            return r;
        r = read_meta(s, roots, b, e);
        if (r < 0)
            return r;
        /* meta.db is read last. If it was replaced meanwhile, what was caught before must still be
         * there: then all of it is the store as of the reading. */
        bool settled =
            meta_inode(roots) == before || window_recheck(&b->window, roots->data, roots->wal) == 0;
        if (settled && !between_states(&b->window, b->meta))
            return 0;
        capture_parts_clear(b);
        if (wait->interrupted && wait->interrupted(wait->ctx))
            return err_set(e, -EINTR, "interrupted while the store settled");
        if (io_mono_ns() >= wait->deadline_ns)
            return err_set(e, -EAGAIN, "meta.db and the shards kept changing; try again");
        usleep(2000);
    }
}

static bool same_meta(const struct capture *c, const struct roots *roots)
{
    struct stat st;
    const struct member *m = &c->members[c->meta];
    return fstatat(roots->meta, "meta.db", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           held_is(m->held, &st) && io_ts_ns(&st.st_mtim) == m->attr.mtime_ns;
}

static void view_get(void *ctx, size_t i, struct catalog_file *f)
{
    struct capture *c = ctx;
    const struct member *m = &c->members[i];
    static _Thread_local char path[MEMBER_PATH_MAX];
    f->path = member_path(m, path);
    f->ino = m->held ? held_inode(m->held) : 0;
    f->size = m->attr.size;
    f->mtime_ns = m->attr.mtime_ns;
    f->index = m->index;
    f->have_sum = capture_sum(c, i, f->sum);
}

static void view_put(void *ctx, size_t i, const struct catalog_file *f)
{
    struct capture *c = ctx;
    if (!c->members[i].held)
        return;
    c->members[i].index = f->index;
    if (f->have_sum)
        capture_set_sum(c, i, f->sum);
}

static struct catalog_view view_of(struct capture *c)
{
    return (struct catalog_view){c->n, view_get, view_put, c};
}

static int take(struct capture_source *s, struct capture *newest, const struct window_wait *wait,
                struct capture **out, struct err *e)
{
    cleanup(roots_close) struct roots roots = {-1, -1, -1};
    int r = open_roots(s->paths, &roots, e);
    if (r < 0)
        return r;
    if (newest && same_meta(newest, &roots) &&
        window_unchanged(&newest->window, roots.data, roots.wal) == 0) {
        *out = capture_ref(newest);
        return 0;
    }
    cleanup(capture_parts_clear) struct capture_parts parts = {0};
    r = settle_window(s, &roots, newest ? &newest->window : NULL, wait, &parts, e);
    if (r < 0)
        return r;
    cleanup(capture_unrefp) struct capture *c = NULL;
    parts.earlier = newest;
    r = capture_build(&parts, &c, e);
    if (r < 0)
        return r;
    if (newest && memcmp(newest->digest, c->digest, sizeof(c->digest)) == 0) {
        /* The same state, looked at later: its folder times can be trusted now. */
        struct window w = newest->window;
        newest->window = c->window;
        c->window = w;
        *out = capture_ref(newest);
        return 0;
    }
    struct catalog_view view = view_of(c);
    r = catalog_settle(s->catalog, c->digest, newest ? newest->digest : NULL, &view, s->host,
                       io_now_ns(), c->window.skew_ns, &c->record, e);
    if (r < 0)
        return r;
    *out = steal_ptr(&c);
    return 0;
}

int capture_take(struct capture_source *s, struct capture *newest, const struct window_wait *wait,
                 struct capture **out, struct err *e)
{
    pthread_mutex_lock(&s->lock);
    int r = take(s, newest, wait, out, e);
    pthread_mutex_unlock(&s->lock);
    return r;
}

int capture_keep_sums(struct capture_source *s, struct capture *c, struct err *e)
{
    pthread_mutex_lock(&c->lock);
    bool kept = c->sums_kept;
    c->sums_kept = true;
    pthread_mutex_unlock(&c->lock);
    struct catalog_view view = view_of(c);
    return kept ? 0 : catalog_put_sums(s->catalog, &view, e);
}

struct capture *capture_ref(struct capture *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void capture_unref(struct capture *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) > 1)
        return;
    for (size_t i = 0; i < c->n; i++)
        free(c->members[i].cut);
    for (size_t i = 0; i < c->nstrings; i++)
        free(c->strings[i]);
    for (size_t i = 0; i < c->nsets; i++)
        window_set_unref(c->sets[i].set);
    for (size_t i = 0; i < c->nholds; i++)
        held_put(c->holds[i]);
    window_free(&c->window);
    free(c->sets);
    free(c->holds);
    free(c->members);
    free(c->strings);
    free(c->left_out);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

size_t capture_count(const struct capture *c)
{
    return c->n;
}

const struct member *capture_member(const struct capture *c, size_t i)
{
    return &c->members[i];
}

const struct catalog_record *capture_record(const struct capture *c)
{
    return &c->record;
}

size_t capture_left_out(const struct capture *c)
{
    return c->nleft_out;
}

const char *capture_left_out_at(const struct capture *c, size_t i)
{
    return c->left_out[i];
}

size_t member_path_len(const struct member *m)
{
    return strlen(m->dir) + (*m->dir ? 1 : 0) + strlen(m->name);
}

char *member_path(const struct member *m, char *buf)
{
    char *p = stpcpy(buf, m->dir);
    if (*m->dir)
        *p++ = '/';
    strcpy(p, m->name);
    return buf;
}

bool capture_sum(const struct capture *cc, size_t i, uint8_t out[SHA256_BYTES])
{
    struct capture *c = (struct capture *)cc;
    const struct member *m = &c->members[i];
    if (!m->held)
        return false;
    if (!m->cut)
        return held_sum(m->held, &m->attr, out);
    pthread_mutex_lock(&c->lock);
    bool have = m->cut->have_sum;
    if (have)
        memcpy(out, m->cut->sum, SHA256_BYTES);
    pthread_mutex_unlock(&c->lock);
    return have;
}

void capture_set_sum(struct capture *c, size_t i, const uint8_t sum[SHA256_BYTES])
{
    const struct member *m = &c->members[i];
    if (!m->cut)
        held_set_sum(m->held, &m->attr, sum);
    pthread_mutex_lock(&c->lock);
    if (m->cut) {
        memcpy(m->cut->sum, sum, SHA256_BYTES);
        m->cut->have_sum = true;
    }
    c->sums_kept = false;
    pthread_mutex_unlock(&c->lock);
}

static int read_part(const struct member *m, void *buf, size_t n, uint64_t off, struct err *e)
{
    int r = held_read(m->held, buf, n, off);
    if (r == -ENODATA)
        return err_set(e, -EIO, "%s/%s: the file became shorter while it was captured", m->dir,
                       m->name);
    if (r < 0) {
        err_sys(e, r, "%s/%s", m->dir, m->name);
        return -EIO;
    }
    return 0;
}

int capture_read(const struct capture *c, size_t i, void *buf, size_t n, uint64_t off,
                 struct err *e)
{
    const struct member *m = &c->members[i];
    if (!m->cut)
        return read_part(m, buf, n, off, e);
    for (size_t k = 0; k < m->cut->nparts && n > 0; k++) {
        uint64_t start = m->cut->part[k].off, len = m->cut->part[k].len;
        if (off >= len) {
            off -= len;
            continue;
        }
        size_t take_n = n < len - off ? n : (size_t)(len - off);
        int r = read_part(m, buf, take_n, start + off, e);
        if (r < 0)
            return r;
        buf = (char *)buf + take_n;
        n -= take_n;
        off = 0;
    }
    return 0;
}
