/* SPDX-License-Identifier: MIT */
#include "store/chain/rules.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <math.h>
#include <string.h>

void rules_default(struct cut_rules *out)
{
    *out = (struct cut_rules){.reserve_part = 0.05, .guard = true, .guard_part = 0.2};
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
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    *out = v << shift;
    return *text >= '0' && *text <= '9' && errno == 0 && v <= (uint64_t)INT64_MAX >> shift &&
           end[unit != NULL] == 0;
}

int rules_reserve(const char *text, struct cut_rules *out, struct err *e)
{
    double part = 0;
    uint64_t bytes = 0;
    bool is_part = read_percent(text, &part);
    if (!is_part && !read_bytes(text, &bytes))
        return err_set(e, -EINVAL,
                       "option reserve=%s: neither a part of the disk, as 5%%, nor a number of "
                       "bytes, as 10G",
                       text);
    out->reserve_part = is_part ? part : 0;
    out->reserve_bytes = bytes;
    return 0;
}

int rules_guard(const char *text, struct cut_rules *out, struct err *e)
{
    double part = 0;
    bool on = strcmp(text, "off") != 0;
    if (on && !read_percent(text, &part))
        return err_set(e, -EINVAL,
                       "option guard=%s: neither a part of the store, such as 20%%, nor off", text);
    out->guard = on;
    out->guard_part = part;
    return 0;
}

int rules_exclude(const char *text, struct cut_rules *out, struct err *e)
{
    size_t n = 1;
    for (const char *p = text; *p; p++)
        n += *p == ':';
    char **list = calloc(n, sizeof(*list));
    if (!list)
        return err_sys(e, -ENOMEM, "option exclude");
    rules_clear(out);
    out->exclude = (const char *const *)list;
    for (size_t len; out->nexclude < n; text += len + 1) {
        len = strcspn(text, ":");
        if (len == 0)
            return err_set(e, -EINVAL, "option exclude: the name of a database is empty");
        list[out->nexclude] = strndup(text, len);
        if (!list[out->nexclude])
            return err_sys(e, -ENOMEM, "option exclude");
        out->nexclude++;
    }
    return 0;
}

void rules_clear(struct cut_rules *r)
{
    for (size_t i = 0; i < r->nexclude; i++)
        free((char *)r->exclude[i]);
    free((void *)r->exclude);
    r->exclude = NULL;
    r->nexclude = 0;
}
