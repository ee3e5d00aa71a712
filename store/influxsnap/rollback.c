/* SPDX-License-Identifier: MIT */
/* influxsnap rollback: a retained cut takes the place of the store. */
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/json.h"
#include "store/base/time.h"
#include "store/influx/names.h"
#include "store/influx/running.h"
#include "store/influx/seen.h"
#include "store/influxsnap/meter.h"
#include "store/influxsnap/remember.h"
#include "store/influxsnap/restoring.h"
#include "store/influxsnap/telling.h"
#include "store/influxsnap/whichcut.h"
#include "store/restore/account.h"
#include "store/restore/advice.h"
#include "store/restore/session_cut.h"
#include "store/restore/stage_cut.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct rolling {
    struct snap *s;
    struct cut_info cut;
    char name[48]; /* "cut 3" */
    struct cutuse *use;
    struct session *session;
    struct cut_effect effect;
    struct advise advise; /* of a dry run */
    struct meter meter;
    bool found; /* the cut, so that its damage is not that of the chain */
};

static int roll_exit_code(const struct rolling *r, int code)
{
    switch (code) {
    case -EBUSY:
        return restoring_busy_code(r->s);
    case -EBADMSG:
        return r->found ? EXIT_CORRUPT : EXIT_INCOMPLETE;
    case -EINVAL:
        return r->found ? EXIT_FAILED : EXIT_USAGE;
    default:
        return EXIT_FAILED;
    }
}

/* What a damaged chain hides may be the cut that was meant: the one that was named, or one after the
 * last that can be read, which a time or `latest` then is not. */
static int roll_check_chain(const struct rolling *r, int found, struct err *e)
{
    autofree struct cut_info *list = NULL;
    struct err broken = {0};
    const char *which = r->s->o.args[0];
    size_t n = 0;
    int ret = cuts_list(r->s->cuts, &list, &n, &broken, NULL);
    if (ret < 0 || !broken.text[0])
        return found;
    const bool named = which[strspn(which, "0123456789")] == 0 || strcmp(which, "base") == 0;
    const bool last = found == 0 && n && list[n - 1].head.serial == r->cut.head.serial;
    if (found == -ENOENT || (last && !named))
        return err_set(e, -EBADMSG, "cut %s: it cannot be told which that is: %s", which,
                       broken.text);
    return found;
}

/* The cut, which is in use from now on. */
static int roll_find(struct rolling *r, struct err *e)
{
    struct snap *s = r->s;
    char number[32];
    int ret = s->state ? cuts_open(NULL, s->state, &s->cuts, e)
                       : err_set(e, -ENOENT, "%s: no cuts", s->lacks.text);
    if (ret == 0)
        ret = roll_check_chain(r, whichcut(s->cuts, s->o.args[0], &r->cut, e), e);
    if (ret < 0)
        return ret;
    snap_cut_name(r->cut.head.number, number);
    snprintf(r->name, sizeof(r->name), "cut %s", number);
    ret = cutuse_begin(s->cuts, r->cut.head.serial, &r->use, e);
    r->found = ret == 0;
    return ret;
}

static void roll_notice(void *arg, const char *text)
{
    (void)arg;
    snap_say("%s", text);
}

static bool roll_staged(void *arg, const char *name, uint64_t size)
{
    struct rolling *r = arg;
    meter_file(&r->meter, name, size);
    meter_add(&r->meter, size);
    return snap_stopped(NULL);
}

/* Where the folders are gone, their owner is that of the cut. */
static void roll_owner(const struct rolling *r, uid_t *uid, gid_t *gid)
{
    const struct file_attr *top = cutuse_top(r->use);
    *uid = r->s->o.owner.uid;
    *gid = r->s->o.owner.gid;
    if (*uid != (uid_t)-1 || geteuid() != 0 || !top->mode || access(r->s->paths.data, F_OK) == 0)
        return;
    *uid = top->uid;
    *gid = top->gid;
}

static struct session_options roll_options(const struct rolling *r, int state)
{
    const struct options *o = &r->s->o;
    uid_t uid;
    gid_t gid;
    roll_owner(r, &uid, &gid);
    return (struct session_options){.paths = &r->s->paths,
                                    .uid = uid,
                                    .gid = gid,
                                    .in_use = o->force ? NULL : running_forbids,
                                    .state_fd = state,
                                    .keep_expired = o->keep_expired,
                                    .collect = true,
                                    .notice = roll_notice};
}

/* What a dry run says of the users and policies of the cut. */
static int roll_foresee_meta(struct rolling *r, struct err *e)
{
    cleanup(manifest_freep) struct manifest *m = NULL;
    struct cut_entry file;
    int ret = cutuse_find(r->use, NAME_META_MEMBER, &file, e);
    if (ret < 0)
        return ret == -ENOENT ? 0 : ret;
    autoclose int fd = cuts_open_file(r->s->cuts, &file, e);
    autofree char *meta = fd < 0 ? NULL : malloc(file.attr.size + 1);
    if (fd < 0)
        return fd;
    ret = meta ? io_pread_all(fd, meta, file.attr.size, 0) : -ENOMEM;
    if (ret < 0)
        return err_sys(e, ret, "%s: meta.db", r->name);
    ret = stage_cut_manifest(r->use, &m, e);
    if (ret == 0)
        advise_next(&r->advise, steal_ptr(&meta), file.attr.size, m);
    return ret;
}

static int roll_foresee(struct rolling *r, const struct session_options *o,
                        const struct session_cut *q, struct err *e)
{
    int ret = o->in_use ? o->in_use(o->paths, e) : 0;
    if (ret == 0 && o->in_use)
        ret = seen_check(o->paths, o->state_fd, e);
    if (ret == 0)
        ret = session_check_mounts(o->paths, e);
    if (ret == 0)
        ret = session_cut_look(o, q, &r->effect, e);
    return ret == 0 ? roll_foresee_meta(r, e) : ret;
}

static int roll_restore(struct rolling *r, const struct session_options *o,
                        const struct session_cut *q, struct err *e)
{
    int ret = session_open(o, &r->session, e);
    if (ret == 0)
        ret = session_may_begin(r->session, e);
    if (ret < 0)
        return ret;
    meter_begin(&r->meter, "putting back", 0);
    ret = session_cut_restore(r->session, q, &r->effect, e);
    meter_end(&r->meter);
    return ret;
}

static int roll_do(struct rolling *r, struct err *e)
{
    const bool dry = r->s->o.dry_run;
    int ret = snap_open(r->s, SNAP_LOOK, e);
    if (ret == 0)
        ret = roll_find(r, e);
    if (ret < 0)
        return ret;
    autoclose int state = open(r->s->state, O_PATH | O_DIRECTORY | O_CLOEXEC);
    const struct session_options o = roll_options(r, state);
    const struct session_cut q = {r->use, r->name, roll_staged, r};
    return dry ? roll_foresee(r, &o, &q, e) : roll_restore(r, &o, &q, e);
}

/* The result */

/* What the operator must not miss. */
static void roll_warn(const struct rolling *r)
{
    const struct cutlist *newest = cutuse_list(r->use);
    for (size_t i = 0; i < r->effect.ndatabases; i++)
        snap_warn("database %s is not in %s: it %s only in what is kept of the store",
                  r->effect.databases[i], r->name, r->s->o.dry_run ? "would be" : "is now");
    tell_links(NULL, newest->links, newest->nlinks);
    tell_left_out(r->name, &newest->left_out);
    if (r->effect.said.text[0])
        snap_note("more is copied than has to be: %s", r->effect.said.text);
}

static void roll_json(struct rolling *r)
{
    const struct store_paths *p = &r->s->paths;
    const struct cut_effect *x = &r->effect;
    struct json_object *o = json_object_new_object(), *gone = json_object_new_array();
    char time[TIME_TEXT];
    time_exact_text(r->cut.head.wall_ns, time);
    json_add_bool(o, "restored", !r->s->o.dry_run);
    json_add_number(o, "number", r->cut.head.number);
    json_add_text(o, "id", r->cut.head.id);
    json_add_text(o, "time", time);
    json_add_text(o, "meta", p->meta);
    json_add_text(o, "data", p->data);
    json_add_text(o, "wal", p->wal);
    json_add_count(o, "back", x->back);
    json_add_count(o, "back_bytes", x->back_bytes);
    json_add_count(o, "changed", x->changed);
    json_add_count(o, "changed_bytes", x->changed_bytes);
    json_add_count(o, "gone", x->gone);
    json_add_count(o, "gone_bytes", x->gone_bytes);
    json_add_count(o, "same", x->same);
    json_add_bool(o, "replaces_cut", x->replaces_cut);
    json_add_count(o, "linked", x->linked);
    json_add_count(o, "copied", x->copied);
    json_add_count(o, "copied_bytes", x->copied_bytes);
    for (size_t i = 0; i < x->ndatabases; i++)
        json_object_array_add(gone, json_object_new_string(x->databases[i]));
    json_add(o, "databases_gone", gone);
    if (r->s->o.dry_run)
        advise_end(&r->advise, NULL, r->s->o.keep_expired, o);
    else
        advise_json(session_advised(r->session), o);
    json_add(o, "warnings", snap_warnings_json());
    snap_print_json(o);
}

static void roll_print(struct rolling *r)
{
    const struct store_paths *p = &r->s->paths;
    const struct cut_effect *x = &r->effect;
    const bool dry = r->s->o.dry_run;
    char time[TIME_TEXT];
    time_exact_text(r->cut.head.wall_ns, time);
    printf("%s to %s of %s in %s, %s and %s\n", dry ? "would roll back" : "rolled back", r->name,
           time, p->meta, p->data, p->wal);
    printf("files back: %" PRIu64 " (%" PRIu64 " bytes); changed: %" PRIu64 "; gone: %" PRIu64
           " (%" PRIu64 " bytes); linked: %" PRIu64 "; copied: %" PRIu64 " (%" PRIu64 " bytes)\n",
           x->back, x->back_bytes, x->changed, x->gone, x->gone_bytes, x->linked, x->copied,
           x->copied_bytes);
    if (x->same + x->changed + x->gone == 0)
        printf("there %s no store before\n", dry ? "is" : "was");
    else
        printf(x->replaces_cut
                   ? "the store that %s there is that of another cut, so what is kept as "
                     "*.before-restore stays\n"
                   : "the store that %s there is kept as *.before-restore\n",
               dry ? "is" : "was");
}

static void roll_tell(struct rolling *r)
{
    roll_warn(r);
    if (r->s->o.json) {
        if (!r->s->o.dry_run)
            advise_tell(session_advised(r->session), NULL);
        roll_json(r);
        return;
    }
    if (r->s->o.dry_run)
        advise_end(&r->advise, NULL, r->s->o.keep_expired, NULL);
    else
        advise_tell(session_advised(r->session), NULL);
    roll_print(r);
}

static void roll_remember(const struct rolling *r, int64_t began_ns, int ret, const char *why)
{
    const struct history_entry end = {
        .result = ret == 0 ? HISTORY_DONE : HISTORY_FAILED,
        .bytes = r->effect.copied_bytes,
        .what = r->name[0] ? r->name : "a cut",
        .id = r->cut.head.id[0] ? r->cut.head.id : NULL,
        .text = ret == 0 ? NULL : why,
    };
    if (!r->s->o.dry_run)
        remember(r->s, HISTORY_RESTORE, began_ns, &end);
}

int snap_rollback(struct snap *s)
{
    const int64_t began_ns = time_mono_ns();
    struct rolling r = {.s = s};
    struct err e = {0};
    int code = EXIT_DONE, ret = roll_do(&r, &e);
    roll_remember(&r, began_ns, ret, e.text);
    if (ret == 0)
        roll_tell(&r);
    else
        snap_fail(ret, &e);
    if (ret < 0)
        code = roll_exit_code(&r, ret);
    advise_clear(&r.advise);
    session_close(r.session);
    cut_effect_clear(&r.effect);
    cutuse_end(r.use);
    return code;
}
