/* SPDX-License-Identifier: MIT */
/*
 * The tars of cuts as files: base.tar and the numbers in snapshots/, and those in at/.
 *
 * A node is a name and the cut that it stands for: what was stat'ed is what is read. The names that
 * go from cut to cut, base.tar and latest.tar, keep their st_ino and get another node each time. A
 * node whose cut is gone gives ESTALE at open, and the kernel looks again.
 *
 * The tar is got, and with it the cut is leased, while a handle is open and a few seconds longer,
 * since programs open a file several times.
 */
#ifndef INFLUXFS_FS_CUTFILE_H
#define INFLUXFS_FS_CUTFILE_H

#include "fs/fs.h"

enum cutfile {
    CUTFILE_BASE,   /* snapshots/base.tar */
    CUTFILE_NUMBER, /* snapshots/N.tar */
    CUTFILE_LATEST, /* at/latest.tar */
    CUTFILE_AT,     /* at/N.tar and at/TIME.tar */
};

int cutfiles_new(struct fs *fs);
void cutfiles_free(struct cutfiles *c); /* after its nodes */

/* Lets go of the tars that nobody has open any more. */
void cutfiles_expire(struct cutfiles *c);

/* The node, pinned. */
int cutfile_lookup(struct fs *fs, enum cutfile what, const struct cut_info *cut, struct node **out);
ino_t cutfile_ino(enum cutfile what, uint64_t serial);

/* Whether the text is a number as it is listed: decimal, without sign or leading zeros. */
bool cutfile_number(const char *text, size_t len, int64_t *out);

/* When cuts cannot be had as asked for: what the caller is told for -errno r. Unless that is
 * ENOENT, the reason goes to status.json. */
int cutfile_failed(struct fs *fs, const char *name, int r, const struct err *e);

/* The time of a folder that lists cuts: that of the newest one, or of the mount. */
int64_t cutfile_folder_time(const struct fs *fs);

#endif
