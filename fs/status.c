/* SPDX-License-Identifier: MIT */
#include "fs/status.h"

#include "fs/log.h"
#include "store/base/io.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct status {
    pthread_mutex_t lock;
    struct status_now now;
};

static void happened(struct status *s, struct status_event *ev, const char *what, const char *text)
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
    happened(s, &s->now.error, what, why);
}

static void clear_lists(struct status_capture *c)
{
    omissions_clear(&c->left_out);
    for (size_t i = 0; i < c->nlinks; i++)
        free(c->links[i]);
    free(c->links);
    c->links = NULL;
    c->nlinks = 0;
}

static int copy_lists(const struct omissions *left_out, const char *const *links, size_t nlinks,
                      struct status_capture *out)
{
    out->left_out = (struct omissions){0};
    out->nlinks = 0;
    out->links = calloc(nlinks + 1, sizeof(*out->links));
    if (!out->links || omissions_copy(left_out, &out->left_out) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < nlinks; i++)
        if (!(out->links[out->nlinks++] = strdup(links[i])))
            return -ENOMEM;
    return 0;
}

void status_captured(struct status *s, const struct tarball *t)
{
    const struct capture *c = tarball_capture(t);
    struct status_capture now = {
        .at_ns = io_now_ns(), .record = *capture_record(c), .bytes = tarball_size(t)};
    size_t nlinks;
    const char *const *links = capture_links(c, &nlinks);
    if (copy_lists(capture_left_out(c), links, nlinks, &now) < 0)
        log_line("out of memory: status.json may lack what was left out");
    for (size_t i = 0; i < capture_count(c); i++)
        now.files += !member_is_folder(capture_member(c, i));
    pthread_mutex_lock(&s->lock);
    struct status_capture before = s->now.capture;
    s->now.capture = now;
    pthread_mutex_unlock(&s->lock);
    clear_lists(&before);
}

void status_read_whole(struct status *s, const char *what, const struct tarball *t)
{
    char text[128];
    snprintf(text, sizeof(text), "%s, %llu bytes", capture_record(tarball_capture(t))->id,
             (unsigned long long)tarball_size(t));
    happened(s, &s->now.success, what, text);
}

struct status *status_new(void)
{
    struct status *s = calloc(1, sizeof(*s));
    if (s)
        pthread_mutex_init(&s->lock, NULL);
    return s;
}

void status_free(struct status *s)
{
    if (!s)
        return;
    clear_lists(&s->now.capture);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

int status_get(struct status *s, struct status_now *out)
{
    pthread_mutex_lock(&s->lock);
    const struct status_capture *c = &s->now.capture;
    *out = s->now;
    int r = copy_lists(&c->left_out, (const char *const *)c->links, c->nlinks, &out->capture);
    pthread_mutex_unlock(&s->lock);
    if (r < 0)
        status_now_clear(out);
    return r;
}

void status_now_clear(struct status_now *now)
{
    clear_lists(&now->capture);
}
