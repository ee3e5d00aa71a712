/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/dump_day.h"

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
    DAY_STALE, /* empty, and an earlier run uploaded it when it was not */
    DAY_STATES
};

static const char *const state_names[DAY_STATES] = {"uploaded", "rewritten", "unchanged",
                                                    "empty",    "failed",    "removed"};

struct day_item {
    struct slice measurement; /* empty of an object that is stale */
    char *name;               /* of its object */
    enum day_state state;
    uint64_t size; /* of its text; 0: it has none, or failed */
};

struct day {
    struct dump_run *run;
    int32_t number;
    struct dump_query query;
    struct schema *schema;
    bool whole; /* the schema lacks nothing */
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
    d->items[d->n++] = (struct day_item){measurement, own, state, 0};
    return 0;
}

static void day_name(const struct day *d, struct slice measurement, char out[DUMP_OBJECT_NAME])
{
    const struct options *o = day_options(d);
    dump_object_name(measurement, d->number, d->query.format, (enum dump_names)o->names,
                     o->compress, out);
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

/* Refuses an object that is the dump of something else. */
static int day_conflict(const struct day *d, const struct day_item *item, const char *sha256,
                        struct err *e)
{
    const struct receipt_object *old = dump_receipts_find(&d->receipts, item->name);
    const char *other = dump_receipts_of_others(&d->receipts, item->name, sha256);
    if (old && old->what && strcmp(old->what, d->run->what) != 0)
        return err_set(e, -EEXIST,
                       "it lies there as the dump of %s: give %s containers of its own "
                       "(--container-format=)",
                       old->what, d->run->what);
    if (other)
        return err_set(e, -EEXIST,
                       "another store has uploaded another dump under this name (%s/%s): give "
                       "each store containers of its own (--container-format=), or remove that one",
                       d->receipts.folder, other);
    return 0;
}

/* Compares the text with the object that a receipt names. */
static int day_compare(struct day *d, struct day_item *item, const char *sha256, struct err *e)
{
    const struct receipt_object *old = dump_receipts_find(&d->receipts, item->name);
    int r = day_conflict(d, item, sha256, e);
    if (r < 0)
        return r;
    if (old)
        item->state = strcmp(old->sha256, sha256) == 0 ? DAY_SAME : DAY_CHANGED;
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
    int r = putting_sum(d->run->putting.remote, path, there, e);
    if (r < 0 && r != -ENOENT)
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
    int r = dump_object_begin(&o, &why);
    if (r == 0)
        item->state = dump_receipts_find(&d->receipts, item->name) ? DAY_STALE : DAY_EMPTY;
    if (r > 0)
        r = dump_object_sum(&o, &item->size, sha256, &why);
    dump_object_end(&o);
    if (r == 0 && item->size)
        r = day_compare(d, item, sha256, &why);
    if (r == 0 && item->state == DAY_SAME && d->run->putting.verify == PUTTING_READ)
        return day_read_back(d, item, sha256, e);
    if (r == 0)
        return 0;
    item->state = DAY_FAILED;
    return day_failed(d, item->name, r, &why, e);
}

/* Whether an object is one that this run would have uploaded if there were points. */
static bool day_is_stale(const struct day *d, const struct receipt_object *old)
{
    struct dump_name name;
    char again[DUMP_OBJECT_NAME];
    const struct options *o = day_options(d);
    if (!d->whole || !old->what || strcmp(old->what, d->run->what) != 0 ||
        !dump_object_is_name(old->name, d->number, d->query.format, o->compress, &name))
        return false;
    for (size_t i = 0; i < d->n; i++)
        if (strcmp(d->items[i].name, old->name) == 0)
            return false;
    const struct slice measurement = {name.measurement, name.n};
    if (name.shortened)
        return d->run->wanted.n == 0;
    day_name(d, measurement, again);
    return strcmp(again, old->name) == 0 && dump_wanted_has(&d->run->wanted, measurement);
}

static int day_find_stale(struct day *d, struct err *e)
{
    const size_t n = d->receipts.now.nobjects;
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        if (day_is_stale(d, &d->receipts.now.objects[i]))
            r = day_add(d, (struct slice){"", 0}, d->receipts.now.objects[i].name, DAY_STALE, e);
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
    for (size_t i = 0; i < d->n; i++)
        if (strcmp(d->items[i].name, name) == 0)
            return true;
    return false;
}

/* The receipts name it until it is gone, for a run that was killed meanwhile would forget it. */
static int day_remove_stale(struct day *d, const struct day_item *item, struct err *e)
{
    if (item->state != DAY_STALE)
        return 0;
    autofree char *path = path_join(d->receipts.folder, item->name);
    if (!path)
        return err_sys(e, -ENOMEM, "%s", item->name);
    snap_warn("%s: removed from the remote: it has no points any more", path);
    dump_receipts_drop(&d->receipts, item->name);
    return remote_remove(d->run->putting.remote, path, e);
}

/* The receipt says what it lacks; what older ones said counts as long as something of theirs was not
 * looked at again. */
static int day_finish(struct day *d, struct err *e)
{
    size_t looked_at = 0;
    int r = 0;
    for (size_t i = 0; i < d->n; i++)
        looked_at += d->items[i].state == DAY_SAME || d->items[i].state == DAY_CHANGED ||
                     d->items[i].state == DAY_STALE;
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
        r = day_remove_stale(d, &d->items[i], e);
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
    char text[TIME_TEXT], words[256] = "";
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
        snap_note("%s: no points of %s, nothing to dump", text, d->run->what);
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
