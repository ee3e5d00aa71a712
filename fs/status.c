/* SPDX-License-Identifier: MIT */
#include "fs/status.h"

#include "fs/log.h"
#include "fs/now.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <errno.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct event {
    int64_t at_ns; /* 0: it has not happened */
    char what[64];
    char text[800];
};

struct captured {
    int64_t at_ns;
    struct catalog_record record;
    uint64_t bytes;
    size_t files, left_out;
};

struct status {
    pthread_mutex_t lock;
    struct event error, success;
    struct captured last;
};

struct text_node {
    struct node node;
    ino_t ino;
    mode_t mode;
    int (*make)(struct fs *fs, char **text);
};

struct text_handle {
    struct handle h;
    char *text;
    size_t len;
};

static void happened(struct status *s, struct event *ev, const char *what, const char *text)
{
    pthread_mutex_lock(&s->lock);
    ev->at_ns = io_now_ns();
    snprintf(ev->what, sizeof(ev->what), "%s", what);
    snprintf(ev->text, sizeof(ev->text), "%s", text);
    pthread_mutex_unlock(&s->lock);
}

void status_failed(struct status *s, const char *what, const char *why)
{
    log_line("%s: %s", what, why);
    happened(s, &s->error, what, why);
}

void status_captured(struct status *s, const struct tarball *t)
{
    const struct capture *c = tarball_capture(t);
    struct captured now = {io_now_ns(), *capture_record(c), tarball_size(t), 0,
                           capture_left_out(c)};
    for (size_t i = 0; i < capture_count(c); i++)
        now.files += !member_is_folder(capture_member(c, i));
    pthread_mutex_lock(&s->lock);
    s->last = now;
    pthread_mutex_unlock(&s->lock);
}

void status_read_whole(struct status *s, const struct tarball *t)
{
    char text[128];
    snprintf(text, sizeof(text), "%s, %llu bytes", capture_record(tarball_capture(t))->id,
             (unsigned long long)tarball_size(t));
    happened(s, &s->success, "snapshots/now.tar", text);
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
    return json_object_new_string(text);
}

static void add_text(struct json_object *o, const char *key, const char *text)
{
    json_object_object_add(o, key, text && *text ? json_object_new_string(text) : NULL);
}

static struct json_object *json_event(const struct event *ev)
{
    if (ev->at_ns == 0)
        return NULL;
    struct json_object *o = json_object_new_object();
    json_object_object_add(o, "time", json_time(ev->at_ns));
    add_text(o, "what", ev->what);
    add_text(o, "text", ev->text);
    return o;
}

static struct json_object *json_captured(const struct captured *c)
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
    json_object_object_add(o, "left_out", json_object_new_uint64(c->left_out));
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
    if (!fs->restore || restore_status_json(fs->restore, &text) < 0)
        return NULL;
    return json_tokener_parse(text);
}

static int make_status(struct fs *fs, char **text)
{
    struct status *s = fs->status;
    struct json_object *o = json_object_new_object();
    if (!o)
        return -ENOMEM;
    size_t held = now_held(fs);
    json_object_object_add(o, "version", json_object_new_string(INFLUXFS_VERSION));
    json_object_object_add(o, "mounted", json_time(fs->started_ns));
    json_object_object_add(o, "store", json_store(fs));
    pthread_mutex_lock(&s->lock);
    json_object_object_add(o, "last_capture", json_captured(&s->last));
    json_object_object_add(o, "last_success", json_event(&s->success));
    json_object_object_add(o, "last_error", json_event(&s->error));
    pthread_mutex_unlock(&s->lock);
    json_object_object_add(o, "captures_held", json_object_new_uint64(held));
    json_object_object_add(o, "restore", json_restore(fs));
    const char *json = json_object_to_json_string_ext(
        o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);
    int r = json && asprintf(text, "%s\n", json) >= 0 ? 0 : -ENOMEM;
    json_object_put(o);
    return r;
}

static int text_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    const struct text_node *t = (const struct text_node *)n;
    autofree char *text = NULL;
    size_t len = 0;
    if (h) {
        len = ((const struct text_handle *)h)->len;
    } else {
        int rc = t->make(r->fs, &text);
        if (rc < 0)
            return rc;
        len = strlen(text);
    }
    fs_attr(r->fs, st, t->ino, S_IFREG | t->mode, len, io_now_ns());
    return 0;
}

static int text_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    const struct text_node *t = (const struct text_node *)n;
    (void)flags;
    struct text_handle *th = calloc(1, sizeof(*th));
    int rc = th ? t->make(r->fs, &th->text) : -ENOMEM;
    if (rc < 0) {
        free(th);
        return rc;
    }
    th->len = strlen(th->text);
    *h = &th->h;
    return 0;
}

static ssize_t text_read(struct request *r, struct handle *h, void *buf, size_t n, uint64_t off)
{
    const struct text_handle *th = (const struct text_handle *)h;
    (void)r;
    if (off >= th->len)
        return 0;
    if (n > th->len - off)
        n = (size_t)(th->len - off);
    memcpy(buf, th->text + off, n);
    return (ssize_t)n;
}

static void text_release(struct handle *h)
{
    struct text_handle *th = (struct text_handle *)h;
    free(th->text);
    free(th);
}

static void text_free(struct node *n)
{
    free(n);
}

static const struct node_ops text_ops = {
    .direct = true,
    .getattr = text_getattr,
    .free = text_free,
    .open = text_open,
    .read = text_read,
    .release = text_release,
};

int status_text_node(struct fs *fs, ino_t ino, mode_t mode, int (*make)(struct fs *fs, char **text),
                     struct node **out)
{
    struct text_node *t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    t->node.ops = &text_ops;
    t->ino = ino;
    t->mode = mode;
    t->make = make;
    node_add(fs->nodes, &t->node, false);
    *out = &t->node;
    return 0;
}

int status_new(struct fs *fs, struct node **out)
{
    struct status *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    pthread_mutex_init(&s->lock, NULL);
    fs->status = s;
    return status_text_node(fs, INO_STATUS, 0444, make_status, out);
}

void status_free(struct status *s)
{
    if (!s)
        return;
    pthread_mutex_destroy(&s->lock);
    free(s);
}
