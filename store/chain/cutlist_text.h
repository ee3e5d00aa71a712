/* SPDX-License-Identifier: MIT */
/* The inside of manifest files, for cutlist.c and cutlist_head.c: their text, which is cut into
 * lines and words in place when it is read. */
#ifndef INFLUXFS_CHAIN_CUTLIST_TEXT_H
#define INFLUXFS_CHAIN_CUTLIST_TEXT_H

#include "store/chain/cutlist.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void put_text(FILE *f, const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s < ' ' || *s == 0x7f || *s == '%')
            fprintf(f, "%%%02X", (unsigned char)*s);
        else
            putc(*s, f);
    }
    putc('\n', f);
}

struct reader {
    const char *name;
    char *at, *end;
    size_t line;
    struct err *e;
};

static inline int bad(const struct reader *r, const char *what)
{
    return err_set(r->e, -EBADMSG, "the manifest of cut %s is damaged: line %zu, %s", r->name,
                   r->line, what);
}

/* The next line without its newline, or NULL at the end. */
static inline char *next_line(struct reader *r)
{
    if (r->at >= r->end)
        return NULL;
    char *line = r->at, *nl = memchr(line, '\n', (size_t)(r->end - line));
    if (!nl)
        return NULL;
    *nl = 0;
    r->at = nl + 1;
    r->line++;
    return line;
}

/* Cuts the next word off *p; "" if there is none. */
static inline char *word(char **p)
{
    char *w = *p, *space = strchr(w, ' ');
    *p = space ? space + 1 : w + strlen(w);
    if (space)
        *space = 0;
    return w;
}

static inline bool number(const char *text, int base, uint64_t max, uint64_t *out)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    unsigned long long v = strtoull(text, &end, base);
    *out = v;
    return errno == 0 && *end == 0 && v <= max;
}

static inline bool signed_number(const char *text, int64_t *out)
{
    char *end;
    if (*text != '-' && (*text < '0' || *text > '9'))
        return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && *end == 0;
}

static inline int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* Takes the %XX out of a text, in place. */
static inline bool decode(char *s)
{
    char *to = s;
    for (; *s; s++) {
        if (*s != '%') {
            *to++ = *s;
            continue;
        }
        int hi = hex_digit(s[1]), lo = hi < 0 ? -1 : hex_digit(s[2]);
        if (lo < 0 || (hi == 0 && lo == 0))
            return false;
        *to++ = (char)(hi << 4 | lo);
        s += 2;
    }
    *to = 0;
    return true;
}

/* The lines of the head, but for the first. */
void cutlist_put_head(FILE *f, const struct cut_head *h);
int cutlist_read_head(const struct reader *r, const char *key, char *value, struct cut_head *h);

#endif
