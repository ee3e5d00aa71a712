/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/whichcut.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_number(const char *text)
{
    return *text && !text[strspn(text, "0123456789")] && strlen(text) < 19;
}

static int whichcut_base(struct cuts *c, struct cut_info *out, struct err *e)
{
    autofree struct cut_info *list = NULL;
    struct err broken = {0};
    size_t n;
    int r = cuts_list(c, &list, &n, &broken, e);
    if (r == 0 && n == 0)
        r = err_set(e, -ENOENT, "%s", broken.text[0] ? broken.text : "there are no cuts yet");
    if (r == 0)
        *out = list[0];
    return r;
}

int whichcut(struct cuts *c, const char *which, struct cut_info *out, struct err *e)
{
    struct err why = {0};
    int64_t ns;
    int r;
    if (strcmp(which, "latest") == 0)
        r = cuts_latest(c, out, &why);
    else if (strcmp(which, "base") == 0)
        r = whichcut_base(c, out, &why);
    else if (is_number(which))
        r = cuts_by_number(c, strtoll(which, NULL, 10), out, &why);
    else if (cuts_parse_time(which, strlen(which), &ns) == 0)
        r = cuts_at_time(c, ns, out, &why);
    else
        r = err_set(&why, -EINVAL,
                    "neither a number, nor base, latest or a time as 2016-06-11T12:00:00Z");
    return r < 0 ? err_set(e, r, "cut %s: %s", which, why.text) : 0;
}
