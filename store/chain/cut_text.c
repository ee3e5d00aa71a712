/* SPDX-License-Identifier: MIT */
#include "store/chain/cut_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void cut_text_put(FILE *f, const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s < ' ' || *s == 0x7f || *s == '%')
            fprintf(f, "%%%02X", (unsigned char)*s);
        else
            putc(*s, f);
    }
    putc('\n', f);
}

int cut_text_bad(const struct cut_reader *r, const char *what)
{
    return err_set(r->e, -EBADMSG, "the manifest of cut %s is damaged: line %zu, %s", r->name,
                   r->line, what);
}

char *cut_text_line(struct cut_reader *r)
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

char *cut_text_word(char **p)
{
    char *w = *p, *space = strchr(w, ' ');
    *p = space ? space + 1 : w + strlen(w);
    if (space)
        *space = 0;
    return w;
}

bool cut_parse_uint(const char *text, int base, uint64_t max, uint64_t *out)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    unsigned long long v = strtoull(text, &end, base);
    *out = v;
    return errno == 0 && *end == 0 && v <= max;
}

bool cut_parse_int(const char *text, int64_t *out)
{
    char *end;
    if (*text != '-' && (*text < '0' || *text > '9'))
        return false;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && *end == 0;
}

int cut_text_hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

bool cut_text_decode(char *s)
{
    char *to = s;
    for (; *s; s++) {
        if (*s != '%') {
            *to++ = *s;
            continue;
        }
        int hi = cut_text_hex(s[1]), lo = hi < 0 ? -1 : cut_text_hex(s[2]);
        if (lo < 0 || (hi == 0 && lo == 0))
            return false;
        *to++ = (char)(hi << 4 | lo);
        s += 2;
    }
    *to = 0;
    return true;
}
