/* SPDX-License-Identifier: MIT */
#include "store/sets/set_name.h"

#include "store/sets/set.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define LEFT_OUT "left_out"
#define DIGITS "0123456789"
#define NUMBER_MAX 18 /* digits of a number that fits 64 bits */

enum { RUN_DIGITS = 2, SHARD_DIGITS = 5 };

/* The number that name[0, end) ends with, after a dot: of at least `digits` digits, and of more only
 * without a zero before them. The place of the dot, or 0. */
static size_t set_name_number(const char *name, size_t end, size_t digits, uint64_t *out)
{
    size_t at = end;
    uint64_t n = 0;
    while (at > 0 && strchr(DIGITS, name[at - 1]))
        at--;
    const size_t len = end - at;
    if (at < 2 || name[at - 1] != '.' || len < digits || len > NUMBER_MAX ||
        (len > digits && name[at] == '0'))
        return 0;
    for (size_t i = at; i < end; i++)
        n = n * 10 + (uint64_t)(name[i] - '0');
    *out = n;
    return at - 1;
}

bool set_name_meta(const char *name, uint64_t *run)
{
    size_t dot = set_name_number(name, strlen(name), RUN_DIGITS, run);
    return dot == 4 && strncmp(name, "meta", dot) == 0;
}

bool set_name_shard(const char *name, size_t *prefix, uint64_t *id, uint64_t *run)
{
    uint64_t shard, number;
    size_t dot = set_name_number(name, strlen(name), RUN_DIGITS, &number);
    size_t end = dot ? set_name_number(name, dot, SHARD_DIGITS, &shard) : 0;
    if (end < 3 || !memchr(name + 1, '.', end - 2))
        return false;
    *prefix = end;
    *id = shard;
    *run = number;
    return true;
}

static bool set_name_ends(const char *name, const char *suffix)
{
    const size_t n = strlen(name), k = strlen(suffix);
    return n > k && strcmp(name + n - k, suffix) == 0;
}

bool set_name_manifest(const char *name)
{
    return set_name_ends(name, SET_MANIFEST_SUFFIX) && set_name_plain(name);
}

bool set_name_plain(const char *name)
{
    if (!*name || *name == '.' || strlen(name) > NAME_MAX)
        return false;
    for (; *name; name++)
        if (*name == '/' || (unsigned char)*name < ' ' || *name == 0x7f)
            return false;
    return true;
}

bool set_name_left_out(const char *name)
{
    const size_t n = strlen(LEFT_OUT);
    return set_name_plain(name) &&
           (set_name_ends(name, "." LEFT_OUT) ||
            (strncmp(name, LEFT_OUT, n) == 0 && (!name[n] || name[n] == '-')));
}

/* TIME.sN.tar.gz */
static bool set_name_archive(const char *name)
{
    static const char suffix[] = ".tar.gz";
    if (!set_name_ends(name, suffix))
        return false;
    size_t end = strlen(name) - strlen(suffix), at = end;
    while (at > 0 && strchr(DIGITS, name[at - 1]))
        at--;
    return at < end && at > 2 && name[at - 1] == 's' && name[at - 2] == '.';
}

enum set_name set_name_kind(const char *name)
{
    size_t prefix;
    uint64_t id, run;
    if (!set_name_plain(name))
        return SET_NO_NAME;
    if (set_name_meta(name, &run) || set_name_shard(name, &prefix, &id, &run))
        return SET_LEGACY;
    return set_name_ends(name, SET_MANIFEST_SUFFIX) || set_name_ends(name, ".meta") ||
                   set_name_archive(name)
               ? SET_PORTABLE
               : SET_NO_NAME;
}
