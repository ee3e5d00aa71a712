/* SPDX-License-Identifier: MIT */
/*
 * The text that manifests of cuts are made of (cutlist.h): lines of words, of which the last may be
 * a text. It is cut into lines and words in place when it is read. Pure.
 */
#ifndef INFLUXFS_CHAIN_CUT_TEXT_H
#define INFLUXFS_CHAIN_CUT_TEXT_H

#include "store/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A text being read. */
struct cut_reader {
    const char *name; /* of the cut, for messages */
    char *at, *end;
    size_t line; /* that was read last */
    struct err *e;
};

/* -EBADMSG: what of the line last read is damaged. */
int cut_text_bad(const struct cut_reader *r, const char *what);

/* The next line without its newline; NULL at the end, or if a last line has none. */
char *cut_text_line(struct cut_reader *r);

/* Cuts the next word off *p; "" if there is none. */
char *cut_text_word(char **p);

/* Decimal numbers, or of another base, that are the whole text. */
bool cut_parse_uint(const char *text, int base, uint64_t max, uint64_t *out);
bool cut_parse_int(const char *text, int64_t *out);

/* Writes a text and a newline: control bytes and % as %XX. */
void cut_text_put(FILE *f, const char *s);
/* Takes the %XX out, in place. */
bool cut_text_decode(char *s);

/* The value of a hexadecimal digit; -1: it is not one. */
int cut_text_hex(char c);

#endif
