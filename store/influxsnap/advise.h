/* SPDX-License-Identifier: MIT */
/* What the operator is told of the meta.db of a snapshot: restored, or before that. */
#ifndef INFLUXFS_INFLUXSNAP_ADVISE_H
#define INFLUXFS_INFLUXSNAP_ADVISE_H

#include "store/snapshot/manifest.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

struct advice;

/* The newest meta.db of snapshots that are looked at one after the other. All zeros at first. */
struct advise {
    char *meta; /* its bytes; NULL: none has come */
    size_t len;
    char *created; /* when the last snapshot was taken */
};

/* One more: the meta.db that is in it, taken over, or NULL. Where memory is out it is not told of.
 */
void advise_next(struct advise *a, char *meta, size_t len, const struct manifest *m);

/* Says what a restore of them would bring; name comes before each line, unless NULL. kept: as with
 * --keep-expired. into gets the numbers, unless NULL. Then all is as at first. */
void advise_end(struct advise *a, const char *name, bool kept, struct json_object *into);

void advise_clear(struct advise *a);

/* Says what a restore has brought. */
void advise_tell(const struct advice *r, const char *name);

/* Adds "created", "users", "subscriptions" and "continuous_queries". */
void advise_json(const struct advice *r, struct json_object *into);

#endif
