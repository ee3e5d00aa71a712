/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/values.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <math.h>
#include <pwd.h>
#include <string.h>

/* Digits only: no sign, no space. */
static int number(const char *text, uint64_t max, uint64_t *out)
{
    char *end;
    if (!*text || text[strspn(text, "0123456789")])
        return -EINVAL;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno || v > max)
        return -EINVAL;
    *out = v;
    return 0;
}

int value_count(const char *name, const char *text, uint64_t *out, struct err *e)
{
    return number(text, INT64_MAX, out) < 0
               ? err_set(e, -EINVAL, "option --%s=%s: not a number", name, text)
               : 0;
}

static int find_user(const char *name, uid_t *uid, gid_t *gid)
{
    uint64_t v;
    const struct passwd *pw = getpwnam(name);
    if (pw) {
        *uid = pw->pw_uid;
        *gid = pw->pw_gid;
        return 0;
    }
    if (number(name, UINT_MAX - 1, &v) < 0)
        return -EINVAL;
    *uid = (uid_t)v;
    *gid = (gid_t)v;
    return 0;
}

static int find_group(const char *name, gid_t *gid)
{
    uint64_t v;
    const struct group *gr = getgrnam(name);
    if (!gr && number(name, UINT_MAX - 1, &v) < 0)
        return -EINVAL;
    *gid = gr ? gr->gr_gid : (gid_t)v;
    return 0;
}

int value_owner(const char *text, uid_t *uid, gid_t *gid, struct err *e)
{
    autofree char *user = strdup(text);
    if (!user)
        return err_sys(e, -ENOMEM, "option --owner");
    char *group = strchr(user, ':');
    if (group)
        *group++ = 0;
    if (find_user(user, uid, gid) < 0)
        return err_set(e, -EINVAL, "option --owner: there is no user %s", user);
    if (group && find_group(group, gid) < 0)
        return err_set(e, -EINVAL, "option --owner: there is no group %s", group);
    return 0;
}

static int parse_percent(const char *text, double *part)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || strcmp(end, "%") != 0 || !isfinite(v) || v < 0 || v > 100)
        return -EINVAL;
    *part = v / 100;
    return 0;
}

static int parse_bytes(const char *text, uint64_t *out)
{
    static const char units[] = "KMGT";
    autofree char *digits = strdup(text);
    size_t n = strlen(text);
    uint64_t v;
    unsigned shift = 0;
    const char *unit = n ? strchr(units, text[n - 1]) : NULL;
    if (!digits)
        return -ENOMEM;
    if (unit) {
        digits[n - 1] = 0;
        shift = 10 * (unsigned)(unit - units + 1);
    }
    if (number(digits, (uint64_t)INT64_MAX >> shift, &v) < 0)
        return -EINVAL;
    *out = v << shift;
    return 0;
}

int value_reserve(const char *text, struct cut_rules *out, struct err *e)
{
    out->reserve_bytes = 0;
    out->reserve_part = 0;
    if (parse_percent(text, &out->reserve_part) == 0 || parse_bytes(text, &out->reserve_bytes) == 0)
        return 0;
    return err_set(e, -EINVAL,
                   "option --reserve=%s: neither a part of the disk, as 5%%, nor bytes, as 10G",
                   text);
}

int value_exclude(const char *text, struct cut_rules *out, char **memory, struct err *e)
{
    size_t n = 1;
    for (const char *p = text; *p; p++)
        n += *p == ':';
    char *names = strdup(text);
    const char **list = calloc(n, sizeof(*list));
    if (!names || !list) {
        free(names);
        free(list);
        return err_sys(e, -ENOMEM, "option --exclude");
    }
    *memory = names;
    out->exclude = list;
    out->nexclude = 0;
    for (char *name; (name = strsep(&names, ":"));) {
        if (!*name)
            return err_set(e, -EINVAL, "option --exclude=%s: the name of a database is empty",
                           text);
        list[out->nexclude++] = name;
    }
    return 0;
}
