/* SPDX-License-Identifier: MIT */
/* The text format of cuts' manifests (cutlist.h): lines of words; the last word may be a text.
 * Reading splits the text in place. Also the head, the lines about the cut itself. Pure. */
#ifndef INFLUXFS_CHAIN_CUT_TEXT_H
#define INFLUXFS_CHAIN_CUT_TEXT_H

#include "store/base/err.h"
#include "store/snapshot/catalog.h"

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

/* -EBADMSG, with a message: `what`, in the last line read, is damaged. */
int cut_text_bad(const struct cut_reader *r, const char *what);

/* The next line without its newline; NULL at the end, or if a last line has none. */
char *cut_text_line(struct cut_reader *r);

/* Cuts the next word off *p; "" if there is none. */
char *cut_text_word(char **p);

/* Numbers, decimal or of another base, that are the whole text. */
bool cut_parse_uint(const char *text, int base, uint64_t max, uint64_t *out);
bool cut_parse_int(const char *text, int64_t *out);

/* Writes a text and a newline: control bytes and % as %XX. */
void cut_text_put(FILE *f, const char *s);
/* Decodes the %XX, in place. */
bool cut_text_decode(char *s);

/* The value of a hexadecimal digit, or -1. */
int cut_text_hex(char c);

/* The first line, and the last one, which holds the sum of all before it. */
#define CUT_MAGIC "influxfs-cut 2\n"
#define CUT_MAGIC_BYTES (sizeof(CUT_MAGIC) - 1)
#define CUT_SEAL_BYTES (sizeof("end \n") - 1 + 64)

/* Whether the lines begin and end so: head points to CUT_MAGIC_BYTES (NULL: there are not so many),
 * seal to CUT_SEAL_BYTES; sum is that of all before the seal (NULL: it was compared before). -EBADMSG;
 * -EINVAL: of a later version; with a message. */
struct sha256;
int cut_seal_check(const char *name, const char *head, const char *seal, struct sha256 *sum,
                   struct err *e);

#define CUT_ID_MAX 64       /* characters of an id or chain */
#define CUT_LOST_NAMES 1040 /* bytes of the names of what was lost; one always fits */

/* What vanished since the cut before (cut_loss.h). */
struct cut_lost {
    uint64_t shards;           /* that are gone as a whole */
    uint64_t files, bytes, of; /* of is what there was, in bytes */
    uint64_t policies;
    char names[CUT_LOST_NAMES]; /* the policies with the largest losses, "DB/RP", one per line */
};

/* Whether it lost more than was allowed. */
enum cut_guard { CUT_GUARD_FINE, CUT_GUARD_TRIPPED, CUT_GUARD_ACCEPTED };

struct cut_head {
    uint64_t serial;
    int64_t number; /* -1: none */
    char chain[CUT_ID_MAX + 1];
    char id[CUT_ID_MAX + 1];
    char parent[CUT_ID_MAX + 1]; /* "": none */
    char host[CATALOG_HOST + 1];
    int64_t created_ns; /* rises from cut to cut */
    int64_t wall_ns;    /* the clock's time */
    uint64_t index;
    int64_t skew_ns;
    struct cut_lost lost;
    enum cut_guard guard;
};

/* Writes the lines of the head except the first. */
void cut_head_put(FILE *f, const struct cut_head *h);

/* Reads one of them, whose first word is key. -EBADMSG, with a message: damaged, or not a head
 * line. */
int cut_head_read(const struct cut_reader *r, const char *key, char *value, struct cut_head *h);

#endif
