/* SPDX-License-Identifier: MIT */
/* Restores, verifications and backups: the one under way, and those that ended. */
#include "store/base/time.h"
#include "store/program/report_html_internal.h"

#include <inttypes.h>
#include <stdio.h>

#define ROWS 8

static void past_entry(struct buffer *b, const struct history_entry *h)
{
    static const struct {
        const char *class, *word;
    } results[] = {
        [HISTORY_DONE] = {"good", "done"},
        [HISTORY_OMISSIONS] = {"warn", "with omissions"},
        [HISTORY_FAILED] = {"bad", "failed"},
    };
    char span[HTML_SPAN];
    html_markup(b, "<li><span class=\"badge %s\">%s</span> ", results[h->result].class,
                results[h->result].word);
    html_name(b, h->what);
    buffer_string(b, " <small>");
    html_time(b, h->ended_ns);
    buffer_string(b, ", ");
    html_size(b, h->bytes);
    html_markup(b, " in %s</small>", html_span(h->took_ns, span));
    if (h->text) {
        buffer_string(b, "<p class=\"why\">");
        html_words(b, h->text);
        buffer_string(b, "</p>");
    }
    buffer_string(b, "</li>\n");
}

static void past_list(struct buffer *b, const struct report *r, enum history_kind kind,
                      const char *heading)
{
    size_t n = r->history.of[kind].n;
    if (!n)
        return;
    html_markup(b, "<h3>%s</h3>\n<ul class=\"past\">\n", heading);
    for (size_t i = 0; i < n && i < ROWS; i++)
        past_entry(b, &r->history.of[kind].at[i]);
    buffer_string(b, "</ul>\n");
    if (n > ROWS)
        html_markup(b,
                    "<p class=\"more\">%zu earlier ones are in history.json of the state "
                    "folder.</p>\n",
                    n - ROWS);
}

/* How each of the nightly jobs ended last. */
static bool past_jobs(struct buffer *b, const struct report *r)
{
    bool any = false;
    for (int k = 0; k < JOB_KINDS; k++) {
        const struct job_end *last = &r->jobs.of[k].last;
        char what[256];
        if (!last->ended_ns)
            continue;
        snprintf(what, sizeof(what), "influxfs-%s%s%.40s%s%.150s", job_kind_names[k],
                 last->day ? " for " : "", last->day ? last->day : "",
                 !last->remote    ? ""
                 : k == JOB_FETCH ? " from "
                                  : " to ",
                 last->remote ? last->remote : "");
        const struct history_entry entry = {.result = last->result,
                                            .ended_ns = last->ended_ns,
                                            .took_ns = last->ended_ns - last->began_ns,
                                            .bytes = last->bytes,
                                            .what = what,
                                            .text = last->text};
        buffer_string(b, any ? "" : "<h3>Nightly jobs</h3>\n<ul class=\"past\">\n");
        past_entry(b, &entry);
        any = true;
    }
    buffer_string(b, any ? "</ul>\n" : "");
    return any;
}

void html_past(struct buffer *b, const struct report *r)
{
    size_t n = 0;
    for (size_t k = 0; k < HISTORY_KINDS; k++)
        n += r->history.of[k].n;
    buffer_string(b,
                  "<section aria-labelledby=\"past\">\n<h2 id=\"past\">What ended lately</h2>\n");
    past_list(b, r, HISTORY_RESTORE, "Restores");
    past_list(b, r, HISTORY_VERIFY, "Verifications");
    past_list(b, r, HISTORY_BACKUP, "Backups");
    if (!past_jobs(b, r) && !n)
        buffer_string(b, "<p>No restore, verification or backup is known.</p>\n");
    buffer_string(b, "</section>\n");
}

static void past_waiting(struct buffer *b, const struct waiting_list *list)
{
    if (!list->n)
        return;
    buffer_string(b, "<ul>\n");
    for (size_t i = 0; i < list->n && i < ROWS; i++) {
        buffer_string(b, "<li>");
        html_name(b, list->at[i].name);
        buffer_string(b, " waits: ");
        html_words(b, list->at[i].waits_for);
        buffer_string(b, "</li>\n");
    }
    buffer_string(b, "</ul>\n");
    if (list->n > ROWS)
        html_markup(b, "<p class=\"more\">%zu more wait.</p>\n", list->n - ROWS);
}

static void past_under_way(struct buffer *b, const struct progress *p)
{
    static const char *const words[] = {
        [PROGRESS_RECEIVING] = "is being received and checked",
        [PROGRESS_VERIFIED] = "is verified",
        [PROGRESS_INSTALLING] = "is being put in the place of the store",
    };
    buffer_string(b, "<p>");
    html_name(b, p->name ? p->name : "A snapshot");
    html_markup(b, " %s: ", words[p->state]);
    html_size(b, p->bytes);
    buffer_string(b, " of ");
    html_size(b, p->total_bytes);
    html_markup(b, ", %zu of ", p->files);
    html_counted(b, p->total_files, "file");
    buffer_string(b, ", begun ");
    html_time(b, p->started_ns);
    buffer_string(b, ".</p>\n");
    html_bar(b, p->bytes, 0, p->total_bytes);
}

/* Restores of influxsnap have no progress here. */
void html_restoring(struct buffer *b, const struct report *r)
{
    const struct progress *p = r->mount ? &r->mount->restore : NULL;
    if (!p || (progress_ended(p) && !p->waiting.n))
        return;
    buffer_string(b, "<section aria-labelledby=\"restoring\">\n<h2 id=\"restoring\">");
    buffer_string(b, progress_ended(p) ? "A restore waits" : "A restore is under way");
    buffer_string(b, "</h2>\n");
    if (!progress_ended(p))
        past_under_way(b, p);
    past_waiting(b, &p->waiting);
    buffer_string(b, "</section>\n");
}
