/* SPDX-License-Identifier: MIT */
/* A selection that meets nothing is a mistake: the message says what there is. */
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/influx/names.h"
#include "store/rewrite/selected_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* As many words as fit, and "…" for the rest. */
struct words {
    char text[480];
    size_t n;
    bool full;
};

static void say(struct words *w, const char *word)
{
    const size_t room = sizeof(w->text) - w->n;
    const bool fits = strlen(word) + 8 < room;
    if (w->full)
        return;
    w->n += (size_t)snprintf(w->text + w->n, room, "%s%s", w->n ? ", " : "", fits ? word : "…");
    w->full = !fits;
}

static int check_database(const struct partmeta *store, const char *db, struct err *e)
{
    struct words all = {.n = 0};
    for (size_t i = 0; i < partmeta_count(store); i++) {
        if (strcmp(partmeta_name(store, i), db) == 0)
            return 0;
        say(&all, partmeta_name(store, i));
    }
    return err_set(e, -ENOENT, "there is no database %s; %s%s", db,
                   all.n ? "there are " : "the store has none", all.text);
}

int selected_check(const struct partmeta *store, const struct selection *what, struct err *e)
{
    size_t n = 0;
    for (size_t i = 0; i < what->ndatabases; i++) {
        int r = check_database(store, what->databases[i], e);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < partmeta_count(store); i++)
        n += selection_has_database(what, partmeta_name(store, i));
    return n ? 0 : err_set(e, -ENOENT, "no database is selected: all that there are are excluded");
}

int selected_check_excluded(const struct capture *whole, const struct selection *what,
                            struct err *e)
{
    cleanup(partmeta_freep) struct partmeta *store = NULL;
    int r = what->nexclude ? selected_read_meta(whole, &store, e) : 0;
    for (size_t i = 0; r == 0 && i < what->nexclude; i++)
        if (strcmp(what->exclude[i], NAME_INTERNAL) != 0)
            r = check_database(store, what->exclude[i], e);
    return r;
}

static void say_policies(const struct meta *m, struct words *w)
{
    for (size_t i = 0; i < meta_policies(m); i++) {
        const char *db, *rp;
        char name[512];
        meta_policy(m, i, &db, &rp);
        snprintf(name, sizeof(name), "%s.%s", db, rp);
        say(w, name);
    }
}

static void say_shards(const struct meta *m, struct words *w)
{
    for (size_t i = 0; i < meta_live_shards(m); i++) {
        const char *db, *rp;
        uint64_t id;
        char name[544];
        meta_live_shard_at(m, i, &db, &rp, &id);
        snprintf(name, sizeof(name), "%" PRIu64 " of %s.%s", id, db, rp);
        say(w, name);
    }
}

/* From the first to the last time of any shard. */
static void check_say_times(const struct meta *m, struct words *w)
{
    int64_t first = INT64_MAX, last = INT64_MIN, start, end;
    char times[2][TIME_TEXT], text[2 * TIME_TEXT + 32];
    for (size_t i = 0; i < meta_live_shards(m); i++) {
        meta_live_shard_times(m, i, &start, &end);
        first = start < first ? start : first;
        last = end > last ? end : last;
    }
    if (first > last)
        return;
    time_exact_text(first, times[0]);
    time_exact_text(last, times[1]);
    snprintf(text, sizeof(text), "times from %s to %s", times[0], times[1]);
    say(w, text);
}

/* Refuses with what the selected databases have instead. */
static int check_refuse(const struct partmeta *store, const struct selection *what,
                        const char *missing, void (*tell)(const struct meta *m, struct words *w),
                        struct err *e)
{
    struct selection databases = *what;
    struct words have = {.n = 0};
    cleanup(meta_freep) struct meta *meta = NULL;
    autofree void *bytes = NULL;
    size_t len;
    databases.rp = tell == say_policies ? NULL : what->rp;
    databases.nshards = 0;
    databases.from = INT64_MIN;
    databases.to = INT64_MAX;
    int r = partmeta_make(store, &databases, &bytes, &len, &meta, e);
    if (r < 0)
        return r;
    tell(meta, &have);
    return err_set(e, -ENOENT, "nothing is selected: %s; %s%s", missing,
                   have.n ? "there are " : "there is no shard", have.text);
}

static bool has_shard(const struct meta *m, uint64_t wanted)
{
    for (size_t i = 0; i < meta_live_shards(m); i++) {
        const char *db, *rp;
        uint64_t id;
        meta_live_shard_at(m, i, &db, &rp, &id);
        if (id == wanted)
            return true;
    }
    return false;
}

int selected_check_shards(const struct partmeta *store, const struct selection *what,
                          const struct meta *meta, struct err *e)
{
    char missing[320];
    if (what->rp && meta_policies(meta) == 0) {
        snprintf(missing, sizeof(missing), "no retention policy %s", what->rp);
        return check_refuse(store, what, missing, say_policies, e);
    }
    for (size_t i = 0; i < what->nshards; i++) {
        snprintf(missing, sizeof(missing), "no shard %" PRIu64, what->shards[i]);
        if (!has_shard(meta, what->shards[i]))
            return check_refuse(store, what, missing, say_shards, e);
    }
    if ((what->from != INT64_MIN || what->to != INT64_MAX) && meta_live_shards(meta) == 0)
        return check_refuse(store, what, "no shard has points at these times", check_say_times, e);
    return 0;
}
