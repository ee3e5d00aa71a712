/* SPDX-License-Identifier: MIT */
/* The influxdb.conf of a clone: an influxd that runs on it answers queries, and does nothing to the
 * outside or to the points by itself. */
#ifndef INFLUXFS_INFLUXSNAP_CLONECONF_H
#define INFLUXFS_INFLUXSNAP_CLONECONF_H

/* For the store in FOLDER/meta, FOLDER/data and FOLDER/wal. It listens on loopback, at ports that
 * were free a moment ago. The caller frees *text. -ENOMEM; others from the system. */
int cloneconf_text(const char *folder, char **text);

#endif
