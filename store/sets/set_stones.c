/* SPDX-License-Identifier: MIT */
#include "store/sets/set_stones.h"

#include "store/base/array.h"
#include "store/base/buffer.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/influx/names.h"
#include "store/influx/tombstone.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#define PIECE (64u << 10) /* bytes that are written at once */

/* The versions of the format: records as they are, and in a gzip stream (store/influx/tombstone.h).
 * influxd reads the versions up to its own. Those that know version 3 or 4 misread version 2
 * (tsdb/engine/tsm1/tombstone.go, readTombstoneV2: a key is overwritten by its times). */
enum version { VERSION_2 = 0x1502, VERSION_3, VERSION_4 };

int set_stones_add(struct set *s, const void *buf, size_t n, struct err *e)
{
    if (s->stones < 0)
        s->stones = io_open_temporary();
    int r = s->stones < 0 ? s->stones : io_pwrite_all(s->stones, buf, n, s->nstones);
    if (r == 0)
        s->nstones += n;
    return r < 0 ? err_sys(e, r, "a temporary file in %s (TMPDIR)", io_temporary_folder()) : 0;
}

/* A part of the temporary file. */
struct stone {
    int fd;
    uint64_t at, size;
    size_t archive;   /* that it came in */
    const char *name; /* of the file in the snapshot */
};

static int stone_read(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    const struct stone *t = ctx;
    int r = io_pread_all(t->fd, buf, n, t->at + off);
    return r < 0 ? err_sys(e, r, "%s", t->name) : 0;
}

static int stone_each(const struct stone *t, tombstone_fn *fn, void *arg, struct err *e)
{
    const struct source from = {stone_read, (void *)t, t->size, t->name};
    return tombstone_read(&from, *fn, arg, e);
}

static int is_whole(void *ctx, const char *key, size_t len, int64_t min, int64_t max)
{
    (void)ctx, (void)key, (void)len, (void)min, (void)max;
    return 0;
}

int set_stones_check(struct set *s, uint64_t size, const char *name, struct err *e)
{
    const struct stone t = {.fd = s->stones, .at = s->nstones - size, .size = size, .name = name};
    tombstone_fn whole = is_whole;
    return size ? stone_each(&t, &whole, NULL, e) : 0;
}

/* One tombstone of several */

struct stones_writer {
    struct set *s;
    struct buffer out;
    z_stream *z; /* NULL: not compressed */
    struct err *e;
};

/* Z_FINISH: what is left in z, too. */
static int stones_compress(struct stones_writer *w, int flush)
{
    unsigned char packed[4096];
    int r = 0;
    w->z->next_in = (unsigned char *)w->out.p;
    w->z->avail_in = (unsigned)w->out.n;
    do {
        w->z->next_out = packed;
        w->z->avail_out = sizeof(packed);
        deflate(w->z, flush); /* cannot fail: there is room, and its state is sound */
        r = set_stones_add(w->s, packed, sizeof(packed) - w->z->avail_out, w->e);
    } while (r == 0 && w->z->avail_out == 0);
    return r;
}

static int stones_flush(struct stones_writer *w, int flush)
{
    if (w->out.failed)
        return err_sys(w->e, -ENOMEM, "tombstone");
    int r = w->z       ? stones_compress(w, flush)
            : w->out.n ? set_stones_add(w->s, w->out.p, w->out.n, w->e)
                       : 0;
    w->out.n = 0;
    return r;
}

static int stones_put(void *ctx, const char *key, size_t len, int64_t min, int64_t max)
{
    struct stones_writer *w = ctx;
    const uint32_t n = htobe32((uint32_t)len);
    const uint64_t times[] = {htobe64((uint64_t)min), htobe64((uint64_t)max)};
    buffer_add(&w->out, &n, sizeof(n));
    buffer_add(&w->out, key, len);
    buffer_add(&w->out, times, sizeof(times));
    return w->out.failed || w->out.n >= PIECE ? stones_flush(w, Z_NO_FLUSH) : 0;
}

/* The newest version among them. */
static int stones_version(const struct stone *const *list, size_t n, uint32_t *version,
                          struct err *e)
{
    *version = VERSION_2;
    for (size_t i = 0; i < n; i++) {
        uint32_t magic = 0;
        int r = list[i]->size < sizeof(magic)
                    ? 0
                    : stone_read((void *)list[i], &magic, sizeof(magic), 0, e);
        if (r < 0)
            return r;
        magic = be32toh(magic);
        if (magic == VERSION_3 || magic == VERSION_4)
            *version = magic > *version ? magic : *version;
    }
    return 0;
}

static int stones_write(struct stones_writer *w, const struct stone *const *list, size_t n,
                        uint32_t version)
{
    const uint32_t magic = htobe32(version);
    tombstone_fn put = stones_put;
    int r = set_stones_add(w->s, &magic, sizeof(magic), w->e);
    buffer_add(&w->out, "", 0);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = list[i]->size ? stone_each(list[i], &put, w, w->e) : 0;
    return r == 0 ? stones_flush(w, Z_FINISH) : r;
}

/* Writes the ranges of the n tombstones as a new one, whose place is *out. */
static int stones_join(struct set *s, const struct stone *const *list, size_t n, struct stone *out,
                       struct err *e)
{
    enum { GZIP = 16 + MAX_WBITS, MEMORY = 8 };
    z_stream z = {0};
    struct stones_writer w = {.s = s, .e = e};
    uint32_t version;
    int r = stones_version(list, n, &version, e);
    if (r < 0)
        return r;
    if (version > VERSION_2) {
        if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP, MEMORY, Z_DEFAULT_STRATEGY) !=
            Z_OK)
            return err_sys(e, -ENOMEM, "tombstone");
        w.z = &z;
    }
    out->at = s->nstones;
    r = stones_write(&w, list, n, version);
    out->size = s->nstones - out->at;
    buffer_free(&w.out);
    if (w.z)
        deflateEnd(&z);
    return r;
}

/* Whose they are */

/* The files of one name but for its ending, in the order of the list: a tombstone, if there is one,
 * and the TSM files. */
struct family {
    size_t first, end;
    size_t archive; /* the oldest that has a TSM file of it */
};

static bool family_same(const struct set_file *a, const struct set_file *b)
{
    return strcspn(path_last(a->name), ".") == strcspn(path_last(b->name), ".") &&
           strncmp(a->name, b->name, (size_t)(strrchr(a->name, '.') - a->name)) == 0;
}

/* The family that ends before `end`. */
static struct family stones_family(const struct set *s, size_t first, size_t end)
{
    struct family f = {.first = end - 1, .end = end, .archive = SIZE_MAX};
    while (f.first > first && family_same(&s->files[f.first - 1], &s->files[end - 1]))
        f.first--;
    for (size_t i = f.first; i < end; i++)
        if (name_is_tsm(path_last(s->files[i].name)) && s->files[i].archive < f.archive)
            f.archive = s->files[i].archive;
    return f;
}

/* What is gathered from the last family of a shard to the first. */
struct spreading {
    struct set *s;
    struct stone *later; /* tombstones of the families after the one at hand */
    size_t nlater;
    struct err *e;
};

static int stones_remember(struct spreading *p, const struct set_file *f)
{
    if (!array_grow(&p->later, p->nlater))
        return -ENOMEM;
    p->later[p->nlater++] = (struct stone){.fd = p->s->stones,
                                           .at = f->at,
                                           .size = f->size,
                                           .archive = f->archive,
                                           .name = p->s->archives[f->archive].name};
    return 0;
}

/* Adds a tombstone for the family's TSM files, which have none. */
static int stones_make(struct set *s, const struct family *f, const struct stone *t)
{
    char path[PATH_MAX + NAME_MAX];
    const struct set_file *tsm = &s->files[f->first];
    const int n = (int)(strrchr(tsm->name, '.') - tsm->name);
    snprintf(path, sizeof(path), "%.*s" NAME_TOMBSTONE_SUFFIX, n, tsm->name);
    struct set_file file = *tsm;
    file.name = strdup(path);
    file.at = t->at;
    file.size = t->size;
    if (!file.name || !array_grow(&s->files, s->nfiles)) {
        free(file.name);
        return -ENOMEM;
    }
    s->files[s->nfiles++] = file;
    return 0;
}

static int stones_of_family(struct spreading *p, const struct family *f)
{
    struct set *s = p->s;
    struct set_file *own =
        name_is_tombstone(path_last(s->files[f->first].name)) ? &s->files[f->first] : NULL;
    autofree const struct stone **list = calloc(p->nlater + 1, sizeof(*list));
    const size_t before = p->nlater;
    size_t n = 0;
    int r = !list ? -ENOMEM : own ? stones_remember(p, own) : 0;
    for (size_t i = 0; r == 0 && i < before; i++)
        if (p->later[i].archive > f->archive)
            list[n++] = &p->later[i];
    if (r < 0 || n == 0)
        return r < 0 ? err_sys(p->e, r, "tombstone") : 0;
    if (own)
        list[n++] = &p->later[before];
    struct stone joined = {0};
    if ((r = stones_join(s, list, n, &joined, p->e)) < 0)
        return r;
    s->spread++;
    if (!own)
        return stones_make(s, f, &joined) < 0 ? err_sys(p->e, -ENOMEM, "tombstone") : 0;
    own->at = joined.at;
    own->size = joined.size;
    return 0;
}

int set_stones_spread(struct set *s, size_t first, struct err *e)
{
    struct spreading p = {.s = s, .e = e};
    int r = 0;
    for (size_t end = s->nfiles; r == 0 && end > first;) {
        const struct family f = stones_family(s, first, end);
        r = stones_of_family(&p, &f);
        end = f.first;
    }
    free(p.later);
    return r;
}
