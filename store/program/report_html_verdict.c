/* SPDX-License-Identifier: MIT */
/* The verdict, what is wrong now and what to do, and the main figures. */
#include "store/base/time.h"
#include "store/program/report_html_internal.h"

#include <string.h>

void html_verdict(struct buffer *b, const struct troubles *t)
{
    size_t bad = t->count[TROUBLE_BAD], warn = t->count[TROUBLE_WARN] + t->count[TROUBLE_UNKNOWN];
    if (bad)
        html_markup(b, "%zu thing%s wrong", bad, bad == 1 ? " is" : "s are");
    else if (warn)
        html_markup(b, "%zu thing%s a look", warn, warn == 1 ? " needs" : "s need");
    else
        buffer_string(b, "All is well");
    if (bad && warn)
        html_markup(b, ", %zu need%s a look", warn, warn == 1 ? "s" : "");
}

/* Commands stand between backticks. */
static void html_advice(struct buffer *b, const char *todo)
{
    bool command = false;
    struct err piece;
    buffer_string(b, "<p class=\"todo\">");
    for (const char *p = todo; *p; command = !command) {
        size_t n = strcspn(p, "`");
        buffer_string(b, command ? "<code>" : "");
        err_set(&piece, 0, "%.*s", (int)n, p);
        html_text(b, piece.text, HTML_WORDS);
        p += n + (p[n] == '`');
        buffer_string(b, command ? "</code>" : "");
    }
    buffer_string(b, "</p>\n");
}

static void html_trouble(struct buffer *b, const struct trouble *t)
{
    static const struct {
        const char *class, *word;
    } levels[TROUBLE_LEVELS] = {
        {"note", "Note"}, {"warn", "Unknown"}, {"warn", "Look"}, {"bad", "Wrong"}};
    html_markup(b, "<li class=\"%s\">\n<h3><span class=\"badge\">%s</span> ",
                levels[t->level].class, levels[t->level].word);
    html_words(b, t->what.text);
    buffer_string(b, "</h3>\n");
    if (t->why.text[0]) {
        buffer_string(b, "<p class=\"why\">");
        html_words(b, t->why.text);
        buffer_string(b, "</p>\n");
    }
    if (t->todo.text[0])
        html_advice(b, t->todo.text);
    buffer_string(b, "</li>\n");
}

/* There are never more than a few dozen. */
void html_troubles(struct buffer *b, const struct troubles *t)
{
    if (!t->n)
        return;
    buffer_string(b, "<section aria-labelledby=\"now\">\n<h2 id=\"now\">");
    buffer_string(b, t->count[TROUBLE_NOTE] == t->n ? "Good to know" : "What to do now");
    buffer_string(b, "</h2>\n<ol class=\"troubles\">\n");
    for (size_t i = 0; i < t->n; i++)
        html_trouble(b, &t->at[i]);
    buffer_string(b, "</ol>\n</section>\n");
}

static void figure_begin(struct buffer *b, const char *what)
{
    html_markup(b, "<li>%s <b>", what);
}

static void figure_time(struct buffer *b, const struct report *r, int64_t ns)
{
    char span[HTML_SPAN];
    html_time(b, ns);
    buffer_string(b, "</b> ");
    if (ns && r->at_ns >= ns)
        html_markup(b, "<small>%s before this page</small>", html_span(r->at_ns - ns, span));
    buffer_string(b, "</li>\n");
}

static void html_figure_store(struct buffer *b, const struct report *r)
{
    const struct report_contents *c = &r->contents;
    uint64_t shards = 0, files = 0;
    for (size_t i = 0; i < c->npolicies; i++) {
        shards += c->policies[i].shards;
        files += c->policies[i].files;
    }
    figure_begin(b, "Store");
    html_size(b, contents_bytes(&r->contents));
    buffer_string(b, "</b> <small>");
    html_counted(b, shards, "shard");
    buffer_string(b, ", ");
    html_counted(b, files, "file");
    buffer_string(b, "</small></li>\n");
}

static void html_figure_cuts(struct buffer *b, const struct report *r)
{
    figure_begin(b, "Newest cut");
    if (r->ncuts) {
        figure_time(b, r, r->cuts[r->ncuts - 1].head.wall_ns);
    } else {
        buffer_string(b, r->known == REPORT_UNKNOWN_CUTS ? "unknown" : "none");
        buffer_string(b, "</b></li>\n");
    }
    if (!r->have_usage || !r->ncuts)
        return;
    figure_begin(b, "Held by cuts alone");
    html_size(b, r->only_here);
    buffer_string(b, "</b> <small>");
    html_size(b, r->bytes);
    buffer_string(b, " retained</small></li>\n");
}

static void html_figure_history(struct buffer *b, const struct report *r, enum history_kind kind,
                                const char *what)
{
    const struct history_entry *h = r->history.of[kind].at;
    if (!r->history.of[kind].n)
        return;
    figure_begin(b, what);
    html_time(b, h->ended_ns);
    html_markup(b, "</b> <small>%s</small></li>\n",
                h->result == HISTORY_FAILED      ? "failed"
                : h->result == HISTORY_OMISSIONS ? "done, with omissions"
                                                 : "done");
}

void html_glance(struct buffer *b, const struct report *r)
{
    buffer_string(b, "<section aria-labelledby=\"glance\">\n<h2 id=\"glance\">At a glance</h2>\n"
                     "<ul class=\"figures\">\n");
    if (r->contents.known)
        html_figure_store(b, r);
    html_figure_cuts(b, r);
    if (r->disk_bytes) {
        figure_begin(b, "Free");
        html_size(b, r->free_bytes);
        buffer_string(b, "</b> <small>of ");
        html_size(b, r->disk_bytes);
        buffer_string(b, "</small></li>\n");
    }
    html_figure_history(b, r, HISTORY_BACKUP, "Last backup");
    html_figure_history(b, r, HISTORY_VERIFY, "Last verification");
    html_figure_history(b, r, HISTORY_RESTORE, "Last restore");
    if (r->use != REPORT_USE_UNKNOWN) {
        figure_begin(b, "In use");
        buffer_string(b, r->use == REPORT_IN_USE ? "yes" : "no");
        buffer_string(b, "</b>");
        if (r->in_use.text[0]) {
            buffer_string(b, " <small>");
            html_words(b, r->in_use.text);
            buffer_string(b, "</small>");
        }
        buffer_string(b, "</li>\n");
    }
    buffer_string(b, "</ul>\n</section>\n");
}
