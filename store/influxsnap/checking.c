/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/checking.h"

#include "store/base/buffer.h"
#include "store/base/cleanup.h"
#include "store/base/size.h"
#include "store/base/time.h"
#include "store/base/utf8.h"
#include "store/chain/cut_loss.h"
#include "store/chain/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_TEXT 900 /* bytes before the performance data: NRPE passes on 1024, or 4096 */

static const char *const level_names[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

/* From good to bad: a known fault counts for more than what is not known. */
static const enum check_level ranks[] = {CHECK_OK, CHECK_UNKNOWN, CHECK_WARNING, CHECK_CRITICAL};

struct finding {
    enum check_level level;
    struct err text;
};

struct checking {
    const struct snap *s;
    const struct report *r;
    struct finding found[16];
    size_t n;
    struct buffer perf;
};

static void check_found(struct checking *c, enum check_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void check_found(struct checking *c, enum check_level level, const char *fmt, ...)
{
    va_list ap;
    if (c->n == sizeof(c->found) / sizeof(*c->found))
        return;
    va_start(ap, fmt);
    err_format(&c->found[c->n].text, fmt, ap);
    va_end(ap);
    c->found[c->n++].level = level;
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

/* What is judged; each says what is wrong, or what is well. */

static void check_restore(struct checking *c)
{
    const struct report *r = c->r;
    if (r->cut_off_unknown)
        check_found(c, CHECK_UNKNOWN, "restore: %s", r->cut_off.text);
    else if (r->cut_off.text[0])
        check_found(c, CHECK_CRITICAL, "restore %s", r->cut_off.text);
}

static int64_t last_good_backup(const struct history *h)
{
    const struct history_entry *done = history_last(h, HISTORY_BACKUP, HISTORY_DONE),
                               *less = history_last(h, HISTORY_BACKUP, HISTORY_OMISSIONS);
    int64_t a = done ? done->ended_ns : 0, b = less ? less->ended_ns : 0;
    return a > b ? a : b;
}

/* The newest cut or backup, whichever is later. */
static void check_age(struct checking *c)
{
    const struct report *r = c->r;
    const struct value_age *most = &c->s->o.max_age;
    int64_t backup = last_good_backup(&r->history),
            cut = r->ncuts ? r->cuts[r->ncuts - 1].head.wall_ns : 0;
    int64_t last = cut > backup ? cut : backup, age = r->at_ns - last;
    const char *what = cut > backup ? "cut" : "backup";
    char words[32];
    if (last == 0) {
        if (!r->history_unknown.text[0])
            check_found(c, CHECK_CRITICAL, "no cut and no backup is known");
        check_measured(c, "age=U;%" PRId64 ";%" PRId64 ";0;", most->warn_ns / SECOND_NS,
                       most->critical_ns / SECOND_NS);
        return;
    }
    if (age < 0)
        check_found(c, CHECK_WARNING,
                    "the last %s is of a time to come: the clock was set back since", what);
    age = age < 0 ? 0 : age;
    check_found(c,
                age > most->critical_ns ? CHECK_CRITICAL
                : age > most->warn_ns   ? CHECK_WARNING
                                        : CHECK_OK,
                "last %s %s ago", what, check_age_words(age, words));
    check_measured(c, "age=%" PRId64 "s;%" PRId64 ";%" PRId64 ";0;", age / SECOND_NS,
                   most->warn_ns / SECOND_NS, most->critical_ns / SECOND_NS);
}

static void check_cuts(struct checking *c)
{
    const struct report *r = c->r;
    const struct cut_info *newest = r->ncuts ? &r->cuts[r->ncuts - 1] : NULL;
    char lost[LOSS_WORDS], name[32];
    if (r->broken.text[0])
        check_found(c, CHECK_CRITICAL, "cuts: %s", r->broken.text);
    for (size_t i = 0; i < r->ncuts; i++)
        if (r->cuts[i].head.guard == CUT_GUARD_TRIPPED)
            check_found(c, CHECK_WARNING,
                        "cut %" PRId64
                        " is not folded until `influxsnap prune --accept-loss=%" PRId64 "`: %s",
                        r->cuts[i].head.number, r->cuts[i].head.number,
                        loss_words(&r->cuts[i].head.lost, lost));
    if (newest && newest->left_out) {
        snap_cut_name(newest->head.number, name);
        check_found(c, CHECK_WARNING, "cut %s left out %" PRIu64 " thing%s of the store", name,
                    newest->left_out, plural(newest->left_out));
    }
    check_measured(c, "cuts=%zu;;;0;", r->ncuts);
    if (!r->have_usage)
        return;
    check_measured(c, "retained=%" PRIu64 "B;;;0;", r->bytes);
    check_measured(c, "only_here=%" PRIu64 "B;;;0;", r->only_here);
}

/* The last backup and the last verification. */
static void check_history(struct checking *c)
{
    const struct history *h = &c->r->history;
    const struct history_entry *backup = h->of[HISTORY_BACKUP].at,
                               *verify = h->of[HISTORY_VERIFY].at;
    if (c->r->history_unknown.text[0])
        check_found(c, CHECK_UNKNOWN, "%s", c->r->history_unknown.text);
    if (backup && backup->result == HISTORY_FAILED)
        check_found(c, CHECK_WARNING, "the last backup, of %s, failed: %s", backup->what,
                    backup->text ? backup->text : "for an unknown reason");
    if (backup && backup->result == HISTORY_OMISSIONS)
        check_found(c, CHECK_WARNING, "the last backup, of %s, is not whole: %s", backup->what,
                    backup->text ? backup->text : "for an unknown reason");
    if (verify && verify->result == HISTORY_FAILED)
        check_found(c, CHECK_CRITICAL, "the last verification, of %s, failed: %s", verify->what,
                    verify->text ? verify->text : "for an unknown reason");
}

/* Below the reserve no cut is made. */
static void check_disk(struct checking *c)
{
    uint64_t reserve, avail;
    struct err why = {0};
    char free_words[SIZE_TEXT], reserve_words[SIZE_TEXT];
    if (!c->r->state)
        return;
    autoclose int fd = open(c->r->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || pool_room(fd, &c->s->o.rules, &reserve, &avail, &why) < 0) {
        check_found(c, CHECK_UNKNOWN, "free space: %s", fd < 0 ? strerror(errno) : why.text);
        return;
    }
    size_text((double)avail, free_words);
    size_text((double)reserve, reserve_words);
    if (avail < reserve)
        check_found(c, avail < reserve / 2 ? CHECK_CRITICAL : CHECK_WARNING,
                    "%s free on the disk of %s, of which %s are to stay free (reserve): no cut is "
                    "made; prune, or free space",
                    free_words, c->r->state, reserve_words);
    else
        check_found(c, CHECK_OK, "%s free", free_words);
    check_measured(c, "free=%" PRIu64 "B;%" PRIu64 ":;%" PRIu64 ":;0;", avail, reserve,
                   reserve / 2);
}

static void check_store(struct checking *c)
{
    const struct report_contents *k = &c->r->contents;
    uint64_t bytes = k->meta_bytes;
    for (size_t i = 0; i < k->npolicies; i++)
        bytes += k->policies[i].data_bytes + k->policies[i].wal_bytes;
    if (k->known)
        check_measured(c, "store=%" PRIu64 "B;;;0;", bytes);
    if (c->r->use != REPORT_USE_UNKNOWN)
        check_found(c, CHECK_OK, "influxd %s", c->r->use == REPORT_IN_USE ? "runs" : "is not seen");
}

/* Without these, nothing can be judged. */
static void check_basis(struct checking *c)
{
    if (c->r->known == REPORT_UNKNOWN_CUTS)
        check_found(c, CHECK_UNKNOWN, "%s", c->r->broken.text);
    if (access(c->r->paths->data, F_OK) < 0)
        check_found(c, CHECK_UNKNOWN, "there is no store: %s: %s", c->r->paths->data,
                    strerror(errno));
}

/* The line */

static enum check_level worst(const struct checking *c)
{
    enum check_level level = CHECK_OK;
    for (size_t rank = 0; rank < sizeof(ranks) / sizeof(*ranks); rank++)
        for (size_t i = 0; i < c->n; i++)
            level = c->found[i].level == ranks[rank] ? ranks[rank] : level;
    return level;
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

static void check_print(const struct checking *c)
{
    char line[LINE_MAX_TEXT + 1] = "";
    const char *between = "";
    for (size_t rank = sizeof(ranks) / sizeof(*ranks); rank-- > 0;)
        for (size_t i = 0; i < c->n; i++) {
            size_t n = strlen(line);
            if (c->found[i].level != ranks[rank])
                continue;
            snprintf(line + n, sizeof(line) - n, "%s%s", between, c->found[i].text.text);
            between = "; ";
        }
    check_clean(line);
    printf("INFLUXFS %s - %s%s%.*s\n", level_names[worst(c)], line, c->perf.n ? " | " : "",
           (int)c->perf.n, c->perf.n ? c->perf.p : "");
}

int check_report(struct snap *s, const struct report *r)
{
    struct checking c = {.s = s, .r = r};
    check_basis(&c);
    if (c.n == 0) {
        check_restore(&c);
        check_age(&c);
        check_cuts(&c);
        check_history(&c);
        check_disk(&c);
        check_store(&c);
    }
    check_print(&c);
    buffer_free(&c.perf);
    return worst(&c);
}

int check_unknown(const char *why)
{
    struct checking c = {0};
    check_found(&c, CHECK_UNKNOWN, "%s", why);
    check_print(&c);
    return CHECK_UNKNOWN;
}

bool check_asked(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--check") == 0)
            return true;
    return false;
}
