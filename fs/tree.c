/* SPDX-License-Identifier: MIT */
/* The root: a fixed folder whose children are the branches. */
#include "fs/backups.h"
#include "fs/branches.h"
#include "fs/databases.h"
#include "fs/dumps.h"
#include "fs/reports.h"
#include "fs/request.h"
#include "fs/uploads.h"

#include <errno.h>
#include <string.h>

static const struct branch {
    const char *name;
    mode_t type;
    unsigned hide; /* the bit of option hide= that stands for it; 0: it is always listed */
    int (*make)(struct fs *fs, struct node **out);
} branches[FS_BRANCHES] = {
    {"live", S_IFDIR, HIDE_LIVE, live_new},
    {"snapshots", S_IFDIR, HIDE_SNAPSHOTS, snapdir_new},
    {"at", S_IFDIR, HIDE_AT, at_new},
    {"databases", S_IFDIR, HIDE_DATABASES, databases_new},
    {"dump", S_IFDIR, HIDE_DUMP, dumps_new},
    {"backup", S_IFDIR, HIDE_BACKUP, backups_new},
    {"restore", S_IFDIR, HIDE_RESTORE, uploads_new},
    {"status.json", S_IFREG, 0, report_status},
    {"metrics.prom", S_IFREG, 0, report_metrics},
    {"status.html", S_IFREG, 0, report_page},
    {".influxfs", S_IFREG, 0, report_marker},
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
