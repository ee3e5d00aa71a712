/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/archive_clean.h"

#include "mount-helper/nightly/putting_bytes.h"
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/chain/cuts.h"
#include "store/influxsnap/say.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cleaning {
    const struct archive_place *place;
    char *folder;
    const struct archived_day *day; /* the runs of this store, or of all */
    struct archived_day every;      /* the runs of all, once they are needed */
    struct mark *marks;             /* of this store */
    size_t nmarks;
    size_t removed;
};

static void cleaning_clear(struct cleaning *c)
{
    for (size_t i = 0; i < c->nmarks; i++)
        mark_clear(&c->marks[i]);
    free(c->marks);
    free(c->folder);
    archived_day_clear(&c->every);
}

static int cleaning_begin(struct cleaning *c, int32_t day, struct err *e)
{
    c->folder = dayname_folder(c->place->format, day, DAYNAME_SHARDS);
    return c->folder ? 0 : err_sys(e, -ENOMEM, "a day");
}

static int cleaning_remove(struct cleaning *c, const char *name, struct err *e)
{
    autofree char *path = path_join(c->folder, name);
    int r = path ? remote_remove(c->place->remote, path, e) : err_sys(e, -ENOMEM, "%s", name);
    if (r == 0)
        c->removed++;
    return r;
}

/* Good or not. */
static bool has_receipt(const struct cleaning *c, const char *run)
{
    char name[RECEIPT_NAME];
    snprintf(name, sizeof(name), "%.*s-%s.json", RECEIPT_STORE, c->place->store, run);
    for (size_t i = 0; i < c->day->n; i++)
        if (strcmp(c->day->runs[i].name, name) == 0)
            return true;
    return strcmp(run, c->place->made) == 0;
}

/* Marks */

static bool is_mark(const struct cleaning *c, const char *name)
{
    char run[RECEIPT_RUN + 1];
    return mark_owner(name, c->place->store, run) &&
           strcmp(name + RECEIPT_STORE + 1 + RECEIPT_RUN, MARK_ENDING) == 0;
}

/* What cannot be read as a mark names nothing: objects follow a mark that is whole. */
static int clean_read_mark(struct cleaning *c, const char *name, struct err *e)
{
    struct buffer text = {0};
    struct mark m;
    autofree char *path = path_join(c->folder, name);
    int r = path ? remote_get(c->place->remote, path, MARK_MAX, &text, e)
                 : err_sys(e, -ENOMEM, "%s", name);
    if (r == 0 && (r = mark_read(text.p, text.n, &m, e)) == 0) {
        if (array_grow(&c->marks, c->nmarks))
            c->marks[c->nmarks++] = m;
        else
            mark_clear(&m), r = err_sys(e, -ENOMEM, "%s", name);
    }
    buffer_free(&text);
    return r == -EBADMSG || r == -EFBIG || r == -ENOENT ? 0 : r;
}

static int clean_read_marks(struct cleaning *c, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < c->day->list.n; i++)
        if (is_mark(c, c->day->list.at[i].name))
            r = clean_read_mark(c, c->day->list.at[i].name, e);
    return r;
}

/* Whether the run may be under way on another host. */
static bool clean_may_live(const struct cleaning *c, const char *run)
{
    int64_t ns = 0;
    for (size_t i = 0; i < c->nmarks; i++)
        if (strcmp(c->marks[i].run, run) == 0 && strcmp(c->marks[i].host, c->place->host) != 0)
            return cuts_parse_time(run, strlen(run), &ns) < 0 || ns > time_wall_ns() - DAY_NS;
    return false;
}

/* Leftovers */

/* Marks are not among them. */
static bool clean_is_leftover(const struct cleaning *c, const char *name)
{
    char run[RECEIPT_RUN + 1];
    return mark_owner(name, c->place->store, run) && !is_mark(c, name) &&
           strcmp(run, c->place->made) != 0 && !archived_needs(c->day, name) &&
           !clean_may_live(c, run);
}

static int clean_named(struct cleaning *c, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < c->day->list.n; i++)
        if (!c->day->list.at[i].folder && clean_is_leftover(c, c->day->list.at[i].name))
            r = cleaning_remove(c, c->day->list.at[i].name, e);
    return r;
}

/* A set of another store may have the same names by now. */
static int clean_look_at_all(struct cleaning *c, struct err *e)
{
    return c->every.runs || c->every.list.n
               ? 0
               : archived_look(c->place->remote, c->place->format, c->day->day, DAYNAME_SHARDS, "",
                               &c->every, e);
}

static int clean_legacy(struct cleaning *c, const struct mark *m, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < m->nnames; i++)
        if (remote_list_find(&c->every.list, m->names[i]) &&
            !archived_needs(&c->every, m->names[i]))
            r = cleaning_remove(c, m->names[i], e);
    return r;
}

static int clean_marks(struct cleaning *c, struct err *e)
{
    char run[RECEIPT_RUN + 1];
    int r = 0;
    for (size_t i = 0; r == 0 && i < c->nmarks; i++)
        if (!has_receipt(c, c->marks[i].run) && !clean_may_live(c, c->marks[i].run))
            r = clean_legacy(c, &c->marks[i], e);
    for (size_t i = 0; r == 0 && i < c->day->list.n; i++) {
        const char *name = c->day->list.at[i].name;
        if (is_mark(c, name) && mark_owner(name, c->place->store, run) && !clean_may_live(c, run))
            r = cleaning_remove(c, name, e);
    }
    return r;
}

/* Of uploads that were cut off, the store may have what no listing shows; and a listing may not show an
 * object that a receipt names, and that is there. */
static bool clean_is_swept(void *ctx, const char *name)
{
    const struct cleaning *c = ctx;
    char run[RECEIPT_RUN + 1];
    if (mark_owner(name, c->place->store, run))
        return clean_is_leftover(c, name);
    for (size_t i = 0; i < c->nmarks; i++)
        for (size_t k = 0; k < c->marks[i].nnames; k++)
            if (strcmp(c->marks[i].names[k], name) == 0)
                return !has_receipt(c, c->marks[i].run) && !clean_may_live(c, c->marks[i].run) &&
                       !archived_needs(&c->every, name);
    return false;
}

static bool clean_is_needed(const struct cleaning *c)
{
    for (size_t i = 0; i < c->day->list.n; i++)
        if (is_mark(c, c->day->list.at[i].name) || clean_is_leftover(c, c->day->list.at[i].name))
            return true;
    return false;
}

static int clean_run(struct cleaning *c, struct err *e)
{
    int r = clean_read_marks(c, e);
    for (size_t i = 0; r == 0 && i < c->nmarks; i++)
        r = c->marks[i].nnames ? clean_look_at_all(c, e) : 0;
    if (r == 0)
        r = clean_named(c, e);
    if (r == 0)
        r = remote_sweep(c->place->remote, c->folder, clean_is_swept, c, e);
    return r == 0 ? clean_marks(c, e) : r;
}

/* Looking */

/* A remote that does not answer is another matter: nothing could be archived there either. */
static bool clean_is_refusal(int r)
{
    return r == -EACCES || r == -EIO || r == -EBADMSG;
}

/* What a day holds that had leftovers. One that held nothing else has gone. */
static int clean_look_again(struct cleaning *c, const char *store, struct archived_day *out,
                            struct err *e)
{
    const struct archive_place *p = c->place;
    const int32_t day = out->day;
    snap_note("%s%s%s: removed %zu object%s that %s", remote_name(p->remote),
              remote_slash(p->remote), c->folder, c->removed, plural(c->removed),
              p->undo ? "this run had uploaded" : "a run which was cut off had left");
    archived_day_clear(out);
    int r = archived_look(p->remote, p->format, day, DAYNAME_SHARDS, store, out, e);
    const bool empty = r == -ENOENT || (r == 0 && out->list.n == 0);
    if (!empty || day == p->day)
        return r;
    if (r == 0)
        archived_day_clear(out);
    r = remote_remove_folders(p->remote, c->folder, e);
    return r < 0 && !clean_is_refusal(r) ? r : err_set(e, -ENOENT, "%s is empty", c->folder);
}

/* What is refused stays, and fails nothing. */
static int clean_if_needed(struct cleaning *c, int32_t day, struct err *e)
{
    struct err why = {0};
    const struct archive_place *p = c->place;
    if (p->dry_run || p->unlocked || *p->unclean || !clean_is_needed(c))
        return 0;
    int r = cleaning_begin(c, day, &why);
    if (r == 0)
        r = clean_run(c, &why);
    if (!clean_is_refusal(r))
        return r < 0 ? err_set(e, r, "%s", why.text) : 0;
    snap_warn("what a run before this one has left cannot be removed, and stays: %s", why.text);
    *p->unclean = true;
    return 0;
}

int archive_clean_look(const struct archive_place *p, int32_t day, bool all,
                       struct archived_day *out, struct err *e)
{
    const char *store = all ? "" : p->store;
    struct archived_day seen;
    cleanup(cleaning_clear) struct cleaning c = {.place = p, .day = &seen};
    int r = archived_look(p->remote, p->format, day, DAYNAME_SHARDS, store, &seen, e);
    if (r < 0)
        return r;
    r = clean_if_needed(&c, day, e);
    if (r == 0 && c.removed)
        r = clean_look_again(&c, store, &seen, e);
    else if (r < 0)
        archived_day_clear(&seen);
    if (r == 0)
        *out = seen;
    return r;
}

/* Marking, and taking back */

int archive_clean_mark(const struct archive_place *p, const struct receipt *of, char **names,
                       size_t n, struct err *e)
{
    struct mark m = {.host = (char *)p->host, .names = names, .nnames = n};
    char name[RECEIPT_NAME];
    struct buffer text = {0};
    autofree char *folder = NULL;
    int32_t day;
    strcpy(m.store, of->store);
    strcpy(m.run, of->run);
    receipt_name(of, MARK_ENDING, name);
    if (time_read_day(of->day, &day))
        folder = dayname_folder(p->format, day, DAYNAME_SHARDS);
    int r = folder ? mark_text(&m, &text) : -ENOMEM;
    /* If it is spoilt, what it names is not removed; more is not lost. */
    r = r < 0 ? err_sys(e, r, "%s", name)
              : putting_bytes(p->remote, folder, name, &text, PUTTING_UNSEEN, e);
    buffer_free(&text);
    return r;
}

int archive_clean_unmark(const struct archive_place *p, const struct receipt *of, struct err *e)
{
    char name[RECEIPT_NAME];
    autofree char *folder = NULL, *path = NULL;
    int32_t day;
    receipt_name(of, MARK_ENDING, name);
    if (time_read_day(of->day, &day))
        folder = dayname_folder(p->format, day, DAYNAME_SHARDS);
    if (folder)
        path = path_join(folder, name);
    return path ? remote_remove(p->remote, path, e) : err_sys(e, -ENOMEM, "%s", name);
}

/* The names of a run that bear no STORE-RUN. */
static int clean_mark_again(const struct archive_place *p, const struct receipt *c, struct err *e)
{
    char run[RECEIPT_RUN + 1];
    size_t n = 0;
    autofree char **names = calloc(c->nobjects + 1, sizeof(*names));
    if (!names)
        return err_sys(e, -ENOMEM, "a mark");
    for (size_t i = 0; i < c->nobjects; i++)
        if (!mark_owner(c->objects[i].name, c->store, run))
            names[n++] = c->objects[i].name;
    return archive_clean_mark(p, c, names, n, e);
}

/* Names of a legacy set may be those of another run's receipt too. */
static int clean_remove_objects(struct cleaning *c, const struct receipt *of, struct err *e)
{
    char run[RECEIPT_RUN + 1];
    int r = of->form == RECEIPT_LEGACY ? clean_look_at_all(c, e) : 0;
    for (size_t i = 0; r == 0 && i < of->nobjects; i++) {
        const char *name = of->objects[i].name;
        if (remote_list_find(&c->day->list, name) &&
            (mark_owner(name, of->store, run) || !archived_needs(&c->every, name)))
            r = cleaning_remove(c, name, e);
    }
    return r;
}

int archive_clean_take_back(const struct archive_place *p, const struct archived_day *d,
                            const struct archived_run *run, struct err *e)
{
    cleanup(cleaning_clear) struct cleaning c = {.place = p, .day = d};
    char sums[RECEIPT_NAME];
    int r = cleaning_begin(&c, d->day, e);
    if (r == 0)
        r = clean_mark_again(p, &run->receipt, e);
    if (r == 0)
        r = cleaning_remove(&c, run->name, e);
    if (r == 0)
        r = clean_remove_objects(&c, &run->receipt, e);
    receipt_name(&run->receipt, ".sha256", sums);
    if (r == 0)
        r = cleaning_remove(&c, sums, e);
    if (r == 0)
        r = archive_clean_unmark(p, &run->receipt, e);
    return r < 0 ? r : remote_remove_folders(p->remote, c.folder, e);
}
