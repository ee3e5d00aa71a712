/* SPDX-License-Identifier: MIT */
/* influxsnap backup --host: as backup, with the store of another machine. */
#ifndef INFLUXFS_INFLUXSNAP_BACKUP_HOST_H
#define INFLUXFS_INFLUXSNAP_BACKUP_HOST_H

struct snap;

/* The command; returns an exit code. */
int backup_host(struct snap *s);

#endif
