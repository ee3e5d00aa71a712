/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/dump_day.h"

#include "mount-helper/nightly/dump_lost.h"
#include "mount-helper/nightly/dump_object.h"
#include "mount-helper/nightly/dump_receipts.h"
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/path.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum day_state {
    DAY_NEW,
    DAY_CHANGED, /* its object lies there with other bytes */
    DAY_SAME,
    DAY_EMPTY,
    DAY_FAILED,
    DAY_STALE,  /* empty, and an earlier run uploaded it when it was not */
    DAY_KEPT,   /* the one that lies there holds points that this store has lost, not deleted */
    DAY_SHARED, /* as stale, but another store's receipt names it */
    DAY_STATES
};

static const char *const state_names[DAY_STATES] = {
    "uploaded", "rewritten", "unchanged", "empty",
    "failed",   "removed",   "kept",      "left to another store"};

#define LOST_DAMAGED "what is damaged may hold points of it"

struct day_item {
    struct slice measurement; /* empty of an object that is stale */
    char *name;               /* of its object */
    enum day_state state;
    uint64_t size;    /* of its text; 0: it has none, or failed */
    const char *lost; /* why it may lack points that nobody has deleted; NULL: nothing is known */
};

struct day {
    struct dump_run *run;
    int32_t number;
    struct dump_query query;
    struct schema *schema;
    bool whole;       /* the schema lacks nothing */
    const char *lost; /* of all items */
    struct dump_receipts receipts;
    struct day_item *items;
    size_t n;
    size_t counts[DAY_STATES];
    uint64_t bytes; /* uploaded */
};

static void day_clear(struct day *d)
{
    d->run->day = NULL;
    schema_free(d->schema);
    dump_receipts_clear(&d->receipts);
    for (size_t i = 0; i < d->n; i++)
        free(d->items[i].name);
    free(d->items);
}

static const struct options *day_options(const struct day *d)
{
    return &d->run->job->snap.o;
}

/* Says why something cannot be dumped, unless that ends the run. */
static int day_failed(struct day *d, const char *what, int r, const struct err *why, struct err *e)
{
    if (r == -EINTR || r == -ENOMEM)
        return err_set(e, r, "%s", why->text);
    meter_hide(&d->run->meter);
    snap_say("%s: %s", what, why->text);
    d->run->failed++;
    return 0;
}

/* What there is */

static int day_add(struct day *d, struct slice measurement, const char *name, enum day_state state,
                   struct err *e)
{
    char *own = array_grow(&d->items, d->n) ? strdup(name) : NULL;
    if (!own)
        return err_sys(e, -ENOMEM, "the names of dumps");
    d->items[d->n++] = (struct day_item){measurement, own, state, 0, d->lost};
    return 0;
}

static void day_name(const struct day *d, struct slice measurement, char out[DUMP_OBJECT_NAME])
{
    const struct options *o = day_options(d);
    dump_object_name(measurement, d->number, d->query.format, (enum dump_names)o->names,
                     o->compress, out);
}

static int day_look_for_losses(struct day *d, struct err *e)
{
    bool covered;
    int r = dump_lost_nothing(schema_cache_shards(d->run->cache), &d->query, &covered, e);
    if (!covered)
        d->lost = "this store has no shard any more of some of the day";
    else if (!d->whole)
        d->lost = LOST_DAMAGED;
    else if (d->run->nomitted)
        d->lost = "what of the store is left out may hold points of it";
    return r;
}

static int day_by_name(const void *a, const void *b)
{
    return strcmp(((const struct day_item *)a)->name, ((const struct day_item *)b)->name);
}

/* Among the first n, which are sorted. */
static bool day_has(const struct day *d, size_t n, const char *name)
{
    const struct day_item key = {.name = (char *)name};
    return n && bsearch(&key, d->items, n, sizeof(key), day_by_name);
}

static void day_sort(struct day *d)
{
    if (d->n)
        qsort(d->items, d->n, sizeof(*d->items), day_by_name);
}

/* The measurements that may have points: damage in a shard does not hide those of others. */
static int day_find(struct day *d, struct err *e)
{
    struct dump_run *run = d->run;
    const struct day_range range = {d->number, d->number};
    char text[TIME_TEXT];
    struct err why = {0};
    time_day_text(d->number, text);
    int r = schema_cache_policy(run->cache, d->query.db, d->query.rp, d->query.from, d->query.to,
                                d->query.reader, &d->schema, &why);
    d->whole = r == 0;
    if (r < 0 && (r = day_failed(d, text, r, &why, e)) < 0)
        return r;
    r = day_look_for_losses(d, e);
    if (d->schema)
        dump_wanted_see(&run->wanted, d->schema);
    for (size_t i = 0; r == 0 && d->schema && i < schema_count(d->schema); i++) {
        const struct schema_measurement *m = schema_at(d->schema, i);
        char name[DUMP_OBJECT_NAME];
        if (!days_meet(&m->days, range) || !dump_wanted_has(&run->wanted, m->name))
            continue;
        day_name(d, m->name, name);
        r = day_add(d, m->name, name, DAY_NEW, e);
        if (r == 0 && d->query.format == DUMP_LP)
            dump_advice_types(&run->told, d->query.db, d->query.rp, m);
    }
    day_sort(d);
    return r < 0 || !d->whole ? r : dump_advice_deleted(&run->told, run->cache, &d->query, e);
}

static struct dump_object day_object(const struct day *d, const struct day_item *item)
{
    struct dump_object o = {.cache = d->run->cache,
                            .query = d->query,
                            .compress = day_options(d)->compress,
                            .name = item->name};
    o.query.measurement = item->measurement.p;
    o.query.n = item->measurement.n;
    return o;
}

/* What becomes of an object of this name if there are no points. */
static enum day_state day_gone(const struct day *d, const char *name, const char *lost)
{
    const struct receipt_object *old = dump_receipts_find(&d->receipts, name);
    if (!old || !old->what || strcmp(old->what, d->run->what) != 0)
        return DAY_EMPTY;
    if (lost)
        return DAY_KEPT;
    return dump_receipts_shared(&d->receipts, name) ? DAY_SHARED : DAY_STALE;
}

/* Compares the text with the object that a receipt names. */
static int day_compare(struct day *d, struct day_item *item, const char *sha256, struct err *e)
{
    const struct receipt_object *old = dump_receipts_find(&d->receipts, item->name);
    int r = dump_receipts_conflict(&d->receipts, item->name, d->run->what, sha256, e);
    if (r < 0)
        return r;
    if (old)
        item->state = strcmp(old->sha256, sha256) == 0       ? DAY_SAME
                      : item->lost && item->size < old->size ? DAY_KEPT
                                                             : DAY_CHANGED;
    else if (dump_receipts_of_others(&d->receipts, item->name, NULL) &&
             dump_receipts_has(&d->receipts, item->name, item->size)) {
        struct put_object same = {.name = item->name, .size = item->size};
        memcpy(same.sha256, sha256, sizeof(same.sha256));
        item->state = DAY_SAME;
        r = dump_receipts_add(&d->receipts, &same, d->run->what, e);
    }
    return r;
}

/* With --verify=read, what is unchanged by its receipt is looked at too. */
static int day_read_back(const struct day *d, struct day_item *item, const char *sha256,
                         struct err *e)
{
    char there[SHA256_HEX + 1];
    autofree char *path = path_join(d->receipts.folder, item->name);
    if (!path)
        return err_sys(e, -ENOMEM, "%s", item->name);
    int r = putting_sum(d->run->putting.remote, path, item->size, there, e);
    if (r < 0 && r != -ENOENT && r != -EBADMSG)
        return r;
    if (r == 0 && strcmp(there, sha256) == 0)
        return 0;
    snap_warn("%s: is damaged on the remote; it is uploaded again", path);
    item->state = DAY_CHANGED;
    return 0;
}

/* The text is read once before it is uploaded, so that its size is known: stores check an object whose
 * size was announced, and keep it in one piece. */
static int day_judge(struct day *d, struct day_item *item, struct err *e)
{
    struct dump_object o = day_object(d, item);
    char sha256[SHA256_HEX + 1];
    struct err why = {0};
    const size_t lacks = d->run->lacks;
    int r = dump_object_begin(&o, &why);
    const bool empty = r == 0;
    if (r > 0)
        r = dump_object_sum(&o, &item->size, sha256, &why);
    dump_object_end(&o);
    if (d->run->lacks > lacks)
        item->lost = LOST_DAMAGED;
    if (empty)
        item->state = day_gone(d, item->name, item->lost);
    else if (r == 0)
        r = day_compare(d, item, sha256, &why);
    if (r == 0 && item->state == DAY_SAME && d->run->putting.verify == PUTTING_READ)
        return day_read_back(d, item, sha256, e);
    if (r == 0)
        return 0;
    item->state = DAY_FAILED;
    return day_failed(d, item->name, r, &why, e);
}

/* Whether an object is none of the first n, but one that this run would have uploaded if there were
 * points. */
static bool day_is_stale(const struct day *d, const struct receipt_object *old, size_t n)
{
    struct dump_name name;
    char again[DUMP_OBJECT_NAME];
    const struct options *o = day_options(d);
    if (!d->whole || !old->what || strcmp(old->what, d->run->what) != 0 ||
        !dump_object_is_name(old->name, d->number, d->query.format, o->compress, &name) ||
        day_has(d, n, old->name))
        return false;
    const struct slice measurement = {name.measurement, name.n};
    if (name.shortened)
        return d->run->wanted.n == 0;
    day_name(d, measurement, again);
    return strcmp(again, old->name) == 0 && dump_wanted_has(&d->run->wanted, measurement);
}

/* They are added after the others, which stay sorted while names are looked for in them. */
static int day_find_stale(struct day *d, struct err *e)
{
    const struct receipt *now = &d->receipts.now;
    const size_t before = d->n;
    int r = 0;
    if (!d->lost && d->query.gaps->damage) /* which may hide a measurement */
        d->lost = LOST_DAMAGED;
    for (size_t i = 0; r == 0 && i < now->nobjects; i++) {
        const char *name = now->objects[i].name;
        if (day_is_stale(d, &now->objects[i], before))
            r = day_add(d, (struct slice){"", 0}, name, day_gone(d, name, d->lost), e);
    }
    day_sort(d);
    return r;
}

/* What is done */

/* Before an object changes, the receipts cease to name it: it could have the size of the old one. */
static int day_let_go(struct day *d, struct err *e)
{
    bool any = false;
    for (size_t i = 0; i < d->n; i++) {
        if (d->items[i].state != DAY_CHANGED)
            continue;
        dump_receipts_drop(&d->receipts, d->items[i].name);
        any = true;
    }
    return any ? dump_receipts_put(&d->receipts, e) : 0;
}

static int day_put(struct day *d, struct day_item *item, struct dump_object *o, struct err *e)
{
    struct put_object put = {0};
    struct job_end *end = &d->run->job->end;
    const struct remote_source source = dump_object_source(o, item->size);
    int r = putting_object(&d->run->putting, d->receipts.folder, item->name, &source, &put, e);
    if (r < 0)
        return r;
    d->bytes += put.size;
    end->bytes += put.size;
    end->objects++;
    meter_file(&d->run->meter, item->name, put.size);
    r = dump_receipts_add(&d->receipts, &put, d->run->what, e);
    free(put.name);
    return r;
}

static int day_upload(struct day *d, struct day_item *item, struct err *e)
{
    struct dump_object o = day_object(d, item);
    struct err why = {0};
    if (item->state != DAY_NEW && item->state != DAY_CHANGED)
        return 0;
    int r = day_put(d, item, &o, &why);
    const bool text_failed = o.failed;
    dump_object_end(&o);
    if (r == 0)
        return 0;
    if (!text_failed)
        return err_set(e, r, "%s", why.text);
    item->state = DAY_FAILED;
    return day_failed(d, item->name, r, &why, e);
}

/* Names of segments, or of parts, that a killed run may have left. */
static bool day_wants(void *ctx, const char *name)
{
    const struct day *d = ctx;
    return day_has(d, d->n, name);
}

/* The receipts name it until it is gone, for a run that was killed meanwhile would forget it. */
static int day_remove(struct day *d, const char *name, struct err *e)
{
    autofree char *path = path_join(d->receipts.folder, name);
    if (!path)
        return err_sys(e, -ENOMEM, "%s", name);
    snap_warn("%s: removed from the remote: it has no points any more", path);
    d->run->removed++;
    dump_receipts_drop(&d->receipts, name);
    return remote_remove(d->run->putting.remote, path, e);
}

/* Of what has no points, or fewer, and lies there. */
static int day_let_lie(struct day *d, const struct day_item *item, struct err *e)
{
    const char *folder = d->receipts.folder;
    if (item->state == DAY_STALE)
        return day_remove(d, item->name, e);
    if (item->state == DAY_KEPT)
        snap_warn(
            "%s/%s: is kept as it is there, with points that are not in the store: %s; remove "
            "it there if it is not wanted",
            folder, item->name, item->lost);
    if (item->state == DAY_SHARED) {
        snap_warn("%s/%s: has no points in this store any more, and stays for the store whose "
                  "receipt %s is",
                  folder, item->name, dump_receipts_shared(&d->receipts, item->name));
        dump_receipts_drop(&d->receipts, item->name);
    }
    return 0;
}

/* The receipt says what it lacks; what older ones said counts as long as something of theirs was not
 * looked at again. */
static int day_finish(struct day *d, struct err *e)
{
    size_t looked_at = 0;
    int r = 0;
    for (size_t i = 0; i < d->n; i++)
        looked_at += d->items[i].state == DAY_SAME || d->items[i].state == DAY_CHANGED ||
                     d->items[i].state == DAY_STALE || d->items[i].state == DAY_SHARED;
    if (looked_at < d->receipts.nearlier)
        r = dump_receipts_keep_left_out(&d->receipts, e);
    for (size_t i = 0; r == 0 && i < d->run->nomitted; i++)
        r = dump_receipts_left_out(&d->receipts, d->run->omitted[i], e);
    return r < 0 || !dump_receipts_differ(&d->receipts) ? r : dump_receipts_put(&d->receipts, e);
}

static int day_work(struct day *d, struct err *e)
{
    bool any = false;
    for (size_t i = 0; i < d->n; i++)
        any |= d->items[i].state == DAY_NEW || d->items[i].state == DAY_CHANGED;
    int r = day_let_go(d, e);
    if (r == 0 && any && d->receipts.there.list.n)
        r = remote_sweep(d->run->putting.remote, d->receipts.folder, day_wants, d, e);
    for (size_t i = 0; r == 0 && i < d->n; i++)
        r = day_upload(d, &d->items[i], e);
    for (size_t i = 0; r == 0 && i < d->n; i++)
        r = day_let_lie(d, &d->items[i], e);
    return r < 0 ? r : day_finish(d, e);
}

/* What is told */

static struct json_object *day_json(const struct day *d, const char *text)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array();
    json_add_text(o, "day", text);
    json_add_text(o, "folder", d->receipts.folder);
    json_add_count(o, "bytes", d->bytes);
    for (size_t i = 0; i < d->n; i++) {
        struct json_object *item = json_object_new_object();
        json_add_text(item, "name", d->items[i].name);
        json_add_text(item, "result", state_names[d->items[i].state]);
        if (d->items[i].size)
            json_add_count(item, "size", d->items[i].size);
        json_object_array_add(list, item);
    }
    json_add(o, "dumps", list);
    return o;
}

static void day_tell(struct day *d)
{
    static const bool does[DAY_STATES] = {
        [DAY_NEW] = true, [DAY_CHANGED] = true, [DAY_STALE] = true};
    const bool dry = day_options(d)->dry_run;
    char text[TIME_TEXT], words[512] = "";
    size_t n = 0;
    time_day_text(d->number, text);
    for (size_t i = 0; i < d->n; i++) {
        d->counts[d->items[i].state]++;
        if (d->items[i].state == DAY_EMPTY)
            snap_note("%s: no points, not uploaded", d->items[i].name);
    }
    for (size_t k = 0; k < DAY_STATES; k++)
        if (d->counts[k])
            n += (size_t)snprintf(words + n, sizeof(words) - n, "%s%zu %s%s", n ? ", " : "",
                                  d->counts[k], dry && does[k] ? "to be " : "", state_names[k]);
    meter_hide(&d->run->meter);
    if (d->run->days)
        json_object_array_add(d->run->days, day_json(d, text));
    else if (n)
        printf("%s: %s; %" PRIu64 " bytes\n", text, words, d->bytes);
    else
        printf("%s: no points of %s, nothing to dump%s\n", text, d->run->what,
               d->run->wanted.n ? " of the measurements that were named" : "");
}

/* What is written into a day that is not over is not in its dump, and nothing shows that later. */
static void day_warn(const struct day *d)
{
    char text[TIME_TEXT], end[TIME_TEXT];
    time_day_text(d->number, text);
    time_text(d->query.to, end);
    if (d->n && d->query.to > time_wall_ns())
        snap_warn("%s is not over before %s: the dumps lack what is written until then; dump the "
                  "day again after that",
                  text, end);
}

static int day_all(struct day *d, struct err *e)
{
    const struct dump_place place = {&d->run->putting, d->run->containers, d->number};
    int r = dump_receipts_open(&place, d->run->store.text, d->run->job->began_ns, &d->receipts, e);
    if (r == 0)
        r = dump_receipts_database(&d->receipts, d->query.db, e);
    if (r == 0) {
        d->run->day = &d->receipts;
        r = day_find(d, e);
    }
    day_warn(d);
    for (size_t i = 0; r == 0 && i < d->n; i++)
        r = day_judge(d, &d->items[i], e);
    if (r == 0)
        r = day_find_stale(d, e);
    if (r == 0 && !day_options(d)->dry_run)
        r = day_work(d, e);
    return r;
}

int dump_day(struct dump_run *run, int32_t day, struct err *e)
{
    struct day d = {.run = run, .number = day, .query = run->query};
    d.query.from = day * DAY_NS;
    d.query.to = (day + 1) * DAY_NS;
    int r = day_all(&d, e);
    if (r == 0)
        day_tell(&d);
    day_clear(&d);
    return r;
}
