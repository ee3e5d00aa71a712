/* SPDX-License-Identifier: MIT */
/* Names of users and groups, looked up once for the life of the process. Safe in any thread. */
#ifndef INFLUXFS_BASE_OWNER_H
#define INFLUXFS_BASE_OWNER_H

#include <sys/types.h>

/* The name, or "" if there is none or it has more than 31 bytes (what a tar header holds). The
 * string lives as long as the process. */
const char *owner_user(uid_t uid);
const char *owner_group(gid_t gid);

#endif
