/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/fetch_changed.h"

#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/influx/names.h"
#include "store/influx/store_id.h"
#include "store/restore/store_walk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct changed {
    const struct restore_request *request;
    char since[TIME_TEXT]; /* as time_exact_text; times in this form are ordered as texts */
    char newest[TIME_TEXT];
    char *name; /* of the newest file that has changed; NULL: none */
};

/* When the archive's state was taken: of a number without objects, when it was found to be unchanged. */
static void changed_since(const struct receipt *c, char out[TIME_TEXT])
{
    const char *r = c->run;
    snprintf(out, TIME_TEXT, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", r, r + 4, r + 6, r + 9, r + 11,
             r + 13);
    if (c->created && strcmp(c->created, out) > 0)
        snprintf(out, TIME_TEXT, "%s", c->created);
}

/* "data/DB/…", "wal/DB/…", of a database that would be replaced. */
static bool changed_counts(const struct changed *c, const char *name, const struct stat *st)
{
    const char *path;
    const enum target_kind kind = target_kind_of(name, &path);
    autofree char *db = strndup(path, strcspn(path, "/"));
    return S_ISREG(st->st_mode) && st->st_size && kind != TARGET_META && db &&
           strcmp(db, NAME_INTERNAL) != 0 && selection_has_database(&c->request->part, db);
}

static int changed_look(void *arg, const char *name, const struct stat *st)
{
    struct changed *c = arg;
    char when[TIME_TEXT];
    if (!changed_counts(c, name, st))
        return 0;
    time_exact_text(time_from_spec(&st->st_mtim), when);
    if (strcmp(when, c->since) <= 0 || strcmp(when, c->newest) <= 0)
        return 0;
    memcpy(c->newest, when, sizeof(when));
    free(c->name);
    c->name = strdup(name);
    return c->name ? 0 : -ENOMEM;
}

static int changed_walk(const struct snap *s, struct changed *c, struct err *e)
{
    cleanup(targets_freep) struct targets *t = NULL;
    cleanup(targets_closep) int fds[TARGETS] = {-1, -1, -1};
    int r = targets_open(&s->paths, (uid_t)-1, (gid_t)-1, &t, e);
    if (r == 0)
        r = targets_open_store(t, fds, e);
    if (r < 0)
        return r;
    r = store_walk(fds, changed_look, c);
    return r < 0 ? err_sys(e, r, "%s", s->paths.data) : 0;
}

int fetch_changed(const struct snap *s, const struct receipt *c, const struct restore_request *q,
                  struct err *words, struct err *e)
{
    struct store_id own;
    struct changed found = {.request = q};
    const bool adds = q->as || q->merge != MERGE_NONE; /* nothing is taken away */
    if (adds || !s->state || store_id_look(s->state, &own, NULL) < 0 ||
        strcmp(own.text, c->store) != 0)
        return 0;
    changed_since(c, found.since);
    int r = changed_walk(s, &found, e);
    if (r == 0 && found.name)
        err_set(words, 0,
                "this store is the one that was archived, and has changed since %.10s %.8s UTC "
                "(%s, %.10s %.8s): what was written after the archive %s only in "
                "*.before-restore, until the next restore",
                found.since, found.since + 11, found.name, found.newest, found.newest + 11,
                s->o.dry_run ? "would be" : "is now");
    free(found.name);
    return r;
}
