/* SPDX-License-Identifier: MIT */
#include "store/chain/cut_verify.h"

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
#define TRIES 20 /* a fold may come in between */

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
};

static void verify_end(struct verifying *v)
{
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

static bool holds(const char *const *list, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], path) == 0)
            return true;
    return false;
}

static bool is_retained_at(const struct cutlist *l, const struct bad *b)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->entries[i].path, b->path) == 0)
            return l->entries[i].place.serial == b->place.serial &&
                   l->entries[i].place.seq == b->place.seq;
    return !holds(l->removed, l->nremoved, b->path);
}

/* Forgets the damaged files that the next cut has replaced or removed: its state is without them. */
static void verify_drop_replaced(struct verifying *v, const struct cutlist *l)
{
    size_t kept = 0;
    for (size_t i = 0; i < v->nbad; i++) {
        if (is_retained_at(l, &v->bad[i]))
            v->bad[kept++] = v->bad[i];
        else
            free(v->bad[i].path);
    }
    v->nbad = kept;
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

/* The files that this cut is the first to have. A change of owner or mode alone refers to a file of
 * an earlier cut. */
static int verify_files(struct verifying *v, const struct cutlist *l, struct cut_verified *out,
                        struct catalog_retained *sums, struct err *e)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct cut_entry *f = &l->entries[i];
        struct err why = {0};
        if (cut_is_folder(f) || (!out->cut.base && f->place.serial != l->head.serial))
            continue;
        bool fresh = !sums[i].have_sum;
        int r = verify_file(v, f, &sums[i], &why);
        bool damaged = r == -EBADMSG || r == -EIO || r == -ENODATA;
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
    }
    return 0;
}

/* Keeps the new sums; those that cannot be kept are found again. */
static void verify_keep(struct verifying *v, const struct cutlist *l, struct catalog_retained *sums)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        if (sums[i].have_sum && !l->entries[i].have_sum && !cut_is_folder(&l->entries[i]))
            sums[n++] = sums[i];
    if (v->cuts->snapshots)
        catalog_put_retained(snapshots_catalog(v->cuts->snapshots), sums, n, NULL);
}

static int verify_cut(struct verifying *v, const struct cut_info *cut, struct err *e)
{
    char name[32];
    struct cut_verified out = {.cut = *cut};
    cleanup(cutlist_freep) struct cutlist *l = NULL;
    autofree struct catalog_retained *sums = NULL;
    cuts_file_name(cut, name);
    int r = cutlist_read(v->fd, name, &l, e);
    if (r < 0)
        return r == -EINVAL ? -EBADMSG : r == -ENOENT ? -ENODATA : r;
    if ((r = cuts_known_sums(v->cuts, l->entries, l->n, &sums)) < 0)
        return err_sys(e, r, "cuts");
    verify_drop_replaced(v, l);
    if ((r = verify_files(v, l, &out, sums, e)) < 0)
        return r;
    if (out.fresh)
        verify_keep(v, l, sums);
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
    if (!v.buf || !v.hash)
        return err_sys(e, -ENOMEM, "cuts");
    if ((v.fd = cuts_folder(c, e)) < 0)
        return v.fd;
    for (size_t i = 0; i < n; i++)
        if ((r = verify_cut(&v, &list[i], e)) < 0)
            return r;
    return verify_end_of_chain(&v, list, n, &broken, e);
}
