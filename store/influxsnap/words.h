/* SPDX-License-Identifier: MIT */
/* How results are shown, in text and as JSON. */
#ifndef INFLUXFS_INFLUXSNAP_WORDS_H
#define INFLUXFS_INFLUXSNAP_WORDS_H

#include "store/chain/cuts.h"

#include <json-c/json.h>
#include <stdint.h>

/* "base" for -1, else the number. */
void words_cut(int64_t number, char out[32]);

/* RFC 3339, UTC, to the nanosecond: given back to `clone`, it means the same cut,
 * unless the clock was set back after it. */
void words_time(int64_t ns, char out[40]);

/* A cut as an object of its own; before is the one before it in the list, or NULL. */
struct json_object *words_cut_json(const struct cut_info *c, const struct cut_info *before);

/* Whether the clock was set back between the two. */
bool words_clock_set(const struct cut_info *c, const struct cut_info *before);

/* Prints the object on a line, and releases it. */
void words_json(struct json_object *o);

#endif
