/* SPDX-License-Identifier: MIT */
/* How results are shown, in text and as JSON. */
#ifndef INFLUXFS_INFLUXSNAP_WORDS_H
#define INFLUXFS_INFLUXSNAP_WORDS_H

#include <json-c/json.h>
#include <stdint.h>

/* The name of a cut: its number, or "base" for -1. */
void words_cut(int64_t number, char out[32]);

/* Prints the object on a line, and releases it. */
void words_json(struct json_object *o);

#endif
