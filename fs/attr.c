/* SPDX-License-Identifier: MIT */
/* The attributes of what is not a file of the store. */
#include "fs/fs.h"

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

void fs_attr(const struct fs *fs, struct stat *st, ino_t ino, mode_t mode, uint64_t size,
             int64_t mtime_ns)
{
    struct timespec t = {mtime_ns / 1000000000, mtime_ns % 1000000000};
    *st = (struct stat){
        .st_ino = ino,
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

uint64_t fs_hash(uint64_t hash, const void *p, size_t n)
{
    const unsigned char *c = p;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ c[i]) * 0x100000001b3; /* FNV-1a */
    return hash;
}
