/* SPDX-License-Identifier: MIT */
/* Folders of a session in which sets are received (spool_folder.h). Any thread. */
#ifndef INFLUXFS_RESTORE_SESSION_FOLDER_H
#define INFLUXFS_RESTORE_SESSION_FOLDER_H

#include "store/base/err.h"
#include "store/restore/spool_folder.h"

struct session;

/* A new one. -EBUSY: influxd uses the store; -EAGAIN: another restore is beginning; those of
 * spool_folder_new. */
int session_folder_new(struct session *s, struct spool_folder **out, struct err *e);

/* Removes it. NULL is allowed. */
void session_folder_free(struct session *s, struct spool_folder *f);

/* Removes those of processes that have gone, and logs that. */
void session_folders_tidy(struct session *s, const struct targets *t);

#endif
