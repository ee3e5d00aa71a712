/* SPDX-License-Identifier: MIT */
/* influxfs-dump: the points of days as text, to object storage, straight from the files of a store.
 * All of a run is one state of the store. */
#include "mount-helper/nightly/dump_day.h"
#include "mount-helper/nightly/dump_receipts.h"
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct options *run_options(const struct dump_run *run)
{
    return &run->job->snap.o;
}

/* What is left out */

/* Before a day has been opened, it is what the capture lacks, which counts for each. */
static void dumpdays_lacks(void *ctx, const char *words)
{
    struct dump_run *run = ctx;
    if (run->day) {
        run->lacks++;
        run->full |= dump_receipts_left_out(run->day, words, NULL) < 0;
        return;
    }
    char *own = array_grow(&run->omitted, run->nomitted) ? strdup(words) : NULL;
    run->full |= !own;
    if (own)
        run->omitted[run->nomitted++] = own;
}

/* Words that name nothing in the days of the run may name what is in others, which is no mistake. */
static int dumpdays_look_for_words(struct dump_run *run, struct err *e)
{
    cleanup(schema_freep) struct schema *all = NULL;
    cleanup(schema_freep) struct schema *none = schema_new();
    struct dump_wanted *w = &run->wanted;
    if (!none)
        return err_sys(e, -ENOMEM, "the names of measurements");
    if (dump_wanted_see(w, none))
        return 0;
    int r = schema_cache_policy(run->cache, run->query.db, run->query.rp, INT64_MIN, INT64_MAX,
                                &snap_reader, &all, e);
    if (all)
        dump_wanted_see(w, all);
    size_t seen = 0;
    for (size_t i = 0; i < w->n; i++)
        seen += w->seen[i];
    if (r == 0 && !seen)
        return err_set(e, -ENOENT, "%.400s has no measurement %.200s: nothing was dumped",
                       run->what, w->words[0]);
    for (size_t i = 0; r == 0 && i < w->n; i++) {
        char words[sizeof(((struct err *)0)->text)];
        snprintf(words, sizeof(words), "%.400s has no measurement %.200s: nothing of it was dumped",
                 run->what, w->words[i]);
        if (!w->seen[i])
            told_lacks(&run->told, words);
    }
    return r;
}

/* What is asked for */

static int dumpdays_default_policy(const struct meta *m, const char *db, const char **out,
                                   struct err *e)
{
    for (size_t i = 0; i < meta_policies(m); i++) {
        const char *of, *rp;
        struct meta_rules rules;
        meta_policy(m, i, &of, &rp);
        meta_policy_rules(m, i, &rules);
        if (rules.is_default && strcmp(of, db) == 0) {
            *out = rp;
            return 0;
        }
    }
    return err_set(e, -ENOENT,
                   meta_has_database(m, db) ? "database %s has no default retention policy: name "
                                              "one after it"
                                            : "no database %s",
                   db);
}

static int dumpdays_ask(struct dump_run *run, struct err *e)
{
    const struct options *o = run_options(run);
    const struct meta *m = shards_meta(schema_cache_shards(run->cache));
    const size_t words = o->nargs > 2 ? o->nargs - 2 : 0;
    const char *db = o->args[0], *rp = o->nargs > 1 ? o->args[1] : NULL;
    int r = rp ? 0 : dumpdays_default_policy(m, db, &rp, e);
    if (r == 0 && !meta_has_policy(m, db, rp))
        r = err_set(e, -ENOENT,
                    meta_has_database(m, db) ? "database %s has no retention policy %s"
                                             : "no database %s",
                    db, rp);
    if (r < 0)
        return r;
    run->query = (struct dump_query){.db = db,
                                     .rp = rp,
                                     .format = o->format.given ? (enum dump_format)o->format.dump
                                                               : DUMP_JSON,
                                     .gaps = &run->gaps,
                                     .reader = &snap_reader};
    char folder[DUMP_NAME_MAX + 1];
    dump_name_folder((struct slice){db, strlen(db)}, run->what);
    dump_name_folder((struct slice){rp, strlen(rp)}, folder);
    strcat(strcat(run->what, "/"), folder);
    r = dump_wanted_open(o->args + (words ? 2 : 0), words, &run->wanted);
    return r < 0 ? err_sys(e, r, "the names of measurements") : 0;
}

static void dumpdays_advise(struct dump_run *run, int32_t first, int32_t end)
{
    const struct shards *s = schema_cache_shards(run->cache);
    struct dump_query q = run->query;
    q.from = first * DAY_NS;
    q.to = end * DAY_NS;
    for (size_t i = 0; q.format == DUMP_LP && i < meta_policies(shards_meta(s)); i++) {
        const char *db, *rp;
        meta_policy(shards_meta(s), i, &db, &rp);
        if (strcmp(db, q.db) == 0 && strcmp(rp, q.rp) == 0)
            dump_advice_policy(&run->told, s, i, &q, time_wall_ns());
    }
}

/* The run */

/* One state of the store, for all days and measurements. */
static int dumpdays_capture(struct dump_run *run, struct err *e)
{
    struct snap *s = &run->job->snap;
    struct tarball *t;
    int r = snapshots_now(s->snapshots, &snap_reader, &t, e);
    if (r < 0)
        return r;
    struct capture *c = tarball_capture(t);
    r = schema_cache_open(c, snapshots_catalog(s->snapshots), NULL, &run->cache, e);
    if (r == 0 && schema_cache_live(run->cache, s->paths.data) < 0)
        r = err_sys(e, -ENOMEM, "the contents of the store");
    if (r == 0 && run->gaps.damage)
        schema_cache_allow_damage(run->cache);
    if (r == 0)
        r = dumpdays_ask(run, e);
    if (r == 0)
        dump_advice_omitted(&run->told, c, run->query.db, run->query.rp);
    tarball_unref(t);
    return r;
}

static void dumpdays_range(const struct dump_run *run, int32_t *first, int32_t *end)
{
    const struct options *o = run_options(run);
    const bool several = o->from_day != VALUE_NO_DAY;
    *first = several ? o->from_day : run->job->day;
    *end = several ? o->to_day : run->job->day + 1;
}

/* "2016-06-01/2016-07-01": the last is not of it. */
static int dumpdays_name_range(struct dump_run *run, int32_t first, int32_t end, struct err *e)
{
    char from[TIME_TEXT], to[TIME_TEXT], *text = NULL;
    time_day_text(first, from);
    time_day_text(end, to);
    if (end == first + 1)
        return 0;
    if (asprintf(&text, "%s/%s", from, to) < 0)
        return err_sys(e, -ENOMEM, "the days");
    free(run->job->end.day);
    run->job->end.day = text;
    return 0;
}

/* Receipts are known by the id of the store. */
static int dumpdays_know_store(struct dump_run *run, struct err *e)
{
    const struct snap *s = &run->job->snap;
    if (!s->state)
        return err_set(e, s->lacking, "%s; the store's id is kept there", s->lacks.text);
    if (!s->o.dry_run)
        return store_id_get(s->state, &run->store, e);
    int r = store_id_look(s->state, &run->store, e);
    if (r == -ENOENT) { /* a store without id has no receipts */
        memset(run->store.text, '0', STORE_ID);
        r = 0;
    }
    return r;
}

static int dumpdays_work(struct dump_run *run, struct err *e)
{
    int32_t first, end;
    dumpdays_range(run, &first, &end);
    int r = dumpdays_name_range(run, first, end, e);
    if (r == 0)
        r = dumpdays_know_store(run, e);
    if (r == 0)
        r = dumpdays_capture(run, e);
    if (r < 0)
        return r;
    dumpdays_advise(run, first, end);
    for (int32_t day = first; r == 0 && day < end; day++)
        r = dump_day(run, day, e);
    if (r == 0)
        r = dumpdays_look_for_words(run, e);
    return r == 0 && run->full ? err_sys(e, -ENOMEM, "what is left out") : r;
}

static void dumpdays_clear(struct dump_run *run)
{
    meter_end(&run->meter);
    dump_wanted_clear(&run->wanted);
    schema_cache_unref(run->cache);
    told_clear(&run->told);
    for (size_t i = 0; i < run->nomitted; i++)
        free(run->omitted[i]);
    free(run->omitted);
}

static int dumpdays_run(struct nightjob *j)
{
    struct err e = {0};
    const struct options *o = &j->snap.o;
    struct dump_run run = {.job = j, .containers = o->container_format};
    run.putting = (struct putting){.remote = j->remote,
                                   .verify = o->verify_read ? PUTTING_READ : PUTTING_SIZE,
                                   .meter = &run.meter,
                                   .fixed = true};
    run.told = (struct told){.meter = &run.meter, .also = dumpdays_lacks, .ctx = &run};
    run.gaps = (struct gaps){
        .names = true, .damage = o->skip_damaged, .say = told_lacks, .ctx = &run.told};
    if (o->json) {
        j->json = json_object_new_object();
        run.days = json_object_new_array();
        json_add(j->json, "days", run.days);
    }
    meter_begin(&run.meter, "dumping", 0);
    int r = dumpdays_work(&run, &e);
    const size_t lacking = run.told.lacking + run.removed;
    dumpdays_clear(&run);
    if (r < 0)
        return snap_fail(r, &e);
    return run.failed ? EXIT_FAILED : lacking ? EXIT_OMISSIONS : EXIT_DONE;
}

static int dumpdays_check(const struct options *o, struct err *e)
{
    const int32_t last = (int32_t)(INT64_MAX / DAY_NS); /* of which times end in the middle */
    const bool from = o->from_day != VALUE_NO_DAY, to = o->to_day != VALUE_NO_DAY;
    if (from != to)
        return err_set(e, -EINVAL,
                       "--from and --to go together: the first day, and the first one "
                       "after them");
    if (from && o->day != VALUE_NO_DAY)
        return err_set(e, -EINVAL, "give --day, or --from and --to");
    if (from && o->from_day >= o->to_day)
        return err_set(e, -EINVAL,
                       "--to must be a later day than --from: it is the first one that "
                       "is not dumped");
    if (o->to_day > last || o->day >= last)
        return err_set(e, -EINVAL, "days end with 2262-04-10, as points do");
    return 0;
}

static const struct nightjob_program dumpdays = {
    .kind = JOB_DUMP,
    .need = SNAP_SNAPSHOTS,
    .day = -1,
    .command =
        {.name = "influxfs-dump",
         .arguments = "DB [RP [MEASUREMENT|PATTERN]...]",
         .least = 1,
         .most = -1,
         .takes = "remote day from to container-format format names compress verify allow-left-out "
                  "skip-damaged json dry-run retry-for wait before after on-failure",
         .details = "Puts the points of a day (yesterday), or of several, into object storage: one "
                    "object for each\n"
                    "measurement, straight from the files. Empty ones are not made.\n"},
    .check = dumpdays_check,
    .run = dumpdays_run,
};

int main(int argc, char **argv)
{
    return nightjob_main(argc, argv, &dumpdays);
}
