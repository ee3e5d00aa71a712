/* SPDX-License-Identifier: MIT */
/* Tars of cuts, leased while in use. Each tar is of a capture that has a manifest's members, which are
 * read as they are asked for (cutpages.h), and the pool's bytes. */
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/chain/cutpages.h"
#include "store/chain/cuts_internal.h"
#include "store/chain/cutuse.h"
#include "store/chain/pool.h"
#include "store/snapshot/capture_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cut_capture {
    struct capture c;
    struct cuts *cuts;
    int fd;             /* the folder cuts/ */
    struct cutuse *use; /* of a whole state, */
    int lease;          /* or of a cut's changes, */
    struct cut_head head;
    struct cutlist *list; /* with what has gone */
    struct cutpages *pages;
    atomic_uint_fast64_t *told; /* a bit for each member whose sum was said to be known */
};

static struct cut_capture *of(const struct capture *c)
{
    return (struct cut_capture *)c;
}

static void cut_free(struct capture *c)
{
    struct cut_capture *k = of(c);
    cutpages_free(k->pages);
    cutuse_end(k->use);
    cutlist_free(k->list);
    cleanup_close(&k->lease);
    cleanup_close(&k->fd);
    free(k->told);
    free(k);
}

static int cut_look(const struct capture *c, size_t i, struct capture_look *look, struct err *e)
{
    struct cutpage *page;
    int r = cutpages_get(of(c)->pages, i, &page, e);
    if (r == 0)
        *look = (struct capture_look){
            .page = page, .members = page->members, .first = page->first, .n = page->n};
    return r;
}

static void cut_look_end(void *page)
{
    cutpage_put(page);
}

static int cut_read(const struct capture *c, size_t i, void *buf, size_t n, uint64_t off,
                    struct err *e)
{
    const struct cut_capture *k = of(c);
    cleanup(cutpage_putp) struct cutpage *page = NULL;
    if (cutpages_get(k->pages, i, &page, e) < 0)
        return -EIO;
    const struct cut_entry *entry = cutpage_entry(page, i);
    autoclose int fd = pool_open(k->fd, &entry->place, entry->attr.size, e);
    if (fd < 0)
        return fd;
    int r = io_pread_all(fd, buf, n, off);
    if (r < 0) {
        err_sys(e, r == -ENODATA ? -EIO : r, "the retained file of %s", entry->path);
        return -EIO;
    }
    return 0;
}

static bool cut_was_told(struct cut_capture *k, size_t i)
{
    return atomic_load(&k->told[i / 64]) >> i % 64 & 1;
}

static void cut_tell(struct cut_capture *k, size_t i)
{
    atomic_fetch_or(&k->told[i / 64], UINT64_C(1) << i % 64);
}

/* A sum that was known and is not any more, since the catalogue was begun anew: nobody else would look
 * for it. */
static bool cut_sum_again(const struct capture *c, size_t i, const struct cut_entry *entry,
                          uint8_t out[SHA256_BYTES])
{
    const uint64_t size = entry->attr.size;
    const size_t piece = 1 << 20;
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    autofree char *buf = malloc(piece);
    int r = h && buf ? 0 : -ENOMEM;
    for (uint64_t at = 0; r == 0 && at < size; at += piece) {
        const size_t n = size - at < piece ? (size_t)(size - at) : piece;
        if ((r = cut_read(c, i, buf, n, at, NULL)) == 0)
            sha256_add(h, buf, n);
    }
    if (r == 0)
        sha256_end(h, out);
    return r == 0;
}

static bool cut_sum(const struct capture *c, size_t i, uint8_t out[SHA256_BYTES])
{
    struct cut_capture *k = of(c);
    cleanup(cutpage_putp) struct cutpage *page = NULL;
    if (cutpages_get(k->pages, i, &page, NULL) < 0 || cut_is_folder(cutpage_entry(page, i)))
        return false;
    bool known = cutpage_sum(page, i, out);
    if (!known && cut_was_told(k, i) && (known = cut_sum_again(c, i, cutpage_entry(page, i), out)))
        cutpage_set_sum(page, i, out);
    if (known)
        cut_tell(k, i);
    return known;
}

static void cut_set_sum(struct capture *c, size_t i, const uint8_t sum[SHA256_BYTES])
{
    struct cut_capture *k = of(c);
    cleanup(cutpage_putp) struct cutpage *page = NULL;
    cut_tell(k, i);
    if (cutpages_get(k->pages, i, &page, NULL) < 0)
        return; /* it is found again */
    cutpage_set_sum(page, i, sum);
}

static int cut_keep_sums(struct capture *c, struct err *e)
{
    return cutpages_keep_sums(of(c)->pages, e);
}

static const struct capture_ops cut_ops = {
    .free = cut_free,
    .read = cut_read,
    .sum = cut_sum,
    .set_sum = cut_set_sum,
    .keep_sums = cut_keep_sums,
    .look = cut_look,
    .look_end = cut_look_end,
};

/* The whole state. */
static int tars_open_state(struct cut_capture *k, uint64_t serial, struct err *e)
{
    int r = cutuse_begin(k->cuts, serial, &k->use, e);
    if (r == 0)
        r = cutpages_of(k->use, true, &k->pages, e);
    if (r < 0)
        return r;
    k->head = *cutuse_head(k->use);
    k->c.left_out = &cutuse_list(k->use)->left_out;
    k->c.links = cutuse_list(k->use)->links;
    k->c.nlinks = cutuse_list(k->use)->nlinks;
    k->c.origin = (struct capture_origin){
        .kind = MANIFEST_FULL, .chain = k->head.chain, .number = k->head.number};
    return 0;
}

/* The manifest of a cut's changes, and what it says beside its files and folders. */
static int tars_read_changes(struct cut_capture *k, uint64_t serial, struct cutscan **out,
                             struct err *e)
{
    struct cut_info info;
    char name[32];
    k->lease = cuts_lease(k->cuts, serial, e);
    int r = k->lease < 0 ? k->lease : cuts_by_serial(k->cuts, serial, &info, e);
    if (r < 0)
        return r;
    if (info.base)
        return err_set(e, -ENOENT, "the base has no changes");
    autoclose int fd = cuts_folder(k->cuts, e);
    if (fd < 0)
        return fd;
    k->head = info.head;
    cuts_file_name(&info, name);
    cleanup(cutscan_closep) struct cutscan *f = NULL;
    if ((r = cutscan_open(fd, name, false, &f, e)) == 0)
        r = cutlist_read_rest(fd, name, &k->list, e);
    if (r == 0)
        r = cutlist_read_gone(k->list, f, e);
    if (r == 0)
        *out = steal_ptr(&f);
    return r;
}

static int tars_open_changes(struct cut_capture *k, uint64_t serial, struct err *e)
{
    struct cutscan *file;
    struct cutstream *s;
    int r = tars_read_changes(k, serial, &file, e);
    if (r == 0)
        r = cutstream_new(&file, 1, &s, e);
    if (r == 0)
        r = cutpages_new(k->cuts, s, &k->pages, e);
    if (r < 0)
        return r;
    const struct cutlist *l = k->list;
    k->c.left_out = &l->left_out;
    k->c.links = l->links;
    k->c.nlinks = l->nlinks;
    k->c.origin = (struct capture_origin){.kind = MANIFEST_INCREMENTAL,
                                          .chain = k->head.chain,
                                          .parent = k->head.parent,
                                          .number = k->head.number,
                                          .removed = l->removed,
                                          .nremoved = l->nremoved,
                                          .removed_folders = l->removed_folders,
                                          .nremoved_folders = l->nremoved_folders};
    return 0;
}

static int tars_fill(struct cut_capture *k, uint64_t serial, enum cut_tar kind, struct err *e)
{
    int r = kind == CUT_FULL ? tars_open_state(k, serial, e) : tars_open_changes(k, serial, e);
    if (r == 0 && (k->fd = cuts_folder(k->cuts, e)) < 0)
        r = k->fd;
    if (r < 0)
        return r;
    cut_record(&k->head, &k->c.record);
    k->c.n = cutpages_count(k->pages);
    k->c.nfiles = cutpages_files(k->pages);
    k->told = calloc(k->c.n / 64 + 1, sizeof(*k->told));
    return k->told ? 0 : err_sys(e, -ENOMEM, "a cut");
}

static int tars_capture(struct cuts *c, uint64_t serial, enum cut_tar kind, struct capture **out,
                        struct err *e)
{
    struct cut_capture *k = calloc(1, sizeof(*k));
    if (!k)
        return err_sys(e, -ENOMEM, "a cut");
    atomic_init(&k->c.refs, 1);
    k->c.ops = &cut_ops;
    k->cuts = c;
    k->lease = k->fd = -1;
    int r = tars_fill(k, serial, kind, e);
    if (r < 0)
        cut_free(&k->c);
    else
        *out = &k->c;
    return r;
}

int cuts_get_tar(struct cuts *c, uint64_t serial, enum cut_tar kind, struct tarball **out,
                 struct err *e)
{
    struct capture *capture = NULL;
    int r = tars_capture(c, serial, kind, &capture, e);
    if (r == 0 && (r = snapshots_tarball(c->snapshots, capture, out)) < 0)
        err_sys(e, r, "the tar of a cut");
    return r;
}

/* The digest of all that the tar's bytes depend on. */
static int digest_tar(const struct cut_info *info, enum cut_tar kind, uint8_t out[SHA256_BYTES])
{
    char text[128];
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    if (!h)
        return -ENOMEM;
    int n = snprintf(text, sizeof(text), "cut %" PRIu64 " %s %s", info->head.serial,
                     kind == CUT_FULL ? "full" : "changes", info->head.id);
    sha256_add(h, text, (size_t)n);
    sha256_end(h, out);
    return 0;
}

int cuts_tar_size(struct cuts *c, uint64_t serial, enum cut_tar kind, uint64_t *size, struct err *e)
{
    struct catalog *catalog = snapshots_catalog(c->snapshots);
    struct catalog_derived known = {0};
    struct cut_info info;
    uint8_t digest[SHA256_BYTES];
    cleanup(tarball_unrefp) struct tarball *t = NULL;
    int r = cuts_by_serial(c, serial, &info, e);
    if (r < 0)
        return r;
    if ((r = digest_tar(&info, kind, digest)) < 0)
        return err_sys(e, r, "the tar of a cut");
    if (catalog_get_derived(catalog, digest, &known, NULL) < 0) {
        if ((r = cuts_get_tar(c, serial, kind, &t, e)) < 0)
            return r;
        known.size = tarball_size(t);
        /* If it cannot be remembered, it is found again. */
        catalog_put_derived(catalog, digest, &known, NULL);
    }
    *size = known.size;
    return 0;
}
