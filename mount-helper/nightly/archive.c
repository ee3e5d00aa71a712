/* SPDX-License-Identifier: MIT */
/*
 * influxfs-archive: the store as it is now, to object storage.
 *
 * In this order: what lies there is looked at, and cleaned; the store is captured; all of the capture
 * is uploaded (archive_upload.h); and days that are too many are removed. The remote is not touched
 * before there is a capture.
 */
#include "mount-helper/nightly/archive_judge.h"
#include "mount-helper/nightly/archive_keep.h"
#include "mount-helper/nightly/archive_names.h"
#include "mount-helper/nightly/archive_told.h"
#include "mount-helper/nightly/archive_upload.h"
#include "mount-helper/nightly/nightjob.h"
#include "store/base/time.h"
#include "store/influxsnap/selecting.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PART_SIZE_LEAST (64u << 10)
#define HOST 256
#define FULL_EVERY 7

struct archive {
    struct nightjob *job;
    const struct options *o;
    struct archive_place place;
    char host[HOST];
    struct selection *part; /* NULL: the whole store */
    struct archive_past past;
    struct archive_source *source;
    struct receipt receipt;
    struct archive_kept kept;
    bool omits, shrunk, unkept, unclean; /* each: exit code 6 */
};

static int archive_check(const struct options *o, struct err *e)
{
    if (o->legacy && o->incremental)
        return err_set(e, -EINVAL,
                       "--legacy sets are always full: they do not go with "
                       "--incremental");
    if (o->part_size < PART_SIZE_LEAST)
        return err_set(e, -EINVAL, "--part-size must be at least 64K");
    if (o->full_every != OPTIONS_FULL_EVERY && !o->incremental)
        return err_set(e, -EINVAL, "--full-every goes with --incremental: all others are full");
    if (o->full_every == 0)
        return err_set(e, -EINVAL, "--full-every must be at least 1");
    if (o->keep == 0)
        return err_set(e, -EINVAL, "--keep must be at least 1: the last good day always stays");
    if (o->state && access(o->state, F_OK) < 0)
        return err_sys(e, -errno,
                       "--state=%s: with another state folder, the store counts as another one; "
                       "make it if this is right",
                       o->state);
    return selecting_check(o, e);
}

static int archive_select(struct archive *a, struct err *e)
{
    const struct selection part = options_selection(a->o);
    const int r = selection_is_all(&part) ? 0 : selection_copy(&part, &a->part);
    return r < 0 ? err_sys(e, r, "the receipt") : 0;
}

static int archive_begin(struct archive *a, struct err *e)
{
    const struct snap *s = &a->job->snap;
    struct store_id id;
    if (!s->state || s->lacking)
        return err_set(e, s->lacking ? s->lacking : -ENOENT,
                       "%s; an archive needs one (--state=), which knows whose it is",
                       s->lacks.text[0] ? s->lacks.text : "there is no state folder");
    int r = store_id_get(s->state, &id, e);
    if (r == 0)
        r = archive_select(a, e);
    if (r < 0)
        return r;
    if (gethostname(a->host, sizeof(a->host) - 1) < 0 || !*a->host)
        strcpy(a->host, "localhost");
    a->place = (struct archive_place){.remote = a->job->remote,
                                      .format = a->o->container_format ? a->o->container_format
                                                                       : DAYNAME_DEFAULT,
                                      .host = a->host,
                                      .part = a->part,
                                      .day = a->job->day,
                                      .dry_run = a->o->dry_run,
                                      .unlocked = !a->job->locked,
                                      .unclean = &a->unclean};
    strcpy(a->place.store, id.text);
    return 0;
}

/* RUNs rise, though the clock may be set back: what builds on a run is later than that. */
static int archive_name_run(struct archive *a, struct err *e)
{
    struct receipt *c = &a->receipt;
    char day[TIME_TEXT];
    int64_t last = INT64_MIN + SECOND_NS;
    if (*a->past.run)
        cuts_parse_time(a->past.run, strlen(a->past.run), &last);
    receipt_run(time_later(a->job->began_ns, last + SECOND_NS), c->run);
    time_day_text(a->place.day, day);
    memcpy(c->day, day, sizeof(c->day));
    strcpy(c->store, a->place.store);
    c->number = -1;
    c->host = strdup(a->host);
    const int r = a->part ? selection_copy(a->part, &c->selection) : 0;
    return r == 0 && c->host ? 0 : err_sys(e, -ENOMEM, "the receipt");
}

static int archive_look_back(struct archive *a, struct err *e)
{
    char day[TIME_TEXT];
    const enum archive_past_want want = a->o->legacy        ? PAST_NEWEST
                                        : a->o->incremental ? PAST_CHAIN
                                                            : PAST_COMPARED;
    int r = archive_past_look(&a->place, want, &a->past, e);
    if (r < 0)
        return r;
    time_day_text(a->past.ahead_day, day);
    if (a->past.ahead)
        snap_warn("%s holds the archive of %s, which is later than today: is the clock right?",
                  remote_name(a->place.remote), day);
    if (a->o->incremental && a->past.others && !a->past.chain.n)
        snap_note(
            "%s holds no archive of this part of the store that a number could follow: so this "
            "is a full one",
            remote_name(a->place.remote));
    return archive_name_run(a, e);
}

static enum receipt_form archive_wanted(const struct archive *a)
{
    const uint64_t given = a->o->full_every;
    const uint64_t every = given == OPTIONS_FULL_EVERY ? FULL_EVERY : given;
    if (a->o->legacy)
        return RECEIPT_LEGACY;
    return a->o->incremental && (uint64_t)a->past.numbers < every ? RECEIPT_INCREMENTAL
                                                                  : RECEIPT_FULL;
}

/* Nothing on the remote has been made so far. */
static int archive_take(struct archive *a, struct err *e)
{
    const struct archive_wish wish = {.form = archive_wanted(a),
                                      .past = &a->past,
                                      .receipt = &a->receipt,
                                      .part_size = a->o->part_size};
    unsigned nn = 0;
    int r = archive_source_new(&a->job->snap, &wish, &a->source, e);
    if (r == 0 && a->o->legacy && (r = archive_names_next(&a->place, &nn, e)) == 0)
        r = archive_source_make_set(a->source, nn, e);
    if (r == 0)
        r = archive_source_tell(a->source, &a->receipt, e);
    if (r == 0)
        r = archive_judge_lacks(a->source, &a->receipt, &a->omits, e);
    if (r == 0)
        a->receipt.shrunk = a->shrunk =
            archive_judge_shrunk(&a->past, a->source, &a->receipt, a->o);
    return r;
}

/* The archive is made: what goes wrong here is said, and fails nothing. */
static void archive_thin(struct archive *a)
{
    struct err e = {0};
    if (a->o->keep == OPTIONS_KEEP_ALL)
        return;
    int r = a->shrunk ? err_set(&e, -ECANCELED, "so much is gone since the archive before it")
                      : archive_keep(&a->place, &a->receipt, a->o->keep, &a->kept, &e);
    if (r == 0)
        return;
    a->unkept = true;
    snap_warn("--keep removes %s: %s", r == -ECANCELED ? "nothing" : "no more", e.text);
}

static int archive_do(struct archive *a, struct err *e)
{
    int r = archive_begin(a, e);
    if (r == 0)
        r = archive_look_back(a, e);
    if (r == 0)
        r = archive_take(a, e);
    if (r == 0 && !a->o->dry_run)
        r = archive_upload(&a->place, a->source, a->o->verify_read, &a->receipt, e);
    if (r < 0)
        return r;
    strcpy(a->place.made, a->receipt.run);
    archive_thin(a);
    return 0;
}

static int archive_code(const struct archive *a)
{
    const bool lacks = a->omits || a->shrunk || a->past.bad;
    return lacks || a->unkept || a->unclean ? EXIT_OMISSIONS : EXIT_DONE;
}

static int archive_run(struct nightjob *j)
{
    struct err e = {0};
    struct archive a = {.job = j, .o = &j->snap.o};
    const int64_t began_ns = time_mono_ns();
    int r = archive_do(&a, &e);
    int code = r < 0 ? snap_fail(r, &e) : archive_code(&a);
    const struct archive_told told = {.place = &a.place,
                                      .source = a.source,
                                      .receipt = &a.receipt,
                                      .past = &a.past,
                                      .kept = &a.kept};
    if (r == 0 || a.source)
        archive_told_remember(&told, j, began_ns, code, r < 0 ? e.text : NULL);
    if (r == 0)
        r = archive_told_print(&told, j, &e);
    if (r < 0 && code != EXIT_FAILED)
        code = snap_fail(r, &e);
    archive_kept_clear(&a.kept);
    receipt_clear(&a.receipt);
    archive_source_free(a.source);
    archive_past_clear(&a.past);
    selection_free(a.part);
    return code;
}

static const struct nightjob_program archive = {
    .kind = JOB_ARCHIVE,
    .need = SNAP_SNAPSHOTS,
    .command =
        {.name = "influxfs-archive",
         .arguments = "",
         .takes = "remote day container-format incremental full-every legacy part-size verify "
                  "keep database exclude rp allow-left-out guard json dry-run retry-for wait "
                  "before after on-failure",
         .details =
             "Puts a snapshot of the store, as it is now, into the container of a day (today) "
             "of object\n"
             "storage, by rclone and without a local copy, and looks whether it arrived.\n"},
    .check = archive_check,
    .run = archive_run,
};

int main(int argc, char **argv)
{
    return nightjob_main(argc, argv, &archive);
}
