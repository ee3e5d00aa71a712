/* SPDX-License-Identifier: MIT */
#include "store/influx/names.h"

#include "store/base/path.h"

#include <string.h>

/* Reads decimal digits, one at least, of a value up to max, and moves *p past them. */
static bool names_parse_number(const char **p, uint64_t max, uint64_t *value)
{
    uint64_t v = 0;
    const char *s = *p;
    for (; *s >= '0' && *s <= '9'; s++) {
        uint64_t digit = (uint64_t)(*s - '0');
        if (v > (max - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    if (s == *p)
        return false;
    *p = s;
    *value = v;
    return true;
}

bool name_is_hidden(const char *name)
{
    return strcmp(name, NAME_HIDDEN) == 0;
}

bool name_is_series(const char *name)
{
    return strcmp(name, NAME_SERIES) == 0;
}

bool name_is_padded_shard(const char *name, uint64_t *id)
{
    const char *p = name;
    return name[0] == '0' && name[1] && names_parse_number(&p, UINT64_MAX, id) && !*p;
}

bool name_is_shard(const char *name, uint64_t *id)
{
    const char *p = name;
    uint64_t v;
    if (!names_parse_number(&p, UINT64_MAX, &v) || *p || (name[0] == '0' && name[1]))
        return false;
    if (id)
        *id = v;
    return true;
}

static bool is_generation(const char *name, const char *suffix)
{
    uint64_t v;
    if (!names_parse_number(&name, UINT32_MAX, &v) || *name++ != '-' ||
        !names_parse_number(&name, UINT32_MAX, &v))
        return false;
    return strcmp(name, suffix) == 0;
}

bool name_is_tsm(const char *name)
{
    return is_generation(name, NAME_TSM_SUFFIX);
}

bool name_is_tombstone(const char *name)
{
    return is_generation(name, NAME_TOMBSTONE_SUFFIX);
}

bool name_is_bad_tsm(const char *name)
{
    return is_generation(name, NAME_BAD_SUFFIX);
}

bool name_is_foreign(const char *name)
{
    return name[0] == '.' || strcmp(name, "lost+found") == 0;
}

bool name_is_fields(const char *name)
{
    return strncmp(name, "fields.idx", strlen("fields.idx")) == 0;
}

bool name_is_wal(const char *name)
{
    uint64_t v;
    return *name++ == '_' && names_parse_number(&name, UINT32_MAX, &v) &&
           strcmp(name, NAME_WAL_SUFFIX) == 0;
}

bool name_tsm_of(const char *tombstone, char out[NAME_MAX + 1])
{
    size_t stem = strcspn(tombstone, ".");
    if (!name_is_tombstone(tombstone) || stem + sizeof(NAME_TSM_SUFFIX) > NAME_MAX + 1)
        return false;
    memcpy(out, tombstone, stem);
    strcpy(out + stem, NAME_TSM_SUFFIX);
    return true;
}

bool name_in_database(const char *path, const char *db)
{
    const char *below = path_below(path, "data");
    if (!below)
        below = path_below(path, "wal");
    return below && path_below(below, db);
}
