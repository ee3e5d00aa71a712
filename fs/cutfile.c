/* SPDX-License-Identifier: MIT */
#include "fs/cutfile.h"

#include "fs/lifetime.h"
#include "fs/request.h"
#include "fs/status.h"
#include "fs/tarfile.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cut_node {
    struct tarfile_node file;
    struct fs *fs;
    enum cutfile what;
    struct {
        uint64_t serial;
        char id[CUT_ID_MAX + 1]; /* a serial comes again when the whole chain was moved away */
        char what;
    } key;
    char name[48];       /* for status.json */
    struct material tar; /* a struct tarball */
};

static const struct node_ops cut_ops;

static const struct {
    ino_t ino;
    bool each; /* an st_ino for each cut, from ino */
    enum node_kind kind;
    enum cut_tar tar;
} kinds[] = {
    [CUTFILE_BASE] = {INO_BASE, false, NODE_CUT_MOVING, CUT_FULL},
    [CUTFILE_NUMBER] = {INO_NUMBERS, true, NODE_CUT, CUT_CHANGES},
    [CUTFILE_LATEST] = {INO_LATEST, false, NODE_CUT_MOVING, CUT_FULL},
    [CUTFILE_AT] = {INO_AT_TARS, true, NODE_CUT, CUT_FULL},
};

static void cutfile_put_tar(void *ctx, void *tar)
{
    (void)ctx;
    tarball_unref(tar);
}

void cutfiles_init(struct fs *fs)
{
    materials_init(&fs->cut_tars, LIFE_CUT_TAR, cutfile_put_tar, fs);
}

ino_t cutfile_ino(enum cutfile what, uint64_t serial)
{
    return kinds[what].ino + (kinds[what].each ? serial : 0);
}

bool cutfile_number(const char *text, size_t len, int64_t *out)
{
    int64_t v = 0;
    if (len == 0 || len > 18 || (len > 1 && *text == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        v = v * 10 + (text[i] - '0');
    }
    *out = v;
    return true;
}

int cutfile_failed(struct fs *fs, const char *name, int r, const struct err *e)
{
    if (r == -ENOENT || r == -ESTALE || r == -EINTR)
        return r;
    status_failed(fs->status, name, e->text[0] ? e->text : strerror(-r));
    return r == -ENOMEM || r == -ENFILE || r == -EMFILE ? r : -EIO;
}

static void cut_set_name(struct cut_node *k, enum cutfile what, int64_t number)
{
    static const char *const moving[] = {
        [CUTFILE_BASE] = "snapshots/base.tar", [CUTFILE_LATEST] = "at/latest.tar"};
    if (what == CUTFILE_BASE || what == CUTFILE_LATEST)
        snprintf(k->name, sizeof(k->name), "%s", moving[what]);
    else if (number < 0)
        snprintf(k->name, sizeof(k->name), "at/: the tar of the first cut");
    else
        snprintf(k->name, sizeof(k->name), "%s/%" PRId64 ".tar",
                 what == CUTFILE_AT ? "at" : "snapshots", number);
}

int cutfile_lookup(struct fs *fs, const struct node *dir, enum cutfile what,
                   const struct cut_info *cut, struct node **out)
{
    const struct cut_head *h = &cut->head;
    struct err e = {0};
    autofree struct cut_node *k = calloc(1, sizeof(*k));
    if (!k)
        return -ENOMEM;
    k->what = what;
    k->key.what = (char)what;
    k->key.serial = h->serial;
    strcpy(k->key.id, h->id);
    *out = node_find(fs->nodes, kinds[what].kind, &k->key, sizeof(k->key));
    if (*out)
        return 0;
    int r = cuts_tar_size(fs->cuts, h->serial, kinds[what].tar, &k->file.size, &e);
    if (r < 0)
        return cutfile_failed(fs, "the size of a cut", r, &e);
    node_init(&k->file.node, &cut_ops, kinds[what].kind, cutfile_ino(what, h->serial), dir);
    cut_set_name(k, what, h->number);
    k->fs = fs;
    k->file.mtime_ns = h->created_ns;
    struct cut_node *fresh = steal_ptr(&k);
    return node_find_or_add(fs->nodes, &fresh->file.node, &fresh->key, sizeof(fresh->key), out);
}

static void cut_node_free(struct node *n)
{
    struct cut_node *k = (struct cut_node *)n;
    material_drop(&k->fs->cut_tars, &k->tar);
    free(k);
}

/* The tar of the node's own cut: its number may belong to another cut by now. */
static int cut_get_tar(struct fs *fs, const struct cut_node *k, struct tarball **out)
{
    struct err e = {0};
    int r = cuts_get_tar(fs->cuts, k->key.serial, kinds[k->what].tar, out, &e);
    if (r < 0)
        return r == -ENOENT ? -ESTALE : cutfile_failed(fs, k->name, r, &e);
    const struct catalog_record *rec = capture_record(tarball_capture(*out));
    if (strncmp(rec->id, k->key.id, sizeof(rec->id) - 1) == 0 && tarball_size(*out) == k->file.size)
        return 0;
    tarball_unref(*out);
    return -ESTALE;
}

static int cut_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    struct cut_node *k = (struct cut_node *)n;
    struct materials *tars = &r->fs->cut_tars;
    autofree struct tarfile *f = calloc(1, sizeof(*f));
    struct tarball *t = f ? material_open(tars, &k->tar) : NULL, *fresh;
    int rc = f ? 0 : -ENOMEM;
    (void)flags;
    if (rc == 0 && !t && (rc = cut_get_tar(r->fs, k, &fresh)) == 0) {
        material_set(tars, &k->tar, fresh);
        t = material_open(tars, &k->tar);
    }
    if (!t)
        return rc < 0 ? rc : -ESTALE;
    tarfile_init(r->fs, f, t, k->name);
    *h = &steal_ptr(&f)->h;
    return 0;
}

static void cut_release(struct handle *h)
{
    struct tarfile *f = (struct tarfile *)h;
    struct cut_node *k = (struct cut_node *)h->node;
    tarfile_clear(f);
    material_close(&k->fs->cut_tars, &k->tar);
    free(f);
}

static const struct node_ops cut_ops = {
    .getattr = tarfile_getattr,
    .free = cut_node_free,
    .open = cut_open,
    .read = tarfile_read,
    .has_read = tarfile_has_read,
    .release = cut_release,
};
