/* SPDX-License-Identifier: MIT */
/* The root: a fixed folder whose children are the branches. */
#include "fs/branches.h"
#include "fs/dumps.h"
#include "fs/reports.h"
#include "fs/request.h"
#include "fs/uploads.h"

#include <errno.h>
#include <string.h>

static const struct branch {
    const char *name;
    mode_t type;
    int (*make)(struct fs *fs, struct node **out);
    unsigned hide; /* the bit of option hide= that stands for it; 0: it is always listed */
} branches[FS_BRANCHES] = {
    {"live", S_IFDIR, live_new, HIDE_LIVE},
    {"snapshots", S_IFDIR, snapdir_new, HIDE_SNAPSHOTS},
    {"at", S_IFDIR, at_new, HIDE_AT},
    {"dump", S_IFDIR, dumps_new, HIDE_DUMP},
    {"restore", S_IFDIR, uploads_new, HIDE_RESTORE},
    {"status.json", S_IFREG, report_status, 0},
    {".influxfs", S_IFREG, report_marker, 0},
};

static int root_lookup(struct request *r, struct node *dir, const char *name, struct node **child)
{
    (void)dir;
    for (size_t i = 0; i < FS_BRANCHES; i++) {
        if (strcmp(branches[i].name, name) != 0)
            continue;
        *child = r->fs->branches[i];
        node_repin(r->fs->nodes, *child);
        return 0;
    }
    return -ENOENT;
}

static int root_list(struct request *r, struct node *dir, struct names *out)
{
    int rc = 0;
    (void)dir;
    for (size_t i = 0; rc == 0 && i < FS_BRANCHES; i++)
        if (!(branches[i].hide & r->fs->options->hide))
            rc = names_add(out, branches[i].name, r->fs->branches[i]->ino, branches[i].type);
    return rc;
}

static const struct node_ops root_ops = {
    .getattr = folder_getattr,
    .free = node_free,
    .lookup = root_lookup,
    .list = root_list,
};

int fs_tree_new(struct fs *fs)
{
    struct node *root;
    int r = node_new(fs->nodes, &root_ops, NODE_FOLDER, INO_ROOT, &root);
    for (size_t i = 0; r == 0 && i < FS_BRANCHES; i++)
        r = branches[i].make(fs, &fs->branches[i]);
    return r;
}
