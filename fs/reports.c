/* SPDX-License-Identifier: MIT */
#include "fs/reports.h"

#include "fs/reporter.h"
#include "fs/request.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/restore/account.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file whose text is made at each open, and kept while that open lasts. Its size and time are those
 * of the text that was made last while that is open, as whoever has it open asks for them, and the
 * kernel does not tell who asks; else of a text at the time of the question. */
struct text_node {
    struct node node;
    mode_t mode;
    int64_t mtime_ns; /* 0: the time of the question */
    atomic_size_t opens, last_len;
    _Atomic int64_t last_ns;
    int (*make)(struct request *r, char **text); /* memory that is freed here */
};

struct text_handle {
    struct handle h;
    char *text;
    size_t len;
};

static int report_text_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    struct text_node *t = (struct text_node *)n;
    const struct text_handle *th = (const struct text_handle *)h;
    autofree char *text = NULL;
    bool open = th || atomic_load(&t->opens);
    int rc = open ? 0 : t->make(r, &text);
    if (rc < 0)
        return rc;
    int64_t now = open ? atomic_load(&t->last_ns) : time_wall_ns();
    fs_attr(r->fs, st, n, S_IFREG | t->mode,
            th     ? th->len
            : open ? atomic_load(&t->last_len)
                   : strlen(text),
            t->mtime_ns ? t->mtime_ns : now);
    return 0;
}

static int report_text_open(struct request *r, struct node *n, int flags, struct handle **h)
{
    struct text_node *t = (struct text_node *)n;
    (void)flags;
    autofree struct text_handle *th = calloc(1, sizeof(*th));
    int rc = th ? t->make(r, &th->text) : -ENOMEM;
    if (rc < 0)
        return rc;
    th->len = strlen(th->text);
    atomic_store(&t->last_len, th->len);
    atomic_store(&t->last_ns, time_wall_ns());
    atomic_fetch_add(&t->opens, 1);
    *h = &steal_ptr(&th)->h;
    return 0;
}

static ssize_t report_text_read(struct request *r, struct handle *h, char **buf, size_t n,
                                uint64_t off)
{
    const struct text_handle *th = (const struct text_handle *)h;
    (void)r;
    if (off >= th->len)
        return 0;
    if (n > th->len - off)
        n = (size_t)(th->len - off);
    memcpy(*buf, th->text + off, n);
    return (ssize_t)n;
}

static void report_text_release(struct handle *h)
{
    struct text_handle *th = (struct text_handle *)h;
    atomic_fetch_sub(&((struct text_node *)h->node)->opens, 1);
    free(th->text);
    free(th);
}

static const struct node_ops text_ops = {
    .getattr = report_text_getattr,
    .free = node_free,
    .open = report_text_open,
    .read = report_text_read,
    .release = report_text_release,
};

static int report_text_new(struct fs *fs, ino_t ino, mode_t mode, int64_t mtime_ns,
                           int (*make)(struct request *r, char **text), struct node **out)
{
    autofree struct text_node *t = calloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    node_init(&t->node, &text_ops, NODE_TEXT, ino, NULL);
    t->mode = mode;
    t->mtime_ns = mtime_ns;
    t->make = make;
    int r = node_add(fs->nodes, &t->node, false);
    if (r == 0)
        *out = &steal_ptr(&t)->node;
    return r;
}

static int log_getattr(struct request *r, struct node *n, struct handle *h, struct stat *st)
{
    struct stat real = {0};
    (void)h;
    if (r->fs->restore && fstat(account_log_fd(session_account(r->fs->restore)), &real) < 0)
        return -errno;
    fs_attr(r->fs, st, n, S_IFREG | 0400, (uint64_t)real.st_size, time_from_spec(&real.st_mtim));
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
    ssize_t got = pread(account_log_fd(session_account(r->fs->restore)), *buf, n, (off_t)off);
    return got < 0 ? -errno : got;
}

static void log_release(struct handle *h)
{
    free(h);
}

static const struct node_ops log_ops = {
    .getattr = log_getattr,
    .free = node_free,
    .open = log_open,
    .read = log_read,
    .release = log_release,
};

static int make_restore_status(struct request *r, char **text)
{
    const struct fs *fs = r->fs;
    if (fs->restore)
        return account_json(session_account(fs->restore), text);
    *text = strdup("{\"state\":\"read-only\"}\n");
    return *text ? 0 : -ENOMEM;
}

/* Memory for the caller, by one of the printers of store/program. */
static int report_json_text(const struct report *r, char **text)
{
    struct json_object *o = report_json(r);
    const char *json =
        o ? json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                  JSON_C_TO_STRING_NOSLASHESCAPE)
          : NULL;
    int ret = json && asprintf(text, "%s\n", json) >= 0 ? 0 : -ENOMEM;
    json_object_put(o);
    return ret;
}

static int report_print(struct request *q, int (*print)(const struct report *r, char **text),
                        char **text)
{
    return reporter_ask(q->fs->reporter, print, request_interrupted, q, text);
}

static int report_make_status(struct request *q, char **text)
{
    return report_print(q, report_json_text, text);
}

static int report_make_metrics(struct request *q, char **text)
{
    return report_print(q, report_prom, text);
}

static int report_make_page(struct request *q, char **text)
{
    return report_print(q, report_html, text);
}

int report_restore_log(struct fs *fs, struct node **out)
{
    return node_new(fs->nodes, &log_ops, NODE_TEXT, INO_RESTORE_LOG, out);
}

int report_restore_status(struct fs *fs, struct node **out)
{
    return report_text_new(fs, INO_RESTORE_STATUS, 0400, 0, make_restore_status, out);
}

int report_metrics(struct fs *fs, struct node **out)
{
    return report_text_new(fs, INO_METRICS, 0444, 0, report_make_metrics, out);
}

int report_status(struct fs *fs, struct node **out)
{
    return report_text_new(fs, INO_STATUS, 0444, 0, report_make_status, out);
}

static int make_marker(struct request *r, char **text)
{
    const struct fs *fs = r->fs;
    const char *quote = *fs->id.text ? "\"" : "";
    const char *id = *fs->id.text ? fs->id.text : "null";
    return asprintf(text, "{\"version\":1,\"store\":%s%s%s}\n", quote, id, quote) < 0 ? -ENOMEM : 0;
}

int report_marker(struct fs *fs, struct node **out)
{
    int64_t made = *fs->id.text ? fs->id.made_ns : fs->started_ns;
    return report_text_new(fs, INO_MARKER, 0444, made, make_marker, out);
}

int report_page(struct fs *fs, struct node **out)
{
    return report_text_new(fs, INO_PAGE, 0444, 0, report_make_page, out);
}
