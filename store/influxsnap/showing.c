/* SPDX-License-Identifier: MIT */
/* influxsnap status: where the store is, who uses it, what the cuts retain. */
#include "store/base/size.h"
#include "store/base/time.h"
#include "store/chain/cut_loss.h"
#include "store/influx/running.h"
#include "store/influxsnap/snap.h"
#include "store/program/report.h"
#include "store/restore/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static int show_gather(struct snap *s, struct report *r, struct err *e)
{
    struct err why = {0};
    int ret = snap_open(s, SNAP_LOOK, e);
    if (ret < 0)
        return ret;
    report_store(r, &s->paths, s->state);
    r->lacks = s->lacks;
    ret = running_uses(&s->paths, &r->in_use);
    if (ret < 0 && !r->in_use.text[0])
        return err_sys(e, ret, "looking for an influxd");
    r->use = ret == 0 ? REPORT_UNUSED : ret == -EBUSY ? REPORT_IN_USE : REPORT_USE_UNKNOWN;
    if ((ret = contents_look(&s->paths, snap_stopped, NULL, &r->contents)) < 0)
        return err_sys(e, ret, "looking at the store");
    if (session_look(&s->paths, &r->cut_off, &why) < 0)
        err_set(&r->cut_off, 0, "unknown: %s", why.text);
    r->known = snap_cuts_unknown(s) ? REPORT_UNKNOWN_CUTS : REPORT_CUTS;
    r->have_usage = r->known == REPORT_CUTS;
    if (r->known == REPORT_UNKNOWN_CUTS)
        r->broken = s->lacks;
    if (!s->state)
        return 0;
    if ((ret = cuts_open(NULL, s->state, &s->cuts, e)) < 0 ||
        (ret = report_cuts(r, s->cuts, e)) < 0)
        return ret;
    return cut_links_try(s->cuts, &s->paths, &s->o.rules, &r->links, e);
}

static void show_links(const struct cut_links *l)
{
    char bytes[SIZE_TEXT];
    size_text((double)l->bytes, bytes);
    printf("kept as  %s", cut_links_word(l->how));
    if (l->files)
        printf(": %" PRIu64 " files, %s", l->files, bytes);
    printf(l->why.text[0] ? "; %s\n" : "%s\n", l->why.text);
}

static void show_cuts(const struct report *r)
{
    const struct cut_head *newest = &r->cuts[r->ncuts - 1].head;
    char bytes[SIZE_TEXT], ours[SIZE_TEXT], time[TIME_TEXT], name[32], lost[LOSS_WORDS];
    size_text((double)r->bytes, bytes);
    size_text((double)r->only_here, ours);
    time_exact_text(newest->wall_ns, time);
    snap_cut_name(newest->number, name);
    printf("cuts     %zu number%s, the newest is %s of %s\n", r->ncuts - 1, plural(r->ncuts - 1),
           name, time);
    printf("retained %" PRIu64 " file%s, %s, of which only the cuts hold %s\n", r->files,
           plural(r->files), bytes, ours);
    for (size_t i = 0; i < r->ncuts; i++)
        if (r->cuts[i].head.guard == CUT_GUARD_TRIPPED)
            printf("lost     cut %" PRId64 " is not folded: %s\n", r->cuts[i].head.number,
                   loss_words(&r->cuts[i].head.lost, lost));
}

static void show_text(const struct report *r)
{
    char space[SIZE_TEXT];
    size_text((double)r->free_bytes, space);
    printf("meta     %s\ndata     %s\nwal      %s\n", r->paths->meta, r->paths->data,
           r->paths->wal);
    printf("in use   %s\n", r->in_use.text[0] ? r->in_use.text : "no");
    if (r->cut_off.text[0])
        printf("restore  %s\n", r->cut_off.text);
    if (r->state)
        printf("state    %s, %s free\n", r->state, space);
    else
        printf("state    none: %s\n", r->lacks.text);
    if (r->state)
        show_links(&r->links);
    if (r->ncuts)
        show_cuts(r);
    else
        printf("cuts     %s\n", r->known == REPORT_CUTS ? "none" : "unknown");
}

int snap_status(struct snap *s)
{
    struct err e = {0};
    struct report report = {0};
    int r = show_gather(s, &report, &e);
    if (r == 0 && s->o.json)
        snap_print_json(report_json(&report));
    else if (r == 0)
        show_text(&report);
    report_clear(&report);
    if (r < 0)
        return snap_fail(r, &e);
    if (!report.broken.text[0])
        return EXIT_DONE;
    snap_fail(-1, &report.broken);
    return report.known == REPORT_CUTS ? EXIT_INCOMPLETE : EXIT_FAILED;
}
