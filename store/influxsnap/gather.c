/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/gather.h"

#include "store/restore/session.h"

int gather_report(struct snap *s, struct report *r, struct err *e)
{
    struct err why = {0};
    int ret = snap_open(s, SNAP_LOOK, e);
    if (ret < 0)
        return ret;
    report_store(r, &s->paths, s->state, &s->o);
    r->lacks = s->lacks;
    r->use = report_use(&s->paths, &r->in_use);
    if ((ret = contents_look(&s->paths, snap_stopped, NULL, &r->contents)) < 0)
        return err_sys(e, ret, "looking at the store");
    ret = session_look(&s->paths, &r->cut_off, &why);
    r->restoring = ret == 1;
    r->cut_off_unknown = ret < 0;
    if (r->cut_off_unknown)
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
