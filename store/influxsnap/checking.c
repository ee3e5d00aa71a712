/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/checking.h"

#include "store/base/buffer.h"
#include "store/base/size.h"
#include "store/base/time.h"
#include "store/base/utf8.h"
#include "store/program/troubles.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_TEXT 900 /* bytes before the performance data: NRPE passes on 1024, or 4096 */

static const char *const level_names[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

static const enum check_level levels[TROUBLE_LEVELS] = {CHECK_OK, CHECK_UNKNOWN, CHECK_WARNING,
                                                        CHECK_CRITICAL};

struct checking {
    const struct report *r;
    char line[LINE_MAX_TEXT + 1];
    struct buffer perf;
};

/* Adds to the line what has room in it. */
static void check_say(struct checking *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void check_say(struct checking *c, const char *fmt, ...)
{
    size_t n = strlen(c->line);
    va_list ap;
    va_start(ap, fmt);
    n += (size_t)snprintf(c->line + n, sizeof(c->line) - n, "%s", n ? "; " : "");
    if (n < sizeof(c->line))
        vsnprintf(c->line + n, sizeof(c->line) - n, fmt, ap);
    va_end(ap);
}

/* "label=VALUE[s|B];WARN;CRIT;MIN;MAX" */
static void check_measured(struct checking *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void check_measured(struct checking *c, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    buffer_string(&c->perf, c->perf.n ? " " : "");
    buffer_string(&c->perf, text);
}

/* "a restore was cut off: its cause (what to do)", without the last full stop */
static void check_trouble(struct checking *c, const struct trouble *t)
{
    const size_t todo = strlen(t->todo.text);
    check_say(c, "%c%s%s%s%s%.*s%s", tolower((unsigned char)t->what.text[0]), t->what.text + 1,
              t->why.text[0] ? ": " : "", t->why.text, todo ? " (" : "", todo ? (int)todo - 1 : 0,
              t->todo.text, todo ? ")" : "");
}

/* "90 s", "27 h", "3 d" */
static const char *check_age_words(int64_t ns, char out[32])
{
    const int64_t s = ns / SECOND_NS;
    if (s < 120)
        snprintf(out, 32, "%" PRId64 " s", s);
    else if (s < 7200)
        snprintf(out, 32, "%" PRId64 " min", s / 60);
    else if (s < 4 * 86400)
        snprintf(out, 32, "%" PRId64 " h", s / 3600);
    else
        snprintf(out, 32, "%" PRId64 " d", s / 86400);
    return out;
}

/* The newest cut or backup, whichever is later. */
static void check_age(struct checking *c)
{
    const struct value_age *most = &c->r->options->max_age;
    const int64_t cut = report_cut_ns(c->r), backup = report_backup_ns(c->r);
    const int64_t last = time_later(cut, backup), age = time_later(c->r->at_ns - last, 0);
    char words[32], value[32] = "U";
    if (last) {
        check_say(c, "last %s %s ago", cut > backup ? "cut" : "backup",
                  check_age_words(age, words));
        snprintf(value, sizeof(value), "%" PRId64 "s", age / SECOND_NS);
    }
    check_measured(c, "age=%s;%" PRId64 ";%" PRId64 ";0;", value, most->warn_ns / SECOND_NS,
                   most->critical_ns / SECOND_NS);
}

/* How long ago each nightly job that is known ended well. */
static void check_jobs(struct checking *c)
{
    const struct value_age *most = &c->r->options->max_age;
    for (int k = 0; k < JOB_KINDS; k++) {
        const int64_t ns = c->r->jobs.of[k].good_ns;
        if (ns)
            check_measured(c, "%s_age=%" PRId64 "s;%" PRId64 ";%" PRId64 ";0;", job_kind_names[k],
                           time_later(c->r->at_ns - ns, 0) / SECOND_NS, most->warn_ns / SECOND_NS,
                           most->critical_ns / SECOND_NS);
    }
}

static void check_cuts(struct checking *c)
{
    const struct report *r = c->r;
    if (r->known != REPORT_CUTS)
        return;
    check_measured(c, "cuts=%zu;;;0;", r->ncuts);
    if (!r->have_usage)
        return;
    check_measured(c, "retained=%" PRIu64 "B;;;0;", r->bytes);
    check_measured(c, "only_here=%" PRIu64 "B;;;0;", r->only_here);
}

static void check_disk(struct checking *c)
{
    const struct report *r = c->r;
    char words[SIZE_TEXT];
    if (!r->disk_bytes)
        return;
    size_text((double)r->free_bytes, words);
    check_say(c, "%s free", words);
    check_measured(c, "free=%" PRIu64 "B;%" PRIu64 ":;%" PRIu64 ":;0;", r->free_bytes,
                   r->reserve_bytes, r->reserve_bytes / 2);
}

static void check_store(struct checking *c)
{
    if (c->r->contents.known)
        check_measured(c, "store=%" PRIu64 "B;;;0;", contents_bytes(&c->r->contents));
    if (c->r->use != REPORT_USE_UNKNOWN)
        check_say(c, "influxd %s", c->r->use == REPORT_IN_USE ? "runs" : "is not seen");
}

/* A bar would begin the performance data; what is no character is none of a line of text either. */
static void check_clean(char *line)
{
    size_t n;
    for (char *p = line; *p; p += n ? n : 1) {
        n = utf8_character(p, strlen(p));
        if (n == 0 || *p == '|')
            *p = n ? '/' : '?';
    }
}

static enum check_level check_print(struct checking *c, enum check_level level)
{
    check_clean(c->line);
    printf("INFLUXFS %s - %s%s%.*s\n", level_names[level], c->line, c->perf.n ? " | " : "",
           (int)c->perf.n, c->perf.n ? c->perf.p : "");
    buffer_free(&c->perf);
    return level;
}

int check_report(const struct report *r)
{
    struct checking c = {.r = r};
    struct troubles t;
    if (troubles_find(r, &t) < 0)
        return check_unknown(strerror(ENOMEM));
    for (size_t i = 0; i < t.n && t.at[i].level > TROUBLE_NOTE; i++)
        check_trouble(&c, &t.at[i]);
    check_age(&c);
    check_jobs(&c);
    check_cuts(&c);
    check_disk(&c);
    check_store(&c);
    const enum check_level level = levels[troubles_worst(&t)];
    troubles_clear(&t);
    return check_print(&c, level);
}

int check_unknown(const char *why)
{
    struct checking c = {0};
    check_say(&c, "%s", why);
    return check_print(&c, CHECK_UNKNOWN);
}

bool check_asked(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--check") == 0)
            return true;
    return false;
}
