/* SPDX-License-Identifier: MIT */
#include "store/program/lengths.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/program/values.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The time comes after the last '=', as a name may have others. */
static int lengths_add(const char *text, bool infinite, struct lengths *l, struct err *e)
{
    const char *equal = strrchr(text, '='), *time = equal ? equal + 1 : text;
    const size_t n = equal ? (size_t)(equal - text) : 0;
    struct lengths_one one = {0};
    const char *slash = memchr(text, '/', n);
    if (equal && (!slash || slash == text || slash + 1 == equal))
        return err_set(e, -EINVAL, "not DB/RP=TIME, such as sensu_db/default=30d, or TIME");
    if (!infinite || strcasecmp(time, "INF") != 0) {
        int r = value_every(time, &one.ns, e);
        if (r < 0)
            return r;
    }
    one.policy = equal ? strndup(text, n) : NULL;
    if ((equal && !one.policy) || !array_grow(&l->list, l->n)) {
        free(one.policy);
        return err_sys(e, -ENOMEM, "its value");
    }
    l->list[l->n++] = one;
    return 0;
}

int value_durations(const char *text, void *out, struct err *e)
{
    return lengths_add(text, true, out, e);
}

int value_shard_durations(const char *text, void *out, struct err *e)
{
    return lengths_add(text, false, out, e);
}

static bool is_of(const char *policy, const char *db, const char *rp)
{
    const size_t n = strlen(db);
    return strncmp(policy, db, n) == 0 && policy[n] == '/' && strcmp(policy + n + 1, rp) == 0;
}

int64_t lengths_of(const struct lengths *l, const char *db, const char *rp)
{
    const struct lengths_one *found = NULL;
    for (size_t i = 0; i < l->n; i++) {
        const char *policy = l->list[i].policy;
        if (policy ? is_of(policy, db, rp) : !found || !found->policy)
            found = &l->list[i];
    }
    return found ? found->ns : 0;
}

const char *lengths_unknown(const struct lengths *l,
                            bool (*has)(void *arg, const char *db, const char *rp), void *arg)
{
    for (size_t i = 0; i < l->n; i++) {
        const char *policy = l->list[i].policy, *slash = policy ? strchr(policy, '/') : NULL;
        autofree char *db = slash ? strndup(policy, (size_t)(slash - policy)) : NULL;
        if (db && !has(arg, db, slash + 1))
            return policy;
    }
    return NULL;
}

void lengths_clear(struct lengths *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->list[i].policy);
    free(l->list);
    *l = (struct lengths){0};
}
