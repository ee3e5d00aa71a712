/* SPDX-License-Identifier: MIT */
#include "store/base/owner.h"

#include "store/base/lock.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 32

struct known {
    unsigned id;
    char name[NAME_BYTES];
    struct known *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct known *users, *groups;

static void user_name(unsigned id, char name[NAME_BYTES])
{
    struct passwd pw, *found = NULL;
    char buf[4096];
    if (getpwuid_r(id, &pw, buf, sizeof(buf), &found) == 0 && found &&
        strlen(pw.pw_name) < NAME_BYTES)
        strcpy(name, pw.pw_name);
}

static void group_name(unsigned id, char name[NAME_BYTES])
{
    struct group gr, *found = NULL;
    char buf[16384];
    if (getgrgid_r(id, &gr, buf, sizeof(buf), &found) == 0 && found &&
        strlen(gr.gr_name) < NAME_BYTES)
        strcpy(name, gr.gr_name);
}

static const char *owner_name(struct known **list, unsigned id, void (*fill)(unsigned, char *))
{
    lock_scope(&lock);
    struct known *k = *list;
    while (k && k->id != id)
        k = k->next;
    if (!k && (k = calloc(1, sizeof(*k)))) {
        k->id = id;
        fill(id, k->name);
        k->next = *list;
        *list = k;
    }
    return k ? k->name : "";
}

const char *owner_user(uid_t uid)
{
    return owner_name(&users, uid, user_name);
}

const char *owner_group(gid_t gid)
{
    return owner_name(&groups, gid, group_name);
}

/* Digits only: no sign, no space. */
static bool parse_id(const char *text, unsigned *out)
{
    if (!*text || text[strspn(text, "0123456789")])
        return false;
    errno = 0;
    unsigned long v = strtoul(text, NULL, 10);
    *out = (unsigned)v;
    return errno == 0 && v < UINT_MAX;
}

bool owner_find_user(const char *name, uid_t *uid, gid_t *gid)
{
    struct passwd pw, *found = NULL;
    char buf[4096];
    if (getpwnam_r(name, &pw, buf, sizeof(buf), &found) != 0 || !found)
        return false;
    *uid = pw.pw_uid;
    *gid = pw.pw_gid;
    return true;
}

static bool parse_user(const char *name, uid_t *uid, gid_t *gid)
{
    unsigned id;
    if (owner_find_user(name, uid, gid))
        return true;
    if (!parse_id(name, &id))
        return false;
    *uid = *gid = id;
    return true;
}

static bool parse_group(const char *name, gid_t *gid)
{
    struct group gr, *found = NULL;
    char buf[16384];
    if (getgrnam_r(name, &gr, buf, sizeof(buf), &found) != 0 || !found)
        return parse_id(name, gid);
    *gid = gr.gr_gid;
    return true;
}

int owner_parse(const char *text, uid_t *uid, gid_t *gid, struct err *e)
{
    autofree char *user = strdup(text);
    if (!user)
        return err_sys(e, -ENOMEM, "its value");
    char *group = strchr(user, ':');
    if (group)
        *group++ = 0;
    if (!parse_user(user, uid, gid))
        return err_set(e, -EINVAL, "there is no user %s", user);
    if (group && !parse_group(group, gid))
        return err_set(e, -EINVAL, "there is no group %s", group);
    return 0;
}
