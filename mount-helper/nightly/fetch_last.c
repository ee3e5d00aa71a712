/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/fetch_last.h"

#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/program/statefile.h"

#include <errno.h>
#include <string.h>

#define FETCHED_FILE "fetched.json"

static bool fetch_last_read(struct json_object *o, char **into, char **store)
{
    return json_get_text(o, "into", into) && json_get_text(o, "store", store) && *into && *store &&
           strlen(*store) == STORE_ID && strspn(*store, "0123456789abcdef") == STORE_ID;
}

int fetch_last_look(const char *state, char store[STORE_ID + 1], struct err *e)
{
    struct store_id own;
    struct json_object *o = NULL;
    autofree char *into = NULL, *of = NULL;
    int r = statefile_read(state, FETCHED_FILE, &o, e);
    if (r == 0 && !o)
        return -ENOENT;
    if (r < 0 && r != -EBADMSG)
        return r;
    const bool good = r == 0 && fetch_last_read(o, &into, &of);
    json_object_put(o);
    if (!good)
        return err_set(e, -EINVAL,
                       "%s/" FETCHED_FILE
                       " is damaged: whose archive was fetched last is not known; "
                       "say whose it is by --store",
                       state);
    if (store_id_look(state, &own, NULL) < 0 || strcmp(into, own.text) != 0)
        return -ENOENT;
    memcpy(store, of, STORE_ID + 1);
    return 0;
}

int fetch_last_note(const char *state, const char *store, struct err *e)
{
    struct store_id own;
    int r = store_id_get(state, &own, e);
    if (r < 0)
        return r;
    autoclose int lock = statefile_lock(state, e);
    if (lock < 0)
        return lock;
    struct json_object *o = json_object_new_object();
    json_add_text(o, "into", own.text);
    json_add_text(o, "store", store);
    return statefile_write(lock, state, FETCHED_FILE, o, e);
}
