/* SPDX-License-Identifier: MIT */
#include "store/chain/pool.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/dir.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/base/rmtree.h"
#include "store/influx/names.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#define FILES "files"
#define PIECE ((size_t)1 << 20)
#define SYNCED                                                                                     \
    64 /* that many copies are made durable one by one, more of them together at the end */
#define HOLE 4096 /* runs of zeros of this many bytes are left out of a copy */

static void place_path(const struct cut_place *p, char out[64])
{
    snprintf(out, 64, FILES "/%" PRIu64 "/%" PRIu32, p->serial, p->seq);
}

int pool_open(int cuts_fd, const struct cut_place *place, uint64_t size, struct err *e)
{
    char path[64];
    struct stat st;
    place_path(place, path);
    autoclose int fd = io_open_beneath(cuts_fd, path, O_RDONLY);
    if (fd < 0) {
        err_sys(e, fd, "the retained file cuts/%s", path);
        return fd == -EMFILE || fd == -ENFILE ? -ENFILE : -EIO;
    }
    if (fstat(fd, &st) < 0)
        return err_sys(e, -errno, "the retained file cuts/%s", path);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
        return err_set(e, -EIO,
                       "the retained file cuts/%s has %lld bytes instead of %llu: it was damaged",
                       path, (long long)st.st_size, (unsigned long long)size);
    return steal_fd(&fd);
}

int pool_open_folder(int cuts_fd, uint64_t serial)
{
    char path[64];
    snprintf(path, sizeof(path), FILES "/%" PRIu64, serial);
    return io_open_beneath(cuts_fd, path, O_RDONLY | O_DIRECTORY);
}

static int open_folder(struct pool_adding *p)
{
    char path[64];
    if (p->folder >= 0)
        return 0;
    snprintf(path, sizeof(path), FILES "/%" PRIu64, p->serial);
    if (mkdirat(p->cuts_fd, path, 0700) < 0 && errno != EEXIST)
        return -errno;
    p->folder = pool_open_folder(p->cuts_fd, p->serial);
    return p->folder < 0 ? p->folder : 0;
}

/* 1: the file was linked; 0: it must be copied. */
static int pool_try_link(struct pool_adding *p, const struct member *m, const char *name)
{
    const char *base = path_last(m->name);
    if (m->wal_cut || !m->held || !(name_is_tsm(base) || name_is_tombstone(base)))
        return 0;
    int r = held_link(m->held, p->folder, name);
    if (r == 0)
        return 1;
    /* ENOENT: influxd has just removed it. EMLINK concerns this file alone. */
    if (r == -ENOSPC || r == -EIO || r == -EDQUOT)
        return r;
    if (r != -ENOENT && r != -EMLINK && !p->said.text[0])
        err_sys(&p->said, r, "files are copied, since %s/%s cannot be linked into the state folder",
                m->dir, m->name);
    return 0;
}

static int available(int fd, uint64_t *out, uint64_t *size, struct err *e)
{
    struct statvfs v;
    if (fstatvfs(fd, &v) < 0)
        return err_sys(e, -errno, "the state folder");
    *out = (uint64_t)v.f_bavail * v.f_frsize;
    *size = (uint64_t)v.f_blocks * v.f_frsize;
    return 0;
}

int pool_room(int fd, const struct cut_rules *rules, uint64_t *reserve, uint64_t *avail,
              struct err *e)
{
    uint64_t size = 0;
    int r = available(fd, avail, &size, e);
    if (r < 0)
        return r;
    *reserve = cut_reserve(rules, size);
    return 0;
}

int pool_check_room(int fd, uint64_t reserve, uint64_t more, struct err *e)
{
    uint64_t avail = 0, size;
    int r = available(fd, &avail, &size, e);
    if (r < 0)
        return r;
    if (avail >= more && avail - more >= reserve)
        return 0;
    return err_set(e, -ENOSPC,
                   "no cut: %llu MiB are free on the state folder's disk, and %llu MiB are to stay "
                   "free (reserve=); prune, or free space",
                   (unsigned long long)(avail >> 20), (unsigned long long)(reserve >> 20));
}

static bool is_zero(const char *buf, size_t n)
{
    return n > 0 && buf[0] == 0 && memcmp(buf, buf + 1, n - 1) == 0;
}

/* Writes a piece at off, except for its zeros. */
static int pool_write_sparsely(int fd, const char *buf, size_t n, uint64_t off)
{
    for (size_t at = 0; at < n;) {
        size_t end = at;
        while (end < n && !is_zero(buf + end, n - end < HOLE ? n - end : HOLE))
            end += n - end < HOLE ? n - end : HOLE;
        int r = end > at ? io_pwrite_all(fd, buf + at, end - at, off + at) : 0;
        if (r < 0)
            return r;
        at = end;
        while (at < n && is_zero(buf + at, n - at < HOLE ? n - at : HOLE))
            at += n - at < HOLE ? n - at : HOLE;
    }
    return 0;
}

static int pool_copy_bytes(const struct capture *c, size_t i, int fd, bool sync, struct err *e)
{
    uint64_t size = capture_member(c, i)->attr.size;
    autofree char *buf = malloc(PIECE);
    if (!buf)
        return -ENOMEM;
    for (uint64_t off = 0; off < size;) {
        size_t n = size - off < PIECE ? (size_t)(size - off) : PIECE;
        int r = capture_read(c, i, buf, n, off, e);
        if (r == 0)
            r = pool_write_sparsely(fd, buf, n, off);
        if (r < 0)
            return r;
        off += n;
    }
    return ftruncate(fd, (off_t)size) < 0 || (sync && fsync(fd) < 0) ? -errno : 0;
}

static int pool_copy_file(struct pool_adding *p, const struct capture *c, size_t i,
                          const char *name, struct err *e)
{
    uint64_t size = capture_member(c, i)->attr.size;
    int r = pool_check_room(p->cuts_fd, p->reserve, size, e);
    if (r < 0)
        return r;
    autoclose int fd =
        openat(p->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    const bool sync = p->copied < SYNCED;
    p->unsynced |= !sync;
    r = pool_copy_bytes(c, i, fd, sync, e);
    int closed = io_close(&fd);
    if (r == 0)
        r = closed;
    p->copied += r == 0;
    p->copied_bytes += r == 0 ? size : 0;
    return r;
}

int pool_add(struct pool_adding *p, const struct capture *c, size_t i, struct cut_place *out,
             bool *linked, struct err *e)
{
    const struct member *m = capture_member(c, i);
    char name[16], path[MEMBER_PATH_MAX];
    snprintf(name, sizeof(name), "%" PRIu32, p->next);
    int r = open_folder(p);
    if (r == 0)
        r = pool_try_link(p, m, name);
    *linked = r == 1;
    if (r == 0)
        r = pool_copy_file(p, c, i, name, e);
    if (r < 0)
        return e && e->text[0] ? r : err_sys(e, r, "retaining %s", member_path(m, path));
    *out = (struct cut_place){p->serial, p->next++};
    return 0;
}

int pool_take_back(struct pool_adding *p, uint32_t first, uint32_t n, struct err *e)
{
    for (uint32_t i = first; i - first < n; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%" PRIu32, i);
        if (unlinkat(p->folder, name, 0) < 0)
            return err_sys(e, -errno, "cuts/" FILES "/%" PRIu64 "/%s", p->serial, name);
    }
    return 0;
}

int pool_finish(struct pool_adding *p, struct err *e)
{
    if (p->folder < 0)
        return 0;
    autoclose int files = io_open_beneath(p->cuts_fd, FILES, O_RDONLY | O_DIRECTORY);
    int r = files < 0 ? files : p->unsynced && syncfs(p->folder) < 0 ? -errno : 0;
    if (r == 0)
        r = io_sync_dir(p->folder);
    if (r == 0)
        r = io_sync_dir(files);
    cleanup_close(&p->folder);
    p->folder = -1;
    return r < 0 ? err_sys(e, r, "cuts/" FILES) : 0;
}

/* Removing the retained files of some cuts that are not needed any more. */
struct sweep {
    uint64_t first, last;
    bool (*keep)(void *ctx, uint64_t serial, uint32_t seq); /* NULL: none */
    void *ctx;
    uint64_t serial; /* of the current cut */
    struct rmtree_sum sum;
};

static bool is_waste(const void *ctx, const char *path, const struct statx *st)
{
    const struct sweep *s = ctx;
    uint64_t seq;
    if (!*path)
        return S_ISDIR(st->stx_mode);
    return S_ISREG(st->stx_mode) && cut_parse_uint(path, 10, UINT32_MAX, &seq) &&
           !(s->keep && s->keep(s->ctx, s->serial, (uint32_t)seq));
}

/* Calls for each folder of files, in no order. */
static int pool_each_cut(int cuts_fd,
                         int (*call)(void *ctx, int files, const char *name, uint64_t serial,
                                     struct err *e),
                         void *ctx, struct err *e)
{
    autoclose int files = io_open_beneath(cuts_fd, FILES, O_RDONLY | O_DIRECTORY);
    if (files == -ENOENT)
        return 0;
    cleanup(dir_free) struct dir list = {0};
    int r = files < 0 ? files : dir_read(files, &list);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        uint64_t serial;
        struct err why = {0};
        if (cut_parse_uint(list.names[i], 10, INT64_MAX, &serial))
            r = call(ctx, files, list.names[i], serial, &why);
        if (r < 0)
            return why.text[0] ? err_set(e, r, "%s", why.text)
                               : err_sys(e, r, "cuts/" FILES "/%s", list.names[i]);
    }
    return r < 0 ? err_sys(e, r, "cuts/" FILES) : 0;
}

static int pool_sweep_one(void *ctx, int files, const char *name, uint64_t serial, struct err *e)
{
    struct sweep *s = ctx;
    struct rmtree_sum sum;
    if (serial < s->first || serial > s->last)
        return 0;
    s->serial = serial;
    int r = rmtree(files, name, &(struct rmtree_of){is_waste, s}, &sum, e);
    s->sum.files += sum.files;
    s->sum.freed += sum.freed;
    return r < 0 ? r : 0;
}

int pool_sweep(int cuts_fd, uint64_t last, bool (*keep)(void *ctx, uint64_t serial, uint32_t seq),
               void *ctx, uint64_t *removed, uint64_t *freed, struct err *e)
{
    struct sweep s = {.last = last, .keep = keep, .ctx = ctx};
    int r = pool_each_cut(cuts_fd, pool_sweep_one, &s, e);
    *removed = s.sum.files;
    *freed = s.sum.freed;
    return r;
}

int pool_remove_from(int cuts_fd, uint64_t first, struct err *e)
{
    return pool_each_cut(cuts_fd, pool_sweep_one,
                         &(struct sweep){.first = first, .last = UINT64_MAX}, e);
}

/* A retained file with other names, which may be retained ones too: a file that came back by a
 * rollback, or that two cuts had with another in between, is retained twice. */
struct twin {
    uint64_t ino, bytes, links; /* bytes on disk */
};

struct usage {
    uint64_t files, bytes, only_ours;
    struct twin *twins;
    size_t ntwins;
};

static int pool_count_file(struct usage *u, const struct stat *st)
{
    const uint64_t bytes = (uint64_t)st->st_blocks * 512;
    u->files++;
    u->bytes += (uint64_t)st->st_size;
    if (st->st_nlink == 1) {
        u->only_ours += bytes;
        return 0;
    }
    if (!array_grow(&u->twins, u->ntwins))
        return -ENOMEM;
    u->twins[u->ntwins++] = (struct twin){st->st_ino, bytes, st->st_nlink};
    return 0;
}

static int pool_count_one(void *ctx, int files, const char *name, uint64_t serial, struct err *e)
{
    struct usage *u = ctx;
    (void)serial;
    (void)e;
    autoclose int fd = io_open_beneath(files, name, O_RDONLY | O_DIRECTORY);
    cleanup(dir_free) struct dir list = {0};
    if (fd == -ENOENT)
        return 0; /* folded meanwhile */
    int r = fd < 0 ? fd : dir_read(fd, &list);
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        struct stat st;
        if (fstatat(fd, list.names[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
            r = pool_count_file(u, &st);
    }
    return r;
}

static int by_inode(const void *a, const void *b)
{
    const struct twin *x = a, *y = b;
    return (x->ino > y->ino) - (x->ino < y->ino);
}

/* Files all of whose names are retained ones are only ours too. */
static void pool_count_twins(struct usage *u)
{
    if (u->ntwins)
        qsort(u->twins, u->ntwins, sizeof(*u->twins), by_inode);
    for (size_t i = 0, n; i < u->ntwins; i += n) {
        for (n = 1; i + n < u->ntwins && u->twins[i + n].ino == u->twins[i].ino;)
            n++;
        u->only_ours += n == u->twins[i].links ? u->twins[i].bytes : 0;
    }
}

int pool_usage(int cuts_fd, uint64_t *files, uint64_t *bytes, uint64_t *only_ours, struct err *e)
{
    struct usage u = {0};
    int r = pool_each_cut(cuts_fd, pool_count_one, &u, e);
    pool_count_twins(&u);
    free(u.twins);
    *files = u.files;
    *bytes = u.bytes;
    *only_ours = u.only_ours;
    return r;
}
