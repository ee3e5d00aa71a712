/* SPDX-License-Identifier: MIT */
/* Tars of cuts, leased while in use. Each tar is of a capture that has a manifest's members and the
 * pool's bytes. */
#include "store/base/io.h"
#include "store/base/lock.h"
#include "store/chain/cuts_internal.h"
#include "store/chain/pool.h"
#include "store/snapshot/capture_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct cut_capture {
    struct capture c;
    struct cuts *cuts;
    int fd;                 /* the folder cuts/ */
    struct cutstate *state; /* one of these two gives the strings, */
    struct cutlist *list;
    int lease; /* and this goes with the list */
    const struct cut_entry *entries;
    pthread_mutex_t lock; /* guards the sums */
    struct catalog_retained *sums;
    atomic_bool learned; /* some of them, not yet kept */
};

static struct cut_capture *of(const struct capture *c)
{
    return (struct cut_capture *)c;
}

static void cut_free(struct capture *c)
{
    struct cut_capture *k = of(c);
    cuts_put_state(k->cuts, k->state);
    cutlist_free(k->list);
    cleanup_close(&k->lease);
    cleanup_close(&k->fd);
    pthread_mutex_destroy(&k->lock);
    free(k->sums);
    free(c->members);
    free(k);
}

static int cut_read(const struct capture *c, size_t i, void *buf, size_t n, uint64_t off,
                    struct err *e)
{
    const struct cut_capture *k = of(c);
    const struct cut_entry *entry = &k->entries[i];
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

static bool cut_sum(const struct capture *c, size_t i, uint8_t out[SHA256_BYTES])
{
    struct cut_capture *k = of(c);
    lock_scope(&k->lock);
    if (k->sums[i].have_sum)
        memcpy(out, k->sums[i].sum, SHA256_BYTES);
    return k->sums[i].have_sum;
}

static void cut_set_sum(struct capture *c, size_t i, const uint8_t sum[SHA256_BYTES])
{
    struct cut_capture *k = of(c);
    lock_scope(&k->lock);
    k->learned |= !k->sums[i].have_sum;
    k->sums[i].have_sum = true;
    memcpy(k->sums[i].sum, sum, SHA256_BYTES);
}

/* The sums that the manifest lacks. */
static size_t copy_learned(struct cut_capture *k, struct catalog_retained *out)
{
    size_t n = 0;
    lock_scope(&k->lock);
    for (size_t i = 0; i < k->c.n; i++)
        if (k->sums[i].have_sum && !k->entries[i].have_sum && !cut_is_folder(&k->entries[i]))
            out[n++] = k->sums[i];
    return n;
}

static int cut_keep_sums(struct capture *c, struct err *e)
{
    struct cut_capture *k = of(c);
    if (!atomic_exchange(&k->learned, false))
        return 0;
    autofree struct catalog_retained *files = calloc(c->n, sizeof(*files));
    if (!files) {
        k->learned = true;
        return -ENOMEM;
    }
    size_t n = copy_learned(k, files);
    return catalog_put_retained(snapshots_catalog(k->cuts->snapshots), files, n, e);
}

static const struct capture_ops cut_ops = {
    .free = cut_free,
    .read = cut_read,
    .sum = cut_sum,
    .set_sum = cut_set_sum,
    .keep_sums = cut_keep_sums,
};

int cuts_known_sums(struct cuts *c, const struct cut_entry *entries, size_t n,
                    struct catalog_retained **out)
{
    struct catalog_retained *sums = calloc(n + 1, sizeof(*sums));
    if (!sums)
        return -ENOMEM;
    bool missing = false;
    for (size_t i = 0; i < n; i++) {
        const struct cut_entry *e = &entries[i];
        sums[i] = (struct catalog_retained){.serial = e->place.serial,
                                            .seq = e->place.seq,
                                            .have_sum = e->have_sum || cut_is_folder(e)};
        memcpy(sums[i].sum, e->sum, SHA256_BYTES);
        missing |= !sums[i].have_sum;
    }
    /* Without a catalogue, readers find them again. */
    if (missing)
        catalog_get_retained(snapshots_catalog(c->snapshots), sums, n, NULL);
    *out = sums;
    return 0;
}

static int make_members(struct cut_capture *k)
{
    k->c.members = calloc(k->c.n + 1, sizeof(*k->c.members));
    if (!k->c.members)
        return -ENOMEM;
    for (size_t i = 0; i < k->c.n; i++)
        k->c.members[i] = (struct member){.dir = "",
                                          .name = k->entries[i].path,
                                          .attr = k->entries[i].attr,
                                          .index = k->entries[i].index};
    return 0;
}

static struct cut_capture *begin(struct cuts *c)
{
    struct cut_capture *k = calloc(1, sizeof(*k));
    if (!k)
        return NULL;
    atomic_init(&k->c.refs, 1);
    k->c.ops = &cut_ops;
    k->cuts = c;
    k->lease = k->fd = -1;
    pthread_mutex_init(&k->lock, NULL);
    return k;
}

/* The common part of both kinds, after strings and entries are set. */
static int cut_complete(struct cut_capture *k, const struct cut_head *h,
                        const struct cutlist *newest, struct capture **out, struct err *e)
{
    cut_record(h, &k->c.record);
    k->c.left_out = &newest->left_out;
    k->c.links = newest->links;
    k->c.nlinks = newest->nlinks;
    k->fd = cuts_folder(k->cuts, e);
    int r = k->fd < 0 ? k->fd : make_members(k);
    if (r == 0)
        r = cuts_known_sums(k->cuts, k->entries, k->c.n, &k->sums);
    if (r < 0) {
        capture_unref(&k->c);
        return e && e->text[0] ? r : err_sys(e, r, "a cut");
    }
    *out = &k->c;
    return 0;
}

/* Of a whole state, which it takes over, also on failure. */
static int tars_of_state(struct cuts *c, struct cutstate *state, struct capture **out,
                         struct err *e)
{
    struct cut_capture *k = begin(c);
    if (!k) {
        cuts_put_state(c, state);
        return err_sys(e, -ENOMEM, "a cut");
    }
    const struct cut_head *h = cutstate_head(state);
    k->state = state;
    k->entries = cutstate_entries(state, &k->c.n);
    k->c.origin =
        (struct capture_origin){.kind = MANIFEST_FULL, .chain = h->chain, .number = h->number};
    return cut_complete(k, h, cutstate_newest(state), out, e);
}

/* Of a cut's changes. Takes over list and lease, also on failure. */
static int tars_of_list(struct cuts *c, struct cutlist *list, int lease, struct capture **out,
                        struct err *e)
{
    struct cut_capture *k = begin(c);
    if (!k) {
        cutlist_free(list);
        cleanup_close(&lease);
        return err_sys(e, -ENOMEM, "a cut");
    }
    const struct cut_head *h = &list->head;
    k->list = list;
    k->lease = lease;
    k->entries = list->entries;
    k->c.n = list->n;
    k->c.origin = (struct capture_origin){.kind = MANIFEST_INCREMENTAL,
                                          .chain = h->chain,
                                          .parent = h->parent,
                                          .number = h->number,
                                          .removed = list->removed,
                                          .nremoved = list->nremoved,
                                          .removed_folders = list->removed_folders,
                                          .nremoved_folders = list->nremoved_folders};
    return cut_complete(k, h, list, out, e);
}

static int tars_capture_changes(struct cuts *c, uint64_t serial, struct capture **out,
                                struct err *e)
{
    struct cut_info info;
    char name[32];
    autoclose int lease = cuts_lease(c, serial, e);
    int r = lease < 0 ? lease : cuts_by_serial(c, serial, &info, e);
    if (r < 0)
        return r;
    if (info.base)
        return err_set(e, -ENOENT, "the base has no changes");
    autoclose int fd = cuts_folder(c, e);
    if (fd < 0)
        return fd;
    struct cutlist *list = NULL;
    cuts_file_name(&info, name);
    r = cutlist_read(fd, name, &list, e);
    return r < 0 ? r : tars_of_list(c, list, steal_fd(&lease), out, e);
}

static int capture_full(struct cuts *c, uint64_t serial, struct capture **out, struct err *e)
{
    struct cutstate *state = NULL;
    int r = cuts_get_state(c, serial, &state, e);
    return r < 0 ? r : tars_of_state(c, state, out, e);
}

int cuts_get_tar(struct cuts *c, uint64_t serial, enum cut_tar kind, struct tarball **out,
                 struct err *e)
{
    struct capture *capture = NULL;
    int r = kind == CUT_FULL ? capture_full(c, serial, &capture, e)
                             : tars_capture_changes(c, serial, &capture, e);
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
