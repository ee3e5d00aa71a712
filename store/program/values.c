/* SPDX-License-Identifier: MIT */
#include "store/program/values.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/log.h"
#include "store/base/owner.h"
#include "store/chain/cuts.h"
#include "store/export/dump_name.h"
#include "store/influx/selection.h"
#include "store/restore/restore_request.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int value_flag(const char *text, void *out, struct err *e)
{
    (void)text, (void)e;
    *(bool *)out = true;
    return 0;
}

int value_text(const char *text, void *out, struct err *e)
{
    char **to = out;
    if (!*text)
        return err_set(e, -EINVAL, "its value is empty");
    char *copy = strdup(text);
    if (!copy)
        return err_sys(e, -ENOMEM, "its value");
    free(*to);
    *to = copy;
    return 0;
}

/* Digits, from text to *end; no sign, no space. */
static bool digits(const char *text, int base, uint64_t max, uint64_t *out, char **end)
{
    errno = 0;
    *out = strtoull(text, end, base);
    return *text >= '0' && *text <= '9' && errno == 0 && *out <= max;
}

static int whole_number(const char *text, int base, uint64_t max, uint64_t *out, struct err *e)
{
    char *end;
    uint64_t v;
    if (!digits(text, base, max, &v, &end) || *end)
        return err_set(e, -EINVAL, "not a whole number, or out of range");
    *out = v;
    return 0;
}

int value_count(const char *text, void *out, struct err *e)
{
    return whole_number(text, 10, UINT64_C(1) << 40, out, e);
}

int value_number(const char *text, void *out, struct err *e)
{
    return whole_number(text, 10, INT64_MAX, out, e);
}

static int read_id(const char *text, int base, unsigned max, struct value_id *out, struct err *e)
{
    uint64_t v;
    int r = whole_number(text, base, max, &v, e);
    if (r == 0)
        *out = (struct value_id){true, (unsigned)v};
    return r;
}

int value_id(const char *text, void *out, struct err *e)
{
    return read_id(text, 10, UINT_MAX - 1, out, e);
}

int value_mode(const char *text, void *out, struct err *e)
{
    return read_id(text, 8, 0777, out, e);
}

int value_owner(const char *text, void *out, struct err *e)
{
    struct value_owner *o = out;
    return owner_parse(text, &o->uid, &o->gid, e);
}

int value_every(const char *text, void *out, struct err *e)
{
    static const char units[] = "smhd";
    static const uint64_t seconds[] = {1, 60, 3600, 86400};
    const uint64_t most = 100 * 366 * 86400ull;
    char *end;
    uint64_t v;
    bool good = digits(text, 10, most, &v, &end);
    const char *unit = *end ? strchr(units, *end) : units;
    uint64_t times = unit ? seconds[unit - units] : 0;
    if (!good || !unit || (*end && end[1]) || v == 0 || v > most / times)
        return err_set(e, -EINVAL, "not a time; it is a number with s, m, h or d, such as 1h");
    *(int64_t *)out = (int64_t)(v * times) * 1000000000;
    return 0;
}

int value_age(const char *text, void *out, struct err *e)
{
    struct value_age age = {0};
    autofree char *warn = strdup(text);
    char *colon = warn ? strchr(warn, ':') : NULL;
    if (!warn)
        return err_sys(e, -ENOMEM, "its value");
    if (colon)
        *colon = 0;
    int r = value_every(warn, &age.warn_ns, e);
    age.critical_ns = 2 * age.warn_ns;
    if (r == 0 && colon)
        r = value_every(colon + 1, &age.critical_ns, e);
    if (r < 0)
        return r;
    if (age.critical_ns < age.warn_ns)
        return err_set(e, -EINVAL, "the second time is shorter than the first");
    *(struct value_age *)out = age;
    return 0;
}

int value_time(const char *text, void *out, struct err *e)
{
    return cuts_parse_time(text, strlen(text), out) < 0
               ? err_set(e, -EINVAL,
                         "not a time from 1677-09-22 to 2262-04-11 (expected 2016-06-11T12:00:00Z)")
               : 0;
}

/* Finds a word in a list that ends with NULL and gives its index; never gives empty words. */
static int choose(const char *text, const char *const *words, int *out, const char *which,
                  struct err *e)
{
    for (int i = 0; words[i]; i++) {
        if (*text && strcmp(words[i], text) == 0) {
            *out = i;
            return 0;
        }
    }
    return err_set(e, -EINVAL, "it is %s", which);
}

int value_compress(const char *text, void *out, struct err *e)
{
    static const char *const words[] = {
        [COMPRESS_NOT] = "", [COMPRESS_ZSTD] = "zstd", [COMPRESS_GZIP] = "gzip", NULL};
    return choose(text, words, out, "zstd or gzip", e);
}

int value_format(const char *text, void *out, struct err *e)
{
    static const char *const dumps[] = {
        [DUMP_JSON] = "json", [DUMP_CSV] = "csv", [DUMP_LP] = "lp", NULL};
    struct value_format *f = out;
    f->given = true;
    f->set = strcmp(text, "portable") == 0 ? VALUE_SET_PORTABLE
             : strcmp(text, "legacy") == 0 ? VALUE_SET_LEGACY
                                           : VALUE_NO_SET;
    return f->set ? 0
                  : choose(text, dumps, &f->dump,
                           "lp, json or csv for points, portable or legacy for a backup", e);
}

int value_points(const char *text, void *out, struct err *e)
{
    struct err why = {0};
    struct value_format f = {0};
    int r = value_format(text, &f, &why);
    if (r < 0 || f.set)
        return err_set(e, -EINVAL, "it is json, csv or lp");
    *(struct value_format *)out = f;
    return 0;
}

int value_verify(const char *text, void *out, struct err *e)
{
    static const char *const words[] = {"size", "read", NULL};
    int which = 0, r = choose(text, words, &which, "size or read", e);
    if (r == 0)
        *(bool *)out = which;
    return r;
}

int value_merge(const char *text, void *out, struct err *e)
{
    static const char *const words[] = {
        [MERGE_NONE] = "", [MERGE_OURS] = "ours", [MERGE_THEIRS] = "theirs", NULL};
    return choose(text, words, out, "ours or theirs", e);
}

int value_level(const char *text, void *out, struct err *e)
{
    return choose(text, log_level_names, out, "error, warning, info or debug", e);
}

int value_names(const char *text, void *out, struct err *e)
{
    static const char *const words[] = {
        [DUMP_NAMES_COLONS] = "colons", [DUMP_NAMES_COMPACT] = "compact", NULL};
    return choose(text, words, out, "colons or compact", e);
}

static bool read_percent(const char *text, double *part)
{
    char *end;
    double v = strtod(text, &end);
    *part = v / 100;
    return *text >= '0' && *text <= '9' && strcmp(end, "%") == 0 && isfinite(v) && v <= 100;
}

static bool read_bytes(const char *text, uint64_t *out)
{
    static const char units[] = "KMGT";
    char *end;
    uint64_t v;
    bool good = digits(text, 10, INT64_MAX, &v, &end);
    const char *unit = *end ? strchr(units, *end) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    *out = v << shift;
    return good && v <= (uint64_t)INT64_MAX >> shift && end[unit != NULL] == 0;
}

int value_size(const char *text, void *out, struct err *e)
{
    uint64_t bytes = 0;
    if (!read_bytes(text, &bytes) || bytes == 0)
        return err_set(e, -EINVAL, "not a number of bytes, such as 5G or 500M");
    *(uint64_t *)out = bytes;
    return 0;
}

/* Less would be all windows and no room. */
#define MEMORY_LEAST (UINT64_C(1) << 20)

int value_memory(const char *text, void *out, struct err *e)
{
    uint64_t bytes = 0;
    if (!read_bytes(text, &bytes) || bytes < MEMORY_LEAST || bytes > SIZE_MAX)
        return err_set(e, -EINVAL, "not a number of bytes of at least 1M, such as 64M");
    *(size_t *)out = (size_t)bytes;
    return 0;
}

int value_reserve(const char *text, void *out, struct err *e)
{
    struct cut_rules *rules = out;
    double part = 0;
    uint64_t bytes = 0;
    bool is_part = read_percent(text, &part);
    if (!is_part && !read_bytes(text, &bytes))
        return err_set(e, -EINVAL,
                       "neither a part of the disk, such as 5%%, nor a number of bytes, such as "
                       "10G");
    rules->reserve_part = is_part ? part : 0;
    rules->reserve_bytes = bytes;
    return 0;
}

int value_guard(const char *text, void *out, struct err *e)
{
    struct cut_rules *rules = out;
    double part = 0;
    bool on = strcmp(text, "off") != 0;
    if (on && !read_percent(text, &part))
        return err_set(e, -EINVAL, "neither a part of the store, such as 20%%, nor off");
    rules->guard = on;
    rules->guard_part = part;
    return 0;
}

/* A name up to a colon or the end, of which *len bytes are taken; a backslash, which no database's
 * name has, takes the colon after it into the name. NULL: out of memory. */
static char *value_name(const char *text, size_t *len)
{
    char *name = malloc(strlen(text) + 1);
    size_t n = 0, at = 0;
    while (name && text[at] && text[at] != ':') {
        at += text[at] == '\\' && text[at + 1] == ':';
        name[n++] = text[at++];
    }
    if (name)
        name[n] = 0;
    *len = at;
    return name;
}

/* DB[:DB…]; the list grows by the names. */
static int value_names_split(const char *text, const char ***list, size_t *count, struct err *e)
{
    for (size_t len;; text += len + 1) {
        char *name = value_name(text, &len);
        if (!name || !array_grow(list, *count)) {
            free(name);
            return err_sys(e, -ENOMEM, "its names");
        }
        (*list)[(*count)++] = name;
        if (!*name)
            return err_set(e, -EINVAL, "the name of a database is empty");
        if (!text[len])
            return 0;
    }
}

static void value_names_free(const char *const **list, size_t *n)
{
    for (size_t i = 0; i < *n; i++)
        free((char *)(*list)[i]);
    free((void *)*list);
    *list = NULL;
    *n = 0;
}

int value_exclude(const char *text, void *out, struct err *e)
{
    struct cut_rules *rules = out;
    const char **list = (const char **)rules->exclude;
    int r = value_names_split(text, &list, &rules->nexclude, e);
    rules->exclude = list;
    return r;
}

int value_databases(const char *text, void *out, struct err *e)
{
    struct selection *s = out;
    const char **list = (const char **)s->databases;
    int r = value_names_split(text, &list, &s->ndatabases, e);
    s->databases = list;
    return r;
}

int value_shards(const char *text, void *out, struct err *e)
{
    struct selection *s = out;
    uint64_t *list = (uint64_t *)s->shards;
    for (;; text++) {
        char *end;
        errno = 0;
        uint64_t id = strtoull(text, &end, 10);
        if (!isdigit((unsigned char)*text) || errno || (*end && *end != ':'))
            return err_set(e, -EINVAL, "not the ids of shards, such as 7 or 7:12");
        if (!array_grow(&list, s->nshards))
            return err_sys(e, -ENOMEM, "its ids");
        list[s->nshards++] = id;
        s->shards = list;
        text = end;
        if (!*end)
            return 0;
    }
}

void value_selection_clear(struct selection *s)
{
    value_names_free(&s->databases, &s->ndatabases);
    free((void *)s->shards);
    s->shards = NULL;
    s->nshards = 0;
}

/* The bit of a folder of the root; 0: it cannot be hidden. */
static unsigned hide_bit(const char *name, size_t n)
{
    static const char *const names[] = {"live",    "snapshots", "at",    "dump",
                                        "restore", "databases", "backup"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == n && memcmp(names[i], name, n) == 0)
            return 1u << i;
    return 0;
}

int value_hide(const char *text, void *out, struct err *e)
{
    unsigned hidden = 0;
    for (size_t n; text; text = text[n] ? text + n + 1 : NULL) {
        n = strcspn(text, ":,");
        unsigned bit = hide_bit(text, n);
        if (n == 0)
            return err_set(e, -EINVAL,
                           "an empty name; live, snapshots, at, dump and restore can be "
                           "hidden, and databases and backup, such as dump:at");
        if (!bit)
            return err_set(e, -EINVAL,
                           "%.*s cannot be hidden, but live, snapshots, at, dump and restore can, "
                           "and databases and backup, such as dump:at",
                           (int)n, text);
        hidden |= bit;
    }
    *(unsigned *)out |= hidden;
    return 0;
}

int value_pace(const char *text, void *out, struct err *e)
{
    const uint64_t least = UINT64_C(1) << 20; /* what is read at a time: a second for each piece */
    uint64_t *pace = out, rate = 0;
    if (strcmp(text, "off") == 0)
        *pace = PACE_OFF;
    else if (strcmp(text, "auto") == 0)
        *pace = PACE_AUTO;
    else if (read_bytes(text, &rate) && rate >= least)
        *pace = rate;
    else
        return err_set(e, -EINVAL,
                       "neither off nor auto nor a number of bytes a second, such as 50M, of 1M at "
                       "least");
    return 0;
}

const char *value_pace_text(uint64_t pace, char out[PACE_TEXT])
{
    if (pace == PACE_OFF || pace == PACE_AUTO)
        return pace == PACE_OFF ? "off" : "auto";
    snprintf(out, PACE_TEXT, "%" PRIu64, pace);
    return out;
}

void value_rules_clear(struct cut_rules *r)
{
    value_names_free(&r->exclude, &r->nexclude);
}
