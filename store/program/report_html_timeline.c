/* SPDX-License-Identifier: MIT */
/*
 * The line of cuts over time: bars up for what cuts added, bars down for what was lost. Cuts that
 * would lie upon each other share a bar, so that thousands take no more room than a hundred.
 *
 * Places along the line are parts of the width, and all else is pixels: the drawing fills any width
 * while its letters keep their size.
 */
#include "store/base/size.h"
#include "store/base/time.h"
#include "store/program/report_html_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BINS 160
#define BINS_LEAST 48
#define UP 100.0  /* pixels for the highest bar */
#define DOWN 40.0 /* and for the deepest */
#define TOP 18.0  /* room for its label */
#define TICKS 6

struct bin {
    uint64_t added, lost, cuts;
    int64_t first_ns, last_ns; /* of its cuts */
};

struct timeline {
    int64_t from_ns, to_ns;
    struct bin bins[BINS];
    size_t n;
    uint64_t most_added, most_lost;
    bool shared;   /* some cuts share a bar */
    double ground; /* where the bars stand */
};

/* A time before 1970 is none. */
static int64_t time_of(const struct cut_info *c)
{
    return c->head.wall_ns > 0 ? c->head.wall_ns : 0;
}

static double timeline_part(const struct timeline *t, int64_t ns)
{
    return (double)(ns - t->from_ns) / (double)(t->to_ns - t->from_ns);
}

static void timeline_add(struct timeline *t, const struct cut_info *c)
{
    int64_t ns = time_of(c);
    size_t at = (size_t)(timeline_part(t, ns) * (double)t->n);
    struct bin *bin = &t->bins[at < t->n ? at : t->n - 1];
    if (!bin->cuts || ns < bin->first_ns)
        bin->first_ns = ns;
    if (!bin->cuts || ns > bin->last_ns)
        bin->last_ns = ns;
    t->shared = t->shared || bin->cuts;
    bin->cuts++;
    bin->added += c->bytes;
    bin->lost += c->head.lost.bytes;
    t->most_added = bin->added > t->most_added ? bin->added : t->most_added;
    t->most_lost = bin->lost > t->most_lost ? bin->lost : t->most_lost;
}

/* The base is not a bar: it is the whole store. The line ends now, so that a pause shows. */
static void timeline_fill(struct timeline *t, const struct report *r)
{
    size_t n = r->ncuts - 1;
    *t = (struct timeline){.from_ns = time_of(&r->cuts[0]), .to_ns = r->at_ns};
    for (size_t i = 0; i < r->ncuts; i++) {
        int64_t ns = time_of(&r->cuts[i]);
        t->from_ns = ns < t->from_ns ? ns : t->from_ns;
        t->to_ns = ns > t->to_ns ? ns : t->to_ns;
    }
    if (t->to_ns - t->from_ns < SECOND_NS)
        t->to_ns = t->from_ns + SECOND_NS;
    t->n = 2 * n < BINS_LEAST ? BINS_LEAST : 2 * n > BINS ? BINS : 2 * n;
    for (size_t i = 1; i < r->ncuts; i++)
        timeline_add(t, &r->cuts[i]);
    t->ground = TOP + UP;
}

static void timeline_bar(struct buffer *b, const struct timeline *t, size_t at, const char *class,
                         double y, double height)
{
    double step = 100.0 / (double)t->n;
    html_markup(b, "<rect class=\"%s\" x=\"%.3f%%\" width=\"%.3f%%\" y=\"%.1f\" height=\"%.1f\" />",
                class, (double)at * step, step * 0.8, y, height);
}

/* For who rests the pointer on it. */
static void timeline_title(struct buffer *b, const struct bin *bin)
{
    char first[TIME_TEXT], last[TIME_TEXT], added[SIZE_TEXT], lost[SIZE_TEXT];
    time_text(bin->first_ns, first);
    time_text(bin->last_ns, last);
    size_text((double)bin->added, added);
    size_text((double)bin->lost, lost);
    html_markup(b, "<title>%" PRIu64 " cut%s, %.10s %.8s", bin->cuts, bin->cuts == 1 ? "" : "s",
                first, first + 11);
    if (bin->cuts > 1)
        html_markup(b, " to %.10s %.8s", last, last + 11);
    html_markup(b, ": added %s%s%s</title>", added, bin->lost ? ", lost " : "",
                bin->lost ? lost : "");
}

/* What is little is seen, too. */
static double height_of(uint64_t bytes, uint64_t most, double full)
{
    double height = most ? full * (double)bytes / (double)most : 0;
    return bytes && height < 2 ? 2 : height;
}

static void timeline_bars(struct buffer *b, const struct timeline *t)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct bin *bin = &t->bins[i];
        double up = height_of(bin->added, t->most_added, UP);
        if (!bin->cuts)
            continue;
        buffer_string(b, "<g>");
        timeline_title(b, bin);
        timeline_bar(b, t, i, "added", t->ground - up, up);
        if (bin->lost)
            timeline_bar(b, t, i, "lost", t->ground + 1, height_of(bin->lost, t->most_lost, DOWN));
        buffer_string(b, "</g>\n");
    }
}

static void timeline_label(struct buffer *b, double y, const char *what, uint64_t bytes)
{
    char size[SIZE_TEXT];
    size_text((double)bytes, size);
    html_markup(b, "<text class=\"scale\" x=\"0\" y=\"%.0f\">%s %s</text>\n", y, what, size);
}

/* The width of the pieces that the time is cut into, so that there are at most TICKS. */
static int64_t tick_step(const struct timeline *t)
{
    static const int seconds[] = {1,      2,      5,       10,      30,      60,      120,   300,
                                  600,    1800,   3600,    7200,    10800,   21600,   43200, 86400,
                                  172800, 604800, 1209600, 2592000, 7776000, 15552000};
    for (size_t i = 0; i < sizeof(seconds) / sizeof(*seconds); i++)
        if ((t->to_ns - t->from_ns) / (seconds[i] * SECOND_NS) < TICKS)
            return seconds[i] * SECOND_NS;
    return (t->to_ns - t->from_ns) / (TICKS * 365 * DAY_NS) * 365 * DAY_NS + 365 * DAY_NS;
}

/* The time of day, or the day where one begins. */
static void tick_text(int64_t ns, int64_t step, char out[TIME_TEXT])
{
    char text[TIME_TEXT];
    time_text(ns, text);
    if (ns % DAY_NS == 0)
        snprintf(out, TIME_TEXT, step < 60 * DAY_NS ? "%.5s" : "%.7s",
                 step < 60 * DAY_NS ? text + 5 : text);
    else
        snprintf(out, TIME_TEXT, "%.*s", step < 60 * SECOND_NS ? 8 : 5, text + 11);
}

static void timeline_ticks(struct buffer *b, const struct timeline *t, double y)
{
    int64_t step = tick_step(t);
    char text[TIME_TEXT];
    for (int64_t ns = (t->from_ns / step + 1) * step; ns <= t->to_ns; ns += step) {
        double part = 100 * timeline_part(t, ns);
        tick_text(ns, step, text);
        html_markup(b,
                    "<line class=\"tick\" x1=\"%.3f%%\" x2=\"%.3f%%\" y1=\"%.0f\" y2=\"%.0f\" />"
                    "<text class=\"time\" x=\"%.3f%%\" y=\"%.0f\" text-anchor=\"%s\">%s</text>\n",
                    part, part, TOP, y - 13, part, y,
                    part < 5    ? "start"
                    : part > 95 ? "end"
                                : "middle",
                    text);
    }
}

/* What the drawing shows, in words. */
static void timeline_words(struct buffer *b, const struct timeline *t, const struct report *r)
{
    char from[TIME_TEXT], to[TIME_TEXT];
    time_text(t->from_ns, from);
    time_text(t->to_ns, to);
    html_markup(b, "From %.10s %.5s to %.10s %.5s UTC: the base and ", from, from + 11, to,
                to + 11);
    html_counted(b, r->ncuts - 1, "number");
}

static void timeline_draw(struct buffer *b, const struct timeline *t, const struct report *r)
{
    double bottom = t->ground + (t->most_lost ? DOWN + 34 : 18);
    html_markup(b,
                "<svg class=\"timeline\" width=\"100%%\" height=\"%.0f\" role=\"img\" "
                "aria-label=\"Cuts over time\">\n<title>Cuts over time</title>\n<desc>",
                bottom);
    timeline_words(b, t, r);
    buffer_string(b, ". The table after it has the figures.</desc>\n");
    timeline_ticks(b, t, bottom - 3);
    html_markup(b, "<line class=\"ground\" x1=\"0\" x2=\"100%%\" y1=\"%.1f\" y2=\"%.1f\" />\n",
                t->ground + 0.5, t->ground + 0.5);
    timeline_bars(b, t);
    timeline_label(b, TOP - 6, "up to", t->most_added);
    if (t->most_lost)
        timeline_label(b, t->ground + DOWN + 14, "lost up to", t->most_lost);
    buffer_string(b, "</svg>\n");
}

void html_timeline(struct buffer *b, const struct report *r)
{
    struct timeline t;
    if (r->ncuts < 2)
        return;
    timeline_fill(&t, r);
    buffer_string(b, "<figure>\n<figcaption>");
    timeline_words(b, &t, r);
    buffer_string(b, ". Upward what each <span class=\"first\">added</span>");
    if (t.most_lost)
        buffer_string(b, ", downward what was <span class=\"lost\">lost</span> since the one "
                         "before, in a scale of its own");
    buffer_string(b, t.shared ? ". Cuts that lie close together share a bar.</figcaption>\n"
                              : ".</figcaption>\n");
    timeline_draw(b, &t, r);
    buffer_string(b, "</figure>\n");
}
