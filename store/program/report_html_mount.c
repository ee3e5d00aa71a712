/* SPDX-License-Identifier: MIT */
/* What this mount is told to do, and has done since it began. */
#include "store/base/time.h"
#include "store/program/report_html_internal.h"

#include <inttypes.h>
#include <stdio.h>

static void mount_fact(struct buffer *b, const char *what)
{
    html_markup(b, "<dt>%s</dt><dd>", what);
}

static void end_fact(struct buffer *b)
{
    buffer_string(b, "</dd>\n");
}

static void mount_cutting(struct buffer *b, const struct options *o)
{
    char span[HTML_SPAN];
    mount_fact(b, "Cuts");
    if (o->every_ns)
        html_markup(b, "every %s", html_span(o->every_ns, span));
    else
        buffer_string(b, "not on a timer");
    if (o->keep != OPTIONS_KEEP_ALL)
        html_markup(b, ", at least %" PRIu64 " kept", o->keep);
    else
        buffer_string(b, ", all kept");
    end_fact(b);
    mount_fact(b, "Guard against loss");
    if (o->rules.guard)
        html_markup(b, "%.3g %% of the store", 100 * o->rules.guard_part);
    else
        buffer_string(b, "off");
    end_fact(b);
    mount_fact(b, "Reserve on the disk");
    if (o->rules.reserve_bytes)
        html_size(b, o->rules.reserve_bytes);
    else
        html_markup(b, "%.3g %%", 100 * o->rules.reserve_part);
    end_fact(b);
}

static void mount_excluded(struct buffer *b, const struct cut_rules *rules)
{
    enum { MOST = 20 };
    if (!rules->nexclude)
        return;
    mount_fact(b, "Not in cuts");
    for (size_t i = 0; i < rules->nexclude && i < MOST; i++) {
        buffer_string(b, i ? ", " : "");
        html_name(b, rules->exclude[i]);
    }
    if (rules->nexclude > MOST)
        html_markup(b, " and %zu more", rules->nexclude - MOST);
    end_fact(b);
}

static void mount_pace(struct buffer *b, const struct report *r)
{
    const uint64_t pace = r->options->pace, held_to = r->mount->held_to;
    mount_fact(b, "Pace of readers");
    if (pace == PACE_OFF)
        buffer_string(b, "not held");
    else if (pace == PACE_AUTO)
        buffer_string(b, "as influxd leaves room");
    else
        html_size(b, pace);
    if (held_to) {
        buffer_string(b, ", now held to ");
        html_size(b, held_to);
    }
    buffer_string(b, held_to || (pace != PACE_OFF && pace != PACE_AUTO) ? " a second" : "");
    end_fact(b);
}

static void mount_flags(struct buffer *b, const struct options *o)
{
    const struct {
        bool set;
        const char *name;
    } flags[] = {{o->hide & HIDE_LIVE, "hide=live"},
                 {o->hide & HIDE_SNAPSHOTS, "hide=snapshots"},
                 {o->hide & HIDE_AT, "hide=at"},
                 {o->hide & HIDE_DUMP, "hide=dump"},
                 {o->hide & HIDE_RESTORE, "hide=restore"},
                 {o->hide & HIDE_DATABASES, "hide=databases"},
                 {o->hide & HIDE_BACKUP, "hide=backup"},
                 {o->names == DUMP_NAMES_COMPACT, "names=compact"},
                 {o->ro, "ro"},
                 {o->force, "force"},
                 {o->allow_left_out, "allow_left_out"},
                 {o->keep_expired, "keep_expired"},
                 {o->skip_damaged, "skip_damaged"}};
    const char *between = "";
    mount_fact(b, "Options");
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
        if (!flags[i].set)
            continue;
        html_markup(b, "%s<code>%s</code>", between, flags[i].name);
        between = ", ";
    }
    buffer_string(b, *between ? "" : "no others");
    end_fact(b);
}

static void mount_options(struct buffer *b, const struct report *r)
{
    mount_cutting(b, r->options);
    mount_excluded(b, &r->options->rules);
    mount_pace(b, r);
    mount_fact(b, "Restores");
    buffer_string(b, r->mount->restores ? "can be made" : "cannot be made: mounted read-only");
    end_fact(b);
    mount_flags(b, r->options);
}

static void mount_event(struct buffer *b, const char *what, const struct report_event *e)
{
    mount_fact(b, what);
    if (e->at_ns) {
        html_time(b, e->at_ns);
        buffer_string(b, ": ");
        html_name(b, e->what);
        buffer_string(b, ": ");
        html_words(b, e->text);
    } else {
        buffer_string(b, "none");
    }
    end_fact(b);
}

static void mount_captures(struct buffer *b, const struct report_mount *m)
{
    const struct report_capture *c = &m->last.capture;
    char span[HTML_SPAN];
    uint64_t n = m->counters.captures;
    mount_fact(b, "Snapshots taken");
    html_count(b, n);
    if (n)
        html_markup(b, ", %s each on the average",
                    html_span((int64_t)(m->counters.capture_ns / n), span));
    html_markup(b, "; %zu held", m->captures_held);
    end_fact(b);
    mount_fact(b, "The last of them");
    if (c->at_ns) {
        html_time(b, c->at_ns);
        buffer_string(b, ": ");
        html_size(b, c->bytes);
        buffer_string(b, ", ");
        html_counted(b, c->files, "file");
        html_markup(b, " <small class=\"id\">%s</small>", c->record.id);
    } else {
        buffer_string(b, "none since it was mounted");
    }
    end_fact(b);
    mount_event(b, "Last read to its end", &m->last.success);
    mount_event(b, "Last error", &m->last.error);
}

static void mount_reads(struct buffer *b, const struct report_counters *c)
{
    static const char *const names[REPORT_BRANCHES] = {
        [REPORT_LIVE] = "live/",       [REPORT_NOW] = "snapshots/now.tar",
        [REPORT_CUT] = "tars of cuts", [REPORT_VIEW] = "folders in at/",
        [REPORT_DUMP] = "dump/",
    };
    uint64_t most = 0;
    for (size_t i = 0; i < REPORT_BRANCHES; i++)
        most = c->read_bytes[i] > most ? c->read_bytes[i] : most;
    buffer_string(b, "<h3>Read so far</h3>\n<table class=\"reads\">\n<thead><tr><th "
                     "scope=\"col\">Branch</th><th scope=\"col\" class=\"number\">Size</th></tr>"
                     "</thead>\n<tbody>\n");
    for (size_t i = 0; i < REPORT_BRANCHES; i++) {
        html_markup(b, "<tr><td>%s", names[i]);
        html_bar(b, c->read_bytes[i], 0, most);
        buffer_string(b, "</td><td class=\"number\">");
        html_size(b, c->read_bytes[i]);
        buffer_string(b, "</td></tr>\n");
    }
    buffer_string(b, "<tr><td>made only to learn the sizes of dumps</td><td class=\"number\">");
    html_size(b, c->sizing_bytes);
    buffer_string(b, "</td></tr>\n</tbody>\n</table>\n");
}

static void mount_spilled(struct buffer *b, const struct report_mount *m)
{
    if (!m->spilled_most)
        return;
    mount_fact(b, "Rows of dumps on disk");
    html_size(b, m->spilled);
    buffer_string(b, "; at most ");
    html_size(b, m->spilled_most);
    end_fact(b);
}

static void mount_errors(struct buffer *b, const struct report_counters *c)
{
    static const char *const names[REPORT_ERROR_KINDS] = {
        [REPORT_ERROR_IO] = "input or output",
        [REPORT_ERROR_AGAIN] = "not settled, or moved on",
        [REPORT_ERROR_SPACE] = "no space",
        [REPORT_ERROR_FILES] = "too many open files",
        [REPORT_ERROR_REFUSED] = "restores refused",
        [REPORT_ERROR_OTHER] = "others",
    };
    const char *between = "";
    mount_fact(b, "Errors");
    for (size_t i = 0; i < REPORT_ERROR_KINDS; i++) {
        if (!c->errors[i])
            continue;
        html_markup(b, "%s%s: ", between, names[i]);
        html_count(b, c->errors[i]);
        between = ", ";
    }
    buffer_string(b, *between ? "" : "none");
    end_fact(b);
}

void html_mount(struct buffer *b, const struct report *r)
{
    const struct report_mount *m = r->mount;
    if (!m)
        return;
    buffer_string(b, "<section aria-labelledby=\"mount\">\n<h2 id=\"mount\">This mount</h2>\n"
                     "<dl class=\"facts\">\n");
    mount_fact(b, "Since");
    html_time(b, m->mounted_ns);
    end_fact(b);
    mount_options(b, r);
    mount_captures(b, m);
    mount_fact(b, "Made by its timer");
    html_counted(b, m->counters.cuts, "cut");
    buffer_string(b, ", ");
    html_counted(b, m->counters.folds, "fold");
    end_fact(b);
    mount_spilled(b, m);
    mount_errors(b, &m->counters);
    buffer_string(b, "</dl>\n");
    mount_reads(b, &m->counters);
    buffer_string(b, "</section>\n");
}
