/* SPDX-License-Identifier: MIT */
/* The cuts as a table; their line is report_html_timeline.c. */
#include "store/program/report_html_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROWS 24
#define LOSSES 10 /* of older cuts that lost something */
#define NAMES 3   /* of policies that lost something */

static void cut_lost_names(struct buffer *b, const struct cut_lost *lost)
{
    char name[CUT_LOST_NAMES];
    size_t n = 0;
    for (const char *p = lost->names; *p && n < NAMES; n++) {
        int len = (int)strcspn(p, "\n");
        snprintf(name, sizeof(name), "%.*s", len, p);
        buffer_string(b, n ? ", " : "<br /><small>");
        html_name(b, name);
        p += len + (p[len] == '\n');
    }
    if (lost->policies > n)
        html_markup(b, "%s%" PRIu64 " more", n ? " and " : "<br /><small>", lost->policies - n);
    if (n || lost->policies)
        buffer_string(b, "</small>");
}

static void cut_lost(struct buffer *b, const struct cut_head *h)
{
    if (!h->lost.files) {
        buffer_string(b, "–");
        return;
    }
    html_size(b, h->lost.bytes);
    if (h->lost.of)
        html_markup(b, " (%.1f %%)", 100.0 * (double)h->lost.bytes / (double)h->lost.of);
    if (h->guard == CUT_GUARD_TRIPPED)
        buffer_string(b, " <span class=\"badge warn\">not accepted</span>");
    else if (h->guard == CUT_GUARD_ACCEPTED)
        buffer_string(b, " <span class=\"badge note\">accepted</span>");
    cut_lost_names(b, &h->lost);
}

static void cut_name(struct buffer *b, const struct cut_info *c)
{
    if (!c->base)
        html_markup(b, "%" PRId64, c->head.number);
    else if (c->head.number < 0)
        buffer_string(b, "base");
    else
        html_markup(b, "base, to %" PRId64, c->head.number);
}

static void cut_row(struct buffer *b, const struct cut_info *c, const struct cut_info *before)
{
    buffer_string(b, "<tr><th scope=\"row\">");
    cut_name(b, c);
    buffer_string(b, "</th><td>");
    html_time(b, c->head.wall_ns);
    if (report_clock_set(c, before))
        buffer_string(b, " <small>(clock set back)</small>");
    buffer_string(b, "</td><td class=\"number\">");
    html_size(b, c->bytes);
    buffer_string(b, "</td><td class=\"number wide\">");
    html_count(b, c->files);
    buffer_string(b, "</td><td>");
    cut_lost(b, &c->head);
    buffer_string(b, "</td></tr>\n");
}

/* Of the cuts from 1 up to `end`, those that lost something. Returns how many rows these are. */
static size_t cuts_with_loss(struct buffer *b, const struct report *r, size_t end)
{
    size_t n = 0;
    for (size_t i = end; i-- > 1 && n < LOSSES;) {
        if (!r->cuts[i].head.lost.files)
            continue;
        cut_row(b, &r->cuts[i], &r->cuts[i - 1]);
        n++;
    }
    return n;
}

/* The newest, those that lost something, and the base at last. */
static void cuts_table(struct buffer *b, const struct report *r)
{
    size_t first = r->ncuts > ROWS ? r->ncuts - ROWS : 1, rest = first - 1;
    buffer_string(b, "<div class=\"scroll\">\n<table class=\"cuts\">\n<thead><tr><th "
                     "scope=\"col\">Cut</th><th scope=\"col\">Time (UTC)</th><th scope=\"col\" "
                     "class=\"number\">Added</th><th scope=\"col\" class=\"number wide\">Files</th>"
                     "<th scope=\"col\">Lost since the one before</th></tr></thead>\n<tbody>\n");
    for (size_t i = r->ncuts; i-- > first;)
        cut_row(b, &r->cuts[i], &r->cuts[i - 1]);
    rest -= cuts_with_loss(b, r, first);
    if (rest) {
        buffer_string(b, "<tr><td colspan=\"5\" class=\"more\">");
        html_counted(b, rest, "older cut");
        buffer_string(b, ": see <code>influxsnap list</code></td></tr>\n");
    }
    cut_row(b, &r->cuts[0], NULL);
    buffer_string(b, "</tbody>\n</table>\n</div>\n");
}

void html_cuts(struct buffer *b, const struct report *r)
{
    if (r->known != REPORT_CUTS)
        return;
    buffer_string(b, "<section aria-labelledby=\"cuts\">\n<h2 id=\"cuts\">Cuts</h2>\n");
    if (r->ncuts) {
        html_timeline(b, r);
        cuts_table(b, r);
    } else {
        buffer_string(b, "<p>There is no cut. <code>influxsnap cut</code> makes one, and the "
                         "option <code>every</code> of a mount one after the other.</p>\n");
    }
    buffer_string(b, "</section>\n");
}
