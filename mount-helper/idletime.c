/* SPDX-License-Identifier: MIT */
#include "mount-helper/idletime.h"

#include "store/base/cleanup.h"
#include "store/base/path.h"

#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Long enough for any line of either table. */
#define LINE 16384

/* "0", "0s" and "infinity" mean never. */
static bool is_a_time(const char *option)
{
    const char *time = strchr(option, '=') + 1;
    return strncmp(time, "infinity", 8) != 0 && time[strspn(time, "0")] >= '1' &&
           time[strspn(time, "0")] <= '9';
}

/* Only what is ours is looked at: on another mount point, realpath(3) may wait for a dead server. */
static bool idletime_in_fstab(const struct mntent *m, const char *folder)
{
    if (!strstr(m->mnt_type, "influxfs"))
        return false;
    const char *option = hasmntopt(m, "x-systemd.idle-timeout");
    if (!option || !option[strcspn(option, "=")] || !is_a_time(option))
        return false;
    autofree char *real = realpath(m->mnt_dir, NULL);
    return strcmp(real ? real : m->mnt_dir, folder) == 0;
}

/* A direct automount lies on the folder, an indirect one is the folder above. */
static bool idletime_in_automount(const struct mntent *m, const char *folder)
{
    const char *option = hasmntopt(m, "timeout");
    if (strcmp(m->mnt_type, "autofs") != 0 || !option || !is_a_time(option))
        return false;
    const char *below = path_below(folder, m->mnt_dir);
    if (!below)
        return false;
    return *below == 0 || (hasmntopt(m, "indirect") && !strchr(below, '/'));
}

static bool idletime_in_table(const char *table, const char *folder,
                              bool (*has)(const struct mntent *m, const char *folder))
{
    struct mntent m;
    char line[LINE];
    bool found = false;
    FILE *f = setmntent(table, "re");
    while (f && !found && getmntent_r(f, &m, line, sizeof(line)))
        found = has(&m, folder);
    if (f)
        endmntent(f);
    return found;
}

bool idletime_is_set(const char *folder, const char *option, const char *fstab, struct err *where)
{
    if (option && is_a_time(option))
        err_set(where, 0, "by option %s", option);
    else if (idletime_in_table(fstab, folder, idletime_in_fstab))
        err_set(where, 0, "by x-systemd.idle-timeout in %s", fstab);
    else if (idletime_in_table("/proc/self/mounts", folder, idletime_in_automount))
        err_set(where, 0, "by an automount with an idle time");
    else
        return false;
    return true;
}
