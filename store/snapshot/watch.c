/* SPDX-License-Identifier: MIT */
#include "store/snapshot/watch.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/snapshot/folder_seen.h"

#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#define WATCHED (IN_MODIFY | IN_ATTRIB | IN_ONESHOT | IN_ONLYDIR)

struct watches {
    int fd; /* -1: there is no inotify */
    uint64_t serial;
    struct watch *list; /* by id; serial 0: it has ended */
    size_t n, ended;
};

struct watches *watches_new(void)
{
    struct watches *w = calloc(1, sizeof(*w));
    if (w)
        w->fd = -1;
    return w;
}

void watches_free(struct watches *w)
{
    if (!w)
        return;
    cleanup_close(&w->fd);
    free(w->list);
    free(w);
}

static bool is_before(const void *item, const void *key)
{
    return ((const struct watch *)item)->id < *(const int *)key;
}

/* Where the watch with this id stands, or would. */
static size_t watch_find(const struct watches *w, int id)
{
    return array_bisect(w->list, w->n, sizeof(*w->list), &id, is_before);
}

static void watch_end(struct watches *w, int id)
{
    const size_t i = watch_find(w, id);
    if (i == w->n || w->list[i].id != id || !w->list[i].serial)
        return;
    w->list[i].serial = 0;
    w->ended++;
}

/* Events were lost: all watches count as ended. */
static void end_all(struct watches *w)
{
    for (size_t i = 0; i < w->n; i++)
        w->list[i].serial = 0;
    w->ended = w->n;
}

void watch_look(struct watches *w)
{
    _Alignas(struct inotify_event) char buf[4096];
    ssize_t n;
    while (w->fd >= 0 && (n = read(w->fd, buf, sizeof(buf))) > 0) {
        for (char *p = buf; p < buf + n;) {
            const struct inotify_event *ev = (const struct inotify_event *)p;
            if (ev->mask & IN_Q_OVERFLOW)
                end_all(w);
            else
                watch_end(w, ev->wd);
            p += sizeof(*ev) + ev->len;
        }
    }
}

/* Forgets those that have ended, once they are half of all. */
static void watch_tidy(struct watches *w)
{
    size_t n = 0;
    if (w->ended <= w->n / 2)
        return;
    for (size_t i = 0; i < w->n; i++)
        if (w->list[i].serial)
            w->list[n++] = w->list[i];
    w->n = n;
    w->ended = 0;
}

/* The kernel counts ids upwards, so a new one is the last. */
static bool watch_add(struct watches *w, const struct watch *new)
{
    const size_t i = watch_find(w, new->id);
    if (i < w->n && w->list[i].id == new->id) {
        w->ended -= !w->list[i].serial;
        w->list[i] = *new;
        return true;
    }
    if (!array_grow(&w->list, w->n))
        return false;
    memmove(&w->list[i + 1], &w->list[i], (w->n - i) * sizeof(*w->list));
    w->list[i] = *new;
    w->n++;
    return true;
}

struct watch watch_begin(struct watches *w, int fd)
{
    char path[64];
    if (w->fd < 0)
        w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0 || !folder_is_local(fd))
        return (struct watch){0};
    watch_look(w);
    watch_tidy(w);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    const int id = inotify_add_watch(w->fd, path, WATCHED);
    const struct watch new = {id, ++w->serial};
    return id >= 0 && watch_add(w, &new) ? new : (struct watch){0};
}

bool watch_is_quiet(const struct watches *w, const struct watch *of)
{
    if (!of->serial)
        return false;
    const size_t i = watch_find(w, of->id);
    return i < w->n && w->list[i].id == of->id && w->list[i].serial == of->serial;
}
