/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/dump_receipts.h"

#include "mount-helper/nightly/putting_bytes.h"
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/influxsnap/say.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What lies there */

static bool is_ours(const struct dump_receipts *d, const struct archived_run *run)
{
    return strncmp(run->name, d->now.store, RECEIPT_STORE) == 0;
}

bool dump_receipts_has(const struct dump_receipts *d, const char *name, uint64_t size)
{
    const struct remote_entry *there = remote_list_find(&d->there.list, name);
    return there && !there->folder && there->size == size;
}

static int receipts_full(struct err *e)
{
    return err_sys(e, -ENOMEM, "the receipt");
}

static int receipts_add_text(char ***list, size_t *n, const char *text, struct err *e)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp((*list)[i], text) == 0)
            return 0;
    char *own = array_grow(list, *n) ? strdup(text) : NULL;
    if (!own)
        return receipts_full(e);
    (*list)[(*n)++] = own;
    return 0;
}

/* Objects by name: a day may have very many. */

static bool is_before(const void *object, const void *name)
{
    return strcmp(((const struct receipt_object *)object)->name, name) < 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct receipt_object *)a)->name,
                  ((const struct receipt_object *)b)->name);
}

static size_t receipts_place(const struct receipt *c, const char *name)
{
    return array_bisect(c->objects, c->nobjects, sizeof(*c->objects), name, is_before);
}

static struct receipt_object *receipts_object(const struct receipt *c, const char *name)
{
    const size_t i = receipts_place(c, name);
    return i < c->nobjects && strcmp(c->objects[i].name, name) == 0 ? &c->objects[i] : NULL;
}

static int receipts_add_object(struct receipt *c, const struct receipt_object *o, struct err *e)
{
    struct receipt_object own = *o;
    own.name = strdup(o->name);
    own.what = o->what ? strdup(o->what) : NULL;
    if (own.name && (own.what || !o->what) && array_grow(&c->objects, c->nobjects)) {
        struct receipt_object *at = c->objects + receipts_place(c, o->name);
        memmove(at + 1, at, (size_t)(c->objects + c->nobjects - at) * sizeof(*at));
        *at = own;
        c->nobjects++;
        return 0;
    }
    free(own.name);
    free(own.what);
    return receipts_full(e);
}

/* 1 or 0. A listing may be older than the object, so the object itself is asked before it is given up. */
static int receipts_is_there(const struct dump_receipts *d, const struct receipt_object *o,
                             struct err *e)
{
    struct remote_stat now;
    struct err why = {0};
    if (dump_receipts_has(d, o->name, o->size))
        return 1;
    autofree char *path = path_join(d->folder, o->name);
    if (!path)
        return receipts_full(e);
    int r = remote_stat(d->at.to->remote, path, &now, &why);
    if (r < 0 && r != -ENOENT)
        return err_set(e, r, "%s", why.text);
    return r == 0 && now.size == o->size;
}

/* Takes over what a receipt names and is there; the newest one that names it counts. */
static int receipts_take_objects(struct dump_receipts *d, const struct receipt *c, struct err *e)
{
    for (size_t i = 0; i < c->nobjects; i++) {
        const struct receipt_object *o = &c->objects[i];
        if (receipts_object(&d->now, o->name))
            continue;
        const int there = receipts_is_there(d, o, e);
        const int r = there > 0 ? receipts_add_object(&d->now, o, e) : there;
        if (r < 0)
            return r;
        if (!there)
            snap_warn("%s/%s: is not there any more as this store uploaded it; the receipt will "
                      "not name it, unless it is dumped again",
                      d->folder, o->name);
        d->differs |= !there;
    }
    return 0;
}

static int receipts_take(struct dump_receipts *d, const struct archived_run *run, struct err *e)
{
    const struct receipt *c = &run->receipt;
    if (!run->known) {
        snap_warn("%s/%s: %s; this run's receipt takes its place", d->folder, run->name,
                  run->why.text);
        d->differs = true;
        return 0;
    }
    int r = receipts_take_objects(d, c, e);
    for (size_t i = 0; r == 0 && i < c->ndatabases; i++)
        r = dump_receipts_database(d, c->databases[i], e);
    return r;
}

/* A name that no run before has had, also if this one began in the same second. */
static void receipts_name_run(struct dump_receipts *d)
{
    bool taken = true;
    for (; taken; d->run_ns += SECOND_NS) {
        char name[RECEIPT_NAME];
        taken = false;
        receipt_run(d->run_ns, d->now.run);
        receipt_name(&d->now, ".json", name);
        for (size_t i = 0; i < d->there.n; i++)
            taken |= is_ours(d, &d->there.runs[i]) && strcmp(d->there.runs[i].name, name) >= 0;
    }
}

static int receipts_begin(struct dump_receipts *d, const char *store, struct err *e)
{
    char host[HOST_NAME_MAX + 1] = "", day[TIME_TEXT];
    d->now.form = RECEIPT_DUMPS;
    d->now.number = -1;
    memcpy(d->now.store, store, STORE_ID + 1);
    time_day_text(d->at.day, day);
    memcpy(d->now.day, day, RECEIPT_DAY);
    gethostname(host, sizeof(host) - 1);
    d->now.host = strdup(host);
    d->folder = dayname_folder(d->at.format, d->at.day, DAYNAME_DUMPS);
    return d->now.host && d->folder ? 0 : receipts_full(e);
}

int dump_receipts_open(const struct dump_place *at, const char store[STORE_ID + 1],
                       int64_t began_ns, struct dump_receipts *out, struct err *e)
{
    *out = (struct dump_receipts){.at = *at, .run_ns = began_ns};
    int r = receipts_begin(out, store, e);
    if (r < 0)
        return r;
    r = archived_look(at->to->remote, at->format, at->day, DAYNAME_DUMPS, "", &out->there, e);
    if (r < 0 && r != -ENOENT)
        return r;
    r = 0;
    receipts_name_run(out);
    for (size_t i = 0; r == 0 && i < out->there.n; i++) {
        struct receipt *c = &out->there.runs[i].receipt;
        if (c->nobjects)
            qsort(c->objects, c->nobjects, sizeof(*c->objects), by_name);
        if (!is_ours(out, &out->there.runs[i]))
            continue;
        r = receipts_take(out, &out->there.runs[i], e);
        out->differs |= out->newest != NULL;
        out->newest = out->newest ? out->newest : c;
    }
    out->nearlier = out->now.nobjects;
    return r;
}

void dump_receipts_clear(struct dump_receipts *d)
{
    archived_day_clear(&d->there);
    receipt_clear(&d->now);
    free(d->folder);
    *d = (struct dump_receipts){0};
}

const struct receipt_object *dump_receipts_find(const struct dump_receipts *d, const char *name)
{
    return receipts_object(&d->now, name);
}

const char *dump_receipts_of_others(const struct dump_receipts *d, const char *name,
                                    const char *sha256)
{
    for (size_t i = 0; i < d->there.n; i++) {
        const struct archived_run *run = &d->there.runs[i];
        const struct receipt_object *o =
            is_ours(d, run) ? NULL : receipts_object(&run->receipt, name);
        if (o && (!sha256 || strcmp(o->sha256, sha256) != 0))
            return run->name;
    }
    return NULL;
}

const char *dump_receipts_shared(const struct dump_receipts *d, const char *name)
{
    for (size_t i = 0; i < d->there.n; i++)
        if (!d->there.runs[i].known && !is_ours(d, &d->there.runs[i]))
            return d->there.runs[i].name;
    return dump_receipts_of_others(d, name, NULL);
}

int dump_receipts_conflict(const struct dump_receipts *d, const char *name, const char *what,
                           const char *sha256, struct err *e)
{
    const struct receipt_object *old = receipts_object(&d->now, name);
    const char *other = dump_receipts_of_others(d, name, sha256);
    if (old && old->what && strcmp(old->what, what) != 0)
        return err_set(e, -EEXIST,
                       "it lies there as the dump of %s: give %s containers of its own "
                       "(--container-format=)",
                       old->what, what);
    if (other)
        return err_set(e, -EEXIST,
                       "another store has uploaded another dump under this name (%s/%s): give "
                       "each store containers of its own (--container-format=), or remove that one",
                       d->folder, other);
    return 0;
}

/* What the receipt says */

void dump_receipts_drop(struct dump_receipts *d, const char *name)
{
    struct receipt_object *o = receipts_object(&d->now, name);
    if (!o)
        return;
    free(o->name);
    free(o->what);
    d->now.nobjects--;
    memmove(o, o + 1, (size_t)(d->now.objects + d->now.nobjects - o) * sizeof(*o));
    d->differs = true;
}

int dump_receipts_add(struct dump_receipts *d, const struct put_object *o, const char *what,
                      struct err *e)
{
    struct receipt_object own = {.name = o->name, .size = o->size, .what = (char *)what};
    memcpy(own.sha256, o->sha256, sizeof(own.sha256));
    memcpy(own.md5, o->md5, sizeof(own.md5));
    d->differs = true;
    return receipts_add_object(&d->now, &own, e);
}

int dump_receipts_left_out(struct dump_receipts *d, const char *words, struct err *e)
{
    return receipts_add_text(&d->now.left_out, &d->now.nleft_out, words, e);
}

int dump_receipts_keep_left_out(struct dump_receipts *d, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < d->there.n; i++) {
        const struct receipt *c = &d->there.runs[i].receipt;
        for (size_t k = 0; r == 0 && is_ours(d, &d->there.runs[i]) && k < c->nleft_out; k++)
            r = dump_receipts_left_out(d, c->left_out[k], e);
    }
    return r;
}

int dump_receipts_database(struct dump_receipts *d, const char *db, struct err *e)
{
    return receipts_add_text(&d->now.databases, &d->now.ndatabases, db, e);
}

/* Putting it */

bool dump_receipts_differ(const struct dump_receipts *d)
{
    const struct receipt *old = d->newest, *now = &d->now;
    if (d->differs || !old)
        return d->differs;
    bool same = old->nleft_out == now->nleft_out;
    for (size_t i = 0; same && i < now->nleft_out; i++) {
        same = false;
        for (size_t k = 0; !same && k < old->nleft_out; k++)
            same = strcmp(old->left_out[k], now->left_out[i]) == 0;
    }
    return !same;
}

static int receipts_upload(const struct dump_receipts *d, const char *ending,
                           const struct buffer *text, struct err *e)
{
    char name[RECEIPT_NAME];
    receipt_name(&d->now, ending, name);
    return text->failed
               ? receipts_full(e)
               : putting_bytes(d->at.to->remote, d->folder, name, text, d->at.to->verify, e);
}

static int receipts_put_now(struct dump_receipts *d, struct err *e)
{
    struct buffer sums = {0}, text = {0};
    if (*d->put)
        receipts_name_run(d);
    receipt_sums(&d->now, &sums);
    int r = receipts_upload(d, ".sha256", &sums, e);
    if (r == 0)
        r = receipt_text(&d->now, &text, e);
    if (r == 0)
        r = receipts_upload(d, ".json", &text, e);
    buffer_free(&sums);
    buffer_free(&text);
    return r;
}

static int receipts_remove(const struct dump_receipts *d, const char *name, struct err *e)
{
    autofree char *path = path_join(d->folder, name);
    return path ? remote_remove(d->at.to->remote, path, e) : receipts_full(e);
}

/* Whether a name is STORE-RUN with this ending, of this store and another run. */
static bool is_older(const struct dump_receipts *d, const char *name, const char *ending)
{
    char now[RECEIPT_NAME], run[RECEIPT_NAME];
    const size_t n = RECEIPT_STORE + 1 + RECEIPT_RUN;
    if (strlen(name) != n + strlen(ending) || strcmp(name + n, ending) != 0)
        return false;
    snprintf(run, sizeof(run), "%.*s.json", (int)n, name);
    receipt_name(&d->now, ".json", now);
    return strncmp(name, d->now.store, RECEIPT_STORE) == 0 && receipt_is_name(run, NULL, NULL) &&
           strcmp(run, now) != 0;
}

/* The one that this run has put before, which no listing shows. */
static int receipts_remove_put(const struct dump_receipts *d, const char *ending, struct err *e)
{
    char name[RECEIPT_NAME];
    snprintf(name, sizeof(name), "%.*s-%s%s", RECEIPT_STORE, d->now.store, d->put, ending);
    return *d->put ? receipts_remove(d, name, e) : 0;
}

/* Receipts first: sums without one are what a killed run has left. */
static int receipts_remove_older(struct dump_receipts *d, struct err *e)
{
    static const char *const endings[] = {".json", ".sha256"};
    int r = 0;
    for (size_t k = 0; r == 0 && k < 2; k++) {
        r = receipts_remove_put(d, endings[k], e);
        for (size_t i = 0; r == 0 && i < d->there.list.n; i++)
            if (is_older(d, d->there.list.at[i].name, endings[k]))
                r = receipts_remove(d, d->there.list.at[i].name, e);
    }
    return r;
}

int dump_receipts_put(struct dump_receipts *d, struct err *e)
{
    int r = d->now.nobjects ? receipts_put_now(d, e) : 0;
    if (r == 0)
        r = receipts_remove_older(d, e);
    if (r == 0 && !d->now.nobjects)
        r = remote_remove_folders(d->at.to->remote, d->folder, e);
    if (r < 0)
        return r;
    memcpy(d->put, d->now.nobjects ? d->now.run : "", d->now.nobjects ? sizeof(d->put) : 1);
    d->differs = false;
    return 0;
}
