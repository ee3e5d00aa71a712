/* SPDX-License-Identifier: MIT */
/* Finds shards by what folders look like, where no meta.db says what there is. */
#ifndef INFLUXFS_INFLUXSNAP_LOOSEFIND_H
#define INFLUXFS_INFLUXSNAP_LOOSEFIND_H

#include "store/influx/meta.h"
#include "store/influx/paths.h"
#include "store/influxsnap/meter.h"
#include "store/rewrite/remeta.h"
#include "store/snapshot/loose.h"

/* The shards of a store that `known` (NULL: nothing) does not list, live or deleted: folders with
 * their WAL, and WAL that has lost its folder of data. Names that influxd takes for a shard, but by
 * which nothing can be restored, are said to be left out. */
int loosefind_store(const struct store_paths *p, const struct meta *known,
                    const struct remeta_rules *rules, struct loose *l, struct err *e);

/* Calls fn for each name in a folder, in order, with its path; a result other than 0 ends it. A folder
 * that is missing is empty. */
typedef int loosefind_fn(void *arg, const char *path, const char *name);
int loosefind_each(const char *folder, loosefind_fn *fn, void *arg, struct err *e);

/* Whether a folder is there; follow: also at the end of a link. */
bool loosefind_is_folder(const char *path, bool follow);

/* Adds what was found to a meta.db, by the times of its points; *made is the number of shards that have
 * any. Those without are named, and their ids are not given away. meter: shows each shard; may be
 * NULL. */
int loosefind_remeta(struct loose *l, struct metaedit *m, const struct remeta_rules *rules,
                     struct meter *meter, size_t *made, struct err *e);

#endif
