/* SPDX-License-Identifier: MIT */
#include "store/influx/written.h"

#include "store/base/path.h"
#include "store/influx/names.h"

#include <string.h>
#include <sys/stat.h>

#define DIGITS "0123456789"
#define HEX DIGITS "abcdef"

static bool is_one_of(const char *name, const char *const list[])
{
    for (; *list; list++)
        if (strcmp(name, *list) == 0)
            return true;
    return false;
}

/* n of these characters, and no other. */
static bool is_all(const char *name, const char *chars, size_t n)
{
    return strlen(name) == n && strspn(name, chars) == n;
}

/* Takes the first component off *path; false at its end. */
static bool next(const char **path, char name[NAME_MAX + 1])
{
    size_t n = strcspn(*path, "/");
    if (n == 0 || n > NAME_MAX)
        return false;
    memcpy(name, *path, n);
    name[n] = 0;
    *path += n + ((*path)[n] == '/');
    return true;
}

/* GENERATION-SEQUENCE with whatever influxd appends to it. */
static bool is_tsm_kind(const char *name)
{
    static const char *const suffixes[] = {
        ".tsm",           ".tsm.tmp", ".tsm.bad",     ".tombstone",
        ".tombstone.tmp", ".idx.tmp", ".tsm.idx.tmp", NULL};
    size_t generation = strspn(name, DIGITS);
    size_t sequence = name[generation] == '-' ? strspn(name + generation + 1, DIGITS) : 0;
    return generation && sequence && is_one_of(name + generation + 1 + sequence, suffixes);
}

static bool written_series(const char *path, bool folder)
{
    static const char *const indexes[] = {"index", "index.compacting", NULL};
    char name[NAME_MAX + 1];
    if (!next(&path, name))
        return folder;
    if (!is_all(name, HEX, 2))
        return false;
    if (!next(&path, name))
        return folder;
    if (folder || *path)
        return false;
    if (is_one_of(name, indexes))
        return true;
    char *dot = strchr(name, '.');
    if (dot && strcmp(dot, ".initializing") == 0)
        *dot = 0;
    return is_all(name, HEX, 4);
}

/* L0-00000001.tsl, L1-00000002.tsi, with .compacting while they are made. */
static bool written_index_file(const char *name)
{
    static const char *const suffixes[] = {".tsl", ".tsi", ".tsi.compacting", NULL};
    if (strncmp(name, "MANIFEST", 8) == 0) { /* a new one has digits after it */
        const char *rest = name + 8 + strspn(name + 8, DIGITS);
        return !*rest || strcmp(rest, ".tmp") == 0;
    }
    if (*name++ != 'L')
        return false;
    size_t level = strspn(name, DIGITS);
    size_t id = name[level] == '-' ? strspn(name + level + 1, DIGITS) : 0;
    return level && id && is_one_of(name + level + 1 + id, suffixes);
}

static bool written_index(const char *path, bool folder)
{
    char name[NAME_MAX + 1];
    if (!next(&path, name))
        return folder;
    if (strspn(name, DIGITS) != strlen(name))
        return false;
    if (!next(&path, name))
        return folder;
    return !folder && !*path && written_index_file(name);
}

/* N.tmp: hard links of the shard's files, while influxd makes a backup. */
static bool is_backup_folder(const char *name)
{
    size_t n = strspn(name, DIGITS);
    return n && strcmp(name + n, ".tmp") == 0;
}

static bool written_data_shard(const char *path, bool folder)
{
    static const char *const names[] = {"fields.idx", "fields.idx.tmp", "fields.idxl",
                                        "digest.tsd", "digest.tsd.tmp", NULL};
    char name[NAME_MAX + 1];
    if (!next(&path, name))
        return folder;
    if (strcmp(name, NAME_INDEX) == 0)
        return written_index(path, folder);
    if (is_backup_folder(name) && (*path || folder))
        return *path ? !folder && !strchr(path, '/') && is_tsm_kind(path) : folder;
    if (folder || *path)
        return false;
    return is_tsm_kind(name) || is_one_of(name, names) ||
           (strncmp(name, "tombstone", 9) == 0 && strspn(name + 9, DIGITS) == strlen(name + 9));
}

static bool written_wal_shard(const char *path, bool folder)
{
    char name[NAME_MAX + 1];
    if (!next(&path, name))
        return folder;
    return !folder && !*path && name_is_wal(name);
}

static bool written_tree(const char *path, bool folder, bool data)
{
    char name[NAME_MAX + 1];
    if (!next(&path, name)) /* data, wal */
        return folder;
    if (name_is_hidden(name))
        return false;
    if (!next(&path, name)) /* a database */
        return folder;
    if (data && name_is_series(name))
        return written_series(path, folder);
    if (!next(&path, name)) /* a policy */
        return folder;
    if (!name_is_shard(name, NULL))
        return false;
    return data ? written_data_shard(path, folder) : written_wal_shard(path, folder);
}

static bool written_meta(const char *path, bool folder)
{
    static const char *const names[] = {NAME_META_DB, "meta.dbtmp", "node.json", "peers.json",
                                        NULL};
    return *path ? !folder && is_one_of(path, names) : folder;
}

static bool is_written(const char *path, bool folder)
{
    char top[NAME_MAX + 1];
    if (!next(&path, top))
        return false;
    if (strcmp(top, "meta") == 0)
        return written_meta(path, folder);
    bool data = strcmp(top, "data") == 0;
    return (data || strcmp(top, "wal") == 0) && written_tree(path, folder, data);
}

bool written_by_influxd(const char *path, mode_t type)
{
    if (S_ISLNK(type))
        return is_written(path, true) || is_written(path, false);
    return (S_ISDIR(type) || S_ISREG(type)) && is_written(path, S_ISDIR(type));
}

bool written_in_series(const char *path, mode_t type)
{
    return (S_ISDIR(type) || S_ISREG(type)) && written_series(path, S_ISDIR(type));
}

bool written_in_place(const char *path)
{
    const char *base = path_last(path);
    const size_t n = strlen(base);
    return name_is_wal(base) || name_is_fields(base) || strncmp(base, "MANIFEST", 8) == 0 ||
           (n > 4 && strcmp(base + n - 4, ".tsl") == 0) || strstr(path, "/" NAME_SERIES "/");
}
