/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/archive_names.h"

#include "mount-helper/nightly/archive_clean.h"
#include "mount-helper/nightly/archive_mark.h"
#include "store/base/cleanup.h"
#include "store/sets/set_name.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* Whose object it is; NULL: nobody's that is known. */
static const struct receipt *names_owner(const struct archived_day *d, const char *name)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->runs[i].known && receipt_find(&d->runs[i].receipt, name))
            return &d->runs[i].receipt;
    return NULL;
}

/* Whether it is the mark of a run that has no receipt so far. */
static bool names_is_marked(const struct archived_day *d, const char *name)
{
    const size_t n = strlen(name), k = sizeof(MARK_ENDING) - 1;
    if (n <= k || strcmp(name + n - k, MARK_ENDING) != 0)
        return false;
    for (size_t i = 0; i < d->n; i++)
        if (strncmp(d->runs[i].name, name, n - k + 1) == 0)
            return false;
    return true;
}

static int names_see(const struct archive_place *p, const struct archived_day *d, const char *name,
                     unsigned *nn, struct err *e)
{
    uint64_t id, run = 0;
    size_t prefix;
    if (names_is_marked(d, name))
        return err_set(e, -EBUSY,
                       "%s: another archive is being made there, or was cut off: a set with names "
                       "that do not tell whose they are cannot be put beside it; try again later",
                       name);
    if (!set_name_meta(name, &run) && !set_name_shard(name, &prefix, &id, &run))
        return 0;
    const struct receipt *of = names_owner(d, name);
    if (!of)
        return err_set(e, -EEXIST,
                       "%s lies there, and no receipt tells of it: a set beside it could not be "
                       "told from it; remove it, or give another --container-format",
                       name);
    if (strncmp(of->store, p->store, STORE_ID) != 0)
        return err_set(
            e, -EEXIST,
            "%s lies there, of the store of host %s: influxd would take both for sets of "
            "one server; give another --container-format",
            name, of->host ? of->host : "?");
    if (run >= UINT_MAX)
        return err_set(e, -EEXIST, "%s: no run has a number after that one", name);
    if (run >= *nn)
        *nn = (unsigned)run + 1;
    return 0;
}

int archive_names_next(const struct archive_place *p, unsigned *nn, struct err *e)
{
    struct archived_day d;
    struct err why = {0};
    autofree char *folder = dayname_folder(p->format, p->day, DAYNAME_SHARDS);
    unsigned next = 0;
    int r = folder ? archive_clean_look(p, p->day, true, &d, e) : -ENOMEM;
    if (r == -ENOENT) {
        *nn = 0;
        return 0;
    }
    if (r < 0)
        return folder ? r : err_sys(e, r, "a day");
    for (size_t i = 0; r == 0 && i < d.list.n; i++)
        r = names_see(p, &d, d.list.at[i].name, &next, &why);
    archived_day_clear(&d);
    if (r < 0)
        return err_set(e, r, "%s%s%s: %s", remote_name(p->remote), remote_slash(p->remote), folder,
                       why.text);
    *nn = next;
    return 0;
}
