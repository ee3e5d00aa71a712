/* SPDX-License-Identifier: MIT */
#include "store/chain/cut_verify.h"

#include "store/base/arena.h"
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/chain/cuts_internal.h"
#include "store/chain/lease.h"
#include "store/chain/pool.h"
#include "store/influx/names.h"
#include "store/influx/tsmfile.h"

#include <errno.h>
#include <string.h>

#define PIECE ((size_t)1 << 20)
#define TRIES 20     /* a fold may come in between */
#define AT_ONCE 1024 /* files whose sums are asked for together */

/* A damaged file of the state at hand. */
struct bad {
    char *path;
    struct cut_place place;
};

struct verifying {
    struct cuts *cuts;
    int fd; /* the folder cuts/ */
    const struct cut_verifier *how;
    char *buf;
    struct sha256 *hash;
    struct bad *bad;
    size_t nbad;
    struct cut_entry *entries; /* of the cut at hand, to be checked together */
    size_t n;
    struct arena paths; /* of theirs */
};

static void verify_end(struct verifying *v)
{
    free(v->entries);
    arena_free(&v->paths);
    for (size_t i = 0; i < v->nbad; i++)
        free(v->bad[i].path);
    free(v->bad);
    free(v->buf);
    sha256_free(v->hash);
    cleanup_close(&v->fd);
}

/* The bytes of one file, of which *sum is the checksum. */
static int verify_read(struct verifying *v, int fd, const struct cut_entry *f,
                       uint8_t sum[SHA256_BYTES], struct err *e)
{
    sha256_reset(v->hash);
    for (uint64_t off = 0; off < f->attr.size;) {
        size_t n = f->attr.size - off < PIECE ? (size_t)(f->attr.size - off) : PIECE;
        if (reader_interrupted(v->how->reader))
            return err_set(e, -EINTR, "interrupted");
        int r = io_pread_all(fd, v->buf, n, off);
        if (r < 0)
            return err_sys(e, r, "%s", f->path);
        sha256_add(v->hash, v->buf, n);
        v->how->progress(v->how->arg, n);
        off += n;
    }
    sha256_end(v->hash, sum);
    return 0;
}

/* -EBADMSG, -EIO or -ENODATA: it is damaged. *known, if it has a sum, is compared; else it gets
 * one. */
static int verify_file(struct verifying *v, const struct cut_entry *f,
                       struct catalog_retained *known, struct err *e)
{
    uint8_t sum[SHA256_BYTES];
    struct err why = {0};
    autoclose int fd = pool_open(v->fd, &f->place, f->attr.size, &why);
    if (fd < 0)
        return err_set(e, fd, "%s: %s", f->path, why.text);
    v->how->file(v->how->arg, f->path, f->attr.size);
    int r = verify_read(v, fd, f, sum, e);
    if (r == 0 && name_is_tsm(path_last(f->path)))
        r = tsm_check(fd, 0, f->attr.size, f->path, e);
    if (r < 0)
        return r;
    if (known->have_sum && memcmp(known->sum, sum, SHA256_BYTES) != 0)
        return err_set(e, -EBADMSG,
                       "%s: damaged: its bytes are not those that were retained (checksum)",
                       f->path);
    memcpy(known->sum, sum, SHA256_BYTES);
    known->have_sum = true;
    return 0;
}

static int bad_by_path(const void *a, const void *b)
{
    return cut_path_cmp(((const struct bad *)a)->path, ((const struct bad *)b)->path);
}

/* 1: the cut still has the damaged file; 0: it has replaced or removed it. Paths must rise from call to
 * call. */
static int verify_is_retained(struct cutscan *f, const struct bad *b, struct err *e)
{
    int r = cutscan_seek(f, b->path, e);
    const struct cut_entry *at = r == 0 ? cutscan_entry(f) : NULL;
    if (at && strcmp(at->path, b->path) == 0)
        return at->place.serial == b->place.serial && at->place.seq == b->place.seq;
    if (r == 0)
        r = cutscan_removes(f, b->path, false, e);
    return r < 0 ? r : !r;
}

/* Forgets the damaged files that the next cut is without. */
static int verify_drop_replaced(struct verifying *v, const char *name, struct err *e)
{
    cleanup(cutscan_closep) struct cutscan *f = NULL;
    size_t kept = 0;
    if (v->nbad == 0)
        return 0;
    qsort(v->bad, v->nbad, sizeof(*v->bad), bad_by_path);
    int r = cutscan_open(v->fd, name, true, &f, e);
    for (size_t i = 0; i < v->nbad; i++) {
        const int still = r < 0 ? r : verify_is_retained(f, &v->bad[i], e);
        r = still < 0 ? still : r;
        if (still == 0)
            free(v->bad[i].path);
        else
            v->bad[kept++] = v->bad[i];
    }
    v->nbad = kept;
    return r;
}

static int verify_add_bad(struct verifying *v, const struct cut_entry *f)
{
    if (!array_grow(&v->bad, v->nbad))
        return -ENOMEM;
    struct bad *b = &v->bad[v->nbad];
    *b = (struct bad){.path = strdup(f->path), .place = f->place};
    if (!b->path)
        return -ENOMEM;
    v->nbad++;
    return 0;
}

static int verify_entry(struct verifying *v, const struct cut_entry *f,
                        struct catalog_retained *sum, struct cut_verified *out, struct err *e)
{
    struct err why = {0};
    const bool fresh = !sum->have_sum;
    int r = verify_file(v, f, sum, &why);
    const bool damaged = r == -EBADMSG || r == -EIO || r == -ENODATA;
    if (r < 0 && !damaged)
        return err_set(e, r, "%s", why.text);
    if (damaged)
        v->how->damaged(v->how->arg, &out->cut, why.text);
    if (damaged && (r = verify_add_bad(v, f)) < 0)
        return err_sys(e, r, "cuts");
    out->files++;
    out->bytes += f->attr.size;
    out->tsm += name_is_tsm(path_last(f->path));
    out->fresh += !damaged && fresh;
    return 0;
}

/* Keeps the new sums; those that cannot be kept are found again. */
static void verify_keep(struct verifying *v, struct catalog_retained *sums)
{
    size_t n = 0;
    for (size_t i = 0; i < v->n; i++)
        if (sums[i].have_sum && !v->entries[i].have_sum)
            sums[n++] = sums[i];
    if (n && v->cuts->snapshots)
        catalog_put_retained(snapshots_catalog(v->cuts->snapshots), sums, n, NULL);
}

/* The files that were collected, whose sums are asked for and kept together. */
static int verify_collected(struct verifying *v, struct cut_verified *out, struct err *e)
{
    autofree struct catalog_retained *sums = NULL;
    int r = cuts_known_sums(v->cuts, v->entries, v->n, &sums);
    if (r < 0)
        return err_sys(e, r, "cuts");
    for (size_t i = 0; r == 0 && i < v->n; i++)
        r = verify_entry(v, &v->entries[i], &sums[i], out, e);
    if (r == 0)
        verify_keep(v, sums);
    v->n = 0;
    arena_free(&v->paths);
    return r;
}

static int verify_collect(struct verifying *v, const struct cut_entry *f, struct cut_verified *out,
                          struct err *e)
{
    const char *path = arena_text(&v->paths, f->path, strlen(f->path));
    if (!path)
        return err_sys(e, -ENOMEM, "cuts");
    v->entries[v->n] = *f;
    v->entries[v->n++].path = path;
    return v->n == AT_ONCE ? verify_collected(v, out, e) : 0;
}

/* The files that this cut is the first to have. A change of owner or mode alone refers to a file of
 * an earlier cut. */
static int verify_files(struct verifying *v, struct cutscan *from, struct cut_verified *out,
                        struct err *e)
{
    const struct cut_entry *f;
    int r = 0;
    while (r == 0 && (f = cutscan_entry(from))) {
        if (!cut_is_folder(f) && (out->cut.base || f->place.serial == out->cut.head.serial))
            r = verify_collect(v, f, out, e);
        if (r == 0)
            r = cutscan_next(from, e);
    }
    return r < 0 ? r : verify_collected(v, out, e);
}

static int verify_cut(struct verifying *v, const struct cut_info *cut, struct err *e)
{
    char name[32];
    struct cut_verified out = {.cut = *cut};
    cleanup(cutscan_closep) struct cutscan *f = NULL;
    cleanup(cutlist_freep) struct cutlist *l = NULL;
    cuts_file_name(cut, name);
    int r = cutscan_open(v->fd, name, false, &f, e);
    if (r == 0)
        r = cutlist_read_rest(v->fd, name, &l, e);
    if (r < 0)
        return r == -EINVAL ? -EBADMSG : r == -ENOENT ? -ENODATA : r;
    r = verify_drop_replaced(v, name, e);
    if (r == 0)
        r = verify_files(v, f, &out, e);
    if (r < 0)
        return r;
    out.damaged = v->nbad;
    out.list = l;
    v->how->cut(v->how->arg, &out);
    return 0;
}

/* The kind of fault that ends the chain after the n cuts of the list, which `broken` tells of. */
static int verify_end_of_chain(struct verifying *v, const struct cut_info *list, size_t n,
                               const struct err *broken, struct err *e)
{
    char name[32];
    struct cut_summary ignored;
    const struct cut_info next = {.base = n == 0,
                                  .head.number = n ? list[n - 1].head.number + 1 : -1};
    if (!broken->text[0])
        return 0;
    cuts_file_name(&next, name);
    int r = cut_summary_read(v->fd, name, &ignored, NULL);
    return err_set(e, r == 0 || r == -ENOENT ? -ENODATA : -EBADMSG, "%s", broken->text);
}

/* The cuts, with a lease on the base: neither it nor what follows it is folded then. */
static int verify_lease(struct cuts *c, struct cut_info **list, size_t *n, struct err *broken,
                        int *lease, struct err *e)
{
    for (int i = 0; i < TRIES; i++) {
        struct cut_info again;
        int r = cuts_list(c, list, n, broken, e);
        if (r < 0 || *n == 0)
            return r;
        *lease = cuts_lease(c, (*list)[0].head.serial, e);
        if (*lease == -EROFS) /* nobody folds there either */
            return 0;
        if (*lease < 0)
            return *lease;
        r = cuts_by_serial(c, (*list)[0].head.serial, &again, NULL);
        if (r == 0 && again.base)
            return 0;
        free(*list);
        *list = NULL;
        cleanup_close(lease);
        *lease = -1;
    }
    return err_set(e, -EAGAIN, "cuts are folded all the time; try again");
}

int cuts_verify(struct cuts *c, const struct cut_verifier *how, struct err *e)
{
    autofree struct cut_info *list = NULL;
    struct err broken = {0};
    size_t n = 0;
    autoclose int lease = -1;
    cleanup(verify_end) struct verifying v = {.cuts = c, .fd = -1, .how = how};
    int r = verify_lease(c, &list, &n, &broken, &lease, e);
    if (r < 0 || (n == 0 && !broken.text[0]))
        return r;
    v.buf = malloc(PIECE);
    v.hash = sha256_new();
    v.entries = calloc(AT_ONCE, sizeof(*v.entries));
    if (!v.buf || !v.hash || !v.entries)
        return err_sys(e, -ENOMEM, "cuts");
    if ((v.fd = cuts_folder(c, e)) < 0)
        return v.fd;
    for (size_t i = 0; i < n; i++)
        if ((r = verify_cut(&v, &list[i], e)) < 0)
            return r;
    return verify_end_of_chain(&v, list, n, &broken, e);
}
