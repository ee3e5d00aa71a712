/* SPDX-License-Identifier: MIT */
#include "fs/lifetime.h"

#include "store/base/time.h"
/* influxfs(1) promises the times of processes, names, uploads and sets, and "a few seconds" and "a
 * minute" for cuts. A tool reopens a file within seconds, so short times suffice for what can be
 * had again unchanged, which a capture cannot. */
static const struct {
    int64_t used_ns, closed_ns; /* since then, each */
} rules[] = {
    [LIFE_PROCESS] = {60 * SECOND_NS, 10 * SECOND_NS},
    [LIFE_NAME] = {600 * SECOND_NS, 600 * SECOND_NS},
    [LIFE_CUT_TAR] = {5 * SECOND_NS, 5 * SECOND_NS},
    [LIFE_DUMP] = {10 * SECOND_NS, 10 * SECOND_NS},
    [LIFE_BACKUP] = {60 * SECOND_NS, 60 * SECOND_NS},
    [LIFE_VIEW] = {60 * SECOND_NS, 60 * SECOND_NS},
    [LIFE_UPLOAD] = {30 * SECOND_NS, 30 * SECOND_NS},
    [LIFE_SET] = {600 * SECOND_NS, 600 * SECOND_NS}, /* people create .done */
};

void lifetime_use(struct lifetime *l)
{
    l->used_ns = time_mono_ns();
}

void lifetime_close(struct lifetime *l)
{
    l->open--;
    l->closed_ns = time_mono_ns();
}

bool lifetime_over(const struct lifetime *l, enum life_rule rule)
{
    int64_t now = time_mono_ns();
    return !l->open && now - l->used_ns >= rules[rule].used_ns &&
           (!l->closed_ns || now - l->closed_ns >= rules[rule].closed_ns);
}
