/* SPDX-License-Identifier: MIT */
#include "store/program/report.h"

#include "store/base/array.h"
#include "store/base/time.h"
#include "store/influx/running.h"
#include "store/snapshot/held.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

const char *const report_branch_names[REPORT_BRANCHES] = {"live", "now", "cuts", "at", "dump"};
const char *const report_error_names[REPORT_ERROR_KINDS] = {"io",    "again",   "space",
                                                            "files", "refused", "other"};

void report_store(struct report *r, const struct store_paths *paths, const char *state,
                  const struct options *options)
{
    struct statvfs v;
    *r = (struct report){.paths = paths,
                         .options = options,
                         .state = state,
                         .files_limit = held_limit(),
                         .at_ns = time_wall_ns()};
    if (!state)
        return;
    if (statvfs(state, &v) == 0) {
        r->free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
        r->disk_bytes = (uint64_t)v.f_blocks * v.f_frsize;
        r->reserve_bytes = cut_reserve(&options->rules, r->disk_bytes);
    }
    history_read(state, &r->history, &r->history_unknown);
    if (jobs_read(state, &r->jobs, &r->jobs_unknown) == 0)
        joblock_look(state, &r->job_now, &r->jobs_unknown);
    stopped_look(state, &r->stopped, &r->jobs_unknown);
}

enum report_use report_use(const struct store_paths *paths, struct err *words)
{
    int r = running_uses(paths, words);
    if (r < 0 && !words->text[0])
        err_sys(words, r, "looking for an influxd");
    return r == 0 ? REPORT_UNUSED : r == -EBUSY ? REPORT_IN_USE : REPORT_USE_UNKNOWN;
}

int report_cuts(struct report *r, struct cuts *c, struct err *e)
{
    r->known = REPORT_CUTS;
    int ret = cuts_list(c, &r->cuts, &r->ncuts, &r->broken, e);
    if (ret < 0) {
        r->broken = *e;
        return ret;
    }
    if (r->ncuts)
        contents_demand(&r->contents, r->paths);
    ret = cuts_usage(c, &r->files, &r->bytes, &r->only_here, e);
    r->have_usage = ret == 0;
    return ret;
}

int64_t report_cut_ns(const struct report *r)
{
    int64_t ns = r->ncuts ? r->cuts[r->ncuts - 1].head.wall_ns : 0;
    return r->mount ? time_later(ns, r->mount->timer.cut_ns) : ns;
}

int64_t report_backup_ns(const struct report *r)
{
    int64_t ns = r->mount ? r->mount->last.success.at_ns : 0;
    return time_later(ns, history_good_ns(&r->history, HISTORY_BACKUP));
}

bool report_left_stopped(const struct report *r)
{
    const bool fetches = r->job_now.working && (!r->job_now.known || r->job_now.kind == JOB_FETCH);
    return r->stopped.n > 0 && !fetches && r->use != REPORT_IN_USE;
}

bool report_clock_set(const struct cut_info *c, const struct cut_info *before)
{
    return before && c->head.wall_ns < before->head.wall_ns;
}

int report_texts_add(struct report_texts *t, const char *text)
{
    char *own = array_grow(&t->at, t->n) ? strdup(text) : NULL;
    if (!own)
        return -ENOMEM;
    t->at[t->n++] = own;
    return 0;
}

void report_texts_clear(struct report_texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->at[i]);
    free(t->at);
    *t = (struct report_texts){0};
}

static int texts_copy(const struct report_texts *from, struct report_texts *to)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < from->n; i++)
        r = report_texts_add(to, from->at[i]);
    return r;
}

int report_last_copy(const struct report_last *from, struct report_last *to)
{
    const struct report_capture *c = &from->capture;
    *to = *from;
    to->capture.left_out = (struct omissions){0};
    to->capture.links = to->capture.damaged = (struct report_texts){0};
    int r = omissions_copy(&c->left_out, &to->capture.left_out);
    if (r == 0)
        r = texts_copy(&c->links, &to->capture.links);
    return r < 0 ? r : texts_copy(&c->damaged, &to->capture.damaged);
}

void report_capture_clear(struct report_capture *c)
{
    omissions_clear(&c->left_out);
    report_texts_clear(&c->links);
    report_texts_clear(&c->damaged);
}

void report_clear(struct report *r)
{
    free(r->cuts);
    contents_clear(&r->contents);
    history_clear(&r->history);
    jobs_clear(&r->jobs);
    stopped_clear(&r->stopped);
    if (!r->mount)
        return;
    report_capture_clear(&r->mount->last.capture);
    report_texts_clear(&r->mount->dumps_lack);
    report_texts_clear(&r->mount->backups_lack);
    progress_clear(&r->mount->restore);
}
