/* SPDX-License-Identifier: MIT */
/* Users and groups: their names, their ids, and what an option says of an owner. Functions are safe
 * in any thread. */
#ifndef INFLUXFS_BASE_OWNER_H
#define INFLUXFS_BASE_OWNER_H

#include "store/base/err.h"

#include <stdbool.h>
#include <sys/types.h>

/* The name, looked up once in the life of the process, or "" if there is none or it has more than
 * 31 bytes (what a tar header holds). The string lives as long as the process. */
const char *owner_user(uid_t uid);
const char *owner_group(gid_t gid);

/* The ids of the user of this name and of its group; false, and nothing written: there is none. */
bool owner_find_user(const char *name, uid_t *uid, gid_t *gid);

/* USER[:GROUP], by name or number, as in an option called owner. Without a group: the user's own;
 * of a number that no user has, the same number. -EINVAL, with a message. */
int owner_parse(const char *text, uid_t *uid, gid_t *gid, struct err *e);

#endif
