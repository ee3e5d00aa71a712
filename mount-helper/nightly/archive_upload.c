/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/archive_upload.h"

#include "mount-helper/nightly/archive_clean.h"
#include "mount-helper/nightly/putting_bytes.h"
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/influxsnap/meter.h"

#include <errno.h>
#include <string.h>

struct uploading {
    const struct archive_place *place;
    struct archive_source *source;
    struct receipt *receipt;
    char *folder;
    struct meter meter;
    struct putting how;
};

static bool upload_is_set(const struct uploading *u)
{
    return u->receipt->form == RECEIPT_LEGACY;
}

/* Legacy names do not tell whose they are: the mark does. */
static int upload_mark(const struct uploading *u, struct err *e)
{
    const size_t n = upload_is_set(u) ? archive_source_count(u->source) : 0;
    autofree char **names = calloc(n + 1, sizeof(*names));
    if (!names)
        return err_sys(e, -ENOMEM, "a mark");
    for (size_t i = 0; i < n; i++)
        names[i] = (char *)archive_source_name(u->source, i);
    return archive_clean_mark(u->place, u->receipt, names, n, e);
}

static int upload_object(struct uploading *u, size_t i, struct err *e)
{
    struct receipt *c = u->receipt;
    struct remote_source from;
    struct put_object done;
    if (!array_grow(&c->objects, c->nobjects))
        return err_sys(e, -ENOMEM, "the receipt");
    const char *name = archive_source_name(u->source, i);
    int r = archive_source_open(u->source, i, &from, e);
    if (r < 0)
        return r;
    meter_file(&u->meter, name, from.size);
    if ((r = putting_object(&u->how, u->folder, name, &from, &done, e)) < 0)
        return r;
    struct receipt_object *o = &c->objects[c->nobjects++];
    *o = (struct receipt_object){.name = done.name, .size = done.size};
    strcpy(o->sha256, done.sha256);
    strcpy(o->md5, done.md5);
    return 0;
}

static int upload_objects(struct uploading *u, struct err *e)
{
    int r = 0;
    meter_begin(&u->meter, "archiving", archive_source_bytes(u->source));
    for (size_t i = 0; r == 0 && i < archive_source_count(u->source); i++)
        r = upload_object(u, i, e);
    meter_end(&u->meter);
    return r;
}

/* The sums, for sha256sum(1); and the receipt, after which the run counts. */
static int upload_receipt(const struct uploading *u, struct err *e)
{
    char name[RECEIPT_NAME];
    struct buffer sums = {0}, text = {0};
    int r = receipt_text(u->receipt, &text, e);
    receipt_sums(u->receipt, &sums);
    receipt_name(u->receipt, ".sha256", name);
    if (r == 0 && sums.failed)
        r = err_sys(e, -ENOMEM, "%s", name);
    if (r == 0 && sums.n)
        r = putting_bytes(u->place->remote, u->folder, name, &sums, PUTTING_SIZE, e);
    receipt_name(u->receipt, ".json", name);
    if (r == 0)
        r = putting_bytes(u->place->remote, u->folder, name, &text, PUTTING_READ, e);
    buffer_free(&sums);
    buffer_free(&text);
    return r;
}

static int upload_all(struct uploading *u, struct err *e)
{
    int r = upload_mark(u, e);
    if (r == 0)
        r = upload_objects(u, e);
    return r < 0 ? r : upload_receipt(u, e);
}

/* A remote that is full is not left so; one that does not answer can be cleaned by the next run only. */
static void upload_undo(const struct uploading *u, int why)
{
    struct archived_day d;
    struct err e = {0};
    struct archive_place own = *u->place;
    own.undo = true;
    remote_wind_up(u->place->remote, REMOTE_WIND_UP_NS);
    int r = why == -EAGAIN ? why : archive_clean_look(&own, own.day, false, &d, &e);
    if (r == 0)
        archived_day_clear(&d);
    if ((r < 0 && r != -ENOENT) || *u->place->unclean)
        snap_note("what of it lies in %s%s%s is no archive, and the next run removes it",
                  remote_name(u->place->remote), remote_slash(u->place->remote), u->folder);
}

int archive_upload(const struct archive_place *place, struct archive_source *source,
                   bool verify_read, struct receipt *receipt, struct err *e)
{
    struct err why = {0};
    struct uploading u = {.place = place, .source = source, .receipt = receipt};
    autofree char *folder = u.folder = dayname_folder(place->format, place->day, DAYNAME_SHARDS);
    u.how = (struct putting){.remote = place->remote,
                             .verify = verify_read ? PUTTING_READ : PUTTING_SIZE,
                             .meter = &u.meter,
                             .fixed = upload_is_set(&u)};
    if (!folder)
        return err_sys(e, -ENOMEM, "a day");
    int r = upload_all(&u, e);
    if (r < 0) {
        upload_undo(&u, r);
    } else if (archive_clean_unmark(place, receipt, &why) < 0) {
        snap_warn("%s; the next run removes the mark", why.text);
        *place->unclean = true;
    }
    return r;
}
