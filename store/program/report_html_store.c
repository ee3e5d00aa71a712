/* SPDX-License-Identifier: MIT */
/* What the store holds, by database and policy; the disk of the state folder. */
#include "store/base/cleanup.h"
#include "store/program/report_html_internal.h"

#include <stdlib.h>
#include <string.h>

#define ROWS 40

/* A row of the table. */
struct row {
    const struct report_policy *p;
    uint64_t database_bytes; /* of all policies of its database */
};

static uint64_t policy_bytes(const struct report_policy *p)
{
    return p->data_bytes + p->wal_bytes;
}

/* Its colours are for readers without the style. */
void html_bar(struct buffer *b, uint64_t first, uint64_t second, uint64_t whole)
{
    double scale = whole ? 100.0 / (double)whole : 0, end = (double)first * scale;
    html_markup(b,
                "<svg class=\"bar\" width=\"100%%\" height=\"8\" aria-hidden=\"true\"><rect "
                "class=\"rest\" fill=\"#ddd\" width=\"100%%\" height=\"8\" /><rect class=\"first\" "
                "fill=\"#25c\" width=\"%.3f%%\" height=\"8\" />",
                end);
    if (second)
        html_markup(
            b, "<rect class=\"second\" fill=\"#79d\" x=\"%.3f%%\" width=\"%.3f%%\" height=\"8\" />",
            end, (double)second * scale);
    buffer_string(b, "</svg>");
}

/* The largest database first, and within it the largest policy. */
static int by_size(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    uint64_t own[] = {policy_bytes(x->p), policy_bytes(y->p)};
    int names = strcmp(x->p->database, y->p->database);
    if (x->database_bytes != y->database_bytes)
        return x->database_bytes < y->database_bytes ? 1 : -1;
    if (names)
        return names;
    return own[0] != own[1] ? (own[0] < own[1] ? 1 : -1) : strcmp(x->p->policy, y->p->policy);
}

/* The policies in the order of the table. NULL: out of memory. */
static struct row *store_rows(const struct report_contents *c)
{
    struct row *rows = calloc(c->npolicies + 1, sizeof(*rows));
    for (size_t i = 0, end; rows && i < c->npolicies; i = end) {
        uint64_t bytes = 0;
        for (end = i;
             end < c->npolicies && strcmp(c->policies[end].database, c->policies[i].database) == 0;
             end++)
            bytes += policy_bytes(&c->policies[end]);
        for (size_t k = i; k < end; k++)
            rows[k] = (struct row){&c->policies[k], bytes};
    }
    if (rows)
        qsort(rows, c->npolicies, sizeof(*rows), by_size);
    return rows;
}

static void add_numbers(struct buffer *b, const struct report_policy *p)
{
    buffer_string(b, "</td><td class=\"number\">");
    html_size(b, policy_bytes(p));
    buffer_string(b, "</td><td class=\"number wide\">");
    html_size(b, p->wal_bytes);
    buffer_string(b, "</td><td class=\"number\">");
    html_count(b, p->shards);
    buffer_string(b, "</td><td class=\"number\">");
    html_count(b, p->files);
    buffer_string(b, "</td></tr>\n");
}

static void html_row(struct buffer *b, const struct report_policy *p, uint64_t largest)
{
    buffer_string(b, "<tr><td>");
    html_name(b, p->database);
    buffer_string(b, " <span class=\"policy\">");
    html_name(b, p->policy);
    buffer_string(b, "</span>");
    html_bar(b, p->data_bytes, p->wal_bytes, largest);
    add_numbers(b, p);
}

static void sum_up(struct report_policy *sum, const struct report_policy *p)
{
    sum->shards += p->shards;
    sum->files += p->files;
    sum->data_bytes += p->data_bytes;
    sum->wal_bytes += p->wal_bytes;
}

static void html_policies(struct buffer *b, const struct row *rows, size_t n)
{
    struct report_policy rest = {0}, all = {0};
    uint64_t largest = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bytes = policy_bytes(rows[i].p);
        largest = bytes > largest ? bytes : largest;
        sum_up(i < ROWS ? &all : &rest, rows[i].p);
    }
    sum_up(&all, &rest);
    buffer_string(b, "<tbody>\n");
    for (size_t i = 0; i < n && i < ROWS; i++)
        html_row(b, rows[i].p, largest);
    if (n > ROWS) {
        buffer_string(b, "<tr><td>");
        html_counted(b, n - ROWS, "smaller one");
        add_numbers(b, &rest);
    }
    buffer_string(b, "</tbody>\n<tfoot>\n<tr><td>All");
    add_numbers(b, &all);
    buffer_string(b, "</tfoot>\n");
}

void html_contents(struct buffer *b, const struct report *r)
{
    const struct report_contents *c = &r->contents;
    if (!c->known)
        return;
    buffer_string(b, "<section aria-labelledby=\"contents\">\n<h2 id=\"contents\">What the store "
                     "holds</h2>\n");
    if (!c->npolicies) {
        buffer_string(b, "<p>No database has a file.</p>\n</section>\n");
        return;
    }
    autofree struct row *rows = store_rows(c);
    b->failed = b->failed || !rows;
    buffer_string(b, "<p class=\"key\"><span class=\"first\">TSM files</span> <span "
                     "class=\"second\">write-ahead log</span></p>\n<div class=\"scroll\">\n<table "
                     "class=\"contents\">\n<thead><tr><th scope=\"col\">Database, retention "
                     "policy</th><th scope=\"col\" class=\"number\">Size</th><th scope=\"col\" "
                     "class=\"number wide\">of it in the WAL</th><th scope=\"col\" "
                     "class=\"number\">Shards</th><th scope=\"col\" class=\"number\">Files</th>"
                     "</tr></thead>\n");
    if (rows)
        html_policies(b, rows, c->npolicies);
    buffer_string(b, "</table>\n</div>\n</section>\n");
}

static void space_part(struct buffer *b, const char *class, const char *what, uint64_t bytes)
{
    html_markup(b, "<li><span class=\"%s\">%s</span> ", class, what);
    html_size(b, bytes);
    buffer_string(b, "</li>\n");
}

static void store_disk(struct buffer *b, const struct report *r)
{
    uint64_t used = r->disk_bytes - r->free_bytes;
    uint64_t ours = r->only_here < used ? r->only_here : used;
    if (!r->disk_bytes || r->free_bytes > r->disk_bytes)
        return;
    html_bar(b, ours, used - ours, r->disk_bytes);
    buffer_string(b, "<ul class=\"key\">\n");
    space_part(b, "first", "Held by cuts alone", ours);
    space_part(b, "second", "All else", used - ours);
    space_part(b, "rest", "Free", r->free_bytes);
    buffer_string(b, "</ul>\n");
}

static void store_retained(struct buffer *b, const struct report *r)
{
    if (!r->have_usage || !r->ncuts)
        return;
    buffer_string(b, "<p>The cuts retain ");
    html_counted(b, r->files, "file");
    buffer_string(b, ", ");
    html_size(b, r->bytes);
    buffer_string(b, ". Without them ");
    html_size(b, r->only_here);
    buffer_string(b, " of the disk would be free, since influxd has deleted those files; all else "
                     "is shared with the store.");
    if (r->links.how != CUT_LINKS_UNKNOWN)
        html_markup(b, " Files that do not change are %s", cut_links_word(r->links.how));
    if (r->links.files) {
        buffer_string(b, ": ");
        html_counted(b, r->links.files, "file");
        buffer_string(b, ", ");
        html_size(b, r->links.bytes);
    }
    buffer_string(b, r->links.how != CUT_LINKS_UNKNOWN ? ".</p>\n" : "</p>\n");
}

void html_space(struct buffer *b, const struct report *r)
{
    if (!r->state)
        return;
    buffer_string(b, "<section aria-labelledby=\"space\">\n<h2 id=\"space\">Space on the disk of "
                     "the state folder</h2>\n");
    store_disk(b, r);
    store_retained(b, r);
    buffer_string(b, "</section>\n");
}
