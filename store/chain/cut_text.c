/* SPDX-License-Identifier: MIT */
#include "store/chain/cut_text.h"

#include "store/base/sha256.h"

#include <errno.h>
#include <inttypes.h>
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

#define MAGIC_1 "influxfs-cut 1\n" /* as long as CUT_MAGIC */

int cut_seal_check(const char *name, const char *head, const char *seal, struct sha256 *sum,
                   struct err *e)
{
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX + 1];
    if (!head || memcmp(head, "influxfs-cut ", 13) != 0)
        return err_set(e, -EBADMSG,
                       "the manifest of cut %s is damaged: it is cut off or no manifest of a cut",
                       name);
    if (memcmp(head, CUT_MAGIC, CUT_MAGIC_BYTES) != 0 &&
        memcmp(head, MAGIC_1, CUT_MAGIC_BYTES) != 0)
        return err_set(e, -EINVAL,
                       "the manifest of cut %s is of a later version, or damaged; use a newer "
                       "influxfs",
                       name);
    if (sum) {
        sha256_end(sum, digest);
        sha256_hex(digest, hex);
    }
    if (memcmp(seal, "end ", 4) != 0 || seal[CUT_SEAL_BYTES - 1] != '\n' ||
        (sum && memcmp(seal + 4, hex, SHA256_HEX) != 0))
        return err_set(e, -EBADMSG,
                       "the manifest of cut %s is damaged: its checksum is not that of its lines",
                       name);
    return 0;
}

static void text_put_lost(FILE *f, const struct cut_lost *l)
{
    char name[CUT_LOST_NAMES];
    if (l->files)
        fprintf(f, "lost %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", l->shards,
                l->files, l->bytes, l->of, l->policies);
    for (const char *p = l->names; *p;) {
        size_t len = strcspn(p, "\n");
        memcpy(name, p, len);
        name[len] = 0;
        fprintf(f, "lost-in ");
        cut_text_put(f, name);
        p += len + (p[len] == '\n');
    }
}

void cut_head_put(FILE *f, const struct cut_head *h)
{
    fprintf(f, "serial %" PRIu64 "\n", h->serial);
    if (h->number >= 0)
        fprintf(f, "number %" PRId64 "\n", h->number);
    fprintf(f, "chain %s\nid %s\n", h->chain, h->id);
    if (*h->parent)
        fprintf(f, "parent %s\n", h->parent);
    fprintf(f, "created %" PRId64 "\nwall %" PRId64 "\nhost ", h->created_ns, h->wall_ns);
    cut_text_put(f, h->host);
    fprintf(f, "index %" PRIu64 "\nskew %" PRId64 "\n", h->index, h->skew_ns);
    text_put_lost(f, &h->lost);
    if (h->guard != CUT_GUARD_FINE)
        fprintf(f, "guard %s\n", h->guard == CUT_GUARD_TRIPPED ? "tripped" : "accepted");
}

static int copy_text(const struct cut_reader *r, const char *from, char *to, size_t size)
{
    if (strlen(from) >= size || !*from)
        return cut_text_bad(r, "a text that is empty or too long");
    strcpy(to, from);
    return 0;
}

static int read_lost(const struct cut_reader *r, char *p, struct cut_lost *l)
{
    uint64_t *const values[] = {&l->shards, &l->files, &l->bytes, &l->of, &l->policies};
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        if (!cut_parse_uint(cut_text_word(&p), 10, INT64_MAX, values[i]))
            return cut_text_bad(r, "what was lost");
    return 0;
}

static int read_lost_in(const struct cut_reader *r, char *name, struct cut_lost *l)
{
    size_t at = strlen(l->names);
    if (!cut_text_decode(name) || !*name || strchr(name, '\n') ||
        at + strlen(name) + 2 > CUT_LOST_NAMES)
        return cut_text_bad(r, "where something was lost");
    snprintf(l->names + at, CUT_LOST_NAMES - at, "%s%s", at ? "\n" : "", name);
    return 0;
}

static int read_guard(const struct cut_reader *r, const char *value, enum cut_guard *out)
{
    *out = strcmp(value, "accepted") == 0 ? CUT_GUARD_ACCEPTED : CUT_GUARD_TRIPPED;
    return *out == CUT_GUARD_ACCEPTED || strcmp(value, "tripped") == 0
               ? 0
               : cut_text_bad(r, "the guard");
}

/* What cuts have had since version 2. */
static int text_read_later_line(const struct cut_reader *r, const char *key, char *value,
                                struct cut_head *h)
{
    if (strcmp(key, "wall") == 0)
        return cut_parse_int(value, &h->wall_ns) ? 0 : cut_text_bad(r, "the clock's time");
    if (strcmp(key, "lost") == 0)
        return read_lost(r, value, &h->lost);
    if (strcmp(key, "lost-in") == 0)
        return read_lost_in(r, value, &h->lost);
    if (strcmp(key, "guard") == 0)
        return read_guard(r, value, &h->guard);
    return cut_text_bad(r, "an unknown word");
}

int cut_head_read(const struct cut_reader *r, const char *key, char *value, struct cut_head *h)
{
    uint64_t n;
    if (strcmp(key, "serial") == 0)
        return cut_parse_uint(value, 10, INT64_MAX, &h->serial) ? 0 : cut_text_bad(r, "the serial");
    if (strcmp(key, "number") == 0) {
        bool ok = cut_parse_uint(value, 10, INT64_MAX, &n);
        h->number = ok ? (int64_t)n : -1;
        return ok ? 0 : cut_text_bad(r, "the number");
    }
    if (strcmp(key, "chain") == 0)
        return copy_text(r, value, h->chain, sizeof(h->chain));
    if (strcmp(key, "id") == 0)
        return copy_text(r, value, h->id, sizeof(h->id));
    if (strcmp(key, "parent") == 0)
        return copy_text(r, value, h->parent, sizeof(h->parent));
    if (strcmp(key, "created") == 0) {
        bool ok = cut_parse_int(value, &h->created_ns);
        h->wall_ns = h->created_ns; /* what version 2 knows better follows */
        return ok ? 0 : cut_text_bad(r, "the time");
    }
    if (strcmp(key, "host") == 0) {
        bool ok = cut_text_decode(value) && strlen(value) < sizeof(h->host);
        return ok ? (strcpy(h->host, value), 0) : cut_text_bad(r, "the host");
    }
    if (strcmp(key, "index") == 0)
        return cut_parse_uint(value, 10, UINT64_MAX, &h->index) ? 0 : cut_text_bad(r, "the index");
    if (strcmp(key, "skew") == 0)
        return cut_parse_int(value, &h->skew_ns) ? 0 : cut_text_bad(r, "the skew");
    return text_read_later_line(r, key, value, h);
}
