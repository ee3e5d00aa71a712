/* SPDX-License-Identifier: MIT */
/* How results are shown, in text and as JSON. */
#ifndef INFLUXFS_INFLUXSNAP_WORDS_H
#define INFLUXFS_INFLUXSNAP_WORDS_H

#include <json-c/json.h>
#include <stdint.h>

/* "base" for -1, else the number. */
void words_cut(int64_t number, char out[32]);

/* Prints the object on a line, and releases it. */
void words_json(struct json_object *o);

#endif
