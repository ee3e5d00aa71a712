/* SPDX-License-Identifier: MIT */
/* An open file of a set that is made. */
#include "store/base/cleanup.h"
#include "store/base/lock.h"
#include "store/sets/madeset_internal.h"
#include "store/sets/storedgzip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define PIECE ((size_t)1 << 20)

struct setfile {
    struct madeset *set;
    struct madeset_file *file;
    struct shardtar *tar; /* of a shard */
    char *inner;          /* the name of the tar in a gzip header */
    bool crc_known;       /* when it was opened */
    pthread_mutex_t lock; /* guards what follows */
    uint64_t front;       /* the reader has had all before, */
    uint32_t crc;         /* whose CRC this is */
};

/* A reader at work. */
struct setfile_reading {
    struct setfile *file;
    const struct tarball_reader *reader;
};

/* What was promised was remembered; the tar must be as long. */
static int setfile_open_tar(struct setfile *f, const struct tarball_reader *reader, struct err *e)
{
    int r = madeset_tar_size(f->set, f->file, reader, e);
    if (r == 0)
        r = shardtar_open(&f->file->of, reader, &f->tar, e);
    if (r == 0 && shardtar_size(f->tar) != f->file->size)
        r = err_set(e, -EIO, "%s: it has another size than before", f->file->name);
    uint32_t crc;
    if (r == 0 && f->set->query.format == MADESET_PORTABLE)
        madeset_recall_crc(f->set, f->file);
    f->crc_known = r == 0 && madeset_knows_crc(f->set, f->file, &crc);
    return r;
}

int madeset_open(struct madeset *s, size_t i, const struct tarball_reader *reader,
                 struct setfile **out, struct err *e)
{
    cleanup(setfile_closep) struct setfile *f = calloc(1, sizeof(*f));
    if (!f)
        return err_sys(e, -ENOMEM, "%s", s->files[i].name);
    pthread_mutex_init(&f->lock, NULL);
    f->set = s;
    f->file = &s->files[i];
    f->inner = strndup(f->file->name, strlen(f->file->name) - strlen(".gz"));
    int r = f->inner ? 0 : err_sys(e, -ENOMEM, "%s", f->file->name);
    if (r == 0 && f->file->kind == MADESET_SHARD)
        r = setfile_open_tar(f, reader, e);
    else if (r == 0 && f->file->kind == MADESET_MANIFEST)
        r = madeset_make_manifest(s, f->file, reader, e);
    if (r == 0)
        *out = steal_ptr(&f);
    return r;
}

void setfile_close(struct setfile *f)
{
    if (!f)
        return;
    shardtar_close(f->tar);
    pthread_mutex_destroy(&f->lock);
    free(f->inner);
    free(f);
}

/* Reads from the tar, and goes on with the CRC where reading in order had stopped. */
static int setfile_read_tar(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    struct setfile *f = ((const struct setfile_reading *)ctx)->file;
    int r = shardtar_read(f->tar, buf, n, off, e);
    if (r < 0 || f->crc_known)
        return r;
    lock_scope(&f->lock);
    if (off > f->front || off + n <= f->front)
        return 0;
    size_t known = (size_t)(f->front - off);
    f->crc = (uint32_t)crc32_z(f->crc, (const Bytef *)buf + known, n - known);
    f->front = off + n;
    return 0;
}

/* Reads what no reader has had yet. */
static int setfile_complete(const struct setfile_reading *g, uint32_t *crc, struct err *e)
{
    struct setfile *f = g->file;
    autofree char *buf = malloc(PIECE);
    uint64_t size = shardtar_size(f->tar), at;
    if (!buf)
        return err_sys(e, -ENOMEM, "%s", f->file->name);
    for (;;) {
        pthread_mutex_lock(&f->lock);
        at = f->front;
        *crc = f->crc;
        pthread_mutex_unlock(&f->lock);
        if (at == size)
            return 0;
        if (reader_interrupted(g->reader))
            return err_set(e, -EINTR, "interrupted");
        size_t n = size - at < PIECE ? (size_t)(size - at) : PIECE;
        int r = setfile_read_tar((void *)g, buf, n, at, e);
        if (r < 0)
            return r;
    }
}

static int setfile_crc(void *ctx, uint32_t *crc, struct err *e)
{
    const struct setfile_reading *g = ctx;
    struct setfile *f = g->file;
    if (madeset_knows_crc(f->set, f->file, crc))
        return 0;
    int r = setfile_complete(g, crc, e);
    if (r == 0)
        madeset_know_crc(f->set, f->file, *crc);
    return r;
}

ssize_t setfile_read(struct setfile *f, void *buf, size_t n, uint64_t off,
                     const struct tarball_reader *reader, struct err *e)
{
    struct setfile_reading g = {f, reader};
    const uint64_t size = madeset_file_size(f->set, f->file);
    int r = 0;
    if (off >= size)
        return 0;
    if (n > size - off)
        n = (size_t)(size - off);
    if (!f->tar)
        memcpy(buf, f->file->text.p + off, n);
    else if (f->set->query.format == MADESET_LEGACY)
        r = shardtar_read(f->tar, buf, n, off, e);
    else
        r = storedgzip_read(&(struct storedgzip){.name = f->inner,
                                                 .size = shardtar_size(f->tar),
                                                 .read = setfile_read_tar,
                                                 .crc = setfile_crc,
                                                 .ctx = &g},
                            buf, n, off, e);
    return r < 0 ? r : (ssize_t)n;
}
