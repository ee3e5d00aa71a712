/* SPDX-License-Identifier: MIT */
#include "fs/status.h"

#include "store/base/lock.h"
#include "store/base/log.h"
#include "store/base/time.h"
#include "store/snapshot/damage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct status {
    pthread_mutex_t lock;
    struct report_last last;
};

static void happened(struct status *s, struct report_event *ev, const char *what, const char *text)
{
    lock_scope(&s->lock);
    ev->at_ns = time_wall_ns();
    snprintf(ev->what, sizeof(ev->what), "%s", what);
    snprintf(ev->text, sizeof(ev->text), "%s", text);
}

void status_failed(struct status *s, const char *what, const char *why)
{
    log_error("%s: %s", what, why);
    happened(s, &s->last.error, what, why);
}

static void add_damaged(void *arg, const char *words, bool whole)
{
    (void)whole;
    if (report_texts_add(arg, words) < 0)
        log_warning("%s", words);
}

static int take_lists(const struct capture *c, struct report_capture *out)
{
    size_t n;
    const char *const *links = capture_links(c, &n);
    int r = omissions_copy(capture_left_out(c), &out->left_out);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = report_texts_add(&out->links, links[i]);
    return r < 0 ? r : damage_tell((struct capture *)c, add_damaged, &out->damaged, NULL);
}

/* More is known of the files once their bytes were read. */
static void status_learn_damage(struct status *s, const struct capture *c)
{
    struct report_texts found = {0};
    if (damage_tell((struct capture *)c, add_damaged, &found, NULL) < 0)
        log_warning("status.json: cannot list which files are damaged");
    pthread_mutex_lock(&s->lock);
    if (found.n && strcmp(s->last.capture.record.id, capture_record(c)->id) == 0) {
        struct report_texts before = s->last.capture.damaged;
        s->last.capture.damaged = found;
        found = before;
    }
    pthread_mutex_unlock(&s->lock);
    report_texts_clear(&found);
}

void status_captured(struct status *s, const struct tarball *t)
{
    const struct capture *c = tarball_capture(t);
    struct report_capture now = {
        .at_ns = time_wall_ns(), .record = *capture_record(c), .bytes = tarball_size(t)};
    if (take_lists(c, &now) < 0)
        log_warning("status.json: cannot list all files that are left out or damaged");
    now.files = capture_files(c);
    pthread_mutex_lock(&s->lock);
    struct report_capture before = s->last.capture;
    s->last.capture = now;
    pthread_mutex_unlock(&s->lock);
    report_capture_clear(&before);
}

void status_read_whole(struct status *s, const char *what, const struct tarball *t)
{
    char text[128];
    snprintf(text, sizeof(text), "%s, %llu bytes", capture_record(tarball_capture(t))->id,
             (unsigned long long)tarball_size(t));
    happened(s, &s->last.success, what, text);
    status_learn_damage(s, tarball_capture(t));
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
    report_capture_clear(&s->last.capture);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void status_last(struct status *s, struct report_event *error, struct report_event *success)
{
    lock_scope(&s->lock);
    *error = s->last.error;
    *success = s->last.success;
}

int status_get(struct status *s, struct report_last *out)
{
    lock_scope(&s->lock);
    return report_last_copy(&s->last, out);
}
