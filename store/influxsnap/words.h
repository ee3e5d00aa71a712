/* SPDX-License-Identifier: MIT */
/* How results are shown, in text and as JSON. */
#ifndef INFLUXFS_INFLUXSNAP_WORDS_H
#define INFLUXFS_INFLUXSNAP_WORDS_H

#include "store/chain/cuts.h"

#include <json-c/json.h>
#include <stdint.h>

/* "base" for -1, else the number. */
void words_cut(int64_t number, char out[32]);

/* RFC 3339, UTC, to the nanosecond: given back to `clone`, it means the same cut. */
void words_time(int64_t ns, char out[40]);

/* A cut as an object of its own. */
struct json_object *words_cut_json(const struct cut_info *c);

/* Prints the object on a line, and releases it. */
void words_json(struct json_object *o);

#endif
