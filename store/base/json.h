/* SPDX-License-Identifier: MIT */
/*
 * Text as a string of JSON. What influxfs names comes from file systems, whose names are any bytes,
 * while JSON is UTF-8 (RFC 8259) and readers refuse anything else. So each byte that belongs to no
 * well-formed character (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF)
 * becomes U+FFFD. Well-formed text stays as it is.
 *
 * Not for text that influxfs reads again and takes for a path: that stays exact.
 */
#ifndef INFLUXFS_BASE_JSON_H
#define INFLUXFS_BASE_JSON_H

#include <json-c/json.h>
#include <stddef.h>

/* NULL: out of memory. */
struct json_object *json_text(const char *text);
struct json_object *json_text_len(const char *text, size_t len);

/* NULL, which is JSON's null, for NULL and the empty text too. */
struct json_object *json_text_or_null(const char *text);

#endif
