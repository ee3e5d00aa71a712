/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/remember.h"

#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/base/time.h"

#include <string.h>
#include <unistd.h>

void remember(struct snap *s, enum history_kind kind, int64_t began_ns,
              const struct history_entry *end)
{
    struct err why = {0};
    struct history_entry entry = *end;
    entry.ended_ns = time_wall_ns();
    entry.took_ns = time_mono_ns() - began_ns;
    if ((!s->paths.data && snap_open(s, SNAP_LOOK, NULL) < 0) || !s->state ||
        access(s->state, W_OK) < 0)
        return;
    if (history_add(s->state, kind, &entry, &why) < 0)
        snap_warn("%s; this will not be remembered", why.text);
}

enum history_result remember_result(int code)
{
    if (code == EXIT_DONE)
        return HISTORY_DONE;
    return code == EXIT_OMISSIONS ? HISTORY_OMISSIONS : HISTORY_FAILED;
}

char *remember_path(const char *path)
{
    autofree char *own = strdup(path);
    for (size_t n = own ? strlen(own) : 0; n > 1 && own[n - 1] == '/'; n--)
        own[n - 1] = 0;
    autofree char *name = own ? strdup(path_last(own)) : NULL;
    if (!name)
        return NULL;
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return realpath(path, NULL);
    path_up(own);
    autofree char *folder = realpath(*own ? own : ".", NULL);
    return folder ? path_join(folder, name) : strdup(path);
}
