/* SPDX-License-Identifier: MIT */
/*
 * The report as a page, status.html: one file that asks for nothing else, has no script, and can be
 * read without its style. The policy in its head forbids a browser all of that, too, should a text
 * ever get out of its place. It is HTML and well-formed XML at once, so that any parser takes it.
 */
#include "store/base/sha256.h"
#include "store/base/time.h"
#include "store/program/report_html_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char style[] =
#include "store/program/report_html.inc" /* report_html.css as strings */
    ;

/* Base64 of a sum: 32 bytes become 43 letters and one sign. */
static void add_base64(struct buffer *b, const uint8_t sum[SHA256_BYTES])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t bit = 0; bit < SHA256_BYTES * 8; bit += 6) {
        size_t at = bit / 8;
        unsigned two = (unsigned)sum[at] << 8 | (at + 1 < SHA256_BYTES ? sum[at + 1] : 0);
        buffer_add(b, &letters[two >> (10 - bit % 8) & 63], 1);
    }
    buffer_string(b, "=");
}

static void html_policy(struct buffer *b)
{
    uint8_t sum[SHA256_BYTES];
    struct sha256 *s = sha256_new();
    if (!s) {
        b->failed = true;
        return;
    }
    sha256_reset(s);
    sha256_add(s, style, sizeof(style) - 1);
    sha256_end(s, sum);
    sha256_free(s);
    buffer_string(b, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                     "base-uri 'none'; form-action 'none'; img-src data:; style-src 'sha256-");
    add_base64(b, sum);
    buffer_string(b, "'\" />\n");
}

/* By the verdict: well, to be looked at, wrong. */
static size_t html_verdict_of(const struct troubles *t)
{
    static const size_t of[TROUBLE_LEVELS] = {
        [TROUBLE_UNKNOWN] = 1, [TROUBLE_WARN] = 1, [TROUBLE_BAD] = 2};
    return of[troubles_worst(t)];
}

static void html_head(struct buffer *b, const struct report *r, const struct troubles *t)
{
    /* A green, an amber and a red dot, as GIF. */
    static const char *const icons[] = {
        "R0lGODlhAQABAIAAABp/RQAAACwAAAAAAQABAAACAkQBADs=",
        "R0lGODlhAQABAIAAALJqAAAAACwAAAAAAQABAAACAkQBADs=",
        "R0lGODlhAQABAIAAAMYoKAAAACwAAAAAAQABAAACAkQBADs=",
    };
    buffer_string(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\" />\n");
    html_policy(b);
    buffer_string(b, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n"
                     "<meta name=\"color-scheme\" content=\"light dark\" />\n"
                     "<meta name=\"robots\" content=\"noindex\" />\n<title>");
    html_verdict(b, t);
    buffer_string(b, " – ");
    html_text(b, r->paths->data, HTML_NAME);
    html_markup(b,
                "</title>\n<link rel=\"icon\" href=\"data:image/gif;base64,%s\" />\n"
                "<style>%s</style>\n</head>\n",
                icons[html_verdict_of(t)], style);
}

static void html_header(struct buffer *b, const struct report *r, const struct troubles *t)
{
    /* Drawn as well as coloured: a tick, an exclamation mark, a cross. */
    static const char *const signs[] = {"M12 21l6 6 11-13", "M20 11v11M20 28v1",
                                        "M13 13l14 14M27 13l-14 14"};
    static const char *const classes[] = {"good", "warn", "bad"};
    html_markup(b,
                "<body>\n<header class=\"%s\">\n<svg class=\"sign\" viewBox=\"0 0 40 40\" "
                "width=\"48\" height=\"48\" aria-hidden=\"true\"><circle cx=\"20\" cy=\"20\" "
                "r=\"20\" /><path fill=\"none\" stroke=\"#fff\" stroke-width=\"4\" "
                "d=\"%s\" /></svg>\n<div>\n<h1>",
                classes[html_verdict_of(t)], signs[html_verdict_of(t)]);
    html_verdict(b, t);
    buffer_string(b, "</h1>\n<p>The store of ");
    html_name(b, r->paths->config ? r->paths->config : r->paths->data);
    buffer_string(b, ", as it was on ");
    html_time(b, r->at_ns);
    buffer_string(b, " UTC</p>\n</div>\n</header>\n<main>\n");
}

static void html_path(struct buffer *b, const char *what, const char *path)
{
    if (!path)
        return;
    html_markup(b, "<dt>%s</dt><dd>", what);
    html_name(b, path);
    buffer_string(b, "</dd>\n");
}

static void html_foot(struct buffer *b, const struct report *r)
{
    buffer_string(b,
                  "<section aria-labelledby=\"places\">\n<h2 id=\"places\">Where things are</h2>\n"
                  "<dl class=\"facts\">\n");
    html_path(b, "Configuration", r->paths->config);
    html_path(b, "meta", r->paths->meta);
    html_path(b, "data", r->paths->data);
    html_path(b, "wal", r->paths->wal);
    html_path(b, "State folder", r->state);
    if (r->mount)
        html_path(b, "Mounted on", r->mount->mountpoint);
    buffer_string(b, "</dl>\n</section>\n</main>\n<footer>\n<p>Made by "
                     "influxfs " INFLUXFS_VERSION " on ");
    html_time(b, r->at_ns);
    buffer_string(b, " UTC. It shows that moment: for a newer one, open it again. All times are "
                     "UTC; KiB, MiB and GiB are powers of 1024; exact bytes show when the pointer "
                     "rests on a size.</p>\n</footer>\n</body>\n</html>\n");
}

int report_html(const struct report *r, char **text)
{
    struct buffer b = {0};
    struct troubles t;
    int ret = troubles_find(r, &t);
    if (ret < 0)
        return ret;
    html_head(&b, r, &t);
    html_header(&b, r, &t);
    html_troubles(&b, &t);
    html_glance(&b, r);
    html_restoring(&b, r);
    html_contents(&b, r);
    html_cuts(&b, r);
    html_space(&b, r);
    html_past(&b, r);
    html_mount(&b, r);
    html_foot(&b, r);
    buffer_add(&b, "", 1);
    troubles_clear(&t);
    if (b.failed)
        buffer_free(&b);
    else
        *text = b.p;
    return b.failed ? -ENOMEM : 0;
}
