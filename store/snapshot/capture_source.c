/* SPDX-License-Identifier: MIT */
#include "store/snapshot/capture_source.h"

#include "store/base/io.h"
#include "store/base/lock.h"
#include "store/base/log.h"
#include "store/base/time.h"
#include "store/influx/names.h"
#include "store/snapshot/manifest_selection.h"
#include "store/snapshot/pinned.h"
#include "store/snapshot/unlisted.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>

struct capture_source {
    const struct store_paths *paths;
    struct catalog *catalog;
    char *host;
    struct held_table *held;
    pthread_mutex_t lock;   /* one capture at a time; guards: */
    struct meta *meta;      /* as it was last, */
    struct held *meta_held; /* in this file */
    struct file_attr meta_attr;
    struct unlisted unlisted; /* by that */
    bool allow_left_out;
    atomic_bool was_there; /* the store */
};

/* A store that is just being made or dropped may briefly look damaged. */
#define PATIENCE_NS SECOND_NS
#define RETRY_US 5000

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
    *s = (struct capture_source){.paths = paths,
                                 .catalog = catalog,
                                 .host = strdup(host),
                                 .held = held_table_new(),
                                 .lock = PTHREAD_MUTEX_INITIALIZER,
                                 .was_there = store_is_there(paths)};
    if (!s->host || !s->held) {
        capture_source_free(s);
        return -ENOMEM;
    }
    *out = s;
    return 0;
}

void capture_source_allow_left_out(struct capture_source *s)
{
    s->allow_left_out = true;
}

bool capture_source_lost(const struct capture_source *s)
{
    return s->was_there && !store_is_there(s->paths);
}

void capture_source_free(struct capture_source *s)
{
    if (!s)
        return;
    unlisted_forget(&s->unlisted);
    meta_free(s->meta);
    held_put(s->meta_held);
    held_table_free(s->held);
    free(s->host);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* A missing folder is no error yet: *fd is -1. */
static int open_root(const char *path, const char *what, int *fd, struct err *e)
{
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = *fd < 0 ? -errno : 0;
    if (r == -EMFILE)
        return held_no_more(path, e);
    if (r < 0)
        err_sys(e, r, "the %s folder %s", what, path);
    return r == 0 || r == -ENOENT ? 0 : -EIO;
}

/* A restore is at work, which keeps influxd and captures out. */
static bool is_fenced(const struct roots *r)
{
    return faccessat(r->meta, NAME_RAFT_DB, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The folders are opened again for each capture: a restore may have replaced them. */
static int source_open_roots(struct capture_source *s, struct roots *r, struct err *e)
{
    const struct store_paths *p = s->paths;
    int rc = open_root(p->wal, "WAL", &r->wal, e);
    if (rc == 0)
        rc = open_root(p->data, "data", &r->data, e);
    if (rc == 0)
        rc = open_root(p->meta, "meta", &r->meta, e);
    if (rc < 0)
        return rc;
    if (r->meta < 0 && r->data < 0 && r->wal < 0 && s->was_there)
        return store_is_gone(p, e);
    if (r->meta < 0 && r->data < 0 && r->wal < 0)
        return err_set(e, -ENOENT, "there is no store yet: %s, %s and %s do not exist%s", p->meta,
                       p->data, p->wal,
                       p->config ? "; paths of a container? then give the folder that holds meta, "
                                   "data and wal here, instead of the file"
                                 : "");
    s->was_there = true;
    /* influxd makes the WAL folder with its first shard only. */
    if (r->meta < 0 || r->data < 0)
        return -EIO;
    if (is_fenced(r))
        return err_set(e, -EAGAIN,
                       "%s/" NAME_RAFT_DB
                       " exists: a restore is being installed, or was cut off (mount "
                       "again to finish it)",
                       p->meta);
    return 0;
}

/* Makes s->meta what is in the held file, unless it is that already. */
static int source_parse_meta(struct capture_source *s, const struct capture_parts *b, struct err *e)
{
    const size_t size = b->meta_attr.size;
    struct err why = {0};
    if (s->meta && s->meta_held == b->meta_held && s->meta_attr.size == size &&
        s->meta_attr.mtime_ns == b->meta_attr.mtime_ns)
        return 0;
    unlisted_forget(&s->unlisted);
    meta_free(s->meta);
    held_put(s->meta_held);
    s->meta = NULL;
    s->meta_held = NULL;
    if (size > META_DB_MAX)
        return err_set(e, -EIO, "%s/meta.db: %zu bytes are too many for a metastore",
                       s->paths->meta, size);
    autofree char *buf = malloc(size + 1);
    if (!buf)
        return -ENOMEM;
    int r = io_pread_all(held_fd(b->meta_held), buf, size, 0);
    if (r < 0) {
        err_sys(e, r, "%s/meta.db", s->paths->meta);
        return -EIO;
    }
    if (meta_parse(buf, size, &s->meta, &why) < 0)
        return err_set(e, -EIO, "%s/meta.db: %s; influxsnap rebuild-meta can make another",
                       s->paths->meta, why.text);
    s->meta_held = held_ref(b->meta_held);
    s->meta_attr = b->meta_attr;
    return 0;
}

static int source_read_meta(struct capture_source *s, const struct roots *roots,
                            struct capture_parts *b, struct err *e)
{
    struct stat st;
    int r = held_get(s->held, roots->meta, NAME_META_DB, false, &b->meta_held, &st);
    if (r == -ENFILE)
        return held_no_more(NAME_META_MEMBER, e);
    if (r < 0) {
        struct err why = {""};
        err_sys(&why, r, "%s/meta.db", s->paths->meta);
        return err_set(e, -EIO,
                       r == -ENOENT ? "%s; if it is lost, see influxsnap rebuild-meta" : "%s",
                       why.text);
    }
    b->meta_attr = file_attr_of(&st);
    if (fstat(roots->meta, &st) < 0)
        return -errno;
    b->meta_folder = file_attr_of(&st);
    r = source_parse_meta(s, b, e);
    b->meta = s->meta;
    return r;
}

/* A shard that vanished during the capture was dropped. influxd removes a shard's files before it
 * updates the metastore, so until meta.db agrees the store is between two states. */
static bool source_between_states(const struct window *w, const struct meta *meta)
{
    for (size_t i = 0; i < w->nshards; i++) {
        if (!w->shards[i].gone)
            continue;
        autofree char *db = NULL, *rp = NULL;
        if (shard_pin_names(&w->shards[i], &db, &rp) < 0 ||
            meta_shard(meta, db, rp, w->shards[i].id) == META_LIVE)
            return true;
    }
    return false;
}

/* Whether the paths still lead to the folders that were opened. */
static bool source_same_roots(const struct store_paths *p, const struct roots *r)
{
    const char *const paths[] = {p->meta, p->data, p->wal};
    const int fds[] = {r->meta, r->data, r->wal};
    for (int i = 0; i < 3; i++) {
        struct stat now, then;
        bool there = stat(paths[i], &now) == 0;
        if (there != (fds[i] >= 0))
            return false;
        if (there &&
            (fstat(fds[i], &then) < 0 || now.st_dev != then.st_dev || now.st_ino != then.st_ino))
            return false;
    }
    return true;
}

/* Catches the shards, then reads meta.db: -ESTALE if they may not belong together. */
static int source_pin(struct capture_source *s, const struct roots *roots,
                      const struct window *before, struct capture_parts *b, struct err *e)
{
    struct folder_seen meta;
    autoclose int fd = folder_open(roots->meta, "", FOLLOW_NONE, &meta);
    if (fd < 0)
        return err_sys(e, fd, "%s", s->paths->meta);
    int r =
        window_take_part(s->held, roots->data, roots->wal, b->part, before, b->wait, &b->window, e);
    if (r == 0)
        r = source_read_meta(s, roots, b, e);
    /* A restore leaves its trace in the meta folder, as a new meta.db does. */
    if ((r == 0 || r == -EIO) && (!folder_same_times(roots->meta, "", &meta) || is_fenced(roots) ||
                                  !source_same_roots(s->paths, roots)))
        return -ESTALE;
    return r == 0 && source_between_states(&b->window, b->meta) ? -ESTALE : r;
}

static bool same_meta(const struct pinned *c, const struct roots *roots)
{
    struct stat st;
    const struct member *m = capture_member(&c->c, PINNED_META);
    return fstatat(roots->meta, "meta.db", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           held_is(m->held, &st) && time_from_spec(&st.st_mtim) == m->attr.mtime_ns;
}

/* What is looked for: a state after the newest capture, which may be NULL, or what is wanted of it. */
struct looking {
    struct pinned *newest;
    const struct marks_wanted *wanted; /* NULL: all of it */
    const struct selection *part;      /* NULL: all of it */
    const struct window *share; /* where newest is NULL: what may be taken from; NULL: nothing */
    bool later;                 /* some of this is left to the next one */
};

/* A selection as the part that a window is of. */
struct selecting {
    const struct selection *what;
    struct capture_parts early; /* knows the times of shards, as far as what depends on them */
};

/* Shards that were not there when meta.db was read first are in it: it is read again. */
static bool source_selects(void *ctx, const char *path)
{
    const struct selecting *s = ctx;
    char db[PATH_MAX], *rp;
    int64_t start = INT64_MIN, end = INT64_MAX;
    uint64_t id;
    size_t k;
    if (strlen(path) >= sizeof(db))
        return false; /* a name of meta.db that no folder has */
    rp = strchr(strcpy(db, path), '/');
    if (!rp)
        return selection_has_database(s->what, db);
    *rp++ = 0;
    char *shard = strchr(rp, '/');
    if (!shard)
        return selection_has_policy(s->what, db, rp);
    *shard++ = 0;
    if (!name_is_shard(shard, &id) && !name_is_padded_shard(shard, &id))
        return false;
    if (s->early.meta && meta_live_find(s->early.meta, db, rp, id, &k))
        meta_live_shard_times(s->early.meta, k, &start, &end);
    return selection_has_shard(s->what, db, rp, id, start, end);
}

static int source_prepare_part(struct capture_source *s, const struct roots *roots,
                               struct selecting *sel, struct capture_parts *parts, struct err *e)
{
    const bool whole_databases = selection_of_databases(sel->what);
    /* What a few shards leave out says nothing about the metastore. */
    parts->allow_left_out |= !whole_databases;
    return whole_databases ? 0 : source_read_meta(s, roots, &sel->early, e);
}

static void selecting_clear(struct selecting *sel)
{
    capture_parts_clear(&sel->early);
}

/* The newest capture, if nothing of it has changed, and nothing else stands for what is in it. 1: it is
 * not. */
static int source_take_newest(struct capture_source *s, const struct roots *roots,
                              struct pinned *newest, const struct window_part *part,
                              const struct window_wait *wait, struct err *e)
{
    cleanup(capture_parts_clear) struct capture_parts now = {
        .data_fd = roots->data, .part = part, .wait = wait};
    if (!newest || !same_meta(newest, roots) ||
        window_unchanged(&newest->window, roots->data, roots->wal) != 0)
        return 1;
    int r = part ? source_read_meta(s, roots, &now, e) : 0;
    return r == 0 && part ? unlisted_judge(&s->unlisted, &now, e) : r;
}

/* One attempt. -ESTALE: the store was between two states. */
static int source_attempt(struct capture_source *s, struct looking *l,
                          const struct window_wait *wait, struct pinned **out, struct err *e)
{
    struct pinned *newest = l->newest;
    cleanup(roots_close) struct roots roots = {-1, -1, -1};
    int r = source_open_roots(s, &roots, e);
    if (r < 0)
        return r;
    cleanup(selecting_clear) struct selecting sel = {.what = l->part};
    const struct window_part part = {.databases = l->part ? l->part->databases : NULL,
                                     .ndatabases = l->part ? l->part->ndatabases : 0,
                                     .has = source_selects,
                                     .ctx = &sel};
    cleanup(capture_parts_clear) struct capture_parts parts = {.data_fd = roots.data,
                                                               .wal_fd = roots.wal,
                                                               .allow_left_out = s->allow_left_out,
                                                               .wait = wait};
    if (l->part && (r = source_prepare_part(s, &roots, &sel, &parts, e)) < 0)
        return r;
    r = source_take_newest(s, &roots, newest, l->part ? &part : NULL, wait, e);
    if (r == 0) {
        capture_ref(&newest->c);
        *out = newest;
    }
    if (r <= 0)
        return r;
    cleanup(window_free) struct window plan = {0};
    if (l->wanted && (r = marks_plan(s->catalog, roots.data, l->wanted, &plan, &l->later, e)) < 0)
        return r;
    parts.part = l->part ? &part : NULL;
    parts.unlisted = &s->unlisted;
    parts.allow_left_out |= l->later; /* not all that is kept is in it */
    r = source_pin(s, &roots, newest ? &newest->window : l->share ? l->share : &plan, &parts, e);
    if (sel.early.meta) /* of an older meta.db, it may be gone by now */
        sel.early.meta = parts.meta;
    return r < 0 ? r : capture_build(&parts, s->catalog, out, e);
}

static bool may_retry(int r, const struct window_wait *wait, int64_t began_ns)
{
    int64_t now = time_mono_ns();
    return !window_interrupted(wait) && now < wait->deadline_ns &&
           (r == -ESTALE || r == CAPTURE_DROPPING || (r == -EIO && now - began_ns < PATIENCE_NS));
}

static int source_settle(struct capture_source *s, struct looking *l,
                         const struct window_wait *wait, struct pinned **out, struct err *e)
{
    int64_t began = time_mono_ns();
    int r = source_attempt(s, l, wait, out, e);
    if (r < 0 && may_retry(r, wait, began))
        log_debug("capture: the store is between two states; looking again until it settles");
    while (r < 0 && may_retry(r, wait, began)) {
        usleep(RETRY_US);
        r = source_attempt(s, l, wait, out, e);
    }
    if ((r == -ESTALE || r == CAPTURE_DROPPING) && window_interrupted(wait))
        return err_set(e, -EINTR, "interrupted while the store settled");
    if (r == CAPTURE_DROPPING)
        return -EIO;
    return r == -ESTALE ? err_set(e, -EAGAIN, "meta.db and the shards kept changing; try again")
                        : r;
}

static void unrefp(struct pinned **c)
{
    capture_unref(*c ? &(*c)->c : NULL);
}

/* The same state, checked later: its folder times can be trusted now. */
static void source_same_again(struct pinned *newest, struct pinned **c)
{
    if (!newest || *c == newest || memcmp(newest->digest, (*c)->digest, SHA256_BYTES) != 0)
        return;
    struct window w = newest->window;
    newest->window = (*c)->window;
    (*c)->window = w;
    capture_unref(&(*c)->c);
    capture_ref(&newest->c);
    *c = newest;
}

int capture_source_take(struct capture_source *s, struct capture *before,
                        const struct window_wait *wait, struct capture **out, struct err *e)
{
    lock_scope(&s->lock);
    struct pinned *newest = (struct pinned *)before;
    cleanup(unrefp) struct pinned *c = NULL;
    int r = source_settle(s, &(struct looking){.newest = newest}, wait, &c, e);
    if (r < 0)
        return r;
    source_same_again(newest, &c);
    if (c != newest) {
        r = pinned_settle(c, newest, s->host, e);
        if (r < 0)
            return r;
        log_debug("capture %s: %zu members, skew %lld ns", c->c.record.id, c->c.n,
                  (long long)c->window.skew_ns);
    }
    *out = &steal_ptr(&c)->c;
    return 0;
}

int capture_source_part(struct capture_source *s, const struct selection *what,
                        struct capture *before, struct capture *newest,
                        const struct window_wait *wait, struct capture **out, struct err *e)
{
    lock_scope(&s->lock);
    uint8_t key[SHA256_BYTES];
    cleanup(selection_freep) struct selection *part = NULL;
    struct looking l = {.newest = (struct pinned *)before};
    cleanup(unrefp) struct pinned *c = NULL;
    if (newest)
        l.share = &((struct pinned *)newest)->window;
    int r = selection_copy(what, &part);
    l.part = part;
    if (r == 0)
        r = source_settle(s, &l, wait, &c, e);
    if (r < 0)
        return r;
    source_same_again(l.newest, &c);
    if (c != l.newest && (r = manifest_selection_digest(part, "piece", key)) == 0)
        r = pinned_settle_part(c, key, s->host, e);
    if (r < 0)
        return r;
    log_debug("capture %s of a part: %zu members, skew %lld ns", c->c.record.id, c->c.n,
              (long long)c->window.skew_ns);
    *out = &steal_ptr(&c)->c;
    return 0;
}

int capture_source_changes(struct capture_source *s, const struct marks_wanted *wanted,
                           const struct window_wait *wait, struct capture **out, bool *later,
                           struct err *e)
{
    lock_scope(&s->lock);
    struct looking l = {.wanted = wanted};
    cleanup(unrefp) struct pinned *c = NULL;
    int r = source_settle(s, &l, wait, &c, e);
    if (r == 0)
        r = l.later ? pinned_prepare(c, e) : pinned_settle(c, NULL, s->host, e);
    if (r < 0)
        return r;
    log_debug("capture %s: %zu members that may have changed%s, skew %lld ns",
              l.later ? "of a part" : c->c.record.id, c->c.n, l.later ? ", more to come" : "",
              (long long)c->window.skew_ns);
    *later = l.later;
    *out = &steal_ptr(&c)->c;
    return 0;
}
