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
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Address space only; the file grows with what is stored. Room for some 20 million files. */
#define MAP_BYTES ((size_t)4 << 30)
/* LMDB's keys are at most 511 bytes: a longer path is cut and ends in its digest. */
#define KEY_MAX 511
#define KEY_HEAD (KEY_MAX - SHA256_BYTES)

#define FILE_NAME "catalog.mdb"

struct catalog {
    char *path;    /* of the file; NULL: in memory */
    int lock_fd;   /* the state folder, for flock(2) */
    int memory_fd; /* what serves when there is no file, or it fails; -1 until then */
    pthread_mutex_t lock;
    struct err trouble;         /* why the file did not serve last time; else empty */
    struct catalog_record last; /* the newest record given: what comes next must rise above it */
    /* While a function works: */
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi files, states, retained, sizes;
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

static int open_env(struct catalog *c, const char *path, unsigned flags)
{
    int rc = mdb_env_create(&c->env);
    if (rc)
        return rc;
    rc = mdb_env_set_maxdbs(c->env, 8);
    if (rc == 0)
        rc = mdb_env_set_mapsize(c->env, MAP_BYTES);
    /* LMDB's own lock is a mapped file, which raises SIGBUS on a full disk; flock(2) serves. */
    if (rc == 0)
        rc = mdb_env_open(c->env, path, MDB_NOSUBDIR | MDB_NORDAHEAD | MDB_NOLOCK | flags, 0600);
    if (rc == 0)
        rc = check_size(c->env);
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
static int begin(struct catalog *c, const char *path, unsigned flags)
{
    int rc = open_env(c, path, flags);
    if (rc == 0)
        rc = mdb_txn_begin(c->env, NULL, 0, &c->txn);
    if (rc == 0)
        rc = mdb_dbi_open(c->txn, "files", MDB_CREATE, &c->files);
    if (rc == 0)
        rc = mdb_dbi_open(c->txn, "states", MDB_CREATE, &c->states);
    if (rc == 0)
        rc = mdb_dbi_open(c->txn, "retained", MDB_CREATE, &c->retained);
    if (rc == 0)
        rc = mdb_dbi_open(c->txn, "sizes", MDB_CREATE, &c->sizes);
    return rc ? end(c, rc) : 0;
}

typedef int work_fn(struct catalog *c, void *arg);

static int in_file(struct catalog *c, work_fn *work, void *arg)
{
    int rc;
    do
        rc = flock(c->lock_fd, LOCK_EX) < 0 ? errno : 0;
    while (rc == EINTR);
    if (rc)
        return rc;
    rc = begin(c, c->path, 0);
    if (rc == 0)
        rc = end(c, work(c, arg));
    flock(c->lock_fd, LOCK_UN);
    return rc;
}

static int in_memory(struct catalog *c, work_fn *work, void *arg)
{
    char path[64];
    if (c->memory_fd < 0)
        c->memory_fd = memfd_create("influxfs-catalog", MFD_CLOEXEC);
    if (c->memory_fd < 0)
        return errno;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", c->memory_fd);
    int rc = begin(c, path, MDB_NOSYNC);
    return rc ? rc : end(c, work(c, arg));
}

/* Does the work in one transaction, in the file if there is one. A file that fails, on a full disk
 * for example, is no reason to go without a snapshot: then memory serves, until the file does
 * again.
 */
static int transact(struct catalog *c, work_fn *work, void *arg)
{
    int rc = c->path ? in_file(c, work, arg) : 0;
    if (c->path && rc == 0) {
        c->trouble.text[0] = 0;
        return 0;
    }
    if (rc)
        err_set(&c->trouble, 0,
                "catalogue %s: %s; until this is mended, checksums are computed again and now.tar "
                "gets another id after each mount",
                c->path, mdb_strerror(rc));
    return in_memory(c, work, arg);
}

static int nothing(struct catalog *c, void *arg)
{
    (void)c, (void)arg;
    return 0;
}

static int open_file(struct catalog *c, const char *dir, struct err *note)
{
    autofree char *aside = NULL;
    if (asprintf(&c->path, "%s/" FILE_NAME, dir) < 0 || asprintf(&aside, "%s.damaged", c->path) < 0)
        return ENOMEM;
    c->lock_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->lock_fd < 0)
        return errno;
    int rc = in_file(c, nothing, NULL);
    if (from_lmdb(rc) != -EBADMSG)
        return rc;
    if (rename(c->path, aside) < 0)
        return errno;
    err_set(note, 0, "%s was damaged (%s): set aside as %s and begun anew", c->path,
            mdb_strerror(rc), aside);
    return in_file(c, nothing, NULL);
}

int catalog_open(const char *dir, struct catalog **out, struct err *note, struct err *e)
{
    struct catalog *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->memory_fd = c->lock_fd = -1;
    pthread_mutex_init(&c->lock, NULL);
    note->text[0] = 0;
    int rc = dir ? open_file(c, dir, note) : 0;
    if (rc == 0 || from_lmdb(rc) == -ENOSPC)
        rc = transact(c, nothing, NULL);
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
    cleanup_close(&c->memory_fd);
    cleanup_close(&c->lock_fd);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void catalog_trouble(struct catalog *c, struct err *out)
{
    pthread_mutex_lock(&c->lock);
    *out = c->trouble;
    pthread_mutex_unlock(&c->lock);
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

struct settling {
    const struct catalog_view *view;
    const uint8_t *earlier;
    struct state given, result;
};

static int settle(struct catalog *c, void *arg)
{
    struct settling *job = arg;
    struct state *s = &job->result, before;
    size_t known;
    *s = job->given;
    memset(&before, 0, sizeof(before));
    int rc = get_state(c, &before);
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    bool same_state = rc == 0 && memcmp(before.digest, s->digest, SHA256_BYTES) == 0;
    if (same_state && before.rec.index >= c->last.index) {
        s->rec = before.rec;
        return settle_files(c, job->view, s->rec.index, false, &known);
    }
    if (before.rec.index < c->last.index)
        before.rec = c->last;
    return new_state(c, job->view, &before, job->earlier, s);
}

static int explain(int rc, struct err *e)
{
    return rc ? err_set(e, from_lmdb(rc), "catalogue: %s", mdb_strerror(rc)) : 0;
}

int catalog_settle(struct catalog *c, const uint8_t digest[SHA256_BYTES], const uint8_t *earlier,
                   const struct catalog_view *view, const char *host, int64_t now_ns,
                   int64_t skew_ns, struct catalog_record *rec, struct err *e)
{
    struct settling job;
    memset(&job, 0, sizeof(job));
    job.view = view;
    job.earlier = earlier;
    memcpy(job.given.digest, digest, SHA256_BYTES);
    snprintf(job.given.rec.host, sizeof(job.given.rec.host), "%s", host);
    job.given.rec.created_ns = now_ns;
    job.given.rec.skew_ns = skew_ns;
    pthread_mutex_lock(&c->lock);
    int rc = transact(c, settle, &job);
    if (rc == 0)
        *rec = c->last = job.result.rec;
    pthread_mutex_unlock(&c->lock);
    return explain(rc, e);
}

static int put_sums(struct catalog *c, void *arg)
{
    const struct catalog_view *view = arg;
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
    int rc = transact(c, put_sums, (void *)view);
    pthread_mutex_unlock(&c->lock);
    return explain(rc, e);
}

static int find_state(struct catalog *c, void *arg)
{
    struct state s;
    int rc = get_state(c, &s);
    *(bool *)arg = rc == MDB_NOTFOUND;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

bool catalog_is_new(struct catalog *c)
{
    bool is_new = false;
    pthread_mutex_lock(&c->lock);
    int rc = transact(c, find_state, &is_new);
    pthread_mutex_unlock(&c->lock);
    return rc == 0 && is_new;
}

struct seeding {
    const struct catalog_record *rec;
    const struct catalog_view *view;
};

static int seed(struct catalog *c, void *arg)
{
    const struct seeding *job = arg;
    struct state s;
    memset(&s, 0, sizeof(s)); /* no digest: whatever comes next is another state */
    s.rec = *job->rec;
    for (size_t i = 0; i < job->view->n; i++) {
        struct catalog_file f = {0};
        job->view->get(job->view->ctx, i, &f);
        struct row row = {.ino = f.ino, .size = f.size, .index = f.index, .mtime_ns = f.mtime_ns};
        row.have_sum = f.have_sum;
        memcpy(row.sum, f.sum, SHA256_BYTES);
        int rc = put_row(c, f.path, &row);
        if (rc)
            return rc;
    }
    return put_state(c, &s);
}

int catalog_seed(struct catalog *c, const struct catalog_record *rec,
                 const struct catalog_view *view, struct err *e)
{
    struct seeding job = {rec, view};
    pthread_mutex_lock(&c->lock);
    int rc = transact(c, seed, &job);
    pthread_mutex_unlock(&c->lock);
    return explain(rc, e);
}

/* Keys are big-endian, so that they sort by serial. */
#define PLACE_BYTES 12

static MDB_val place_key(uint64_t serial, uint32_t seq, uint8_t buf[PLACE_BYTES])
{
    for (int i = 0; i < 8; i++)
        buf[i] = (uint8_t)(serial >> (56 - 8 * i));
    for (int i = 0; i < 4; i++)
        buf[8 + i] = (uint8_t)(seq >> (24 - 8 * i));
    return (MDB_val){PLACE_BYTES, buf};
}

static void place_of(const MDB_val *k, uint64_t *serial, uint32_t *seq)
{
    const uint8_t *b = k->mv_data;
    *serial = 0;
    *seq = 0;
    for (int i = 0; i < 8; i++)
        *serial = *serial << 8 | b[i];
    for (int i = 8; i < PLACE_BYTES; i++)
        *seq = *seq << 8 | b[i];
}

struct retained_job {
    struct catalog_retained *files;
    size_t n;
    uint64_t last;
    bool (*keep)(void *ctx, uint64_t serial, uint32_t seq);
    void *ctx;
};

static int get_retained(struct catalog *c, void *arg)
{
    const struct retained_job *job = arg;
    for (size_t i = 0; i < job->n; i++) {
        struct catalog_retained *f = &job->files[i];
        uint8_t buf[PLACE_BYTES];
        if (f->have_sum)
            continue;
        MDB_val k = place_key(f->serial, f->seq, buf), v;
        int rc = mdb_get(c->txn, c->retained, &k, &v);
        if (rc == MDB_NOTFOUND)
            continue;
        if (rc || v.mv_size != SHA256_BYTES)
            return rc ? rc : MDB_CORRUPTED;
        memcpy(f->sum, v.mv_data, SHA256_BYTES);
        f->have_sum = true;
    }
    return 0;
}

static int put_retained(struct catalog *c, void *arg)
{
    const struct retained_job *job = arg;
    for (size_t i = 0; i < job->n; i++) {
        struct catalog_retained *f = &job->files[i];
        uint8_t buf[PLACE_BYTES];
        if (!f->have_sum)
            continue;
        MDB_val k = place_key(f->serial, f->seq, buf), v = {SHA256_BYTES, f->sum};
        int rc = mdb_put(c->txn, c->retained, &k, &v, 0);
        if (rc)
            return rc;
    }
    return 0;
}

static int forget_retained(struct catalog *c, void *arg)
{
    const struct retained_job *job = arg;
    MDB_cursor *cur;
    MDB_val k, v;
    int rc = mdb_cursor_open(c->txn, c->retained, &cur);
    if (rc)
        return rc;
    while ((rc = mdb_cursor_get(cur, &k, &v, MDB_NEXT)) == 0) {
        uint64_t serial;
        uint32_t seq;
        if (k.mv_size != PLACE_BYTES) {
            rc = MDB_CORRUPTED;
            break;
        }
        place_of(&k, &serial, &seq);
        if (serial > job->last)
            break;
        if (!job->keep(job->ctx, serial, seq) && (rc = mdb_cursor_del(cur, 0)))
            break;
    }
    mdb_cursor_close(cur);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int with_retained(struct catalog *c, work_fn *work, const struct retained_job *job,
                         struct err *e)
{
    pthread_mutex_lock(&c->lock);
    int rc = transact(c, work, (void *)job);
    pthread_mutex_unlock(&c->lock);
    return explain(rc, e);
}

int catalog_get_retained(struct catalog *c, struct catalog_retained *files, size_t n, struct err *e)
{
    return with_retained(c, get_retained, &(struct retained_job){.files = files, .n = n}, e);
}

int catalog_put_retained(struct catalog *c, const struct catalog_retained *files, size_t n,
                         struct err *e)
{
    return with_retained(c, put_retained,
                         &(struct retained_job){.files = (struct catalog_retained *)files, .n = n},
                         e);
}

int catalog_forget_retained(struct catalog *c, uint64_t last,
                            bool (*keep)(void *ctx, uint64_t serial, uint32_t seq), void *ctx,
                            struct err *e)
{
    return with_retained(c, forget_retained,
                         &(struct retained_job){.last = last, .keep = keep, .ctx = ctx}, e);
}

struct size_job {
    const char *name;
    uint64_t size;
    bool found;
};

static int get_size(struct catalog *c, void *arg)
{
    struct size_job *job = arg;
    MDB_val k = {strlen(job->name), (void *)job->name}, v;
    int rc = mdb_get(c->txn, c->sizes, &k, &v);
    job->found = rc == 0;
    if (rc == 0 && v.mv_size != sizeof(job->size))
        return MDB_CORRUPTED;
    if (rc == 0)
        memcpy(&job->size, v.mv_data, sizeof(job->size));
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int put_size(struct catalog *c, void *arg)
{
    struct size_job *job = arg;
    MDB_val k = {strlen(job->name), (void *)job->name}, v = {sizeof(job->size), &job->size};
    return mdb_put(c->txn, c->sizes, &k, &v, 0);
}

static int with_size(struct catalog *c, work_fn *work, struct size_job *job, struct err *e)
{
    pthread_mutex_lock(&c->lock);
    int rc = transact(c, work, job);
    pthread_mutex_unlock(&c->lock);
    return explain(rc, e);
}

int catalog_get_size(struct catalog *c, const char *name, uint64_t *size, struct err *e)
{
    struct size_job job = {.name = name};
    int r = with_size(c, get_size, &job, e);
    if (r == 0 && !job.found)
        return -ENOENT;
    if (r == 0)
        *size = job.size;
    return r;
}

int catalog_put_size(struct catalog *c, const char *name, uint64_t size, struct err *e)
{
    return with_size(c, put_size, &(struct size_job){.name = name, .size = size}, e);
}

static int forget_sizes(struct catalog *c, void *arg)
{
    (void)arg;
    return mdb_drop(c->txn, c->sizes, 0);
}

int catalog_forget_sizes(struct catalog *c, struct err *e)
{
    return with_size(c, forget_sizes, NULL, e);
}
