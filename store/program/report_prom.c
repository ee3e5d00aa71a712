/* SPDX-License-Identifier: MIT */
/*
 * A report as metrics, in Prometheus' text format. Each function prints one group; what is unknown
 * is left out rather than printed as 0. All are described in influxfs-metrics(5); tests compare.
 */
#include "store/base/buffer.h"
#include "store/base/time.h"
#include "store/base/utf8.h"
#include "store/program/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct label {
    const char *key, *value;
};

#define LABELS(...) ((const struct label[]){__VA_ARGS__, {0}})
#define NO_LABELS ((const struct label[]){{0}})

static void put(struct buffer *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct buffer *b, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    buffer_string(b, text);
}

/* Names are any bytes, while the format is UTF-8. Different names must stay different, since a series
 * must not stand twice: so what is no character is written as %XX, and % itself as well. */
static void prom_value(struct buffer *b, const char *text)
{
    size_t len = strlen(text), n;
    for (; len; text += n, len -= n) {
        unsigned char c = (unsigned char)*text;
        n = utf8_character(text, len);
        if (c == '\n')
            buffer_string(b, "\\n");
        else if (n == 0 || c < ' ' || c == 0x7f || c == '%')
            put(b, "%%%02X", c);
        else if (c == '"' || c == '\\')
            put(b, "\\%c", c);
        else
            buffer_add(b, text, n);
        n = n ? n : 1;
    }
}

static void prom_series(struct buffer *b, const char *name, const struct label *labels)
{
    put(b, "influxfs_%s", name);
    for (const struct label *l = labels; l->key; l++) {
        put(b, "%s%s=\"", l == labels ? "{" : ",", l->key);
        prom_value(b, l->value);
        buffer_string(b, "\"");
    }
    buffer_string(b, labels->key ? "} " : " ");
}

static void prom_count(struct buffer *b, const char *name, const struct label *labels, uint64_t n)
{
    prom_series(b, name, labels);
    put(b, "%" PRIu64 "\n", n);
}

/* Exact, as a decimal fraction. */
static void prom_seconds(struct buffer *b, const char *name, const struct label *labels, int64_t ns)
{
    const uint64_t abs = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    prom_series(b, name, labels);
    put(b, "%s%" PRIu64 ".%09" PRIu64 "\n", ns < 0 ? "-" : "", abs / SECOND_NS, abs % SECOND_NS);
}

/* The head of a metric; its samples follow at once. */
static void prom_metric(struct buffer *b, const char *name, const char *type, const char *help)
{
    put(b, "# HELP influxfs_%s %s\n# TYPE influxfs_%s %s\n", name, help, name, type);
}

static void prom_gauge(struct buffer *b, const char *name, uint64_t n, const char *help)
{
    prom_metric(b, name, "gauge", help);
    prom_count(b, name, NO_LABELS, n);
}

static void prom_counter(struct buffer *b, const char *name, uint64_t n, const char *help)
{
    prom_metric(b, name, "counter", help);
    prom_count(b, name, NO_LABELS, n);
}

/* Nothing for a time that never was. */
static void prom_time(struct buffer *b, const char *name, int64_t ns, const char *help)
{
    if (ns == 0)
        return;
    prom_metric(b, name, "gauge", help);
    prom_seconds(b, name, NO_LABELS, ns);
}

/* The store */

static void prom_each(struct buffer *b, const struct report_contents *c, const char *name,
                      uint64_t (*value)(const struct report_policy *p), const char *help)
{
    prom_metric(b, name, "gauge", help);
    for (size_t i = 0; i < c->npolicies; i++) {
        const struct report_policy *p = &c->policies[i];
        prom_count(b, name, LABELS({"database", p->database}, {"policy", p->policy}), value(p));
    }
}

static uint64_t files_of(const struct report_policy *p)
{
    return p->files;
}

static uint64_t shards_of(const struct report_policy *p)
{
    return p->shards;
}

static void prom_store(struct buffer *b, const struct report *r)
{
    const struct report_contents *c = &r->contents;
    prom_gauge(b, "store_known", c->known && !c->absent,
               "Whether the store is there, and its folders could be read.");
    if (r->use != REPORT_USE_UNKNOWN)
        prom_gauge(b, "influxd_seen", r->use == REPORT_IN_USE,
                   "Whether an influxd, or another program that writes, uses the store.");
    if (!c->known)
        return;
    prom_gauge(b, "store_metastore_bytes", c->meta_bytes, "Size of meta.db.");
    prom_metric(b, "store_bytes", "gauge",
                "Bytes of TSM files and tombstones (data), and of WAL segments (wal).");
    for (size_t i = 0; i < c->npolicies; i++) {
        const struct report_policy *p = &c->policies[i];
        prom_count(b, "store_bytes",
                   LABELS({"database", p->database}, {"policy", p->policy}, {"kind", "data"}),
                   p->data_bytes);
        prom_count(b, "store_bytes",
                   LABELS({"database", p->database}, {"policy", p->policy}, {"kind", "wal"}),
                   p->wal_bytes);
    }
    prom_each(b, c, "store_files", files_of, "Number of these files.");
    if (r->files_limit)
        prom_gauge(b, "store_files_limit", r->files_limit,
                   "How many of them a snapshot may hold open, by the limit on open files.");
    prom_each(b, c, "store_shards", shards_of, "Number of shards.");
}

static void prom_state(struct buffer *b, const struct report *r)
{
    if (r->known != REPORT_UNKNOWN_CUTS)
        prom_gauge(b, "state_lacking", r->lacks.text[0] != 0,
                   "Whether the state folder is missing or unusable.");
    if (r->disk_bytes) {
        prom_gauge(b, "state_free_bytes", r->free_bytes, "Free space on its disk.");
        prom_gauge(b, "state_size_bytes", r->disk_bytes, "The size of that disk.");
        prom_gauge(b, "state_reserve_bytes", r->reserve_bytes,
                   "No cut is made if less of it is free.");
    }
    if (!r->mount && !r->cut_off_unknown)
        prom_gauge(b, "restore_cut_off", r->cut_off.text[0] && !r->restoring,
                   "Whether a restore was cut off and is not finished.");
}

/* Cuts */

static void prom_last_cut(struct buffer *b, const struct cut_info *c)
{
    const struct cut_lost *lost = &c->head.lost;
    prom_time(b, "last_cut_timestamp_seconds", c->head.wall_ns,
              "When the newest cut was made, by the clock then.");
    prom_gauge(b, "last_cut_files", c->files, "Files that the newest cut added.");
    prom_gauge(b, "last_cut_bytes", c->bytes, "Bytes of these files.");
    prom_gauge(b, "last_cut_left_out", c->left_out,
               "Shards, files and folders that the newest cut is without.");
    prom_gauge(b, "last_cut_lost_shards", lost->shards, "Shards that were gone at the newest cut.");
    prom_gauge(b, "last_cut_lost_files", lost->files,
               "Files that were gone at the newest cut, with nothing in their place.");
    prom_gauge(b, "last_cut_lost_bytes", lost->bytes, "Bytes of these files.");
}

static void prom_retained(struct buffer *b, const struct report *r)
{
    prom_gauge(b, "retained_files", r->files, "Files that the cuts retain.");
    prom_gauge(b, "retained_bytes", r->bytes, "Bytes of these files.");
    prom_gauge(b, "retained_only_here_bytes", r->only_here,
               "Bytes of them that influxd has deleted, so that they take up space.");
}

static void prom_links(struct buffer *b, const struct cut_links *l)
{
    prom_metric(b, "cuts_kept_as", "gauge", "How cuts can keep the files of the store.");
    for (enum cut_links_how how = CUT_LINKS_UNKNOWN; how <= CUT_LINKS_PARTLY; how++)
        prom_count(b, "cuts_kept_as", LABELS({"how", cut_links_word(how)}), l->how == how);
    prom_gauge(b, "cuts_copy_bytes", l->bytes, "Bytes that cannot be linked and are copied.");
}

static void prom_cuts(struct buffer *b, const struct report *r)
{
    uint64_t not_accepted = 0;
    if (r->known == REPORT_NO_CUTS)
        return;
    prom_gauge(b, "cuts_known", r->known == REPORT_CUTS, "Whether the cuts can be looked at.");
    if (r->known == REPORT_UNKNOWN_CUTS)
        return;
    prom_gauge(b, "cuts_damaged", r->broken.text[0] || history_cuts_bad(&r->history),
               "Whether a cut is damaged, as far as is known.");
    for (size_t i = 0; i < r->ncuts; i++)
        not_accepted += r->cuts[i].head.guard == CUT_GUARD_TRIPPED;
    prom_gauge(b, "cuts", r->ncuts, "Number of cuts, the base included.");
    prom_gauge(b, "cuts_not_accepted", not_accepted,
               "Cuts that lost more than their guard allows, and are not folded.");
    if (r->ncuts)
        prom_last_cut(b, &r->cuts[r->ncuts - 1]);
    if (r->have_usage)
        prom_retained(b, r);
    prom_links(b, &r->links);
}

/* The history */

static void prom_last(struct buffer *b, const struct history *h, enum history_kind kind,
                      const char *what)
{
    char name[80];
    const struct history_entry *last = h->of[kind].at;
    snprintf(name, sizeof(name), "last_%s_timestamp_seconds", what);
    prom_metric(b, name, "gauge", "When the last one ended, for each result.");
    for (int i = 0; i < HISTORY_RESULTS; i++) {
        const struct history_entry *e = history_last(h, kind, (enum history_result)i);
        if (e)
            prom_seconds(b, name, LABELS({"result", history_result_names[i]}), e->ended_ns);
    }
    snprintf(name, sizeof(name), "last_%s_success", what);
    prom_gauge(b, name,
               last->result != HISTORY_FAILED && !(kind == HISTORY_VERIFY && history_any_bad(h)),
               "Whether the last one, and the last one of each thing verified, did not fail.");
    snprintf(name, sizeof(name), "last_%s_duration_seconds", what);
    prom_metric(b, name, "gauge", "How long the last one took.");
    prom_seconds(b, name, NO_LABELS, last->took_ns);
    snprintf(name, sizeof(name), "last_%s_bytes", what);
    prom_gauge(b, name, last->bytes, "Bytes that the last one wrote or read.");
}

static void prom_history(struct buffer *b, const struct report *r)
{
    static const char *const one[HISTORY_KINDS] = {"backup", "verification", "restore"};
    const struct history *h = &r->history;
    prom_gauge(b, "history_known", !r->history_unknown.text[0],
               "Whether what the state folder remembers could be read.");
    if (r->history_unknown.text[0])
        return;
    for (int k = 0; k < HISTORY_KINDS; k++) {
        char name[80];
        snprintf(name, sizeof(name), "%s_total", history_kind_names[k]);
        prom_metric(b, name, "counter", "Those that are remembered in the state folder.");
        for (int i = 0; i < HISTORY_RESULTS; i++)
            prom_count(b, name, LABELS({"result", history_result_names[i]}), h->of[k].total[i]);
        if (h->of[k].n)
            prom_last(b, h, (enum history_kind)k, one[k]);
    }
}

/* The nightly jobs. Their label is not `job`: Prometheus gives that one to all that it scrapes. */

static int64_t job_success(const struct jobs *j, int k)
{
    return j->of[k].last.result != HISTORY_FAILED;
}

static int64_t job_took_ns(const struct jobs *j, int k)
{
    return j->of[k].last.ended_ns - j->of[k].last.began_ns;
}

static int64_t job_bytes(const struct jobs *j, int k)
{
    return (int64_t)j->of[k].last.bytes;
}

static int64_t job_objects(const struct jobs *j, int k)
{
    return (int64_t)j->of[k].last.objects;
}

static int64_t job_good_ns(const struct jobs *j, int k)
{
    return j->of[k].good_ns;
}

/* The last day of "2016-06-11", or of "2016-06-01/2016-07-01", which ends before the second. */
static int64_t job_good_day_ns(const struct jobs *j, int k)
{
    const char *text = j->of[k].good_day, *until = text ? strchr(text, '/') : NULL;
    int32_t day = 0;
    if (!text || !time_read_day(until ? until + 1 : text, &day))
        return 0;
    return (day - (until != NULL)) * DAY_NS;
}

/* A value for each job that has one; a time that never was is none. */
static void prom_each_job(struct buffer *b, const struct jobs *jobs, const char *name,
                          int64_t (*value)(const struct jobs *j, int k), const char *help)
{
    const bool time = value == job_good_ns || value == job_good_day_ns;
    prom_metric(b, name, "gauge", help);
    for (int k = 0; k < JOB_KINDS; k++) {
        const struct label *labels = LABELS({"kind", job_kind_names[k]});
        const int64_t n = value(jobs, k);
        if (!jobs->of[k].last.ended_ns || (time && !n))
            continue;
        if (time || value == job_took_ns)
            prom_seconds(b, name, labels, n);
        else
            prom_count(b, name, labels, (uint64_t)n);
    }
}

static void prom_jobs_ended(struct buffer *b, const struct jobs *j)
{
    static const char name[] = "last_job_timestamp_seconds";
    prom_metric(b, name, "gauge", "When the last one ended, with its result.");
    for (int k = 0; k < JOB_KINDS; k++) {
        const struct job_end *last = &j->of[k].last;
        if (last->ended_ns)
            prom_seconds(
                b, name,
                LABELS({"kind", job_kind_names[k]}, {"result", history_result_names[last->result]}),
                last->ended_ns);
    }
}

static void prom_jobs(struct buffer *b, const struct report *r)
{
    const struct jobs *j = &r->jobs;
    prom_gauge(b, "jobs_known", !r->jobs_unknown.text[0],
               "Whether what the state folder remembers of nightly jobs could be read.");
    prom_gauge(b, "left_stopped", report_left_stopped(r),
               "Whether a fetch has left stopped what it had stopped.");
    if (r->jobs_unknown.text[0])
        return;
    prom_metric(b, "jobs_total", "counter", "Nightly jobs that have ended, by result.");
    for (int k = 0; k < JOB_KINDS; k++)
        for (int i = 0; i < HISTORY_RESULTS; i++)
            prom_count(b, "jobs_total",
                       LABELS({"kind", job_kind_names[k]}, {"result", history_result_names[i]}),
                       j->of[k].total[i]);
    prom_jobs_ended(b, j);
    prom_each_job(b, j, "last_job_success", job_success, "Whether the last one did not fail.");
    prom_each_job(b, j, "last_job_duration_seconds", job_took_ns, "How long the last one took.");
    prom_each_job(b, j, "last_job_bytes", job_bytes, "Bytes that the last one moved.");
    prom_each_job(b, j, "last_job_objects", job_objects, "Objects that the last one moved.");
    prom_each_job(b, j, "last_good_job_timestamp_seconds", job_good_ns,
                  "When one last ended that did not fail.");
    prom_each_job(b, j, "last_good_job_day_timestamp_seconds", job_good_day_ns,
                  "The day that one was for, or the last of its days.");
}

/* What only a mount knows */

static void prom_last_capture(struct buffer *b, const struct report_capture *c)
{
    uint64_t files = 0;
    if (c->at_ns == 0)
        return;
    for (size_t i = 0; i < c->left_out.n; i++)
        files += c->left_out.at[i].files;
    prom_time(b, "last_capture_timestamp_seconds", c->at_ns, "When now.tar was looked up last.");
    prom_gauge(b, "last_capture_files", c->files, "Files in it.");
    prom_gauge(b, "last_capture_bytes", c->bytes, "Its size.");
    prom_gauge(b, "last_capture_left_out", omissions_that_count(&c->left_out),
               "Shards, files and folders of the store that it is without.");
    prom_gauge(b, "last_capture_left_out_files", files, "Files that it leaves out.");
    prom_gauge(b, "last_capture_left_out_bytes", omissions_bytes(&c->left_out),
               "Bytes of these files.");
    prom_gauge(b, "last_capture_damaged_files", c->damaged.n, "Files in it that are not whole.");
}

static void prom_counters(struct buffer *b, const struct report_counters *c)
{
    prom_counter(b, "captures_total", c->captures, "Captures of the store that were taken.");
    prom_metric(b, "capture_seconds_total", "counter", "Time that taking them took.");
    prom_seconds(b, "capture_seconds_total", NO_LABELS, (int64_t)c->capture_ns);
    prom_metric(b, "read_bytes_total", "counter", "Bytes that readers were given, by branch.");
    for (int i = 0; i < REPORT_BRANCHES; i++)
        prom_count(b, "read_bytes_total", LABELS({"branch", report_branch_names[i]}),
                   c->read_bytes[i]);
    prom_counter(b, "dump_sizing_bytes_total", c->sizing_bytes,
                 "Bytes of dumps that were made only to learn their size.");
    prom_metric(b, "errors_total", "counter", "What went wrong, by kind.");
    for (int i = 0; i < REPORT_ERROR_KINDS; i++)
        prom_count(b, "errors_total", LABELS({"kind", report_error_names[i]}), c->errors[i]);
    prom_counter(b, "timer_cuts_total", c->cuts, "Cuts that the timer made.");
    prom_counter(b, "timer_folds_total", c->folds, "Times that the timer folded cuts.");
}

static void prom_mount(struct buffer *b, const struct report_mount *m)
{
    if (!m)
        return;
    prom_time(b, "mount_timestamp_seconds", m->mounted_ns, "When the store was mounted.");
    prom_gauge(b, "captures_held", m->captures_held, "Captures that hold files open.");
    prom_gauge(b, "dump_spill_bytes", m->spilled, "Bytes that dumps being made have on disk.");
    prom_gauge(b, "dump_spill_most_bytes", m->spilled_most, "The most that they had.");
    prom_last_capture(b, &m->last.capture);
    prom_counters(b, &m->counters);
    prom_gauge(b, "timer_failed", m->timer.error.at_ns != 0,
               "Whether the timer failed to cut or fold, and has not succeeded since.");
    if (!m->restores)
        return;
    prom_gauge(b, "restore_running", m->restores && !progress_ended(&m->restore),
               "Whether a restore is under way.");
    prom_gauge(b, "restore_pending", m->restore.waiting.n,
               "Numbers that wait for what they build on.");
}

int report_prom(const struct report *r, char **text)
{
    struct buffer b = {0};
    prom_metric(&b, "build_info", "gauge", "The version, as a label.");
    prom_count(&b, "build_info", LABELS({"version", INFLUXFS_VERSION}), 1);
    prom_time(&b, "report_timestamp_seconds", r->at_ns, "When these metrics were gathered.");
    prom_store(&b, r);
    prom_state(&b, r);
    prom_cuts(&b, r);
    prom_history(&b, r);
    prom_jobs(&b, r);
    prom_mount(&b, r->mount);
    buffer_add(&b, "", 1);
    if (!b.failed) {
        *text = b.p;
        return 0;
    }
    buffer_free(&b);
    return -ENOMEM;
}
