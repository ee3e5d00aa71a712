/* SPDX-License-Identifier: MIT */
/* UTF-8 by RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF. Names from file
 * systems are any bytes; whoever shows one puts UTF8_REPLACEMENT in the place of each byte that is
 * outside a character. */
#ifndef INFLUXFS_BASE_UTF8_H
#define INFLUXFS_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* How many bytes the character at text, of which there are len bytes, takes; 0: there is none. */
size_t utf8_character(const char *text, size_t len);

/* The code of such a character of n bytes. */
uint32_t utf8_code(const char *text, size_t n);

#endif
