/* SPDX-License-Identifier: MIT */
/*
 * The tars of cuts as files: base.tar and the numbers in snapshots/, and those in at/.
 *
 * A node is a name and a cut, so what is read is what was stat'ed. base.tar and latest.tar move
 * from cut to cut: they keep their st_ino and get a new node each time. Opening a node whose cut is
 * gone gives ESTALE, and the kernel looks again.
 *
 * The tar, and with it the lease on the cut, is held while a handle is open and for a while longer
 * (lifetime.h), since programs open a file several times.
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

void cutfiles_init(struct fs *fs); /* fs->cut_tars */

/* The node, pinned. */
int cutfile_lookup(struct fs *fs, const struct node *dir, enum cutfile what,
                   const struct cut_info *cut, struct node **out);
ino_t cutfile_ino(enum cutfile what, uint64_t serial);

/* Whether the text is a number as listed: decimal, without sign or leading zeros. */
bool cutfile_number(const char *text, size_t len, int64_t *out);

/* Gives the caller's errno for -errno r when cuts cannot be had. Unless it is ENOENT, the reason
 * goes to status.json. */
int cutfile_failed(struct fs *fs, const char *name, int r, const struct err *e);

#endif
