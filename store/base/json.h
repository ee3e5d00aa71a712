/* SPDX-License-Identifier: MIT */
/* Text as JSON strings. Names from file systems are any bytes, while JSON is UTF-8 (RFC 8259). So
 * each byte outside a well-formed character (RFC 3629: no surrogates, no overlong forms, nothing
 * above U+10FFFF) becomes U+FFFD. Not for text that influxfs reads again as a path: that stays
 * exact. */
#ifndef INFLUXFS_BASE_JSON_H
#define INFLUXFS_BASE_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NULL: out of memory. */
struct json_object *json_text(const char *text);
struct json_object *json_text_len(const char *text, size_t len);

/* NULL, which is JSON's null, also for NULL and the empty text. */
struct json_object *json_text_or_null(const char *text);
struct json_object *json_texts(const char *const *list, size_t n); /* an array */

/* Each adds a key to an object: a value, which the object then owns (NULL is JSON's null); such a
 * text; a count; the number of a cut or an increment (null below 0); a boolean. */
void json_add(struct json_object *o, const char *key, struct json_object *value);
void json_add_text(struct json_object *o, const char *key, const char *text);
void json_add_count(struct json_object *o, const char *key, uint64_t n);
void json_add_number(struct json_object *o, const char *key, int64_t number);
void json_add_bool(struct json_object *o, const char *key, bool yes);

/* Reads a key of an object: whether there is such a value, which stays the object's; and a text as fresh
 * memory, where NULL is one that is not there, or null. false: it is something else, or memory is
 * short. */
bool json_get(struct json_object *o, const char *key, json_type type, struct json_object **out);
bool json_get_text(struct json_object *o, const char *key, char **out);

#endif
