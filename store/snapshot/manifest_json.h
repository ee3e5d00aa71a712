/* SPDX-License-Identifier: MIT */
/*
 * The JSON of a manifest, for manifest.c, without a tree of all of it: of the lists that grow with the
 * store, one element is in memory at a time. One thread.
 */
#ifndef INFLUXFS_SNAPSHOT_MANIFEST_JSON_H
#define INFLUXFS_SNAPSHOT_MANIFEST_JSON_H

#include "store/base/err.h"

#include <json-c/json.h>
#include <stddef.h>

struct manifest_json;

/* Exactly one object, of len bytes, which must outlive *out. The caller frees it. -EBADMSG: it is not
 * that, as far as can be seen without the elements of lists; -ENOMEM. */
int manifest_json_parse(const char *json, size_t len, struct manifest_json **out);
void manifest_json_free(struct manifest_json *j); /* NULL is allowed */
static inline void manifest_json_freep(struct manifest_json **j)
{
    manifest_json_free(*j);
}

/* The object, in which those lists are empty. It stays j's. */
struct json_object *manifest_json_root(const struct manifest_json *j);

/* Called with each element, in order; NULL: a null. It stays the caller's. */
typedef int manifest_json_fn(void *arg, struct json_object *element, struct err *e);

/* Of the list with this key: "files", "folders", "removed" or "removed_folders". What `each` returns if
 * that is an error; -EBADMSG, with a message: there is no such list, or it is no valid JSON. */
int manifest_json_each(const struct manifest_json *j, const char *key, manifest_json_fn *each,
                       void *arg, struct err *e);

#endif
