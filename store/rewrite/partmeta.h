/* SPDX-License-Identifier: MIT */
/*
 * The meta.db of a part of a store (selected.h says what is in it), for many parts of one store.
 *
 * The store's meta.db is looked through once; for a part only the databases that it names are read
 * in full. The result depends on nothing that is not in the part: Term and Index are 1, and the
 * greatest ids of groups and shards are those in it (meta.proto; influxdb services/meta/data.go).
 */
#ifndef INFLUXFS_REWRITE_PARTMETA_H
#define INFLUXFS_REWRITE_PARTMETA_H

#include "store/base/err.h"
#include "store/influx/meta.h"
#include "store/influx/metaedit.h"
#include "store/influx/selection.h"

#include <stddef.h>

struct partmeta;

/* Takes over buf, the len bytes of a meta.db that meta_parse reads, also on failure. The caller
 * releases *out with partmeta_free. -EBADMSG; -ENOMEM. */
int partmeta_new(char *buf, size_t len, struct partmeta **out, struct err *e);
void partmeta_free(struct partmeta *m); /* NULL is allowed */
static inline void partmeta_freep(struct partmeta **m)
{
    partmeta_free(*m);
}

/* The databases, sorted bytewise; names live as long as m. */
size_t partmeta_count(const struct partmeta *m);
const char *partmeta_name(const struct partmeta *m, size_t i);

/* The bytes for a selection, which the caller frees, and what they say, to be released with
 * meta_free. Not checked: whether anything is selected. -ENOMEM. */
int partmeta_make(const struct partmeta *m, const struct selection *what, void **bytes, size_t *len,
                  struct meta **meta, struct err *e);

/* Takes away all that is not selected: also databases of which nothing is, such as those without a
 * policy or a shard that is asked for. Users stay with their grants on the databases that stay.
 * -ENOMEM. */
int partmeta_keep(struct metaedit *m, const struct selection *what, struct err *e);

#endif
