/* SPDX-License-Identifier: MIT */
/* influxsnap restore: uploads snapshots into a restore session as the mount does, numbers first, so
 * that nothing is exchanged before all bytes were checked. */
#include "store/influxsnap/restoring.h"

#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/time.h"
#include "store/influx/running.h"
#include "store/influxsnap/remember.h"
#include "store/influxsnap/restoring_internal.h"
#include "store/restore/account.h"
#include "store/restore/advice.h"

#include <inttypes.h>
#include <stdio.h>

int restoring_busy_code(const struct snap *s)
{
    if (!s->o.force && running_uses(&s->paths, NULL) == -EBUSY)
        return EXIT_IN_USE;
    return session_check_mounts(&s->paths, NULL) == -EBUSY ? EXIT_FAILED : EXIT_IN_USE;
}

/* Whether what was given is a snapshot, of which a part is restored: then only the part does not
 * fit. */
static bool restore_is_of_part(const struct restoring *r)
{
    bool part = restore_request_composes(&r->request);
    for (size_t i = 0; i < r->set.n; i++) {
        if (!r->set.at[i].m)
            return false;
        part |= r->set.at[i].m->selection != NULL;
    }
    return part && (r->set.n || r->influxd);
}

static int restore_exit_code(const struct restoring *r, int code)
{
    switch (code) {
    case -EBUSY:
        return restoring_busy_code(r->s);
    case -EINVAL:
        return restore_is_of_part(r) ? EXIT_FAILED : EXIT_CORRUPT;
    case -EBADMSG:
        return EXIT_CORRUPT;
    case -ESTALE:
        return EXIT_INCOMPLETE;
    default:
        return EXIT_FAILED;
    }
}

/* The snapshots */

/* Of streams, the manifests are known. */
static int restore_read_streams(struct restoring *r, struct err *e)
{
    const struct restoring_from *from = r->from;
    const struct set_options how = {.unite = r->s->o.unite, .part = &r->request.part};
    autofree struct tarset_given *given = calloc(from->n, sizeof(*given));
    int ret = restoring_forbidden(r, e); /* before they are read for long */
    if (ret < 0)
        return ret;
    if (!from->at[0].m) {
        r->full = true;
        return setlook_open_stream(&from->at[0].in, &how, &r->influxd, e);
    }
    for (size_t i = 0; given && i < from->n; i++)
        given[i] =
            (struct tarset_given){from->at[i].in.name, steal_ptr(&from->at[i].m), from->at[i].size};
    return given ? tarset_of(given, from->n, &r->set, e) : err_sys(e, -ENOMEM, "%s", from->what);
}

/* The manifests of snapshots; or all of a set that influxd wrote. */
static int restore_read(struct restoring *r, struct err *e)
{
    const struct options *o = &r->s->o;
    const struct set_options how = {.unite = o->unite, .part = &r->request.part};
    if (r->from)
        return restore_read_streams(r, e);
    if (restoring_stdin(r))
        return 0;
    if (!setlook_is_set(o->args[0]))
        return tarset_gather(o->args, o->nargs, o->nargs == 1, &r->set, e);
    if (o->nargs != 1)
        return err_set(e, -EINVAL, "%s is a set that influxd wrote: it is restored by itself",
                       o->args[0]);
    int ret = restoring_forbidden(r, e); /* before it is read for long */
    if (ret < 0)
        return ret;
    r->full = true;
    return setlook_open(o->args[0], &how, &r->influxd, e);
}

static int restore_check_set(struct restoring *r, struct err *e)
{
    struct tarset *set = &r->set;
    for (size_t i = 0; i < set->n; i++) {
        if (!set->at[i].m)
            return err_set(e, set->at[i].code, "%s", set->at[i].why.text);
        r->full |= set->at[i].m->kind != MANIFEST_INCREMENTAL;
    }
    if (tarset_chain_end(set, 0) != set->n)
        return err_set(e, -ESTALE, "%s and %s do not belong together: they are of two chains",
                       set->at[0].path, set->at[set->n - 1].path);
    if (!r->full && restore_request_composes(&r->request))
        return err_set(e, -ESTALE,
                       "%s holds only changes: a part of a snapshot is restored from the full one, "
                       "with its numbers",
                       set->at[0].path);
    if (!r->full && set->n && set->at[0].m->selection)
        return err_set(e, -ESTALE,
                       "%s is a number of a part of a store: it can only be restored together with "
                       "the snapshot of that part and all numbers between",
                       set->at[0].path);
    /* Numbers alone may follow what the store holds; the session knows. */
    int ret = r->full ? tarset_check(set, 0, set->n, e) : 0;
    for (size_t i = 0; ret == 0 && i < set->n; i++)
        if (set->at[i].superseded)
            snap_note("%s is not needed: the full snapshot has taken it in", set->at[i].path);
    return ret;
}

/* The restore */

static void notice(void *arg, const char *text)
{
    (void)arg;
    snap_say("%s", text);
}

static int restore_open_session(struct restoring *r, struct err *e)
{
    const struct options *o = &r->s->o;
    autoclose int state = restoring_state(r);
    const struct session_options ro = {.paths = &r->s->paths,
                                       .uid = o->owner.uid,
                                       .gid = o->owner.gid,
                                       .in_use = o->force ? NULL : running_forbids,
                                       .state_fd = state,
                                       .keep_expired = o->keep_expired,
                                       .collect = r->full,
                                       .notice = notice};
    int ret = session_open(&ro, &r->session, e);
    /* Without them, all is written. */
    if (ret == 0 && r->s->state && !r->s->cuts &&
        cuts_open(NULL, r->s->state, &r->s->cuts, NULL) == 0)
        session_use_cuts(r->session, r->s->cuts);
    if (ret == 0)
        ret = session_hold(r->session, e);
    return restoring_blame(ret);
}

/* Numbers were given without what they build on. They do not stay, unless others wait there: unlike
 * in a mount, what is missing will not come next. */
static int restore_not_done(struct restoring *r, size_t before, struct err *e)
{
    struct waiting_list list;
    struct err why = {0};
    int ret = account_waiting(session_account(r->session), &list);
    if (ret < 0)
        return err_sys(e, ret, "restore");
    const size_t n = list.n;
    if (n)
        err_set(&why, 0, "%s builds on %s", list.at[0].name, list.at[0].waits_for);
    else
        err_set(&why, 0, "the store holds them, or later ones, already");
    waiting_free(&list);
    if (before == 0 && n && (ret = session_forget_waiting(r->session, e)) < 0)
        return ret;
    return err_set(e, -ESTALE,
                   "nothing was restored: %s; give the full snapshot and all numbers after it",
                   why.text);
}

static int count_waiting(struct restoring *r, size_t *n, struct err *e)
{
    struct waiting_list list;
    int ret = account_waiting(session_account(r->session), &list);
    if (ret < 0)
        return err_sys(e, ret, "restore");
    *n = list.n;
    waiting_free(&list);
    return 0;
}

static int restore(struct restoring *r, struct err *e)
{
    size_t before = 0;
    int ret = r->from && r->from->begin ? r->from->begin(r->from->arg, e) : 0;
    if (ret == 0)
        ret = restore_open_session(r, e);
    if (ret < 0 || (ret = count_waiting(r, &before, e)) < 0)
        return ret;
    logtail_begin(&r->tail, account_log_fd(session_account(r->session)));
    meter_begin(&r->meter, "unpacking", restoring_bytes(r));
    ret = restoring_pour(r, e);
    meter_end(&r->meter);
    const bool restored = account_restores(session_account(r->session)) > 0;
    return ret == 0 && !restored ? restore_not_done(r, before, e) : ret;
}

/* The result */

/* What of the snapshot was, or would be, put into the store; no database: it takes its place. Before
 * tell_advice, which uses that up. */
static const struct composed *what_was_put(const struct restoring *r)
{
    return r->s->o.dry_run ? &r->advise.composed : &session_advised(r->session)->composed;
}

static void tell_advice(struct restoring *r, struct json_object *into)
{
    if (r->s->o.dry_run) {
        advise_end(&r->advise, NULL, r->s->o.keep_expired, into);
        return;
    }
    advise_tell(session_advised(r->session), NULL);
    if (into)
        advise_json(session_advised(r->session), into);
}

/* What whoever gave the streams has to tell, too. */
static int restore_tell_more(const struct restoring *r)
{
    return r->from && r->from->done ? r->from->done(r->from->arg) : EXIT_DONE;
}

static int restore_print_json(struct restoring *r)
{
    const struct store_paths *p = &r->s->paths;
    struct json_object *o = r->from ? r->from->json : json_object_new_object();
    json_add_bool(o, "restored", !r->s->o.dry_run);
    json_add_text(o, "meta", p->meta);
    json_add_text(o, "data", p->data);
    json_add_text(o, "wal", p->wal);
    if (r->s->o.dry_run) {
        json_add_count(o, "files", r->counts.files);
        json_add_count(o, "bytes", r->counts.bytes);
    }
    json_add(o, "databases", composed_json(what_was_put(r)));
    tell_advice(r, o);
    if (r->influxd)
        setlook_json(r->influxd, o);
    if (r->from)
        return restore_tell_more(r);
    json_add(o, "warnings", snap_warnings_json());
    snap_print_json(o);
    return EXIT_DONE;
}

static int restore_print_result(struct restoring *r)
{
    const struct store_paths *p = &r->s->paths;
    const size_t n = what_was_put(r)->ndatabases;
    char of_it[64] = "";
    if (n)
        snprintf(of_it, sizeof(of_it), "%zu database%s ", n, plural(n));
    tell_advice(r, NULL);
    if (r->s->o.dry_run)
        printf("would unpack %" PRIu64 " file%s, %" PRIu64
               " bytes, %s%sinto %s, %s and %s, and keep "
               "what is there now as *.before-restore\n",
               r->counts.files, plural(r->counts.files), r->counts.bytes, n ? "and put " : "",
               of_it, p->meta, p->data, p->wal);
    else
        printf("restored %sinto %s, %s and %s\n", of_it, p->meta, p->data, p->wal);
    return restore_tell_more(r);
}

/* The last snapshot read tells what the restored state lacks. */
static void tell_manifest(const struct restoring *r)
{
    const struct manifest *m = NULL;
    if (r->influxd)
        setlook_tell(r->influxd);
    for (size_t i = 0; i < r->set.n; i++)
        m = r->set.at[i].m && !r->set.at[i].superseded ? r->set.at[i].m : m;
    if (!m)
        return;
    tell_links(NULL, (const char *const *)m->links, m->nlinks);
    tell_left_out("the snapshot", &m->left_out);
}

/* The snapshot that the store is as of now, if its manifest was read. */
static const char *restored_id(const struct restoring *r)
{
    const char *id = r->influxd ? set_manifest(setlook_set(r->influxd))->id : NULL;
    for (size_t i = 0; i < r->set.n; i++)
        id = r->set.at[i].m && !r->set.at[i].superseded ? r->set.at[i].m->id : id;
    return id;
}

/* Where it came from, in fresh memory. */
static char *restored_from(const struct restoring *r)
{
    if (r->from)
        return strdup(r->from->what);
    return restoring_stdin(r) ? strdup("standard input") : remember_path(r->s->o.args[0]);
}

static void restore_remember(const struct restoring *r, int64_t began_ns, bool done,
                             const char *why)
{
    struct err part = {0};
    autofree char *from = restored_from(r);
    if (done && restore_request_composes(&r->request))
        restore_request_words(&r->request, &part);
    const struct history_entry end = {
        .result = done ? HISTORY_DONE : HISTORY_FAILED,
        .bytes = restoring_bytes(r),
        .what = from ? from : "",
        .id = restored_id(r),
        .text = !done          ? why
                : part.text[0] ? part.text
                               : NULL,
    };
    if (!r->s->o.dry_run)
        remember(r->s, HISTORY_RESTORE, began_ns, &end);
}

/* Whether something is left out that was named: of a set, or values by a merge. */
static bool restore_omits(const struct restoring *r)
{
    return (r->influxd && setlook_omits(r->influxd)) ||
           (!r->s->o.dry_run && session_advised(r->session)->composed.omitted);
}

static int restore_do(struct restoring *r, struct err *e)
{
    int ret = restore_read(r, e);
    if (ret == 0 && r->set.n)
        ret = restore_check_set(r, e);
    if (ret == 0)
        ret = r->s->o.dry_run ? restoring_dry_run(r, e) : restore(r, e);
    if (ret == 0)
        tell_manifest(r);
    return ret;
}

/* From the manifests to the result. */
static int restore_run(struct restoring *r, struct err *e)
{
    const int64_t began_ns = time_mono_ns();
    int code, ret = restore_do(r, e);
    restore_remember(r, began_ns, ret == 0, e->text);
    if (ret < 0) {
        snap_fail(ret, e);
        code = restore_exit_code(r, ret);
    } else {
        code = r->s->o.json ? restore_print_json(r) : restore_print_result(r);
        if (code == EXIT_DONE && restore_omits(r))
            code = EXIT_OMISSIONS;
    }
    advise_clear(&r->advise);
    session_close(r->session);
    setlook_close(r->influxd);
    tarset_clear(&r->set);
    return code;
}

struct restore_request restoring_request(const struct options *o)
{
    return (struct restore_request){.part = options_selection(o),
                                    .as = o->as,
                                    .all_shards = o->unite,
                                    .merge = (enum merge_mode)o->merge};
}

struct restore_request restoring_request_of(const struct options *o,
                                            const struct restoring_from *from)
{
    struct restore_request q = restoring_request(o);
    if (from->part && !restore_request_composes(&q))
        q.part = *from->part;
    return q;
}

int snap_restore(struct snap *s)
{
    struct err e = {0};
    struct restoring r = {.s = s, .request = restoring_request(&s->o)};
    int ret = restore_request_check(&r.request, &e);
    if (ret < 0) {
        snap_fail(ret, &e);
        return EXIT_USAGE;
    }
    ret = snap_open(s, s->o.dry_run ? SNAP_LOOK : SNAP_PATHS, &e);
    return ret < 0 ? snap_fail(ret, &e) : restore_run(&r, &e);
}

int restoring_streams(struct snap *s, const struct restoring_from *from, struct err *why)
{
    struct restoring r = {.s = s, .from = from, .request = restoring_request_of(&s->o, from)};
    *why = (struct err){0};
    const int code = restore_run(&r, why);
    for (size_t i = 0; i < from->n; i++)
        manifest_free(steal_ptr(&from->at[i].m));
    return code;
}
