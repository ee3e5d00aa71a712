/* SPDX-License-Identifier: MIT */
#include "fs/status.h"

#include "fs/log.h"
#include "store/base/array.h"
#include "store/base/io.h"
#include "store/snapshot/damage.h"

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

static void texts_clear(struct texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->at[i]);
    free(t->at);
    *t = (struct texts){0};
}

static int texts_add(struct texts *t, const char *text)
{
    char *own = array_room(&t->at, &t->cap, t->n, sizeof(*t->at)) ? strdup(text) : NULL;
    if (!own)
        return -ENOMEM;
    t->at[t->n++] = own;
    return 0;
}

static int texts_copy(const struct texts *from, struct texts *to)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < from->n; i++)
        r = texts_add(to, from->at[i]);
    return r;
}

static void clear_lists(struct status_capture *c)
{
    omissions_clear(&c->left_out);
    texts_clear(&c->links);
    texts_clear(&c->damaged);
}

static int copy_lists(const struct status_capture *from, struct status_capture *to)
{
    to->left_out = (struct omissions){0};
    to->links = to->damaged = (struct texts){0};
    int r = omissions_copy(&from->left_out, &to->left_out);
    if (r == 0)
        r = texts_copy(&from->links, &to->links);
    return r < 0 ? r : texts_copy(&from->damaged, &to->damaged);
}

static void add_damaged(void *arg, const char *words, bool whole)
{
    (void)whole;
    if (texts_add(arg, words) < 0)
        log_line("%s", words);
}

static int take_lists(const struct capture *c, struct status_capture *out)
{
    size_t n;
    const char *const *links = capture_links(c, &n);
    int r = omissions_copy(capture_left_out(c), &out->left_out);
    for (size_t i = 0; r == 0 && i < n; i++)
        r = texts_add(&out->links, links[i]);
    return r < 0 ? r : damage_tell((struct capture *)c, add_damaged, &out->damaged, NULL);
}

/* Once its bytes have been read, more is known of them. */
static void learn_damage(struct status *s, const struct capture *c)
{
    struct texts found = {0};
    if (damage_tell((struct capture *)c, add_damaged, &found, NULL) < 0)
        log_line("what is damaged cannot be told");
    pthread_mutex_lock(&s->lock);
    if (found.n && strcmp(s->now.capture.record.id, capture_record(c)->id) == 0) {
        struct texts before = s->now.capture.damaged;
        s->now.capture.damaged = found;
        found = before;
    }
    pthread_mutex_unlock(&s->lock);
    texts_clear(&found);
}

void status_captured(struct status *s, const struct tarball *t)
{
    const struct capture *c = tarball_capture(t);
    struct status_capture now = {
        .at_ns = io_now_ns(), .record = *capture_record(c), .bytes = tarball_size(t)};
    if (take_lists(c, &now) < 0)
        log_line("status.json may lack what was left out, or is damaged");
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
    learn_damage(s, tarball_capture(t));
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
    int r = copy_lists(c, &out->capture);
    pthread_mutex_unlock(&s->lock);
    if (r < 0)
        status_now_clear(out);
    return r;
}

void status_now_clear(struct status_now *now)
{
    clear_lists(&now->capture);
}
