/* SPDX-License-Identifier: MIT */
#include "fs/status.h"

#include "fs/log.h"
#include "store/base/io.h"

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

void status_captured(struct status *s, const struct tarball *t)
{
    const struct capture *c = tarball_capture(t);
    struct status_capture now = {io_now_ns(), *capture_record(c), tarball_size(t), 0,
                                 capture_left_out(c)};
    for (size_t i = 0; i < capture_count(c); i++)
        now.files += !member_is_folder(capture_member(c, i));
    pthread_mutex_lock(&s->lock);
    s->now.capture = now;
    pthread_mutex_unlock(&s->lock);
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
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void status_get(struct status *s, struct status_now *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->now;
    pthread_mutex_unlock(&s->lock);
}
