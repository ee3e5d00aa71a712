/* SPDX-License-Identifier: MIT */
#include "store/influx/seen.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/influx/running.h"
#include "store/influx/server.h"
#include "store/influx/state.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <string.h>
#include <time.h>

#define RECORD "influxd.json"
#define RECORD_MAX (64 << 10)
#define FOLDERS 3
#define AGAIN_S (24 * 3600) /* the date is no more precise than that */

static const char *const keys[FOLDERS] = {"meta", "data", "wal"};

struct memory {
    struct store_paths paths; /* with config */
    int64_t seconds;          /* when; since 1970 */
};

static void memory_clear(struct memory *m)
{
    store_paths_free(&m->paths);
}

static const char *folder(const struct store_paths *p, size_t i)
{
    return i == 0 ? p->meta : i == 1 ? p->data : p->wal;
}

static char *text_of(struct json_object *o, const char *key)
{
    struct json_object *v;
    const char *text =
        json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_string)
            ? json_object_get_string(v)
            : "";
    return *text == '/' ? strdup(text) : NULL;
}

/* 1: there is a memory; 0: none, or one that is damaged, which is as good. */
static int load(int state_fd, struct memory *out)
{
    autofree char *text = NULL;
    size_t len;
    struct json_object *seconds;
    if (state_fd < 0 || io_read_file(state_fd, RECORD, RECORD_MAX, &text, &len) < 0)
        return 0;
    struct json_object *o = json_tokener_parse(text);
    if (!json_object_is_type(o, json_type_object)) {
        json_object_put(o);
        return 0;
    }
    struct store_paths p = {text_of(o, "meta"), text_of(o, "data"), text_of(o, "wal"),
                            text_of(o, "config")};
    *out = (struct memory){.paths = p};
    if (json_object_object_get_ex(o, "seconds", &seconds))
        out->seconds = json_object_get_int64(seconds);
    json_object_put(o);
    if (p.meta && p.data && p.wal && p.config)
        return 1;
    memory_clear(out);
    return 0;
}

static int store(int state_fd, const struct store_paths *seen, const char *config, int64_t seconds)
{
    struct json_object *o = json_object_new_object();
    if (!o)
        return -ENOMEM;
    json_object_object_add(o, "config", json_object_new_string(config));
    for (size_t i = 0; i < FOLDERS; i++)
        json_object_object_add(o, keys[i], json_object_new_string(folder(seen, i)));
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

/* Which folder is another one, or FOLDERS. */
static size_t difference(const struct store_paths *a, const struct store_paths *b)
{
    size_t i = 0;
    while (i < FOLDERS && same_place(folder(a, i), folder(b, i)))
        i++;
    return i;
}

/* That it cannot be written is told by whoever needs the state folder for more. */
static void remember(int state_fd, const struct store_paths *p, const struct store_paths *seen)
{
    cleanup(memory_clear) struct memory was = {0};
    int64_t now = (int64_t)time(NULL);
    if (load(state_fd, &was) && strcmp(was.paths.config, p->config) == 0 &&
        difference(&was.paths, seen) == FOLDERS && now >= was.seconds &&
        now - was.seconds < AGAIN_S)
        return;
    (void)store(state_fd, seen, p->config, now);
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

static int check_memory(const struct store_paths *p, const struct memory *m, struct err *e)
{
    char day[32];
    struct tm tm;
    time_t seconds = (time_t)m->seconds;
    size_t i = same_place(m->paths.config, p->config) ? difference(&m->paths, p) : FOLDERS;
    if (i == FOLDERS)
        return 0;
    gmtime_r(&seconds, &tm);
    strftime(day, sizeof(day), "%Y-%m-%d", &tm);
    return err_set(e, -EINVAL,
                   "when influxd last ran with %s, on %s, its %s folder was %s, not %s: set its "
                   "environment here too (INFLUXDB_META_DIR, …), give %s=FOLDER, or restore with "
                   "force if it is to use %s from now on",
                   p->config, day, keys[i], folder(&m->paths, i), folder(p, i), keys[i],
                   folder(p, i));
}

int seen_check(const struct store_paths *p, int state_fd, struct err *e)
{
    cleanup(store_paths_free) struct store_paths seen = {0};
    cleanup(memory_clear) struct memory m = {0};
    autoclose int fd =
        state_fd < 0 ? -1 : openat(state_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!p->config)
        return 0;
    int r = running_mismatch(p, &seen, e);
    if (seen.meta && fd >= 0)
        remember(fd, p, &seen);
    return r == 0 && load(fd, &m) ? check_memory(p, &m, e) : r;
}
