/* SPDX-License-Identifier: MIT */
/*
 * Where a store lies: from an influxdb.conf, or from the folder that holds meta/, data/ and wal/.
 *
 * In an influxdb.conf (TOML) the folders are [meta] dir, [data] dir and [data] wal-dir; like
 * influxd, this ignores the case of these keys. INFLUXDB_META_DIR, INFLUXDB_DATA_DIR and
 * INFLUXDB_DATA_WAL_DIR override the file; empty ones count as unset (influxdb
 * cmd/influxd/run/config.go). The packaged service, whose file is CONFIG_PACKAGE, gets such
 * variables from CONFIG_DEFAULTS.
 */
#ifndef INFLUXFS_INFLUX_CONFIG_H
#define INFLUXFS_INFLUX_CONFIG_H

#include "store/base/err.h"
#include "store/influx/paths.h"

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_PACKAGE "/etc/influxdb/influxdb.conf"
#define CONFIG_DEFAULTS "/etc/default/influxdb"

/* Larger files are not accepted as an influxdb.conf. */
#define CONFIG_MAX (1 << 20)

/* Finds the folders of store, a file or a folder, which must exist.
 *
 *   file    the environment of this process overrides its values, override overrides both. Of
 *           CONFIG_PACKAGE, what CONFIG_DEFAULTS sets comes between the file and the environment.
 *           Relative folders in it are taken from this process's working folder, as influxd takes
 *           them from its own.
 *   folder  store/meta, store/data and store/wal, whether they exist or not; override overrides
 *           these. The environment does not count.
 *
 * override may be NULL, and so may its members; its config is ignored. The paths in *out are
 * absolute and without a slash at the end; symbolic links and ".." are left in them. out->config is
 * the file's path, NULL for a folder. The caller releases *out with store_paths_free.
 *
 * Errors, with a message in e: what stat or open says of store; -EINVAL for a line that is not TOML
 * (FILE:LINE), a folder that is not set anywhere or set to nothing, a file that is not a text file
 * of at most CONFIG_MAX bytes, CONFIG_DEFAULTS that cannot be understood, and for what belongs to InfluxDB 2.x; -ENOMEM.
 *
 * Reads the environment: no thread may change it meanwhile. */
int config_load(const char *store, const struct store_paths *override, struct store_paths *out,
                struct err *e);

/* Reads the text of an influxdb.conf, which errors call name: the folders as they are written
 * there, NULL where they are not set or empty; out->config is NULL. No environment, no file system.
 * The caller releases *out with store_paths_free. -EINVAL, -ENOMEM. */
int config_parse(const char *text, size_t len, const char *name, struct store_paths *out,
                 struct err *e);

/* Whether influxd with this influxdb.conf asks for passwords: [http] auth-enabled, which
 * INFLUXDB_HTTP_AUTH_ENABLED overrides. A value that is no boolean counts as yes. Errors as
 * config_load. */
int config_asks_passwords(const char *file, bool *out, struct err *e);

/* Replaces the folders that an environment file (envfile.h) sets; of one that is set to nothing last,
 * nothing is replaced. Errors call the file name. -EINVAL: what envfile_read refuses, and a folder
 * with a line break. -ENOMEM. */
int config_parse_defaults(const char *text, size_t len, const char *name, struct store_paths *out,
                          struct err *e);

#endif
