/* SPDX-License-Identifier: MIT */
/* Users and groups: names, ids, and the option for an owner. Functions are safe in any thread. */
#ifndef INFLUXFS_BASE_OWNER_H
#define INFLUXFS_BASE_OWNER_H

#include "store/base/err.h"

#include <stdbool.h>
#include <sys/types.h>

/* The name, looked up once per process; "" if there is none or it exceeds 31 bytes (the limit of a
 * tar header). The string lives as long as the process. */
const char *owner_user(uid_t uid);
const char *owner_group(gid_t gid);

/* The ids of the user of this name and of the user's group; false, and no output, if there is
 * none. */
bool owner_find_user(const char *name, uid_t *uid, gid_t *gid);

/* USER[:GROUP], by name or number, as in an option called owner. Without a group, the user's own;
 * for a number without a user, the same number. -EINVAL, with a message. */
int owner_parse(const char *text, uid_t *uid, gid_t *gid, struct err *e);

#endif
