/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/remote_retry.h"

#include "mount-helper/nightly/remote_internal.h"
#include "store/base/time.h"
#include "store/influxsnap/snap.h"

#include <errno.h>

#define LONGEST_NS (60 * SECOND_NS)
#define SLICE_NS (100 * MILLISECOND_NS)
#define STRAGGLERS 5

void remote_retry_moved(struct remote_retry *t, uint64_t bytes)
{
    if (bytes == 0 || (bytes <= t->best && ++t->stragglers > STRAGGLERS))
        return;
    if (bytes > t->best) {
        t->best = bytes;
        t->stragglers = 0;
    }
    t->since = 0;
    t->tries = 0;
}

/* false: the program is to stop. */
static bool retry_pause(int64_t ns)
{
    const int64_t end = time_mono_ns() + ns;
    for (int64_t left = ns; left > 0 && !snap_stopped(NULL); left = end - time_mono_ns()) {
        const struct timespec t = time_to_spec(left < SLICE_NS ? left : SLICE_NS);
        nanosleep(&t, NULL);
    }
    return !snap_stopped(NULL);
}

static bool retry_give_up(int64_t waited, struct err *e)
{
    const struct err why = e ? *e : (struct err){0};
    err_set(e, 0, "%s; it was tried again for %lld s", why.text, (long long)(waited / SECOND_NS));
    return false;
}

bool remote_retry_again(struct remote_retry *t, int *code, struct err *e)
{
    const int64_t patience = t->remote->patience, now = time_mono_ns();
    if (*code != -EAGAIN) {
        if (*code >= 0 && t->tries)
            snap_note("%s answers again", t->remote->shown);
        return false;
    }
    if (patience <= 0 || t->remote->times.until)
        return false;
    if (!t->since)
        t->since = now;
    const int64_t left = t->since + patience - now;
    if (left <= 0)
        return retry_give_up(now - t->since, e);
    if (t->tries == 0)
        snap_note("%s; it is tried again for %lld s", e ? e->text : t->remote->shown,
                  (long long)(left / SECOND_NS));
    int64_t pause = t->tries < 6 ? SECOND_NS << t->tries : LONGEST_NS;
    t->tries++;
    if (!retry_pause(pause < left ? pause : left)) {
        *code = err_set(e, -EINTR, "%s: this program was asked to stop", t->remote->shown);
        return false;
    }
    return true;
}
