/* SPDX-License-Identifier: MIT */
#include "fs/reports.h"

#include "fs/cutter.h"
#include "fs/dumps.h"
#include "fs/named.h"
#include "fs/now.h"
#include "fs/status.h"
#include "fs/text.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/json.h"
#include "store/chain/cut_loss.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Names that status.json shows; the manifest has all. */
#define LEFT_OUT_NAMES 100

static int log_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    struct stat real = {0};
    (void)n, (void)h;
    if (r->fs->restore && fstat(session_log_fd(r->fs->restore), &real) < 0)
        return -errno;
    fs_attr(r->fs, st, INO_RESTORE_LOG, S_IFREG | 0400, (uint64_t)real.st_size,
            io_ts_ns(&real.st_mtim));
    return 0;
}

static int log_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    (void)r, (void)n, (void)flags;
    *h = calloc(1, sizeof(**h));
    return *h ? 0 : -ENOMEM;
}

static ssize_t log_read(struct request *r, struct handle *h, char **buf, size_t n, uint64_t off)
{
    (void)h;
    if (!r->fs->restore)
        return 0;
    ssize_t got = pread(session_log_fd(r->fs->restore), *buf, n, (off_t)off);
    return got < 0 ? -errno : got;
}

static void log_release(struct handle *h)
{
    free(h);
}

static void log_free(struct node *n)
{
    free(n);
}

static const struct node_ops log_ops = {
    .direct = true,
    .getattr = log_getattr,
    .free = log_free,
    .open = log_open,
    .read = log_read,
    .release = log_release,
};

static int make_restore_status(struct fs *fs, char **text)
{
    if (fs->restore)
        return session_status_json(fs->restore, text);
    *text = strdup("{\"state\":\"read-only\"}\n");
    return *text ? 0 : -ENOMEM;
}

static struct json_object *json_time(int64_t ns)
{
    char text[40];
    time_t sec = (time_t)(ns / 1000000000);
    struct tm tm;
    if (ns == 0)
        return NULL;
    gmtime_r(&sec, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_text(text);
}

static void add_text(struct json_object *o, const char *key, const char *text)
{
    json_object_object_add(o, key, json_text_or_null(text));
}

static struct json_object *json_event(const struct status_event *ev)
{
    if (ev->at_ns == 0)
        return NULL;
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "time", json_time(ev->at_ns));
    add_text(o, "what", ev->what);
    add_text(o, "text", ev->text);
    return o;
}

static struct json_object *json_texts(const struct texts *t)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < t->n; i++)
        json_object_array_add(list, json_text(t->at[i]));
    return list;
}

static struct json_object *json_captured(const struct status_capture *c)
{
    if (c->at_ns == 0)
        return NULL;
    struct json_object *o = json_object_new_object();
    add_text(o, "id", c->record.id);
    json_object_object_add(o, "time", json_time(c->at_ns));
    json_object_object_add(o, "created", json_time(c->record.created_ns));
    json_object_object_add(o, "index", json_object_new_uint64(c->record.index));
    json_object_object_add(o, "skew_ns", json_object_new_int64(c->record.skew_ns));
    json_object_object_add(o, "bytes", json_object_new_uint64(c->bytes));
    json_object_object_add(o, "files", json_object_new_uint64(c->files));
    json_object_object_add(o, "left_out", omissions_summary(&c->left_out, LEFT_OUT_NAMES));
    json_object_object_add(o, "links", json_texts(&c->links));
    json_object_object_add(o, "damaged", json_texts(&c->damaged));
    return o;
}

static struct json_object *json_store(const struct fs *fs)
{
    struct err trouble;
    snapshots_trouble(fs->snapshots, &trouble);
    struct json_object *o = json_object_new_object();
    add_text(o, "meta", fs->paths->meta);
    add_text(o, "data", fs->paths->data);
    add_text(o, "wal", fs->paths->wal);
    add_text(o, "config", fs->paths->config);
    add_text(o, "state", fs->state);
    add_text(o, "lacks", *fs->lacks ? fs->lacks : trouble.text);
    return o;
}

static struct json_object *json_restore(struct fs *fs)
{
    autofree char *text = NULL;
    if (!fs->restore || session_status_json(fs->restore, &text) < 0)
        return NULL;
    return json_tokener_parse(text);
}

static struct json_object *json_cut(const struct cut_head *h)
{
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "number", h->number < 0 ? NULL : json_object_new_int64(h->number));
    add_text(o, "id", h->id);
    json_object_object_add(o, "created", json_time(h->created_ns));
    json_object_object_add(o, "time", json_time(h->wall_ns));
    json_object_object_add(o, "lost", loss_json(h));
    return o;
}

/* Cuts that are not folded because of what they lost: a check looks whether it is empty. */
static struct json_object *json_not_accepted(const struct cut_info *list, size_t n)
{
    struct json_object *o = json_object_new_array();
    for (size_t i = 0; i < n; i++)
        if (list[i].head.guard == CUT_GUARD_TRIPPED)
            json_object_array_add(o, json_cut(&list[i].head));
    return o;
}

static void add_links(struct json_object *o, const struct cut_links *l)
{
    add_text(o, "kept_as", cut_links_word(l->how));
    json_object_object_add(o, "copy_bytes", json_object_new_uint64(l->bytes));
    add_text(o, "why_copied", l->why.text);
}

static void add_chain(struct json_object *o, const struct cut_info *list, size_t n)
{
    struct json_object *numbers = json_object_new_object();
    json_object_object_add(o, "base", n > 0 ? json_cut(&list[0].head) : NULL);
    json_object_object_add(numbers, "count", json_object_new_uint64(n > 0 ? n - 1 : 0));
    json_object_object_add(numbers, "first",
                           n > 1 ? json_object_new_int64(list[1].head.number) : NULL);
    json_object_object_add(numbers, "last",
                           n > 1 ? json_object_new_int64(list[n - 1].head.number) : NULL);
    json_object_object_add(o, "numbers", numbers);
    json_object_object_add(o, "latest", n > 0 ? json_cut(&list[n - 1].head) : NULL);
}

static void add_retained(struct json_object *o, struct fs *fs)
{
    uint64_t files, bytes, only_here;
    bool known = cuts_usage(fs->cuts, &files, &bytes, &only_here, NULL) == 0;
    json_object_object_add(o, "retained_files", known ? json_object_new_uint64(files) : NULL);
    json_object_object_add(o, "retained_bytes", known ? json_object_new_uint64(bytes) : NULL);
    json_object_object_add(o, "retained_bytes_only_here",
                           known ? json_object_new_uint64(only_here) : NULL);
}

static struct json_object *json_last_cut(const struct cutter_report *c)
{
    if (c->cut_ns == 0)
        return NULL;
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "time", json_time(c->cut_ns));
    json_object_object_add(o, "made", json_object_new_boolean(c->cut.made));
    json_object_object_add(o, "number",
                           c->cut.number < 0 ? NULL : json_object_new_int64(c->cut.number));
    json_object_object_add(o, "files", json_object_new_uint64(c->cut.files));
    json_object_object_add(o, "bytes", json_object_new_uint64(c->cut.bytes));
    json_object_object_add(o, "copied_files", json_object_new_uint64(c->cut.copied));
    json_object_object_add(o, "copied_bytes", json_object_new_uint64(c->cut.copied_bytes));
    add_text(o, "why_copied", c->cut.said.text);
    json_object_object_add(o, "lost", loss_json(&c->cut.head));
    return o;
}

static struct json_object *json_last_fold(const struct cutter_report *c)
{
    if (c->fold_ns == 0)
        return NULL;
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "time", json_time(c->fold_ns));
    json_object_object_add(o, "folded", json_object_new_uint64(c->fold.folded));
    json_object_object_add(o, "freed_bytes", json_object_new_uint64(c->fold.freed));
    json_object_object_add(o, "held_back", json_object_new_boolean(c->fold.held_back));
    json_object_object_add(o, "guarded",
                           c->fold.guarded ? json_object_new_int64(c->fold.guarded_number) : NULL);
    return o;
}

static struct json_object *json_cuts(struct fs *fs)
{
    autofree struct cut_info *list = NULL;
    struct cutter_report last = {0};
    struct err broken = {0};
    size_t n = 0;
    if (!fs->cuts)
        return NULL;
    if (cuts_list(fs->cuts, &list, &n, &broken, &broken) < 0)
        n = 0;
    if (fs->cutter)
        cutter_get(fs->cutter, &last);
    struct json_object *o = json_object_new_object();
    add_chain(o, list, n);
    add_text(o, "damaged", broken.text);
    json_object_object_add(o, "not_accepted", json_not_accepted(list, n));
    add_retained(o, fs);
    add_links(o, &fs->links);
    const struct cut_rules *rules = &fs->options->rules;
    json_object_object_add(o, "guard",
                           rules->guard ? json_object_new_double(rules->guard_part) : NULL);
    int64_t every = fs->options->every_ns / 1000000000;
    json_object_object_add(o, "every", every ? json_object_new_int64(every) : NULL);
    json_object_object_add(
        o, "keep",
        fs->options->keep == OPTIONS_KEEP_ALL ? NULL : json_object_new_uint64(fs->options->keep));
    json_object_object_add(o, "last_cut", json_last_cut(&last));
    json_object_object_add(o, "last_fold", json_last_fold(&last));
    json_object_object_add(o, "last_error", json_event(&last.error));
    return o;
}

static int make_status(struct fs *fs, char **text)
{
    struct status_now now;
    struct json_object *o = json_object_new_object();
    if (!o)
        return -ENOMEM;
    size_t held = now_held(fs) + named_held(fs->named);
    if (status_get(fs->status, &now) < 0) {
        json_object_put(o);
        return -ENOMEM;
    }
    json_object_object_add(o, "version", json_text(INFLUXFS_VERSION));
    json_object_object_add(o, "mounted", json_time(fs->started_ns));
    json_object_object_add(o, "store", json_store(fs));
    json_object_object_add(o, "last_capture", json_captured(&now.capture));
    json_object_object_add(o, "last_success", json_event(&now.success));
    json_object_object_add(o, "last_error", json_event(&now.error));
    if (fs->options->skip_damaged)
        json_object_object_add(o, "dumps_lack", dumps_lacks(fs->dumps));
    json_object_object_add(o, "captures_held", json_object_new_uint64(held));
    json_object_object_add(o, "cuts", json_cuts(fs));
    json_object_object_add(o, "restore", json_restore(fs));
    const char *json = json_object_to_json_string_ext(
        o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);
    int r = json && asprintf(text, "%s\n", json) >= 0 ? 0 : -ENOMEM;
    json_object_put(o);
    status_now_clear(&now);
    return r;
}

int report_restore_log(struct fs *fs, struct node **out)
{
    struct node *n = calloc(1, sizeof(*n));
    if (!n)
        return -ENOMEM;
    n->ops = &log_ops;
    node_add(fs->nodes, n, false);
    *out = n;
    return 0;
}

int report_restore_status(struct fs *fs, struct node **out)
{
    return text_node_new(fs, INO_RESTORE_STATUS, 0400, make_restore_status, out);
}

int report_status(struct fs *fs, struct node **out)
{
    return text_node_new(fs, INO_STATUS, 0444, make_status, out);
}
