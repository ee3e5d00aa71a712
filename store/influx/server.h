/* SPDX-License-Identifier: MIT */
/*
 * Which configuration file and which folders a running influxd 1.x uses, found out as it did
 * itself (influxdb cmd/influxd/run/command.go, config.go):
 *
 *   file     -config FILE or --config=FILE; else INFLUXDB_CONFIG_PATH; else the first that exists
 *            of $HOME/.influxdb/influxdb.conf and /etc/influxdb/influxdb.conf; else none
 *   folders  the file's, or without a file .influxdb/{meta,data,wal} in the home folder; each
 *            overridden by INFLUXDB_META_DIR, INFLUXDB_DATA_DIR, INFLUXDB_DATA_WAL_DIR
 *
 * All paths are the process's own and are followed from its root and working folder, so that
 * containers are seen into. Comparing is by device and inode number. The file is read as it is
 * now, which may differ from what it was when the server started.
 */
#ifndef INFLUXFS_INFLUX_SERVER_H
#define INFLUXFS_INFLUX_SERVER_H

#include "store/base/err.h"
#include "store/influx/paths.h"
#include "store/influx/process.h"

#include <sys/types.h>

struct server {
    int root, cwd;            /* the process's, as O_PATH descriptors */
    struct store_paths paths; /* as it sees them; config is NULL where it has none */
};

/* 1: *out is filled in; release it with server_close. 0: not a server of InfluxDB 1.x (another
 * command of influxd, such as backup, or 2.x). -ESRCH: it has ended, or is about to (it gets half a
 * second for that). Other errors: its folders cannot be found out, for the reason in e. */
int server_read(const struct process *p, struct server *out, struct err *e);
void server_close(struct server *s);

/* Where a path leads: the folder or file itself, or its existing part and the rest of the path. Two
 * paths lead to one place if place_same says so of their struct place. */
struct place {
    dev_t dev;
    ino_t ino;
    const char *rest; /* "" if it exists; points into the given path */
};

/* Follows path as s does, or as this process does if s is NULL. */
int place_find(const struct server *s, const char *path, struct place *out);
bool place_same(const struct place *a, const struct place *b);

#endif
