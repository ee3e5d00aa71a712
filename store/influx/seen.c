/* SPDX-License-Identifier: MIT */
#include "store/influx/seen.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/time.h"
#include "store/influx/running.h"
#include "store/influx/server.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <string.h>

#define RECORD "influxd.json"
#define RECORD_MAX (64 << 10)
#define AGAIN_S (DAY_NS / SECOND_NS) /* the date is no more precise than that */

static char *text_of(struct json_object *o, const char *key)
{
    struct json_object *v;
    const char *text =
        json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_string)
            ? json_object_get_string(v)
            : "";
    return *text == '/' ? strdup(text) : NULL;
}

/* Whether there is a record; a damaged one counts as none. *when: seconds since 1970. */
static bool seen_load(int state_fd, struct store_paths *out, int64_t *when)
{
    autofree char *text = NULL;
    size_t len;
    struct json_object *seconds;
    if (state_fd < 0 || io_read_file(state_fd, RECORD, RECORD_MAX, &text, &len) < 0)
        return false;
    struct json_object *o = json_tokener_parse(text);
    if (!json_object_is_type(o, json_type_object)) {
        json_object_put(o);
        return false;
    }
    *out = (struct store_paths){text_of(o, "meta"), text_of(o, "data"), text_of(o, "wal"),
                                text_of(o, "config")};
    *when = json_object_object_get_ex(o, "seconds", &seconds) ? json_object_get_int64(seconds) : 0;
    json_object_put(o);
    return out->meta && out->data && out->wal && out->config;
}

static int seen_store(int state_fd, const struct store_paths *seen, const char *config,
                      int64_t seconds)
{
    struct json_object *o = json_object_new_object();
    if (!o)
        return -ENOMEM;
    json_object_object_add(o, "config", json_object_new_string(config));
    for (size_t i = 0; i < STORE_FOLDERS; i++)
        json_object_object_add(o, store_folder_names[i],
                               json_object_new_string(store_folder(seen, i)));
    json_object_object_add(o, "seconds", json_object_new_int64(seconds));
    const char *text =
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
    int r = text ? io_replace_file(state_fd, RECORD, text, strlen(text), 0600) : -ENOMEM;
    json_object_put(o);
    return r;
}

static bool same_place(const char *a, const char *b)
{
    struct place x, y;
    return strcmp(a, b) == 0 ||
           (place_find(NULL, a, &x) == 0 && place_find(NULL, b, &y) == 0 && place_same(&x, &y));
}

/* The first folder that differs, or STORE_FOLDERS. */
static size_t difference(const struct store_paths *a, const struct store_paths *b)
{
    size_t i = 0;
    while (i < STORE_FOLDERS && same_place(store_folder(a, i), store_folder(b, i)))
        i++;
    return i;
}

/* A state folder that is not writable is reported by the code that requires it. */
static void remember(int state_fd, const struct store_paths *p, const struct store_paths *seen)
{
    cleanup(store_paths_free) struct store_paths was = {0};
    int64_t now = time_wall_ns() / SECOND_NS, when;
    if (seen_load(state_fd, &was, &when) && strcmp(was.config, p->config) == 0 &&
        difference(&was, seen) == STORE_FOLDERS && now >= when && now - when < AGAIN_S)
        return;
    (void)seen_store(state_fd, seen, p->config, now);
}

int seen_look(const struct store_paths *p, const char *state, bool make, struct err *e)
{
    cleanup(store_paths_free) struct store_paths seen = {0};
    int r = running_mismatch(p, &seen, e);
    if (!seen.meta || (r < 0 && r != -EINVAL))
        return r;
    autofree char *path = NULL;
    if (state_folder(p, state, make || r < 0, &path) < 0)
        return r;
    autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        remember(fd, p, &seen);
    return r;
}

/* m: the record, made at `when`. */
static int seen_check_memory(const struct store_paths *p, const struct store_paths *m, int64_t when,
                             struct err *e)
{
    char day[TIME_TEXT];
    size_t i = same_place(m->config, p->config) ? difference(m, p) : STORE_FOLDERS;
    if (i == STORE_FOLDERS)
        return 0;
    time_day_text((int32_t)(when / (DAY_NS / SECOND_NS)), day);
    return err_set(e, -EINVAL,
                   "when influxd last ran with %s, on %s, its %s folder was %s, not %s: set its "
                   "environment here too (INFLUXDB_META_DIR, …), give %s=FOLDER, or restore with "
                   "force if it is to use %s from now on",
                   p->config, day, store_folder_names[i], store_folder(m, i), store_folder(p, i),
                   store_folder_names[i], store_folder(p, i));
}

int seen_check(const struct store_paths *p, int state_fd, struct err *e)
{
    cleanup(store_paths_free) struct store_paths seen = {0};
    cleanup(store_paths_free) struct store_paths m = {0};
    int64_t when;
    autoclose int fd =
        state_fd < 0 ? -1 : openat(state_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!p->config)
        return 0;
    int r = running_mismatch(p, &seen, e);
    if (seen.meta && fd >= 0)
        remember(fd, p, &seen);
    return r == 0 && seen_load(fd, &m, &when) ? seen_check_memory(p, &m, when, e) : r;
}
