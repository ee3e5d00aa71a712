/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/fetch_stopped.h"

#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/program/statefile.h"

#include <string.h>

#define STOPPED_FILE "stopped.json"

bool fetch_stopped_is(const char *state, const char *unit)
{
    struct json_object *o = NULL;
    autofree char *noted = NULL;
    const int r = statefile_read(state, STOPPED_FILE, &o, NULL);
    const bool is =
        r == 0 && o && json_get_text(o, "unit", &noted) && noted && strcmp(noted, unit) == 0;
    json_object_put(o);
    return is;
}

int fetch_stopped_note(const char *state, const char *unit, struct err *e)
{
    autoclose int lock = statefile_lock(state, e);
    if (lock < 0)
        return lock;
    struct json_object *o = json_object_new_object();
    json_add_text(o, "unit", unit);
    return statefile_write(lock, state, STOPPED_FILE, o, e);
}
