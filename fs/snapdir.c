/* SPDX-License-Identifier: MIT */
/* snapshots/: now.tar, base.tar and the numbers of all cuts, whichever process made them. */
#include "fs/branches.h"
#include "fs/cutfile.h"
#include "fs/now.h"
#include "fs/request.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int snapdir_find_base(struct fs *fs, struct cut_info *out, struct err *e)
{
    struct err broken;
    autofree struct cut_info *list = NULL;
    size_t n;
    int r = cuts_list(fs->cuts, &list, &n, &broken, e);
    if (r == 0 && n == 0)
        r = -ENOENT;
    if (r == 0)
        *out = list[0];
    return r;
}

static int snapdir_lookup(struct request *r, struct node *dir, const char *name,
                          struct node **child)
{
    struct fs *fs = r->fs;
    struct cut_info cut = {0};
    struct err e = {0};
    int64_t number;
    if (strcmp(name, "now.tar") == 0)
        return now_lookup(r, dir, child);
    if (strcmp(name, "now") == 0) {
        *child = now_folder(fs);
        return 0;
    }
    size_t len = strlen(name);
    if (!fs->cuts || len < 4 || strcmp(name + len - 4, ".tar") != 0)
        return -ENOENT;
    bool base = strcmp(name, "base.tar") == 0;
    if (!base && !cutfile_number(name, len - 4, &number))
        return -ENOENT;
    int rc = base ? snapdir_find_base(fs, &cut, &e) : cuts_by_number(fs->cuts, number, &cut, &e);
    if (rc < 0)
        return cutfile_failed(fs, "snapshots/", rc, &e);
    if (cut.base != base)
        return -ENOENT; /* it has been folded */
    return cutfile_lookup(fs, dir, base ? CUTFILE_BASE : CUTFILE_NUMBER, &cut, child);
}

static int snapdir_list(struct request *r, struct node *dir, struct names *out)
{
    struct err broken, e = {0};
    autofree struct cut_info *list = NULL;
    size_t n;
    (void)dir;
    int rc = now_listed(r->fs) ? names_add(out, "now.tar", INO_NOW, S_IFREG) : 0;
    if (rc < 0 || !r->fs->cuts)
        return rc;
    if ((rc = cuts_list(r->fs->cuts, &list, &n, &broken, &e)) < 0)
        return cutfile_failed(r->fs, "snapshots/", rc, &e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        char name[32] = "base.tar";
        if (!list[i].base)
            snprintf(name, sizeof(name), "%" PRId64 ".tar", list[i].head.number);
        enum cutfile what = list[i].base ? CUTFILE_BASE : CUTFILE_NUMBER;
        rc = names_add(out, name, cutfile_ino(what, list[i].head.serial), S_IFREG);
    }
    return rc;
}

static const struct node_ops snapdir_ops = {
    .getattr = folder_getattr,
    .free = node_free,
    .lookup = snapdir_lookup,
    .list = snapdir_list,
};

int snapdir_new(struct fs *fs, struct node **out)
{
    return node_new(fs->nodes, &snapdir_ops, NODE_CUTS_FOLDER, INO_SNAPSHOTS, out);
}
