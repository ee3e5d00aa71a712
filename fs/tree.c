/* SPDX-License-Identifier: MIT */
/* The root: a fixed folder, whose children are the branches of the tree. */
#include "fs/at.h"
#include "fs/drops.h"
#include "fs/dumps.h"
#include "fs/fs.h"
#include "fs/live.h"
#include "fs/numbers.h"
#include "fs/reports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHILDREN 8

struct folder {
    struct node node;
    ino_t ino;
    struct {
        const char *name;
        struct node *node;
        ino_t ino;
        mode_t type;
    } child[CHILDREN];
    size_t n;
};

static int folder_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    const struct folder *f = (const struct folder *)n;
    (void)h;
    fs_attr(r->fs, st, f->ino, S_IFDIR | 0755, 0, r->fs->started_ns);
    return 0;
}

static int folder_lookup(struct request *r, struct node *dir, const char *name, struct node **child)
{
    const struct folder *f = (const struct folder *)dir;
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->child[i].name, name) != 0)
            continue;
        node_repin(r->fs->nodes, f->child[i].node);
        *child = f->child[i].node;
        return 0;
    }
    return -ENOENT;
}

static int folder_list(struct request *r, struct node *dir, struct names *out)
{
    const struct folder *f = (const struct folder *)dir;
    int rc = 0;
    (void)r;
    for (size_t i = 0; rc == 0 && i < f->n; i++)
        rc = names_add(out, f->child[i].name, f->child[i].ino, f->child[i].type);
    return rc;
}

static void folder_free(struct node *n)
{
    free(n);
}

static const struct node_ops folder_ops = {
    .entry_timeout = 60,
    .attr_timeout = 60,
    .getattr = folder_getattr,
    .free = folder_free,
    .lookup = folder_lookup,
    .list = folder_list,
};

static void add_child(struct folder *f, const char *name, struct node *n, ino_t ino, mode_t type)
{
    f->child[f->n].name = name;
    f->child[f->n].node = n;
    f->child[f->n].ino = ino;
    f->child[f->n].type = type;
    f->n++;
}

int fs_tree_new(struct fs *fs)
{
    struct node *live = NULL, *snapshots = NULL, *at = NULL, *dump = NULL, *drops = NULL,
                *status = NULL;
    struct folder *root = calloc(1, sizeof(*root));
    if (!root)
        return -ENOMEM;
    root->node.ops = &folder_ops;
    root->ino = INO_ROOT;
    node_add(fs->nodes, &root->node, true);
    int r = live_new(fs, &live);
    if (r == 0)
        r = numbers_new(fs, &snapshots);
    if (r == 0)
        r = at_new(fs, &at);
    if (r == 0)
        r = dumps_new(fs, &dump);
    if (r == 0)
        r = drops_new(fs, &drops);
    if (r == 0)
        r = report_status(fs, &status);
    if (r < 0)
        return r;
    add_child(root, "live", live, INO_LIVE, S_IFDIR);
    add_child(root, "snapshots", snapshots, INO_SNAPSHOTS, S_IFDIR);
    add_child(root, "at", at, INO_AT, S_IFDIR);
    add_child(root, "dump", dump, INO_DUMP, S_IFDIR);
    add_child(root, "restore", drops, INO_RESTORE, S_IFDIR);
    add_child(root, "status.json", status, INO_STATUS, S_IFREG);
    return 0;
}
