/* SPDX-License-Identifier: MIT */
#include "store/snapshot/catalog.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Address space only; the file grows with what is stored. Room for some 20 million files. */
#define MAP_BYTES ((size_t)4 << 30)
/* LMDB's keys are at most 511 bytes: a longer path is cut and ends in its digest. */
#define KEY_MAX 511
#define KEY_HEAD (KEY_MAX - SHA256_BYTES)

#define FILE_NAME "catalog.mdb"

struct catalog {
    char *path;
    unsigned flags;
    int memory_fd;        /* -1 unless in memory */
    pthread_mutex_t lock; /* a process may have an environment open only once */
    /* While a function works: */
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi files, states;
};

/* Stored as they are in memory: the catalogue never leaves its machine. */
struct row {
    uint64_t ino, size, index;
    int64_t mtime_ns;
    uint64_t have_sum;
    uint8_t sum[SHA256_BYTES];
};

struct state {
    uint8_t digest[SHA256_BYTES];
    struct catalog_record rec;
};

static int from_lmdb(int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return 0;
    case MDB_NOTFOUND:
        return -ENOENT;
    case MDB_MAP_FULL:
        return -ENOSPC;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_PANIC:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
        return -EBADMSG;
    case MDB_READERS_FULL:
        return -EAGAIN;
    default:
        return rc > 0 ? -rc : -EIO;
    }
}

/* A file one page short opens well, and raises SIGBUS when that page is read. */
static int check_size(MDB_env *env)
{
    MDB_envinfo info;
    MDB_stat stat;
    struct stat st;
    mdb_filehandle_t fd;
    int rc = mdb_env_info(env, &info);
    if (rc == 0)
        rc = mdb_env_stat(env, &stat);
    if (rc == 0)
        rc = mdb_env_get_fd(env, &fd);
    if (rc)
        return rc;
    if (fstat(fd, &st) < 0)
        return errno;
    return (uint64_t)st.st_size < (info.me_last_pgno + 1) * (uint64_t)stat.ms_psize ? MDB_INVALID
                                                                                    : 0;
}

static int open_env(struct catalog *c)
{
    int dead;
    int rc = mdb_env_create(&c->env);
    if (rc)
        return rc;
    rc = mdb_env_set_maxdbs(c->env, 4);
    if (rc == 0)
        rc = mdb_env_set_mapsize(c->env, MAP_BYTES);
    if (rc == 0)
        rc = mdb_env_open(c->env, c->path, MDB_NOSUBDIR | MDB_NORDAHEAD | c->flags, 0600);
    if (rc == 0)
        rc = check_size(c->env);
    if (rc == 0 && !(c->flags & MDB_NOLOCK))
        rc = mdb_reader_check(c->env, &dead);
    return rc;
}

/* Ends what begin began: commits if rc is 0, and gives back rc or what went wrong. */
static int end(struct catalog *c, int rc)
{
    if (c->txn && rc == 0)
        rc = mdb_txn_commit(c->txn);
    else if (c->txn)
        mdb_txn_abort(c->txn);
    if (c->env)
        mdb_env_close(c->env);
    c->txn = NULL;
    c->env = NULL;
    /* A large transaction has thousands of pages in small pieces of memory. */
    malloc_trim(0);
    return rc;
}

/* Opens the environment and a transaction that may write. */
static int begin(struct catalog *c)
{
    int rc = open_env(c);
    if (rc == 0)
        rc = mdb_txn_begin(c->env, NULL, 0, &c->txn);
    if (rc == 0)
        rc = mdb_dbi_open(c->txn, "files", MDB_CREATE, &c->files);
    if (rc == 0)
        rc = mdb_dbi_open(c->txn, "states", MDB_CREATE, &c->states);
    return rc ? end(c, rc) : 0;
}

static int open_memory(struct catalog *c)
{
    c->flags = MDB_NOLOCK | MDB_NOSYNC;
    c->memory_fd = memfd_create("influxfs-catalog", MFD_CLOEXEC);
    if (c->memory_fd < 0)
        return errno;
    if (asprintf(&c->path, "/proc/self/fd/%d", c->memory_fd) < 0)
        return ENOMEM;
    int rc = begin(c);
    return rc ? rc : end(c, 0);
}

static int open_file(struct catalog *c, const char *dir, struct err *note)
{
    autofree char *aside = NULL;
    if (asprintf(&c->path, "%s/" FILE_NAME, dir) < 0 || asprintf(&aside, "%s.damaged", c->path) < 0)
        return ENOMEM;
    int rc = begin(c);
    if (rc == 0)
        return end(c, 0);
    if (from_lmdb(rc) != -EBADMSG)
        return rc;
    if (rename(c->path, aside) < 0)
        return errno;
    err_set(note, 0, "%s was damaged (%s): set aside as %s and begun anew", c->path,
            mdb_strerror(rc), aside);
    rc = begin(c);
    return rc ? rc : end(c, 0);
}

int catalog_open(const char *dir, struct catalog **out, struct err *note, struct err *e)
{
    struct catalog *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->memory_fd = -1;
    pthread_mutex_init(&c->lock, NULL);
    note->text[0] = 0;
    int rc = dir ? open_file(c, dir, note) : open_memory(c);
    if (rc) {
        err_set(e, 0, "%s: %s", c->path ? c->path : FILE_NAME, mdb_strerror(rc));
        catalog_close(c);
        return from_lmdb(rc);
    }
    *out = c;
    return 0;
}

void catalog_close(struct catalog *c)
{
    if (!c)
        return;
    free(c->path);
    if (c->memory_fd >= 0)
        close(c->memory_fd);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static MDB_val key_of(const char *path, char buf[KEY_MAX])
{
    size_t n = strlen(path);
    if (n <= KEY_MAX)
        return (MDB_val){n, (void *)path};
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    memcpy(buf, path, KEY_HEAD);
    memset(buf + KEY_HEAD, 0, SHA256_BYTES);
    if (h) {
        sha256_add(h, path, n);
        sha256_end(h, (uint8_t *)buf + KEY_HEAD);
    }
    return (MDB_val){KEY_MAX, buf};
}

static int get_row(struct catalog *c, const char *path, struct row *row)
{
    char buf[KEY_MAX];
    MDB_val k = key_of(path, buf), v;
    int rc = mdb_get(c->txn, c->files, &k, &v);
    if (rc == 0 && v.mv_size != sizeof(*row))
        return MDB_CORRUPTED;
    if (rc == 0)
        memcpy(row, v.mv_data, sizeof(*row));
    return rc;
}

static int put_row(struct catalog *c, const char *path, const struct row *row)
{
    char buf[KEY_MAX];
    MDB_val k = key_of(path, buf), v = {sizeof(*row), (void *)row};
    return mdb_put(c->txn, c->files, &k, &v, 0);
}

static int get_state(struct catalog *c, struct state *s)
{
    MDB_val k = {6, (void *)"newest"}, v;
    int rc = mdb_get(c->txn, c->states, &k, &v);
    if (rc == 0 && v.mv_size != sizeof(*s))
        return MDB_CORRUPTED;
    if (rc == 0)
        memcpy(s, v.mv_data, sizeof(*s));
    return rc;
}

static int put_state(struct catalog *c, const struct state *s)
{
    MDB_val k = {6, (void *)"newest"}, v = {sizeof(*s), (void *)s};
    return mdb_put(c->txn, c->states, &k, &v, 0);
}

static bool same(const struct row *row, const struct catalog_file *f)
{
    return row->ino == f->ino && row->size == f->size && row->mtime_ns == f->mtime_ns;
}

static void tell(const struct catalog_view *view, size_t i, struct catalog_file *f,
                 const struct row *row)
{
    f->index = row->index;
    f->have_sum = row->have_sum;
    memcpy(f->sum, row->sum, SHA256_BYTES);
    view->put(view->ctx, i, f);
}

/* Gives every file its row; one that is new or has changed gets a new row with index. */
static int settle_files(struct catalog *c, const struct catalog_view *view, uint64_t index,
                        bool believe, size_t *known)
{
    *known = 0;
    for (size_t i = 0; i < view->n; i++) {
        struct catalog_file f = {0};
        struct row row;
        view->get(view->ctx, i, &f);
        if (believe && f.index) {
            ++*known;
            continue;
        }
        int rc = get_row(c, f.path, &row);
        if (rc && rc != MDB_NOTFOUND)
            return rc;
        *known += rc == 0;
        if (rc || !same(&row, &f)) {
            row =
                (struct row){.ino = f.ino, .size = f.size, .index = index, .mtime_ns = f.mtime_ns};
            rc = put_row(c, f.path, &row);
            if (rc)
                return rc;
        }
        tell(view, i, &f, &row);
    }
    return 0;
}

static int by_key(const void *a, const void *b)
{
    const MDB_val *x = a, *y = b;
    size_t n = x->mv_size < y->mv_size ? x->mv_size : y->mv_size;
    int d = memcmp(x->mv_data, y->mv_data, n);
    return d ? d : (x->mv_size > y->mv_size) - (x->mv_size < y->mv_size);
}

static int all_keys(const struct catalog_view *view, MDB_val *keys)
{
    for (size_t i = 0; i < view->n; i++) {
        struct catalog_file f = {0};
        char buf[KEY_MAX];
        view->get(view->ctx, i, &f);
        MDB_val k = key_of(f.path, buf);
        keys[i].mv_data = malloc(k.mv_size);
        if (!keys[i].mv_data)
            return ENOMEM;
        memcpy(keys[i].mv_data, k.mv_data, k.mv_size);
        keys[i].mv_size = k.mv_size;
    }
    if (view->n)
        qsort(keys, view->n, sizeof(*keys), by_key);
    return 0;
}

static int drop_others(struct catalog *c, const MDB_val *keys, size_t n)
{
    MDB_cursor *cur;
    MDB_val k, v;
    int rc = mdb_cursor_open(c->txn, c->files, &cur);
    if (rc)
        return rc;
    while ((rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT)) == 0) {
        if (n && bsearch(&k, keys, n, sizeof(*keys), by_key))
            continue;
        rc = mdb_cursor_del(cur, 0);
        if (rc)
            break;
    }
    mdb_cursor_close(cur);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Forgets the files that the view does not have. */
static int forget_vanished(struct catalog *c, const struct catalog_view *view)
{
    MDB_val *keys = calloc(view->n + 1, sizeof(*keys));
    if (!keys)
        return ENOMEM;
    int rc = all_keys(view, keys);
    if (rc == 0)
        rc = drop_others(c, keys, view->n);
    for (size_t i = 0; i < view->n; i++)
        free(keys[i].mv_data);
    free(keys);
    return rc;
}

/* The id of a state names what was captured and when. */
static int make_id(struct state *s)
{
    uint8_t sum[SHA256_BYTES];
    char hex[SHA256_HEX + 1];
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    if (!h)
        return ENOMEM;
    sha256_add(h, s->digest, sizeof(s->digest));
    sha256_add(h, &s->rec.created_ns, sizeof(s->rec.created_ns));
    sha256_add(h, &s->rec.index, sizeof(s->rec.index));
    sha256_add(h, s->rec.host, strlen(s->rec.host));
    sha256_end(h, sum);
    sha256_hex(sum, hex);
    memcpy(s->rec.id, hex, CATALOG_ID_HEX);
    s->rec.id[CATALOG_ID_HEX] = 0;
    return 0;
}

static int new_state(struct catalog *c, const struct catalog_view *view, const struct state *before,
                     const uint8_t *earlier, struct state *s)
{
    bool believe = earlier && memcmp(earlier, before->digest, SHA256_BYTES) == 0;
    MDB_stat stat;
    size_t known;
    if (s->rec.created_ns <= before->rec.created_ns)
        s->rec.created_ns = before->rec.created_ns + 1;
    s->rec.index = before->rec.index + 1;
    int rc = make_id(s);
    if (rc == 0)
        rc = mdb_stat(c->txn, c->files, &stat);
    if (rc == 0)
        rc = settle_files(c, view, s->rec.index, believe, &known);
    if (rc == 0 && known < stat.ms_entries)
        rc = forget_vanished(c, view);
    return rc ? rc : put_state(c, s);
}

static int settle(struct catalog *c, const struct catalog_view *view, const uint8_t *earlier,
                  struct state *s)
{
    struct state before;
    memset(&before, 0, sizeof(before));
    int rc = get_state(c, &before);
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    if (rc || memcmp(before.digest, s->digest, SHA256_BYTES) != 0)
        return new_state(c, view, &before, earlier, s);
    size_t known;
    s->rec = before.rec;
    return settle_files(c, view, s->rec.index, false, &known);
}

static int explain(int rc, const struct catalog *c, struct err *e)
{
    return rc ? err_set(e, from_lmdb(rc), "catalogue %s: %s", c->path, mdb_strerror(rc)) : 0;
}

int catalog_settle(struct catalog *c, const uint8_t digest[SHA256_BYTES], const uint8_t *earlier,
                   const struct catalog_view *view, const char *host, int64_t now_ns,
                   int64_t skew_ns, struct catalog_record *rec, struct err *e)
{
    struct state s;
    memset(&s, 0, sizeof(s));
    memcpy(s.digest, digest, SHA256_BYTES);
    snprintf(s.rec.host, sizeof(s.rec.host), "%s", host);
    s.rec.created_ns = now_ns;
    s.rec.skew_ns = skew_ns;
    pthread_mutex_lock(&c->lock);
    int rc = begin(c);
    if (rc == 0)
        rc = end(c, settle(c, view, earlier, &s));
    pthread_mutex_unlock(&c->lock);
    if (rc == 0)
        *rec = s.rec;
    return explain(rc, c, e);
}

static int put_sums(struct catalog *c, const struct catalog_view *view)
{
    for (size_t i = 0; i < view->n; i++) {
        struct catalog_file f = {0};
        struct row row;
        view->get(view->ctx, i, &f);
        if (!f.have_sum)
            continue;
        int rc = get_row(c, f.path, &row);
        if (rc && rc != MDB_NOTFOUND)
            return rc;
        if (rc || !same(&row, &f) || row.have_sum)
            continue;
        row.have_sum = 1;
        memcpy(row.sum, f.sum, SHA256_BYTES);
        rc = put_row(c, f.path, &row);
        if (rc)
            return rc;
    }
    return 0;
}

int catalog_put_sums(struct catalog *c, const struct catalog_view *view, struct err *e)
{
    pthread_mutex_lock(&c->lock);
    int rc = begin(c);
    if (rc == 0)
        rc = end(c, put_sums(c, view));
    pthread_mutex_unlock(&c->lock);
    return explain(rc, c, e);
}
