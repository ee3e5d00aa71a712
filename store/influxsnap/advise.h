/* SPDX-License-Identifier: MIT */
/* What an operator should know of the meta.db of a snapshot, before it is restored and after. */
#ifndef INFLUXFS_INFLUXSNAP_ADVISE_H
#define INFLUXFS_INFLUXSNAP_ADVISE_H

#include "store/snapshot/manifest.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

struct advice;

/* Collects the newest meta.db of snapshots that are read one after the other. Zeroed at first. */
struct advise {
    char *meta; /* its bytes; NULL: none has come */
    size_t len;
    char *created; /* when the last snapshot was taken */
};

/* Takes one more snapshot: the meta.db that is in it (now ours), or NULL. Without memory nothing is
 * said of it. */
void advise_next(struct advise *a, char *meta, size_t len, const struct manifest *m);

/* Says what a restore of them would bring, each line after "name: " unless name is NULL. kept: as
 * with --keep-expired. Adds the counts to `into` unless it is NULL. Then *a is zeroed again. */
void advise_end(struct advise *a, const char *name, bool kept, struct json_object *into);

void advise_clear(struct advise *a);

/* Says what a restore has brought. */
void advise_tell(const struct advice *r, const char *name);

/* Adds "created", "users", "subscriptions", "continuous_queries" and "damaged". */
void advise_json(const struct advice *r, struct json_object *into);

#endif
