/* SPDX-License-Identifier: MIT */
#include "store/snapshot/capture_folders.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/time.h"
#include "store/influx/names.h"
#include "store/snapshot/pinned.h"

#include <errno.h>

#define PATIENCE_NS (60 * SECOND_NS) /* nobody writes: only a slow disk takes time */

/* A capture together with the table of its files, which must live longer. */
struct folders {
    struct capture c;
    struct capture *pinned;
    struct held_table *held;
};

static void folders_free(struct capture *c)
{
    struct folders *f = (struct folders *)c;
    capture_unref(f->pinned);
    held_table_free(f->held);
    free(f);
}

static int folders_read(const struct capture *c, size_t i, void *buf, size_t n, uint64_t off,
                        struct err *e)
{
    return capture_read(((const struct folders *)c)->pinned, i, buf, n, off, e);
}

static bool folders_sum(const struct capture *c, size_t i, uint8_t out[SHA256_BYTES])
{
    return capture_sum(((const struct folders *)c)->pinned, i, out);
}

static void folders_set_sum(struct capture *c, size_t i, const uint8_t sum[SHA256_BYTES])
{
    capture_set_sum(((struct folders *)c)->pinned, i, sum);
}

static bool folders_any_damaged(const struct capture *c)
{
    return capture_any_damaged(((const struct folders *)c)->pinned);
}

static bool folders_damaged(const struct capture *c, size_t i)
{
    return capture_damaged(((const struct folders *)c)->pinned, i);
}

static void folders_set_damaged(struct capture *c, size_t i)
{
    capture_set_damaged(((struct folders *)c)->pinned, i);
}

/* There is no catalogue to keep them. */
static int folders_keep_sums(struct capture *c, struct err *e)
{
    (void)c;
    (void)e;
    return 0;
}

static const struct capture_ops folders_ops = {
    .free = folders_free,
    .read = folders_read,
    .sum = folders_sum,
    .set_sum = folders_set_sum,
    .any_damaged = folders_any_damaged,
    .damaged = folders_damaged,
    .set_damaged = folders_set_damaged,
    .keep_sums = folders_keep_sums,
};

static int folders_read_meta(struct held_table *t, int meta, struct capture_parts *p,
                             struct meta **out, struct err *e)
{
    autofree char *bytes = NULL;
    size_t n = 0;
    struct stat st, folder;
    int r = held_get(t, meta, NAME_META_DB, true, &p->meta_held, &st);
    if (r == 0)
        r = io_read_file(meta, NAME_META_DB, META_DB_MAX, &bytes, &n);
    if (r == 0 && fstat(meta, &folder) < 0)
        r = -errno;
    if (r < 0)
        return err_sys(e, r, NAME_META_MEMBER);
    p->meta_attr = file_attr_of(&st);
    p->meta_folder = file_attr_of(&folder);
    r = meta_parse(bytes, n, out, e);
    p->meta = *out;
    return r;
}

static int folders_build(struct folders *f, int meta, int data, int wal, struct err *e)
{
    const struct window_wait wait = {.deadline_ns = time_mono_ns() + PATIENCE_NS};
    cleanup(capture_parts_clear) struct capture_parts p = {
        .data_fd = data, .wal_fd = wal, .allow_left_out = true};
    cleanup(meta_freep) struct meta *known = NULL;
    struct pinned *pinned = NULL;
    int r = window_take(f->held, data, wal, NULL, &wait, &p.window, e);
    if (r == 0)
        r = folders_read_meta(f->held, meta, &p, &known, e);
    if (r == 0)
        r = capture_build(&p, NULL, &pinned, e);
    if (r < 0)
        return r == CAPTURE_DROPPING ? -EIO : r;
    f->pinned = &pinned->c;
    return 0;
}

int capture_folders(int meta, int data, int wal, struct capture **out, struct err *e)
{
    cleanup(capture_unrefp) struct capture *made = NULL;
    struct folders *f = calloc(1, sizeof(*f));
    if (!f || !(f->held = held_table_new())) {
        free(f);
        return err_sys(e, -ENOMEM, "a capture");
    }
    made = &f->c;
    made->ops = &folders_ops;
    atomic_init(&made->refs, 1);
    int r = folders_build(f, meta, data, wal, e);
    if (r < 0)
        return r;
    made->runs = f->pinned->runs;
    made->firsts = f->pinned->firsts;
    made->nruns = f->pinned->nruns;
    made->n = f->pinned->n;
    made->left_out = f->pinned->left_out;
    made->links = f->pinned->links;
    made->nlinks = f->pinned->nlinks;
    made->origin = f->pinned->origin;
    *out = steal_ptr(&made);
    return 0;
}
