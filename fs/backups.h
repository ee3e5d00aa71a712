/* SPDX-License-Identifier: MIT */
/*
 * backup/: the store as `influxd backup` would write it, for the real `influxd restore`
 * (store/sets/madeset.h).
 *
 *   backup/portable/       <UTC>.manifest, <UTC>.meta, <UTC>.sID.tar.gz: everything
 *   backup/portable/DB/    the same of one database; found by name, not listed, so that a recursive
 *                          copy holds each point once. DB as in dump/ (store/export/dump_name.h)
 *   backup/legacy/         meta.00, DB.RP.NNNNN.00
 *
 * Which capture a caller sees, and for how long: backup_sets.h.
 */
#ifndef INFLUXFS_FS_BACKUPS_H
#define INFLUXFS_FS_BACKUPS_H

#include "fs/backup_sets.h"

/* Makes fs->backups and the folder. -ENOMEM. */
int backups_new(struct fs *fs, struct node **out);

/* The file i of a set, in a folder whose path below the mount is dir_path: a pinned node. Takes over
 * nothing. -EINTR; other errors are in status.json. */
int backupfile_lookup(struct request *r, const struct node *dir, const char *dir_path,
                      struct backup_sets *sets, struct madeset *set, size_t i, struct node **out);
void backupfiles_init(struct fs *fs); /* fs->backup_files */
ino_t backupfile_ino(const char *dir_path, const char *name);

#endif
