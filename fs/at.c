/* SPDX-License-Identifier: MIT */
/* at/: the whole store at a cut, as one tar (cutfile.h) and as files (view.h). By number, as
 * `latest`, and, not listed, by any time: the last cut at or before it. */
#include "fs/branches.h"
#include "fs/cutfile.h"
#include "fs/request.h"
#include "fs/view.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LATEST "latest"

/* The cut that a name, without its .tar, now stands for. */
static int at_find_cut(struct fs *fs, const char *name, size_t len, struct cut_info *out,
                       struct err *e)
{
    int64_t v;
    if (len == strlen(LATEST) && memcmp(name, LATEST, len) == 0)
        return cuts_latest(fs->cuts, out, e);
    if (cutfile_number(name, len, &v))
        return cuts_by_number(fs->cuts, v, out, e);
    if (cuts_parse_time(name, len, &v) == 0)
        return cuts_at_time(fs->cuts, v, out, e);
    return -ENOENT;
}

static int at_lookup(struct request *r, struct node *dir, const char *name, struct node **child)
{
    struct fs *fs = r->fs;
    struct cut_info cut;
    struct err e = {0};
    if (!fs->cuts)
        return -ENOENT;
    size_t len = strlen(name);
    bool tar = len > 4 && strcmp(name + len - 4, ".tar") == 0;
    int rc = at_find_cut(fs, name, tar ? len - 4 : len, &cut, &e);
    if (rc < 0)
        return cutfile_failed(fs, "at/", rc, &e);
    if (!tar)
        return view_lookup(fs, dir, name, strcmp(name, LATEST) == 0, &cut, child);
    bool latest = strcmp(name, LATEST ".tar") == 0;
    return cutfile_lookup(fs, dir, latest ? CUTFILE_LATEST : CUTFILE_AT, &cut, child);
}

/* Adds a cut under one of its names, as folder and as tar. */
static int at_add_both(struct names *out, const char *name, enum cutfile what,
                       const struct cut_info *cut)
{
    char tar[40];
    snprintf(tar, sizeof(tar), "%s.tar", name);
    int r = names_add(out, name, view_ino(cut->head.serial, ""), S_IFDIR);
    return r < 0 ? r : names_add(out, tar, cutfile_ino(what, cut->head.serial), S_IFREG);
}

static int at_list(struct request *r, struct node *dir, struct names *out)
{
    struct err broken, e = {0};
    autofree struct cut_info *list = NULL;
    size_t n;
    (void)dir;
    if (!r->fs->cuts)
        return 0;
    int rc = cuts_list(r->fs->cuts, &list, &n, &broken, &e);
    if (rc < 0)
        return cutfile_failed(r->fs, "at/", rc, &e);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%" PRId64, list[i].head.number);
        if (list[i].head.number >= 0)
            rc = at_add_both(out, name, CUTFILE_AT, &list[i]);
    }
    return rc == 0 && n > 0 ? at_add_both(out, LATEST, CUTFILE_LATEST, &list[n - 1]) : rc;
}

static const struct node_ops at_ops = {
    .getattr = folder_getattr,
    .free = node_free,
    .lookup = at_lookup,
    .list = at_list,
};

int at_new(struct fs *fs, struct node **out)
{
    return node_new(fs->nodes, &at_ops, NODE_CUTS_FOLDER, INO_AT, out);
}
