/* SPDX-License-Identifier: MIT */
#include "fs/recorder.h"

#include "fs/fs.h"
#include "store/base/cleanup.h"
#include "store/base/log.h"
#include "store/base/time.h"
#include "store/base/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define MOST 64 /* entries that wait for a disk that does not answer */

struct recorded {
    enum history_kind kind;
    struct history_entry entry;
    struct recorded *next;
};

struct recorder {
    const char *state;
    struct worker *worker; /* its lock guards what follows */
    struct recorded *first;
    size_t n;
};

static void recorded_free(struct recorded *e)
{
    free((char *)e->entry.what);
    free((char *)e->entry.id);
    free((char *)e->entry.text);
    free(e);
}

static void recorder_write(const struct recorder *r, struct recorded *e)
{
    struct err why = {0};
    if (history_add(r->state, e->kind, &e->entry, &why) < 0)
        log_warning("%s; %s will not be remembered", why.text, e->entry.what);
    recorded_free(e);
}

/* With the lock. */
static struct recorded *take(struct recorder *r)
{
    struct recorded *e = r->first;
    if (e) {
        LL_DELETE(r->first, e);
        r->n--;
    }
    return e;
}

static int64_t recorder_step(struct worker *w, void *arg)
{
    struct recorder *r = arg;
    struct recorded *e = take(r);
    if (!e)
        return WORKER_SLEEP;
    worker_unlock(w);
    recorder_write(r, e);
    worker_lock(w);
    return WORKER_GO_ON;
}

int recorder_new(const char *state, struct recorder **out)
{
    struct recorder *r = calloc(1, sizeof(*r));
    if (!r)
        return -ENOMEM;
    r->state = state;
    int ret = worker_start(recorder_step, r, &r->worker);
    if (ret < 0)
        free(r);
    else
        *out = r;
    return ret;
}

void recorder_free(struct recorder *r)
{
    if (!r)
        return;
    worker_stop(r->worker);
    for (struct recorded *e; (e = take(r));)
        recorder_write(r, e);
    free(r);
}

/* NULL: out of memory. */
static struct recorded *recorded_new(enum history_kind kind, const struct history_entry *entry)
{
    struct recorded *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->kind = kind;
    e->entry = *entry;
    e->entry.ended_ns = time_wall_ns();
    e->entry.what = strdup(entry->what);
    e->entry.id = entry->id ? strdup(entry->id) : NULL;
    e->entry.text = entry->text ? strdup(entry->text) : NULL;
    if (e->entry.what && !e->entry.id == !entry->id && !e->entry.text == !entry->text)
        return e;
    recorded_free(e);
    return NULL;
}

void recorder_add(struct recorder *r, enum history_kind kind, const struct history_entry *entry)
{
    if (!r)
        return;
    struct recorded *e = recorded_new(kind, entry);
    worker_lock(r->worker);
    bool taken = e && r->n < MOST;
    if (taken) {
        LL_APPEND(r->first, e);
        r->n++;
        worker_wake(r->worker);
    }
    worker_unlock(r->worker);
    if (taken)
        return;
    log_warning("%s will not be remembered: %s", entry->what, e ? "too much waits" : "no memory");
    if (e)
        recorded_free(e);
}

void recorder_restore_ended(void *arg, const struct account_end *end)
{
    struct fs *fs = arg;
    const struct history_entry entry = {
        .result = end->restored ? HISTORY_DONE : HISTORY_FAILED,
        .took_ns = end->took_ns,
        .bytes = end->bytes,
        .what = end->name,
        .id = end->id,
        .text = end->why,
    };
    if (!end->restored)
        counters_error(&fs->counters, REPORT_ERROR_REFUSED);
    recorder_add(fs->recorder, HISTORY_RESTORE, &entry);
}
