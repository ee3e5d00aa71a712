/* SPDX-License-Identifier: MIT */
#include "store/snapshot/member.h"

#include <string.h>

size_t member_path_len(const struct member *m)
{
    return strlen(m->dir) + (*m->dir ? 1 : 0) + strlen(m->name);
}

char *member_path(const struct member *m, char *buf)
{
    char *p = stpcpy(buf, m->dir);
    if (*m->dir)
        *p++ = '/';
    strcpy(p, m->name);
    return buf;
}
