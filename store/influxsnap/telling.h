/* SPDX-License-Identifier: MIT */
/* What an operator must be told of a snapshot: what is not in it, and what is in it otherwise than
 * in the store. */
#ifndef INFLUXFS_INFLUXSNAP_TELLING_H
#define INFLUXFS_INFLUXSNAP_TELLING_H

#include "store/snapshot/capture.h"

#include <json-c/json.h>

/* Says it on stderr, a line for each kind; nothing if there is nothing to say. name goes before it;
 * may be NULL. */
void tell_left_out(const char *name, const struct omissions *left_out);
void tell_links(const char *name, const char *const *links, size_t n);

/* Both of a capture, and which TSM files in it are damaged, as far as is known. Returns the exit
 * code: EXIT_OMISSIONS if somebody could miss something. */
int tell_capture(const struct capture *c);

/* Adds `left_out` and `links` to a result. */
void tell_json(struct json_object *o, const struct omissions *left_out, const char *const *links,
               size_t n);
/* And `damaged`. */
void tell_capture_json(struct json_object *o, const struct capture *c);

#endif
