/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/tarlook.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/influx/meta.h"
#include "store/influx/names.h"
#include "store/influx/tsmfile.h"
#include "store/influxsnap/snap.h"
#include "store/restore/tar_frame.h"
#include "store/restore/unpack.h"
#include "store/snapshot/tarhead.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define BLOCK (1u << 20)
#define HEAD (64u << 10) /* where only the beginning is wanted */
#define META "meta/" NAME_META_DB

struct look {
    const char *path;
    int fd;
    const struct tar_stream *from; /* NULL: fd */
    struct err why;                /* it failed */
    size_t piece;                  /* how much is read at once */
    char *buf;
    struct meter *meter; /* NULL: none */
    /* Where to store meta.db, once: */
    char **meta;
    size_t *len;
    bool taking; /* the file at hand is it */
    bool done;   /* what was wanted has been found */
    /* Of every file: */
    bool at_start; /* nothing has been pulled */
    bool plain;    /* what is read is the tar itself, in fd */
    int spool;     /* the member, where the tar is compressed; -1: not open yet */
    bool tsm;
    uint64_t at, size;
    char name[PATH_MAX];
    struct tar_counts counts;
};

static ssize_t tarlook_pull(void *arg, int if_ended, const void **block)
{
    struct look *l = arg;
    (void)if_ended;
    if (snap_stopped(NULL))
        return -EINTR;
    ssize_t n =
        l->from ? l->from->pull(l->from->arg, block, &l->why) : read(l->fd, l->buf, l->piece);
    if (n < 0)
        return l->from ? n : -errno;
    if (!l->from)
        *block = l->buf;
    else if (l->at_start)
        l->plain = l->fd >= 0 && n >= TAR_BLOCK && tar_frame_header_ok(*block);
    l->at_start = false;
    if (l->meter)
        meter_add(l->meter, (uint64_t)n);
    return n;
}

static int stop(void *arg)
{
    return snap_stopped(arg) ? -EINTR : 0;
}

static void pass_member(void *arg, const char *name, uint64_t size)
{
    struct look *l = arg;
    if (l->meter)
        meter_file(l->meter, name, size);
}

static void pass_progress(void *arg, uint64_t n)
{
    (void)arg, (void)n;
}

int tar_open(const char **path)
{
    if (strcmp(*path, "-") != 0)
        return open(*path, O_RDONLY | O_CLOEXEC);
    /* A socket, which stdin may be, cannot be opened by name. */
    *path = "standard input";
    return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
}

static int tarlook_open_look(struct look *l, struct err *e)
{
    if (l->from)
        return 0;
    l->fd = tar_open(&l->path);
    if (l->fd < 0)
        return err_sys(e, -errno, "%s", l->path);
    l->buf = malloc(l->piece);
    return l->buf ? 0 : err_sys(e, -ENOMEM, "%s", l->path);
}

static void close_look(struct look *l)
{
    cleanup_close(&l->fd);
    cleanup_close(&l->spool);
    free(l->buf);
}

static int tarlook_run(struct look *l, const struct unpack_sink *sink, struct manifest **m,
                       struct err *e)
{
    struct err why = {0};
    const struct unpack_io io = {.input = {tarlook_pull, stop, l},
                                 .member = pass_member,
                                 .progress = pass_progress,
                                 .arg = l};
    int r = tarlook_open_look(l, e);
    if (r < 0)
        return r;
    r = unpack_run(&io, sink, m, &why);
    if (r < 0 && l->done)
        return 0;
    if (r < 0 && l->why.text[0])
        return err_set(e, r, "%s", l->why.text);
    return r < 0 ? err_set(e, r, "%s: %s", l->path, why.text) : 0;
}

/* The beginning */

static int stop_at_manifest(void *arg, const struct manifest *m, struct err *e)
{
    struct look *l = arg;
    (void)m, (void)e;
    l->done = !l->meta;
    return l->done ? -ECANCELED : 0;
}

static int tarlook_manifest(struct look *l, struct manifest **out, struct err *e)
{
    const struct unpack_sink sink = {.begin = stop_at_manifest, .arg = l};
    cleanup(manifest_freep) struct manifest *m = NULL;
    int r = tarlook_run(l, &sink, &m, e);
    if (r == 0)
        *out = steal_ptr(&m);
    return r;
}

int tar_manifest(const char *path, struct manifest **out, struct err *e)
{
    cleanup(close_look) struct look l = {.path = path, .fd = -1, .spool = -1, .piece = HEAD};
    return tarlook_manifest(&l, out, e);
}

int tar_manifest_stream(const struct tar_stream *in, struct manifest **out, struct err *e)
{
    cleanup(close_look) struct look l = {.path = in->name, .fd = -1, .from = in, .spool = -1};
    return tarlook_manifest(&l, out, e);
}

/* It is the first file, unless the tar was repacked. */
static int tarlook_open_one(void *arg, const char *name, uint64_t size, uint64_t at, struct err *e)
{
    struct look *l = arg;
    (void)at;
    l->taking = strcmp(name, META) == 0;
    if (!l->taking)
        return 0;
    if (size > META_DB_MAX)
        return err_set(e, -EBADMSG, "damaged: %s is too large", META);
    *l->meta = malloc((size_t)size + 1);
    *l->len = 0;
    return *l->meta ? 0 : -ENOMEM;
}

static int keep(void *arg, const void *buf, size_t n, struct err *e)
{
    struct look *l = arg;
    (void)e;
    if (l->taking) {
        memcpy(*l->meta + *l->len, buf, n); /* the unpacker keeps to the size */
        *l->len += n;
    }
    return 0;
}

static int stop_at_end(void *arg, struct err *e)
{
    struct look *l = arg;
    (void)e;
    l->done = l->taking;
    return l->done ? -ECANCELED : 0;
}

int tar_meta(const char *path, char **buf, size_t *len, struct err *e)
{
    autofree char *meta = NULL;
    cleanup(close_look) struct look l = {
        .path = path, .fd = -1, .spool = -1, .piece = HEAD, .meta = &meta, .len = len};
    const struct unpack_sink sink = {stop_at_manifest, tarlook_open_one, keep, stop_at_end, &l};
    int r = tarlook_run(&l, &sink, NULL, e);
    if (r == 0)
        *buf = steal_ptr(&meta);
    return r;
}

/* The headers */

static void free_archive(struct archive **a)
{
    archive_read_free(*a);
}

static int tarlook_add_name(const char *name, char ***names, size_t *n)
{
    if (!name)
        return -EBADMSG;
    size_t len = strlen(name);
    if (!array_grow(names, *n))
        return -ENOMEM;
    char *copy = strndup(name, len && name[len - 1] == '/' ? len - 1 : len);
    if (!copy)
        return -ENOMEM;
    (*names)[(*n)++] = copy;
    return manifest_name_ok(copy, true) ? 0 : -EBADMSG;
}

int tar_folders(const char *path, char ***names, size_t *n, struct err *e)
{
    cleanup(free_archive) struct archive *a = archive_read_new();
    struct archive_entry *entry;
    int got = ARCHIVE_OK, r = 0;
    if (!a)
        return err_sys(e, -ENOMEM, "%s", path);
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_filter_xz(a);
    archive_read_support_filter_lz4(a);
    archive_read_support_format_tar(a);
    *names = NULL;
    *n = 0;
    if (archive_read_open_filename(a, path, TAR_BLOCK) != ARCHIVE_OK)
        return err_set(e, -EIO, "%s: %s", path, archive_error_string(a));
    while (r == 0 && (got = archive_read_next_header(a, &entry)) == ARCHIVE_OK)
        if (archive_entry_filetype(entry) == AE_IFDIR)
            r = tarlook_add_name(archive_entry_pathname(entry), names, n);
    if (r == 0 && got == ARCHIVE_EOF)
        return 0;
    for (size_t i = 0; i < *n; i++)
        free((*names)[i]);
    free(*names);
    return r < 0 ? err_sys(e, r, "%s", path)
                 : err_set(e, -EBADMSG, "%s: damaged: %s", path, archive_error_string(a));
}

/* Everything */

static int begin_all(void *arg, const struct manifest *m, struct err *e)
{
    struct look *l = arg;
    if (m->kind != MANIFEST_INCREMENTAL && !manifest_find(m, META))
        return err_set(e, -EBADMSG, "damaged: it is a %s snapshot without %s",
                       manifest_kind_name(m->kind), META);
    l->counts.files = m->nfiles;
    l->counts.bytes = m->bytes;
    return 0;
}

/* What goes wrong here is not the tar's fault. */
static int open_spool(struct look *l)
{
    const char *folder = io_temporary_folder();
    if (l->spool < 0)
        l->spool = io_open_temporary();
    if (l->spool < 0)
        return err_sys(&l->why, l->spool, "a temporary file in %s (TMPDIR)", folder);
    if (ftruncate(l->spool, 0) < 0 || lseek(l->spool, 0, SEEK_SET) < 0)
        return err_sys(&l->why, -errno, "a temporary file in %s (TMPDIR)", folder);
    return 0;
}

static int open_any(void *arg, const char *name, uint64_t size, uint64_t at, struct err *e)
{
    struct look *l = arg;
    l->tsm = strncmp(name, "data/", 5) == 0 && name_is_tsm(path_last(name));
    l->at = at;
    l->size = size;
    strcpy(l->name, name); /* shorter than PATH_MAX: manifest_name_ok */
    return l->tsm ? (l->plain ? 0 : open_spool(l)) : tarlook_open_one(l, name, size, at, e);
}

static int write_any(void *arg, const void *buf, size_t n, struct err *e)
{
    struct look *l = arg;
    if (!l->tsm)
        return keep(l, buf, n, e);
    if (l->plain)
        return 0;
    int r = io_write_all(l->spool, buf, n);
    return r < 0 ? err_sys(&l->why, r, "a temporary file for %s (TMPDIR)", l->name) : 0;
}

static int tarlook_close_any(void *arg, struct err *e)
{
    struct look *l = arg;
    if (!l->tsm)
        return 0;
    struct err why = {0};
    l->counts.tsm++;
    int r = l->plain ? tsm_check(l->fd, l->at, l->size, l->name, &why)
                     : tsm_check(l->spool, 0, l->size, l->name, &why);
    if (r != -EBADMSG || !l->from || !l->from->damaged)
        return r < 0 ? err_set(e, r, "%s", why.text) : 0;
    l->from->damaged(l->from->arg, l->name, why.text);
    return 0;
}

/* Whether the file is a plain tar, whose members can be read by position. */
static bool is_plain(int fd)
{
    unsigned char head[TAR_BLOCK];
    return pread(fd, head, sizeof(head), 0) == TAR_BLOCK && tar_frame_header_ok(head);
}

static int tarlook_verify(struct look *l, struct advise *advise, struct tar_counts *out,
                          struct manifest **m, struct err *e)
{
    autofree char *meta = NULL;
    size_t len = 0;
    const struct unpack_sink sink = {begin_all, open_any, write_any, tarlook_close_any, l};
    cleanup(manifest_freep) struct manifest *read = NULL;
    l->meta = &meta;
    l->len = &len;
    int r = tarlook_run(l, &sink, &read, e);
    l->meta = NULL;
    l->len = NULL;
    if (r < 0)
        return r;
    *out = l->counts;
    advise_next(advise, steal_ptr(&meta), len, read);
    *m = steal_ptr(&read);
    return 0;
}

int tar_verify(const char *path, struct meter *meter, struct advise *advise, struct tar_counts *out,
               struct err *e)
{
    cleanup(manifest_freep) struct manifest *m = NULL;
    cleanup(close_look) struct look l = {
        .path = path, .fd = -1, .spool = -1, .piece = BLOCK, .meter = meter};
    autoclose int fd = strcmp(path, "-") == 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    l.plain = fd >= 0 && is_plain(fd);
    return tarlook_verify(&l, advise, out, &m, e);
}

int tar_verify_stream(const struct tar_stream *in, struct meter *meter, struct advise *advise,
                      struct tar_counts *out, struct manifest **m, struct err *e)
{
    cleanup(close_look) struct look l = {.path = in->name,
                                         .fd = in->fd < 0 ? -1 : fcntl(in->fd, F_DUPFD_CLOEXEC, 0),
                                         .from = in,
                                         .at_start = true,
                                         .spool = -1,
                                         .meter = meter};
    return tarlook_verify(&l, advise, out, m, e);
}
