/* SPDX-License-Identifier: MIT */
#include "store/influx/paths.h"

#include "store/base/cleanup.h"
#include "store/base/path.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

const char *const store_folder_names[STORE_FOLDERS] = {"meta", "data", "wal"};
const char *const store_folder_variables[STORE_FOLDERS] = {"INFLUXDB_META_DIR", "INFLUXDB_DATA_DIR",
                                                           "INFLUXDB_DATA_WAL_DIR"};

char **store_folder_of(struct store_paths *p, size_t i)
{
    return i == 0 ? &p->meta : i == 1 ? &p->data : &p->wal;
}

const char *store_folder(const struct store_paths *p, size_t i)
{
    return i == 0 ? p->meta : i == 1 ? p->data : p->wal;
}

int store_paths_copy(const struct store_paths *from, struct store_paths *to)
{
    bool copied = true;
    *to = (struct store_paths){0};
    for (size_t i = 0; i < STORE_FOLDERS; i++)
        copied = (*store_folder_of(to, i) = strdup(store_folder(from, i))) && copied;
    copied = (!from->config || (to->config = strdup(from->config))) && copied;
    return copied ? 0 : -ENOMEM;
}

bool store_is_there(const struct store_paths *p)
{
    struct stat st;
    for (size_t i = 0; i < STORE_FOLDERS; i++)
        if (stat(store_folder(p, i), &st) == 0 || errno != ENOENT)
            return true;
    return false;
}

int store_is_gone(const struct store_paths *p, struct err *e)
{
    return err_set(e, -EIO,
                   "the store is gone: %s, %s and %s do not exist any more; see whether their disk "
                   "is mounted",
                   p->meta, p->data, p->wal);
}

void store_paths_free(struct store_paths *p)
{
    free(p->meta);
    free(p->data);
    free(p->wal);
    free(p->config);
    *p = (struct store_paths){0};
}

static int default_path(const char *data, char **out)
{
    autofree char *real = realpath(data, NULL), *up = strdup(real ? real : data);
    if (!up)
        return -ENOMEM;
    path_up(up);
    *out = path_join(*up ? up : ".", "influxfs");
    return *out ? 0 : -ENOMEM;
}

static int absolute(const char *given, char **out)
{
    autofree char *here = *given == '/' ? NULL : getcwd(NULL, 0);
    if (*given != '/' && !here)
        return -errno;
    *out = path_join(here ? here : "", given);
    return *out ? 0 : -ENOMEM;
}

/* The parent must exist: a store that does not exist yet gets no folders from us. */
static int check(const char *path, bool make)
{
    if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
        return -errno;
    return access(path, R_OK | W_OK | X_OK) < 0 ? -errno : 0;
}

int state_folder(const struct store_paths *paths, const char *given, bool make, char **out)
{
    char *path = NULL;
    int r = given ? absolute(given, &path) : default_path(paths->data, &path);
    *out = r < 0 ? NULL : path;
    return r < 0 ? r : check(path, make);
}
