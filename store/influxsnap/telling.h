/* SPDX-License-Identifier: MIT */
/* Tells an operator, before a restore and after, what a snapshot lacks, what it holds in another
 * form than the store, and what to know of its meta.db. */
#ifndef INFLUXFS_INFLUXSNAP_TELLING_H
#define INFLUXFS_INFLUXSNAP_TELLING_H

#include "store/restore/composed.h"
#include "store/snapshot/capture.h"
#include "store/snapshot/manifest.h"

#include <json-c/json.h>

/* Prints a line on stderr for each kind, if there is any, after name, which may be NULL. */
void tell_left_out(const char *name, const struct omissions *left_out);
void tell_links(const char *name, const char *const *links, size_t n);

/* Both for a capture, and its TSM files that are known to be damaged. Returns the exit code:
 * EXIT_OMISSIONS if data could be missed. */
int tell_capture(const struct capture *c);

/* Adds `left_out` and `links` to a result. */
void tell_json(struct json_object *o, const struct omissions *left_out, const char *const *links,
               size_t n);
/* And `damaged`. */
void tell_capture_json(struct json_object *o, const struct capture *c);

struct advice;

/* Collects the newest meta.db of snapshots read one after another. Zeroed at first. */
struct advise {
    char *meta; /* its bytes; NULL: none has come */
    size_t len;
    char *created; /* when the last snapshot was taken */

    bool keep_state;          /* set by the caller: also what they lead to, */
    struct manifest *state;   /* which is this; */
    struct composed composed; /* and, set by the caller, what of it would be put into the store */
};

/* Adds a snapshot: its meta.db, taken over, or NULL. Without memory it is ignored; `state` is NULL
 * then, or if the snapshots do not follow each other. */
void advise_next(struct advise *a, char *meta, size_t len, const struct manifest *m);

/* Says what a restore of them would bring, each line after "name: " unless name is NULL. kept: as
 * with --keep-expired. Adds the counts to `into` unless it is NULL. Zeroes *a again. */
void advise_end(struct advise *a, const char *name, bool kept, struct json_object *into);

void advise_clear(struct advise *a);

/* Says what a restore has brought. */
void advise_tell(const struct advice *r, const char *name);

/* Adds "created", "users", "subscriptions", "continuous_queries" and "damaged". */
void advise_json(const struct advice *r, struct json_object *into);

#endif
