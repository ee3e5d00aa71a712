/* SPDX-License-Identifier: MIT */
/* The influxdb.conf of a clone: an influxd that runs on it answers queries, and does nothing to the
 * outside or to the points by itself. */
#ifndef INFLUXFS_INFLUXSNAP_CLONECONF_H
#define INFLUXFS_INFLUXSNAP_CLONECONF_H

#include <stdbool.h>

/* For the store in FOLDER/meta, FOLDER/data and FOLDER/wal. It listens on loopback, at ports that
 * were free a moment ago, and asks for passwords if `auth`. First of all, in comments, it says what
 * the clone is and how to end it. The caller frees *text. -ENOMEM; others from the system. */
int cloneconf_text(const char *folder, const char *cut, const char *time, bool auth, char **text);

#endif
