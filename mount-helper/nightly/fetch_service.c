/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/fetch_service.h"

#include "mount-helper/nightly/fetch_systemctl.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/influx/running.h"
#include "store/influxsnap/snap.h"
#include "store/program/joblock.h"

#include <errno.h>
#include <string.h>

#define GONE_NS (60 * SECOND_NS) /* for an influxd that its unit has let go of */
#define LOOK_US 50000
#define STAYS_NS (3 * SECOND_NS) /* for one that was started and dies of what it finds */
#define STAYS_US 250000
#define NAMES_MAX 16384 /* bytes of units' names */

struct unit_state {
    char word[32]; /* active, activating, inactive, failed … */
    bool up;       /* or on its way: it would come up on half a restore */
};

static int service_ask(const char *unit, struct unit_state *out, struct err *e)
{
    int r = systemctl_ask("is-active", NULL, unit, out->word, sizeof(out->word), e);
    if (r < 0)
        return r;
    out->word[strcspn(out->word, "\n")] = '\0';
    out->up = *out->word && strcmp(out->word, "inactive") != 0 &&
              strcmp(out->word, "failed") != 0 && strcmp(out->word, "unknown") != 0;
    return 0;
}

/* Stopping */

/* Adds the active units that systemd stops with this one. */
static int service_add_dependents(struct stopped *down, const char *unit, struct err *e)
{
    char names[NAMES_MAX], *rest = NULL;
    struct unit_state state;
    int r = systemctl_ask("show", "-PRequiredBy,BoundBy,ConsistsOf,PropagatesStopTo", unit, names,
                          sizeof(names), e);
    if (r < 0)
        return r;
    for (char *name = strtok_r(names, " \n", &rest); name; name = strtok_r(NULL, " \n", &rest)) {
        if (!systemctl_is_unit(name))
            continue;
        if ((r = service_ask(name, &state, e)) < 0)
            return r;
        if (state.up && stopped_add(down, name) < 0)
            return err_sys(e, -ENOMEM, "%s", name);
    }
    return 0;
}

/* The unit is at work: whatever was stopped before does not count. */
static int service_learn_active(struct fetch_service *s, struct err *e)
{
    stopped_clear(&s->down);
    int r = stopped_add(&s->down, s->unit) < 0 ? err_sys(e, -ENOMEM, "%s", s->unit) : 0;
    for (size_t i = 0; r == 0 && systemctl_here() && i < s->down.n; i++)
        r = service_add_dependents(&s->down, s->down.units[i], e);
    return r;
}

/* It does not run: what a fetch before this one has stopped is started after this one. */
static void service_learn_down(const struct fetch_service *s, const struct unit_state *state)
{
    if (s->down.n)
        snap_warn("%s was left stopped by a fetch that was killed, or could not start it again; it "
                  "is started after this one",
                  s->down.units[0]);
    else if (strcmp(state->word, "failed") == 0)
        snap_warn("%s had failed before this fetch, and is not started after it", s->unit);
    else
        snap_note("%s was not active, and is not started afterwards", s->unit);
}

static int service_learn(struct fetch_service *s, const char *state_folder, struct err *e)
{
    struct unit_state state;
    struct err why = {0};
    int r = state_folder ? stopped_look(state_folder, &s->down, &why) : 0;
    if (r < 0)
        snap_warn("%s", why.text);
    r = service_ask(s->unit, &state, e);
    if (r < 0)
        return r;
    s->was_active = state.up;
    if (state.up)
        return service_learn_active(s, e);
    service_learn_down(s, &state);
    return 0;
}

static int service_wait_until_gone(const struct fetch_service *s, const struct store_paths *p,
                                   struct err *e)
{
    const int64_t deadline = time_mono_ns() + GONE_NS;
    struct err why = {0};
    for (;;) {
        if (snap_stopped(NULL))
            return err_set(e, -EINTR, "interrupted; the store is as it was");
        int r = running_forbids(p, &why);
        if (r != -EBUSY)
            return 0; /* the restore looks again */
        if (!s->was_active || time_mono_ns() > deadline)
            return err_set(e, r, "%s is stopped, but %s", s->unit, why.text);
        usleep(LOOK_US);
    }
}

int fetch_service_stop(struct fetch_service *s, const char *state, const struct store_paths *p,
                       struct err *e)
{
    struct err why = {0};
    int r = service_learn(s, state, e);
    if (r == 0 && state && s->down.n) {
        s->down.since_ns = time_wall_ns();
        r = stopped_note(state, &s->down, &why);
        if (r < 0)
            err_set(e, r, "%s is not stopped, since that could not be remembered: %s", s->unit,
                    why.text);
    }
    if (r < 0) {
        stopped_clear(&s->down);
        return r;
    }
    if (s->was_active)
        snap_note("stopping %s", s->unit);
    r = systemctl_tell("stop", NULL, s->unit,
                       e); /* also one that does not run: the name may be wrong */
    return r < 0 ? r : service_wait_until_gone(s, p, e);
}

/* Starting */

/* systemctl's answer is that the process was started, and no more, where the unit is Type=simple. */
static int service_check_stays(const char *unit, struct err *e)
{
    const int64_t deadline = time_mono_ns() + STAYS_NS;
    struct unit_state state;
    while (time_mono_ns() < deadline && !snap_stopped(NULL)) {
        int r = service_ask(unit, &state, e);
        if (r < 0)
            return r;
        if (!state.up || strcmp(state.word, "activating") == 0)
            return err_set(e, -EIO, "%s was started, and did not stay so (%s): journalctl -u %s",
                           unit, state.word, unit);
        usleep(STAYS_US);
    }
    return 0;
}

/* Tells systemd to start all. Returns what became of the first. */
static int service_start_all(const struct stopped *down, const char *option, struct err *e)
{
    int first = 0;
    for (size_t i = 0; i < down->n; i++) {
        struct err why = {0};
        snap_note("starting %s", down->units[i]);
        int r = systemctl_tell("start", option, down->units[i], &why);
        if (i == 0 && r < 0)
            first = err_set(e, r, "%s", why.text);
        else if (r < 0)
            snap_warn("%s, which went down with %s, is not started again: %s", down->units[i],
                      down->units[0], why.text);
    }
    return first;
}

static void service_forget(const char *state)
{
    struct err why = {0};
    if (state && stopped_note(state, &(struct stopped){0}, &why) < 0)
        snap_warn("%s; status will say that a unit is still stopped", why.text);
}

/* A start is put behind the stop of the unit that this program runs in, if that was told to stop and is
 * ordered after influxd: nobody may wait for it in there. */
int fetch_service_start(struct fetch_service *s, const char *state, struct err *e)
{
    if (!s->down.n)
        return 0;
    const bool hurries = snap_stopped(NULL) && getenv("INVOCATION_ID");
    int r = service_start_all(&s->down, hurries ? "--no-block" : NULL, e);
    if (r == 0 && !hurries && systemctl_here())
        r = service_check_stays(s->down.units[0], e);
    if (r == 0)
        service_forget(state);
    stopped_clear(&s->down);
    s->was_active = false;
    return r;
}

int fetch_service_heal(const char *state, struct err *e)
{
    cleanup(stopped_clear) struct stopped down = {0};
    struct job_now now;
    int r = stopped_look(state, &down, e);
    if (r < 0 || !down.n)
        return r;
    if (joblock_look(state, &now, NULL) == 0 && now.working && now.known && now.kind == JOB_FETCH)
        return 0;
    snap_warn(
        "%s was stopped by a fetch that was killed, or could not start it again: it is started now",
        down.units[0]);
    r = service_start_all(&down, "--no-block", e);
    if (r == 0)
        service_forget(state);
    return r;
}
