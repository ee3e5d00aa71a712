/* SPDX-License-Identifier: MIT */
/* The attributes of files and folders that are not the store's own. */
#include "fs/branches.h"
#include "fs/request.h"

#include "store/base/owner.h"
#include "store/base/time.h"

#include <unistd.h>

void fs_find_owner(struct fs *fs)
{
    struct stat st;
    uid_t uid = fs->options->owner.uid;
    gid_t gid = fs->options->owner.gid;
    if (stat(fs->paths->data, &st) == 0 || stat(fs->paths->meta, &st) == 0) {
        uid = st.st_uid;
        gid = st.st_gid;
    } else if (uid == (uid_t)-1 && !owner_find_user("influxdb", &uid, &gid)) {
        uid = geteuid();
        gid = getegid();
    }
    atomic_store(&fs->uid, uid);
    atomic_store(&fs->gid, gid);
}

void fs_mask(const struct fs *fs, struct stat *st)
{
    const struct options *o = fs->options;
    if (o->uid.given)
        st->st_uid = o->uid.id;
    if (o->gid.given)
        st->st_gid = o->gid.id;
    if (o->umask.given)
        st->st_mode = (st->st_mode & S_IFMT) | (0777 & ~o->umask.id);
}

void fs_hide_from_others(const struct fs *fs, struct stat *st)
{
    if (fs->options->allow_other && S_ISREG(st->st_mode))
        st->st_mode &= ~(mode_t)(S_IRWXG | S_IRWXO);
}

void fs_attr(const struct fs *fs, struct stat *st, const struct node *n, mode_t mode, uint64_t size,
             int64_t mtime_ns)
{
    struct timespec t = time_to_spec(mtime_ns);
    *st = (struct stat){
        .st_ino = n->ino,
        .st_mode = mode,
        .st_nlink = S_ISDIR(mode) ? 2 : 1,
        .st_uid = fs->uid,
        .st_gid = fs->gid,
        .st_size = (off_t)size,
        .st_blocks = (blkcnt_t)((size + 511) / 512),
        .st_blksize = S_ISDIR(mode) ? 4096 : 1 << 20, /* what cp(1) reads and writes at once */
        .st_atim = t,
        .st_mtim = t,
        .st_ctim = t,
    };
    fs_mask(fs, st);
}

int folder_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    const struct fs *fs = r->fs;
    struct cut_info latest;
    (void)h;
    bool of_cuts =
        n->kind == NODE_CUTS_FOLDER && fs->cuts && cuts_latest(fs->cuts, &latest, NULL) == 0;
    fs_attr(fs, st, n, S_IFDIR | 0755, 0, of_cuts ? latest.head.created_ns : fs->started_ns);
    return 0;
}
