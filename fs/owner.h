/* SPDX-License-Identifier: MIT */
/* Who owns the files of the mount that are not the store's own. */
#ifndef INFLUXFS_FS_OWNER_H
#define INFLUXFS_FS_OWNER_H

#include "store/influx/paths.h"

#include <sys/types.h>

/* The owner of the data folder, else of the meta folder, else what owner= says (unless -1), else
 * user influxdb, else this process. */
void owner_of_store(const struct store_paths *paths, uid_t given_uid, gid_t given_gid, uid_t *uid,
                    gid_t *gid);

#endif
