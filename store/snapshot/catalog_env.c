/* SPDX-License-Identifier: MIT */
#include "store/base/lock.h"
#include "store/base/log.h"
#include "store/snapshot/catalog_internal.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Address space only; the file grows with what is stored. Room for some 15 million files, and what
 * catalog_notes.c allows itself. */
#define MAP_BYTES ((size_t)4 << 30)
#define FILE_NAME "catalog.mdb"

int catalog_from_lmdb(int rc)
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
static int env_check_size(MDB_env *env)
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

static int env_open(struct catalog *c, const char *path, unsigned flags)
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
        rc = env_check_size(c->env);
    return rc;
}

/* Ends what env_begin began: commits if rc is 0; returns rc or the new error. */
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
    c->unsaved = c->touched = 0;
    /* A large transaction leaves thousands of pages in small pieces of memory. */
    malloc_trim(0);
    return rc;
}

/* Opens the environment and a transaction that may write. */
static int env_begin(struct catalog *c, const char *path, unsigned flags)
{
    int rc = env_open(c, path, flags);
    c->open_path = path;
    c->open_flags = flags;
    if (rc == 0)
        rc = mdb_txn_begin(c->env, NULL, 0, &c->txn);
    struct {
        const char *name;
        MDB_dbi *dbi;
    } const all[] = {{"files", &c->files}, {"states", &c->states}, {"sums", &c->retained},
                     {"notes", &c->notes}, {"dumps", &c->derived}, {"shards", &c->shards},
                     {"bases", &c->bases}};
    for (size_t i = 0; rc == 0 && i < sizeof(all) / sizeof(all[0]); i++)
        rc = mdb_dbi_open(c->txn, all[i].name, MDB_CREATE, all[i].dbi);
    return rc ? end(c, rc) : 0;
}

/* What a transaction has written is memory of the process, and so are the pages that were read: some
 * hundred bytes for a row. */
#define REST_UNSAVED 32768
#define REST_TOUCHED 65536

bool catalog_needs_rest(const struct catalog *c)
{
    return c->unsaved >= REST_UNSAVED || c->touched >= REST_TOUCHED;
}

int catalog_rest(struct catalog *c)
{
    const int rc = end(c, 0);
    return rc ? rc : env_begin(c, c->open_path, c->open_flags);
}

static int env_in_file(struct catalog *c, catalog_work_fn *work, void *arg)
{
    int rc;
    do
        rc = flock(c->lock_fd, LOCK_EX) < 0 ? errno : 0;
    while (rc == EINTR);
    if (rc)
        return rc;
    rc = env_begin(c, c->path, 0);
    if (rc == 0)
        rc = end(c, work(c, arg));
    flock(c->lock_fd, LOCK_UN);
    return rc;
}

static int in_memory(struct catalog *c, catalog_work_fn *work, void *arg)
{
    char path[64];
    if (c->memory_fd < 0)
        c->memory_fd = memfd_create("influxfs-catalog", MFD_CLOEXEC);
    if (c->memory_fd < 0)
        return errno;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", c->memory_fd);
    int rc = env_begin(c, path, MDB_NOSYNC);
    return rc ? rc : end(c, work(c, arg));
}

int catalog_look(struct catalog *c, catalog_work_fn *work, void *arg)
{
    int rc = c->path ? env_in_file(c, work, arg) : 0;
    if (c->path && rc == 0) {
        if (c->trouble.text[0])
            log_info("catalogue %s: can be written again", c->path);
        c->trouble.text[0] = 0;
        return 0;
    }
    bool fresh = rc && !c->trouble.text[0];
    if (rc)
        err_set(&c->trouble, 0,
                "catalogue %s: %s; until this is mended, checksums are computed again and now.tar "
                "gets another id after each mount",
                c->path, mdb_strerror(rc));
    if (fresh)
        log_warning("%s", c->trouble.text);
    return in_memory(c, work, arg);
}

struct work {
    catalog_work_fn *work;
    void *arg;
};

static int work_after_waiting(struct catalog *c, void *arg)
{
    const struct work *w = arg;
    int rc = c->nwaiting ? c->write_waiting(c) : 0;
    return rc ? rc : w->work(c, w->arg);
}

int catalog_transact(struct catalog *c, catalog_work_fn *work, void *arg)
{
    int rc = catalog_look(c, work_after_waiting, &(struct work){work, arg});
    if (rc == 0)
        c->nwaiting = 0;
    return rc;
}

static int nothing(struct catalog *c, void *arg)
{
    (void)c, (void)arg;
    return 0;
}

static int env_open_file(struct catalog *c, const char *dir, struct err *note)
{
    autofree char *aside = NULL;
    if (asprintf(&c->path, "%s/" FILE_NAME, dir) < 0 || asprintf(&aside, "%s.damaged", c->path) < 0)
        return ENOMEM;
    c->lock_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->lock_fd < 0)
        return errno;
    int rc = env_in_file(c, nothing, NULL);
    if (catalog_from_lmdb(rc) != -EBADMSG)
        return rc;
    if (rename(c->path, aside) < 0)
        return errno;
    err_set(note, 0, "%s was damaged (%s): set aside as %s and begun anew", c->path,
            mdb_strerror(rc), aside);
    return env_in_file(c, nothing, NULL);
}

int catalog_open(const char *dir, struct catalog **out, struct err *note, struct err *e)
{
    struct catalog *c = calloc(1, sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->memory_fd = c->lock_fd = -1;
    pthread_mutex_init(&c->lock, NULL);
    note->text[0] = 0;
    int rc = dir ? env_open_file(c, dir, note) : 0;
    if (rc == 0 || catalog_from_lmdb(rc) == -ENOSPC)
        rc = catalog_transact(c, nothing, NULL);
    if (rc) {
        err_set(e, 0, "%s: %s", c->path ? c->path : FILE_NAME, mdb_strerror(rc));
        catalog_close(c);
        return catalog_from_lmdb(rc);
    }
    *out = c;
    return 0;
}

void catalog_close(struct catalog *c)
{
    if (!c)
        return;
    if (c->nwaiting)
        catalog_transact(c, nothing, NULL);
    free(c->waiting);
    free(c->path);
    cleanup_close(&c->memory_fd);
    cleanup_close(&c->lock_fd);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void catalog_trouble(struct catalog *c, struct err *out)
{
    lock_scope(&c->lock);
    *out = c->trouble;
}

int catalog_forget(struct catalog *c, MDB_dbi from, const void *begin, size_t len)
{
    MDB_cursor *cursor;
    MDB_val k = {len, (void *)begin}, v;
    int rc = mdb_cursor_open(c->txn, from, &cursor);
    if (rc)
        return rc;
    for (rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
         rc == 0 && k.mv_size > len && memcmp(k.mv_data, begin, len) == 0;
         rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT))
        if ((rc = mdb_cursor_del(cursor, 0)))
            break;
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int catalog_explain(int rc, struct err *e)
{
    return rc ? err_set(e, catalog_from_lmdb(rc), "catalogue: %s", mdb_strerror(rc)) : 0;
}

int catalog_run(struct catalog *c, catalog_work_fn *work, void *arg, struct err *e)
{
    lock_scope(&c->lock);
    return catalog_explain(catalog_transact(c, work, arg), e);
}
