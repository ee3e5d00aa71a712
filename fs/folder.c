/* SPDX-License-Identifier: MIT */
#include "fs/folder.h"
#include "fs/request.h"

static int64_t newest_cut_ns(const struct fs *fs)
{
    struct cut_info latest;
    if (!fs->cuts || cuts_latest(fs->cuts, &latest, NULL) < 0)
        return fs->started_ns;
    return latest.head.created_ns;
}

int folder_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    const struct fs *fs = r->fs;
    (void)h;
    fs_attr(fs, st, n, S_IFDIR | 0755, 0,
            n->kind == NODE_CUTS_FOLDER ? newest_cut_ns(fs) : fs->started_ns);
    return 0;
}
