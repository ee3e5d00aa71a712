/* SPDX-License-Identifier: MIT */
/* influxfs-fetch: the newest good archive of a day in object storage, restored from the stream. */
#include "mount-helper/nightly/fetch_changed.h"
#include "mount-helper/nightly/fetch_copy.h"
#include "mount-helper/nightly/fetch_days.h"
#include "mount-helper/nightly/fetch_last.h"
#include "mount-helper/nightly/fetch_service.h"
#include "mount-helper/nightly/fetch_source.h"
#include "mount-helper/nightly/fetch_systemctl.h"
#include "mount-helper/nightly/fetch_told.h"
#include "mount-helper/nightly/nightjob.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/json.h"
#include "store/base/time.h"
#include "store/influx/meta.h"
#include "store/influx/names.h"
#include "store/influx/running.h"
#include "store/influxsnap/restoring.h"
#include "store/restore/compose.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct fetch {
    struct nightjob *job;
    struct fetch_into *into; /* NULL: the store itself is restored into */
    struct fetch_found found;
    struct fetch_source source;
    struct fetch_service service;
    struct selection set_part;
    const struct selection *part; /* that, of a set, which does not say itself of what it is */
    struct restore_request own;   /* what is asked for by options, or by the part, */
    const struct restore_request *request; /* and what counts: that or the folder's of --into */
    struct err changed; /* what was written after the archive and is replaced, in words; or empty */
    bool restored;
};

static int fetch_check(const struct options *o, struct err *e)
{
    const struct restore_request q = restoring_request(o);
    const bool asks = restore_request_composes(&q) || q.all_shards || o->keep_expired || o->force ||
                      o->owner.uid != (uid_t)-1;
    if (o->into && asks)
        return err_set(e, -EINVAL,
                       "--into: the mount restores, and its folder says what is wanted, such as "
                       "restore/as/NEWDB; other options of a restore do not go with it");
    if (o->stop && !systemctl_is_unit(o->stop))
        return err_set(e, -EINVAL,
                       "--stop: '%s' is not the name of one unit of systemd, such as "
                       "influxdb.service",
                       o->stop);
    return restore_request_check(&q, e);
}

/* An influxd in the way is no news after an hour of reading. It is in the way of no dry run. */
static int fetch_may_begin(const struct fetch *f, struct err *e)
{
    const struct snap *s = &f->job->snap;
    return f->into || s->o.stop || s->o.force || s->o.dry_run ? 0 : running_forbids(&s->paths, e);
}

/* By the databases that came, since a set does not know what it was to be without. */
static int fetch_learn_part(struct fetch *f, const struct receipt *c, struct err *e)
{
    if (c->form != RECEIPT_LEGACY || !c->selection)
        return 0;
    f->set_part = *c->selection;
    f->set_part.databases = (const char *const *)c->databases;
    f->set_part.ndatabases = c->ndatabases;
    f->set_part.exclude = NULL;
    f->set_part.nexclude = 0;
    f->part = &f->set_part;
    return c->ndatabases ? 0
                         : err_set(e, -EINVAL,
                                   "the archive of %s is a set of a part of a store, and holds no "
                                   "database of it",
                                   c->day);
}

/* What is restored of it, and how. */
static int fetch_ask(struct fetch *f, struct err *e)
{
    const struct receipt *first = &f->found.chain.at[0].receipt;
    const struct options *o = &f->job->snap.o;
    const int r = fetch_learn_part(f, first, e);
    if (r < 0)
        return r;
    f->own = restoring_request_of(o, &(struct restoring_from){.part = f->part});
    f->request = f->into ? fetch_into_request(f->into) : &f->own;
    if (f->into && f->request && f->source.n > 1)
        return err_set(
            e, -EINVAL,
            "%s takes no full snapshot with numbers: use --as or --merge, without --into", o->into);
    if (f->into && !f->request && f->part)
        return err_set(e, -EINVAL,
                       "the archive of %s is a legacy set of some databases, and would take the "
                       "place of the whole store in %s: fetch it without --into, or into as/NEWDB "
                       "there",
                       first->day, o->into);
    return 0;
}

/* By the receipt, or by a file of it: also a database that a receipt does not name can be had. */
static bool fetch_holds(const struct fetch *f, const struct receipt *c, const char *db)
{
    const size_t n = strlen(db);
    bool holds = receipt_has_database(c, db);
    for (size_t i = 0; !holds && i < f->source.n; i++) {
        const struct manifest *m = f->source.at[i].m;
        for (size_t k = 0; m && !holds && k < m->nfiles; k++) {
            const char *path;
            target_kind_of(m->files[k].name, &path);
            holds = strncmp(path, db, n) == 0 && path[n] == '/';
        }
    }
    return holds;
}

/* What would be refused after all was read, with influxd stopped. */
static int fetch_check_names(const struct fetch *f, struct err *e)
{
    const struct archived_chain *chain = &f->found.chain;
    const struct receipt *c = &chain->at[chain->n - 1].receipt;
    const struct selection *part = &f->own.part;
    cleanup(targets_freep) struct targets *t = NULL;
    for (size_t i = 0; !f->into && i < part->ndatabases; i++)
        if (!fetch_holds(f, c, part->databases[i]))
            return err_set(e, -ENOENT, "the archive of %s holds no database %s", c->day,
                           part->databases[i]);
    if (f->into || !f->own.as)
        return 0;
    int r = targets_open(&f->job->snap.paths, (uid_t)-1, (gid_t)-1, &t, e);
    return r < 0 ? r : compose_check_name(t, &f->own, e);
}

static int fetch_find(struct fetch *f, struct err *e)
{
    struct nightjob *j = f->job;
    int r = j->snap.o.into ? fetch_into_open(j->snap.o.into, &f->into, e) : 0;
    if (r == 0)
        r = fetch_may_begin(f, e);
    if (r == 0)
        r = fetch_days_find(j, &f->found, e);
    if (r < 0)
        return r;
    r = fetch_source_open(j->remote, j->snap.o.container_format, &f->found.chain, &f->source, e);
    j->end.bytes = f->source.bytes;
    j->end.objects = f->source.objects;
    if (r == 0)
        r = fetch_ask(f, e);
    return r == 0 ? fetch_check_names(f, e) : r;
}

static int fetch_exit_code(int r)
{
    switch (r) {
    case -EINVAL:
        return EXIT_USAGE;
    case -EBUSY:
        return EXIT_IN_USE;
    case -EBADMSG:
        return EXIT_CORRUPT;
    case -ESTALE:
        return EXIT_INCOMPLETE;
    default:
        return EXIT_FAILED;
    }
}

/* Whether something is lost, while nobody writes any more. */
static int fetch_look_back(struct fetch *f, struct err *e)
{
    const struct archived_chain *c = &f->found.chain;
    if (f->into)
        return 0;
    return fetch_changed(&f->job->snap, &c->at[c->n - 1].receipt, f->request, &f->changed, e);
}

static int fetch_begin(void *arg, struct err *e)
{
    struct fetch *f = arg;
    const struct snap *s = &f->job->snap;
    int r = fetch_service_stop(&f->service, s->state, &s->paths, e);
    return r == 0 ? fetch_look_back(f, e) : r;
}

/* The meta.db that the restore has left. */
static int fetch_meta(const struct fetch *f, char **buf, size_t *n, struct err *e)
{
    const char *folder = f->job->snap.paths.meta;
    if (f->into)
        return fetch_into_meta(f->into, buf, n, e);
    autoclose int meta = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r = meta < 0 ? -errno : io_read_file(meta, NAME_META_DB, META_DB_MAX, buf, n);
    return r < 0 ? err_sys(e, r, "%s/" NAME_META_DB, folder) : 0;
}

/* The job is for the day that came. */
static void fetch_note_day(struct fetch *f)
{
    char text[TIME_TEXT];
    time_day_text(f->found.day, text);
    char *day = strdup(text);
    if (!day)
        return;
    free(f->job->end.day);
    f->job->end.day = day;
}

/* A part that was asked for of a certain store says nothing of the next night. */
static void fetch_note_store(const struct fetch *f, const struct restore_request *q)
{
    const struct snap *s = &f->job->snap;
    const struct archived_chain *c = &f->found.chain;
    struct err why = {0};
    if (!s->state || (s->o.of_store && q && restore_request_composes(q)))
        return;
    if (fetch_last_note(s->state, c->at[c->n - 1].receipt.store, &why) < 0)
        snap_warn("%s; whose archive was fetched is not remembered: say it by --store", why.text);
}

static int fetch_done(void *arg)
{
    struct fetch *f = arg;
    const struct restore_request *q = f->request;
    autofree char *meta = NULL;
    size_t n = 0;
    struct err e = {0};
    int r = 0;
    fetch_note_day(f);
    fetch_told_result(f->job, &f->found, q);
    if (f->changed.text[0])
        snap_warn("%s", f->changed.text);
    if (f->job->snap.o.dry_run)
        return EXIT_DONE;
    f->restored = true;
    fetch_note_store(f, f->part ? NULL : q);
    r = fetch_meta(f, &meta, &n, &e);
    if (r == 0)
        r = fetch_told_check(&f->found, q, meta, n, &e);
    return r < 0 ? snap_fail(r, &e) : EXIT_DONE;
}

static int fetch_restore(struct fetch *f, struct err *why)
{
    struct nightjob *j = f->job;
    const bool dry_run = j->snap.o.dry_run;
    struct json_object *result = j->json ? json_object_new_object() : NULL;
    const struct restoring_from from = {.what = f->source.what,
                                        .at = f->source.at,
                                        .n = f->source.n,
                                        .part = f->part,
                                        .begin = f->service.unit || dry_run ? fetch_begin : NULL,
                                        .done = fetch_done,
                                        .arg = f,
                                        .json = result};
    int code = restoring_streams(&j->snap, &from, why);
    if (result)
        json_add(j->json, "restore", result);
    return code;
}

static int fetch_copy_into(struct fetch *f, struct err *e)
{
    const bool dry_run = f->job->snap.o.dry_run;
    int r = dry_run || !f->service.unit ? 0 : fetch_begin(f, e);
    if (r == 0)
        r = dry_run ? fetch_copy_verify(&f->source, e) : fetch_copy(&f->source, f->into, e);
    if (r == 0)
        return fetch_done(f);
    snap_fail(r, e);
    return r == -EINVAL ? EXIT_CORRUPT : fetch_exit_code(r);
}

/* influxd, which is down, is the last thing that is said. */
static int fetch_start(struct fetch *f, int code, struct err *why)
{
    struct err e = {0}, said = {0}, before = *why;
    if (fetch_service_start(&f->service, f->job->snap.state, &said) == 0)
        return code;
    err_set(&e, 0, "%s%s", f->restored ? "the store was restored, but " : "", said.text);
    err_set(why, 0, "%s%s%s", before.text, before.text[0] ? "; " : "", e.text);
    return snap_fail(-EIO, &e);
}

/* What was found, restored: an exit code, after saying why. */
static int fetch_take(struct fetch *f, struct err *why)
{
    const bool stops = f->service.unit && !f->job->snap.o.dry_run;
    int r = stops ? 0 : fetch_look_back(f, why);
    if (r < 0)
        return snap_fail(r, why);
    int code = f->into ? fetch_copy_into(f, why) : fetch_restore(f, why);
    code = fetch_start(f, code, why);
    return code == EXIT_DONE && f->found.older ? EXIT_OMISSIONS : code;
}

/* An archive has proved not to be good: what can be had in its place. */
static int fetch_blame(struct fetch *f, int code, struct err *why)
{
    struct err e = {0};
    const int gone = fetch_days_gone(f->job, &f->found, &e);
    if (gone == 0)
        fetch_days_offer(f->job, &f->found, fetch_source_spoilt(&f->source));
    else
        snap_say("%s", e.text);
    if (gone > 0)
        *why = e;
    return gone > 0 ? EXIT_FAILED : code;
}

static int fetch_run(struct nightjob *j)
{
    struct err e = {0};
    struct fetch f = {.job = j, .service = {.unit = j->snap.o.stop}};
    j->json = j->snap.o.json ? json_object_new_object() : NULL;
    int code, r = fetch_find(&f, &e);
    if (r < 0) {
        snap_fail(r, &e);
        code = fetch_exit_code(r);
    } else {
        code = fetch_take(&f, &e);
    }
    if (*f.found.store && (code == EXIT_CORRUPT || code == EXIT_INCOMPLETE))
        code = fetch_blame(&f, code, &e);
    if (e.text[0])
        j->end.text = strdup(e.text);
    fetch_source_close(&f.source);
    fetch_found_clear(&f.found);
    fetch_into_close(f.into);
    return code;
}

/* --start-stopped */
static int fetch_heal(struct nightjob *j)
{
    struct err e = {0};
    const int r = j->snap.state ? fetch_service_heal(j->snap.state, &e) : 0;
    return r < 0 ? snap_fail(r, &e) : EXIT_DONE;
}

static const struct nightjob_program fetch = {
    .kind = JOB_FETCH,
    .need = SNAP_PATHS,
    .day = -1,
    .command =
        {.name = "influxfs-fetch",
         .arguments = "",
         .takes = "remote day container-format into stop start-stopped store database exclude rp "
                  "shard as "
                  "merge union owner keep-expired force json dry-run retry-for wait before "
                  "after on-failure",
         .details =
             "Restores the newest archive at or before a day (yesterday) from object storage, "
             "by rclone and\n"
             "without a local copy; a legacy set by way of TMPDIR. Everything is checked before "
             "the store is\n"
             "touched. An archive that is not good is refused, and the newest good one before it "
             "named. With\n"
             "--stop, influxd is stopped before the restore and started again after it.\n"},
    .check = fetch_check,
    .run = fetch_run,
    .heal = fetch_heal,
};

int main(int argc, char **argv)
{
    return nightjob_main(argc, argv, &fetch);
}
