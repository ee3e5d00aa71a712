/* SPDX-License-Identifier: MIT */
/* Tells an operator what a snapshot lacks, and what it holds in another form than the store. */
#ifndef INFLUXFS_INFLUXSNAP_TELLING_H
#define INFLUXFS_INFLUXSNAP_TELLING_H

#include "store/snapshot/capture.h"

#include <json-c/json.h>

/* Print a line on stderr for each kind, if there is any. name goes before it; may be NULL. */
void tell_left_out(const char *name, const struct omissions *left_out);
void tell_links(const char *name, const char *const *links, size_t n);

/* Both for a capture, and which of its TSM files are damaged, as far as is known. Returns the exit
 * code: EXIT_OMISSIONS if data could be missed. */
int tell_capture(const struct capture *c);

/* Adds `left_out` and `links` to a result. */
void tell_json(struct json_object *o, const struct omissions *left_out, const char *const *links,
               size_t n);
/* And `damaged`. */
void tell_capture_json(struct json_object *o, const struct capture *c);

#endif
