/* SPDX-License-Identifier: MIT */
/*
 * A report as JSON: one shape for both programs. Some facts have two keys, and three have a form
 * for each program, as each had its own shape before and scripts read them:
 *
 *                    of a mount                   of influxsnap
 *   cuts.numbers     {"count","first","last"}     the count
 *   restore          the restore under way        words about one that was cut off
 *   times of cuts    whole seconds                nanoseconds
 */
#include "store/base/io.h"
#include "store/base/json.h"
#include "store/base/time.h"
#include "store/chain/cut_loss.h"
#include "store/program/report.h"

/* The most names shown; the manifest has all. */
#define LEFT_OUT_NAMES 100

/* null stands for an unknown number. */
static void add_count_if(struct json_object *o, const char *key, bool known, uint64_t n)
{
    json_add(o, key, known ? json_object_new_uint64(n) : NULL);
}

static void add_time(struct json_object *o, const char *key, int64_t ns, bool exact)
{
    char text[TIME_TEXT] = "";
    if (ns)
        (exact ? time_exact_text : time_text)(ns, text);
    json_add_text(o, key, text);
}

static struct json_object *texts_json(const struct report_texts *t)
{
    return json_texts((const char *const *)t->at, t->n);
}

static struct json_object *event_json(const struct report_event *ev)
{
    if (ev->at_ns == 0)
        return NULL;
    struct json_object *o = json_object_new_object();
    add_time(o, "time", ev->at_ns, false);
    json_add_text(o, "what", ev->what);
    json_add_text(o, "text", ev->text);
    return o;
}

static struct json_object *report_capture_json(const struct report_capture *c)
{
    if (c->at_ns == 0)
        return NULL;
    struct json_object *o = json_object_new_object();
    json_add_text(o, "id", c->record.id);
    add_time(o, "time", c->at_ns, false);
    add_time(o, "created", c->record.created_ns, false);
    json_add_count(o, "index", c->record.index);
    json_add(o, "skew_ns", json_object_new_int64(c->record.skew_ns));
    json_add_count(o, "bytes", c->bytes);
    json_add_count(o, "files", c->files);
    json_add(o, "left_out", omissions_summary(&c->left_out, LEFT_OUT_NAMES));
    json_add(o, "links", texts_json(&c->links));
    json_add(o, "damaged", texts_json(&c->damaged));
    return o;
}

struct json_object *report_cut_json(const struct cut_info *c, const struct cut_info *before,
                                    bool exact)
{
    struct json_object *o = json_object_new_object();
    const struct cut_head *h = &c->head;
    json_add_bool(o, "base", c->base);
    json_add_number(o, "number", h->number);
    json_add_text(o, "id", h->id);
    json_add_text(o, "parent", h->parent);
    add_time(o, "created", h->created_ns, exact);
    add_time(o, "time", h->wall_ns, exact);
    json_add_bool(o, "clock_set", report_clock_set(c, before));
    json_add_count(o, "files", c->files);
    json_add_count(o, "bytes", c->bytes);
    json_add_count(o, "left_out", c->left_out);
    json_add(o, "lost", loss_json_of_cut(h));
    return o;
}

static struct json_object *cut_at(const struct report *r, size_t i)
{
    return i < r->ncuts ? report_cut_json(&r->cuts[i], i ? &r->cuts[i - 1] : NULL, !r->mount)
                        : NULL;
}

/* Cuts not folded because of what they lost: a monitor checks that this is empty. */
static struct json_object *not_accepted_json(const struct report *r)
{
    struct json_object *o = json_object_new_array();
    for (size_t i = 0; i < r->ncuts; i++)
        if (r->cuts[i].head.guard == CUT_GUARD_TRIPPED)
            json_object_array_add(o, cut_at(r, i));
    return o;
}

/* Returns o. */
static struct json_object *add_numbers(struct json_object *o, const struct report *r)
{
    size_t n = r->ncuts;
    add_count_if(o, "count", r->known == REPORT_CUTS, n > 0 ? n - 1 : 0);
    json_add_number(o, "first", n > 1 ? r->cuts[1].head.number : -1);
    json_add_number(o, "last", n > 1 ? r->cuts[n - 1].head.number : -1);
    return o;
}

static void report_add_retained(struct json_object *o, const struct report *r)
{
    bool known = r->have_usage;
    add_count_if(o, "retained_files", known, r->files);
    add_count_if(o, "retained_bytes", known, r->bytes);
    add_count_if(o, "retained_bytes_only_here", known, r->only_here);
    add_count_if(o, "files", known, r->files);
    add_count_if(o, "bytes", known, r->bytes);
    add_count_if(o, "only_ours", known, r->only_here);
    json_add_text(o, "kept_as", cut_links_word(r->links.how));
    json_add_count(o, "copy_bytes", r->links.bytes);
    json_add_text(o, "why_copied", r->links.why.text);
}

static struct json_object *report_last_cut_json(const struct report_timer *t)
{
    if (t->cut_ns == 0)
        return NULL;
    struct json_object *o = json_object_new_object();
    add_time(o, "time", t->cut_ns, false);
    json_add_bool(o, "made", t->cut.made);
    json_add_number(o, "number", t->cut.number);
    json_add_count(o, "files", t->cut.files);
    json_add_count(o, "bytes", t->cut.bytes);
    json_add_count(o, "copied_files", t->cut.copied);
    json_add_count(o, "copied_bytes", t->cut.copied_bytes);
    json_add_text(o, "why_copied", t->cut.said.text);
    json_add(o, "lost", loss_json_of_cut(&t->cut.head));
    return o;
}

static struct json_object *last_fold_json(const struct report_timer *t)
{
    if (t->fold_ns == 0)
        return NULL;
    struct json_object *o = json_object_new_object();
    add_time(o, "time", t->fold_ns, false);
    json_add_count(o, "folded", t->fold.folded);
    json_add_count(o, "freed_bytes", t->fold.freed);
    json_add_bool(o, "held_back", t->fold.held_back);
    json_add_number(o, "guarded", t->fold.guarded ? t->fold.guarded_number : -1);
    return o;
}

static void add_timer(struct json_object *o, const struct report *r)
{
    const struct options *options = r->options;
    const struct report_timer *timer = &r->mount->timer;
    const struct cut_rules *rules = &options->rules;
    json_add(o, "guard", rules->guard ? json_object_new_double(rules->guard_part) : NULL);
    add_count_if(o, "every", options->every_ns, (uint64_t)(options->every_ns / SECOND_NS));
    add_count_if(o, "keep", options->keep != OPTIONS_KEEP_ALL, options->keep);
    json_add(o, "last_cut", report_last_cut_json(timer));
    json_add(o, "last_fold", last_fold_json(timer));
    json_add(o, "last_error", event_json(&timer->error));
}

static struct json_object *report_cuts_json(const struct report *r)
{
    struct json_object *o = json_object_new_object();
    json_add(o, "base", cut_at(r, 0));
    json_add(o, "latest", cut_at(r, r->ncuts - 1));
    json_add(o, "newest", cut_at(r, r->ncuts - 1));
    add_numbers(o, r);
    json_add(o, "numbers",
             r->mount ? add_numbers(json_object_new_object(), r)
                      : json_object_get(json_object_object_get(o, "count")));
    json_add_text(o, "damaged", r->broken.text);
    json_add_text(o, "error", r->broken.text);
    json_add(o, "not_accepted", r->known == REPORT_CUTS ? not_accepted_json(r) : NULL);
    report_add_retained(o, r);
    if (r->mount)
        add_timer(o, r);
    return o;
}

static struct json_object *store_json(const struct report *r)
{
    struct json_object *o = json_object_new_object();
    json_add_text(o, "meta", r->paths->meta);
    json_add_text(o, "data", r->paths->data);
    json_add_text(o, "wal", r->paths->wal);
    json_add_text(o, "config", r->paths->config);
    json_add_text(o, "state", r->state);
    json_add_text(o, "lacks", r->lacks.text);
    return o;
}

static struct json_object *lack_json(const struct report_mount *m)
{
    struct json_object *o = json_object_new_object();
    json_add_bool(o, "more", m->dumps_lack_more);
    json_add(o, "lines", texts_json(&m->dumps_lack));
    return o;
}

static struct json_object *spill_json(const struct report *r)
{
    struct json_object *o = json_object_new_object();
    json_add_text(o, "folder", r->state ? r->state : io_temporary_folder());
    json_add_count(o, "bytes", r->mount->spilled);
    json_add_count(o, "most_bytes", r->mount->spilled_most);
    return o;
}

static struct json_object *pace_json(const struct report *r)
{
    const uint64_t held_to = r->mount->held_to;
    char text[PACE_TEXT];
    struct json_object *o = json_object_new_object();
    json_add_text(o, "setting", value_pace_text(r->options->pace, text));
    json_add_number(o, "held_to_bytes_per_second", held_to ? (int64_t)held_to : -1);
    return o;
}

static struct json_object *report_contents_json(const struct report_contents *c, uint64_t limit)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array();
    for (size_t i = 0; i < c->npolicies; i++) {
        const struct report_policy *p = &c->policies[i];
        struct json_object *one = json_object_new_object();
        json_add_text(one, "database", p->database);
        json_add_text(one, "policy", p->policy);
        json_add_count(one, "shards", p->shards);
        json_add_count(one, "files", p->files);
        json_add_count(one, "data_bytes", p->data_bytes);
        json_add_count(one, "wal_bytes", p->wal_bytes);
        json_object_array_add(list, one);
    }
    json_add_bool(o, "known", c->known);
    json_add_text(o, "error", c->unknown.text);
    add_count_if(o, "meta_bytes", c->known, c->meta_bytes);
    add_count_if(o, "files_limit", limit, limit);
    json_add(o, "policies", list);
    return o;
}

static struct json_object *report_job_now_json(const struct job_now *now)
{
    if (!now->working)
        return NULL;
    struct json_object *o = json_object_new_object();
    json_add_text(o, "job", now->known ? job_kind_names[now->kind] : NULL);
    json_add(o, "pid", now->known ? json_object_new_int64(now->pid) : NULL);
    add_time(o, "since", now->known ? now->since_ns : 0, false);
    return o;
}

static struct json_object *report_jobs_json(const struct report *r)
{
    struct json_object *o = jobs_json(&r->jobs);
    json_add(o, "at_work", report_job_now_json(&r->job_now));
    json_add(o, "stopped", json_texts((const char *const *)r->stopped.units, r->stopped.n));
    json_add_text(o, "error", r->jobs_unknown.text);
    return o;
}

static struct json_object *report_history_json(const struct report *r)
{
    struct json_object *o = history_json(&r->history);
    json_add_text(o, "error", r->history_unknown.text);
    return o;
}

static struct json_object *names_json(const char *const *names, const uint64_t *counts, size_t n)
{
    struct json_object *o = json_object_new_object();
    for (size_t i = 0; i < n; i++)
        json_add_count(o, names[i], counts[i]);
    return o;
}

static struct json_object *counters_json(const struct report_counters *c)
{
    struct json_object *o = json_object_new_object();
    json_add_count(o, "captures", c->captures);
    json_add_count(o, "capture_ns", c->capture_ns);
    json_add_count(o, "cuts", c->cuts);
    json_add_count(o, "folds", c->folds);
    json_add_count(o, "dump_sizing_bytes", c->sizing_bytes);
    json_add(o, "read_bytes", names_json(report_branch_names, c->read_bytes, REPORT_BRANCHES));
    json_add(o, "errors", names_json(report_error_names, c->errors, REPORT_ERROR_KINDS));
    return o;
}

static void report_add_mount(struct json_object *o, const struct report *r)
{
    const struct report_mount *m = r->mount;
    add_time(o, "mounted", m->mounted_ns, false);
    json_add(
        o, "options",
        json_texts((const char *const *)r->options->mount_options, r->options->nmount_options));
    json_add(o, "last_capture", report_capture_json(&m->last.capture));
    json_add(o, "last_success", event_json(&m->last.success));
    json_add(o, "last_error", event_json(&m->last.error));
    if (r->options->skip_damaged)
        json_add(o, "dumps_lack", lack_json(m));
    json_add(o, "dump_spill", spill_json(r));
    json_add(o, "backup_left_out", texts_json(&m->backups_lack));
    json_add_count(o, "captures_held", m->captures_held);
    json_add(o, "pace", pace_json(r));
    json_add(o, "counters", counters_json(&m->counters));
    json_add(o, "restore", m->restores ? progress_object(&m->restore) : NULL);
}

struct json_object *report_json(const struct report *r)
{
    struct json_object *o = json_object_new_object();
    if (!o)
        return NULL;
    json_add_text(o, "version", INFLUXFS_VERSION);
    json_add(o, "store", store_json(r));
    json_add_text(o, "state", r->state);
    json_add_text(o, "lacks", r->lacks.text);
    add_count_if(o, "free", r->disk_bytes, r->free_bytes);
    add_count_if(o, "reserve", r->disk_bytes, r->reserve_bytes);
    json_add_text(o, "in_use", r->in_use.text);
    json_add(o, "contents", report_contents_json(&r->contents, r->files_limit));
    if (r->mount)
        report_add_mount(o, r);
    else
        json_add_text(o, "restore", r->cut_off.text);
    json_add(o, "history", report_history_json(r));
    json_add(o, "jobs", report_jobs_json(r));
    json_add(o, "cuts", r->known == REPORT_NO_CUTS ? NULL : report_cuts_json(r));
    return o;
}
