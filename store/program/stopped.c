/* SPDX-License-Identifier: MIT */
#include "store/program/stopped.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/time.h"
#include "store/program/statefile.h"

#include <errno.h>
#include <string.h>

#define STOPPED_FILE "stopped.json"

void stopped_clear(struct stopped *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->units[i]);
    free((void *)s->units);
    *s = (struct stopped){0};
}

int stopped_add(struct stopped *s, const char *unit)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->units[i], unit) == 0)
            return 0;
    if (!array_grow(&s->units, s->n) || !(s->units[s->n] = strdup(unit)))
        return -ENOMEM;
    s->n++;
    return 0;
}

static bool stopped_read(struct json_object *o, struct stopped *out)
{
    struct json_object *units, *since;
    if (!json_get(o, "units", json_type_array, &units) ||
        !json_get(o, "since_ns", json_type_int, &since))
        return false;
    out->since_ns = json_object_get_int64(since);
    for (size_t i = 0; i < json_object_array_length(units); i++) {
        struct json_object *unit = json_object_array_get_idx(units, i);
        if (!json_object_is_type(unit, json_type_string) ||
            stopped_add(out, json_object_get_string(unit)) < 0)
            return false;
    }
    return true;
}

int stopped_look(const char *state, struct stopped *out, struct err *e)
{
    struct json_object *o = NULL;
    *out = (struct stopped){0};
    int r = statefile_read(state, STOPPED_FILE, &o, e);
    const bool good = r == 0 && (!o || stopped_read(o, out));
    json_object_put(o);
    if (good || (r < 0 && r != -EBADMSG))
        return r;
    stopped_clear(out);
    return err_set(e, -EBADMSG,
                   "%s/" STOPPED_FILE
                   " is damaged: which units a fetch has stopped is not known; see whether influxd "
                   "runs, and remove the file",
                   state);
}

int stopped_note(const char *state, const struct stopped *s, struct err *e)
{
    char since[TIME_TEXT];
    autoclose int lock = statefile_lock(state, e);
    if (lock < 0)
        return lock;
    if (!s->n)
        return statefile_remove(lock, state, STOPPED_FILE, e);
    struct json_object *o = json_object_new_object();
    time_text(s->since_ns, since);
    json_add(o, "units", json_texts((const char *const *)s->units, s->n));
    json_add_text(o, "since", since);
    json_add(o, "since_ns", json_object_new_int64(s->since_ns));
    return statefile_write(lock, state, STOPPED_FILE, o, e);
}
