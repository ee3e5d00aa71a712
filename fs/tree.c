/* SPDX-License-Identifier: MIT */
/* The fixed folders: the root, and snapshots/. */
#include "fs/drops.h"
#include "fs/fs.h"
#include "fs/live.h"
#include "fs/now.h"
#include "fs/reports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
        if (!f->child[i].node)
            return now_lookup(r, child);
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
    for (size_t i = 0; rc == 0 && i < f->n; i++)
        if (f->child[i].node || now_listed(r->fs))
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

static struct folder *new_folder(struct fs *fs, ino_t ino)
{
    struct folder *f = calloc(1, sizeof(*f));
    if (!f)
        return NULL;
    f->node.ops = &folder_ops;
    f->ino = ino;
    node_add(fs->nodes, &f->node, ino == INO_ROOT);
    return f;
}

int fs_tree_new(struct fs *fs)
{
    struct node *live = NULL, *drops = NULL, *status = NULL;
    struct folder *root = new_folder(fs, INO_ROOT);
    struct folder *snapshots = new_folder(fs, INO_SNAPSHOTS);
    if (!root || !snapshots)
        return -ENOMEM;
    int r = live_new(fs, &live);
    if (r == 0)
        r = report_status(fs, &status);
    if (r == 0)
        r = drops_new(fs, &drops);
    if (r < 0)
        return r;
    /* Its node is another one for each asking process. */
    add_child(snapshots, "now.tar", NULL, INO_NOW, S_IFREG);
    add_child(root, "live", live, INO_LIVE, S_IFDIR);
    add_child(root, "snapshots", &snapshots->node, INO_SNAPSHOTS, S_IFDIR);
    add_child(root, "restore", drops, INO_RESTORE, S_IFDIR);
    add_child(root, "status.json", status, INO_STATUS, S_IFREG);
    return 0;
}
